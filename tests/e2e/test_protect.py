"""``opentrail protect``: a bucket for logs is audited and set up, here and at an endpoint that is not ours."""

import json
import subprocess

import pytest

from authenticator import give
from foreign import Foreign
from identity import EVERYTHING, code, fresh, person, policy
from server import ACCOUNT, REGION, Server, aws_cli, binary, eventually, own_bucket
from test_operations import certificate  # noqa: F401, a fixture
from trail import bucket_policy, keys

ALL = {
    "versioning", "object-lock", "encryption", "lifecycle-transitions", "lifecycle-uploads", "lifecycle-expiration",
    "access-logging", "replication", "cloudtrail-grant", "deny-delete", "tls-only", "public-grant",
    "public-access-block", "mfa-delete",
}
# The tests speak without TLS, which a policy that asks for TLS would end.
PLAIN = ["--skip", "tls-only"]


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3, request):
    name = own_bucket("p", request)
    s3.create_bucket(Bucket=name)
    return name


def trail_arn(name="audit"):
    return f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{name}"


def protect(server, bucket, *flags, code=0):
    """The findings by name."""
    shown = json.loads(server.opentrail("protect", bucket, "--output", "json", *flags, code=code))
    assert shown["bucket"] == bucket
    findings = {finding["finding"]: finding for finding in shown["findings"]}
    assert set(findings) == ALL
    return findings


def states(findings):
    return {name: finding["state"] for name, finding in findings.items()}


def settings(s3, bucket):
    """Everything that protect sets, to compare."""
    asked = {
        "policy": lambda: s3.get_bucket_policy(Bucket=bucket)["Policy"],
        "versioning": lambda: s3.get_bucket_versioning(Bucket=bucket),
        "lock": lambda: s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"],
        "block": lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        "encryption": lambda: s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"],
        "lifecycle": lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
    }
    found = {}
    for name, ask in asked.items():
        answer = ask()
        if isinstance(answer, dict):
            answer.pop("ResponseMetadata", None)
        found[name] = answer
    return found


def test_an_empty_bucket_is_protected_and_stays_so(server, s3, bucket):
    before = protect(server, bucket, "--check", "--trail-arn", trail_arn(), *PLAIN, code=3)
    for name in ["cloudtrail-grant", "deny-delete", "versioning", "object-lock", "lifecycle-transitions"]:
        assert before[name]["state"] == "missing", name
        assert before[name]["why"] and before[name]["how"], name
    # To look changes nothing.
    assert code(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"

    after = protect(server, bucket, "--trail-arn", trail_arn(), *PLAIN)
    assert after["deny-delete"]["changed"] and after["object-lock"]["changed"]
    assert {after[name]["state"] for name in ALL - {"tls-only", "mfa-delete", "access-logging", "replication"}} == {"ok"}

    there = settings(s3, bucket)
    again = protect(server, bucket, "--trail-arn", trail_arn(), *PLAIN)
    assert not any(finding["changed"] for finding in again.values())
    protect(server, bucket, "--check", "--trail-arn", trail_arn(), *PLAIN)
    assert settings(s3, bucket) == there
    assert there["lock"]["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 365}


def test_attacks_on_a_protected_bucket_fail(server, s3, bucket):
    protect(server, bucket, "--trail-arn", trail_arn(), *PLAIN)
    version = s3.put_object(Bucket=bucket, Key="AWSLogs/1/log", Body=b"what happened")["VersionId"]
    _, admin = person(server.client("iam"), EVERYTHING)
    for who in [s3, server.client("s3", **admin)]:
        assert code(who.delete_object, Bucket=bucket, Key="AWSLogs/1/log") == "AccessDenied"
        assert code(who.delete_object, Bucket=bucket, Key="AWSLogs/1/log", VersionId=version) == "AccessDenied"
        bypass = {"VersionId": version, "BypassGovernanceRetention": True}
        assert code(who.delete_object, Bucket=bucket, Key="AWSLogs/1/log", **bypass) == "AccessDenied"
    open_to_all = policy({
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"})
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy=open_to_all) == "AccessDenied"
    # Even once the policy is gone the lock holds.
    s3.delete_bucket_policy(Bucket=bucket)
    assert code(s3.delete_object, Bucket=bucket, Key="AWSLogs/1/log", VersionId=version) == "AccessDenied"
    assert s3.get_object(Bucket=bucket, Key="AWSLogs/1/log")["Body"].read() == b"what happened"


def test_a_trail_delivers_into_a_protected_bucket(server, s3, bucket):
    protect(server, bucket, "--trail-arn", trail_arn(bucket), *PLAIN)
    cloudtrail = server.client("cloudtrail")
    cloudtrail.create_trail(Name=bucket, S3BucketName=bucket)
    cloudtrail.start_logging(Name=bucket)
    server.client("iam").list_users()
    eventually(lambda: keys(server, bucket))
    # The trail is found without being named.
    found = protect(server, bucket, "--check", *PLAIN)
    assert trail_arn(bucket) in found["cloudtrail-grant"]["what"]
    cloudtrail.delete_trail(Name=bucket)


def test_each_weakness_of_a_bucket_is_named(server, s3, bucket):
    s3.delete_public_access_block(Bucket=bucket)
    statements = json.loads(bucket_policy(bucket, "audit"))["Statement"]
    for statement in statements:
        statement["Condition"].get("StringEquals", {}).pop("aws:SourceArn", None)
    deny = {
        "Sid": "AlmostNobody", "Effect": "Deny", "Principal": "*", "Action": "s3:Delete*",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }
    public = {
        "Sid": "Everyone", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:Get*",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(*statements, deny, public))
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}}]})

    found = protect(server, bucket, "--check", "--trail-arn", trail_arn(), code=3)
    assert states(found) | {"encryption": "", "tls-only": ""} == {
        "cloudtrail-grant": "weak", "deny-delete": "weak", "public-grant": "weak", "versioning": "weak",
        "public-access-block": "missing", "object-lock": "missing", "lifecycle-expiration": "weak",
        "lifecycle-transitions": "missing", "lifecycle-uploads": "missing", "tls-only": "", "encryption": "",
        "mfa-delete": "missing", "access-logging": "missing", "replication": "missing",
    }
    assert "confused deputy" in found["cloudtrail-grant"]["what"]
    assert "anyone without credentials may s3:GetObject" in found["public-grant"]["what"]
    assert "tidy" in found["lifecycle-expiration"]["what"]
    assert found["tls-only"]["state"] == "missing"
    assert not found["mfa-delete"]["required"] and "--mfa" in found["mfa-delete"]["how"]
    assert found["versioning"]["how"] == (
        f"aws s3api put-bucket-versioning --bucket {bucket} --endpoint-url {server.endpoint} "
        "--versioning-configuration Status=Enabled")
    table = server.opentrail("protect", bucket, "--check", code=3)
    assert "aws s3api put-bucket-policy" in table and "WEAK" in table and "MISSING" in table

    # Mended, as far as nothing of the owner's has to go.
    mended = protect(server, bucket, "--trail-arn", trail_arn(), *PLAIN, code=3)
    assert {name for name, finding in mended.items() if finding["required"] and finding["state"] == "weak"} == {
        "lifecycle-expiration"}
    sids = [s.get("Sid") for s in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]]
    assert {"AlmostNobody", "Everyone", "AWSCloudTrailWrite20150319"} <= set(sids)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert "tidy" in {rule["ID"] for rule in rules} and len(rules) == 3


def test_a_command_that_is_shown_mends(server, s3, bucket):
    """Whoever prefers the AWS CLI copies the line."""
    found = protect(server, bucket, "--check", "--trail-arn", trail_arn(), *PLAIN, code=3)
    for name in ["versioning", "lifecycle-uploads", "deny-delete"]:
        run(server, found[name]["how"])
    after = protect(server, bucket, "--check", "--trail-arn", trail_arn(), *PLAIN, code=3)
    assert {after[name]["state"] for name in ["versioning", "lifecycle-uploads", "deny-delete"]} == {"ok"}


def test_all_commands_that_are_shown_mend_together(server, s3, bucket):
    """One after the other, on an empty bucket."""
    flags = ["--check", "--trail-arn", trail_arn(), "--expire-days", "400"]
    found = protect(server, bucket, *flags, code=3)
    # Without TLS, what asks for TLS would end the run.
    assert "--endpoint https" in found["tls-only"]["how"] and "without TLS" in found["tls-only"]["note"]
    assert not any("SecureTransport" in finding.get("how", "") for finding in found.values())
    shown = commands(found)
    assert set(shown) >= {
        "versioning", "object-lock", "cloudtrail-grant", "deny-delete", "lifecycle-transitions", "lifecycle-uploads",
        "lifecycle-expiration"}
    for command in shown.values():
        run(server, command)
    after = protect(server, bucket, *flags, *PLAIN)
    assert {after[name]["state"] for name in shown} == {"ok"}
    assert len(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]) == 3


def test_a_command_keeps_what_is_there(server, s3, bucket):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "a & b", "Status": "Enabled", "Filter": {"And": {"Prefix": "x/", "Tags": [{"Key": "k", "Value": "1"}]}},
         "Expiration": {"Days": 7}}]})
    own = {"Sid": "Own", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
           "Resource": f"arn:aws:s3:::{bucket}/x"}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(own))
    there = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    found = protect(server, bucket, "--check", "--trail-arn", trail_arn(), *PLAIN, code=3)
    assert "choose one" in found["mfa-delete"]["note"] and "the bucket has" in found["mfa-delete"]["note"]
    for command in commands(found).values():
        run(server, command)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rules[0] == there[0] and len(rules) == 3
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0] == own
    protect(server, bucket, "--check", "--trail-arn", trail_arn(), *PLAIN)


def test_a_retention_that_is_there_changes_only_when_asked(server, s3, bucket):
    flags = ["--trail-arn", trail_arn(), *PLAIN]

    def lock(*more, code=0):
        found = protect(server, bucket, *flags, *more, code=code)["object-lock"]
        held = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        return found, held["Rule"]["DefaultRetention"]

    protect(server, bucket, *flags, "--lock-days", "1")
    found, held = lock(code=3)
    assert held == {"Mode": "GOVERNANCE", "Days": 1}
    assert found["state"] == "weak" and found["what"] == "GOVERNANCE for 1 day, less than 365 days"
    assert "--lock-days 365" in found["note"]
    run(server, found["how"])
    _, held = lock()
    assert held == {"Mode": "GOVERNANCE", "Days": 365}
    found, held = lock("--lock-mode", "COMPLIANCE", "--lock-days", "30", code=3)
    assert held == {"Mode": "GOVERNANCE", "Days": 365}
    assert found["state"] == "weak" and "not changed to COMPLIANCE for 30 days" in found["what"]
    assert not found["how"].startswith("aws")
    found, held = lock("--lock-mode", "COMPLIANCE", "--lock-days", "366")
    assert found["changed"] and held == {"Mode": "COMPLIANCE", "Days": 366}


def commands(findings):
    """What is shown for whoever prefers the AWS CLI, by finding; without what is only recommended."""
    shown = {name: finding.get("how", "") for name, finding in findings.items() if finding["required"]}
    return {name: how for name, how in shown.items() if how.startswith("aws ")}


def run(server, command):
    done = subprocess.run(
        command.replace("aws ", "$AWS ", 1), shell=True, capture_output=True, text=True,
        env={**server.cli_env(), "AWS": aws_cli()})
    assert done.returncode == 0, done.stderr


def test_an_administrators_role_may_be_left_out(server, s3, bucket):
    role = f"arn:aws:iam::{ACCOUNT}:role/log-admin"
    flags = ["--trail-arn", trail_arn(), "--admin-role", role, "--skip", "object-lock", *PLAIN]
    found = protect(server, bucket, *flags)
    assert role in found["deny-delete"]["what"]
    protect(server, bucket, "--check", *flags)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert code(s3.delete_object, Bucket=bucket, Key="k") == "AccessDenied"
    # Root is not that role, and neither is its account.
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][-1]["Condition"] == {
        "ArnNotEquals": {"aws:PrincipalArn": [role]}}


def test_access_logs_kms_and_mfa_delete(server, s3, bucket):
    target = bucket.replace("p-", "t-", 1)
    s3.create_bucket(Bucket=target)
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    phone = give(server.client("iam"), "root", fresh("root-phone"))
    flags = ["--trail-arn", trail_arn(), "--access-log-bucket", target, "--kms-key", key, *PLAIN]
    found = protect(server, bucket, *flags, "--mfa", f"{phone.serial} {phone.fresh()}")
    assert found["mfa-delete"]["changed"] and found["access-logging"]["changed"] and found["encryption"]["changed"]
    assert s3.get_bucket_versioning(Bucket=bucket)["MFADelete"] == "Enabled"
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]["TargetBucket"] == target
    assert "logging.s3.amazonaws.com" in s3.get_bucket_policy(Bucket=target)["Policy"]
    strict = protect(server, bucket, "--check", "--strict", *flags, code=3)
    # S3 has MFA delete or lifecycle rules, not both.
    assert {name for name, finding in strict.items() if finding["state"] == "missing"} == {
        "replication", "lifecycle-transitions", "lifecycle-uploads"}
    server.client("iam").deactivate_mfa_device(UserName="root", SerialNumber=phone.serial)


def test_who_may_not_look_is_told_so(server, s3, bucket):
    _, nobody = person(server.client("iam"))

    def look():
        return subprocess.run(
            [binary(), "protect", bucket, "--check", "--output", "json"], env=server.cli_env(**credentials),
            capture_output=True, text=True, timeout=120)

    credentials = nobody
    done = look()
    assert done.returncode == 1 and "AccessDenied" in done.stderr, done.stdout + done.stderr
    _, credentials = person(server.client("iam"), {
        "Effect": "Allow", "Action": "s3:GetBucketVersioning", "Resource": "*"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    done = look()
    assert done.returncode == 4, done.stdout + done.stderr
    findings = {finding["finding"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert findings["versioning"]["state"] == "ok" and findings["access-logging"]["state"] == "unknown"
    assert not findings["access-logging"]["required"] and findings["deny-delete"]["required"]
    server.opentrail("protect", "no-such-bucket-here", "--check", code=1)
    server.opentrail("protect", bucket, "--check", "--endpoint", "http://127.0.0.1:1", code=1)
    server.opentrail("protect", bucket, "--check", "--trail-arn", "arn:aws:iam::1:user/a", code=1)
    server.opentrail("protect", "Not A Bucket", "--check", code=1)


def test_over_tls_everything_can_be_asked_for(tmp_path, certificate, monkeypatch):
    authority, chain, key = map(str, certificate)
    for variable in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, authority)
    server = Server(tmp_path, "--tls-certificate", chain, "--tls-key", key)
    server.endpoint = server.endpoint.replace("http:", "https:")
    with server:
        s3, cloudtrail = server.client("s3"), server.client("cloudtrail")
        s3.create_bucket(Bucket="logs")
        shown = commands(protect(server, "logs", "--check", "--trail-arn", trail_arn(), code=3))
        whole = {shown[name] for name in ["cloudtrail-grant", "deny-delete", "tls-only"]}
        assert len(whole) == 1 and "SecureTransport" in whole.pop()
        found = protect(server, "logs", "--trail-arn", trail_arn())
        assert found["tls-only"]["changed"]
        protect(server, "logs", "--check", "--trail-arn", trail_arn())
        cloudtrail.create_trail(Name="audit", S3BucketName="logs")
        cloudtrail.start_logging(Name="audit")
        # What the server itself delivers counts as come over TLS: it never leaves the process.
        eventually(lambda: keys(server, "logs"))


@pytest.fixture(scope="module")
def foreign():
    with Foreign() as running:
        yield running


class TestAForeignEndpoint:
    """The same, where only S3's API is known."""

    def run(self, server, foreign, bucket, *flags, code=0):
        return protect(server, bucket, "--endpoint", foreign.endpoint, *flags, code=code)

    def test_it_is_protected(self, server, foreign):
        s3 = foreign.s3()
        s3.create_bucket(Bucket="logs", ObjectLockEnabledForBucket=True)
        flags = ["--trail-arn", trail_arn(), *PLAIN]
        before = self.run(server, foreign, "logs", "--check", *flags, code=3)
        assert before["deny-delete"]["state"] == "missing"
        after = self.run(server, foreign, "logs", *flags)
        assert after["object-lock"]["state"] == after["lifecycle-transitions"]["state"] == "ok"
        s3.create_bucket(Bucket="copies")
        s3.put_bucket_versioning(Bucket="copies", VersioningConfiguration={"Status": "Enabled"})
        copy = ["--replica-bucket", "copies", "--replication-role", f"arn:aws:iam::{ACCOUNT}:role/copies"]
        copied = self.run(server, foreign, "logs", *flags, *copy)["replication"]
        assert copied["state"] == "ok" and "x-amz-replication-status" in copied["what"]
        again = self.run(server, foreign, "logs", *flags)
        assert not any(finding["changed"] for finding in again.values())
        statements = json.loads(s3.get_bucket_policy(Bucket="logs")["Policy"])["Statement"]
        assert {"OpentrailDenyDelete", "OpentrailCloudTrailWrite"} <= {s["Sid"] for s in statements}
        assert s3.get_bucket_versioning(Bucket="logs")["Status"] == "Enabled"

    def test_without_cloudtrail_the_trail_has_to_be_named(self, server, foreign):
        foreign.s3().create_bucket(Bucket="unnamed")
        found = self.run(server, foreign, "unnamed", "--check", *PLAIN, code=3)
        assert "--trail-arn" in found["cloudtrail-grant"]["how"]
