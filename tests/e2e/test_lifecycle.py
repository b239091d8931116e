"""Lifecycle rules over S3, with boto3 and the real AWS CLI, and days that are short."""

import json
import time

import pytest
from botocore.exceptions import ClientError

import conformance
from server import ACCOUNT, Server, eventually
from trail import delivered, everything_selected, make_trail

# In S3's list of error codes (API reference, "Error responses"); the suite's own list is shorter.
conformance.COMMON_ERRORS["s3"] |= {
    "InvalidArgument", "InvalidRequest", "MalformedXML", "NoSuchLifecycleConfiguration", "InvalidBucketState",
    "InvalidObjectState", "ObjectNotInActiveTierError", "ObjectAlreadyInActiveTierError", "InvalidTag",
}

# The log buckets of the five write-ups, as their authors describe them.
THREE_CLASSES = {
    "Rules": [{
        "ID": "archive-logs", "Status": "Enabled", "Filter": {"Prefix": ""},
        "Transitions": [
            {"Days": 30, "StorageClass": "STANDARD_IA"},
            {"Days": 90, "StorageClass": "GLACIER"},
            {"Days": 365, "StorageClass": "DEEP_ARCHIVE"},
        ],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
    }],
}
ONE_YEAR = {
    "Rules": [{
        "ID": "one-year", "Status": "Enabled", "Filter": {"Prefix": "AWSLogs/"},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
        "Expiration": {"Days": 365},
    }],
}
LINE = b'{"eventName": "PutObject", "eventSource": "s3.amazonaws.com"}\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Days of real length: what a rule says is one thing, that it is applied another."""
    with Server(tmp_path_factory.mktemp("days")) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A day takes a tenth of a second."""
    with Server(tmp_path_factory.mktemp("hasty"), "--lifecycle-day", "100ms") as running:
        yield running


def bucket_of(s3, name, versioned=False):
    s3.create_bucket(Bucket=name)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def rules(s3, bucket, *rules, **more):
    given = [{"ID": f"rule {n}", "Status": "Enabled", "Filter": {"Prefix": ""}, **r} for n, r in enumerate(rules)]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": given}, **more)


def refusal(s3, bucket, *given, legacy=False):
    base = {"Status": "Enabled"} if legacy else {"Status": "Enabled", "Filter": {"Prefix": ""}}
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [{**base, **rule} for rule in given]}
        )
    return refused.value.response["Error"]["Code"]


def keys(s3, bucket):
    return [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def storage_class(s3, bucket, key):
    return s3.head_object(Bucket=bucket, Key=key).get("StorageClass", "STANDARD")


@pytest.mark.parametrize("name, wanted", [("three-classes", THREE_CLASSES), ("one-year", ONE_YEAR)])
def test_the_log_buckets_rules_are_taken_by_the_real_cli(server, tmp_path, name, wanted):
    bucket = bucket_of(server.client("s3"), name)
    document = tmp_path / "lifecycle.json"
    document.write_text(json.dumps(wanted))
    server.aws(
        "s3api", "put-bucket-lifecycle-configuration", "--bucket", bucket,
        "--lifecycle-configuration", f"file://{document}",
    )
    read = server.aws("s3api", "get-bucket-lifecycle-configuration", "--bucket", bucket)
    assert read["Rules"] == wanted["Rules"]
    assert read["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    server.aws("s3api", "delete-bucket-lifecycle", "--bucket", bucket)
    code = server.aws("s3api", "get-bucket-lifecycle-configuration", "--bucket", bucket, ok=False)
    assert code == "NoSuchLifecycleConfiguration"


def test_every_part_of_a_rule_comes_back_as_it_was_written(server):
    s3 = server.client("s3")
    bucket = bucket_of(s3, "round-trip")
    wanted = [
        {
            "ID": "all of it", "Status": "Disabled",
            "Filter": {"And": {
                "Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "l", "Value": "w"}],
                "ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 1 << 30,
            }},
            "Transitions": [{"Days": 0, "StorageClass": "GLACIER_IR"}],
            "NoncurrentVersionTransitions": [
                {"NoncurrentDays": 30, "StorageClass": "ONEZONE_IA", "NewerNoncurrentVersions": 3},
            ],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 60, "NewerNoncurrentVersions": 5},
            "Expiration": {"Days": 10},
        },
        {"ID": "tag", "Status": "Enabled", "Filter": {"Tag": {"Key": "k", "Value": ""}}, "Expiration": {"Days": 1}},
        {"ID": "size", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 0}, "Expiration": {"Days": 1}},
        {
            "ID": "markers", "Status": "Enabled", "Filter": {"Prefix": ""},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": wanted},
        TransitionDefaultMinimumObjectSize="varies_by_storage_class",
    )
    read = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert read["Rules"] == wanted
    assert read["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [
            {"Status": "Enabled", "Prefix": "old/", "Expiration": {"Date": "2040-01-01T00:00:00Z"}},
        ]},
    )
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Prefix"] == "old/" and rule["Expiration"]["Date"].isoformat() == "2040-01-01T00:00:00+00:00"
    assert rule["ID"], "a rule without an id gets one"


def test_what_s3_does_not_take_is_refused_as_s3_refuses_it(server):
    s3 = server.client("s3")
    bucket = bucket_of(s3, "refusals")
    days = {"Expiration": {"Days": 1}}
    assert refusal(s3, bucket, {**days, "ID": "x"}, {**days, "ID": "x"}) == "InvalidArgument"
    assert refusal(s3, bucket, {**days, "ID": "x" * 256}) == "InvalidArgument"
    assert refusal(s3, bucket, {**days, "Status": "enabled"}) == "MalformedXML"
    assert refusal(s3, bucket, {"Expiration": {"Days": 0}}) == "InvalidArgument"
    assert refusal(s3, bucket, {"Expiration": {"Date": "2040-01-01T10:00:00Z"}}) == "InvalidArgument"
    assert refusal(s3, bucket, {"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}) == "MalformedXML"
    assert refusal(s3, bucket, {}) == "InvalidRequest"
    assert refusal(s3, bucket, {**days, "Prefix": "a"}) == "MalformedXML"
    assert refusal(s3, bucket, days, legacy=True) == "MalformedXML"
    assert refusal(s3, bucket, {**days, "Filter": {"Prefix": "a", "ObjectSizeGreaterThan": 1}}) == "MalformedXML"
    early = {"Transitions": [{"Days": 29, "StorageClass": "STANDARD_IA"}]}
    assert refusal(s3, bucket, early) == "InvalidArgument"
    back = {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}, {"Days": 90, "StorageClass": "STANDARD_IA"}]}
    assert refusal(s3, bucket, back) == "InvalidArgument"
    assert refusal(s3, bucket, {"Transitions": [{"Days": 1, "StorageClass": "COLD"}]}) == "MalformedXML"
    gone = {"Transitions": [{"Days": 40, "StorageClass": "GLACIER"}], "Expiration": {"Days": 40}}
    assert refusal(s3, bucket, gone) == "InvalidArgument"
    kept = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}}
    assert refusal(s3, bucket, kept) == "InvalidArgument"
    tagged = {
        "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    assert refusal(s3, bucket, tagged) == "InvalidRequest"
    assert refusal(s3, bucket, *[{**days, "ID": str(n)} for n in range(1001)]) == "InvalidRequest"
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_answers_say_when_an_object_expires(server):
    s3 = server.client("s3")
    bucket = bucket_of(s3, "announced")
    rules(s3, bucket, {"ID": "ten-days (or so)", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 10}},
          {"ID": "parts", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
    put = s3.put_object(Bucket=bucket, Key="logs/a", Body=b"1")
    assert 'rule-id="ten-days%20%28or%20so%29"' in put["Expiration"] and "00:00:00 GMT" in put["Expiration"]
    assert s3.get_object(Bucket=bucket, Key="logs/a")["Expiration"] == put["Expiration"]
    assert s3.head_object(Bucket=bucket, Key="logs/a")["Expiration"] == put["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other/a", Body=b"1")
    copied = s3.copy_object(Bucket=bucket, Key="logs/b", CopySource=f"{bucket}/other/a")
    assert 'rule-id="ten-days' in copied["Expiration"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")
    assert upload["AbortRuleId"] == "parts" and upload["AbortDate"].strftime("%H:%M:%S") == "00:00:00"


def test_objects_move_through_the_classes_and_expire(hasty):
    s3 = hasty.client("s3")
    bucket = bucket_of(s3, "moving")
    body = LINE * 5000
    seen = []
    rules(s3, bucket, {
        "Transitions": [
            {"Days": 50, "StorageClass": "STANDARD_IA"},
            {"Days": 100, "StorageClass": "GLACIER_IR"},
        ],
        "Expiration": {"Days": 170},
    })
    s3.put_object(Bucket=bucket, Key="AWSLogs/a.json", Body=body, Metadata={"k": "v"})
    etag = s3.head_object(Bucket=bucket, Key="AWSLogs/a.json")["ETag"]
    s3.put_object(Bucket=bucket, Key="small", Body=b"too small to move")

    def look_at(key):
        found = storage_class(s3, bucket, key)
        if key == "small":
            assert found == "STANDARD"
        elif found not in seen:
            seen.append(found)
            got = s3.get_object(Bucket=bucket, Key=key, Range="bytes=62-123")
            assert got["Body"].read() == LINE and got["ETag"] == etag and got["Metadata"] == {"k": "v"}

    def look():
        listed = keys(s3, bucket)
        for key in listed:
            try:
                look_at(key)
            except ClientError as missing:
                # It may expire between the list and the look, and in no other way be missing.
                assert missing.response["ResponseMetadata"]["HTTPStatusCode"] == 404, missing
                assert key not in keys(s3, bucket)
        return listed == []

    eventually(look, timeout=60)
    assert seen == ["STANDARD", "STANDARD_IA", "GLACIER_IR"]


def test_archived_objects_are_restored_before_they_are_read(hasty):
    s3 = hasty.client("s3")
    bucket = bucket_of(s3, "archive")
    body = LINE * 3000
    for key, kind in [("a", "GLACIER"), ("deep", "DEEP_ARCHIVE")]:
        s3.put_object(Bucket=bucket, Key=key, Body=body, StorageClass=kind)
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket=bucket, Key=key)
        assert refused.value.response["Error"]["Code"] == "InvalidObjectState"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(ClientError, match="ObjectNotInActiveTierError"):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/a")
    restore = {"Days": 150, "GlacierJobParameters": {"Tier": "Standard"}}
    first = s3.restore_object(Bucket=bucket, Key="a", RestoreRequest=restore)
    assert first["ResponseMetadata"]["HTTPStatusCode"] == 202
    again = s3.restore_object(Bucket=bucket, Key="a", RestoreRequest=restore)
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    got = s3.get_object(Bucket=bucket, Key="a")
    assert got["Body"].read() == body and got["StorageClass"] == "GLACIER"
    assert 'ongoing-request="false"' in got["Restore"]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/a")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body
    expedited = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    with pytest.raises(ClientError, match="InvalidArgument"):
        s3.restore_object(Bucket=bucket, Key="deep", RestoreRequest=expedited)
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.restore_object(Bucket=bucket, Key="copy", RestoreRequest=restore)

    def archived_again():
        try:
            s3.get_object(Bucket=bucket, Key="a")
        except ClientError as refused:
            return refused.response["Error"]["Code"] == "InvalidObjectState"

    eventually(archived_again, timeout=60)


def test_versions_markers_and_uploads_go_when_their_time_has_come(hasty):
    s3 = hasty.client("s3")
    bucket = bucket_of(s3, "versions", versioned=True)
    for body in (b"1", b"2", b"3"):
        newest = s3.put_object(Bucket=bucket, Key="a", Body=body)["VersionId"]
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")
    s3.create_multipart_upload(Bucket=bucket, Key="big")
    rules(
        s3, bucket,
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 3}},
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
    )

    def clean():
        page = s3.list_object_versions(Bucket=bucket)
        uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        versions = [v["VersionId"] for v in page.get("Versions", [])]
        return versions == [newest] and not page.get("DeleteMarkers") and not uploads

    eventually(clean)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"3"


def test_expiration_tomorrow_does_not_remove_what_a_lock_holds(hasty):
    s3 = hasty.client("s3")
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    version = s3.put_object(
        Bucket="locked", Key="log", Body=b"evidence", ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate="2099-01-01T00:00:00Z",
    )["VersionId"]
    rules(s3, "locked", {"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    eventually(lambda: keys(s3, "locked") == [])
    time.sleep(2)
    assert s3.get_object(Bucket="locked", Key="log", VersionId=version)["Body"].read() == b"evidence"


def test_every_deed_of_a_rule_is_in_the_trail_that_asks_for_it(tmp_path):
    with Server(tmp_path, "--lifecycle-day", "100ms") as server:
        arn = make_trail(server)
        server.client("cloudtrail").put_event_selectors(TrailName=arn, AdvancedEventSelectors=everything_selected())
        s3 = server.client("s3")
        bucket = bucket_of(s3, "watched", versioned=True)
        s3.put_object(Bucket=bucket, Key="a", Body=LINE * 5000)
        s3.create_multipart_upload(Bucket=bucket, Key="big")
        rules(
            s3, bucket,
            {
                "ID": "all", "Transitions": [{"Days": 3, "StorageClass": "GLACIER"}], "Expiration": {"Days": 100},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
            },
            {"Expiration": {"ExpiredObjectDeleteMarker": True}},
            {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
        )

        def deeds():
            found = [
                record for record in delivered(server, "trail-bucket")
                if record["eventType"] == "AwsServiceEvent"
                and record.get("serviceEventDetails", {}).get("bucketName") == bucket
            ]
            return found if len(found) >= 5 else None

        found = eventually(deeds, timeout=60)
        operations = sorted(record["serviceEventDetails"]["operation"] for record in found)
        assert operations == [
            "S3.CREATE.DELETEMARKER", "S3.DELETE.UPLOAD", "S3.EXPIRE.OBJECT", "S3.EXPIRE.OBJECT",
            "S3.TRANSITION.OBJECT",
        ]
        for record in found:
            assert record["eventSource"] == "s3.amazonaws.com" and record["recipientAccountId"] == ACCOUNT
            assert record["userIdentity"] == {"type": "AWSService", "invokedBy": "s3.amazonaws.com"}
            assert record["managementEvent"] is False and record["readOnly"] is False
        assert s3.list_object_versions(Bucket=bucket).get("Versions", []) == []


def test_a_server_that_is_killed_in_the_middle_goes_on_where_it_was(tmp_path):
    server = Server(tmp_path, "--lifecycle-day", "100ms").start()
    try:
        s3 = server.client("s3")
        bucket = bucket_of(s3, "killed")
        body = LINE * 3000
        for n in range(40):
            s3.put_object(Bucket=bucket, Key=f"logs/{n}", Body=body + str(n).encode())
        rules(s3, bucket, {"Transitions": [{"Days": 0, "StorageClass": "GLACIER_IR"}]})
        for _ in range(3):
            time.sleep(0.3)
            server.kill()
            server.start()
        s3 = server.client("s3")
        eventually(lambda: all(
            o["StorageClass"] == "GLACIER_IR" for o in s3.list_objects_v2(Bucket=bucket)["Contents"]
        ))
        for n in range(40):
            assert s3.get_object(Bucket=bucket, Key=f"logs/{n}")["Body"].read() == body + str(n).encode()
        server.stop()
    finally:
        server.kill()
