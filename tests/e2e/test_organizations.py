"""AWS Organizations by the AWS CLI and boto3: an organization's whole life, and what its policies take from whom."""

import json

import pytest

from accounts import ADMINISTRATION, TRUSTED, Accounts
from identity import allow, code, deny, fresh, looked_up, person, policy, refused
from server import ACCOUNT, REGION, Server, eventually

FULL = "p-FullAWSAccess"
SCP = "SERVICE_CONTROL_POLICY"
KEEP_TRAILS = policy({
    "Sid": "KeepTrails", "Effect": "Deny", "Resource": "*",
    "Action": ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "s3:DeleteObject*"],
})


def reason(call, **arguments):
    """The code and the ``Reason`` with which a call is refused."""
    with pytest.raises(call.__self__.exceptions.ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response.get("Reason")


def service_event(server, name, count=1):
    """The details of Organizations' own events of this name, newest first."""
    found = looked_up(server, name, count=count)
    for record in found:
        assert record["eventType"] == "AwsServiceEvent" and record["awsRegion"] == "us-east-1", record
        assert record["eventSource"] == "organizations.amazonaws.com"
        assert record["recipientAccountId"] == ACCOUNT
    return [record["serviceEventDetails"] for record in found]


@pytest.fixture(scope="class")
def story(request, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("organizations")) as server:
        request.cls.server = server
        yield server


@pytest.mark.usefixtures("story")
class TestLife:
    """From the first account to the last; each test stands on those before it."""

    @property
    def org(self):
        return self.server.client("organizations")

    def root(self):
        return self.server.aws("organizations", "list-roots")["Roots"][0]

    def test_nothing_is_there_before_it_is_made(self):
        assert code(self.org.describe_organization) == "AWSOrganizationsNotInUseException"
        assert code(self.org.list_accounts) == "AWSOrganizationsNotInUseException"
        assert code(self.org.leave_organization) == "AWSOrganizationsNotInUseException"

    def test_the_organization_is_made(self):
        type(self).accounts = Accounts(self.server)
        made = self.server.aws("organizations", "describe-organization")["Organization"]
        assert made["Id"] == self.accounts.id and made["MasterAccountId"] == ACCOUNT
        assert made["Arn"] == f"arn:aws:organizations::{ACCOUNT}:organization/{made['Id']}"
        assert made["FeatureSet"] == "ALL"
        assert code(self.org.create_organization) == "AlreadyInOrganizationException"
        root = self.root()
        assert root["Name"] == "Root"
        assert root["PolicyTypes"] == [{"Type": SCP, "Status": "ENABLED"}]
        record = looked_up(self.server, "CreateOrganization", count=2)[-1]
        assert record["awsRegion"] == "us-east-1"
        assert record["responseElements"]["organization"]["id"] == made["Id"]
        assert record["responseElements"]["organization"]["masterAccountEmail"] == "****"
        [joined] = service_event(self.server, "AccountJoinedOrganization")
        assert joined["joinedMethod"] == "INVITED"

    def test_accounts_are_made(self):
        logs, work = self.accounts.make("logs"), self.accounts.make("work")
        listed = self.server.aws("organizations", "list-accounts")["Accounts"]
        assert {account["Id"] for account in listed} == {ACCOUNT, logs, work}
        described = self.org.describe_account(AccountId=logs)["Account"]
        assert (described["Name"], described["Email"]) == ("logs", "logs@example.com")
        assert (described["Status"], described["State"]) == ("ACTIVE", "ACTIVE")
        assert described["JoinedMethod"] == "CREATED"
        assert described["Arn"] == f"arn:aws:organizations::{ACCOUNT}:account/{self.accounts.id}/{logs}"
        assert described["Paths"] == [f"{self.accounts.id}/{self.root()['Id']}/{logs}/"]
        again = self.org.create_account(Email="logs@example.com", AccountName="x")["CreateAccountStatus"]
        failed = self.org.describe_create_account_status(CreateAccountRequestId=again["Id"])["CreateAccountStatus"]
        assert (failed["State"], failed["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
        done = self.org.list_create_account_status(States=["SUCCEEDED"])["CreateAccountStatuses"]
        assert {status["AccountId"] for status in done} == {logs, work}
        assert code(self.org.describe_account, AccountId="999999999999") == "AccountNotFoundException"
        assert code(self.org.describe_create_account_status, CreateAccountRequestId="car-" + "0" * 32) == (
            "CreateAccountStatusNotFoundException")

    def test_the_making_of_accounts_is_in_the_record_without_names_and_addresses(self):
        asked = looked_up(self.server, "CreateAccount", count=3)
        for record in asked:
            assert record["requestParameters"]["email"] == "****"
            assert record["requestParameters"]["accountName"] == "****"
            assert record["responseElements"]["createAccountStatus"]["state"] == "IN_PROGRESS"
            assert record["recipientAccountId"] == ACCOUNT
        results = [it["createAccountStatus"] for it in service_event(self.server, "CreateAccountResult", 3)]
        assert sorted(it["state"] for it in results) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
        made = {it["accountId"] for it in results if it["state"] == "SUCCEEDED"}
        assert made == {self.accounts.ids["logs"], self.accounts.ids["work"]}
        assert "example.com" not in json.dumps(asked + results)

    def test_a_person_of_the_management_account_acts_in_a_member(self):
        who = self.accounts.aws("logs", "sts", "get-caller-identity")
        assert who["Account"] == self.accounts.ids["logs"]
        assert who["Arn"].endswith(f":assumed-role/{ADMINISTRATION}/story")
        described = self.accounts.aws("logs", "organizations", "describe-organization")
        assert described["Organization"]["MasterAccountId"] == ACCOUNT

    def test_units_are_made_and_accounts_moved(self):
        root, logs = self.root()["Id"], self.accounts.ids["logs"]
        unit = self.server.aws("organizations", "create-organizational-unit", "--parent-id", root,
                               "--name", "Security")["OrganizationalUnit"]
        type(self).unit = unit["Id"]
        assert unit["Path"] == f"{self.accounts.id}/{root}/{unit['Id']}/"
        duplicate = dict(ParentId=root, Name="Security")
        assert code(self.org.create_organizational_unit, **duplicate) == "DuplicateOrganizationalUnitException"
        inner = self.org.create_organizational_unit(ParentId=unit["Id"], Name="Old")["OrganizationalUnit"]["Id"]
        renamed = self.org.update_organizational_unit(OrganizationalUnitId=inner, Name="Logging")
        assert renamed["OrganizationalUnit"]["Name"] == "Logging"
        self.server.aws("organizations", "move-account", "--account-id", logs, "--source-parent-id", root,
                        "--destination-parent-id", inner)
        parents = self.server.aws("organizations", "list-parents", "--child-id", logs)["Parents"]
        assert parents == [{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}]
        moving = dict(AccountId=logs, SourceParentId=root, DestinationParentId=unit["Id"])
        assert code(self.org.move_account, **moving) == "SourceParentNotFoundException"
        assert code(self.org.delete_organizational_unit, OrganizationalUnitId=inner) == (
            "OrganizationalUnitNotEmptyException")
        children = self.org.list_children(ParentId=unit["Id"], ChildType="ORGANIZATIONAL_UNIT")["Children"]
        assert children == [{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}]
        assert [it["Id"] for it in self.org.list_accounts_for_parent(ParentId=inner)["Accounts"]] == [logs]
        units = self.org.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
        assert [it["Name"] for it in units] == ["Security"]
        self.org.move_account(AccountId=logs, SourceParentId=inner, DestinationParentId=unit["Id"])
        self.org.delete_organizational_unit(OrganizationalUnitId=inner)
        assert code(self.org.describe_organizational_unit, OrganizationalUnitId=inner) == (
            "OrganizationalUnitNotFoundException")

    def test_units_nest_five_deep(self):
        parent = self.root()["Id"]
        made = []
        for level in range(1, 6):
            parent = self.org.create_organizational_unit(ParentId=parent, Name=f"level {level}")
            parent = parent["OrganizationalUnit"]["Id"]
            made.insert(0, parent)
        assert reason(self.org.create_organizational_unit, ParentId=parent, Name="level 6") == (
            "ConstraintViolationException", "OU_DEPTH_LIMIT_EXCEEDED")
        for unit in made:
            self.org.delete_organizational_unit(OrganizationalUnitId=unit)

    def test_members_may_little_in_organizations(self):
        member = self.accounts.client("work", "organizations")
        root = self.root()["Id"]
        for call, arguments in [
            (member.list_accounts, {}),
            (member.list_roots, {}),
            (member.create_organizational_unit, {"ParentId": root, "Name": "Mine"}),
            (member.disable_policy_type, {"RootId": root, "PolicyType": SCP}),
            (member.attach_policy, {"PolicyId": FULL, "TargetId": root}),
            (member.close_account, {"AccountId": self.accounts.ids["logs"]}),
            (member.create_account, {"Email": "mine@example.com", "AccountName": "mine"}),
            (member.enable_aws_service_access, {"ServicePrincipal": TRUSTED}),
            (member.delete_organization, {}),
        ]:
            assert code(call, **arguments) == "AccessDeniedException", call
        assert member.list_handshakes_for_account()["Handshakes"] == []
        # In the management account policies decide.
        _, reader = person(self.server.client("iam"), allow("organizations:List*"))
        limited = self.server.client("organizations", **reader)
        assert limited.list_roots()["Roots"][0]["Id"] == root
        refusal, message = refused(limited.create_account, Email="mine@example.com", AccountName="mine")
        assert refusal == "AccessDeniedException" and "organizations:CreateAccount" in message

    def test_a_policy_keeps_trails_from_a_members_administrators(self):
        management = self.server.client("cloudtrail")
        made = self.server.aws("organizations", "create-policy", "--type", SCP, "--name", "KeepTrails",
                               "--description", "Nobody stops a trail", "--content", KEEP_TRAILS)["Policy"]
        type(self).policy = made["PolicySummary"]["Id"]
        assert json.loads(made["Content"]) == json.loads(KEEP_TRAILS)
        trail = self.make_trail_in_member("logs")
        member = self.accounts.client("logs", "cloudtrail")
        member.stop_logging(Name=trail)
        member.start_logging(Name=trail)
        self.server.aws("organizations", "attach-policy", "--policy-id", self.policy, "--target-id", self.unit)
        arn = f"arn:aws:cloudtrail:{REGION}:{self.accounts.ids['logs']}:trail/{trail}"
        for call, arguments in [
            (member.stop_logging, {"Name": trail}),
            (member.delete_trail, {"Name": trail}),
            (member.update_trail, {"Name": trail, "S3BucketName": "another-bucket"}),
        ]:
            refusal, message = refused(call, **arguments)
            assert refusal == "AccessDeniedException"
            assert "with an explicit deny in a service control policy" in message, message
            assert arn in message
        # What the policy denies in S3 it denies there too; what it does not name goes on.
        s3 = self.accounts.client("logs", "s3")
        bucket = self.member_bucket
        s3.put_object(Bucket=bucket, Key="evidence", Body=b"x")
        assert refused(s3.delete_object, Bucket=bucket, Key="evidence")[0] == "AccessDenied"
        assert member.get_trail_status(Name=trail)["IsLogging"]
        # The management account, and accounts outside the unit, are not bound.
        assert code(management.stop_logging, Name="none") == "TrailNotFoundException"
        other = self.make_trail_in_member("work")
        self.accounts.client("work", "cloudtrail").stop_logging(Name=other)
        # The management account gives the member no way round, and the refusals are in the member's record.
        attempts = [it for it in eventually(lambda: self.member_records("logs", "StopLogging", 2))
                    if it.get("errorCode") == "AccessDenied"]
        assert "service control policy" in attempts[0]["errorMessage"]

    def make_trail_in_member(self, account):
        bucket, trail = f"trail-{fresh('of')}", fresh("trail")
        owner = self.accounts.ids[account]
        s3 = self.accounts.client(account, "s3")
        s3.create_bucket(Bucket=bucket)
        service = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
        s3.put_bucket_policy(Bucket=bucket, Policy=policy(
            {**service, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}"},
            {**service, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/AWSLogs/{owner}/*"},
        ))
        cloudtrail = self.accounts.client(account, "cloudtrail")
        cloudtrail.create_trail(Name=trail, S3BucketName=bucket)
        cloudtrail.start_logging(Name=trail)
        type(self).member_bucket = bucket
        return trail

    def member_records(self, account, name, count):
        found = self.accounts.client(account, "cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])["Events"]
        return [json.loads(event["CloudTrailEvent"]) for event in found] if len(found) >= count else None

    def test_lists_of_policies_and_targets(self):
        for_unit = self.org.list_policies_for_target(TargetId=self.unit, Filter=SCP)["Policies"]
        assert {it["Id"] for it in for_unit} == {FULL, self.policy}
        targets = self.server.aws("organizations", "list-targets-for-policy", "--policy-id", self.policy)["Targets"]
        assert [(it["TargetId"], it["Type"], it["Name"]) for it in targets] == [
            (self.unit, "ORGANIZATIONAL_UNIT", "Security")]
        everywhere = self.org.list_targets_for_policy(PolicyId=FULL)["Targets"]
        assert len(everywhere) == 5, "the root, the unit and three accounts"
        listed = self.org.list_policies(Filter=SCP)["Policies"]
        assert {it["Id"]: it["AwsManaged"] for it in listed} == {FULL: True, self.policy: False}
        assert self.org.list_policies(Filter="TAG_POLICY")["Policies"] == []
        full = self.org.describe_policy(PolicyId=FULL)["Policy"]["PolicySummary"]
        assert full["Arn"] == "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"

    def test_policies_are_held_to_their_limits(self):
        new = dict(Description="", Type=SCP)
        malformed = dict(new, Name="x", Content='{"Version":"2012-10-17"}')
        assert code(self.org.create_policy, **malformed) == "MalformedPolicyDocumentException"
        long = dict(new, Name="x", Content=policy(deny("s3:*", "arn:aws:s3:::" + "x" * 5_120)))
        assert reason(self.org.create_policy, **long) == (
            "ConstraintViolationException", "POLICY_CONTENT_LIMIT_EXCEEDED")
        twice = dict(new, Name="KeepTrails", Content=KEEP_TRAILS)
        assert code(self.org.create_policy, **twice) == "DuplicatePolicyException"
        other = dict(new, Name="x", Content="{}", Type="TAG_POLICY")
        assert code(self.org.create_policy, **other) == "PolicyTypeNotAvailableForOrganizationException"
        assert reason(self.org.update_policy, PolicyId=FULL, Name="Mine") == (
            "InvalidInputException", "IMMUTABLE_POLICY")
        assert code(self.org.delete_policy, PolicyId=self.policy) == "PolicyInUseException"
        last = dict(PolicyId=FULL, TargetId=self.accounts.ids["work"])
        assert reason(self.org.detach_policy, **last) == (
            "ConstraintViolationException", "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
        attached = dict(PolicyId=self.policy, TargetId=self.unit)
        assert code(self.org.attach_policy, **attached) == "DuplicatePolicyAttachmentException"
        assert code(self.org.attach_policy, PolicyId="p-none123456", TargetId=self.unit) == "PolicyNotFoundException"

    def test_services_and_their_administrators(self):
        logs = self.accounts.ids["logs"]
        delegating = dict(AccountId=logs, ServicePrincipal=TRUSTED)
        assert reason(self.org.register_delegated_administrator, **delegating) == (
            "ConstraintViolationException", "SERVICE_ACCESS_NOT_ENABLED")
        assert reason(self.org.enable_aws_service_access, ServicePrincipal="ec2.amazonaws.com") == (
            "InvalidInputException", "UNRECOGNIZED_SERVICE_PRINCIPAL")
        self.accounts.trust_cloudtrail()
        enabled = self.server.aws("organizations", "list-aws-service-access-for-organization")
        assert [it["ServicePrincipal"] for it in enabled["EnabledServicePrincipals"]] == [TRUSTED]
        self.org.register_delegated_administrator(**delegating)
        assert code(self.org.register_delegated_administrator, **delegating) == "AccountAlreadyRegisteredException"
        administrators = self.org.list_delegated_administrators(ServicePrincipal=TRUSTED)["DelegatedAdministrators"]
        assert [it["Id"] for it in administrators] == [logs]
        services = self.org.list_delegated_services_for_account(AccountId=logs)["DelegatedServices"]
        assert [it["ServicePrincipal"] for it in services] == [TRUSTED]
        # An administrator of a service reads the organization, and changes nothing.
        member = self.accounts.client("logs", "organizations")
        assert len(member.list_accounts()["Accounts"]) == 3
        assert code(member.create_organizational_unit, ParentId=self.root()["Id"], Name="x") == (
            "AccessDeniedException")
        assert reason(self.org.remove_account_from_organization, AccountId=logs) == (
            "ConstraintViolationException", "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG")
        self.org.deregister_delegated_administrator(**delegating)
        assert code(self.org.deregister_delegated_administrator, **delegating) == "AccountNotRegisteredException"
        assert code(member.list_accounts) == "AccessDeniedException"

    def test_the_resource_policy_lets_a_member_read_policies(self):
        logs = self.accounts.ids["logs"]
        assert code(self.org.describe_resource_policy) == "ResourcePolicyNotFoundException"
        member = self.accounts.client("logs", "organizations")
        statement = {
            "Sid": "Read", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{logs}:root"},
            "Action": ["organizations:ListPolicies", "organizations:DescribePolicy"], "Resource": "*",
        }
        put = self.org.put_resource_policy(Content=policy(statement))["ResourcePolicy"]
        assert put["ResourcePolicySummary"]["Id"].startswith("rp-")
        assert len(member.list_policies(Filter=SCP)["Policies"]) == 2
        assert code(member.list_accounts) == "AccessDeniedException"
        assert code(self.accounts.client("work", "organizations").list_policies, Filter=SCP) == (
            "AccessDeniedException")
        bad = policy({**statement, "Action": "organizations:LeaveOrganization"})
        assert reason(self.org.put_resource_policy, Content=bad) == (
            "InvalidInputException", "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY")
        self.org.delete_resource_policy()
        assert code(member.list_policies, Filter=SCP) == "AccessDeniedException"

    def test_a_member_attaches_policies_only_to_what_the_resource_policy_names(self):
        logs, ours = self.accounts.ids["logs"], f"arn:aws:organizations::{ACCOUNT}"
        self.org.put_resource_policy(Content=policy({
            "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{logs}:root"},
            "Action": ["organizations:AttachPolicy", "organizations:DetachPolicy"],
            "Resource": [f"{ours}:policy/{self.accounts.id}/service_control_policy/*",
                         f"{ours}:ou/{self.accounts.id}/{self.unit}"],
        }))
        extra = self.org.create_policy(Content=policy(deny("glacier:*")), Name="Extra", Description="", Type=SCP)
        extra = extra["Policy"]["PolicySummary"]["Id"]
        member = self.accounts.client("logs", "organizations")
        for target in [self.root()["Id"], logs, self.accounts.ids["work"]]:
            assert code(member.attach_policy, PolicyId=extra, TargetId=target) == "AccessDeniedException", target
        member.attach_policy(PolicyId=extra, TargetId=self.unit)
        member.detach_policy(PolicyId=extra, TargetId=self.unit)
        self.org.delete_policy(PolicyId=extra)
        self.org.delete_resource_policy()

    def test_tags(self):
        for id in [self.root()["Id"], self.unit, self.policy, self.accounts.ids["logs"]]:
            self.org.tag_resource(ResourceId=id, Tags=[{"Key": "team", "Value": "a"}, {"Key": "env", "Value": "x"}])
            self.org.tag_resource(ResourceId=id, Tags=[{"Key": "team", "Value": "security"}])
            self.org.untag_resource(ResourceId=id, TagKeys=["env"])
            assert self.org.list_tags_for_resource(ResourceId=id)["Tags"] == [{"Key": "team", "Value": "security"}]
        # Policies tell what has a tag from what has not.
        tagged = {"StringEquals": {"aws:ResourceTag/team": "security"}}
        _, own = person(self.server.client("iam"), allow("organizations:*"),
                        deny("organizations:MoveAccount", condition=tagged))
        limited = self.server.client("organizations", **own)
        root, unit = self.root()["Id"], self.unit
        refusal, message = refused(limited.move_account, AccountId=self.accounts.ids["logs"],
                                   SourceParentId=unit, DestinationParentId=root)
        assert refusal == "AccessDeniedException" and "explicit deny in an identity-based policy" in message
        twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
        assert reason(self.org.tag_resource, ResourceId=self.unit, Tags=twice) == (
            "InvalidInputException", "DUPLICATE_TAG_KEY")
        assert code(self.org.list_tags_for_resource, ResourceId="999999999999") == "TargetNotFoundException"

    def test_lists_come_in_pages(self):
        pages = list(self.org.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1}))
        assert len(pages) == 3 and all(len(page["Accounts"]) == 1 for page in pages)
        assert len({page["Accounts"][0]["Id"] for page in pages}) == 3
        assert reason(self.org.list_accounts, NextToken="!") == ("InvalidInputException", "INVALID_NEXT_TOKEN")

    def test_what_is_not_built_says_so(self):
        new = dict(Email="gov@example.com", AccountName="gov")
        assert code(self.org.create_gov_cloud_account, **new) == "UnsupportedOperationException"
        assert code(self.org.describe_effective_policy, PolicyType="TAG_POLICY") == "UnsupportedOperationException"

    def test_everything_survives_a_restart(self):
        before = self.server.aws("organizations", "list-accounts")
        self.server.stop()
        self.server.start()
        assert self.server.aws("organizations", "list-accounts") == before
        member = self.accounts.client("logs", "cloudtrail")
        trail = member.describe_trails()["trailList"][0]["Name"]
        assert "service control policy" in refused(member.stop_logging, Name=trail)[1]

    def test_an_account_leaves_and_is_invited_back(self):
        work = self.accounts.ids["work"]
        self.server.aws("organizations", "remove-account-from-organization", "--account-id", work)
        member = self.accounts.client("work", "organizations")
        assert code(member.describe_organization) == "AWSOrganizationsNotInUseException"
        assert service_event(self.server, "AccountDepartedOrganization")[0]["departureMethod"] == "REMOVED"
        sent = self.server.aws("organizations", "invite-account-to-organization", "--target",
                               f"Type=ACCOUNT,Id={work}", "--notes", "Come back")["Handshake"]
        assert (sent["State"], sent["Action"]) == ("OPEN", "INVITE")
        assert {party["Type"]: party["Id"] for party in sent["Parties"]} == {
            "ORGANIZATION": self.accounts.id, "ACCOUNT": work}
        target = {"Type": "ACCOUNT", "Id": work}
        assert code(self.org.invite_account_to_organization, Target=target) == "DuplicateHandshakeException"
        seen = member.list_handshakes_for_account()["Handshakes"]
        assert [it["Id"] for it in seen] == [sent["Id"]]
        assert member.decline_handshake(HandshakeId=sent["Id"])["Handshake"]["State"] == "DECLINED"
        assert code(member.accept_handshake, HandshakeId=sent["Id"]) == "InvalidHandshakeTransitionException"
        by_address = self.org.invite_account_to_organization(Target={"Type": "EMAIL", "Id": "work@example.com"})
        canceled = self.org.cancel_handshake(HandshakeId=by_address["Handshake"]["Id"])["Handshake"]
        assert canceled["State"] == "CANCELED"
        sent = self.org.invite_account_to_organization(Target=target)["Handshake"]
        accepted = self.accounts.aws("work", "organizations", "accept-handshake", "--handshake-id", sent["Id"])
        assert accepted["Handshake"]["State"] == "ACCEPTED"
        assert member.describe_organization()["Organization"]["Id"] == self.accounts.id
        joined = self.org.describe_account(AccountId=work)["Account"]
        assert joined["JoinedMethod"] == "INVITED"
        unknown = {"Type": "ACCOUNT", "Id": "999999999999"}
        assert code(self.org.invite_account_to_organization, Target=unknown) == "InvalidInputException"
        states = [it["State"] for it in self.org.list_handshakes_for_organization()["Handshakes"]]
        assert sorted(states) == ["ACCEPTED", "CANCELED", "DECLINED"]
        member.leave_organization()
        assert service_event(self.server, "AccountDepartedOrganization", 2)[0]["departureMethod"] == "LEFT"

    def test_a_closed_account_lets_nobody_in(self):
        logs = self.accounts.ids["logs"]
        member = self.accounts.client("logs", "sts")
        assert member.get_caller_identity()["Account"] == logs
        self.server.aws("organizations", "close-account", "--account-id", logs)
        assert self.org.describe_account(AccountId=logs)["Account"]["Status"] == "SUSPENDED"
        assert code(self.org.close_account, AccountId=logs) == "AccountAlreadyClosedException"
        assert code(member.get_caller_identity) == "InvalidClientTokenId"
        sts = self.server.client("sts", **self.accounts.admin)
        role = f"arn:aws:iam::{logs}:role/{ADMINISTRATION}"
        assert code(sts.assume_role, RoleArn=role, RoleSessionName="again") == "AccessDenied"
        assert reason(self.org.close_account, AccountId=ACCOUNT) == (
            "ConstraintViolationException", "CANNOT_CLOSE_MANAGEMENT_ACCOUNT")
        closed = service_event(self.server, "CloseAccountResult")[0]["closeAccountStatus"]
        assert closed["accountId"] == logs and closed["state"] == "SUCCEEDED"
        assert code(self.org.delete_organization) == "OrganizationNotEmptyException"


def test_consolidated_billing_becomes_all_features(server):
    org = server.client("organizations")
    made = org.create_organization(FeatureSet="CONSOLIDATED_BILLING")["Organization"]
    assert made["FeatureSet"] == "CONSOLIDATED_BILLING"
    root = org.list_roots()["Roots"][0]
    assert root["PolicyTypes"] == []
    enabling = dict(RootId=root["Id"], PolicyType=SCP)
    assert code(org.enable_policy_type, **enabling) == "PolicyTypeNotAvailableForOrganizationException"
    asked = org.enable_all_features()["Handshake"]
    assert asked["Action"] == "ENABLE_ALL_FEATURES"
    assert reason(org.enable_all_features) == (
        "HandshakeConstraintViolationException", "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION")
    assert org.accept_handshake(HandshakeId=asked["Id"])["Handshake"]["State"] == "ACCEPTED"
    assert org.describe_organization()["Organization"]["FeatureSet"] == "ALL"
    assert code(org.enable_policy_type, **enabling) == "PolicyTypeAlreadyEnabledException"
    disabled = org.disable_policy_type(**enabling)["Root"]
    assert disabled["PolicyTypes"] == []
    assert code(org.disable_policy_type, **enabling) == "PolicyTypeNotEnabledException"
    assert org.list_policies_for_target(TargetId=root["Id"], Filter=SCP)["Policies"] == []
    org.enable_policy_type(**enabling)
    attached = org.list_policies_for_target(TargetId=root["Id"], Filter=SCP)["Policies"]
    assert [it["Id"] for it in attached] == [FULL]
    org.delete_organization()
    assert code(org.describe_organization) == "AWSOrganizationsNotInUseException"
    assert org.create_organization()["Organization"]["Id"] != made["Id"]


def test_the_root_of_a_member_is_bound_too(server):
    accounts = Accounts(server)
    other, s3 = accounts.make("other"), server.client("s3")
    bucket = fresh("kept")
    s3.create_bucket(Bucket=bucket)
    shut = policy({**deny("s3:*", f"arn:aws:s3:::{bucket}"), "Principal": "*"})
    s3.put_bucket_policy(Bucket=bucket, Policy=shut)
    # The account that was made takes over, and invites the one that made it.
    org, theirs = server.client("organizations"), accounts.client("other", "organizations")
    org.remove_account_from_organization(AccountId=other)
    org.delete_organization()
    theirs.create_organization()
    sent = theirs.invite_account_to_organization(Target={"Type": "ACCOUNT", "Id": ACCOUNT})["Handshake"]
    org.accept_handshake(HandshakeId=sent["Id"])
    # A bucket's root may change its policy whatever that says, but not what the organization says.
    s3.put_bucket_policy(Bucket=bucket, Policy=shut)
    able = json.loads(server.opentrail("who-can", "s3:DeleteBucketPolicy", bucket, "--output", "json"))["Able"]
    assert f"arn:aws:iam::{ACCOUNT}:root" in [one["Principal"] for one in able]
    keep = deny(["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"])
    made = theirs.create_policy(Content=policy(keep), Name="Keep", Description="", Type=SCP)["Policy"]
    theirs.attach_policy(PolicyId=made["PolicySummary"]["Id"], TargetId=ACCOUNT)
    for refusal, message in [refused(s3.put_bucket_policy, Bucket=bucket, Policy=shut),
                             refused(s3.delete_bucket_policy, Bucket=bucket)]:
        assert refusal == "AccessDenied" and "explicit deny in a service control policy" in message, message
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == shut
    able = json.loads(server.opentrail("who-can", "s3:DeleteBucketPolicy", bucket, "--output", "json"))["Able"]
    assert f"arn:aws:iam::{ACCOUNT}:root" not in [one["Principal"] for one in able]
