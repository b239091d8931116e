"""Attacks on the record by identities that were won: each says *refused*, or *recorded* with an intact copy.

An organization with a trail of its own, whose bucket is in the account ``security`` and locked. The attackers are
people and roles that have, or had, far-reaching permissions. Each tries to blind the trail and to reach the logs.
"""

import base64
import gzip
import hashlib
import json
import subprocess
import time

import pytest

import conformance
from accounts import Accounts, organization_bucket_policy
from identity import EVERYTHING, allow, deny, person, policy, refused, session, trust
from server import ACCOUNT, REGION, Server, binary, eventually

conformance.COMMON_ERRORS["s3"] |= {"InvalidToken", "ExpiredToken", "InvalidAccessKeyId"}

LOGS = "organization-logs"
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/everything"
AWAY = "attackers-own"
NOTHING = [{"Name": "nothing", "FieldSelectors": [
    {"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::Lambda::Function"]},
    {"Field": "resources.ARN", "Equals": ["arn:aws:lambda:us-east-1:123456789012:function:none"]},
]}]

#: What blinds a trail: the operation, its arguments.
BLINDING = {
    "StopLogging": {"Name": TRAIL},
    "DeleteTrail": {"Name": TRAIL},
    "UpdateTrail": {"Name": TRAIL, "S3BucketName": AWAY},
    "PutEventSelectors": {"TrailName": TRAIL, "AdvancedEventSelectors": NOTHING},
}
#: What a guard in front of a trail denies.
GUARDED = ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors"]
WITHOUT_MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}


class World:
    """The organization, its trail, and one log that was delivered."""

    def __init__(self, server):
        self.server = server
        self.accounts = Accounts(server)
        self.accounts.trust_cloudtrail()
        self.security = self.accounts.make("security")
        self.workload = self.accounts.make("workload")
        self.s3 = self.accounts.client("security", "s3")
        self.s3.create_bucket(Bucket=LOGS, ObjectLockEnabledForBucket=True)
        self.s3.put_object_lock_configuration(Bucket=LOGS, ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}})
        self.s3.put_bucket_policy(Bucket=LOGS, Policy=organization_bucket_policy(LOGS, TRAIL, self.accounts.id))
        self.cloudtrail = self.accounts.client("management", "cloudtrail")
        self.cloudtrail.create_trail(
            Name="everything", S3BucketName=LOGS, IsMultiRegionTrail=True, IsOrganizationTrail=True,
            EnableLogFileValidation=True)
        self.cloudtrail.start_logging(Name=TRAIL)
        self.log = eventually(self.first_log)
        self.before = self.state()

    def first_log(self):
        found = self.s3.list_object_versions(Bucket=LOGS, Prefix=f"AWSLogs/{self.accounts.id}/").get("Versions", [])
        return next((version for version in found if "/CloudTrail/" in version["Key"]), None)

    def state(self):
        """All that an attacker would like to be different."""
        which = {"Bucket": LOGS, "Key": self.log["Key"], "VersionId": self.log["VersionId"]}
        trail = self.cloudtrail.get_trail(Name=TRAIL)["Trail"]
        return {
            "logging": self.cloudtrail.get_trail_status(Name=TRAIL)["IsLogging"],
            "trail": trail,
            "selectors": self.cloudtrail.get_event_selectors(TrailName=TRAIL).get("EventSelectors"),
            "policy": self.s3.get_bucket_policy(Bucket=LOGS)["Policy"],
            "versioning": self.s3.get_bucket_versioning(Bucket=LOGS).get("Status"),
            "log": self.s3.get_object(**which)["Body"].read(),
            "retention": self.s3.get_object_retention(**which)["Retention"],
        }

    def named_invalid(self, account):
        """What ``opentrail validate`` says of an account's log files, once it finds one that is not as delivered."""
        done = subprocess.run(
            [binary(), "validate", "--trail-arn", TRAIL, "--account-id", account], capture_output=True, text=True,
            timeout=60, env=self.server.cli_env(**self.accounts.sessions["security"]))
        return done.stdout if done.returncode == 3 else None

    def reaching_the_logs(self):
        """What reaches for the logs: the operation, its arguments."""
        version = {"Bucket": LOGS, "Key": self.log["Key"], "VersionId": self.log["VersionId"]}
        opened = policy({**EVERYTHING, "Principal": "*", "Resource": f"arn:aws:s3:::{LOGS}/*"})
        expire = {"Rules": [{"ID": "soon", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}
        return {
            "delete_object": version,
            "put_bucket_policy": {"Bucket": LOGS, "Policy": opened},
            "delete_bucket_policy": {"Bucket": LOGS},
            "put_bucket_versioning": {"Bucket": LOGS, "VersioningConfiguration": {"Status": "Suspended"}},
            "put_bucket_lifecycle_configuration": {"Bucket": LOGS, "LifecycleConfiguration": expire},
            "delete_bucket": {"Bucket": LOGS},
        }

    def role(self, account, name, *statements, trusted=ACCOUNT, **more):
        """A role that the management account's administrators may assume; answers its session."""
        iam = self.accounts.client(account, "iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{trusted}:root"}), **more)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return self.accounts.assume(self.accounts.ids[account], name)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("won")) as running:
        yield World(running)


@pytest.fixture
def intact(world):
    """After the attack the trail logs where and what it logged, and the log is as it was."""
    yield
    assert world.state() == world.before


def member_role(world):
    """An administrator's role of a member account."""
    return world.accounts.sessions["workload"]


def member_admin(world):
    """A user of a member account who may do everything there."""
    return person(world.accounts.client("workload", "iam"), EVERYTHING)[1]


def without_mfa(world):
    """The stolen key of an administrator of the trail's own account, whose policy asks for MFA."""
    iam = world.accounts.client("management", "iam")
    return person(iam, EVERYTHING, deny([*GUARDED, "sts:AssumeRole", "iam:*"], condition=WITHOUT_MFA))[1]


def delivery_role(world):
    """The role of a program that adds files to the logs."""
    name = f"shipper-{time.time_ns()}"
    return world.role("security", name, allow("s3:PutObject", f"arn:aws:s3:::{LOGS}/AWSLogs/*"))


def auditor(world):
    """A role that reads everything."""
    name = f"auditor-{time.time_ns()}"
    made = world.role("management", name)
    iam = world.accounts.client("management", "iam")
    for managed in ("ReadOnlyAccess", "SecurityAudit"):
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{managed}")
    return made


def bounded(world):
    """An administrator of the trail's own account within a boundary."""
    iam = world.accounts.client("management", "iam")
    limit = policy(EVERYTHING, deny(GUARDED), deny("sts:AssumeRole"), deny("iam:*"))
    arn = iam.create_policy(PolicyName=f"limit-{time.time_ns()}", PolicyDocument=limit)["Policy"]["Arn"]
    return person(iam, EVERYTHING, PermissionsBoundary=arn)[1]


def narrowed(world):
    """A session of an administrator's role that was made for little."""
    role = f"everything-{time.time_ns()}"
    world.role("management", role, EVERYTHING)
    sts = world.server.client("sts", **world.accounts.admin)
    return session(sts.assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="narrow",
        Policy=policy(allow("cloudtrail:Describe*")))["Credentials"])


ATTACKERS = [member_role, member_admin, without_mfa, delivery_role, auditor, bounded, narrowed]


@pytest.mark.parametrize("attacker", ATTACKERS, ids=lambda made: made.__name__)
def test_blinding_the_trail_is_refused_and_recorded(world, intact, attacker):
    """Refused. The attempt is in the record of the account that the attacker came from."""
    who = attacker(world)
    cloudtrail = world.server.client("cloudtrail", **who)
    codes = {name: refused(getattr(cloudtrail, snake(name)), **asked)[0] for name, asked in BLINDING.items()}
    assert set(codes.values()) <= {"AccessDeniedException", "NotOrganizationMasterAccountException"}, codes
    caller = world.server.client("sts", **who).get_caller_identity()
    owner = next(name for name, account in world.accounts.ids.items() if account == caller["Account"])
    history = world.accounts.client(owner, "cloudtrail")
    for name in BLINDING:
        eventually(lambda name=name: attempts(history, name, caller["Arn"]))


@pytest.mark.parametrize(
    "attacker", [made for made in ATTACKERS if made not in (member_role, member_admin)], ids=lambda made: made.__name__)
def test_reaching_for_the_logs_is_refused(world, intact, attacker):
    """Refused: by the bucket's account, whose policy names nobody of these; by the lock, where a policy would let it."""
    s3 = world.server.client("s3", **attacker(world))
    for name, asked in world.reaching_the_logs().items():
        assert refused(getattr(s3, name), **asked)[0] == "AccessDenied", name


def test_the_administrator_of_the_logs_is_stopped_by_the_lock(world, intact):
    """Refused: who may do everything in the bucket's account takes no version and suspends nothing."""
    s3 = world.s3
    asked = world.reaching_the_logs()
    assert refused(s3.delete_object, BypassGovernanceRetention=True, **asked["delete_object"])[0] == "AccessDenied"
    assert refused(s3.put_bucket_versioning, **asked["put_bucket_versioning"])[0] == "InvalidBucketState"
    assert refused(s3.delete_bucket, Bucket=LOGS)[0] == "BucketNotEmpty"


def test_a_delivery_role_hides_a_log_and_destroys_none(world, intact):
    """Recorded with an intact copy: the role may write, so it writes over a log; the version below is there."""
    s3 = world.server.client("s3", **delivery_role(world))
    forged = s3.put_object(Bucket=LOGS, Key=world.log["Key"], Body=b"forged", ContentMD5=md5(b"forged"))
    assert forged["VersionId"] != world.log["VersionId"]
    versions = world.s3.list_object_versions(Bucket=LOGS, Prefix=world.log["Key"])["Versions"]
    assert world.log["VersionId"] in [version["VersionId"] for version in versions]
    account = world.log["Key"].split("/")[2]
    said = eventually(lambda: world.named_invalid(account), timeout=60)
    assert world.log["Key"] in said


def test_a_member_blinds_its_own_trail_under_the_organizations_eyes(world, intact):
    """Recorded with an intact copy: a member stops a trail of its own, and the organization's trail has the call."""
    cloudtrail = world.accounts.client("workload", "cloudtrail")
    s3 = world.accounts.client("workload", "s3")
    own = f"arn:aws:cloudtrail:{REGION}:{world.workload}:trail/own"
    s3.create_bucket(Bucket="workload-logs")
    s3.put_bucket_policy(Bucket="workload-logs", Policy=organization_bucket_policy("workload-logs", own, None))
    cloudtrail.create_trail(Name="own", S3BucketName="workload-logs")
    cloudtrail.start_logging(Name="own")
    cloudtrail.stop_logging(Name="own")
    prefix = f"AWSLogs/{world.accounts.id}/{world.workload}/CloudTrail/"

    def stopped():
        return [event for event in records(world.s3, prefix) if event["eventName"] == "StopLogging"
                and not event.get("errorCode") and event["requestParameters"]["name"] == "own"]
    [event] = eventually(stopped, timeout=60)
    assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "OrganizationAccountAccessRole"
    cloudtrail.delete_trail(Name="own")


def test_a_token_that_expired_or_was_changed_opens_nothing(world, intact):
    """Refused: before anything is asked of a policy."""
    sts = world.server.client("sts", **world.accounts.admin)
    world.role("management", "tokens", EVERYTHING)
    good = session(sts.assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/tokens", RoleSessionName="forger")["Credentials"])
    raw = bytearray(base64.b64decode(good["token"] + "=="))
    for place in (len(raw) // 3, len(raw) - 5):
        raw[place] ^= 1
        forged = {**good, "token": base64.b64encode(bytes(raw)).decode()}
        raw[place] ^= 1
        refuse_session(world, forged)
    other = session(sts.assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/tokens", RoleSessionName="other")["Credentials"])
    refuse_session(world, {**good, "token": other["token"]})
    refuse_session(world, {**good, "token": None})
    refuse_session(world, {**good, "token": good["token"][:-20]})


def refuse_session(world, who):
    cloudtrail = world.server.client("cloudtrail", **who)
    assert refused(cloudtrail.stop_logging, Name=TRAIL)[0] in {
        "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "InvalidToken"}
    s3 = world.server.client("s3", **who)
    assert refused(s3.delete_object, **world.reaching_the_logs()["delete_object"])[0] in {
        "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


def test_revoking_a_roles_sessions_ends_a_stolen_one(world, intact):
    """Refused: what was stolen before the role's sessions were revoked is worth nothing."""
    stolen = world.role("management", "revoked", EVERYTHING)
    iam = world.accounts.client("management", "iam")
    assert world.server.client("cloudtrail", **stolen).get_trail(Name=TRAIL)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    iam.put_role_policy(RoleName="revoked", PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy(
        deny("*", condition={"DateLessThan": {"aws:TokenIssueTime": now}})))
    code, message = refused(world.server.client("cloudtrail", **stolen).stop_logging, Name=TRAIL)
    assert code == "AccessDeniedException" and "with an explicit deny in an identity-based policy" in message


def attempts(history, name, arn):
    """The refused calls of the caller in an account's event history."""
    found = history.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])["Events"]
    told = [json.loads(event["CloudTrailEvent"]) for event in found]
    return [event for event in told if event["userIdentity"].get("arn") == arn and event.get("errorCode")]


def records(s3, prefix):
    """Every record in the log files below a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=LOGS, Prefix=prefix)
    names = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    bodies = (s3.get_object(Bucket=LOGS, Key=name)["Body"].read() for name in names)
    return [event for body in bodies if body[:2] == b"\x1f\x8b" for event in json.loads(gzip.decompress(body))["Records"]]


def snake(name):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()
