"""Who calls and what they may, with boto3 and the real AWS CLI."""

import datetime
import json

import pytest

from identity import (
    EVERYTHING, allow, code, deny, fresh, looked_up, managed, person, policy, refused, session, trust, user_arn,
)
from server import ACCOUNT, ROOT_KEY, ROOT_SECRET, eventually
from trail import delivered, make_trail


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


def test_a_user_from_its_creation_to_its_end(iam):
    name, other = fresh("user"), fresh("user")
    made = iam.create_user(UserName=name, Path="/team/", Tags=[{"Key": "team", "Value": "blue"}])["User"]
    assert made["Arn"] == user_arn(name, "/team/") and made["UserId"].startswith("AIDA")
    assert iam.get_user(UserName=name)["User"] == made
    assert [u["UserName"] for u in iam.list_users(PathPrefix="/team/")["Users"]] == [name]

    iam.update_user(UserName=name, NewUserName=other, NewPath="/")
    assert code(iam.get_user, UserName=name) == "NoSuchEntity"
    renamed = iam.get_user(UserName=other)["User"]
    assert (renamed["UserId"], renamed["Arn"]) == (made["UserId"], user_arn(other))

    iam.tag_user(UserName=other, Tags=[{"Key": "level", "Value": "3"}, {"Key": "team", "Value": "red"}])
    first = iam.list_user_tags(UserName=other, MaxItems=1)
    rest = iam.list_user_tags(UserName=other, Marker=first["Marker"])
    assert first["Tags"] + rest["Tags"] == [{"Key": "team", "Value": "red"}, {"Key": "level", "Value": "3"}]
    assert first["IsTruncated"] and not rest["IsTruncated"]
    iam.untag_user(UserName=other, TagKeys=["team", "level"])
    assert iam.list_user_tags(UserName=other)["Tags"] == []

    iam.delete_user(UserName=other)
    assert code(iam.get_user, UserName=other) == "NoSuchEntity"


def test_an_access_key_works_until_it_is_inactive_or_deleted(shared_server, iam):
    name, own = person(iam)
    key = own["key"]
    sts = shared_server.client("sts", **own)
    assert sts.get_caller_identity()["Arn"] == user_arn(name)
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [(k["AccessKeyId"], k["Status"], k["UserName"]) for k in listed] == [(key, "Active", name)]
    used = iam.get_access_key_last_used(AccessKeyId=key)
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == (name, "sts")

    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    assert code(sts.get_caller_identity) == "InvalidClientTokenId"
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Active")
    assert sts.get_caller_identity()["UserId"].startswith("AIDA")
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    assert code(sts.get_caller_identity) == "InvalidClientTokenId"
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []
    assert code(iam.get_access_key_last_used, AccessKeyId=key) == "AccessDenied"


def test_credentials_that_do_not_hold(shared_server, iam):
    _, own = person(iam)
    wrong = shared_server.client("sts", key=own["key"], secret="x" * 40)
    assert code(wrong.get_caller_identity) == "SignatureDoesNotMatch"
    unknown = shared_server.client("sts", key="AKIAAAAAAAAAAAAAAAAA", secret="x" * 40)
    assert code(unknown.get_caller_identity) == "InvalidClientTokenId"
    with_token = shared_server.client("sts", **own, token="not-a-token")
    assert code(with_token.get_caller_identity) == "InvalidClientTokenId"
    attempts = looked_up(shared_server, own["key"], key="AccessKeyId", count=2)
    assert {attempt["errorCode"] for attempt in attempts} == {"SignatureDoesNotMatch", "InvalidClientTokenId"}


def test_without_a_name_key_operations_are_about_the_caller(shared_server, iam):
    name, own = person(iam, allow("iam:*AccessKey*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    mine = shared_server.client("iam", **own)
    second = mine.create_access_key()["AccessKey"]
    assert second["UserName"] == name
    assert {k["AccessKeyId"] for k in mine.list_access_keys()["AccessKeyMetadata"]} == {own["key"], second["AccessKeyId"]}
    mine.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    mine.delete_access_key(AccessKeyId=second["AccessKeyId"])
    other, _ = person(iam)
    assert code(mine.create_access_key, UserName=other) == "AccessDenied"


def test_the_root_may_everything_and_has_keys_of_its_own(shared_server, iam):
    identity = shared_server.client("sts").get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    assert ROOT_KEY in {k["AccessKeyId"] for k in iam.list_access_keys()["AccessKeyMetadata"]}
    key = iam.create_access_key()["AccessKey"]
    own = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    assert shared_server.client("sts", **own).get_caller_identity()["Arn"].endswith(":root")
    iam.delete_access_key(AccessKeyId=key["AccessKeyId"])
    assert iam.get_account_summary()["SummaryMap"]["AccessKeysPerUserQuota"] == 2
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_nothing_is_allowed_by_default(shared_server, iam):
    name, own = person(iam)
    error, message = refused(shared_server.client("iam", **own).list_users)
    assert error == "AccessDenied"
    assert message.startswith(f"User: {user_arn(name)} is not authorized to perform: iam:ListUsers")
    record = looked_up(shared_server, name, key="Username")[0]
    assert (record["eventName"], record["errorCode"]) == ("ListUsers", "AccessDenied")
    assert record["errorMessage"] == message


def test_inline_attached_and_group_policies_allow_and_a_denial_wins(shared_server, iam):
    name, own = person(iam)
    mine = shared_server.client("iam", **own)
    group, arn = fresh("group"), managed(iam, allow("iam:ListUsers"))

    iam.put_user_policy(UserName=name, PolicyName="see", PolicyDocument=policy(allow("iam:ListUsers")))
    assert mine.list_users()["Users"]
    iam.delete_user_policy(UserName=name, PolicyName="see")
    assert code(mine.list_users) == "AccessDenied"

    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    assert mine.list_users()["Users"]
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    assert code(mine.list_users) == "AccessDenied"

    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)
    iam.put_group_policy(GroupName=group, PolicyName="see", PolicyDocument=policy(allow("iam:List*")))
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    assert mine.list_users()["Users"]
    iam.put_user_policy(UserName=name, PolicyName="not", PolicyDocument=policy(deny("iam:ListUsers")))
    error, message = refused(mine.list_users)
    assert error == "AccessDenied" and "explicit deny" in message
    assert mine.list_groups()["Groups"]
    iam.delete_user_policy(UserName=name, PolicyName="not")
    iam.remove_user_from_group(GroupName=group, UserName=name)
    assert code(mine.list_users) == "AccessDenied"


def test_conditions_and_variables_are_about_the_call(shared_server, iam):
    self_care = allow(["iam:GetUser", "iam:TagUser"], "arn:aws:iam::*:user/${aws:username}")
    colours = deny("iam:TagUser", condition={"StringNotEquals": {"aws:RequestTag/colour": ["blue", "red"]}})
    other_place = allow("iam:ListRoles", condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
    here = allow("iam:ListGroups", condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
    name, own = person(iam, self_care, colours, other_place, here)
    mine = shared_server.client("iam", **own)
    assert mine.get_user()["User"]["UserName"] == name
    other, _ = person(iam)
    assert code(mine.get_user, UserName=other) == "AccessDenied"
    mine.tag_user(UserName=name, Tags=[{"Key": "colour", "Value": "blue"}])
    assert code(mine.tag_user, UserName=name, Tags=[{"Key": "colour", "Value": "green"}]) == "AccessDenied"
    assert code(mine.list_roles) == "AccessDenied"
    mine.list_groups()


def test_who_attaches_may_be_held_to_one_policy(shared_server, iam):
    harmless, mighty = managed(iam, allow("iam:ListUsers")), managed(iam, EVERYTHING)
    only = {"ArnEquals": {"iam:PolicyARN": harmless}}
    name, own = person(iam, allow(["iam:AttachUserPolicy", "iam:DetachUserPolicy"], condition=only))
    mine = shared_server.client("iam", **own)
    mine.attach_user_policy(UserName=name, PolicyArn=harmless)
    assert code(mine.attach_user_policy, UserName=name, PolicyArn=mighty) == "AccessDenied"
    assert iam.list_attached_user_policies(UserName=name)["AttachedPolicies"] == [
        {"PolicyName": harmless.rsplit("/", 1)[1], "PolicyArn": harmless}
    ]


def test_tags_on_creation_need_the_permission_to_tag(shared_server, iam):
    _, own = person(iam, allow(["iam:CreateUser", "iam:CreateRole", "iam:CreatePolicy"]))
    mine, tags = shared_server.client("iam", **own), [{"Key": "k", "Value": "v"}]
    mine.create_user(UserName=fresh("untagged"))
    error, message = refused(mine.create_user, UserName=fresh("tagged"), Tags=tags)
    assert error == "AccessDenied" and "iam:TagUser" in message
    document = trust({"AWS": ACCOUNT})
    assert "iam:TagRole" in refused(
        mine.create_role, RoleName=fresh("role"), AssumeRolePolicyDocument=document, Tags=tags
    )[1]
    assert "iam:TagPolicy" in refused(
        mine.create_policy, PolicyName=fresh("policy"), PolicyDocument=policy(EVERYTHING), Tags=tags
    )[1]


def test_renaming_needs_permission_for_the_old_and_the_new(shared_server, iam):
    _, own = person(iam, allow("iam:UpdateUser", user_arn("temp-*")), deny("iam:UpdateUser", user_arn("temp-admin")))
    mine = shared_server.client("iam", **own)
    iam.create_user(UserName="temp-1")
    assert code(mine.update_user, UserName="temp-1", NewUserName="admin") == "AccessDenied"
    assert code(mine.update_user, UserName="temp-1", NewUserName="temp-admin") == "AccessDenied"
    mine.update_user(UserName="temp-1", NewUserName="temp-2")


def test_a_boundary_bounds(shared_server, iam):
    name, own = person(iam, EVERYTHING)
    mine, bound = shared_server.client("iam", **own), managed(iam, allow("iam:ListUsers"))
    mine.list_roles()
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=bound)
    assert iam.get_user(UserName=name)["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == bound
    mine.list_users()
    assert "permissions boundary" in refused(mine.list_roles)[1]
    assert code(iam.delete_policy, PolicyArn=bound) == "DeleteConflict"
    used = iam.list_entities_for_policy(PolicyArn=bound, PolicyUsageFilter="PermissionsBoundary")
    assert [u["UserName"] for u in used["PolicyUsers"]] == [name]
    iam.delete_user_permissions_boundary(UserName=name)
    mine.list_roles()
    assert code(iam.delete_user_permissions_boundary, UserName=name) == "NoSuchEntity"


def test_a_role_is_assumed_by_whom_it_trusts(shared_server, iam):
    role, outsider = fresh("role"), person(iam, allow("sts:AssumeRole"))
    name, own = person(iam)
    made = iam.create_role(
        RoleName=role, AssumeRolePolicyDocument=trust(
            {"AWS": user_arn(name)}, {"StringEquals": {"sts:ExternalId": "shared-word"}}
        ),
        Description="reads users", MaxSessionDuration=7200, Tags=[{"Key": "team", "Value": "blue"}],
    )["Role"]
    assert made["RoleId"].startswith("AROA") and made["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"
    iam.put_role_policy(RoleName=role, PolicyName="see", PolicyDocument=policy(allow(["iam:ListUsers", "iam:ListRoles"])))
    sts, ask = shared_server.client("sts", **own), {"RoleArn": made["Arn"], "RoleSessionName": "morning"}
    assert code(sts.assume_role, **ask) == "AccessDenied"
    assert code(sts.assume_role, **ask, ExternalId="another-word") == "AccessDenied"
    assert code(shared_server.client("sts", **outsider[1]).assume_role, **ask, ExternalId="shared-word") == "AccessDenied"
    assert code(sts.assume_role, **ask, ExternalId="shared-word", DurationSeconds=7201) == "ValidationError"

    assumed = sts.assume_role(**ask, ExternalId="shared-word")
    assert assumed["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/morning"
    left = assumed["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 3500 < left.total_seconds() <= 3601
    inside = shared_server.client("iam", **session(assumed["Credentials"]))
    inside.list_users()
    assert code(inside.list_groups) == "AccessDenied"
    assert code(inside.get_user) == "ValidationError"

    record = looked_up(shared_server, assumed["Credentials"]["AccessKeyId"], key="AccessKeyId", count=3)[0]
    who = record["userIdentity"]
    assert (who["type"], who["arn"]) == ("AssumedRole", assumed["AssumedRoleUser"]["Arn"])
    issuer = who["sessionContext"]["sessionIssuer"]
    assert (issuer["type"], issuer["arn"], issuer["userName"]) == ("Role", made["Arn"], role)
    assert who["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"

    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust({"AWS": user_arn(outsider[0])}))
    assert code(sts.assume_role, **ask, ExternalId="shared-word") == "AccessDenied"
    shared_server.client("sts", **outsider[1]).assume_role(**ask)


def test_a_session_policy_narrows(shared_server, iam):
    name, own = person(iam)
    role = iam.create_role(RoleName=fresh("role"), AssumeRolePolicyDocument=trust({"AWS": user_arn(name)}))["Role"]
    iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    sts = shared_server.client("sts", **own)
    ask = {"RoleArn": role["Arn"], "RoleSessionName": "narrow"}
    narrow = sts.assume_role(**ask, Policy=policy(allow("iam:ListUsers"), allow("s3:*")))
    inside = shared_server.client("iam", **session(narrow["Credentials"]))
    inside.list_users()
    assert "session policy" in refused(inside.list_roles)[1]
    by_arn = sts.assume_role(**ask, PolicyArns=[{"arn": managed(iam, allow("iam:ListRoles"))}])
    inside = shared_server.client("iam", **session(by_arn["Credentials"]))
    inside.list_roles()
    assert code(inside.list_users) == "AccessDenied"
    assert code(shared_server.client("sts").assume_role, **ask) == "AccessDenied"


def test_a_session_of_ones_own(shared_server, iam):
    name, own = person(iam, allow("iam:ListUsers"))
    credentials = shared_server.client("sts", **own).get_session_token(DurationSeconds=900)["Credentials"]
    who = session(credentials)
    assert shared_server.client("sts", **who).get_caller_identity()["Arn"] == user_arn(name)
    without = {**who, "token": None}
    assert code(shared_server.client("sts", **without).get_caller_identity) == "InvalidClientTokenId"
    record = looked_up(shared_server, credentials["AccessKeyId"], key="AccessKeyId")[-1]
    assert record["userIdentity"]["type"] == "IAMUser" and "sessionContext" in record["userIdentity"]


def test_a_policys_versions(iam):
    arn = managed(iam, allow("s3:*"), Description="all of S3", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Description"] == "all of S3"
    second = json.loads(policy(allow("iam:*", "arn:aws:iam::*:user/a b+c")))
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(second), SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v2" and "Document" not in made["PolicyVersion"]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == second
    assert [v["IsDefaultVersion"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == [False, True]
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    assert code(iam.delete_policy_version, PolicyArn=arn, VersionId="v1") == "DeleteConflict"
    assert code(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    assert arn in [p["Arn"] for p in iam.list_policies(Scope="Local", PathPrefix="/team/")["Policies"]]
    assert arn not in [p["Arn"] for p in iam.list_policies(OnlyAttached=True)["Policies"]]
    iam.delete_policy(PolicyArn=arn)
    assert code(iam.get_policy, PolicyArn=arn) == "NoSuchEntity"


def test_groups_and_roles_change_and_end(iam):
    group, role, (user, _) = fresh("group"), fresh("role"), person(iam)
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert code(iam.delete_group, GroupName=group) == "DeleteConflict"
    iam.update_group(GroupName=group, NewGroupName=f"{group}-new", NewPath="/g/")
    assert [g["Arn"] for g in iam.list_groups_for_user(UserName=user)["Groups"]] == [
        f"arn:aws:iam::{ACCOUNT}:group/g/{group}-new"
    ]
    assert [u["UserName"] for u in iam.get_group(GroupName=f"{group}-new")["Users"]] == [user]
    iam.remove_user_from_group(GroupName=f"{group}-new", UserName=user)
    iam.delete_group(GroupName=f"{group}-new")

    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}), Path="/r/")
    iam.update_role(RoleName=role, Description="once", MaxSessionDuration=43200)
    assert iam.update_role_description(RoleName=role, Description="twice")["Role"]["Description"] == "twice"
    iam.tag_role(RoleName=role, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.get_role(RoleName=role)["Role"]["Tags"] == iam.list_role_tags(RoleName=role)["Tags"]
    iam.untag_role(RoleName=role, TagKeys=["a"])
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy(EVERYTHING))
    assert iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"]["Statement"] == [EVERYTHING]
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["p"]
    assert code(iam.delete_role, RoleName=role) == "DeleteConflict"
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    arn = managed(iam, EVERYTHING)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)
    assert code(iam.delete_role, RoleName=role) == "DeleteConflict"
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    iam.delete_role_permissions_boundary(RoleName=role)
    assert iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"] == []
    assert [r["RoleName"] for r in iam.list_roles(PathPrefix="/r/")["Roles"]] == [role]
    iam.delete_role(RoleName=role)


def test_lists_come_in_pages(shared_server, iam):
    names = [f"page-{i}" for i in range(7)]
    for name in names:
        iam.create_user(UserName=name, Path="/pages/")
    pages, marker = [], {}
    while True:
        page = iam.list_users(PathPrefix="/pages/", MaxItems=3, **marker)
        pages.append([u["UserName"] for u in page["Users"]])
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert pages == [names[:3], names[3:6], names[6:]]
    listed = shared_server.aws("iam", "list-users", "--path-prefix", "/pages/", "--page-size", "2")["Users"]
    assert [u["UserName"] for u in listed] == names
    assert code(iam.list_users, MaxItems=1000, Marker="no-marker-of-ours!") == "ValidationError"


def test_the_whole_account_in_pages(iam):
    name, _ = person(iam, allow("iam:GetUser"))
    kinds = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    whole = iam.get_account_authorization_details(MaxItems=1000)
    assert not whole["IsTruncated"]
    collected = {kind: [] for kind in kinds}
    for page in iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 7}):
        assert sum(len(page[kind]) for kind in kinds) <= 7
        for kind in kinds:
            collected[kind] += page[kind]
    assert collected == {kind: whole[kind] for kind in kinds}
    only = iam.get_account_authorization_details(Filter=["User"])
    assert only["UserDetailList"] and not only["RoleDetailList"] and not only["Policies"]
    detail, = (u for u in only["UserDetailList"] if u["UserName"] == name)
    assert detail["UserPolicyList"][0]["PolicyDocument"]["Statement"] == [allow("iam:GetUser")]


def test_the_cli_manages_a_user(shared_server):
    server, name = shared_server, fresh("cli")
    server.aws("iam", "create-user", "--user-name", name, "--tags", "Key=team,Value=blue")
    key = server.aws("iam", "create-access-key", "--user-name", name)["AccessKey"]
    own = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    assert server.aws("sts", "get-caller-identity", **own)["Arn"] == user_arn(name)
    assert server.aws("iam", "list-users", ok=False, **own) == "AccessDenied"
    readers = "arn:aws:iam::aws:policy/AdministratorAccess"
    server.aws("iam", "attach-user-policy", "--user-name", name, "--policy-arn", readers)
    assert server.aws("iam", "get-user", **own)["User"]["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert server.aws("iam", "create-user", "--user-name", name, ok=False, **own) == "EntityAlreadyExists"
    server.aws("iam", "detach-user-policy", "--user-name", name, "--policy-arn", readers)
    server.aws("iam", "delete-access-key", "--user-name", name, "--access-key-id", own["key"])
    server.aws("iam", "delete-user", "--user-name", name)
    assert server.aws("iam", "get-user", "--user-name", name, ok=False) == "NoSuchEntity"


def test_no_record_has_a_secret(server):
    make_trail(server)
    iam = server.client("iam")
    name, own = person(iam, EVERYTHING)
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": user_arn(name)}))["Role"]
    sts = server.client("sts", **own)
    assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    sessions = [assumed, sts.get_session_token()["Credentials"]]
    secrets = [ROOT_SECRET, own["secret"]]
    secrets += [s[member] for s in sessions for member in ("SecretAccessKey", "SessionToken")]
    assert code(server.client("iam", **session(assumed)).get_user, UserName=name) == "AccessDenied"
    assert code(iam.get_user, UserName="the-last-call") == "NoSuchEntity"

    def last_is_there():
        text = json.dumps(delivered(server, "trail-bucket"))
        return text if "the-last-call" in text else None

    files = eventually(last_is_there)
    assert own["key"] in files and assumed["AccessKeyId"] in files
    pages = server.client("cloudtrail").get_paginator("lookup_events").paginate()
    history = json.dumps([event["CloudTrailEvent"] for page in pages for event in page["Events"]])
    assert own["key"] in history
    for secret in secrets:
        assert secret not in files and secret not in history
    created, = (r for r in delivered(server, "trail-bucket") if r["eventName"] == "CreateAccessKey")
    assert created["requestParameters"] == {"userName": name}
    assert created["responseElements"]["accessKey"].keys() == {"userName", "accessKeyId", "status", "createDate"}
