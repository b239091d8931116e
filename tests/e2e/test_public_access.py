"""Block Public Access, of a bucket and of an account; what is public; ACLs and ownership."""

import json
import subprocess

import boto3
import botocore.config
import botocore.session
import pytest
import requests

import conformance
from identity import EVERYTHING, code, person, refused
from server import ACCOUNT, REGION, ROOT_KEY, ROOT_SECRET, aws_cli, own_bucket

conformance.COMMON_ERRORS["s3"] |= {
    "AccessControlListNotSupported", "InvalidBucketAclWithObjectOwnership",
    "InvalidBucketAclWithBlockPublicAccessError",
}
conformance.COMMON_ERRORS["s3control"] = {
    "AccessDenied", "InvalidRequest", "MalformedXML", "NotImplemented", "SignatureDoesNotMatch", "BadDigest",
}

ALL = {
    "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True,
}
NONE = {name: False for name in ALL}


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3, request):
    name = own_bucket("b", request)
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def control(server):
    """S3 Control. Clients put the account in front of the host's name, which no resolver here knows: the server
    itself is their proxy."""
    clients = []

    def client(key=ROOT_KEY, secret=ROOT_SECRET, **_):
        core = botocore.session.get_session()
        conformance.watch(core)
        session = boto3.session.Session(
            aws_access_key_id=key, aws_secret_access_key=secret, region_name=REGION, botocore_session=core)
        made = session.client(
            "s3control", endpoint_url=f"http://localhost:{server.port}",
            config=botocore.config.Config(proxies={"http": server.endpoint}, retries={"max_attempts": 0}))
        clients.append(made)
        return made
    yield client
    client().delete_public_access_block(AccountId=ACCOUNT)


def statement(bucket, principal="*", condition=None, effect="Allow", action="s3:GetObject"):
    made = {
        "Effect": effect, "Principal": principal, "Action": action,
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return {**made, "Condition": condition} if condition else made


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def block(s3, bucket, **switches):
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**NONE, **switches})


def is_public(s3, bucket):
    return s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]


# Of a bucket


def test_the_four_switches_of_a_bucket(s3, bucket):
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == ALL
    some = {**ALL, "BlockPublicPolicy": False}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=some)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == some
    s3.delete_public_access_block(Bucket=bucket)
    assert code(s3.get_public_access_block, Bucket=bucket) == "NoSuchPublicAccessBlockConfiguration"


PUBLIC = [
    None,
    {"StringLike": {"aws:Referer": "https://example.com/*"}},
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}},
    {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::/0"]}},
    {"StringLike": {"aws:SourceVpc": "vpc-*"}},
    {"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}},
    {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
    {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-exampleorg"}},
]
PRIVATE = [
    {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"StringEquals": {"aws:SourceVpc": "vpc-91237329"}},
    {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg"}},
    {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    {"ArnEquals": {"aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/t"}},
]


def test_what_is_public(s3, bucket):
    block(s3, bucket)
    for condition in PUBLIC:
        s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(bucket, condition=condition)))
        assert is_public(s3, bucket), condition
    for condition in PRIVATE:
        s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(bucket, condition=condition)))
        assert not is_public(s3, bucket), condition
    for principal in ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"Service": "cloudtrail.amazonaws.com"}):
        s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(bucket, principal)))
        assert not is_public(s3, bucket), principal
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(bucket, effect="Deny", action="s3:DeleteObject")))
    assert not is_public(s3, bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    assert code(s3.get_bucket_policy_status, Bucket=bucket) == "NoSuchBucketPolicy"


def test_block_public_policy_refuses_public_policies_and_no_others(s3, bucket):
    block(s3, bucket, BlockPublicPolicy=True)
    for condition in PUBLIC:
        refusal = code(s3.put_bucket_policy, Bucket=bucket, Policy=document(statement(bucket, condition=condition)))
        assert refusal == "AccessDenied", condition
    assert code(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"
    for condition in PRIVATE:
        s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(bucket, condition=condition)))


def test_restrict_public_buckets_lets_in_only_the_owners_account(server, s3, bucket):
    block(s3, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"for all")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(bucket)))
    url = f"{server.endpoint}/{bucket}/k"
    assert requests.get(url, timeout=10).text == "for all"
    block(s3, bucket, RestrictPublicBuckets=True)
    assert requests.get(url, timeout=10).status_code == 403
    _, own = person(server.client("iam"), EVERYTHING)
    assert server.client("s3", **own).get_object(Bucket=bucket, Key="k")["Body"].read() == b"for all"
    block(s3, bucket)
    assert requests.get(url, timeout=10).status_code == 200


def test_acls_do_nothing_and_public_ones_are_refused_by_their_cause(s3, bucket):
    assert code(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == "AccessControlListNotSupported"
    preferred = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=preferred)
    for acl in ("public-read", "public-read-write", "authenticated-read"):
        assert code(s3.put_bucket_acl, Bucket=bucket, ACL=acl) == "AccessDenied"
        assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"", ACL=acl) == "AccessDenied"
    everyone = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    assert code(s3.put_bucket_acl, Bucket=bucket, GrantRead=everyone) == "AccessDenied"
    block(s3, bucket)
    assert code(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == "AccessControlListNotSupported"
    assert code(s3.create_bucket, Bucket="public-one", ACL="public-read") == "InvalidBucketAclWithObjectOwnership"
    assert code(
        s3.create_bucket, Bucket="public-two", ACL="public-read", ObjectOwnership="BucketOwnerPreferred"
    ) == "InvalidBucketAclWithBlockPublicAccessError"


# Of an account


def test_the_four_switches_of_an_account(control):
    s3control = control()
    assert code(s3control.get_public_access_block, AccountId=ACCOUNT) == "NoSuchPublicAccessBlockConfiguration"
    some = {**NONE, "BlockPublicPolicy": True}
    s3control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    assert s3control.get_public_access_block(AccountId=ACCOUNT)["PublicAccessBlockConfiguration"] == some
    s3control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=ALL)
    assert s3control.get_public_access_block(AccountId=ACCOUNT)["PublicAccessBlockConfiguration"] == ALL
    for _ in range(2):
        gone = s3control.delete_public_access_block(AccountId=ACCOUNT)
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert code(s3control.get_public_access_block, AccountId=ACCOUNT) == "NoSuchPublicAccessBlockConfiguration"


def test_what_is_on_for_the_account_is_on_for_each_bucket(server, s3, bucket, control):
    block(s3, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"for all")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(bucket)))
    url = f"{server.endpoint}/{bucket}/k"
    assert requests.get(url, timeout=10).status_code == 200
    s3control = control()
    s3control.put_public_access_block(
        AccountId=ACCOUNT, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    assert requests.get(url, timeout=10).status_code == 403
    s3control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    assert requests.get(url, timeout=10).status_code == 200
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy=document(statement(bucket))) == "AccessDenied"
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == NONE


def test_an_accounts_switches_are_for_who_may_and_for_its_own(server, control):
    _, nobody = person(server.client("iam"))
    refusal, message = refused(control(**nobody).get_public_access_block, AccountId=ACCOUNT)
    assert refusal == "AccessDenied" and "s3:GetAccountPublicAccessBlock" in message
    denied = code(
        control(**nobody).put_public_access_block, AccountId=ACCOUNT, PublicAccessBlockConfiguration=NONE)
    assert denied == "AccessDenied"
    assert code(control().get_public_access_block, AccountId="210987654321") == "AccessDenied"


def test_the_aws_cli_protects_an_account(server, control):
    """`aws s3control put-public-access-block --account-id …`, as users type it."""
    control()
    env = server.cli_env()
    env.update(AWS_ENDPOINT_URL=f"http://localhost:{server.port}", HTTP_PROXY=server.endpoint, NO_PROXY="")

    def aws(*arguments):
        done = subprocess.run(
            [aws_cli(), "s3control", *arguments, "--account-id", ACCOUNT], env=env, capture_output=True, text=True,
            timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None
    aws("put-public-access-block", "--public-access-block-configuration",
        "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true")
    assert aws("get-public-access-block")["PublicAccessBlockConfiguration"] == ALL
    aws("delete-public-access-block")
