"""Server access logs: what S3 writes of a bucket's calls into another bucket."""

import json
import re
import time

import pytest
import requests
from botocore.exceptions import ClientError

import conformance
from server import ACCOUNT, eventually

conformance.COMMON_ERRORS["s3"] |= {
    "InvalidTargetBucketForLogging", "CrossLocationLoggingProhibited", "MalformedXML", "InvalidArgument",
    "AccessControlListNotSupported",
}
# The regular expression of the fields that S3's user guide describes.
FIELD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


def policy(source, target, account=ACCOUNT):
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Sid": "S3ServerAccessLogsPolicy", "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{target}/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"},
            "StringEquals": {"aws:SourceAccount": account},
        },
    }]})


def pair(s3, name):
    source, target = f"{name}-source", f"{name}-target"
    s3.create_bucket(Bucket=source)
    s3.create_bucket(Bucket=target)
    return source, target


def log_to(s3, source, target, prefix="logs/", **more):
    enabled = {"TargetBucket": target, "TargetPrefix": prefix, **more}
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": enabled})
    return enabled


def lines(s3, target):
    found = []
    for item in s3.list_objects_v2(Bucket=target).get("Contents", []):
        body = s3.get_object(Bucket=target, Key=item["Key"])["Body"].read().decode()
        found += [FIELD.findall(line) for line in body.splitlines()]
    return found


def test_calls_of_a_bucket_are_written_to_the_target_in_s3s_form(server):
    s3 = server.client("s3")
    source, target = pair(s3, "form")
    s3.put_bucket_policy(Bucket=target, Policy=policy(source, target))
    enabled = log_to(s3, source, target)
    assert s3.get_bucket_logging(Bucket=source)["LoggingEnabled"] == enabled
    s3.put_object(Bucket=source, Key="a b", Body=b"hello")
    s3.get_object(Bucket=source, Key="a b")
    with pytest.raises(ClientError):
        s3.get_object(Bucket=source, Key="missing")
    s3.list_objects_v2(Bucket=source)

    def written():
        found = lines(s3, target)
        return found if {"REST.PUT.OBJECT", "REST.GET.OBJECT", "REST.GET.BUCKET"} <= {f[6] for f in found} else None

    found = eventually(written)
    assert all(len(fields) == 26 for fields in found), found
    by_key = {(fields[6], fields[7]): fields for fields in found}
    put, got = by_key["REST.PUT.OBJECT", "a%20b"], by_key["REST.GET.OBJECT", "a%20b"]
    assert put[1] == source and put[9] == "200" and put[12] == "5"
    assert got[11] == "5" and got[3] == "127.0.0.1" and got[19:22] == ["SigV4", "-", "AuthHeader"]
    assert by_key["REST.GET.OBJECT", "missing"][9:11] == ["404", "NoSuchKey"]
    for item in s3.list_objects_v2(Bucket=target)["Contents"]:
        assert re.fullmatch(r"logs/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}", item["Key"])


def test_files_are_sorted_by_account_region_bucket_and_day_where_asked(server):
    s3 = server.client("s3")
    source, target = pair(s3, "days")
    s3.put_bucket_policy(Bucket=target, Policy=policy(source, target))
    form = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    enabled = log_to(s3, source, target, TargetObjectKeyFormat=form)
    assert s3.get_bucket_logging(Bucket=source)["LoggingEnabled"] == enabled
    before = time.strftime("%Y/%m/%d", time.gmtime())
    s3.put_object(Bucket=source, Key="a", Body=b"1")
    [item, *_] = eventually(lambda: s3.list_objects_v2(Bucket=target).get("Contents"))
    # Midnight may pass meanwhile.
    after = time.strftime("%Y/%m/%d", time.gmtime())
    folder = f"logs/{ACCOUNT}/us-east-1/{source}"
    assert item["Key"].startswith((f"{folder}/{before}/", f"{folder}/{after}/"))


def test_without_the_targets_permission_nothing_is_written_until_it_is_given(server):
    s3 = server.client("s3")
    source, target = pair(s3, "denied")
    s3.put_bucket_policy(Bucket=target, Policy=policy("another-bucket", target))
    log_to(s3, source, target)
    s3.put_object(Bucket=source, Key="early", Body=b"1")
    time.sleep(3)
    assert "Contents" not in s3.list_objects_v2(Bucket=target)
    s3.put_bucket_policy(Bucket=target, Policy=policy(source, target))
    eventually(lambda: any(fields[7] == "early" for fields in lines(s3, target)))


def test_a_target_that_came_back_elsewhere_gets_nothing(server):
    s3 = server.client("s3")
    source, target = pair(s3, "moved")
    log_to(s3, source, target)
    s3.delete_bucket(Bucket=target)
    s3.create_bucket(Bucket=target, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    far = server.client("s3", region="eu-west-1")
    far.put_bucket_policy(Bucket=target, Policy=policy(source, target))
    s3.put_object(Bucket=source, Key="a", Body=b"1")
    counted = r'^opentrail_access_log_lines_left_out_total\{why="target"\} [1-9]'
    eventually(lambda: re.search(counted, requests.get(f"{server.endpoint}/metrics", timeout=5).text, re.M))
    assert "Contents" not in far.list_objects_v2(Bucket=target)


def test_a_line_is_short_whatever_a_caller_sends(server):
    s3 = server.client("s3")
    source, target = pair(s3, "long")
    s3.put_bucket_policy(Bucket=target, Policy=policy(source, target))
    log_to(s3, source, target)
    path = f"{server.endpoint}/{source}/key?{'x' * 20_000}"
    answer = requests.get(path, headers={"User-Agent": "u" * 10_000, "Referer": "r" * 10_000}, timeout=5)
    assert answer.status_code == 403

    [fields] = eventually(lambda: [f for f in lines(s3, target) if f[7] == "key"])
    assert [field.count("...[cut]") for field in (fields[8], fields[15])] == [1, 1], fields
    assert len(" ".join(fields)) < 8_000


def test_targets_that_s3_does_not_take_are_refused(server):
    s3 = server.client("s3")
    source, target = pair(s3, "refused")
    with pytest.raises(ClientError, match="InvalidTargetBucketForLogging"):
        log_to(s3, source, "no-such-bucket-anywhere")
    s3.create_bucket(Bucket="refused-far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ClientError, match="CrossLocationLoggingProhibited"):
        log_to(s3, source, "refused-far")
    log_to(s3, source, target)
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=source)


def test_notifications_that_have_nowhere_to_go_are_refused(server):
    s3 = server.client("s3")
    source, _ = pair(s3, "notified")
    s3.put_bucket_notification_configuration(Bucket=source, NotificationConfiguration={})
    topic = {"TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:t", "Events": ["s3:ObjectCreated:*"]}
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        s3.put_bucket_notification_configuration(
            Bucket=source, NotificationConfiguration={"TopicConfigurations": [topic]}
        )
