"""``opentrail validate`` beside ``aws cloudtrail validate-logs`` on a bucket somebody tampered with."""

import dataclasses
import gzip
import json
import subprocess
import time

import pytest

import signed
from server import ACCOUNT, REGION, Server, aws_cli, binary, eventually
from test_ingest import record
from trail import make_trail

BUCKET = "trail-bucket"
FAR = "eu-west-1"
LOGS = f"AWSLogs/{ACCOUNT}/CloudTrail/"
DIGESTS = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/"


@dataclasses.dataclass
class Kept:
    """A file as it was delivered."""

    body: bytes
    metadata: dict


class Bucket:
    """The trail's bucket, as it was delivered, and a way back to it."""

    def __init__(self, server, arn):
        self.server, self.arn = server, arn
        self.s3 = server.client("s3")
        self.before = {key: self.read(key) for key in self.list()}

    def list(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, key):
        answer = self.s3.get_object(Bucket=BUCKET, Key=key)
        return Kept(answer["Body"].read(), answer["Metadata"])

    def write(self, key, body, metadata=None):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=metadata or {})

    def delete(self, *keys):
        for key in keys:
            self.s3.delete_object(Bucket=BUCKET, Key=key)

    def restore(self):
        for key in self.list():
            if key not in self.before:
                self.delete(key)
        for key, kept in self.before.items():
            self.write(key, kept.body, kept.metadata)

    def logs(self, region=REGION):
        """A region's log files that digests list, oldest first."""
        listed = {file["s3Object"] for key in self.digests(region) for file in self.digest(key)["logFiles"]}
        return sorted(listed)

    def digests(self, region=REGION):
        """A region's digests, oldest first."""
        return sorted(key for key in self.before if key.startswith(f"{DIGESTS}{region}/"))

    def digest(self, key):
        return json.loads(gzip.decompress(self.before[key].body))

    def of_aws(self):
        """What the AWS CLI says, and whether it found anything."""
        done = subprocess.run(
            [aws_cli(), "cloudtrail", "validate-logs", "--trail-arn", self.arn, "--start-time", "2026-01-01T00:00:00Z",
             "--verbose"],
            env=self.server.cli_env(), capture_output=True, text=True, timeout=300,
        )
        text = done.stdout + done.stderr
        assert "Results" in text or "No digest" in text, text
        return "INVALID" in text, text

    def of_ours(self, *arguments, trail=True):
        """Our exit code and report."""
        which = ["--trail-arn", self.arn] if trail else []
        done = subprocess.run(
            [binary(), "validate", *which, "--output", "json", *arguments],
            env=self.server.cli_env(), capture_output=True, text=True, timeout=300,
        )
        assert done.returncode in (0, 3, 4), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.returncode, json.loads(done.stdout)


def found(report):
    """(kind, key) of every finding."""
    return {(finding["kind"], finding["key"]) for finding in report["findings"]}


@pytest.fixture(scope="module")
def delivered_bucket(tmp_path_factory):
    """A trail whose logging was stopped after events in two regions and at least five digests of each."""
    with Server(tmp_path_factory.mktemp("server")) as server:
        arn = make_trail(server, bucket=BUCKET)
        s3 = server.client("s3")

        def enough():
            for region in (REGION, FAR):
                events = [record(awsRegion=region) for _ in range(5)]
                assert signed.put_events(server, json.dumps(events).encode()).status_code == 200
            counts = [s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{DIGESTS}{r}/")["KeyCount"] for r in (REGION, FAR)]
            return min(counts) >= 6

        eventually(enough, timeout=60, every=0.7)
        server.client("cloudtrail").stop_logging(Name="audit")
        settle(server)
        yield Bucket(server, arn)


def settle(server):
    """Waits until nothing is delivered any more."""
    s3, before, since = server.client("s3"), None, time.monotonic()
    while time.monotonic() - since < 5:
        now = s3.list_objects_v2(Bucket=BUCKET)["KeyCount"]
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.3)


@pytest.fixture
def bucket(delivered_bucket):
    yield delivered_bucket
    delivered_bucket.restore()


def test_an_untouched_bucket_is_valid_to_both(bucket):
    invalid, text = bucket.of_aws()
    assert not invalid, text
    code, report = bucket.of_ours()
    assert code == 0 and report["verdict"] == "Valid" and report["findings"] == []
    assert {REGION, FAR} <= set(report["regions"]) and report["heads_known"]
    assert report["digests"] == {"valid": sum(DIGESTS in key for key in bucket.before), "invalid": 0}
    assert report["log_files"]["invalid"] == 0 and report["log_files"]["valid"] >= 8
    table = bucket.server.opentrail("validate", "--trail-arn", bucket.arn)
    assert table.startswith("VALID")


def test_a_modified_log_file(bucket):
    key = bucket.logs()[1]
    records = json.loads(gzip.decompress(bucket.before[key].body))
    records["Records"][0]["sourceIPAddress"] = "203.0.113.99"
    bucket.write(key, gzip.compress(json.dumps(records).encode()), bucket.before[key].metadata)
    assert bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and found(report) == {("LogModified", key)}


def test_a_log_file_that_is_no_gzip_any_more(bucket):
    key = bucket.logs()[0]
    bucket.write(key, b"gone", bucket.before[key].metadata)
    assert bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and found(report) == {("LogInvalid", key)}


def test_a_missing_log_file(bucket):
    key = bucket.logs()[-1]
    bucket.delete(key)
    assert bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and found(report) == {("LogMissing", key)}
    assert report["log_files"]["invalid"] == 1


def test_a_modified_digest(bucket):
    """The log files that only it lists are proven no more, and said so."""
    key = bucket.digests()[2]
    digest = bucket.digest(key)
    digest["logFiles"] = []
    bucket.write(key, gzip.compress(json.dumps(digest).encode()), bucket.before[key].metadata)
    assert bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and ("DigestModified", key) in found(report)


def test_a_digest_with_another_signature(bucket):
    key, other = bucket.digests()[1:3]
    metadata = {**bucket.before[key].metadata, "signature": bucket.before[other].metadata["signature"]}
    bucket.write(key, bucket.before[key].body, metadata)
    assert bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and ("DigestModified", key) in found(report)


def test_a_moved_log_file(bucket):
    key = bucket.logs()[0]
    folder, name = key.rsplit("/", 1)
    elsewhere = f"{folder.rsplit('/', 3)[0]}/2020/01/01/{name}"
    bucket.write(elsewhere, bucket.before[key].body, bucket.before[key].metadata)
    bucket.delete(key)
    assert bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and found(report) == {("LogMoved", key)}
    assert elsewhere in report["findings"][0]["detail"]


def test_another_regions_log_file_is_only_checked_by_us(bucket):
    """The AWS CLI looks at the region of the trail's ARN only."""
    key = bucket.logs(FAR)[0]
    bucket.delete(key)
    assert not bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and found(report) == {("LogMissing", key)}
    assert report["findings"][0]["region"] == FAR


def test_a_moved_digest(bucket):
    old, key = bucket.digests()[1], bucket.digests()[2]
    bucket.write(key, bucket.before[old].body, bucket.before[old].metadata)
    assert bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and key in {key for _, key in found(report)}


@pytest.mark.parametrize("count", [1, 3])
def test_deleted_newest_digests_are_only_found_by_us(bucket, count):
    gone = bucket.digests()[-count:]
    listed = [file["s3Object"] for key in gone for file in bucket.digest(key)["logFiles"]]
    bucket.delete(*gone, *listed)
    assert not bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3 and ("NewestDigestsMissing", gone[-1]) in found(report)


def test_all_digests_of_a_region_deleted_are_only_found_by_us(bucket):
    bucket.delete(*bucket.digests(), *bucket.logs())
    assert not bucket.of_aws()[0]
    code, report = bucket.of_ours()
    assert code == 3
    (kind, key), = found(report)
    assert kind == "AllDigestsMissing" and f"{DIGESTS}{REGION}" in key
    assert REGION not in report["regions"]


def test_all_digests_deleted(bucket):
    bucket.delete(*(key for key in bucket.before if DIGESTS in key))
    code, report = bucket.of_ours()
    assert code == 3 and {kind for kind, _ in found(report)} == {"AllDigestsMissing"}


def test_adjacent_digests_deleted(bucket):
    gone = bucket.digests()[1:4]
    listed = [file["s3Object"] for key in gone for file in bucket.digest(key)["logFiles"]]
    bucket.delete(*gone, *listed)
    code, report = bucket.of_ours()
    assert code == 3
    assert {"DigestMissing", "ChainGap"} <= {kind for kind, _ in found(report)}
    assert gone[-1] in {key for _, key in found(report)}


def test_a_chains_first_digests_deleted(bucket):
    """What is left looks like a whole chain to nobody: the oldest digest left names one before it."""
    gone = bucket.digests()[:2]
    bucket.delete(*gone)
    code, report = bucket.of_ours()
    assert code == 3 and ("DigestMissing", gone[1]) in found(report)


def test_a_time_range_is_respected(bucket):
    """What is outside of the asked time is not looked at."""
    bucket.delete(bucket.logs(FAR)[0])
    assert bucket.of_ours()[0] == 3
    assert bucket.of_ours("--start-time", "2090-01-01T00:00:00Z")[0] in (0, 4)
    assert bucket.of_ours("--in-region", REGION)[0] == 0
    assert bucket.of_ours("--in-region", FAR)[0] == 3


def copied(bucket, folder):
    """The bucket on a local disk, as a person would take it along: without metadata."""
    bucket.server.aws("s3", "sync", f"s3://{BUCKET}", str(folder), "--quiet")
    keys = folder / "keys.json"
    found = bucket.server.aws("cloudtrail", "list-public-keys")
    assert len(found["PublicKeyList"]) >= 1
    every = [key for region in (REGION, FAR)
             for key in bucket.server.aws("cloudtrail", "list-public-keys", region=region)["PublicKeyList"]]
    keys.write_text(json.dumps({"PublicKeyList": every}))
    return keys


def test_a_copied_folder_is_validated_offline(bucket, tmp_path):
    """Each chain's newest digest has its signature only in the metadata that a copy loses: incomplete, not invalid."""
    keys = copied(bucket, tmp_path)
    offline = ["--folder", str(tmp_path), "--account-id", ACCOUNT, "--public-key", str(keys), "--offline"]
    code, report = bucket.of_ours(*offline, trail=False)
    assert code == 4 and report["verdict"] == "Incomplete", report
    assert {kind for kind, _ in found(report)} == {"DigestUnsigned"}
    assert not report["heads_known"] and report["log_files"]["invalid"] == 0
    assert report["digests"]["valid"] >= 8

    with_server = ["--folder", str(tmp_path), "--public-key", str(keys)]
    code, report = bucket.of_ours(*with_server)
    assert code == 0, report

    log = tmp_path / bucket.logs()[0]
    log.write_bytes(gzip.compress(b'{"Records":[]}'))
    code, report = bucket.of_ours(*offline, trail=False)
    assert code == 3 and ("LogModified", bucket.logs()[0]) in found(report)


def test_a_folder_without_digests_and_with_anothers_keys(bucket, tmp_path):
    keys = copied(bucket, tmp_path)
    (tmp_path / "empty").mkdir()
    offline = ["--account-id", ACCOUNT, "--offline"]
    code, report = bucket.of_ours("--folder", str(tmp_path / "empty"), "--public-key", str(keys), *offline, trail=False)
    assert code == 4 and {kind for kind, _ in found(report)} == {"NoDigests"}

    others = tmp_path / "others.json"
    others.write_text(json.dumps({"PublicKeyList": []}))
    done = subprocess.run(
        [binary(), "validate", "--folder", str(tmp_path), "--public-key", str(others), "--output", "json", *offline],
        env=bucket.server.cli_env(), capture_output=True, text=True,
    )
    assert done.returncode in (1, 3, 4), done
    if done.returncode != 1:
        assert "DigestKeyUnknown" in done.stdout


def test_a_log_file_that_no_digest_lists_is_only_found_by_us(tmp_path):
    with Server(tmp_path) as server:
        arn = make_trail(server, bucket=BUCKET)
        s3 = server.client("s3")

        def listing(prefix):
            return sorted(item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []))

        eventually(lambda: len(listing(f"{DIGESTS}{REGION}/")) >= 2)
        bucket = Bucket(server, arn)
        real = listing(f"{LOGS}{REGION}/")[-1]
        forged = real.rsplit("_", 1)[0] + "_ForgedForgedForg.json.gz"
        bucket.write(forged, gzip.compress(json.dumps({"Records": [record()]}).encode()))
        invalid, text = bucket.of_aws()
        assert not invalid, text
        # The clocks of server and bucket may differ, usually by up to a minute: the file is too young to judge.
        code, report = bucket.of_ours()
        assert code == 0 and report["uncovered_log_files"] >= 1
        time.sleep(2)
        code, report = bucket.of_ours("--clock-tolerance", "1s")
        assert code == 3 and found(report) == {("LogUnlisted", forged)}
        code, report = bucket.of_ours("--clock-tolerance", "1s", "--listed-only")
        assert code == 0


def test_a_chain_begun_anew_in_place_of_the_old_one(tmp_path):
    """Who deletes a trail, its files, and makes it again under the same name, leaves a clean chain for the AWS CLI."""
    with Server(tmp_path) as server:
        arn = make_trail(server, bucket=BUCKET)
        s3, cloudtrail = server.client("s3"), server.client("cloudtrail")

        def digests():
            page = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{DIGESTS}{REGION}/")
            return sorted(item["Key"] for item in page.get("Contents", []))

        old = eventually(lambda: len(digests()) >= 2 and digests(), timeout=30)
        cloudtrail.delete_trail(Name=arn)
        settle(server)
        old = digests()
        cloudtrail.create_trail(
            Name="audit", S3BucketName=BUCKET, IsMultiRegionTrail=True, EnableLogFileValidation=True
        )
        cloudtrail.start_logging(Name="audit")
        eventually(lambda: len(digests()) >= len(old) + 2, timeout=30)
        cloudtrail.stop_logging(Name="audit")
        settle(server)

        bucket = Bucket(server, arn)
        code, report = bucket.of_ours()
        assert code == 0 and report["restarts"] >= 1, report
        listed = [file["s3Object"] for key in old for file in bucket.digest(key)["logFiles"]]
        bucket.delete(*old, *listed)
        invalid, text = bucket.of_aws()
        assert not invalid, text
        code, report = bucket.of_ours()
        assert code == 3 and "DigestMissing" in {kind for kind, _ in found(report)}, report


def test_what_cannot_run_says_why(bucket, tmp_path):
    server = bucket.server
    server.opentrail("validate", code=2)
    server.opentrail("validate", "--trail-arn", "not-an-arn", code=1)
    nowhere = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/nowhere"
    server.opentrail("validate", "--trail-arn", nowhere, code=1)
    server.opentrail("validate", "--bucket", "no-such-bucket", "--account-id", ACCOUNT, code=1)
    server.opentrail("validate", "--folder", str(tmp_path), "--account-id", ACCOUNT, "--public-key", "missing", code=1)
