"""What policies would allow: the policy simulator, and what it says against what is then allowed."""

import json

import pytest

from accounts import Accounts
from identity import EVERYTHING, allow, code, deny, fresh, managed, person, policy, refused, trust, user_arn
from server import ACCOUNT, Server

LOGS = "arn:aws:s3:::central-logs"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("simulator")) as server:
        yield server


@pytest.fixture(scope="module")
def iam(server):
    return server.client("iam")


def decisions(answer):
    return {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}


def matched(result):
    return [(found["SourcePolicyId"], found["SourcePolicyType"]) for found in result["MatchedStatements"]]


def test_the_cli_simulates_a_policy_as_its_reference_shows(server):
    text = ('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
            '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}')
    answer = server.aws(
        "iam", "simulate-custom-policy", "--policy-input-list", text, "--action-names", "dynamodb:CreateBackup",
        "--context-entries",
        "ContextKeyName='aws:CurrentTime',ContextKeyValues='2019-04-25T11:00:00Z',ContextKeyType=date")
    assert answer["EvaluationResults"] == [{
        "EvalActionName": "dynamodb:CreateBackup", "EvalResourceName": "*", "EvalDecision": "allowed",
        "MatchedStatements": [{
            "SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "none",
            "StartPosition": {"Line": 1, "Column": 38}, "EndPosition": {"Line": 1, "Column": 167},
        }],
        "MissingContextValues": [],
    }]
    answer = server.aws(
        "iam", "simulate-custom-policy", "--policy-input-list", text, "--action-names", "dynamodb:CreateBackup",
        "--context-entries",
        "ContextKeyName='aws:CurrentTime',ContextKeyValues='2014-04-25T11:00:00Z',ContextKeyType=date")
    assert decisions(answer) == {"dynamodb:CreateBackup": "implicitDeny"}


def test_a_users_policies_its_groups_and_its_boundary(iam):
    boundary = managed(iam, allow(["s3:*", "sns:*"]))
    name, _ = person(iam, allow("s3:Get*"), deny("s3:GetBucketPolicy"), PermissionsBoundary=boundary)
    group = fresh("group")
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="more", PolicyDocument=policy(allow(["sns:*", "sqs:*"])))
    iam.attach_group_policy(GroupName=group, PolicyArn="arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess")
    iam.add_user_to_group(GroupName=group, UserName=name)
    answer = iam.simulate_principal_policy(
        PolicySourceArn=user_arn(name),
        ActionNames=["s3:GetObject", "s3:GetBucketPolicy", "s3:PutObject", "sns:Publish", "sqs:SendMessage",
                     "cloudtrail:LookupEvents"])
    assert decisions(answer) == {
        "s3:GetObject": "allowed", "s3:GetBucketPolicy": "explicitDeny", "s3:PutObject": "implicitDeny",
        "sns:Publish": "allowed", "sqs:SendMessage": "implicitDeny", "cloudtrail:LookupEvents": "implicitDeny",
    }
    results = {result["EvalActionName"]: result for result in answer["EvaluationResults"]}
    assert matched(results["s3:GetObject"]) == [(f"user_{name}_own", "user")]
    assert matched(results["sns:Publish"]) == [(f"group_{group}_more", "group")]
    assert matched(results["s3:GetBucketPolicy"]) == [(f"user_{name}_own", "user")]
    assert results["sqs:SendMessage"]["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert results["s3:PutObject"]["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    # Without the boundary, and with another policy besides.
    more = iam.simulate_principal_policy(
        PolicySourceArn=user_arn(name), ActionNames=["sqs:SendMessage", "cloudtrail:LookupEvents", "kms:Decrypt"],
        PolicyInputList=[policy(allow("kms:*"))], PolicyExclusionList=[{"PolicyType": "permission-boundary"}])
    assert set(decisions(more).values()) == {"allowed"}
    results = {result["EvalActionName"]: result for result in more["EvaluationResults"]}
    assert matched(results["cloudtrail:LookupEvents"]) == [("AWSCloudTrail_ReadOnlyAccess", "aws-managed")]
    assert matched(results["kms:Decrypt"]) == [("PolicyInputList.1", "none")]
    # Each way to leave policies out.
    for exclusion in (
        {"PolicyType": "aws-managed"}, {"PolicyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_*"},
    ):
        less = iam.simulate_principal_policy(
            PolicySourceArn=user_arn(name), ActionNames=["cloudtrail:LookupEvents"],
            PolicyExclusionList=[exclusion, {"PolicyType": "permission-boundary"}])
        assert decisions(less) == {"cloudtrail:LookupEvents": "implicitDeny"}
    less = iam.simulate_principal_policy(
        PolicySourceArn=user_arn(name), ActionNames=["s3:GetObject", "sns:Publish"],
        PolicyExclusionList=[{"InlinePolicyIdentifier": {
            "PolicyName": "own", "AttachmentType": "user", "AttachmentName": f"{name[:6]}*"}}])
    assert decisions(less) == {"s3:GetObject": "implicitDeny", "sns:Publish": "allowed"}


def test_what_it_says_is_what_is_allowed(server, iam):
    """The simulator and the door decide alike."""
    name, who = person(
        iam, allow("iam:Get*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"), allow("iam:ListUsers"),
        deny("iam:ListUsers", condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}))
    own = server.client("iam", **who)
    answer = iam.simulate_principal_policy(
        PolicySourceArn=user_arn(name), ActionNames=["iam:GetUser", "iam:ListUsers"],
        ResourceArns=[user_arn(name), user_arn("somebody-else"), "*"],
        ContextEntries=[{"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string",
                         "ContextKeyValues": ["us-east-1"]}])
    by_action = {result["EvalActionName"]: result for result in answer["EvaluationResults"]}
    on = {found["EvalResourceName"]: found["EvalResourceDecision"]
          for found in by_action["iam:GetUser"]["ResourceSpecificResults"]}
    assert on == {user_arn(name): "allowed", user_arn("somebody-else"): "implicitDeny", "*": "implicitDeny"}
    assert by_action["iam:GetUser"]["EvalDecision"] == "implicitDeny"
    assert by_action["iam:ListUsers"]["EvalDecision"] == "explicitDeny"
    assert own.get_user(UserName=name)["User"]["UserName"] == name
    assert code(own.get_user, UserName="somebody-else") == "AccessDenied"
    assert "with an explicit deny in an identity-based policy" in refused(own.list_users)[1]


def test_keys_that_are_missing_and_keys_that_are_asked_for(server, iam):
    text = policy(
        allow("s3:GetObject", f"{LOGS}/${{aws:PrincipalTag/team}}/*",
              {"IpAddress": {"AWS:SourceIp": "203.0.113.0/24"}}),
        allow("sns:*", condition={"StringEquals": {"aws:sourceip": "x"}}))
    keys = server.aws("iam", "get-context-keys-for-custom-policy", "--policy-input-list", text)
    assert keys == {"ContextKeyNames": ["aws:PrincipalTag/team", "AWS:SourceIp"]}
    name, _ = person(iam, allow("s3:*", condition={"NumericLessThan": {"s3:max-keys": "10"}}))
    found = iam.get_context_keys_for_principal_policy(PolicySourceArn=user_arn(name), PolicyInputList=[text])
    assert found["ContextKeyNames"] == ["aws:PrincipalTag/team", "AWS:SourceIp", "s3:max-keys"]
    result = iam.simulate_custom_policy(PolicyInputList=[text], ActionNames=["s3:GetObject"])["EvaluationResults"][0]
    assert result["MissingContextValues"] == ["aws:PrincipalTag/team", "AWS:SourceIp"]
    given = [
        {"ContextKeyName": "aws:PrincipalTag/team", "ContextKeyType": "string", "ContextKeyValues": ["blue"]},
        {"ContextKeyName": "aws:SourceIp", "ContextKeyType": "ip", "ContextKeyValues": ["203.0.113.9"]},
    ]
    result = iam.simulate_custom_policy(
        PolicyInputList=[text], ActionNames=["s3:GetObject"], ResourceArns=[f"{LOGS}/blue/x", f"{LOGS}/red/x"],
        ContextEntries=given)["EvaluationResults"][0]
    assert [found["EvalResourceDecision"] for found in result["ResourceSpecificResults"]] == ["allowed", "implicitDeny"]
    assert result["ResourceSpecificResults"][0]["MissingContextValues"] == []


def test_a_resources_policy_within_the_account_and_between_accounts(iam):
    name, _ = person(iam)
    bucket = policy({"Effect": "Allow", "Principal": {"AWS": user_arn(name)}, "Action": "s3:GetObject",
                     "Resource": f"{LOGS}/*"})
    ask = {"PolicySourceArn": user_arn(name), "ActionNames": ["s3:GetObject"], "ResourceArns": [f"{LOGS}/x"],
           "ResourcePolicy": bucket}
    result = iam.simulate_principal_policy(**ask)["EvaluationResults"][0]
    assert result["EvalDecision"] == "allowed" and matched(result) == [("ResourcePolicy", "resource")]
    result = iam.simulate_principal_policy(**ask, ResourceOwner="999988887777")["EvaluationResults"][0]
    assert result["EvalDecision"] == "implicitDeny"
    details = result["ResourceSpecificResults"][0]["EvalDecisionDetails"]
    assert details == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    both = iam.simulate_principal_policy(
        **ask, ResourceOwner="arn:aws:iam::999988887777:root", PolicyInputList=[policy(EVERYTHING)])
    assert decisions(both) == {"s3:GetObject": "allowed"}
    # As if another called with these policies.
    other, _ = person(iam)
    result = iam.simulate_principal_policy(**ask, CallerArn=user_arn(other))["EvaluationResults"][0]
    assert result["EvalDecision"] == "implicitDeny"


def test_service_control_policies_from_the_root_down(iam):
    full, no_s3 = policy(EVERYTHING), policy(EVERYTHING, deny("s3:Delete*"))
    result = iam.simulate_custom_policy(
        PolicyInputList=[full], ActionNames=["s3:DeleteObject", "s3:GetObject"],
        OrderedOrganizationPolicyInputList=[
            {"ServiceControlPolicyInputList": [full]}, {"ServiceControlPolicyInputList": [full, no_s3]}])
    assert decisions(result) == {"s3:DeleteObject": "explicitDeny", "s3:GetObject": "allowed"}
    allowed = [found["OrganizationsDecisionDetail"]["AllowedByOrganizations"] for found in result["EvaluationResults"]]
    assert allowed == [False, True]


def test_actions_are_answered_in_pages(iam):
    actions = [f"s3:Get{number}" for number in range(7)]
    first = iam.simulate_custom_policy(PolicyInputList=[policy(EVERYTHING)], ActionNames=actions, MaxItems=5)
    assert first["IsTruncated"] and len(first["EvaluationResults"]) == 5
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[policy(EVERYTHING)], ActionNames=actions, PaginationConfig={"PageSize": 3})
    names = [result["EvalActionName"] for page in pages for result in page["EvaluationResults"]]
    assert names == actions


@pytest.mark.parametrize("wrong", [
    {"ActionNames": ["s3:*"]},
    {"ActionNames": ["GetObject"]},
    {"PolicyInputList": ["{}"]},
    {"ResourceArns": ["central-logs"]},
    {"ResourcePolicy": policy(EVERYTHING)},
    {"CallerArn": f"arn:aws:iam::{ACCOUNT}:root"},
    {"PermissionsBoundaryPolicyInputList": [policy(EVERYTHING)] * 2},
    {"ResourceHandlingOption": "EC2-VPC-EBS"},
    {"ContextEntries": [{"ContextKeyName": "aws:SourceIp", "ContextKeyType": "ip", "ContextKeyValues": ["here"]}]},
    {"ContextEntries": [{"ContextKeyName": "aws:username", "ContextKeyType": "string", "ContextKeyValues": []}]},
])
def test_what_cannot_be_simulated_is_refused(iam, wrong):
    ask = {"PolicyInputList": [policy(EVERYTHING)], "ActionNames": ["s3:GetObject"], **wrong}
    assert code(iam.simulate_custom_policy, **ask) in ("InvalidInput", "ValidationError")


def test_who_asks_needs_the_permission_and_the_source_must_be_there(server, iam):
    name, who = person(iam, allow("iam:SimulateCustomPolicy"))
    own = server.client("iam", **who)
    ask = {"ActionNames": ["s3:GetObject"]}
    assert decisions(own.simulate_custom_policy(PolicyInputList=[policy(EVERYTHING)], **ask))
    said = refused(own.simulate_principal_policy, PolicySourceArn=user_arn(name), **ask)
    assert said[0] == "AccessDenied" and "because no identity-based policy allows the iam:SimulatePrincipalPolicy" in said[1]
    assert code(iam.simulate_principal_policy, PolicySourceArn=user_arn("nobody-at-all"), **ask) == "NoSuchEntity"
    assert code(iam.simulate_principal_policy, PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:policy/x", **ask) == "InvalidInput"


class TestOrganization:
    """Organizations in decisions: who denies is told, and condition keys say who belongs to it."""

    @pytest.fixture(scope="class", autouse=True)
    def accounts(self, request, server):
        accounts = Accounts(server)
        accounts.make("workload")
        accounts.make("security")
        request.cls.accounts = accounts

    def test_a_denial_names_the_service_control_policy(self, server):
        org = server.client("organizations")
        made = org.create_policy(
            Content=policy(deny("iam:CreateUser")), Name="no-users", Description="", Type="SERVICE_CONTROL_POLICY")
        arn = made["Policy"]["PolicySummary"]["Arn"]
        org.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=self.accounts.ids["workload"])
        iam = self.accounts.client("workload", "iam")
        message = refused(iam.create_user, UserName="anyone")[1]
        assert message.endswith(f"with an explicit deny in a service control policy: {arn}"), message
        role = f"arn:aws:iam::{self.accounts.ids['workload']}:role/OrganizationAccountAccessRole"
        found = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["iam:CreateUser", "iam:CreateRole"])
        assert decisions(found) == {"iam:CreateUser": "explicitDeny", "iam:CreateRole": "allowed"}
        allowed = [one["OrganizationsDecisionDetail"]["AllowedByOrganizations"] for one in found["EvaluationResults"]]
        assert allowed == [False, True]
        # The management account is not bound by it.
        server.client("iam").create_user(UserName=fresh("anyone"))

    def test_a_bucket_for_the_organization_alone(self, server):
        owner = self.accounts.client("security", "s3")
        bucket = fresh("shared")
        owner.create_bucket(Bucket=bucket)
        owner.put_object(Bucket=bucket, Key="k", Body=b"x")
        owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {
                "StringEquals": {"aws:PrincipalOrgID": self.accounts.id, "aws:ResourceOrgID": "${aws:PrincipalOrgID}"},
                "ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{self.accounts.id}/*"},
            },
        }]}))
        member = self.accounts.client("workload", "s3")
        assert member.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
        # Of the same organization, they are told which kind of policy does not allow it.
        said = refused(member.put_object, Bucket=bucket, Key="k", Body=b"y")
        assert said[0] == "AccessDenied" and "because no resource-based policy allows the s3:PutObject action" in said[1]


def test_a_denial_names_the_managed_policy(server, iam):
    arn = managed(iam, deny("iam:ListRoles"))
    name, who = person(iam, EVERYTHING)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    message = refused(server.client("iam", **who).list_roles)[1]
    assert message.endswith(f"with an explicit deny in an identity-based policy: {arn}"), message
    boundary = managed(iam, EVERYTHING, deny("iam:ListGroups"))
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=boundary)
    message = refused(server.client("iam", **who).list_groups)[1]
    assert message.endswith(f"with an explicit deny in a permissions boundary: {boundary}"), message


def test_a_role_is_simulated_with_its_own_policies(iam):
    role = fresh("role")
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="reads", PolicyDocument=policy(allow("s3:Get*")))
    answer = iam.simulate_principal_policy(PolicySourceArn=made, ActionNames=["s3:GetObject", "s3:PutObject"])
    assert decisions(answer) == {"s3:GetObject": "allowed", "s3:PutObject": "implicitDeny"}
    assert matched(answer["EvaluationResults"][0]) == [(f"role_{role}_reads", "role")]


def test_what_would_be_endless_work_is_refused(iam):
    asked = [f"arn:aws:s3:::b/{number}" for number in range(500)]
    many = policy(*[{**allow("s3:*"), "Condition": {"StringEquals": {f"aws:k{number}": "v"}}} for number in range(500)])
    big = dict(PolicyInputList=[many], ActionNames=["s3:GetObject"])
    assert iam.simulate_custom_policy(**big)["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    said = refused(iam.simulate_custom_policy, ResourceArns=asked, **big)
    assert said[0] == "ValidationError" and "too large" in said[1], said
    said = refused(iam.simulate_custom_policy, PolicyInputList=[many] * 4, ActionNames=["s3:GetObject"])
    assert said[0] == "InvalidInput" and "131072 bytes" in said[1], said
