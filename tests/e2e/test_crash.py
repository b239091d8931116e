"""kill -9 at any moment, again and again: nothing acknowledged is lost, nothing is there twice, changes and
records match, and the chain of digests is whole."""

import collections
import gzip
import json
import os
import random
import re
import subprocess
import time

import pytest

import signed
from load import BUCKET, Round, told
from server import Server, binary, eventually
from trail import bucket_policy

# How often the server is killed under load, over all stories.
ROUNDS = int(os.environ.get("OPENTRAIL_CRASH_ROUNDS", "100"))
# Rounds on one data folder. Each round reads the whole folder, so that a long story takes quadratic time.
STORY = 25
SEED = int(os.environ.get("OPENTRAIL_CRASH_SEED", "20261121"))
# After so many rounds the bucket is compared too, and the digests are validated.
EVERY = 10
TRAIL_BUCKET = "trail-bucket"


@pytest.fixture
def server(tmp_path):
    """A server that is over at the end, whatever became of the test."""
    server = Server(tmp_path)
    yield server.start()
    server.kill()


@pytest.mark.parametrize("story", range(-(-ROUNDS // STORY)))
def test_kill_at_any_moment(server, story):
    rounds = min(STORY, ROUNDS - story * STORY)
    server.env["OPENTRAIL_LOG"] = "warn"
    arn = prepare(server)
    clients = {
        name: server.client(name, connect_timeout=5, read_timeout=30, max_pool_connections=8)
        for name in ("iam", "s3")
    }
    bucket = Delivered(server)
    acknowledged = set()
    seed = f"{SEED}/{story}"
    chance = random.Random(seed)
    for number in range(1, rounds + 1):
        with told(seed, number):
            acknowledged |= one_round(server, clients, number, seed, chance)
            if number % EVERY == 0 or number == rounds:
                check_bucket(server, bucket, acknowledged)
                check_chain(server, arn)
    assert len(acknowledged) > rounds, "the load did nothing"
    assert clients["iam"].list_users()["Users"] and clients["s3"].list_objects_v2(Bucket=BUCKET)["KeyCount"]
    server.stop()
    fsck(server)


def one_round(server, clients, number, seed, chance):
    """Load, the kill, the checks; answers the ids of the events that were acknowledged."""
    load = Round(server, number, seed)
    load.start(clients)
    time.sleep(chance.uniform(0.1, 1.0))
    server.kill()
    load.finish()
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        kill_at_start(server, chance)
    fsck(server)
    server.start()
    check_events(server, load)
    check_users(server, load, clients["iam"])
    check_objects(server, load, clients["s3"])
    return load.acknowledged


def prepare(server):
    """Two buckets, and a trail that delivers all management events and what happens to the load's objects."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.create_bucket(Bucket=TRAIL_BUCKET)
    s3.put_bucket_policy(Bucket=TRAIL_BUCKET, Policy=bucket_policy(TRAIL_BUCKET))
    cloudtrail = server.client("cloudtrail")
    arn = cloudtrail.create_trail(
        Name="audit", S3BucketName=TRAIL_BUCKET, IsMultiRegionTrail=True, EnableLogFileValidation=True
    )["TrailARN"]
    cloudtrail.put_event_selectors(TrailName="audit", AdvancedEventSelectors=[
        {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]},
        {"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "resources.ARN", "StartsWith": [f"arn:aws:s3:::{BUCKET}/"]},
        ]},
    ])
    cloudtrail.start_logging(Name="audit")
    return arn


def kill_at_start(server, chance):
    """A server that is killed before it is ready, or just after."""
    with open(server.folder / "server.log", "ab") as log:
        process = subprocess.Popen([binary(), "serve", *server.flags], env=server.env, stdout=log, stderr=log)
    time.sleep(chance.uniform(0.0, 0.4))
    process.kill()
    process.wait()


def fsck(server):
    """Everything on the disk agrees with itself; and the check changes nothing."""
    done = subprocess.run(
        [binary(), "fsck", "--data", str(server.data), "--output", "json"], capture_output=True, text=True
    )
    assert done.returncode == 0, f"fsck: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert json.loads(done.stdout)["Sound"], done.stdout


def history(server, load):
    """The records of a round by id; no id comes twice."""
    found = signed.lookup(server, start=load.began)
    records = {event_id: json.loads(text) for event_id, text in found}
    assert len(records) == len(found), "an event is in history twice"
    return records


def check_events(server, load):
    """Every acknowledged event is in history, and none that nobody sent."""
    load.records = history(server, load)
    sent = {i for i, record in load.records.items() if record.get("round") == load.number}
    lost = load.acknowledged - sent
    assert not lost, f"{len(lost)} of {len(load.acknowledged)} acknowledged events are lost, such as {min(lost)}"
    assert sent <= load.sent


def successes(load, source, name, parameter):
    """How many records of successful calls there are, by a request parameter."""
    return collections.Counter(
        record["requestParameters"][parameter] for record in load.records.values()
        if record["eventSource"] == source and record["eventName"] == name and "errorCode" not in record
    )


def check_users(server, load, iam):
    """Each user has exactly one record of its creation, and the other way round; so for deletions and tags."""
    path = f"/r{load.number}/"
    pages = iam.get_paginator("list_users").paginate(PathPrefix=path)
    there = {user["UserName"] for page in pages for user in page["Users"]}
    mine = f"r{load.number}-"
    counts = {
        name: successes(load, "iam.amazonaws.com", name, "userName")
        for name in ("CreateUser", "DeleteUser", "TagUser")
    }
    recorded = {name for name in counts["CreateUser"] if name.startswith(mine)}
    assert there <= recorded, f"users without a record: {there - recorded}"
    for name, user in load.users.items():
        created, deleted = counts["CreateUser"][name], counts["DeleteUser"][name]
        assert created <= 1 and deleted <= 1, (name, created, deleted)
        assert created or not user.created, f"{name} was acknowledged and has no record"
        assert deleted or not user.deleted, f"{name} was deleted and has no record of it"
        assert (name in there) == (created == 1 and deleted == 0), (name, created, deleted, name in there)
        tags = counts["TagUser"][name]
        assert user.tags_acknowledged <= tags <= user.tags_sent, (name, user, tags)
    # The last tags of the round are those a crash can tear from their records.
    for name in sorted(there, key=lambda name: int(name.rsplit("-", 1)[1]))[-6:]:
        tags = {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=name)["Tags"]}
        assert int(tags.get("count", 0)) == counts["TagUser"][name], (name, tags)


def check_objects(server, load, s3):
    """Each object has exactly one record of its upload, and the other way round."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"r{load.number}/")
    there = {item["Key"]: item for page in pages for item in page.get("Contents", [])}
    put = successes(load, "s3.amazonaws.com", "PutObject", "key")
    deleted = successes(load, "s3.amazonaws.com", "DeleteObject", "key")
    assert set(there) <= set(load.objects)
    for key, kept in load.objects.items():
        assert put[key] <= 1 and deleted[key] <= 1, (key, put[key], deleted[key])
        assert put[key] or not kept.stored, f"{key} was acknowledged and has no record"
        assert deleted[key] or not kept.deleted, f"{key} was deleted and has no record of it"
        assert (key in there) == (put[key] == 1 and deleted[key] == 0), (key, kept, put[key], deleted[key])
        if key in there:
            assert there[key]["ETag"].strip('"') == kept.digest, key
    for key in list(there)[-3:]:
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() is not None


class Delivered:
    """What the trail's bucket has; each file is read once, and must stay as it is."""

    def __init__(self, server):
        self.s3 = server.client("s3")
        self.files = {}
        self.ids = collections.Counter()

    def read(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=TRAIL_BUCKET)
        for item in (item for page in pages for item in page.get("Contents", [])):
            key, etag = item["Key"], item["ETag"]
            if "/CloudTrail/" not in key:
                continue
            if key in self.files:
                assert self.files[key] == etag, f"{key} changed after it was delivered"
                continue
            self.files[key] = etag
            body = self.s3.get_object(Bucket=TRAIL_BUCKET, Key=key)["Body"].read()
            self.ids.update(record["eventID"] for record in json.loads(gzip.decompress(body))["Records"])
        return self.ids


def check_bucket(server, bucket, acknowledged):
    """Every event of history is in the bucket exactly once, all acknowledged ones among them."""
    everything = signed.lookup(server)
    recorded = {event_id for event_id, _ in everything}
    assert len(recorded) == len(everything), "an event is in history twice"
    assert acknowledged <= recorded

    def delivered():
        ids = bucket.read()
        twice = [event_id for event_id, count in ids.items() if count > 1]
        assert not twice, f"{len(twice)} events were delivered twice, such as {twice[0]}"
        return all(event_id in ids for event_id in acknowledged)

    eventually(delivered, timeout=60, every=0.5)
    # What happened before the trail logged is in history only.
    before = {
        "AdoptMasterKey", "CreateStoreKey", "SetRootAccessKey", "CreateBucket", "PutBucketPolicy", "CreateTrail",
        "PutEventSelectors",
    }
    eventually(lambda: recorded - set(bucket.read()) <= ids_of(everything, before), timeout=30, every=0.5)


def ids_of(found, names):
    """The ids of the records of these events."""
    return {event_id for event_id, text in found if json.loads(text)["eventName"] in names}


def check_chain(server, arn):
    """Both validators find nothing."""
    started = "2026-01-01T00:00:00Z"
    verdict = server.aws("cloudtrail", "validate-logs", "--trail-arn", arn, "--start-time", started)
    assert "INVALID" not in verdict and "invalid" not in verdict, verdict
    assert re.search(r"(\d+)/\1 digest files valid", verdict), verdict
    assert re.search(r"(\d+)/\1 log files valid", verdict), verdict
    report = json.loads(server.opentrail("validate", "--trail-arn", arn, "--clock-tolerance", "1s", "--output", "json"))
    assert report["verdict"] == "Valid" and report["heads_known"], report
