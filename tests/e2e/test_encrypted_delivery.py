"""Trails with a KMS key: their files are encrypted with it, and a key that can't be used holds them back."""

import json

import pytest
from botocore.exceptions import ClientError

import conformance
from server import ACCOUNT, REGION, eventually
from trail import delivered, keys, make_bucket, make_trail

conformance.COMMON_ERRORS["s3"] |= {"KMS.DisabledException"}

TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"


def key_policy(source=TRAIL, delivers=True):
    """The key policy that AWS documents for CloudTrail."""
    statements = [
        {
            "Sid": "Enable IAM user permissions", "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*",
        },
        {
            "Sid": "Allow CloudTrail to describe key", "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "kms:DescribeKey", "Resource": "*",
        },
    ]
    if delivers:
        statements.append({
            "Sid": "Allow CloudTrail to encrypt logs", "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "kms:GenerateDataKey*", "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:SourceArn": source},
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"},
            },
        })
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_key(server, **policy):
    return server.client("kms").create_key(Policy=key_policy(**policy))["KeyMetadata"]["Arn"]


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def error_of(server):
    return server.client("cloudtrail").get_trail_status(Name="audit").get("LatestDeliveryError") or ""


def made_users(server):
    records = delivered(server, "trail-bucket")
    return sorted(r["requestParameters"]["userName"] for r in records if r["eventName"] == "CreateUser")


def test_files_are_written_with_the_trails_key_and_validate(server):
    key = make_key(server)
    make_trail(server, KmsKeyId=key)
    cloudtrail, s3 = server.client("cloudtrail"), server.client("s3")
    assert cloudtrail.get_trail(Name="audit")["Trail"]["KmsKeyId"] == key
    server.client("iam").create_user(UserName="alice")
    eventually(lambda: made_users(server) == ["alice"])
    digests = eventually(lambda: keys(server, "trail-bucket", "CloudTrail-Digest"))
    # Log files, and since 2025 digests too, are encrypted with the key.
    for name in [*keys(server, "trail-bucket"), *digests]:
        if "/CloudTrail/" in name or "Digest" in name:
            head = s3.head_object(Bucket="trail-bucket", Key=name)
            assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key), name
    # Who may read the bucket and not use the key reads nothing.
    iam = server.client("iam")
    iam.create_user(UserName="bob")
    reads = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_user_policy(UserName="bob", PolicyName="p",
                        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [reads]}))
    bobs = iam.create_access_key(UserName="bob")["AccessKey"]
    bob = server.client("s3", key=bobs["AccessKeyId"], secret=bobs["SecretAccessKey"])
    assert code_of(bob.get_object, Bucket="trail-bucket", Key=keys(server, "trail-bucket")[0]) == "AccessDenied"
    # The use of the key is in the record, as CloudTrail's.
    def uses():
        found = [r for r in delivered(server, "trail-bucket") if r["eventName"] == "GenerateDataKey"]
        return [r for r in found if r["userIdentity"].get("invokedBy") == "cloudtrail.amazonaws.com"]

    context = eventually(uses)[0]["requestParameters"]["encryptionContext"]
    assert context["aws:cloudtrail:arn"] == TRAIL
    assert context["aws:s3:arn"].startswith(f"arn:aws:s3:::trail-bucket/AWSLogs/{ACCOUNT}/CloudTrail")
    validated = server.aws("cloudtrail", "validate-logs", "--trail-arn", TRAIL, "--start-time", "2020-01-01T00:00:00Z")
    assert "INVALID" not in validated and "digest files valid" in validated
    assert "INVALID" not in server.opentrail("validate", "--trail-arn", TRAIL, "--start-time", "2020-01-01T00:00:00Z")


def test_a_disabled_key_stops_delivery_until_it_is_enabled(server):
    key = make_key(server)
    make_trail(server, KmsKeyId=key)
    iam, kms = server.client("iam"), server.client("kms")
    iam.create_user(UserName="before")
    eventually(lambda: made_users(server) == ["before"])
    kms.disable_key(KeyId=key)
    for number in range(3):
        iam.create_user(UserName=f"meanwhile-{number}")
    eventually(lambda: error_of(server) == "KMS.DisabledException")
    kms.enable_key(KeyId=key)
    # Nobody does anything else: what waited comes, each record once.
    everybody = ["before", *(f"meanwhile-{number}" for number in range(3))]
    eventually(lambda: made_users(server) == everybody, timeout=60)
    eventually(lambda: error_of(server) == "")
    assert made_users(server) == everybody


def test_a_key_policy_without_cloudtrail_stops_delivery_until_it_is_back(server):
    key = make_key(server)
    make_trail(server, KmsKeyId=key)
    iam, kms = server.client("iam"), server.client("kms")
    iam.create_user(UserName="before")
    eventually(lambda: made_users(server) == ["before"])
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy(delivers=False))
    iam.create_user(UserName="meanwhile")
    eventually(lambda: error_of(server) == "AccessDenied")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy())
    eventually(lambda: made_users(server) == ["before", "meanwhile"], timeout=60)


def test_what_waits_for_a_key_comes_when_the_trail_gets_another(server):
    lost, found = make_key(server), make_key(server)
    make_trail(server, KmsKeyId=lost)
    iam, kms, cloudtrail = server.client("iam"), server.client("kms"), server.client("cloudtrail")
    kms.schedule_key_deletion(KeyId=lost, PendingWindowInDays=7)
    iam.create_user(UserName="alice")
    eventually(lambda: error_of(server) == "KMS.KMSInvalidStateException")
    assert cloudtrail.update_trail(Name="audit", KmsKeyId=found)["KmsKeyId"] == found
    eventually(lambda: error_of(server) == "", timeout=60)
    # What was delivered before is read with the key it has, which was not gone yet.
    kms.cancel_key_deletion(KeyId=lost)
    kms.enable_key(KeyId=lost)
    eventually(lambda: made_users(server) == ["alice"], timeout=60)
    s3 = server.client("s3")
    used = {s3.head_object(Bucket="trail-bucket", Key=name).get("SSEKMSKeyId") for name in keys(server, "trail-bucket")}
    assert found in used
    assert "KmsKeyId" not in cloudtrail.update_trail(Name="audit", KmsKeyId="")
    iam.create_user(UserName="bob")
    eventually(lambda: made_users(server) == ["alice", "bob"], timeout=60)
    kinds = {s3.head_object(Bucket="trail-bucket", Key=name)["ServerSideEncryption"] for name in keys(server, "trail-bucket")}
    assert kinds == {"aws:kms", "AES256"}


def test_a_trail_takes_no_key_that_it_could_not_use(server):
    make_bucket(server, "trail-bucket")
    cloudtrail, kms = server.client("cloudtrail"), server.client("kms")

    def refused(key):
        return code_of(cloudtrail.create_trail, Name="audit", S3BucketName="trail-bucket", KmsKeyId=key)

    assert refused("alias/nobody") == "KmsKeyNotFoundException"
    assert refused("11111111-2222-3333-4444-555555555555") == "KmsKeyNotFoundException"
    assert refused("no key's name") == "InvalidKmsKeyIdException"
    assert refused(make_key(server, delivers=False)) == "InsufficientEncryptionPolicyException"
    # The policy of a key that is for another trail does not let this one in.
    other = make_key(server, source=TRAIL.replace("audit", "other"))
    assert refused(other) == "InsufficientEncryptionPolicyException"
    key = make_key(server)
    kms.disable_key(KeyId=key)
    assert refused(key) == "KmsException"
    kms.enable_key(KeyId=key)
    kms.create_alias(AliasName="alias/trails", TargetKeyId=key)
    made = cloudtrail.create_trail(Name="audit", S3BucketName="trail-bucket", KmsKeyId="alias/trails")
    assert made["KmsKeyId"] == key
