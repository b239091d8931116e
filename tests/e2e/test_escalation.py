"""People who have a little and try to get more: each way is *refused*, or *recorded*.

The prize is the trail: whoever could stop it has won. A story is one way that leads from few permissions to many.
"""

import pytest

from identity import (
    EVERYTHING, allow, code, deny, fresh, looked_up, managed, person, policy, refused, session, trust, user_arn,
)
from server import ACCOUNT, Server
from trail import make_trail

TRAIL_GUARD = deny(["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail"])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("escalation")) as running:
        yield running


@pytest.fixture(scope="module")
def iam(server):
    return server.client("iam")


@pytest.fixture(scope="module")
def trail(server):
    return make_trail(server, bucket="watched-logs")


@pytest.fixture(scope="module")
def limit(iam):
    """A boundary: everything, except the trail's end and the boundary's own policy."""
    arn = f"arn:aws:iam::{ACCOUNT}:policy/limit"
    return iam.create_policy(PolicyName="limit", PolicyDocument=policy(
        EVERYTHING, TRAIL_GUARD,
        deny(["iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy"], arn),
        deny(["iam:DeleteUserPermissionsBoundary", "iam:DeleteRolePermissionsBoundary"]),
        deny(["iam:CreateUser", "iam:CreateRole", "iam:PutUserPermissionsBoundary", "iam:PutRolePermissionsBoundary"],
             condition={"StringNotEquals": {"iam:PermissionsBoundary": arn}}),
    ))["Policy"]["Arn"]


@pytest.fixture
def logging(server, trail):
    """After the attack the trail logs."""
    yield
    assert server.client("cloudtrail").get_trail_status(Name=trail)["IsLogging"]


def stop(server, trail, who):
    return refused(server.client("cloudtrail", **who).stop_logging, Name=trail)


def test_a_boundary_is_not_taken_off_by_whom_it_bounds(server, iam, trail, limit, logging):
    """Refused: the administrator within the boundary can't remove, exchange or rewrite it."""
    name, who = person(iam, EVERYTHING, PermissionsBoundary=limit)
    own = server.client("iam", **who)
    wide = managed(own, EVERYTHING)
    assert code(own.delete_user_permissions_boundary, UserName=name) == "AccessDenied"
    assert code(own.put_user_permissions_boundary, UserName=name, PermissionsBoundary=wide) == "AccessDenied"
    rewritten = policy(EVERYTHING)
    assert code(own.create_policy_version, PolicyArn=limit, PolicyDocument=rewritten, SetAsDefault=True) == "AccessDenied"
    assert code(own.delete_policy, PolicyArn=limit) == "AccessDenied"
    # What it gives itself within the boundary gives nothing that the boundary denies.
    own.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    said = stop(server, trail, who)
    assert said[0] == "AccessDeniedException" and "explicit deny in a permissions boundary" in said[1]


def test_a_boundary_binds_those_whom_the_bounded_makes(server, iam, trail, limit, logging):
    """Refused: a new user, role or key that would be free of it."""
    _, who = person(iam, EVERYTHING, PermissionsBoundary=limit)
    own = server.client("iam", **who)
    assert code(own.create_user, UserName=fresh("free")) == "AccessDenied"
    assert code(own.create_role, RoleName=fresh("free"), AssumeRolePolicyDocument=trust({"AWS": ACCOUNT})) == "AccessDenied"
    other = managed(own, EVERYTHING)
    assert code(own.create_user, UserName=fresh("free"), PermissionsBoundary=other) == "AccessDenied"
    child, key = person(own, EVERYTHING, PermissionsBoundary=limit)
    assert stop(server, trail, key)[0] == "AccessDeniedException"
    assert code(own.put_user_permissions_boundary, UserName=child, PermissionsBoundary=other) == "AccessDenied"


def test_a_policy_version_is_a_way_up_that_leaves_a_record(server, iam):
    """Recorded: who may rewrite a policy attached to themselves has all permissions, and the record says how."""
    little = managed(iam, allow(["iam:CreatePolicyVersion", "cloudtrail:GetTrailStatus"]))
    name, who = person(iam)
    iam.attach_user_policy(UserName=name, PolicyArn=little)
    server.client("iam", **who).create_policy_version(
        PolicyArn=little, PolicyDocument=policy(EVERYTHING), SetAsDefault=True)
    event = next(event for event in looked_up(server, "CreatePolicyVersion")
                 if event["requestParameters"]["policyArn"] == little)
    assert event["userIdentity"]["arn"] == user_arn(name) and not event.get("errorCode")
    assert '"Action": "*"' in event["requestParameters"]["policyDocument"]
    assert event["requestParameters"]["setAsDefault"] is True


@pytest.mark.parametrize("call, arguments", [
    ("attach_user_policy", {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
    ("put_user_policy", {"PolicyName": "more", "PolicyDocument": policy(EVERYTHING)}),
    ("create_access_key", {}),
    ("create_login_profile", {"Password": "Correct-horse-7-battery"}),
    ("delete_user_permissions_boundary", {}),
    ("deactivate_mfa_device", {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/other"}),
])
def test_permissions_on_oneself_reach_nobody_else(server, iam, call, arguments):
    """Refused: ``${aws:username}`` in a policy means its caller, whatever name the caller asks for."""
    _, who = person(iam, allow("iam:*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    victim, _ = person(iam, EVERYTHING)
    assert code(getattr(server.client("iam", **who), call), UserName=victim, **arguments) == "AccessDenied"


def test_a_group_is_joined_by_permission_on_the_group(server, iam):
    """Refused: permission on one's own user is none on the administrators' group."""
    iam.create_group(GroupName="administrators")
    iam.attach_group_policy(GroupName="administrators", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    name, who = person(iam, allow("iam:*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    said = refused(server.client("iam", **who).add_user_to_group, GroupName="administrators", UserName=name)
    assert said[0] == "AccessDenied" and ":group/administrators" in said[1]


def test_a_role_is_not_handed_on_without_pass_role(server, iam):
    """Refused: a service is given a powerful role only by who may pass it, and only for that service."""
    s3 = server.client("s3")
    source, target = fresh("source"), fresh("target")
    for bucket in (source, target):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    role = fresh("powerful")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"Service": "s3.amazonaws.com"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=policy(EVERYTHING))
    rules = {"Role": arn, "Rules": [{
        "Status": "Enabled", "Priority": 1, "Filter": {}, "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{target}"},
    }]}
    elsewhere = allow("iam:PassRole", arn, {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
    for statements in ([allow("s3:*")], [allow("s3:*"), elsewhere]):
        _, who = person(iam, *statements)
        said = refused(
            server.client("s3", **who).put_bucket_replication, Bucket=source, ReplicationConfiguration=rules)
        assert said[0] == "AccessDenied" and "iam:PassRole" in said[1], said
    _, who = person(iam, allow("s3:*"), allow(
        "iam:PassRole", arn, {"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}}))
    server.client("s3", **who).put_bucket_replication(Bucket=source, ReplicationConfiguration=rules)


def test_a_trust_policy_is_a_way_up_that_leaves_a_record(server, iam):
    """Refused without permission on the role; recorded with it, as the assumption is."""
    role = fresh("admin")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"Service": "cloudtrail.amazonaws.com"}))
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    name, who = person(iam, allow("sts:AssumeRole"))
    open_to = trust({"AWS": user_arn(name)})
    own, sts = server.client("iam", **who), server.client("sts", **who)
    assert code(own.update_assume_role_policy, RoleName=role, PolicyDocument=open_to) == "AccessDenied"
    said = refused(sts.assume_role, RoleArn=arn, RoleSessionName="up")
    assert said[0] == "AccessDenied" and arn in said[1]
    iam.put_user_policy(UserName=name, PolicyName="more", PolicyDocument=policy(allow("iam:UpdateAssumeRolePolicy")))
    own.update_assume_role_policy(RoleName=role, PolicyDocument=open_to)
    sts.assume_role(RoleArn=arn, RoleSessionName="up")
    changed = looked_up(server, "UpdateAssumeRolePolicy", count=2)
    assert user_arn(name) in changed[0]["requestParameters"]["policyDocument"]
    assert any(event["requestParameters"]["roleArn"] == arn and not event.get("errorCode")
               for event in looked_up(server, "AssumeRole", count=2))


def test_an_outsiders_role_is_not_assumed_without_the_external_id(server, iam):
    """Refused: the deputy that doesn't know the id, whatever permissions it has."""
    role = fresh("vendor")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(
        {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"StringEquals": {"sts:ExternalId": "unique-7"}}))
    _, who = person(iam, EVERYTHING)
    sts = server.client("sts", **who)
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "RoleSessionName": "deputy"}
    assert code(sts.assume_role, **asked) == "AccessDenied"
    assert code(sts.assume_role, ExternalId="unique-8", **asked) == "AccessDenied"
    sts.assume_role(ExternalId="unique-7", **asked)


def test_a_tag_that_opens_doors_is_not_put_on_oneself(server, iam, trail, logging):
    """Refused: neither on the user, nor on a role, nor for a session."""
    by_tag = allow("cloudtrail:*", condition={"StringEquals": {"aws:PrincipalTag/team": "security"}})
    keep_tags = deny(["iam:TagUser", "iam:TagRole"], condition={"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}})
    name, who = person(iam, by_tag, allow(["iam:*", "sts:AssumeRole"]), keep_tags)
    own = server.client("iam", **who)
    tag = [{"Key": "team", "Value": "security"}]
    assert code(own.tag_user, UserName=name, Tags=tag) == "AccessDenied"
    role = fresh("tagged")
    own.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"AWS": user_arn(name)}))
    own.put_role_policy(RoleName=role, PolicyName="by-tag", PolicyDocument=policy(by_tag))
    assert code(own.tag_role, RoleName=role, Tags=tag) == "AccessDenied"
    # The trust policy has no sts:TagSession.
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "RoleSessionName": "tagged"}
    sts = server.client("sts", **who)
    said = refused(sts.assume_role, Tags=tag, **asked)
    assert said[0] == "AccessDenied" and "sts:TagSession" in said[1]
    plain = session(sts.assume_role(**asked)["Credentials"])
    assert stop(server, trail, plain)[0] == "AccessDeniedException"
    assert stop(server, trail, who)[0] == "AccessDeniedException"


def test_a_chain_of_roles_gains_nothing(server, iam, trail, logging):
    """Refused: a longer session than an hour, and what the first session's policy did not let through."""
    first, second = fresh("first"), fresh("second")
    name, who = person(iam, allow("sts:AssumeRole"))
    for role, trusted in ((first, user_arn(name)), (second, f"arn:aws:iam::{ACCOUNT}:role/{first}")):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"AWS": trusted}), MaxSessionDuration=43200)
        iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=policy(EVERYTHING))
    narrow = session(server.client("sts", **who).assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{first}", RoleSessionName="one", DurationSeconds=43200,
        Policy=policy(allow("s3:*")))["Credentials"])
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{second}", "RoleSessionName": "two"}
    assert code(server.client("sts", **narrow).assume_role, **asked) == "AccessDenied"
    wide = session(server.client("sts", **who).assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{first}", RoleSessionName="one")["Credentials"])
    assert code(server.client("sts", **wide).assume_role, DurationSeconds=3601, **asked) == "ValidationError"
    server.client("sts", **wide).assume_role(**asked)


def test_a_session_says_who_it_was_to_the_end(server, iam):
    """Recorded: a source identity set once can't be changed in a chain, and every record has it."""
    first, second = fresh("first"), fresh("second")
    name, who = person(iam, allow(["sts:AssumeRole", "sts:SetSourceIdentity"]))
    trusted = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    for role in (first, second):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=policy({**trusted, "Principal": root}))
        iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=policy(EVERYTHING))
    one = session(server.client("sts", **who).assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{first}", RoleSessionName="one", SourceIdentity=name)["Credentials"])
    sts = server.client("sts", **one)
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{second}", "RoleSessionName": "two"}
    assert code(sts.assume_role, SourceIdentity="somebody-else", **asked) == "AccessDenied"
    two = session(sts.assume_role(**asked)["Credentials"])
    made = fresh("made")
    server.client("iam", **two).create_user(UserName=made)
    event = next(event for event in looked_up(server, "CreateUser")
                 if event["requestParameters"]["userName"] == made)
    assert event["userIdentity"]["sessionContext"]["sourceIdentity"] == name
