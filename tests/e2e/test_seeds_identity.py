"""The five seeds, continued: their steps on identities and accounts, done with the real AWS CLI.

As in ``test_seeds.py``, which has the steps on buckets, keys and trails: a class for each guide, its steps in its order
and with its names. One organization has the accounts that they speak of: the management account, ``security`` for the
logs, and ``dev``, ``staging`` and ``prod``.
"""

import gzip
import json
import subprocess

import pytest

from accounts import Accounts, central_key_policy, organization_bucket_policy
from authenticator import give
from identity import EVERYTHING, allow, deny, person, policy, session, trust
from server import ACCOUNT, REGION, Server, aws_cli, binary, eventually

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
CLOUDTRAIL_ADMINISTRATOR = "arn:aws:iam::aws:policy/AWSCloudTrail_FullAccess"
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
WITHOUT_MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}


def trail_arn(account, name):
    return f"arn:aws:cloudtrail:{REGION}:{account}:trail/{name}"


@pytest.fixture(scope="module")
def organization(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("seeds")) as server:
        accounts = Accounts(server)
        accounts.trust_cloudtrail()
        for name in ("security", "dev", "staging", "prod"):
            accounts.make(name)
        yield accounts


class Seed:
    """The accounts, and the AWS CLI in each of them."""

    @pytest.fixture(scope="class", autouse=True)
    def guide(self, request, organization):
        request.cls.accounts = organization
        request.cls.server = organization.server

    def aws(self, account, *arguments, **more):
        return self.accounts.aws(account, *arguments, **more)

    def records(self, bucket, folder, account="security"):
        """Every record of the log files below a folder, as an administrator of the account reads them."""
        s3 = self.accounts.client(account, "s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
        found = []
        for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            found += json.loads(gzip.decompress(body))["Records"]
        return found

    def has_user(self, bucket, folder, name, account="security"):
        """Waits until a log file below the folder tells of a new user."""
        def find():
            made = [r for r in self.records(bucket, folder, account) if r["eventName"] == "CreateUser"]
            return [r for r in made if (r["requestParameters"] or {}).get("userName") == name]

        return eventually(find, timeout=90, every=0.3)

    def is_valid(self, who, arn, *more):
        """``aws cloudtrail validate-logs``, once there is a digest with log files in it."""
        def check():
            done = subprocess.run(
                [aws_cli(), "cloudtrail", "validate-logs", "--trail-arn", arn,
                 "--start-time", "2026-01-01T00:00:00Z", *more],
                env=self.server.cli_env(**who), capture_output=True, text=True, timeout=120,
            )
            assert done.returncode == 0 and "INVALID" not in done.stdout, done.stdout + done.stderr
            return "log files valid" in done.stdout

        eventually(check, timeout=60, every=1)

    def central_bucket(self, bucket, *statements):
        """A bucket of the security account for the trails that the statements let in."""
        self.aws("security", "s3api", "create-bucket", "--bucket", bucket)
        self.aws("security", "s3api", "put-bucket-policy", "--bucket", bucket, "--policy", policy(*statements))

    def lets_in(self, bucket, sources):
        """The statements that AWS documents for a bucket of several accounts' trails."""
        service = {"Service": "cloudtrail.amazonaws.com"}
        arns = [trail_arn(account, name) for account, name in sources]
        folders = [f"arn:aws:s3:::{bucket}/AWSLogs/{account}/*" for account, _ in sources]
        return (
            {"Sid": "AWSCloudTrailAclCheck20131101", "Effect": "Allow", "Principal": service,
             "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}",
             "Condition": {"StringEquals": {"aws:SourceArn": arns}}},
            {"Sid": "AWSCloudTrailWrite20131101", "Effect": "Allow", "Principal": service,
             "Action": "s3:PutObject", "Resource": folders,
             "Condition": {"StringEquals": {
                 "aws:SourceArn": arns, "s3:x-amz-acl": "bucket-owner-full-control"}}},
        )


class TestSeed0SetupAndProtectionGuide(Seed):
    """``000_3b5c4ef3839c8b3a.txt``: "CloudTrail Setup and Protection Guide"."""

    bucket, arn = "aws-cloudtrail-logs-organisation", trail_arn(ACCOUNT, "SecurityAuditTrail")

    def test_step_1_enable_for_all_accounts_in_my_organisation(self):
        accounts = self.accounts
        self.aws("management", "s3api", "create-bucket", "--bucket", self.bucket)
        self.aws("management", "s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 organization_bucket_policy(self.bucket, self.arn, accounts.id))
        made = self.aws("management", "cloudtrail", "create-trail", "--name", "SecurityAuditTrail",
                        "--s3-bucket-name", self.bucket, "--is-organization-trail", "--is-multi-region-trail",
                        "--enable-log-file-validation")
        assert made["IsOrganizationTrail"] and made["IsMultiRegionTrail"] and made["LogFileValidationEnabled"]
        self.aws("management", "cloudtrail", "start-logging", "--name", "SecurityAuditTrail")
        for name in ("management", "dev"):
            self.aws(name, "iam", "create-user", "--user-name", f"seed-0-{name}")
            folder = f"AWSLogs/{accounts.id}/{accounts.ids[name]}/CloudTrail/"
            self.has_user(self.bucket, folder, f"seed-0-{name}", "management")
        self.is_valid(accounts.admin, self.arn, "--account-id", accounts.ids["dev"])

    def test_best_practice_mfa_for_cloudtrail_management(self):
        """"Enabling MFA for CloudTrail Management: prevents unauthorized users from modifying or disabling the trail." """
        iam = self.server.client("iam")
        name, keys = person(iam, allow("cloudtrail:*"), allow("sts:GetSessionToken"), deny(
            ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail",
             "cloudtrail:PutEventSelectors"], condition=WITHOUT_MFA,
        ))
        device = give(iam, name)
        stop = ["cloudtrail", "stop-logging", "--name", "SecurityAuditTrail"]
        delete = ["cloudtrail", "delete-trail", "--name", "SecurityAuditTrail"]
        select = ["cloudtrail", "put-event-selectors", "--trail-name", "SecurityAuditTrail", "--event-selectors",
                  '[{"ReadWriteType": "All"}]']
        move = ["cloudtrail", "update-trail", "--name", "SecurityAuditTrail", "--s3-bucket-name", "elsewhere"]
        for change in (stop, delete, select, move):
            assert self.server.aws(*change, ok=False, **keys) == "AccessDeniedException", "a stolen key stops nothing"
        without = session(self.server.aws("sts", "get-session-token", **keys)["Credentials"])
        assert self.server.aws(*stop, ok=False, **without) == "AccessDeniedException"
        opened = self.server.aws("sts", "get-session-token", "--serial-number", device.serial,
                                 "--token-code", device.fresh(), **keys)["Credentials"]
        self.server.aws(*select, **session(opened))
        status = self.server.aws("cloudtrail", "get-trail-status", "--name", "SecurityAuditTrail")
        assert status["IsLogging"]

    def test_best_practice_only_authorized_personnel_view_or_modify(self):
        """"Using Amazon S3 Bucket Policies: ensuring that only authorized personnel can view or modify them." """
        listing = ["s3api", "list-objects-v2", "--bucket", self.bucket, "--max-keys", "1"]
        for name in ("dev", "security"):
            assert self.aws(name, *listing, ok=False) == "AccessDenied"
        auditor, keys = person(self.server.client("iam"))
        assert self.server.aws(*listing, ok=False, **keys) == "AccessDenied"
        self.aws("management", "iam", "attach-user-policy", "--user-name", auditor, "--policy-arn", READ_ONLY)
        key = self.server.aws(*listing, **keys)["Contents"][0]["Key"]
        assert self.server.aws("s3api", "delete-object", "--bucket", self.bucket, "--key", key,
                               ok=False, **keys) == "AccessDenied"
        assert self.server.aws("cloudtrail", "stop-logging", "--name", "SecurityAuditTrail",
                               ok=False, **keys) == "AccessDeniedException"


class TestSeed1DeliverToAProtectedBucket(Seed):
    """``001_bfdf1abc956114da.txt``: "ACCT.07 - Deliver CloudTrail Logs to a Protected S3 Bucket"."""

    bucket, linked = "myorg-central-logging", ("dev", "staging")

    def test_cross_account_logging_1_and_2_a_central_account_and_its_buckets_permissions(self):
        sources = [(self.accounts.ids[name], "MyOrganization-CloudTrail") for name in self.linked]
        self.central_bucket(self.bucket, *self.lets_in(self.bucket, sources))

    def test_cross_account_logging_3_point_all_account_trails_to_the_central_bucket(self):
        for name in self.linked:
            self.aws(name, "cloudtrail", "create-trail", "--name", "MyOrganization-CloudTrail", "--s3-bucket-name",
                     self.bucket, "--is-multi-region-trail", "--enable-log-file-validation")
            self.aws(name, "cloudtrail", "start-logging", "--name", "MyOrganization-CloudTrail")
            self.aws(name, "iam", "create-user", "--user-name", f"seed-1-{name}")
        for name in self.linked:
            folder = f"AWSLogs/{self.accounts.ids[name]}/CloudTrail/"
            (record,) = self.has_user(self.bucket, folder, f"seed-1-{name}")
            assert record["recipientAccountId"] == self.accounts.ids[name]

    def test_cross_account_logging_an_account_that_is_not_named_does_not_write(self):
        assert self.aws("prod", "cloudtrail", "create-trail", "--name", "MyOrganization-CloudTrail",
                        "--s3-bucket-name", self.bucket, ok=False) == "InsufficientS3BucketPolicyException"

    def test_verification_the_central_account_validates_what_came(self):
        """The CLI cannot describe another account's trail: it is told the bucket."""
        for name in self.linked:
            arn = trail_arn(self.accounts.ids[name], "MyOrganization-CloudTrail")
            self.is_valid(self.accounts.sessions["security"], arn, "--s3-bucket", self.bucket)

            def is_valid(arn=arn):
                """Whoever owns the bucket may ask about the chains of what is written into it."""
                done = subprocess.run(
                    [binary(), "validate", "--trail-arn", arn], capture_output=True, text=True, timeout=120,
                    env=self.server.cli_env(**self.accounts.sessions["security"]),
                )
                assert done.returncode in (0, 4), done.stdout + done.stderr
                return done.returncode == 0

            eventually(is_valid, timeout=60, every=1)

    def test_the_linked_accounts_own_nothing_there(self):
        key = (self.aws("security", "s3api", "list-objects-v2", "--bucket", self.bucket))["Contents"][0]["Key"]
        delete = ["s3api", "delete-object", "--bucket", self.bucket, "--key", key]
        for name in self.linked:
            assert self.aws(name, *delete, ok=False) == "AccessDenied"
            assert self.aws(name, "s3api", "get-object", "--bucket", self.bucket, "--key", key, "/dev/null",
                            ok=False) == "AccessDenied"


class TestSeed2DeepDive(Seed):
    """``002_4040a8419181fa0b.txt``: "AWS CloudTrail Deep Dive"."""

    bucket = "deep-dive-master-account"

    def test_cross_account_a_master_account_receives_logs_of_linked_accounts(self):
        """"Set up a master account to receive logs from multiple linked accounts", with a key of the master account
        (best practice 2), which here is ``security``."""
        sources = [(self.accounts.ids[name], "MyCloudTrail") for name in ("dev", "prod")]
        self.central_bucket(self.bucket, *self.lets_in(self.bucket, sources))
        linked = [account for account, _ in sources]
        key = self.aws("security", "kms", "create-key", "--policy",
                       central_key_policy(self.accounts.ids["security"], linked))["KeyMetadata"]["Arn"]
        for name in ("dev", "prod"):
            self.aws(name, "cloudtrail", "create-trail", "--name", "MyCloudTrail", "--s3-bucket-name", self.bucket,
                     "--is-multi-region-trail", "--enable-log-file-validation", "--kms-key-id", key)
            self.aws(name, "cloudtrail", "start-logging", "--name", "MyCloudTrail")
            self.aws(name, "iam", "create-user", "--user-name", f"seed-2-{name}")
        for name in ("dev", "prod"):
            folder = f"AWSLogs/{self.accounts.ids[name]}/CloudTrail/"
            self.has_user(self.bucket, folder, f"seed-2-{name}")
        self.is_valid(self.accounts.sessions["security"], trail_arn(linked[0], "MyCloudTrail"),
                      "--s3-bucket", self.bucket)

    def test_cross_account_roles_grant_access_across_accounts(self, tmp_path):
        """"Use IAM roles to grant permissions": CloudTrail itself needs none to deliver, its bucket's policy is what
        lets it; roles are for the people of the linked accounts, each of whom reads its own account's folder."""
        dev = self.accounts.ids["dev"]
        folder = f"AWSLogs/{dev}"
        self.aws("security", "iam", "create-role", "--role-name", "LogReaderOfDev", "--assume-role-policy-document",
                 trust({"AWS": f"arn:aws:iam::{dev}:root"}))
        reads = policy(
            allow("s3:GetObject", f"arn:aws:s3:::{self.bucket}/{folder}/*"),
            allow("s3:ListBucket", f"arn:aws:s3:::{self.bucket}", {"StringLike": {"s3:prefix": f"{folder}/*"}}),
            allow("kms:Decrypt"),
        )
        self.aws("security", "iam", "put-role-policy", "--role-name", "LogReaderOfDev", "--policy-name", "read",
                 "--policy-document", reads)
        role = self.aws("dev", "sts", "assume-role", "--role-session-name", "reader", "--role-arn",
                        f"arn:aws:iam::{self.accounts.ids['security']}:role/LogReaderOfDev")["Credentials"]
        listed = self.server.aws("s3api", "list-objects-v2", "--bucket", self.bucket, "--prefix", f"{folder}/",
                                 **session(role))["Contents"]
        log = next(entry["Key"] for entry in listed if "/CloudTrail/" in entry["Key"])
        self.server.aws("s3api", "get-object", "--bucket", self.bucket, "--key", log, str(tmp_path / "log"),
                        **session(role))
        assert gzip.decompress((tmp_path / "log").read_bytes()).startswith(b'{"Records":[')
        others = f"AWSLogs/{self.accounts.ids['prod']}/"
        assert self.server.aws("s3api", "list-objects-v2", "--bucket", self.bucket, "--prefix", others,
                               ok=False, **session(role)) == "AccessDenied"
        assert self.server.aws("s3api", "delete-object", "--bucket", self.bucket, "--key", log,
                               ok=False, **session(role)) == "AccessDenied"

    def test_troubleshooting_check_permissions(self):
        """"Ensure CloudTrail has the correct permissions": without them GetTrailStatus says why, and with them again
        everything comes."""
        sources = [(self.accounts.ids[name], "MyCloudTrail") for name in ("dev", "prod")]
        put = ["s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy"]
        self.aws("security", *put, policy(*self.lets_in(self.bucket, sources[1:])))
        self.aws("dev", "iam", "create-user", "--user-name", "held-back")

        def error():
            return self.aws("dev", "cloudtrail", "get-trail-status", "--name", "MyCloudTrail").get("LatestDeliveryError")

        assert eventually(error, timeout=60, every=1) == "AccessDenied"
        self.aws("security", *put, policy(*self.lets_in(self.bucket, sources)))
        eventually(lambda: not error(), timeout=60, every=1)


class TestSeed3DayOneSetup(Seed):
    """``003_23b8d195e0759952.txt``, "What Production Actually Looks Like: Multi-Account Organization Setup"."""

    bucket, arn = "security-account-central-logs", trail_arn(ACCOUNT, "Org-Trail")

    def test_production_an_organization_trail_into_the_security_accounts_bucket(self):
        """"Member Accounts (Dev, Staging, Prod) - all logs flow to one place"."""
        accounts = self.accounts
        self.aws("security", "s3api", "create-bucket", "--bucket", self.bucket, "--object-lock-enabled-for-bucket")
        self.aws("security", "s3api", "put-object-lock-configuration", "--bucket", self.bucket,
                 "--object-lock-configuration", json.dumps({
                     "ObjectLockEnabled": "Enabled",
                     "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}))
        self.aws("security", "s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 organization_bucket_policy(self.bucket, self.arn, accounts.id))
        self.aws("management", "cloudtrail", "create-trail", "--name", "Org-Trail", "--s3-bucket-name", self.bucket,
                 "--is-organization-trail", "--is-multi-region-trail", "--enable-log-file-validation")
        self.aws("management", "cloudtrail", "start-logging", "--name", "Org-Trail")
        for name in ("dev", "staging", "prod"):
            self.aws(name, "iam", "create-user", "--user-name", f"seed-3-{name}")
        for name in ("dev", "staging", "prod"):
            folder = f"AWSLogs/{accounts.id}/{accounts.ids[name]}/CloudTrail/"
            self.has_user(self.bucket, folder, f"seed-3-{name}")

    def test_production_cross_account_access_for_security_and_audit_teams(self):
        """An audit team of another account takes a read-only role in the security account, with MFA, and validates."""
        accounts = self.accounts
        self.aws("security", "iam", "create-role", "--role-name", "AuditTeam", "--assume-role-policy-document",
                 trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, WITH_MFA))
        self.aws("security", "iam", "attach-role-policy", "--role-name", "AuditTeam", "--policy-arn", READ_ONLY)
        role = f"arn:aws:iam::{accounts.ids['security']}:role/AuditTeam"
        iam = self.server.client("iam")
        name, keys = person(iam, allow("sts:AssumeRole", role))
        device = give(iam, name)
        assume = ["sts", "assume-role", "--role-arn", role, "--role-session-name", "audit"]
        assert self.server.aws(*assume, ok=False, **keys) == "AccessDenied"
        auditor = session(self.server.aws(*assume, "--serial-number", device.serial, "--token-code", device.fresh(),
                                          **keys)["Credentials"])
        for name in ("management", "dev", "staging", "prod"):
            self.is_valid(auditor, self.arn, "--account-id", accounts.ids[name])
        key = self.server.aws("s3api", "list-objects-v2", "--bucket", self.bucket, **auditor)["Contents"][0]["Key"]
        writes = (
            ["s3api", "delete-object", "--bucket", self.bucket, "--key", key],
            ["s3api", "put-object", "--bucket", self.bucket, "--key", key],
            ["s3api", "delete-bucket-policy", "--bucket", self.bucket],
        )
        for write in writes:
            assert self.server.aws(*write, ok=False, **auditor) == "AccessDenied"
        assert self.server.aws("cloudtrail", "stop-logging", "--name", self.arn,
                               ok=False, **auditor) == "AccessDeniedException"

    def test_production_even_if_the_prod_account_is_compromised_logs_are_safe(self):
        """"Separate AWS account for log storage": the administrator of ``prod`` tries."""
        accounts = self.accounts
        for attack in (
            ["cloudtrail", "stop-logging", "--name", self.arn],
            ["cloudtrail", "delete-trail", "--name", self.arn],
            ["cloudtrail", "update-trail", "--name", self.arn, "--s3-bucket-name", "attackers-bucket"],
            ["cloudtrail", "put-event-selectors", "--trail-name", self.arn, "--event-selectors",
             '[{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": false}]'],
        ):
            assert self.aws("prod", *attack, ok=False) == "NotOrganizationMasterAccountException"
        folder = f"AWSLogs/{accounts.id}/{accounts.ids['prod']}/CloudTrail/"
        versions = self.aws("security", "s3api", "list-object-versions", "--bucket", self.bucket,
                            "--prefix", folder)["Versions"]
        (version, *_) = versions
        delete = ["s3api", "delete-object", "--bucket", self.bucket, "--key", version["Key"],
                  "--version-id", version["VersionId"]]
        assert self.aws("prod", *delete, ok=False) == "AccessDenied"
        # Nor does the security account's own administrator delete what is locked.
        assert self.aws("security", *delete, ok=False) == "AccessDenied"

        def told():
            return [r for r in self.records(self.bucket, folder)
                    if r["eventName"] == "StopLogging" and r.get("errorCode")]

        assert eventually(told, timeout=90, every=1), "the attempt is in the log that it was to silence"

    def test_production_the_root_account_and_its_mfa(self):
        """"Root account login" and "MFA Delete": a role of the trail's managers asks for a code."""
        iam = self.server.client("iam")
        self.aws("management", "iam", "create-role", "--role-name", "TrailManager", "--assume-role-policy-document",
                 trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, WITH_MFA))
        self.aws("management", "iam", "attach-role-policy", "--role-name", "TrailManager",
                 "--policy-arn", CLOUDTRAIL_ADMINISTRATOR)
        role = f"arn:aws:iam::{ACCOUNT}:role/TrailManager"
        name, keys = person(iam, allow("sts:AssumeRole", role))
        device = give(iam, name)
        assume = ["sts", "assume-role", "--role-arn", role, "--role-session-name", "manager"]
        assert self.server.aws(*assume, ok=False, **keys) == "AccessDenied"
        manager = session(self.server.aws(*assume, "--serial-number", device.serial, "--token-code", device.fresh(),
                                          **keys)["Credentials"])
        assert self.server.aws("cloudtrail", "get-trail-status", "--name", "Org-Trail", **manager)["IsLogging"]


class TestSeed4Practical(Seed):
    """``004_6fa1f417733b10a0.txt``: "Practical 4: Using AWS CloudTrail for Security Monitoring"."""

    bucket, arn = "practical-4-security-trail", trail_arn(ACCOUNT, "SecurityTrail")

    def test_prerequisites_an_admin_level_account(self):
        """Not the root: a user with AdministratorAccess, who sets up everything."""
        name, keys = person(self.server.client("iam"))
        self.aws("management", "iam", "attach-user-policy", "--user-name", name,
                 "--policy-arn", "arn:aws:iam::aws:policy/AdministratorAccess")
        type(self).admin = keys
        self.server.aws("s3api", "create-bucket", "--bucket", self.bucket, **keys)
        self.server.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                        organization_bucket_policy(self.bucket, self.arn, None), **keys)
        self.server.aws("cloudtrail", "create-trail", "--name", "SecurityTrail", "--s3-bucket-name", self.bucket,
                        "--is-multi-region-trail", **keys)
        self.server.aws("cloudtrail", "start-logging", "--name", "SecurityTrail", **keys)

    def test_example_a_malicious_actor_creates_a_user(self):
        """"If a malicious actor creates a new IAM user or deletes an S3 bucket, CloudTrail captures that activity"."""
        name, keys = person(self.server.client("iam"), EVERYTHING)
        self.server.aws("iam", "create-user", "--user-name", "backdoor", **keys)
        self.server.aws("s3api", "create-bucket", "--bucket", "short-lived", **keys)
        self.server.aws("s3api", "delete-bucket", "--bucket", "short-lived", **keys)
        (record,) = self.has_user(self.bucket, f"AWSLogs/{ACCOUNT}/CloudTrail/", "backdoor", "management")
        assert record["userIdentity"]["userName"] == name
        assert record["userIdentity"]["accessKeyId"] == keys["key"]
