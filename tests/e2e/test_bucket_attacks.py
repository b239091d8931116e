"""Attacks on a bucket of logs over S3. Each test says what becomes of it: *refused*, or *recorded* with an intact copy.

A trail delivers into the bucket; the attacker is an administrator with every permission, and for some attacks root.
"""

import datetime
import json
import socket
import urllib.parse

import pytest
import requests

import conformance
from authenticator import give
from identity import EVERYTHING, code, fresh, looked_up, person, refused
from server import ACCOUNT, Server, eventually
from signed import send
from trail import delivered, everything_selected, make_trail

conformance.COMMON_ERRORS["s3"] |= {"InvalidURI", "NotDeviceOwnerError", "AccessControlListNotSupported"}

LOCKED = ("AccessDenied", "Access Denied because object protected by object lock.")
LOGS = "protected-logs"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("attacked")) as running:
        yield running


def in_days(days):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=days)


@pytest.fixture(scope="module")
def root(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def attacker(server):
    """Who may do everything."""
    _, admin = person(server.client("iam"), EVERYTHING)
    return server.client("s3", **admin)


@pytest.fixture(scope="module")
def logs(server, root):
    """The bucket, as the seeds protect it: locked for years by default, closed to the public. One log is in it."""
    root.create_bucket(Bucket=LOGS, ObjectLockEnabledForBucket=True)
    root.put_object_lock_configuration(Bucket=LOGS, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}})
    made = root.put_object(Bucket=LOGS, Key="AWSLogs/log.json.gz", Body=b"evidence")
    return {"key": "AWSLogs/log.json.gz", "version": made["VersionId"]}


@pytest.fixture
def intact(root, logs):
    """After the attack the log is there, byte for byte, and as locked as it was."""
    before = root.get_object_retention(Bucket=LOGS, Key=logs["key"], VersionId=logs["version"])["Retention"]
    yield
    found = root.get_object(Bucket=LOGS, Key=logs["key"], VersionId=logs["version"])
    assert found["Body"].read() == b"evidence"
    after = root.get_object_retention(Bucket=LOGS, Key=logs["key"], VersionId=logs["version"])["Retention"]
    assert after["Mode"] == "COMPLIANCE" and after["RetainUntilDate"] >= before["RetainUntilDate"]


@pytest.mark.parametrize("who", ["attacker", "root"])
def test_deleting_the_version_is_refused(request, who, logs, intact):
    s3 = request.getfixturevalue(who)
    which = {"Bucket": LOGS, "Key": logs["key"], "VersionId": logs["version"]}
    assert refused(s3.delete_object, **which) == LOCKED
    assert refused(s3.delete_object, BypassGovernanceRetention=True, **which) == LOCKED
    many = s3.delete_objects(
        Bucket=LOGS, BypassGovernanceRetention=True,
        Delete={"Objects": [{"Key": logs["key"], "VersionId": logs["version"]}]})
    assert [error["Code"] for error in many["Errors"]] == ["AccessDenied"] and "Deleted" not in many
    assert code(s3.delete_bucket, Bucket=LOGS) == "BucketNotEmpty"


@pytest.mark.parametrize("who", ["attacker", "root"])
def test_shortening_weakening_and_removing_the_lock_are_refused(request, who, logs, intact):
    s3 = request.getfixturevalue(who)
    which = {"Bucket": LOGS, "Key": logs["key"], "VersionId": logs["version"], "BypassGovernanceRetention": True}
    for retention in (
        {"Mode": "COMPLIANCE", "RetainUntilDate": in_days(1)}, {"Mode": "GOVERNANCE", "RetainUntilDate": in_days(999)}, {},
    ):
        assert refused(s3.put_object_retention, Retention=retention, **which) == LOCKED, retention
    suspend = {"Status": "Suspended"}
    assert code(s3.put_bucket_versioning, Bucket=LOGS, VersioningConfiguration=suspend) == "InvalidBucketState"
    disable = {"ObjectLockEnabled": "Disabled"}
    assert code(s3.put_object_lock_configuration, Bucket=LOGS, ObjectLockConfiguration=disable) == "MalformedXML"


def test_hiding_and_overwriting_leave_a_record_and_the_version(server, root, attacker, logs, intact):
    """Recorded with an intact copy: a delete marker and a new version hide the log, and both can be taken away."""
    bucket = fresh("watching")
    trail = make_trail(server, fresh("watch"), bucket)
    server.client("cloudtrail").put_event_selectors(TrailName=trail, AdvancedEventSelectors=everything_selected())
    marker = attacker.delete_object(Bucket=LOGS, Key=logs["key"])["VersionId"]
    forged = attacker.put_object(Bucket=LOGS, Key=logs["key"], Body=b"forged")["VersionId"]
    assert root.get_object(Bucket=LOGS, Key=logs["key"])["Body"].read() == b"forged"
    assert root.get_object(Bucket=LOGS, Key=logs["key"], VersionId=logs["version"])["Body"].read() == b"evidence"

    def seen(name, version):
        return [
            event for event in delivered(server, bucket)
            if event["eventName"] == name and (event.get("responseElements") or {}).get("x-amz-version-id") == version
        ]
    for name, version in (("DeleteObject", marker), ("PutObject", forged)):
        [event] = eventually(lambda name=name, version=version: seen(name, version), timeout=60)
        assert event["requestParameters"]["key"] == logs["key"] and event["userIdentity"]["type"] == "IAMUser"
    root.delete_object(Bucket=LOGS, Key=logs["key"], VersionId=marker)


def test_a_default_that_is_taken_off_is_recorded_and_frees_nothing(server, root, attacker, logs, intact):
    """Recorded with an intact copy: what was locked stays locked; the change is in the event history."""
    attacker.put_object_lock_configuration(Bucket=LOGS, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    assert refused(root.delete_object, Bucket=LOGS, Key=logs["key"], VersionId=logs["version"]) == LOCKED
    records = looked_up(server, "PutBucketObjectLockConfiguration", count=2)
    assert records[0]["requestParameters"]["bucketName"] == LOGS
    root.put_object_lock_configuration(Bucket=LOGS, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}})


def test_refused_deletions_of_locks_are_recorded_too(server, attacker, logs, intact):
    """Refused, and recorded: an attempt to open the bucket to the public."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{LOGS}", f"arn:aws:s3:::{LOGS}/*"],
    }]})
    assert code(attacker.put_bucket_policy, Bucket=LOGS, Policy=policy) == "AccessDenied"
    assert code(attacker.put_bucket_acl, Bucket=LOGS, ACL="public-read") == "AccessControlListNotSupported"
    assert code(attacker.put_object_acl, Bucket=LOGS, Key=logs["key"], ACL="public-read") == "AccessControlListNotSupported"
    assert requests.get(f"{server.endpoint}/{LOGS}/{logs['key']}", timeout=10).status_code == 403
    records = looked_up(server, "PutBucketPolicy")
    assert any(record.get("errorCode") == "AccessDenied" for record in records)


def test_replaying_an_mfa_code_is_refused(server, root):
    phone = give(server.client("iam"), "root", fresh("phone"))
    bucket = fresh("mfa-logs")
    root.create_bucket(Bucket=bucket)
    root.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"},
        MFA=f"{phone.serial} {phone.fresh()}")
    versions = [root.put_object(Bucket=bucket, Key="k", Body=b"evidence")["VersionId"] for _ in range(2)]
    once = f"{phone.serial} {phone.fresh()}"
    root.delete_object(Bucket=bucket, Key="k", VersionId=versions[0], MFA=once)
    for _ in range(3):
        assert code(root.delete_object, Bucket=bucket, Key="k", VersionId=versions[1], MFA=once) == "AccessDenied"
    suspend = {"Status": "Suspended", "MFADelete": "Disabled"}
    assert code(root.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=suspend, MFA=once) == "AccessDenied"
    assert root.get_object(Bucket=bucket, Key="k", VersionId=versions[1])["Body"].read() == b"evidence"


def test_a_policy_that_denies_deleting_binds_administrators_and_root_as_the_seed_writes_it(server, root, attacker):
    """The first seed's bucket policy, names filled in: refused to everyone but its role, root included. Root may
    still change the policy, as AWS lets it, and that is recorded."""
    bucket = fresh("seed-logs")
    root.create_bucket(Bucket=bucket)
    root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = root.put_object(Bucket=bucket, Key="k", Body=b"evidence")["VersionId"]
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "DenyDeleteCloudTrailLogs", "Effect": "Deny", "Principal": "*",
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {"StringNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/AdminRole"}},
        }],
    }))
    for s3 in (root, attacker):
        assert code(s3.delete_object, Bucket=bucket, Key="k") == "AccessDenied"
        assert code(s3.delete_object, Bucket=bucket, Key="k", VersionId=version) == "AccessDenied"
        many = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": version}, {"Key": "k"}]})
        assert [error["Code"] for error in many["Errors"]] == ["AccessDenied"] * 2
    assert root.get_object(Bucket=bucket, Key="k")["VersionId"] == version
    root.delete_bucket_policy(Bucket=bucket)
    assert any(r["requestParameters"]["bucketName"] == bucket for r in looked_up(server, "DeleteBucketPolicy"))


def test_a_session_of_the_seeds_role_may_delete(server, root):
    """The other half of that policy: the role that it names is let through."""
    iam, sts = server.client("iam"), server.client("sts")
    bucket = fresh("role-logs")
    name, who = person(iam, EVERYTHING)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}, "Action": "sts:AssumeRole"}]})
    role = iam.create_role(RoleName="AdminRole", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="AdminRole", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [EVERYTHING]}))
    root.create_bucket(Bucket=bucket)
    root.put_object(Bucket=bucket, Key="k", Body=b"x")
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
        "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": {"StringNotEquals": {"aws:PrincipalArn": role}}}]}))
    assert code(server.client("s3", **who).delete_object, Bucket=bucket, Key="k") == "AccessDenied"
    given = server.client("sts", **who).assume_role(RoleArn=role, RoleSessionName="night-shift")["Credentials"]
    as_role = server.client(
        "s3", key=given["AccessKeyId"], secret=given["SecretAccessKey"], token=given["SessionToken"])
    as_role.delete_object(Bucket=bucket, Key="k")
    assert sts.get_caller_identity()["Account"] == ACCOUNT


TRICKS = [
    "../protected-logs/AWSLogs/log.json.gz", "..%2fescape", "a/../../../../etc/passwd", "%2e%2e/%2e%2e/x", "./.", "..",
    "/etc/passwd", "//double//", "C:\\windows\\system32", "a\u202egpj.gz", "AWSLogs/log.json.gz\u200b", "\ufeffbom",
    "é" * 512, "-rf", "a" * 1024, "~root", "index.redb", "blobs/00/../../index.redb",
]


@pytest.mark.parametrize("key", TRICKS, ids=[f"{n}" for n in range(len(TRICKS))])
def test_a_key_is_a_name_and_never_a_path(server, root, attacker, logs, intact, key):
    """Stored as what it says and nothing else: a key names no file, and no two spellings are one key."""
    bucket = "path-tricks"
    if bucket not in [b["Name"] for b in root.list_buckets()["Buckets"]]:
        root.create_bucket(Bucket=bucket)
    before = {path for path in server.folder.rglob("*") if path.is_dir()}
    attacker.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert attacker.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    listed = attacker.list_objects_v2(Bucket=bucket, Prefix=key, EncodingType="url")["Contents"]
    assert key in [urllib.parse.unquote(found["Key"]) for found in listed]
    attacker.delete_object(Bucket=bucket, Key=key)
    fresh_folders = {path for path in server.folder.rglob("*") if path.is_dir()} - before
    assert all(len(path.name) == 2 for path in fresh_folders), fresh_folders
    for outside in ("etc", "escape", "passwd"):
        assert not list(server.folder.rglob(outside))


def raw(server, target, method="GET"):
    """A request line that no client would send; the status line of the answer, if there is one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as peer:
        peer.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return peer.makefile("rb").readline().decode(errors="replace")


def test_keys_that_are_none_are_refused(server, root, logs, intact):
    """Refused: too long, not text, a NUL byte; and unsigned tricks in the request line reach nothing."""
    assert code(root.put_object, Bucket=LOGS, Key="a" * 1025, Body=b"") == "KeyTooLongError"
    assert code(root.put_object, Bucket=LOGS, Key="é" * 513, Body=b"") == "KeyTooLongError"
    for bad in ("%ff%fe", "%c0%ae%c0%ae", "%ed%a0%80"):
        assert send(server, "PUT", f"/{LOGS}/{bad}", b"x", service="s3").status_code in (400, 403), bad
    for target in (
        f"/{LOGS}/../{LOGS}/{logs['key']}", f"/x/%2e%2e/{LOGS}/{logs['key']}", f"//{LOGS}/{logs['key']}",
        f"/{LOGS}%2f{logs['key']}", f"/{LOGS}/{logs['key']}%00",
    ):
        status = raw(server, target).split(" ")
        assert len(status) < 2 or status[1] in ("400", "403", "404"), (target, status)


def test_settings_through_tricks_in_the_query_and_the_headers_are_refused(server, attacker, logs, intact):
    """Refused: a version id that is none, two of them, an override by header, a lock named twice."""
    which = {"Bucket": LOGS, "Key": logs["key"]}
    assert code(attacker.get_object, VersionId="../../x", **which) == "NoSuchVersion"
    attacker.delete_object(VersionId="' OR 1=1", **which)
    twice = f"/{LOGS}/{logs['key']}?versionId=absent&versionId={logs['version']}"
    assert send(server, "DELETE", twice, service="s3").status_code in (204, 400, 403)
    override = {"x-http-method-override": "DELETE", "x-amz-bypass-governance-retention": "true"}
    send(server, "POST", f"/{LOGS}/{logs['key']}?versionId={logs['version']}", b"", service="s3", headers=override)
    earlier = {"x-amz-object-lock-retain-until-date": "2020-01-01T00:00:00Z", "x-amz-object-lock-mode": "COMPLIANCE"}
    past = send(server, "PUT", f"/{LOGS}/new", b"x", service="s3",
                headers={**earlier, "Content-MD5": "ndTkYSaMgDT1yFZOFVxnpg=="})
    assert (past.status_code, "must be in the future" in past.text) == (400, True), past.text


@pytest.mark.parametrize("nobody", [f"{ACCOUNT}:user/to-come", f"{ACCOUNT}:role/to-come", "210987654321:user/unknown"])
def test_a_policy_for_somebody_who_is_still_to_come_is_refused(root, logs, intact, nobody):
    """Refused: whoever could make a user of that name later would have what the policy gives."""
    policy = {"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{nobody}"}, "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{LOGS}/*"}}
    said = refused(root.put_bucket_policy, Bucket=LOGS, Policy=json.dumps(policy))
    assert said == ("MalformedPolicy", "Invalid principal in policy")
