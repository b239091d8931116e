"""The main job, end to end, with the real AWS CLI: record, deliver, prove, look up."""

import datetime
import re

from server import ACCOUNT, DATA, REGION, eventually
from trail import bucket_policy, delivered, everything_selected, keys


def test_a_call_is_recorded_delivered_looked_up_and_validated(server):
    started = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    server.aws("s3api", "create-bucket", "--bucket", "trail-bucket")
    server.aws("s3api", "put-bucket-policy", "--bucket", "trail-bucket", "--policy", bucket_policy("trail-bucket"))
    arn = server.aws(
        "cloudtrail", "create-trail", "--name", "audit", "--s3-bucket-name", "trail-bucket",
        "--is-multi-region-trail", "--enable-log-file-validation",
    )["TrailARN"]
    assert arn == f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit"
    server.aws("cloudtrail", "start-logging", "--name", arn)
    server.aws("iam", "create-user", "--user-name", "alice")

    looked_up = eventually(lambda: server.aws(
        "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateUser",
    )["Events"], timeout=10)
    assert [event["EventName"] for event in looked_up] == ["CreateUser"]
    assert looked_up[0]["Resources"][0]["ResourceName"] == "alice"

    def created():
        return [r for r in delivered(server, "trail-bucket") if r["eventName"] == "CreateUser"]

    record, = eventually(created)
    assert record["eventVersion"] == "1.11"
    assert record["userIdentity"]["type"] == "Root"
    assert record["requestParameters"] == {"userName": "alice"}
    assert record["responseElements"]["user"]["userName"] == "alice"
    assert record["eventID"] == looked_up[0]["EventId"]

    pattern = re.compile(
        rf"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/\d{{4}}/\d\d/\d\d/"
        rf"{ACCOUNT}_CloudTrail_{REGION}_\d{{8}}T\d{{4}}Z_[A-Za-z0-9]{{16}}\.json\.gz"
    )
    assert all(pattern.fullmatch(key) for key in keys(server, "trail-bucket"))

    eventually(lambda: len(keys(server, "trail-bucket", "/CloudTrail-Digest/")) >= 3)
    verdict = server.aws(
        "cloudtrail", "validate-logs", "--trail-arn", arn,
        "--start-time", started.strftime("%Y-%m-%dT%H:%M:%SZ"), "--verbose",
    )
    assert "INVALID" not in verdict, verdict
    assert re.search(r"(\d+)/\1 digest files valid", verdict), verdict
    assert re.search(r"(\d+)/\1 log files valid", verdict), verdict
    server.opentrail("validate", "--trail-arn", arn)


def test_real_records_go_through_the_whole_path_unchanged(server):
    server.aws("s3api", "create-bucket", "--bucket", "trail-bucket")
    server.aws("s3api", "put-bucket-policy", "--bucket", "trail-bucket", "--policy", bucket_policy("trail-bucket"))
    cloudtrail = server.client("cloudtrail")
    arn = cloudtrail.create_trail(
        Name="audit", S3BucketName="trail-bucket", IsMultiRegionTrail=True, EnableLogFileValidation=True
    )["TrailARN"]
    cloudtrail.put_event_selectors(TrailName="audit", AdvancedEventSelectors=everything_selected())
    cloudtrail.start_logging(Name="audit")

    server.opentrail("import", str(DATA / "trail"), str(DATA / "attacks"))
    expected = records_of_the_data()
    delivered_by_id = eventually(lambda: all_there(server, expected), timeout=60, every=1)
    for event_id, record in expected.items():
        assert delivered_by_id[event_id] == record, event_id

    again = server.opentrail("import", str(DATA / "trail"), "--output", "json")
    assert '"Accepted":0' in again.replace(" ", "")
    server.opentrail("validate", "--trail-arn", arn)


def records_of_the_data():
    """Every record under shared/data by its id."""
    import gzip
    import json

    found = {}
    for path in sorted(DATA.rglob("*.json*")):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        try:
            document = json.loads(text)
        except json.JSONDecodeError:
            continue
        records = document.get("Records", []) if isinstance(document, dict) else document
        for record in records:
            if "eventID" in record:
                found[record["eventID"]] = record
    assert len(found) == 23_980 + 310
    return found


def all_there(server, expected):
    """The delivered records by id once every expected one is among them, each exactly once."""
    records = [r for r in delivered(server, "trail-bucket") if r["eventID"] in expected]
    ids = [r["eventID"] for r in records]
    assert len(ids) == len(set(ids)), "an event was delivered twice"
    return {r["eventID"]: r for r in records} if len(ids) == len(expected) else None
