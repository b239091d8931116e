"""What the stories need around several accounts: an organization, its accounts, and who acts in them."""

import json

from identity import EVERYTHING, person, session
from server import ACCOUNT, eventually

ADMINISTRATION = "OrganizationAccountAccessRole"
TRUSTED = "cloudtrail.amazonaws.com"


class Accounts:
    """An organization under the server's account, by the real AWS CLI, and its accounts by name."""

    def __init__(self, server):
        self.server = server
        # Roles are assumed by people: root may not.
        self.admin = person(server.client("iam"), EVERYTHING, name="organization-admin")[1]
        made = server.aws("organizations", "create-organization", "--feature-set", "ALL")
        self.id = made["Organization"]["Id"]
        self.ids = {"management": ACCOUNT}
        self.sessions = {"management": self.admin}

    def trust_cloudtrail(self):
        self.server.aws("organizations", "enable-aws-service-access", "--service-principal", TRUSTED)

    def make(self, name):
        """A new account; answers its id. The management account's people get into it by the role that it has."""
        begun = self.server.aws("organizations", "create-account", "--email", f"{name}@example.com",
                                "--account-name", name)["CreateAccountStatus"]

        def done():
            status = self.server.aws("organizations", "describe-create-account-status",
                                     "--create-account-request-id", begun["Id"])["CreateAccountStatus"]
            return status if status["State"] != "IN_PROGRESS" else None

        status = eventually(done)
        assert status["State"] == "SUCCEEDED", status
        self.ids[name] = status["AccountId"]
        self.sessions[name] = self.assume(status["AccountId"], ADMINISTRATION)
        return status["AccountId"]

    def assume(self, account, role, who=None):
        role = f"arn:aws:iam::{account}:role/{role}"
        sts = self.server.client("sts", **(who or self.admin))
        return session(sts.assume_role(RoleArn=role, RoleSessionName="story")["Credentials"])

    def aws(self, account, *arguments, **more):
        """The AWS CLI as an administrator of the account."""
        return self.server.aws(*arguments, **self.sessions[account], **more)

    def client(self, account, service, **more):
        return self.server.client(service, **self.sessions[account], **more)


def organization_bucket_policy(bucket, trail_arn, organization, *more, prefix=""):
    """The bucket policy that AWS documents for an organization trail."""
    management = trail_arn.split(":")[4]
    folder = f"{prefix}/" if prefix else ""
    service = {"Service": ["cloudtrail.amazonaws.com"]}

    def write(sid, owner):
        return {
            "Sid": sid, "Effect": "Allow", "Principal": service, "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/{folder}AWSLogs/{owner}/*",
            "Condition": {"StringEquals": {
                "s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": trail_arn,
            }},
        }

    return json.dumps({"Version": "2012-10-17", "Statement": [
        {
            "Sid": "AWSCloudTrailAclCheck20150319", "Effect": "Allow", "Principal": service,
            "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}",
            "Condition": {"StringEquals": {"aws:SourceArn": trail_arn}},
        },
        write("AWSCloudTrailWrite20150319", management),
        *([write("AWSCloudTrailOrganizationWrite20150319", organization)] if organization else []),
        *more,
    ]})


def central_key_policy(owner, trails_of, *readers):
    """The policy of a key in the account of the logs, for trails of another; ``readers`` may decrypt with it."""
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    statements = [
        {
            "Sid": "Enable IAM User Permissions", "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{owner}:root"}, "Action": "kms:*", "Resource": "*",
        },
        {
            "Sid": "Allow CloudTrail to encrypt logs", "Effect": "Allow", "Principal": cloudtrail,
            "Action": "kms:GenerateDataKey*", "Resource": "*",
            "Condition": {"StringLike": {
                "kms:EncryptionContext:aws:cloudtrail:arn":
                    [f"arn:aws:cloudtrail:*:{account}:trail/*" for account in trails_of],
            }},
        },
        {
            "Sid": "Allow CloudTrail to describe key", "Effect": "Allow", "Principal": cloudtrail,
            "Action": "kms:DescribeKey", "Resource": "*",
        },
    ]
    if readers:
        statements.append({
            "Sid": "Enable CloudTrail log decrypt permissions", "Effect": "Allow",
            "Principal": {"AWS": list(readers)}, "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}},
        })
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
