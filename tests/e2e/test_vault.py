"""The vault over S3, with boto3 and the real AWS CLI: every answer is held against botocore's model."""

import base64
import binascii
import hashlib
import io
import json
import os
import socket
import subprocess
import time

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.session
import pytest
import requests
from botocore import UNSIGNED
from botocore.exceptions import ClientError

import conformance
from server import ACCOUNT, REGION, ROOT_KEY, ROOT_SECRET, Server, aws_cli, eventually, own_bucket
from trail import delivered, everything_selected, make_trail

# In S3's list of error codes (API reference, "Error responses"); the suite's own list is shorter.
conformance.COMMON_ERRORS["s3"] |= {
    "AccessControlListNotSupported", "IllegalLocationConstraintException", "InvalidPartNumber",
    "InvalidStorageClass", "InvalidURI", "MissingRequestBodyError", "OwnershipControlsNotFoundError",
    "BadRequest",
}

MiB = 1024 * 1024
ODD_KEYS = [
    "plain", "with space", "plus+plus", "per%cent", "per%2Fcent", "new\nline", "tab\tkey", "ünïcödé/日本語/🦀",
    "//two/slashes//", "trailing/", "a/./dot/../dots", "quote'\"<&>", "semi;colon?question#hash", "~tilde*star",
    "equals=and&amp", "back\\slash",
]


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def bucket(server, request):
    """A bucket of the test's own."""
    name = own_bucket("t", request)
    server.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3(server):
    return server.client("s3")


def code_of(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["Error"]["Code"]


def status_of(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def user(server, name, *statements):
    """A user with these statements for a policy; answers an S3 client of theirs."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return server.client("s3", key=key["AccessKeyId"], secret=key["SecretAccessKey"])


def allow(action, resource, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def recorded(server, name, **matching):
    """The newest record of this call in the history, once it is there."""
    cloudtrail = server.client("cloudtrail")

    def look():
        found = cloudtrail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}], MaxResults=50
        )["Events"]
        records = [json.loads(event["CloudTrailEvent"]) for event in found]
        return [r for r in records if all((r["requestParameters"] or {}).get(k) == v for k, v in matching.items())]

    return eventually(look, timeout=10)[0]


# Buckets


def test_a_bucket_is_made_found_listed_and_removed(s3):
    assert s3.create_bucket(Bucket="first-bucket")["Location"] == "/first-bucket"
    assert s3.create_bucket(Bucket="first-bucket")["Location"] == "/first-bucket", "us-east-1's quirk"
    assert s3.head_bucket(Bucket="first-bucket")["BucketRegion"] == REGION
    assert s3.get_bucket_location(Bucket="first-bucket")["LocationConstraint"] is None
    listed = s3.list_buckets(Prefix="first-")
    assert [b["Name"] for b in listed["Buckets"]] == ["first-bucket"]
    assert listed["Owner"]["ID"] == s3.get_bucket_acl(Bucket="first-bucket")["Owner"]["ID"]
    s3.put_object(Bucket="first-bucket", Key="k", Body=b"x")
    assert code_of(s3.delete_bucket, Bucket="first-bucket") == "BucketNotEmpty"
    s3.delete_object(Bucket="first-bucket", Key="k")
    s3.delete_bucket(Bucket="first-bucket")
    assert status_of(s3.head_bucket, Bucket="first-bucket") == 404
    assert code_of(s3.list_objects_v2, Bucket="first-bucket") == "NoSuchBucket"
    assert code_of(s3.put_object, Bucket="first-bucket", Key="k", Body=b"") == "NoSuchBucket"


def test_a_bucket_goes_where_its_location_says(server, s3):
    where = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="in-europe", CreateBucketConfiguration=where)
    assert s3.get_bucket_location(Bucket="in-europe")["LocationConstraint"] == "eu-west-1"
    europe = server.client("s3", region="eu-west-1")
    assert code_of(europe.create_bucket, Bucket="nowhere-bucket") == "IllegalLocationConstraintException"
    europe.create_bucket(Bucket="also-in-europe", CreateBucketConfiguration=where)
    assert code_of(europe.create_bucket, Bucket="in-europe", CreateBucketConfiguration=where) == "BucketAlreadyOwnedByYou"
    europe.put_object(Bucket="in-europe", Key="k", Body=b"x")
    s3.put_object(Bucket="in-europe", Key="k", Body=b"x")
    listed = s3.list_buckets(BucketRegion="eu-west-1", MaxBuckets=1)
    assert [b["Name"] for b in listed["Buckets"]] == ["also-in-europe"]
    following = s3.list_buckets(BucketRegion="eu-west-1", ContinuationToken=listed["ContinuationToken"])
    assert [b["Name"] for b in following["Buckets"]] == ["in-europe"]
    record = recorded(server, "CreateBucket", bucketName="in-europe")
    assert record["requestParameters"]["CreateBucketConfiguration"]["LocationConstraint"] == "eu-west-1"


def test_names_that_break_s3s_rules_are_refused(server):
    for name in ["UPPER", "under_score", "192.168.1.1", "ab", "two..dots", "a" * 64]:
        answer = signed_request(server, "PUT", f"/{name}")
        assert (answer.status_code, "<Code>InvalidBucketName</Code>" in answer.text) == (400, True), answer.text


def test_settings_of_a_bucket(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"

    assert code_of(s3.get_bucket_tagging, Bucket=bucket) == "NoSuchTagSet"
    tags = [{"Key": "cost center", "Value": "ü/1"}, {"Key": "team", "Value": "blue"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    twice = {"TagSet": [tags[0], tags[0]]}
    assert code_of(s3.put_bucket_tagging, Bucket=bucket, Tagging=twice) == "InvalidTag"
    s3.delete_bucket_tagging(Bucket=bucket)
    assert code_of(s3.get_bucket_tagging, Bucket=bucket) == "NoSuchTagSet"

    owned = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    preferred = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=preferred)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == preferred
    writer = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    assert code_of(s3.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=writer) == "NotImplemented"
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert code_of(s3.get_bucket_ownership_controls, Bucket=bucket) == "OwnershipControlsNotFoundError"

    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values()) and len(block) == 4
    s3.delete_public_access_block(Bucket=bucket)
    assert code_of(s3.get_public_access_block, Bucket=bucket) == "NoSuchPublicAccessBlockConfiguration"


def test_what_a_bucket_does_not_have_is_answered_as_aws_does(s3, bucket):
    assert code_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == "NoSuchLifecycleConfiguration"
    assert code_of(s3.get_object_lock_configuration, Bucket=bucket) == "ObjectLockConfigurationNotFoundError"
    assert code_of(s3.get_bucket_cors, Bucket=bucket) == "NoSuchCORSConfiguration"
    assert code_of(s3.get_bucket_website, Bucket=bucket) == "NoSuchWebsiteConfiguration"
    assert code_of(s3.get_bucket_replication, Bucket=bucket) == "ReplicationConfigurationNotFoundError"
    assert code_of(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    s3.get_bucket_notification_configuration(Bucket=bucket)


def test_what_is_not_built_is_refused_and_never_passed_over(s3, bucket):
    put = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    assert code_of(s3.put_object, **put, StorageClass="SNOW") == "NotImplemented"
    assert code_of(s3.put_object, **put, WriteOffsetBytes=0) == "NotImplemented"
    assert code_of(s3.put_object, **put, ACL="public-read") == "AccessControlListNotSupported"
    assert code_of(s3.put_object, **put, GrantRead='uri="http://acs.amazonaws.com/groups/global/AllUsers"') == \
        "AccessControlListNotSupported"
    assert status_of(s3.head_object, Bucket=bucket, Key="k") == 404
    site = {"IndexDocument": {"Suffix": "index.html"}}
    assert code_of(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=site) == "NotImplemented"
    cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    assert code_of(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration=cors) == "NotImplemented"


# Objects


@pytest.mark.parametrize("key", ODD_KEYS)
def test_any_key_comes_back_as_it_went(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    for listing in (s3.list_objects_v2, s3.list_objects):
        assert [o["Key"] for o in listing(Bucket=bucket)["Contents"]] == [key]
    assert [v["Key"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == key.encode()
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})["Deleted"]
    assert [d["Key"] for d in deleted] == [key, "copy"]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_an_object_keeps_its_headers_and_metadata(s3, bucket):
    headers = {
        "ContentType": "text/plain; charset=utf-8", "ContentEncoding": "gzip", "ContentLanguage": "de",
        "ContentDisposition": 'attachment; filename="a b"', "CacheControl": "max-age=60",
        "StorageClass": "STANDARD_IA",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"body", Metadata={"Colour": "blue", "empty": ""}, **headers)
    for answer in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in headers} == headers
        assert answer["Metadata"] == {"colour": "blue", "empty": ""}
        assert answer["ContentLength"] == 4
        assert answer["ETag"] == f'"{hashlib.md5(b"body").hexdigest()}"'
    overridden = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="image/png", ResponseCacheControl="no-store",
        ResponseExpires="Mon, 21 Oct 2030 07:28:00 GMT",
    )
    assert (overridden["ContentType"], overridden["CacheControl"]) == ("image/png", "no-store")
    assert overridden["ExpiresString"] == "Mon, 21 Oct 2030 07:28:00 GMT"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"m": "x" * 2048}) == "MetadataTooLarge"


def test_ranges_and_parts_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")

    def ranged(value):
        answer = s3.get_object(Bucket=bucket, Key="k", Range=value)
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("ContentRange"), answer["Body"].read()

    assert ranged("bytes=2-4") == (206, "bytes 2-4/10", b"234")
    assert ranged("bytes=7-") == (206, "bytes 7-9/10", b"789")
    assert ranged("bytes=-3") == (206, "bytes 7-9/10", b"789")
    assert ranged("bytes=8-99") == (206, "bytes 8-9/10", b"89")
    assert ranged("lines=1-2") == (200, None, b"0123456789")
    assert code_of(s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-") == "InvalidRange"
    head = s3.head_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (head["ContentLength"], head["ContentRange"]) == (3, "bytes 2-4/10")
    assert head["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket=bucket, Key="k", PartNumber=1)["Body"].read() == b"0123456789"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", PartNumber=2) == "InvalidPartNumber"
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    assert code_of(s3.get_object, Bucket=bucket, Key="empty", Range="bytes=0-") == "InvalidRange"


def test_conditions_of_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    later = modified.replace(year=modified.year + 1)
    earlier = modified.replace(year=modified.year - 1)
    of = {"Bucket": bucket, "Key": "k"}
    s3.get_object(**of, IfMatch=etag, IfUnmodifiedSince=earlier)
    s3.get_object(**of, IfMatch=f'"other", {etag}')
    assert code_of(s3.get_object, **of, IfMatch='"other"') == "PreconditionFailed"
    assert code_of(s3.get_object, **of, IfUnmodifiedSince=earlier) == "PreconditionFailed"
    assert status_of(s3.get_object, **of, IfNoneMatch=etag) == 304
    assert status_of(s3.get_object, **of, IfModifiedSince=modified) == 304
    assert status_of(s3.get_object, **of, IfModifiedSince=modified, IfNoneMatch=etag) == 304
    s3.get_object(**of, IfNoneMatch='"other"', IfModifiedSince=later)
    assert status_of(s3.head_object, **of, IfNoneMatch=etag) == 304
    assert status_of(s3.head_object, **of, IfMatch='"other"') == 412


def test_conditions_of_writes(s3, bucket):
    of = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**of, Body=b"1", IfNoneMatch="*")["ETag"]
    assert code_of(s3.put_object, **of, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert code_of(s3.put_object, **of, Body=b"2", IfMatch='"other"') == "PreconditionFailed"
    s3.put_object(**of, Body=b"2", IfMatch=etag)
    assert code_of(s3.put_object, Bucket=bucket, Key="absent", Body=b"2", IfMatch=etag) == "NoSuchKey"
    assert code_of(s3.delete_object, **of, IfMatch=etag) == "PreconditionFailed"
    assert s3.get_object(**of)["Body"].read() == b"2"


CHECKSUMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_checksums_are_checked_kept_and_told(server, bucket, algorithm):
    s3 = server.client("s3")
    try:
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm=algorithm)
    except Exception as error:  # botocore needs the CRT for CRC32C and CRC64NVME
        if "CRT" not in str(error) and "MissingDependency" not in type(error).__name__:
            raise
        known = {"CRC32C": "mnG7TA==", "CRC64NVME": "M3eFcAZSQlc="}[algorithm]
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", **{f"Checksum{algorithm}": known})
    member = f"Checksum{algorithm}"
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ETag", "ObjectSize"])
    assert put[member] == got[member] == head[member] == attributes["Checksum"][member]
    assert attributes["ObjectSize"] == 5
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]
    wrong = base64.b64encode(bytes(len(base64.b64decode(put[member])))).decode()
    assert code_of(s3.put_object, Bucket=bucket, Key="bad", Body=b"hello", **{member: wrong}) == "BadDigest"
    assert code_of(s3.put_object, Bucket=bucket, Key="bad", Body=b"hello", **{member: "!"}) == "InvalidRequest"
    assert status_of(s3.head_object, Bucket=bucket, Key="bad") == 404


def test_digests_of_bodies_are_checked(s3, server, bucket):
    wrong = base64.b64encode(bytes(16)).decode()
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5=wrong) == "BadDigest"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="short") == "InvalidDigest"
    document = b'<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>'
    answer = signed_request(server, "PUT", f"/{bucket}?tagging", document, {"content-md5": wrong})
    assert "<Code>BadDigest</Code>" in answer.text
    delete = b"<Delete><Object><Key>k</Key></Object></Delete>"
    answer = signed_request(server, "POST", f"/{bucket}?delete", delete)
    assert "<Code>InvalidRequest</Code>" in answer.text, "a digest is required"
    assert code_of(s3.get_bucket_tagging, Bucket=bucket) == "NoSuchTagSet"


def test_copies(s3, bucket):
    s3.put_object(
        Bucket=bucket, Key="a b+ü", Body=b"source", Metadata={"m": "1"}, ContentType="text/x", Tagging="k=v"
    )
    source = {"Bucket": bucket, "Key": "a b+ü"}
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"source").hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="copy")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"], got["TagCount"]) == (b"source", {"m": "1"}, "text/x", 1)
    s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "2"},
        ContentType="text/y", TaggingDirective="REPLACE", Tagging="other=1", ChecksumAlgorithm="SHA256",
    )
    got = s3.get_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert (got["Metadata"], got["ContentType"]) == ({"m": "2"}, "text/y")
    assert got["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"source").digest()).decode()
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "other", "Value": "1"}]
    assert code_of(s3.copy_object, Bucket=bucket, Key="a b+ü", CopySource=source) == "InvalidRequest"
    assert code_of(s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "no"}) == "NoSuchKey"
    assert code_of(s3.copy_object, Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch='"no"') == "PreconditionFailed"


def test_tags_of_objects(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=two%20words")
    of = {"Bucket": bucket, "Key": "k"}
    assert s3.get_object_tagging(**of)["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}]
    assert s3.get_object(**of)["TagCount"] == 2
    s3.put_object_tagging(**of, Tagging={"TagSet": [{"Key": "c", "Value": ""}]})
    assert s3.get_object_tagging(**of)["TagSet"] == [{"Key": "c", "Value": ""}]
    s3.delete_object_tagging(**of)
    assert s3.get_object_tagging(**of)["TagSet"] == []
    eleven = {"TagSet": [{"Key": str(n), "Value": "v"} for n in range(11)]}
    assert code_of(s3.put_object_tagging, **of, Tagging=eleven) == "BadRequest"
    assert code_of(s3.put_object, **of, Body=b"", Tagging="aws:x=1") == "InvalidTag"
    assert code_of(s3.get_object_tagging, Bucket=bucket, Key="no") == "NoSuchKey"


def test_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"first"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"null"
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == second
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker["VersionId"])
    assert code_of(s3.get_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"]) == "MethodNotAllowed"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", VersionId="nonsense") in ("NoSuchVersion", "InvalidArgument")

    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}))
    versions = [v["VersionId"] for page in pages for v in page.get("Versions", [])]
    markers = [m["VersionId"] for page in pages for m in page.get("DeleteMarkers", [])]
    assert (versions, markers) == ([second, first, "null"], [marker["VersionId"]])

    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"
    doomed = [{"Key": "k", "VersionId": v} for v in versions]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed})["Deleted"]
    assert [d["VersionId"] for d in gone] == versions
    s3.delete_bucket(Bucket=bucket)


def test_listings_page_with_delimiters(s3, bucket):
    names = [f"d{n}/file{m} +%" for n in range(4) for m in range(3)] + ["top1", "top2"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    for operation in ("list_objects_v2", "list_objects"):
        for size in (1, 2, 3, 1000):
            pages = s3.get_paginator(operation).paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
            )
            seen = [
                entry.get("Prefix") or entry["Key"]
                for page in pages for entry in page.get("CommonPrefixes", []) + page.get("Contents", [])
            ]
            assert sorted(seen) == ["d0/", "d1/", "d2/", "d3/", "top1", "top2"], (operation, size)
        pages = s3.get_paginator(operation).paginate(Bucket=bucket, Prefix="d", PaginationConfig={"PageSize": 5})
        assert [o["Key"] for page in pages for o in page["Contents"]] == sorted(names[:12])
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="d3/", Delimiter="/", FetchOwner=True)
    assert [o["Key"] for o in after["Contents"]] == ["top1", "top2"]
    assert len(after["Contents"][0]["Owner"]["ID"]) == 64
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"] is False
    assert code_of(s3.list_objects_v2, Bucket=bucket, ContinuationToken="nonsense") == "InvalidArgument"
    assert code_of(s3.list_objects_v2, Bucket=bucket, MaxKeys=-1) == "InvalidArgument"


def test_many_objects_are_deleted_at_once(s3, bucket):
    names = [f"k{n:03}" for n in range(120)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names + ["absent"]]})
    assert [d["Key"] for d in answer["Deleted"]] == names + ["absent"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "absent"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_access_control_lists_say_what_is_so(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="bucket-owner-full-control")
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    for acl in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        grantee = {"ID": owner, "Type": "CanonicalUser"}
        assert acl["Grants"] == [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    same = {"Owner": {"ID": owner}, "Grants": [{"Grantee": {"ID": owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]}
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=same)
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    everyone = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    public = {"Owner": {"ID": owner}, "Grants": [{"Grantee": everyone, "Permission": "READ"}]}
    for refused in (
        lambda: s3.put_bucket_acl(Bucket=bucket, ACL="public-read"),
        lambda: s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=public),
        lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read"),
    ):
        assert code_of(refused) == "AccessControlListNotSupported"


# Multipart


def test_a_multipart_upload(s3, bucket):
    of = {"Bucket": bucket, "Key": "big +ü"}
    first, second = os.urandom(5 * MiB), os.urandom(1000)
    upload = s3.create_multipart_upload(**of, Metadata={"m": "1"}, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = [
        s3.upload_part(**of, UploadId=upload, PartNumber=n, Body=body, ChecksumAlgorithm="SHA256")
        for n, body in ((1, first), (2, second))
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket), "nothing is visible before completion"
    listed = s3.list_parts(**of, UploadId=upload, MaxParts=1)
    assert (listed["Parts"][0]["Size"], listed["IsTruncated"], listed["NextPartNumberMarker"]) == (5 * MiB, True, 1)
    assert listed["ChecksumAlgorithm"] == "SHA256"
    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(u["Key"], u["UploadId"]) for u in uploads] == [(of["Key"], upload)]
    named = [
        {"PartNumber": n, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}
        for n, part in enumerate(parts, 1)
    ]
    assert code_of(
        s3.complete_multipart_upload, **of, UploadId=upload, MultipartUpload={"Parts": named[::-1]}
    ) == "InvalidPartOrder"
    unknown = [{"PartNumber": 7, "ETag": parts[0]["ETag"], "ChecksumSHA256": parts[0]["ChecksumSHA256"]}]
    assert code_of(
        s3.complete_multipart_upload, **of, UploadId=upload, MultipartUpload={"Parts": unknown}
    ) == "InvalidPart"
    composite = b"".join(hashlib.sha256(body).digest() for body in (first, second))
    composite = base64.b64encode(hashlib.sha256(composite).digest()).decode()
    done = s3.complete_multipart_upload(
        **of, UploadId=upload, MultipartUpload={"Parts": named}, ChecksumSHA256=f"{composite}-2",
        MpuObjectSize=5 * MiB + 1000,
    )
    assert done["ETag"].endswith('-2"') and done["ChecksumSHA256"].endswith("-2")
    got = s3.get_object(**of)
    assert got["Body"].read() == first + second and got["Metadata"] == {"m": "1"}
    part = s3.get_object(**of, PartNumber=2)
    assert (part["Body"].read(), part["PartsCount"]) == (second, 2)
    attributes = s3.get_object_attributes(**of, ObjectAttributes=["ObjectParts", "Checksum"])
    assert attributes["ObjectParts"]["TotalPartsCount"] == 2
    assert [p["Size"] for p in attributes["ObjectParts"]["Parts"]] == [5 * MiB, 1000]
    assert code_of(s3.list_parts, **of, UploadId=upload) == "NoSuchUpload"


def test_parts_are_copied_and_uploads_given_up(s3, bucket):
    body = os.urandom(6 * MiB)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    of = {"Bucket": bucket, "Key": "target"}
    source = {"Bucket": bucket, "Key": "source"}
    upload = s3.create_multipart_upload(**of)["UploadId"]
    parts = []
    for number, span in ((1, f"bytes=0-{5 * MiB - 1}"), (2, f"bytes={5 * MiB}-{6 * MiB - 1}")):
        part = s3.upload_part_copy(**of, UploadId=upload, PartNumber=number, CopySource=source, CopySourceRange=span)
        parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**of, UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**of)["Body"].read() == body

    upload = s3.create_multipart_upload(**of)["UploadId"]
    s3.upload_part(**of, UploadId=upload, PartNumber=1, Body=b"small")
    small = s3.upload_part(**of, UploadId=upload, PartNumber=2, Body=b"small")
    both = [{"PartNumber": n, "ETag": small["ETag"]} for n in (1, 2)]
    assert code_of(
        s3.complete_multipart_upload, **of, UploadId=upload, MultipartUpload={"Parts": both}
    ) == "EntityTooSmall"
    s3.abort_multipart_upload(**of, UploadId=upload)
    assert code_of(s3.abort_multipart_upload, **of, UploadId=upload) == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert s3.get_object(**of)["Body"].read() == body


# Requests as they are on the wire


def sign(server, method, path, body=b"", headers=None, payload=None, key=ROOT_KEY, secret=ROOT_SECRET):
    """A request signed by botocore."""
    request = botocore.awsrequest.AWSRequest(method, server.endpoint + path, headers=dict(headers or {}), data=body)
    signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(key, secret), "s3", REGION)
    if payload:
        request.headers["X-Amz-Content-SHA256"] = payload
        signer.payload = lambda _: payload
    signer.add_auth(request)
    return request.prepare()


def signed_request(server, method, path, body=b"", headers=None, **how):
    prepared = sign(server, method, path, body, headers, **how)
    return requests.request(method, prepared.url, headers=dict(prepared.headers), data=body, timeout=30)


def test_a_tampered_body_is_refused_and_recorded_as_nothing_stored(server, s3, bucket):
    prepared = sign(server, "PUT", f"/{bucket}/k", b"what was signed")
    answer = requests.put(prepared.url, headers=dict(prepared.headers), data=b"what was sent!!", timeout=30)
    assert (answer.status_code, "<Code>XAmzContentSHA256Mismatch</Code>" in answer.text) == (400, True), answer.text
    assert status_of(s3.head_object, Bucket=bucket, Key="k") == 404


def test_bad_signatures_are_told_apart(server, bucket):
    wrong = signed_request(server, "GET", f"/{bucket}", secret="not the secret")
    assert (wrong.status_code, "<Code>SignatureDoesNotMatch</Code>" in wrong.text) == (403, True)
    unknown = signed_request(server, "GET", f"/{bucket}", key="AKIAUNKNOWN000000000")
    assert (unknown.status_code, "<Code>InvalidAccessKeyId</Code>" in unknown.text) == (403, True)
    for answer in (wrong, unknown):
        assert answer.headers["x-amz-request-id"] in answer.text
        assert answer.headers["x-amz-id-2"] in answer.text
        assert f"<Resource>/{bucket}</Resource>" in answer.text
    v2 = requests.get(f"{server.endpoint}/{bucket}", headers={"Authorization": "AWS AKIA:c2ln"}, timeout=30)
    assert v2.status_code in (400, 403)


def test_requests_that_are_none_of_s3s(server, bucket):
    answer = signed_request(server, "POST", f"/{bucket}/k?nonsense")
    assert answer.status_code in (405, 501), answer.text
    malformed = signed_request(server, "PUT", f"/{bucket}?versioning", b"<Versioning", {"content-md5": md5(b"<Versioning")})
    assert "<Code>MalformedXML</Code>" in malformed.text
    for method, path in (("PUT", f"/{bucket}?abac"), ("DELETE", f"/{bucket}?metadataConfiguration"), ("GET", f"/{bucket}?abac")):
        assert signed_request(server, method, path).status_code == 501, "not taken for a call on the bucket"
    where = b"<CreateBucketConfiguration><LocationConstraint>no where</LocationConstraint></CreateBucketConfiguration>"
    assert "<Code>InvalidLocationConstraint</Code>" in signed_request(server, "PUT", "/nowhere-bucket", where).text
    form = signed_request(server, "POST", f"/{bucket}", b"--x--", {"content-type": "multipart/form-data; boundary=x"})
    assert (form.status_code, "<Code>NotImplemented</Code>" in form.text) == (501, True)
    assert signed_request(server, "PUT", f"/{bucket}/{'k' * 1025}", b"x").status_code == 400


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_chunked_uploads_signed_and_with_trailers(server, s3, bucket):
    crc = base64.b64encode(binascii.crc32(b"hello world").to_bytes(4, "big")).decode()

    def upload(key, checksum):
        body = f"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
        headers = {
            "x-amz-decoded-content-length": "11", "x-amz-trailer": "x-amz-checksum-crc32",
            "content-encoding": "aws-chunked",
        }
        return signed_request(
            server, "PUT", f"/{bucket}/{key}", body, headers, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        )

    assert upload("good", crc).status_code == 200
    got = s3.get_object(Bucket=bucket, Key="good", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ChecksumCRC32"]) == (b"hello world", crc)
    assert "ContentEncoding" not in got
    bad = upload("bad", "AAAAAA==")
    assert (bad.status_code, "<Code>BadDigest</Code>" in bad.text) == (400, True)
    assert status_of(s3.head_object, Bucket=bucket, Key="bad") == 404


def interrupt_an_upload(server, bucket):
    """Half a PutObject of the key ``half``, and then the connection is gone."""
    prepared = sign(server, "PUT", f"/{bucket}/half", b"", {"content-length": "1000000"}, payload="UNSIGNED-PAYLOAD")
    lines = [f"PUT /{bucket}/half HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
    lines += [f"{k}: {v}" for k, v in prepared.headers.items() if k.lower() != "host" and k.lower() != "content-length"]
    lines += ["Content-Length: 1000000", "", ""]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall("\r\n".join(lines).encode() + os.urandom(500_000))
        time.sleep(0.2)


def test_an_interrupted_upload_leaves_nothing(server, s3, bucket):
    interrupt_an_upload(server, bucket)
    time.sleep(0.3)
    assert status_of(s3.head_object, Bucket=bucket, Key="half") == 404
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


def test_presigned_urls(server, bucket):
    body = b"presigned body"
    s3 = server.client("s3", signature_version="s3v4")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b+ü"}, ExpiresIn=60)
    assert requests.put(url, data=body, timeout=30).status_code == 200
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "a b+ü", "ResponseContentType": "text/x"}, ExpiresIn=60
    )
    got = requests.get(url, timeout=30)
    assert (got.content, got.headers["content-type"]) == (body, "text/x")
    tampered = requests.get(url.replace("text%2Fx", "text%2Fy"), timeout=30)
    assert (tampered.status_code, "<Code>SignatureDoesNotMatch</Code>" in tampered.text) == (403, True)
    short = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b+ü"}, ExpiresIn=1)
    time.sleep(2.1)
    expired = requests.get(short, timeout=30)
    assert (expired.status_code, "expired" in expired.text) == (403, True)


def test_virtual_hosted_style(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="dir/k", Body=b"by host")
    host = f"{bucket}.localhost:{server.port}"
    request = botocore.awsrequest.AWSRequest("GET", f"http://{host}/dir/k")
    botocore.auth.S3SigV4Auth(
        botocore.credentials.Credentials(ROOT_KEY, ROOT_SECRET), "s3", REGION
    ).add_auth(request)
    prepared = request.prepare()
    answer = requests.get(
        f"{server.endpoint}/dir/k", headers={**dict(prepared.headers), "Host": host}, timeout=30
    )
    assert (answer.status_code, answer.content) == (200, b"by host"), answer.text


# The AWS CLI


def test_the_aws_cli_copies_syncs_and_presigns(server, bucket, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(os.urandom(20 * MiB))
    server.aws("s3", "cp", str(big), f"s3://{bucket}/big", "--no-progress")
    back = tmp_path / "back"
    server.aws("s3", "cp", f"s3://{bucket}/big", str(back), "--no-progress")
    assert back.read_bytes() == big.read_bytes()
    head = server.aws("s3api", "head-object", "--bucket", bucket, "--key", "big")
    assert head["ETag"].endswith('-3"'), "it went up in parts"

    tree = tmp_path / "tree"
    for name in ("a/1.txt", "a/b/2 +ü.txt", "3.txt"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
        # S3 lists whole seconds; a file of this very second would look newer than its copy.
        os.utime(tree / name, (time.time() - 60, time.time() - 60))
    server.aws("s3", "sync", str(tree), f"s3://{bucket}/tree", "--no-progress")
    assert not (server.aws("s3", "sync", str(tree), f"s3://{bucket}/tree", "--no-progress") or "").strip()
    (tree / "3.txt").unlink()
    server.aws("s3", "sync", str(tree), f"s3://{bucket}/tree", "--delete", "--no-progress")
    listed = server.aws("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", "tree/")["Contents"]
    assert [o["Key"] for o in listed] == ["tree/a/1.txt", "tree/a/b/2 +ü.txt"]
    assert "PRE a/" in server.aws("s3", "ls", f"s3://{bucket}/tree/")
    config = tmp_path / "config"
    config.write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    env = {**server.cli_env(), "AWS_CONFIG_FILE": str(config)}
    url = subprocess.check_output([aws_cli(), "s3", "presign", f"s3://{bucket}/tree/a/1.txt"], env=env, text=True)
    assert requests.get(url.strip(), timeout=30).text == "a/1.txt"
    server.aws("s3", "mv", f"s3://{bucket}/big", f"s3://{bucket}/moved", "--no-progress")
    server.aws("s3", "rb", f"s3://{bucket}", "--force")
    assert server.aws("s3api", "head-bucket", "--bucket", bucket, ok=False) == "404"


# Who may


def test_users_may_what_their_policies_say(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="open/a", Body=b"a", Tagging="team=blue")
    s3.put_object(Bucket=bucket, Key="shut/b", Body=b"b")
    arn = f"arn:aws:s3:::{bucket}"
    reader = user(
        server, "reader",
        allow("s3:GetObject", f"{arn}/open/*"),
        allow("s3:ListBucket", arn, Condition={"StringLike": {"s3:prefix": "open/*"}}),
        allow("s3:PutObject", f"{arn}/tagged/*", Condition={"StringEquals": {"s3:RequestObjectTag/team": "blue"}}),
        allow("s3:PutObjectTagging", f"{arn}/tagged/*"),
        allow("s3:GetObjectTagging", f"{arn}/*", Condition={"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}),
    )
    assert reader.get_object(Bucket=bucket, Key="open/a")["Body"].read() == b"a"
    assert reader.head_object(Bucket=bucket, Key="open/a")["ContentLength"] == 1
    assert code_of(reader.get_object, Bucket=bucket, Key="shut/b") == "AccessDenied"
    assert status_of(reader.head_object, Bucket=bucket, Key="shut/b") == 403
    assert code_of(reader.get_object, Bucket=bucket, Key="open/absent") == "AccessDenied", "may not list: is not told"
    assert [o["Key"] for o in reader.list_objects_v2(Bucket=bucket, Prefix="open/")["Contents"]] == ["open/a"]
    assert code_of(reader.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert code_of(reader.put_object, Bucket=bucket, Key="open/c", Body=b"") == "AccessDenied"
    assert code_of(reader.put_object, Bucket=bucket, Key="tagged/c", Body=b"") == "AccessDenied"
    reader.put_object(Bucket=bucket, Key="tagged/c", Body=b"", Tagging="team=blue")
    assert reader.get_object_tagging(Bucket=bucket, Key="open/a")["TagSet"]
    assert code_of(reader.get_object_tagging, Bucket=bucket, Key="shut/b") == "AccessDenied"
    assert code_of(
        reader.copy_object, Bucket=bucket, Key="tagged/d", CopySource=f"{bucket}/shut/b"
    ) == "AccessDenied"
    assert code_of(reader.list_buckets) == "AccessDenied"
    assert code_of(reader.create_bucket, Bucket="not-allowed-bucket") == "AccessDenied"
    errors = reader.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "open/a"}]})["Errors"]
    assert [(e["Key"], e["Code"]) for e in errors] == [("open/a", "AccessDenied")]
    assert code_of(reader.get_object, Bucket="no-such-bucket-at-all", Key="k") == "NoSuchBucket"


def test_a_bucket_policy_allows_and_denies(server, s3, bucket):
    arn = f"arn:aws:s3:::{bucket}"
    s3.put_object(Bucket=bucket, Key="evidence/1", Body=b"x")
    alice = user(server, "alice-p")
    bob = user(server, "bob-p", allow("s3:*", "*"))
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(
        {
            "Sid": "AliceReads", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice-p"},
            "Action": "s3:GetObject", "Resource": f"{arn}/*",
        },
        {
            "Sid": "OnlyAliceTouchesEvidence", "Effect": "Deny", "Principal": "*",
            "Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": f"{arn}/evidence/*",
            "Condition": {"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/alice-p"}},
        },
    ))
    assert alice.get_object(Bucket=bucket, Key="evidence/1")["Body"].read() == b"x"
    assert code_of(alice.put_object, Bucket=bucket, Key="evidence/2", Body=b"") == "AccessDenied"
    assert code_of(bob.get_object, Bucket=bucket, Key="evidence/1") == "AccessDenied"
    bob.put_object(Bucket=bucket, Key="evidence/2", Body=b"")
    assert code_of(s3.delete_object, Bucket=bucket, Key="evidence/1") == "AccessDenied", "root too"
    errors = bob.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "evidence/1"}, {"Key": "other"}]})
    assert [e["Key"] for e in errors["Errors"]] == ["evidence/1"]
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Sid"] == "AliceReads"
    assert code_of(s3.put_bucket_policy, Bucket=bucket, Policy="{not json") == "MalformedPolicy"
    elsewhere = policy({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"})
    assert code_of(s3.put_bucket_policy, Bucket=bucket, Policy=elsewhere) == "MalformedPolicy"
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="evidence/1")


def test_the_owners_root_can_always_undo_a_policy(s3, bucket):
    arn = f"arn:aws:s3:::{bucket}"
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    ))
    assert code_of(s3.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert "Deny" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    s3.list_objects_v2(Bucket=bucket)


def test_the_public_is_kept_out_unless_let_in(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="page", Body=b"public page")
    url = f"{server.endpoint}/{bucket}/page"
    denied = requests.get(url, timeout=30)
    assert (denied.status_code, "<Code>AccessDenied</Code>" in denied.text) == (403, True)
    assert requests.put(url, data=b"x", timeout=30).status_code == 403
    assert requests.get(server.endpoint + "/", timeout=30).status_code == 403
    public = policy({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"})
    assert code_of(s3.put_bucket_policy, Bucket=bucket, Policy=public) == "AccessDenied", "BlockPublicPolicy"
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    assert requests.get(url, timeout=30).content == b"public page"
    overridden = requests.get(url + "?response-content-type=text/html", timeout=30)
    assert overridden.status_code == 400
    unsigned = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=REGION,
        config=botocore.config.Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
    )
    assert unsigned.get_object(Bucket=bucket, Key="page")["Body"].read() == b"public page"
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**block, "RestrictPublicBuckets": True})
    assert requests.get(url, timeout=30).status_code == 403


def test_the_expected_owner_is_checked(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ExpectedBucketOwner=ACCOUNT)
    assert code_of(s3.get_object, Bucket=bucket, Key="k", ExpectedBucketOwner="210987654321") == "AccessDenied"


# Records


def test_management_calls_are_recorded_as_aws_does(server, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    record = recorded(server, "PutBucketVersioning", bucketName=bucket)
    parameters = record["requestParameters"]
    assert (parameters["versioning"], parameters["Host"]) == ("", f"127.0.0.1:{server.port}")
    assert parameters["VersioningConfiguration"]["Status"] == "Enabled"
    assert record["resources"] == [
        {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}
    ]
    assert (record["eventSource"], record["managementEvent"], record["readOnly"]) == ("s3.amazonaws.com", True, False)
    assert record["additionalEventData"]["SignatureVersion"] == "SigV4"
    assert record["additionalEventData"]["AuthenticationMethod"] == "AuthHeader"
    assert record["additionalEventData"]["bytesTransferredIn"] > 0
    assert len(record["requestID"]) == 16

    code_of(s3.get_bucket_cors, Bucket=bucket)
    failed = recorded(server, "GetBucketCors", bucketName=bucket)
    assert (failed["errorCode"], failed["readOnly"]) == ("NoSuchCORSConfiguration", True)
    signed_request(server, "GET", f"/{bucket}?website", secret="wrong")
    stranger = recorded(server, "GetBucketWebsite", bucketName=bucket)
    assert stranger["errorCode"] == "SignatureDoesNotMatch"
    assert stranger["userIdentity"]["type"] == "Unknown"
    requests.get(f"{server.endpoint}/{bucket}?replication", timeout=30)
    nobody = recorded(server, "GetBucketReplication", bucketName=bucket)
    assert (nobody["errorCode"], nobody["errorMessage"]) == ("AccessDenied", "Access Denied")
    assert nobody["userIdentity"] == {"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"} \
        or nobody["userIdentity"]["accountId"] == "anonymous", nobody["userIdentity"]


def test_data_events_are_kept_only_where_a_trail_selects_them(tmp_path):
    with Server(tmp_path) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="watched-bucket")
        s3.put_object(Bucket="watched-bucket", Key="before", Body=b"x")
        make_trail(server, name="audit", bucket="trail-bucket", logging=False)
        cloudtrail = server.client("cloudtrail")
        selectors = everything_selected()
        selectors[1]["FieldSelectors"].append(
            {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::watched-bucket/"]}
        )
        cloudtrail.put_event_selectors(TrailName="audit", AdvancedEventSelectors=selectors[:2])
        cloudtrail.start_logging(Name="audit")

        s3.put_object(Bucket="watched-bucket", Key="dir/k", Body=b"hello", Metadata={"a": "b"})
        s3.get_object(Bucket="watched-bucket", Key="dir/k", Range="bytes=0-1")["Body"].read()
        code_of(s3.get_object, Bucket="watched-bucket", Key="absent")
        s3.list_objects_v2(Bucket="watched-bucket", Prefix="dir/")
        s3.delete_objects(Bucket="watched-bucket", Delete={"Objects": [{"Key": "dir/k"}, {"Key": "before"}]})
        signed_request(server, "PUT", "/watched-bucket/k", b"x", secret="wrong")
        prepared = sign(server, "PUT", "/watched-bucket/torn", b"what was signed")
        requests.put(prepared.url, headers=dict(prepared.headers), data=b"what was sent!!", timeout=30)
        interrupt_an_upload(server, "watched-bucket")

        def all_there():
            records = [r for r in delivered(server, "trail-bucket") if r["eventCategory"] == "Data"]
            return records if len(records) >= 10 else None

        records = eventually(all_there)
        time.sleep(2.5)
        records = [r for r in delivered(server, "trail-bucket") if r["eventCategory"] == "Data"]
        of = lambda name, **p: [  # noqa: E731
            r for r in records
            if r["eventName"] == name and all(r["requestParameters"].get(k) == v for k, v in p.items())
        ]
        assert not of("PutObject", key="before"), "nothing selected it then"
        put, = of("PutObject", key="dir/k")
        assert put["additionalEventData"]["bytesTransferredIn"] == 5
        assert put["resources"] == [
            {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::watched-bucket/dir/k"},
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::watched-bucket"},
        ]
        assert (put["managementEvent"], put["readOnly"]) == (False, False)
        assert put["responseElements"] == {"x-amz-server-side-encryption": "AES256"}
        got, = of("GetObject", key="dir/k")
        assert (got["additionalEventData"]["bytesTransferredOut"], got["readOnly"]) == (2, True)
        missed, = of("GetObject", key="absent")
        assert missed["errorCode"] == "NoSuchKey"
        listed, = of("ListObjects")
        assert listed["requestParameters"]["list-type"] == "2"
        assert listed["requestParameters"]["prefix"] == "dir/"
        assert listed["resources"][0] == {"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::watched-bucket/"}
        assert len(of("DeleteObjects")) == 1
        assert sorted(r["requestParameters"]["key"] for r in of("DeleteObject")) == ["before", "dir/k"]
        forged, = of("PutObject", key="k")
        assert forged["errorCode"] == "SignatureDoesNotMatch"
        torn, = of("PutObject", key="torn")
        assert torn["errorCode"] == "XAmzContentSHA256Mismatch"
        half, = of("PutObject", key="half")
        assert half["errorCode"] == "IncompleteBody"
        assert len(records) == 10, [r["eventName"] for r in records]


def test_objects_outlive_a_kill(tmp_path):
    server = Server(tmp_path).start()
    s3 = server.client("s3")
    s3.create_bucket(Bucket="lasting-bucket")
    small, large = os.urandom(100), os.urandom(3 * MiB)
    s3.put_object(Bucket="lasting-bucket", Key="small", Body=small)
    s3.upload_fileobj(io.BytesIO(large), "lasting-bucket", "large")
    server.kill()
    server.start()
    s3 = server.client("s3")
    assert s3.get_object(Bucket="lasting-bucket", Key="small")["Body"].read() == small
    assert s3.get_object(Bucket="lasting-bucket", Key="large")["Body"].read() == large
    server.stop()
