"""An organization's trail: every account's events in the security account's bucket, proven, and nobody's to stop.

The story is that of the AWS CloudTrail User Guide, "Creating a trail for an organization": the trail belongs to the
management account, bucket and KMS key to a security account, whose auditors read and validate.
"""

import collections
import gzip
import json
import re
import subprocess

import pytest

from accounts import Accounts, central_key_policy, organization_bucket_policy
from identity import allow, code, looked_up, policy, refused, trust
from server import ACCOUNT, REGION, Server, aws_cli, binary, eventually

BUCKET = "central-logs-of-the-organization"
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/organization"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture(scope="class")
def story(request, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("organization")) as server:
        request.cls.server = server
        yield server


@pytest.mark.usefixtures("story")
class TestOrganizationTrail:
    def log_keys(self, infix="/CloudTrail/"):
        s3 = self.accounts.client("security", "s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", []) if infix in entry["Key"]]

    def records(self, account=None):
        """The records of the organization's log files, or those of one account's."""
        infix = f"AWSLogs/{self.accounts.id}/{account}/CloudTrail/" if account else "/CloudTrail/"
        s3 = self.accounts.client("security", "s3")
        found = []
        for key in self.log_keys(infix):
            body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            found += json.loads(gzip.decompress(body))["Records"]
        return found

    def made_users(self, name):
        account = self.accounts.ids[name]
        return {r["requestParameters"]["userName"] for r in self.records(account) if r["eventName"] == "CreateUser"}

    def validate(self, account, who):
        """``aws cloudtrail validate-logs`` of one account's files: what it prints, once it has seen log files."""
        def check():
            done = subprocess.run(
                [aws_cli(), "cloudtrail", "validate-logs", "--trail-arn", TRAIL, "--account-id", account,
                 "--start-time", "2026-01-01T00:00:00Z"],
                env=self.server.cli_env(**who), capture_output=True, text=True, timeout=120,
            )
            assert done.returncode == 0 and "INVALID" not in done.stdout, done.stdout + done.stderr
            return done.stdout if "log files valid" in done.stdout else None

        return eventually(check, timeout=60, every=1)

    def opentrail_validates(self, account, who, code=0):
        """``opentrail validate`` of one account's files."""
        def check():
            done = subprocess.run(
                [binary(), "validate", "--trail-arn", TRAIL, "--account-id", account, "--output", "json"],
                env=self.server.cli_env(**who), capture_output=True, text=True, timeout=120,
            )
            assert done.returncode in (code, 4), done.stdout + done.stderr
            return done.returncode == code

        eventually(check, timeout=60, every=1)

    def validate_all(self, who):
        """``opentrail validate`` of every account's files: the exit code, and each account's verdict and findings."""
        done = subprocess.run(
            [binary(), "validate", "--trail-arn", TRAIL, "--output", "json"],
            env=self.server.cli_env(**who), capture_output=True, text=True, timeout=120,
        )
        assert done.returncode in (0, 3, 4), done.stdout + done.stderr
        accounts = {one["account"]: one for one in json.loads(done.stdout)["accounts"]}
        verdicts = {account: one["verdict"] for account, one in accounts.items()}
        findings = {(account, finding["kind"], finding["key"])
                    for account, one in accounts.items() for finding in one["findings"]}
        return done.returncode, verdicts, findings

    def test_it_needs_an_organization_that_trusts_cloudtrail(self):
        create = ["cloudtrail", "create-trail", "--name", "organization", "--s3-bucket-name", BUCKET,
                  "--is-organization-trail"]
        assert self.server.aws(*create, ok=False) == "OrganizationsNotInUseException"
        type(self).accounts = accounts = Accounts(self.server)
        assert self.server.aws(*create, ok=False) == "CloudTrailAccessNotEnabledException"
        register = ["cloudtrail", "register-organization-delegated-admin", "--member-account-id"]
        assert self.server.aws(*register, "111122223333", ok=False) == "CloudTrailAccessNotEnabledException"
        accounts.trust_cloudtrail()
        for name in ("security", "dev", "prod"):
            accounts.make(name)
        refusal = "NotOrganizationMasterAccountException"
        assert accounts.aws("dev", *create, ok=False) == refusal
        assert self.server.aws(*create, ok=False) == "S3BucketDoesNotExistException"

    def test_the_bucket_and_the_key_are_the_security_accounts(self):
        accounts = self.accounts
        security, management = accounts.ids["security"], ACCOUNT
        accounts.aws("security", "s3api", "create-bucket", "--bucket", BUCKET)
        iam = accounts.client("security", "iam")
        iam.create_role(RoleName="Auditor", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
        iam.attach_role_policy(RoleName="Auditor", PolicyArn=READ_ONLY)
        auditor = f"arn:aws:iam::{security}:role/Auditor"
        key = accounts.aws("security", "kms", "create-key", "--policy",
                           central_key_policy(security, [management], auditor))["KeyMetadata"]["Arn"]
        create = ["cloudtrail", "create-trail", "--name", "organization", "--s3-bucket-name", BUCKET,
                  "--is-organization-trail", "--is-multi-region-trail", "--enable-log-file-validation",
                  "--kms-key-id", key]
        put = ["s3api", "put-bucket-policy", "--bucket", BUCKET, "--policy"]
        assert accounts.aws("management", *create, ok=False) == "InsufficientS3BucketPolicyException"
        # Without the organization's folder CloudTrail may not write for the members.
        accounts.aws("security", *put, organization_bucket_policy(BUCKET, TRAIL, None))
        assert accounts.aws("management", *create, ok=False) == "InsufficientS3BucketPolicyException"
        accounts.aws("security", *put, organization_bucket_policy(BUCKET, TRAIL, accounts.id))
        made = accounts.aws("management", *create)
        assert made["IsOrganizationTrail"] and made["TrailARN"] == TRAIL and made["KmsKeyId"] == key
        accounts.aws("management", "cloudtrail", "start-logging", "--name", TRAIL)
        role = self.server.client("iam").get_role(RoleName="AWSServiceRoleForCloudTrail")["Role"]
        assert role["Path"] == "/aws-service-role/cloudtrail.amazonaws.com/"

    def test_who_makes_it_needs_permissions_in_organizations_and_iam(self):
        iam = self.server.client("iam")
        iam.create_user(UserName="narrow")
        iam.put_user_policy(UserName="narrow", PolicyName="own", PolicyDocument=policy(allow("cloudtrail:*")))
        key = iam.create_access_key(UserName="narrow")["AccessKey"]
        narrow = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
        lacking = "InsufficientDependencyServiceAccessPermissionException"
        assert self.server.aws("cloudtrail", "create-trail", "--name", "another", "--s3-bucket-name", BUCKET,
                               "--is-organization-trail", ok=False, **narrow) == lacking
        assert self.server.aws("cloudtrail", "register-organization-delegated-admin", "--member-account-id",
                               self.accounts.ids["security"], ok=False, **narrow) == lacking

    def test_every_accounts_events_are_in_its_folder(self):
        for name in self.accounts.ids:
            self.accounts.aws(name, "iam", "create-user", "--user-name", f"user-of-{name}")
        self.accounts.client("prod", "kms", region="eu-west-1").create_key()
        for name, account in self.accounts.ids.items():
            eventually(lambda name=name: f"user-of-{name}" in self.made_users(name), timeout=60, every=0.5)
            assert {record["recipientAccountId"] for record in self.records(account)} == {account}
        prod = self.accounts.ids["prod"]
        folder = f"AWSLogs/{self.accounts.id}/{prod}/CloudTrail/eu-west-1/"
        (key, *_) = eventually(lambda: self.log_keys(folder), timeout=60, every=0.5)
        assert re.fullmatch(
            re.escape(folder) + rf"\d{{4}}/\d\d/\d\d/{prod}_CloudTrail_eu-west-1_\d{{8}}T\d{{4}}Z_\w{{16}}\.json\.gz", key
        )
        head = self.accounts.client("security", "s3").head_object(Bucket=BUCKET, Key=key)
        assert head["ServerSideEncryption"] == "aws:kms" and self.accounts.ids["security"] in head["SSEKMSKeyId"]

    def test_auditors_of_the_security_account_validate_and_change_nothing(self):
        auditor = self.accounts.assume(self.accounts.ids["security"], "Auditor")
        for account in self.accounts.ids.values():
            assert "digest files valid" in self.validate(account, auditor)
            self.opentrail_validates(account, auditor)
        without = subprocess.run(
            [aws_cli(), "cloudtrail", "validate-logs", "--trail-arn", TRAIL, "--start-time", "2026-01-01T00:00:00Z"],
            env=self.server.cli_env(**auditor), capture_output=True, text=True, timeout=60,
        )
        assert "--account-id" in without.stderr, "as AWS's CLI asks for an organization trail"
        s3 = self.server.client("s3", **auditor)
        key = self.log_keys()[0]
        assert code(s3.delete_object, Bucket=BUCKET, Key=key) == "AccessDenied"
        assert code(s3.put_object, Bucket=BUCKET, Key="planted", Body=b"x") == "AccessDenied"
        assert code(s3.delete_bucket_policy, Bucket=BUCKET) == "AccessDenied"
        cloudtrail = self.server.client("cloudtrail", **auditor)
        assert code(cloudtrail.stop_logging, Name=TRAIL) == "AccessDeniedException"

    def test_members_see_the_trail(self):
        dev = self.accounts.client("dev", "cloudtrail")
        (seen,) = dev.describe_trails()["trailList"]
        assert (seen["TrailARN"], seen["IsOrganizationTrail"], seen["S3BucketName"]) == (TRAIL, True, BUCKET)
        assert dev.describe_trails(includeShadowTrails=False)["trailList"] == []
        assert [trail["TrailARN"] for trail in dev.list_trails()["Trails"]] == [TRAIL]
        assert dev.get_trail(Name=TRAIL)["Trail"]["IsOrganizationTrail"]
        assert dev.get_trail_status(Name=TRAIL)["IsLogging"]
        assert dev.get_event_selectors(TrailName=TRAIL)["TrailARN"] == TRAIL
        assert dev.list_tags(ResourceIdList=[TRAIL])["ResourceTagList"][0]["TagsList"] == []
        assert code(dev.get_trail, Name="organization") == "TrailNotFoundException"
        elsewhere = self.accounts.client("dev", "cloudtrail", region="eu-west-1")
        assert elsewhere.get_trail(Name=TRAIL)["Trail"]["HomeRegion"] == REGION

    def test_a_members_administrator_stops_nothing(self):
        """Every way to silence a trail, by the administrator of a member account: refused, and in the very log."""
        dev = self.accounts.client("dev", "cloudtrail")
        nothing = [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": False}]
        attacks = {
            "StopLogging": lambda: dev.stop_logging(Name=TRAIL),
            "DeleteTrail": lambda: dev.delete_trail(Name=TRAIL),
            "UpdateTrail": lambda: dev.update_trail(Name=TRAIL, S3BucketName="dev-owns-this"),
            "PutEventSelectors": lambda: dev.put_event_selectors(TrailName=TRAIL, EventSelectors=nothing),
            "RemoveTags": lambda: dev.remove_tags(ResourceId=TRAIL, TagsList=[{"Key": "a"}]),
        }
        for attack in attacks.values():
            assert refused(attack)[0] == "NotOrganizationMasterAccountException"
        assert code(dev.update_trail, Name=TRAIL, IsOrganizationTrail=False) == "NotOrganizationMasterAccountException"
        register = dev.register_organization_delegated_admin
        assert code(register, MemberAccountId=self.accounts.ids["dev"]) == "NotOrganizationManagementAccountException"
        s3 = self.accounts.client("dev", "s3")
        assert code(s3.list_objects_v2, Bucket=BUCKET) == "AccessDenied"
        assert code(s3.delete_bucket, Bucket=BUCKET) == "AccessDenied"

        def recorded():
            refusals = {
                record["eventName"] for record in self.records(self.accounts.ids["dev"])
                if record.get("errorCode") == "NotOrganizationMasterAccountException"
            }
            return set(attacks) <= refusals

        eventually(recorded, timeout=60, every=0.5)
        status = self.server.client("cloudtrail").get_trail_status(Name="organization")
        assert status["IsLogging"] and "LatestDeliveryError" not in status

    def test_a_delegated_administrator_manages_the_trail(self):
        accounts = self.accounts
        register = ["cloudtrail", "register-organization-delegated-admin", "--member-account-id"]
        deregister = ["cloudtrail", "deregister-organization-delegated-admin", "--delegated-admin-account-id"]
        security = accounts.ids["security"]
        cases = {
            ACCOUNT: "CannotDelegateManagementAccountException", "999999999999": "AccountNotFoundException",
            "12345678901x": "InvalidParameterException",
        }
        for account, expected in cases.items():
            assert accounts.aws("management", *register, account, ok=False) == expected
        assert accounts.aws("management", *deregister, security, ok=False) == "AccountNotRegisteredException"
        accounts.aws("management", *register, security)
        assert accounts.aws("management", *register, security, ok=False) == "AccountRegisteredException"
        listed = accounts.aws("management", "organizations", "list-delegated-administrators",
                              "--service-principal", "cloudtrail.amazonaws.com")["DelegatedAdministrators"]
        assert [account["Id"] for account in listed] == [security], "Organizations says the same"

        cloudtrail = accounts.client("security", "cloudtrail")
        assert code(cloudtrail.stop_logging, Name="organization") == "TrailNotFoundException"
        cloudtrail.stop_logging(Name=TRAIL)
        assert not cloudtrail.get_trail_status(Name=TRAIL)["IsLogging"]
        cloudtrail.start_logging(Name=TRAIL)
        # What it does is in the management account's event history too.
        stops = looked_up(self.server, "StopLogging")
        assert security in [record["userIdentity"].get("accountId") for record in stops]
        convert = {"Name": TRAIL, "IsOrganizationTrail": False}
        assert code(cloudtrail.update_trail, **convert) == "NotOrganizationMasterAccountException"
        second = TRAIL.replace("/organization", "/second")
        s3 = accounts.client("security", "s3")
        s3.create_bucket(Bucket="second-logs")
        s3.put_bucket_policy(Bucket="second-logs",
                             Policy=organization_bucket_policy("second-logs", second, accounts.id))
        made = cloudtrail.create_trail(Name="second", S3BucketName="second-logs", IsOrganizationTrail=True)
        assert made["TrailARN"] == second, "it belongs to the management account"
        accounts.aws("management", *deregister, security)
        assert code(cloudtrail.delete_trail, Name=second) == "NotOrganizationMasterAccountException"
        self.server.client("cloudtrail").delete_trail(Name="second")

    def test_nothing_is_lost_or_doubled_when_the_server_is_killed(self):
        for round_ in range(3):
            for name in self.accounts.ids:
                self.accounts.client(name, "iam").create_user(UserName=f"killed-{round_}-{name}")
            self.server.kill()
            self.server.start()
        for name in self.accounts.ids:
            wanted = {f"killed-{round_}-{name}" for round_ in range(3)}
            eventually(lambda name=name, wanted=wanted: wanted <= self.made_users(name), timeout=60, every=0.5)
        counted = collections.Counter(record["eventID"] for record in self.records())
        assert [event for event, times in counted.items() if times > 1] == []
        auditor = self.accounts.assume(self.accounts.ids["security"], "Auditor")
        for account in self.accounts.ids.values():
            self.validate(account, auditor)
            self.opentrail_validates(account, auditor)

    def test_without_an_account_every_account_is_validated(self):
        auditor = self.accounts.assume(self.accounts.ids["security"], "Auditor")
        eventually(lambda: self.validate_all(auditor)[0] == 0, timeout=60, every=1)
        _, verdicts, _ = self.validate_all(auditor)
        assert verdicts == dict.fromkeys(self.accounts.ids.values(), "Valid")

        dev = self.accounts.ids["dev"]
        s3 = self.accounts.client("security", "s3")
        key = self.log_keys(f"AWSLogs/{self.accounts.id}/{dev}/CloudTrail/")[0]
        kept = s3.get_object(Bucket=BUCKET, Key=key)
        body = kept["Body"].read()
        s3.delete_object(Bucket=BUCKET, Key=key)
        code_, verdicts, findings = self.validate_all(auditor)
        assert (code_, verdicts[dev], verdicts[ACCOUNT]) == (3, "Invalid", "Valid")
        assert (dev, "LogMissing", key) in findings
        table = subprocess.run(
            [binary(), "validate", "--trail-arn", TRAIL, "--account-id", ACCOUNT],
            env=self.server.cli_env(**auditor), capture_output=True, text=True, timeout=60,
        )
        assert table.stdout.startswith("VALID") and ACCOUNT in table.stdout, "the table names the account"
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType=kept["ContentType"],
                      ContentEncoding=kept["ContentEncoding"], Metadata=kept["Metadata"])
        assert self.validate_all(auditor)[1][dev] == "Valid"

    def test_who_may_not_read_the_bucket_hears_what_is_missing(self):
        iam = self.server.client("iam")
        iam.put_user_policy(UserName="narrow", PolicyName="chains",
                            PolicyDocument=policy(allow("opentrail:GetChainHeads", TRAIL)))
        key = iam.create_access_key(UserName="narrow")["AccessKey"]
        done = subprocess.run(
            [binary(), "validate", "--trail-arn", TRAIL],
            env=self.server.cli_env(key=key["AccessKeyId"], secret=key["SecretAccessKey"]),
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        assert f"AccessDenied: no permission for s3:ListBucket on arn:aws:s3:::{BUCKET}" in line

    def test_an_account_that_leaves_is_logged_up_to_there(self):
        accounts = self.accounts
        prod = accounts.ids["prod"]
        accounts.aws("prod", "iam", "create-user", "--user-name", "last-one")
        accounts.aws("management", "organizations", "remove-account-from-organization", "--account-id", prod)
        accounts.client("prod", "iam").create_user(UserName="after")
        assert accounts.client("prod", "cloudtrail").describe_trails()["trailList"] == []
        assert code(accounts.client("prod", "cloudtrail").get_trail, Name=TRAIL) == "TrailNotFoundException"
        # What comes later in the journal is delivered: so "after" was left out, and is not on its way.
        accounts.client("dev", "iam").create_user(UserName="marker")
        eventually(lambda: "marker" in self.made_users("dev"), timeout=60, every=0.5)
        assert "last-one" in self.made_users("prod") and "after" not in self.made_users("prod")
        digests = f"AWSLogs/{accounts.id}/{prod}/CloudTrail-Digest/{REGION}/"

        def is_quiet():
            before = len(self.log_keys(digests))
            of_dev = digests.replace(prod, accounts.ids["dev"])
            others = len(self.log_keys(of_dev))
            eventually(lambda: len(self.log_keys(of_dev)) >= others + 2, timeout=60, every=0.5)
            return len(self.log_keys(digests)) == before

        eventually(is_quiet, timeout=60, every=0.1)
        auditor = accounts.assume(accounts.ids["security"], "Auditor")
        self.validate(prod, auditor)
        self.opentrail_validates(prod, auditor)

    def test_the_trail_becomes_one_of_its_account_again(self):
        cloudtrail = self.server.client("cloudtrail")
        assert not cloudtrail.update_trail(Name="organization", IsOrganizationTrail=False)["IsOrganizationTrail"]
        dev = self.accounts.client("dev", "cloudtrail")
        assert code(dev.get_trail, Name=TRAIL) == "TrailNotFoundException"
        self.server.client("iam").create_user(UserName="alone")
        own = f"AWSLogs/{ACCOUNT}/CloudTrail/"
        eventually(lambda: self.log_keys(own), timeout=60, every=0.5)
        assert cloudtrail.update_trail(Name="organization", IsOrganizationTrail=True)["IsOrganizationTrail"]
        assert dev.get_trail(Name=TRAIL)["Trail"]["IsOrganizationTrail"]
