"""``opentrail who-can``: principals, statements, conditions and detours, held against what then really happens."""

import json
import subprocess

import pytest

from accounts import Accounts
from identity import EVERYTHING, allow, code, deny, fresh, looked_up, managed, person, policy, session, trust, user_arn
from server import ACCOUNT, Server, binary, own_bucket

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture
def server(tmp_path):
    """Of each test its own: the answers name everyone there is."""
    with Server(tmp_path) as running:
        yield running


@pytest.fixture
def bucket(server, request):
    name = own_bucket("w", request)
    server.client("s3").create_bucket(Bucket=name)
    return name


def who_can(server, action, resource, *flags, code=0):
    """Those that can, by name."""
    answer = json.loads(server.opentrail("who-can", action, resource, "--output", "json", *flags, code=code))
    assert answer["Complete"]
    return {able["Principal"]: able for able in answer["Able"]}


def role_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def answers(found):
    return {name: able["Answer"] for name, able in found.items()}


def test_who_can_delete_my_logs(server, bucket):
    iam, s3 = server.client("iam"), server.client("s3")
    alice, as_alice = person(iam, EVERYTHING, name="alice")
    bob, as_bob = person(iam, allow("s3:*", condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), name="bob")
    carol, as_carol = person(iam, allow("s3:Get*"), name="carol")
    iam.create_group(GroupName="cleaners")
    iam.put_group_policy(
        GroupName="cleaners", PolicyName="sweep",
        PolicyDocument=policy({"Sid": "Sweep", **allow("s3:Delete*", f"arn:aws:s3:::{bucket}/tmp/*")}))
    dave, as_dave = person(iam, name="dave")
    iam.add_user_to_group(GroupName="cleaners", UserName="dave")

    found = who_can(server, "s3:DeleteObjectVersion", bucket)
    assert answers(found) == {
        ROOT: "always", user_arn("alice"): "always", user_arn("bob"): "sometimes", user_arn("dave"): "sometimes"}
    assert found[ROOT]["AllowedBy"][0]["Policy"] == "root user"
    assert found[user_arn("alice")]["AllowedBy"][0]["Policy"] == "inline policy own"
    assert "MultiFactorAuthPresent" in " ".join(found[user_arn("bob")]["AllowedBy"][0]["Needs"])
    assert found[user_arn("bob")]["Example"]["Keys"]["aws:multifactorauthpresent"] == ["true"]
    sweep = found[user_arn("dave")]["AllowedBy"][0]
    assert (sweep["Sid"], sweep["Through"]) == ("Sweep", "group cleaners")
    assert f"{bucket}/tmp/" in found[user_arn("dave")]["Example"]["Resource"]
    table = server.opentrail("who-can", "s3:DeleteObjectVersion", bucket)
    assert "Sweep" in table and "group cleaners" in table and "no Object Lock" in table

    # What is said is what happens.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ["tmp/a", "log"]:
        versions = [s3.put_object(Bucket=bucket, Key=key, Body=b"")["VersionId"] for _ in range(4)]
        for who, may in [(as_alice, True), (as_bob, False), (as_carol, False), (as_dave, key == "tmp/a")]:
            client, target = server.client("s3", **who), {"Bucket": bucket, "Key": key, "VersionId": versions.pop()}
            if may:
                client.delete_object(**target)
            else:
                assert code(client.delete_object, **target) == "AccessDenied"

    # A deny for everyone leaves the ways round.
    s3.put_bucket_policy(Bucket=bucket, Policy=policy({
        "Sid": "Nobody", "Principal": "*", **deny("s3:Delete*", f"arn:aws:s3:::{bucket}/*")}))
    found = who_can(server, "s3:DeleteObjectVersion", bucket)
    assert answers(found) == {
        ROOT: "can-obtain", user_arn("alice"): "can-obtain", user_arn("bob"): "can-obtain"}
    assert found[ROOT]["Detours"][0]["Action"] in ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy")


def test_a_chain_of_roles_is_followed(server, bucket):
    iam = server.client("iam")
    alice, as_alice = person(
        iam, allow("sts:AssumeRole", role_arn("operator")), allow("s3:ListAllMyBuckets"), name="alice")
    for name, who, statements in [
        ("admin", {"AWS": ACCOUNT}, [EVERYTHING]),
        ("operator", {"AWS": user_arn("alice")}, [allow("sts:AssumeRole", role_arn("admin"))]),
    ]:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(who))
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    found = who_can(server, "s3:DeleteObjectVersion", bucket)
    assert answers(found) == {
        ROOT: "always", role_arn("admin"): "always", role_arn("operator"): "can-obtain",
        user_arn("alice"): "can-obtain"}
    way = [(detour["Action"], detour["Resource"]) for detour in found[user_arn("alice")]["Detours"]]
    assert way == [("sts:AssumeRole", role_arn("operator")), ("sts:AssumeRole", role_arn("admin"))]
    assert "→ sts:AssumeRole" in server.opentrail("who-can", "s3:DeleteObjectVersion", bucket)

    # And it is so.
    who = as_alice
    for name in ["operator", "admin"]:
        given = server.client("sts", **who).assume_role(RoleArn=role_arn(name), RoleSessionName="story")
        who = session(given["Credentials"])
    server.client("s3", **who).delete_object(Bucket=bucket, Key="k", VersionId="null")

    trusted = who_can(server, "sts:AssumeRole", role_arn("admin"))
    assert trusted[role_arn("operator")]["Answer"] in ("always", "sometimes")
    assert user_arn("alice") not in trusted or trusted[user_arn("alice")]["Answer"] == "can-obtain"


@pytest.mark.parametrize("statement, action", [
    (allow("iam:PutUserPolicy"), "iam:PutUserPolicy"),
    (allow("iam:AttachUserPolicy"), "iam:AttachUserPolicy"),
    (allow("iam:CreateAccessKey"), "iam:CreateAccessKey"),
    (allow("iam:UpdateAssumeRolePolicy"), "iam:UpdateAssumeRolePolicy"),
    (allow("iam:PassRole"), "iam:PassRole"),
    (allow("iam:AddUserToGroup"), "iam:AddUserToGroup"),
    (allow("s3:PutBucketPolicy"), "s3:PutBucketPolicy"),
    (allow("s3:PutLifecycleConfiguration"), "s3:PutLifecycleConfiguration"),
])
def test_rights_that_give_more_rights_are_told(escalation, statement, action):
    server, bucket = escalation
    name, _ = person(server.client("iam"), statement)
    able = who_can(server, "s3:DeleteObjectVersion", bucket)[user_arn(name)]
    assert able["Answer"] == "can-obtain" and able["Detours"][0]["Action"] == action
    server.client("iam").delete_user_policy(UserName=name, PolicyName="own")
    assert user_arn(name) not in who_can(server, "s3:DeleteObjectVersion", bucket)


@pytest.fixture(scope="module")
def escalation(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("escalation")) as server:
        iam = server.client("iam")
        server.client("s3").create_bucket(Bucket="escalation")
        person(iam, EVERYTHING, name="admin-user")
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
        iam.put_role_policy(RoleName="admin", PolicyName="own", PolicyDocument=policy(EVERYTHING))
        iam.create_group(GroupName="admins")
        iam.put_group_policy(GroupName="admins", PolicyName="own", PolicyDocument=policy(EVERYTHING))
        yield server, "escalation"


def test_a_boundary_stops_and_may_be_lifted(server, bucket):
    iam = server.client("iam")
    edge = managed(iam, allow(["s3:Get*", "iam:*"]))
    person(iam, allow("s3:*"), name="bounded", PermissionsBoundary=edge)
    assert user_arn("bounded") not in who_can(server, "s3:DeleteObjectVersion", bucket)
    iam.put_user_policy(
        UserName="bounded", PolicyName="own", PolicyDocument=policy(allow("s3:*"), allow("iam:DeleteUserPermissionsBoundary")))
    able = who_can(server, "s3:DeleteObjectVersion", bucket)[user_arn("bounded")]
    assert [detour["Action"] for detour in able["Detours"]] == ["iam:DeleteUserPermissionsBoundary"]


def test_outsiders_that_a_policy_lets_in_are_named(server, bucket):
    s3 = server.client("s3")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(
        {"Principal": {"AWS": "444455556666"}, **allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")},
        {"Principal": {"Service": "cloudtrail.amazonaws.com"}, **allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*")},
        {"Principal": "*", **allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")},
    ))
    assert "arn:aws:iam::444455556666:root" in who_can(server, "s3:GetObject", bucket)
    assert who_can(server, "s3:PutObject", bucket)["cloudtrail.amazonaws.com"]["Answer"] == "always"
    listed = who_can(server, "s3:ListBucket", bucket)
    assert {"anonymous", "*"} <= set(listed) and listed["anonymous"]["Answer"] == "always"
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    assert "anonymous" not in who_can(server, "s3:ListBucket", bucket)


def test_the_management_account_sees_its_members_and_what_bounds_them(server):
    accounts = Accounts(server)
    member = accounts.make("member")
    bucket = f"member-logs-{member}"
    accounts.client("member", "s3").create_bucket(Bucket=bucket)
    role = f"arn:aws:iam::{member}:role/OrganizationAccountAccessRole"
    member_root, people = f"arn:aws:iam::{member}:root", f"arn:aws:iam::{ACCOUNT}:user/organization-admin"

    def now():
        found = who_can(server, "s3:DeleteObjectVersion", bucket)
        # Its own principals may assume the role of the member.
        return {name: answer for name, answer in answers(found).items() if name in (role, member_root, people)}

    assert now() == {role: "always", member_root: "always", people: "can-obtain"}
    made = server.aws(
        "organizations", "create-policy", "--name", "keep", "--type", "SERVICE_CONTROL_POLICY", "--description", "d",
        "--content", policy(deny(["s3:Delete*", "s3:PutLifecycleConfiguration"])))
    server.aws("organizations", "attach-policy", "--policy-id", made["Policy"]["PolicySummary"]["Id"], "--target-id", member)
    assert now() == {}
    given = accounts.client("member", "s3").put_object(Bucket=bucket, Key="k", Body=b"")
    assert given["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert code(accounts.client("member", "s3").delete_object, Bucket=bucket, Key="k", VersionId="null") == "AccessDenied"


def test_it_is_asked_for_recorded_and_fit_for_scripts(server, bucket):
    iam = server.client("iam")
    _, nobody = person(iam, allow("s3:*"), name="curious")
    done = subprocess.run(
        [binary(), "who-can", "s3:GetObject", bucket], env=server.cli_env(**nobody), capture_output=True, text=True)
    assert done.returncode == 1 and "AccessDenied" in done.stderr and "opentrail:WhoCan" in done.stderr
    iam.put_user_policy(UserName="curious", PolicyName="own", PolicyDocument=policy(allow("opentrail:WhoCan")))
    done = subprocess.run(
        [binary(), "who-can", "s3:GetObject", bucket], env=server.cli_env(**nobody), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    records = looked_up(server, "WhoCan", count=2)
    told = records[0]
    assert told["readOnly"] is True and told["eventSource"] == "opentrail.amazonaws.com"
    assert told["requestParameters"] == {"action": "s3:GetObject", "resource": bucket}

    server.opentrail("who-can", "s3:DeleteBucket", bucket, "--fail-if-any-except", ROOT)
    person(iam, EVERYTHING, name="alice")
    server.opentrail("who-can", "s3:DeleteBucket", bucket, "--fail-if-any-except", ROOT, code=3)
    server.opentrail("who-can", "s3:DeleteBucket", bucket, "--fail-if-any-except", f"{ROOT},{user_arn('alice')}")


@pytest.mark.parametrize("action, resource", [
    ("s3:*", "b"), ("GetObject", "b"), ("s3:GetObject", ""), ("s3:GetObject", "no-such-bucket"),
    ("iam:GetUser", "alice"), ("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/x"),
    ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/none"), ("sts:AssumeRole", "arn:aws:iam::999999999999:role/none"),
])
def test_what_cannot_be_asked_is_refused(shared_server, action, resource):
    shared_server.opentrail("who-can", action, resource, code=1)
