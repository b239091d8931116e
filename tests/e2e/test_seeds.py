"""The five seeds, step by step: what their authors did to keep their logs, done with the real AWS CLI.

``shared/seeds/`` has five guides that people wrote for setting up and protecting CloudTrail. Each is a class here, each
of its steps on buckets, keys, trails and MFA a test, in the guide's order and with its names; a test builds on those
before it. Commands and policies are the seeds' own with their names filled in. What a seed does in the console is
done by the commands that the console's buttons amount to; where a seed has a mistake, what its author meant is run,
and said.

Their steps on identities and on several accounts are in ``test_seeds_identity.py``, in the same order. What is left to
later issues, and not pretended here: CloudWatch Logs with its filters and alarms, SNS, CloudTrail Insights, AWS Config,
GuardDuty and CloudTrail Lake.
"""

import base64
import gzip
import json
import subprocess
import urllib.parse

import pytest

from authenticator import give
from identity import EVERYTHING, person, session, trust
from server import ACCOUNT, REGION, Server, aws_cli, eventually

MUMBAI = "ap-south-1"
PUBLIC_ACCESS_BLOCKED = (
    "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
)
SELECT_EVERYTHING = [{"ReadWriteType": "All", "IncludeManagementEvents": True}]


def source_arn(trail, region=REGION):
    return f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/{trail}"


def console_policy(bucket, trail, region=REGION, prefix="", *more):
    """What the console's "Create trail" puts on the bucket that it makes."""
    folder = f"{prefix}/" if prefix else ""
    of_trail = {"aws:SourceArn": source_arn(trail, region)}
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {
            "Sid": "AWSCloudTrailAclCheck20150319", "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:GetBucketAcl",
            "Resource": f"arn:aws:s3:::{bucket}", "Condition": {"StringEquals": of_trail},
        },
        {
            "Sid": "AWSCloudTrailWrite20150319", "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/{folder}AWSLogs/{ACCOUNT}/*",
            "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", **of_trail}},
        },
        *more,
    ]})


def key_policy():
    """What the console puts on the key that "Create trail" makes for the log files."""
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {
            "Sid": "Enable IAM User Permissions", "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*",
        },
        {
            "Sid": "Allow CloudTrail to encrypt logs", "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "kms:GenerateDataKey*", "Resource": "*",
            "Condition": {"StringLike": {
                "kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*",
            }},
        },
        {
            "Sid": "Allow CloudTrail to describe key", "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "kms:DescribeKey", "Resource": "*",
        },
    ]})


class Seed:
    """A server for one guide, and the AWS CLI against it."""

    region = REGION

    @pytest.fixture(scope="class", autouse=True)
    def guide(self, request, tmp_path_factory):
        with Server(tmp_path_factory.mktemp("seed")) as server:
            request.cls.server = server
            yield

    def aws(self, *arguments, **more):
        return self.server.aws(*arguments, **{"region": self.region, **more})

    def objects(self, bucket, infix="/CloudTrail/"):
        listed = self.aws("s3api", "list-objects-v2", "--bucket", bucket) or {}
        return [entry["Key"] for entry in listed.get("Contents", []) if infix in entry["Key"]]

    def read(self, bucket, key, into):
        """Downloads a log file, and opens it with what any reader has."""
        self.aws("s3api", "get-object", "--bucket", bucket, "--key", key, str(into))
        return json.loads(gzip.decompress(into.read_bytes()))["Records"]

    def recorded(self, bucket, into, *names):
        """The records of these names, once the trail has delivered one of each."""
        def find():
            records = [r for key in self.objects(bucket) for r in self.read(bucket, key, into / "file.json.gz")]
            found = {name: [r for r in records if r["eventName"] == name] for name in names}
            return found if all(found.values()) else None

        return eventually(find, timeout=90, every=1)

    def is_valid(self, trail):
        """``aws cloudtrail validate-logs``, once there is a digest with log files in it."""
        def check():
            done = subprocess.run(
                [aws_cli(), "cloudtrail", "validate-logs", "--trail-arn", source_arn(trail, self.region),
                 "--start-time", "2026-01-01T00:00:00Z"],
                env=self.server.cli_env(region=self.region), capture_output=True, text=True, timeout=120,
            )
            assert "INVALID" not in done.stdout, done.stdout
            return done.returncode == 0 and "log files valid" in done.stdout

        eventually(check, timeout=60, every=2)

    def versions(self, bucket):
        return self.aws("s3api", "list-object-versions", "--bucket", bucket).get("Versions", [])


class TestSeed0SetupAndProtectionGuide(Seed):
    """``000_3b5c4ef3839c8b3a.txt``: "CloudTrail Setup and Protection Guide"."""

    bucket = "aws-cloudtrail-logs-youraccount"

    def test_step_1_create_a_cloudtrail(self):
        """Trail ``SecurityAuditTrail``: log file validation, all management events, S3's data events.

        "Enable for all accounts in my organisations" is in ``test_seeds_identity.py``. The bucket comes first, as the
        wizard makes it; Object Lock (step 2) has to be there from the start in the console too.
        """
        self.aws("s3api", "create-bucket", "--bucket", self.bucket, "--object-lock-enabled-for-bucket")
        self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 console_policy(self.bucket, "SecurityAuditTrail"))
        made = self.aws("cloudtrail", "create-trail", "--name", "SecurityAuditTrail", "--s3-bucket-name", self.bucket,
                        "--is-multi-region-trail", "--enable-log-file-validation")
        assert made["LogFileValidationEnabled"] and made["IsMultiRegionTrail"]
        selectors = [{**SELECT_EVERYTHING[0], "DataResources": [
            {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]},
            {"Type": "AWS::Lambda::Function", "Values": ["arn:aws:lambda"]},
        ]}]
        self.aws("cloudtrail", "put-event-selectors", "--trail-name", "SecurityAuditTrail",
                 "--event-selectors", json.dumps(selectors))
        self.aws("cloudtrail", "start-logging", "--name", "SecurityAuditTrail")
        assert self.aws("cloudtrail", "get-trail-status", "--name", "SecurityAuditTrail")["IsLogging"]

    def test_step_2_enable_encryption(self, tmp_path):
        """"Enable Server-Side Encryption (SSE-KMS)", with a new key that CloudTrail may use."""
        key = self.aws("kms", "create-key", "--description", "CloudTrail logs", "--policy", key_policy())
        key = key["KeyMetadata"]["Arn"]
        self.aws("kms", "create-alias", "--alias-name", "alias/cloudtrail-logs", "--target-key-id", key)
        self.aws("s3api", "put-bucket-encryption", "--bucket", self.bucket, "--server-side-encryption-configuration",
                 json.dumps({"Rules": [{"ApplyServerSideEncryptionByDefault": {
                     "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}]}))
        updated = self.aws("cloudtrail", "update-trail", "--name", "SecurityAuditTrail", "--kms-key-id", key)
        assert updated["KmsKeyId"] == key
        before = set(self.objects(self.bucket))
        self.aws("iam", "create-user", "--user-name", "encrypted")
        new = eventually(lambda: set(self.objects(self.bucket)) - before, timeout=60)
        head = self.aws("s3api", "head-object", "--bucket", self.bucket, "--key", sorted(new)[-1])
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
        assert self.recorded(self.bucket, tmp_path, "CreateUser"), "and whoever may use the key reads it as ever"

    def test_step_2_enable_versioning_and_object_lock(self):
        """"Bucket Versioning" and "Object Lock (Governance Mode)"."""
        self.aws("s3api", "put-bucket-versioning", "--bucket", self.bucket,
                 "--versioning-configuration", "Status=Enabled")
        self.aws("s3api", "put-object-lock-configuration", "--bucket", self.bucket, "--object-lock-configuration",
                 json.dumps({"ObjectLockEnabled": "Enabled",
                             "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}}))
        before = set(self.objects(self.bucket))
        self.aws("iam", "create-user", "--user-name", "locked")
        (key, *_) = sorted(eventually(lambda: set(self.objects(self.bucket)) - before, timeout=60))
        kept = self.aws("s3api", "get-object-retention", "--bucket", self.bucket, "--key", key)["Retention"]
        assert kept["Mode"] == "GOVERNANCE"
        version = self.aws("s3api", "head-object", "--bucket", self.bucket, "--key", key)["VersionId"]
        assert self.aws("s3api", "delete-object", "--bucket", self.bucket, "--key", key, "--version-id", version,
                        ok=False) == "AccessDenied"

    def test_step_3_a_bucket_policy_that_prevents_deletion(self):
        """The seed's policy, verbatim. Put alone, as the guide says, it would take the place of what lets CloudTrail
        write; its author means it beside that, so it is one more statement here."""
        self.aws("iam", "create-role", "--role-name", "AdminRole", "--assume-role-policy-document",
                 trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
        self.aws("iam", "put-role-policy", "--role-name", "AdminRole", "--policy-name", "all", "--policy-document",
                 json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]}))
        statement = {
            "Sid": "DenyDeleteCloudTrailLogs",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            "Resource": "arn:aws:s3:::aws-cloudtrail-logs-youraccount/*",
            "Condition": {"StringNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/AdminRole"}},
        }
        self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 console_policy(self.bucket, "SecurityAuditTrail", REGION, "", statement))
        key = self.objects(self.bucket)[0]
        version = self.aws("s3api", "head-object", "--bucket", self.bucket, "--key", key)["VersionId"]
        delete = ["s3api", "delete-object", "--bucket", self.bucket, "--key", key]
        _, admin = person(self.server.client("iam"), EVERYTHING)
        for who in ({}, admin):
            assert self.aws(*delete, ok=False, **who) == "AccessDenied"
            assert self.aws(*delete, "--version-id", version, ok=False, **who) == "AccessDenied"
        role = self.aws("sts", "assume-role", "--role-arn", f"arn:aws:iam::{ACCOUNT}:role/AdminRole",
                        "--role-session-name", "admin", **admin)["Credentials"]
        marker = self.aws(*delete, **session(role))
        assert marker["DeleteMarker"], "the role may, and even then the version stays"
        assert version in [entry["VersionId"] for entry in self.versions(self.bucket)]
        self.aws(*delete, "--version-id", marker["VersionId"], **session(role))
        assert key in self.objects(self.bucket), "with the marker gone the file is back"

    def test_the_logs_are_still_being_written_and_hold(self):
        self.is_valid("SecurityAuditTrail")
        assert "LatestDeliveryError" not in self.aws("cloudtrail", "get-trail-status", "--name", "SecurityAuditTrail")


class TestSeed1DeliverToAProtectedBucket(Seed):
    """``001_bfdf1abc956114da.txt``: "ACCT.07 - Deliver CloudTrail Logs to a Protected S3 Bucket"."""

    bucket, trail, prefix = "myorg-cloudtrail-logs-7f3a", "MyOrganization-CloudTrail", "cloudtrail-logs"

    def test_step_2_create_the_trail(self):
        """All regions, SSE-S3, validation, read and write events; KMS's are excluded "for development/test". Data
        events of S3. The console takes the prefix ``cloudtrail-logs/`` and drops the slash."""
        self.aws("s3api", "create-bucket", "--bucket", self.bucket)
        self.aws("s3api", "put-bucket-encryption", "--bucket", self.bucket, "--server-side-encryption-configuration",
                 json.dumps({"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}))
        self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 console_policy(self.bucket, self.trail, REGION, self.prefix))
        self.aws("cloudtrail", "create-trail", "--name", self.trail, "--s3-bucket-name", self.bucket,
                 "--s3-key-prefix", self.prefix, "--is-multi-region-trail", "--enable-log-file-validation")
        self.aws("cloudtrail", "put-event-selectors", "--trail-name", self.trail, "--event-selectors", json.dumps([{
            **SELECT_EVERYTHING[0], "ExcludeManagementEventSources": ["kms.amazonaws.com"],
            "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::sensitive-bucket/"]}],
        }]))
        self.aws("cloudtrail", "start-logging", "--name", self.trail)

    def test_step_3_add_the_source_arn_condition(self):
        """The seed's bucket policy, verbatim."""
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "AWSCloudTrailAclCheck",
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudtrail.amazonaws.com"},
                    "Action": "s3:GetBucketAcl",
                    "Resource": f"arn:aws:s3:::{self.bucket}",
                    "Condition": {"StringEquals": {"aws:SourceArn": source_arn(self.trail)}},
                },
                {
                    "Sid": "AWSCloudTrailWrite",
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudtrail.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": f"arn:aws:s3:::{self.bucket}/*",
                    "Condition": {"StringEquals": {
                        "s3:x-amz-acl": "bucket-owner-full-control",
                        "aws:SourceArn": source_arn(self.trail),
                    }},
                },
            ],
        }
        self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy", json.dumps(policy))
        asked = ["cloudtrail", "create-trail", "--name", "another", "--s3-bucket-name", self.bucket]
        assert self.aws(*asked, ok=False) == "InsufficientS3BucketPolicyException", "no other trail writes here"

    def test_step_3_enable_mfa_delete(self):
        """The seed's two commands, verbatim. Only the root user may set MFA delete, with the root's own device; each
        command takes a code of its own, as a code is good once."""
        root = give(self.server.client("iam"), "root", "root-account-mfa-device")
        opened = self.aws("sts", "get-session-token", "--serial-number", root.serial, "--token-code", root.fresh())
        configured = session(opened["Credentials"])
        self.aws("s3api", "put-bucket-versioning", "--bucket", self.bucket,
                 "--versioning-configuration", "Status=Enabled,MFADelete=Enabled",
                 "--mfa", f"{root.serial} {root.fresh()}", **configured)
        assert self.aws("s3api", "get-bucket-versioning", "--bucket", self.bucket) == {
            "Status": "Enabled", "MFADelete": "Enabled",
        }
        before = set(self.objects(self.bucket))
        self.aws("iam", "create-user", "--user-name", "protected")
        (key, *_) = eventually(lambda: set(self.objects(self.bucket)) - before, timeout=60)
        version = self.aws("s3api", "head-object", "--bucket", self.bucket, "--key", key)["VersionId"]
        delete = ["s3api", "delete-object", "--bucket", self.bucket, "--key", key, "--version-id", version]
        assert self.aws(*delete, ok=False) == "AccessDenied"
        assert self.aws(*delete, "--mfa", f"{root.serial} {root.wrong()}", ok=False) == "AccessDenied"
        suspend = ["s3api", "put-bucket-versioning", "--bucket", self.bucket,
                   "--versioning-configuration", "Status=Suspended,MFADelete=Disabled"]
        assert self.aws(*suspend, ok=False) == "AccessDenied"
        assert version in [entry["VersionId"] for entry in self.versions(self.bucket)]

    def test_step_4_block_public_access(self):
        """"Ensure all options are enabled"."""
        self.aws("s3api", "put-public-access-block", "--bucket", self.bucket,
                 "--public-access-block-configuration", PUBLIC_ACCESS_BLOCKED)
        blocked = self.aws("s3api", "get-public-access-block", "--bucket", self.bucket)
        assert set(blocked["PublicAccessBlockConfiguration"].values()) == {True}
        public = {"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.bucket}/*",
        }}
        assert self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy", json.dumps(public),
                        ok=False) == "AccessDenied"

    def test_step_4_set_up_a_lifecycle_policy(self):
        """IA after 30 days, Glacier after 90, Deep Archive after 365; previous versions go after 90 days.

        AWS takes no lifecycle configuration for a bucket with MFA delete, so the guide's step 4 can't follow its step 3 on
        one bucket; its author has MFA delete "for production environments" only. The rule is for a bucket without."""
        other = "myorg-cloudtrail-logs-without-mfa-delete"
        self.aws("s3api", "create-bucket", "--bucket", other)
        self.aws("s3api", "put-bucket-versioning", "--bucket", other, "--versioning-configuration", "Status=Enabled")
        rule = {
            "ID": "cloudtrail-logs", "Status": "Enabled", "Filter": {"Prefix": ""},
            "Transitions": [
                {"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"},
                {"Days": 365, "StorageClass": "DEEP_ARCHIVE"},
            ],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
        }
        asked = ["s3api", "put-bucket-lifecycle-configuration", "--lifecycle-configuration", json.dumps({"Rules": [rule]})]
        self.aws(*asked, "--bucket", other)
        (kept,) = self.aws("s3api", "get-bucket-lifecycle-configuration", "--bucket", other)["Rules"]
        assert kept["Transitions"] == rule["Transitions"]
        assert kept["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}

    def test_verification_the_test_actions_are_in_the_log(self, tmp_path):
        """"Create a test S3 bucket, create a test IAM user, delete the test resources"; then read a log file."""
        self.aws("s3api", "create-bucket", "--bucket", "a-test-bucket")
        self.aws("iam", "create-user", "--user-name", "a-test-user")
        self.aws("iam", "delete-user", "--user-name", "a-test-user")
        self.aws("s3api", "delete-bucket", "--bucket", "a-test-bucket")
        found = self.recorded(self.bucket, tmp_path, "CreateBucket", "CreateUser", "DeleteUser", "DeleteBucket")
        assert found["DeleteUser"][0]["userIdentity"]["type"] == "Root"
        assert all(key.startswith(f"{self.prefix}/AWSLogs/{ACCOUNT}/CloudTrail/") for key in self.objects(self.bucket))

    def test_verification_log_file_integrity(self):
        (trail,) = self.aws("cloudtrail", "describe-trails")["trailList"]
        assert trail["LogFileValidationEnabled"]
        self.is_valid(self.trail)

    def test_best_practice_cross_region_replication(self):
        """"Cross-region replication: Consider for critical environments": log files that come from then on are copied to a
        bucket in another region, under their own version ids."""
        copies, region = "myorg-cloudtrail-logs-copies", "eu-west-1"
        self.aws("s3api", "create-bucket", "--bucket", copies, "--create-bucket-configuration",
                 f"LocationConstraint={region}", region=region)
        self.aws("s3api", "put-bucket-versioning", "--bucket", copies, "--versioning-configuration", "Status=Enabled",
                 region=region)
        role = self.aws("iam", "create-role", "--role-name", "s3-replication", "--assume-role-policy-document",
                        trust({"Service": "s3.amazonaws.com"}))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
             "Resource": f"arn:aws:s3:::{self.bucket}"},
            {"Effect": "Allow", "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl",
                                           "s3:GetObjectVersionTagging"], "Resource": f"arn:aws:s3:::{self.bucket}/*"},
            {"Effect": "Allow", "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
             "Resource": f"arn:aws:s3:::{copies}/*"},
        ]}
        self.aws("iam", "put-role-policy", "--role-name", "s3-replication", "--policy-name", "copy",
                 "--policy-document", json.dumps(policy))
        rule = {"ID": "logs", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{copies}", "StorageClass": "STANDARD_IA"}}
        self.aws("s3api", "put-bucket-replication", "--bucket", self.bucket, "--replication-configuration",
                 json.dumps({"Role": role, "Rules": [rule]}))
        self.aws("iam", "create-user", "--user-name", "replicated")

        def copied():
            listed = self.aws("s3api", "list-objects-v2", "--bucket", copies, region=region) or {}
            return [entry["Key"] for entry in listed.get("Contents", []) if "/CloudTrail/" in entry["Key"]]

        (key, *_) = eventually(copied, timeout=60)
        copy = self.aws("s3api", "head-object", "--bucket", copies, "--key", key, region=region)
        asked = ["s3api", "head-object", "--bucket", self.bucket, "--key", key]
        eventually(lambda: self.aws(*asked)["ReplicationStatus"] == "COMPLETED")
        original = self.aws(*asked)
        assert (copy["VersionId"], copy["ETag"]) == (original["VersionId"], original["ETag"])
        assert copy["ReplicationStatus"] == "REPLICA" and copy["StorageClass"] == "STANDARD_IA"

    def test_advanced_put_events_selectors_is_no_command(self):
        """The seed's ``aws cloudtrail put-events-selectors --cloud-watch-logs-log-group-arn …`` is two mistakes: the
        command is called put-event-selectors, and the options are update-trail's. Sending a trail's events to CloudWatch
        Logs is a later issue; what the command's name means is run in step 2."""
        done = subprocess.run(
            [aws_cli(), "cloudtrail", "put-events-selectors", "--trail-name", self.trail],
            env=self.server.cli_env(), capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 2 and "put-event-selectors" in done.stderr


class TestSeed2DeepDive(Seed):
    """``002_4040a8419181fa0b.txt``: "AWS CloudTrail Deep Dive".

    Its CloudWatch Logs, Insights, Config and centralized cross-account steps are later issues.
    """

    bucket, trail = "your-cloudtrail-bucket", "MyCloudTrail"

    def test_1_create_a_trail_with_a_key_of_ones_own(self, tmp_path):
        """All regions, "log file encryption using a customer-managed KMS key"."""
        key = self.aws("kms", "create-key", "--policy", key_policy())["KeyMetadata"]["Arn"]
        type(self).key = key
        self.aws("s3api", "create-bucket", "--bucket", self.bucket)
        self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 console_policy(self.bucket, self.trail))
        made = self.aws("cloudtrail", "create-trail", "--name", self.trail, "--s3-bucket-name", self.bucket,
                        "--is-multi-region-trail", "--enable-log-file-validation", "--kms-key-id", key)
        assert made["KmsKeyId"] == key
        self.aws("cloudtrail", "start-logging", "--name", self.trail)
        self.aws("iam", "create-user", "--user-name", "deep-diver")
        assert self.recorded(self.bucket, tmp_path, "CreateUser")

    def test_2_configure_event_types(self, tmp_path):
        """"Data Events: Enable detailed logging for S3 and DynamoDB access"; a later section filters them to "only log
        specific S3 objects or DynamoDB tables"."""
        self.aws("cloudtrail", "put-event-selectors", "--trail-name", self.trail, "--event-selectors", json.dumps([{
            **SELECT_EVERYTHING[0], "DataResources": [
                {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::payroll/private/"]},
                {"Type": "AWS::DynamoDB::Table", "Values": [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Payroll"]},
            ],
        }]))
        self.aws("s3api", "create-bucket", "--bucket", "payroll")
        for key in ("public/menu.txt", "private/salaries.txt"):
            self.aws("s3api", "put-object", "--bucket", "payroll", "--key", key)
        (put, *more) = self.recorded(self.bucket, tmp_path, "PutObject")["PutObject"]
        assert put["requestParameters"]["key"] == "private/salaries.txt" and not more

    def test_3_iam_permissions(self, tmp_path):
        """The seed's policy, verbatim, as a managed policy. ``s3:GetBucketAcl`` and ``s3:ListBucket`` are about buckets, and
        its Resource names the objects only; its author means both, which the second policy says."""
        statement = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetBucketAcl", "s3:ListBucket"],
                     "Resource": f"arn:aws:s3:::{self.bucket}/*"}
        keys = {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": self.key}
        name, own = person(self.server.client("iam"))

        def attach(called, resource):
            document = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": resource}, keys]}
            made = self.aws("iam", "create-policy", "--policy-name", called, "--policy-document", json.dumps(document))
            self.aws("iam", "attach-user-policy", "--user-name", name, "--policy-arn", made["Policy"]["Arn"])

        attach("as-the-seed-has-it", statement["Resource"])
        assert self.aws("s3api", "get-bucket-acl", "--bucket", self.bucket, ok=False, **own) == "AccessDenied"
        attach("as-it-is-meant", [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"])
        self.aws("s3api", "get-bucket-acl", "--bucket", self.bucket, **own)
        self.aws("s3api", "list-objects-v2", "--bucket", self.bucket, **own)
        plain, sealed = tmp_path / "plain", tmp_path / "sealed"
        plain.write_bytes(b"a log file")
        answer = self.aws("kms", "encrypt", "--key-id", self.key, "--plaintext", f"fileb://{plain}", **own)
        sealed.write_bytes(base64.b64decode(answer["CiphertextBlob"]))
        opened = self.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", **own)["Plaintext"]
        assert base64.b64decode(opened) == b"a log file"

    def test_4_log_file_integrity_validation(self):
        self.is_valid(self.trail)

    def test_troubleshooting_a_key_that_is_disabled(self):
        """"Ensure that the key is enabled": while it is not, the trail says why it delivers nothing; then it goes on."""
        self.aws("kms", "disable-key", "--key-id", self.key)
        self.aws("iam", "create-user", "--user-name", "meanwhile")
        status = ["cloudtrail", "get-trail-status", "--name", self.trail]
        error = eventually(lambda: self.aws(*status).get("LatestDeliveryError"), timeout=60, every=1)
        assert "KMS" in error or "Kms" in error
        self.aws("kms", "enable-key", "--key-id", self.key)
        before = len(self.objects(self.bucket))
        eventually(lambda: len(self.objects(self.bucket)) > before, timeout=90, every=1)


class TestSeed3DayOneSetup(Seed):
    """``003_23b8d195e0759952.txt``: "Day 1: CloudTrail Setup", in Mumbai."""

    region, bucket, trail = MUMBAI, "cloudtrail-logs-teckexplorers", "Te-Account-Trail"

    def test_step_1_the_bucket(self):
        """Region ap-south-1, versioning suspended, public access blocked (all)."""
        self.aws("s3api", "create-bucket", "--bucket", self.bucket,
                 "--create-bucket-configuration", f"LocationConstraint={MUMBAI}")
        self.aws("s3api", "put-bucket-versioning", "--bucket", self.bucket,
                 "--versioning-configuration", "Status=Suspended")
        self.aws("s3api", "put-public-access-block", "--bucket", self.bucket,
                 "--public-access-block-configuration", PUBLIC_ACCESS_BLOCKED)
        assert self.aws("s3api", "get-bucket-location", "--bucket", self.bucket)["LocationConstraint"] == MUMBAI
        assert self.aws("s3api", "get-bucket-versioning", "--bucket", self.bucket)["Status"] == "Suspended"

    def test_step_2_configure_the_lifecycle_policy(self):
        """Standard-IA after 30 days, permanently deleted after 365."""
        rule = {
            "ID": "one-year", "Status": "Enabled", "Filter": {"Prefix": ""},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}], "Expiration": {"Days": 365},
        }
        self.aws("s3api", "put-bucket-lifecycle-configuration", "--bucket", self.bucket,
                 "--lifecycle-configuration", json.dumps({"Rules": [rule]}))
        (kept,) = self.aws("s3api", "get-bucket-lifecycle-configuration", "--bucket", self.bucket)["Rules"]
        assert (kept["Transitions"], kept["Expiration"]) == (rule["Transitions"], rule["Expiration"])

    def test_step_3_enable_cloudtrail(self):
        """An existing bucket, no SSE-KMS, validation, no SNS, no CloudWatch Logs; both reads and writes, without KMS's and
        RDS Data API's events; all regions."""
        self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 console_policy(self.bucket, self.trail, MUMBAI))
        self.aws("cloudtrail", "create-trail", "--name", self.trail, "--s3-bucket-name", self.bucket,
                 "--is-multi-region-trail", "--enable-log-file-validation")
        self.aws("cloudtrail", "put-event-selectors", "--trail-name", self.trail, "--event-selectors", json.dumps([{
            **SELECT_EVERYTHING[0],
            "ExcludeManagementEventSources": ["kms.amazonaws.com", "rdsdata.amazonaws.com"],
        }]))
        self.aws("cloudtrail", "start-logging", "--name", self.trail)

    def test_step_4_verify(self, tmp_path):
        """Event history, the bucket's folders, a log file in JSON, and the seed's command."""
        self.aws("iam", "create-user", "--user-name", "day-one")
        assert self.recorded(self.bucket, tmp_path, "CreateUser")
        assert all(key.startswith(f"AWSLogs/{ACCOUNT}/CloudTrail/") for key in self.objects(self.bucket))
        key = self.objects(self.bucket)[0]
        head = self.aws("s3api", "head-object", "--bucket", self.bucket, "--key", key)
        assert 'rule-id="one-year"' in urllib.parse.unquote(head["Expiration"])
        looked = self.aws("cloudtrail", "lookup-events",
                          "--lookup-attributes", "AttributeKey=EventName,AttributeValue=RunInstances")
        assert looked["Events"] == [], "nobody ran an instance"
        of_users = ["cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateUser"]
        assert eventually(lambda: self.aws(*of_users, region=REGION)["Events"])

    def test_production_logs_that_nobody_deletes(self):
        """"S3 Object Lock (WORM) - logs can't be deleted even by admins; MFA Delete - can't delete logs without MFA
        token". A separate account for the logs and SNS for digests are later issues."""
        locked = "cloudtrail-logs-teckexplorers-worm"
        self.aws("s3api", "create-bucket", "--bucket", locked, "--object-lock-enabled-for-bucket",
                 "--create-bucket-configuration", f"LocationConstraint={MUMBAI}")
        self.aws("s3api", "put-object-lock-configuration", "--bucket", locked, "--object-lock-configuration",
                 json.dumps({"ObjectLockEnabled": "Enabled",
                             "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 365}}}))
        self.aws("s3api", "put-bucket-policy", "--bucket", locked, "--policy",
                 console_policy(locked, "prod", MUMBAI))
        self.aws("cloudtrail", "create-trail", "--name", "prod", "--s3-bucket-name", locked,
                 "--is-multi-region-trail", "--enable-log-file-validation")
        self.aws("cloudtrail", "start-logging", "--name", "prod")
        self.aws("iam", "create-user", "--user-name", "in-production")
        key = eventually(lambda: self.objects(locked), timeout=60)[0]
        version = self.aws("s3api", "head-object", "--bucket", locked, "--key", key)["VersionId"]
        _, admin = person(self.server.client("iam"), EVERYTHING)
        delete = ["s3api", "delete-object", "--bucket", locked, "--key", key, "--version-id", version]
        for who in ({}, admin):
            assert self.aws(*delete, ok=False, **who) == "AccessDenied"
            assert self.aws(*delete, "--bypass-governance-retention", ok=False, **who) == "AccessDenied"

        root = give(self.server.client("iam"), "root", "root-account-mfa-device")
        guarded = "cloudtrail-logs-teckexplorers-mfa"
        self.aws("s3api", "create-bucket", "--bucket", guarded,
                 "--create-bucket-configuration", f"LocationConstraint={MUMBAI}")
        self.aws("s3api", "put-bucket-versioning", "--bucket", guarded,
                 "--versioning-configuration", "Status=Enabled,MFADelete=Enabled",
                 "--mfa", f"{root.serial} {root.fresh()}")
        made = self.aws("s3api", "put-object", "--bucket", guarded, "--key", "log")["VersionId"]
        remove = ["s3api", "delete-object", "--bucket", guarded, "--key", "log", "--version-id", made]
        assert self.aws(*remove, ok=False) == "AccessDenied"
        self.aws(*remove, "--mfa", f"{root.serial} {root.fresh()}")

    def test_production_advanced_event_selectors(self, tmp_path):
        """"Log only DeleteBucket, PutBucketPolicy - not ListBucket": management events are selected as a whole or by source
        and by read or write, on AWS as here; the two are write events of S3, so the trail logs writes only. Data events
        "on critical S3 buckets only", and only deletions."""
        self.aws("cloudtrail", "put-event-selectors", "--trail-name", self.trail, "--advanced-event-selectors",
                 json.dumps([
                     {"Name": "writes", "FieldSelectors": [
                         {"Field": "eventCategory", "Equals": ["Management"]},
                         {"Field": "readOnly", "Equals": ["false"]},
                     ]},
                     {"Name": "deletions of critical objects", "FieldSelectors": [
                         {"Field": "eventCategory", "Equals": ["Data"]},
                         {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
                         {"Field": "eventName", "Equals": ["DeleteObject"]},
                         {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::critical/"]},
                     ]},
                 ]))
        self.aws("s3api", "create-bucket", "--bucket", "critical",
                 "--create-bucket-configuration", f"LocationConstraint={MUMBAI}")
        self.aws("s3api", "put-object", "--bucket", "critical", "--key", "plan")
        self.aws("s3api", "list-buckets")
        self.aws("s3api", "delete-object", "--bucket", "critical", "--key", "plan")
        self.aws("s3api", "delete-bucket", "--bucket", "critical")
        found = self.recorded(self.bucket, tmp_path, "DeleteBucket", "DeleteObject")
        assert found["DeleteObject"][0]["requestParameters"]["key"] == "plan"
        records = [r for key in self.objects(self.bucket) for r in self.read(self.bucket, key, tmp_path / "f.gz")]
        assert not [r for r in records if r["eventName"] == "PutObject"]
        self.is_valid(self.trail)


class TestSeed4Practical(Seed):
    """``004_6fa1f417733b10a0.txt``: "Practical 4: Using AWS CloudTrail for Security Monitoring"."""

    bucket, trail = "aws-cloudtrail-logs-practical-4", "SecurityTrail"

    def test_step_2_create_a_new_trail(self):
        """A new bucket, no KMS, all regions, read and write management events, no Insights."""
        self.aws("s3api", "create-bucket", "--bucket", self.bucket)
        self.aws("s3api", "put-bucket-policy", "--bucket", self.bucket, "--policy",
                 console_policy(self.bucket, self.trail))
        self.aws("cloudtrail", "create-trail", "--name", self.trail, "--s3-bucket-name", self.bucket,
                 "--is-multi-region-trail", "--enable-log-file-validation")
        self.aws("cloudtrail", "put-event-selectors", "--trail-name", self.trail,
                 "--event-selectors", json.dumps(SELECT_EVERYTHING))
        self.aws("cloudtrail", "start-logging", "--name", self.trail)

    def test_step_3_test_it(self, tmp_path):
        """"I created a folder called Sample for logging check": the console's folder is an empty object. Then open the
        folders, download a file and read it."""
        self.aws("s3api", "put-object", "--bucket", self.bucket, "--key", "Sample/")
        self.aws("s3api", "create-bucket", "--bucket", "created-to-see-it-logged")
        found = self.recorded(self.bucket, tmp_path, "CreateBucket")["CreateBucket"]
        assert "created-to-see-it-logged" in [r["requestParameters"]["bucketName"] for r in found]
        assert any(key.startswith(f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/") for key in self.objects(self.bucket))

    def test_cleanup(self):
        """"Delete the trail if not needed; delete the related S3 bucket if no longer used"."""
        self.aws("cloudtrail", "delete-trail", "--name", self.trail)
        assert self.aws("cloudtrail", "describe-trails")["trailList"] == []
        assert self.aws("s3api", "delete-bucket", "--bucket", self.bucket, ok=False) == "BucketNotEmpty"

        def is_deleted():
            # What the trail had decided before it went is still delivered, its digest last: also between the two calls.
            self.aws("s3", "rm", f"s3://{self.bucket}", "--recursive")
            try:
                self.aws("s3api", "delete-bucket", "--bucket", self.bucket)
            except AssertionError as refused:
                if "BucketNotEmpty" in str(refused):
                    return False
                raise
            return True

        eventually(is_deleted, timeout=60)
        buckets = [bucket["Name"] for bucket in self.aws("s3api", "list-buckets")["Buckets"]]
        assert self.bucket not in buckets
