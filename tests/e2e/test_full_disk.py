"""A disk that fills up, for real: calls are refused with a clear error, nothing acknowledged is lost, and the
server recovers by itself once there is space (G7). Needs the right to mount a small file system."""

import json
import os
import subprocess

import pytest
import requests

import signed
from server import Server, eventually
from test_ingest import record
from trail import delivered, keys, make_trail

SIZE = "192m"
# What fills it, until it is taken away.
BALLAST = 160 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A small file system in memory."""
    folder = tmp_path / "server"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def put(server, count=200, size=5_000):
    events = [record(userAgent=os.urandom(size).hex()) for _ in range(count)]
    answer = signed.put_events(server, json.dumps(events).encode())
    return answer, {event["eventID"] for event in events}


def test_a_full_disk_refuses_and_recovers(small_disk):
    """The server's own log is on that disk too, as it often is."""
    with Server(small_disk) as server:
        arn = make_trail(server)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(BALLAST))
        acknowledged = set()

        def fill():
            """Uploads of ever smaller size, each until it is refused; answers the last refusal."""
            for count, size in ((200, 5_000), (10, 5_000), (1, 5_000), (1, 100)):
                while True:
                    answer, ids = put(server, count, size)
                    if answer.status_code != 200:
                        break
                    acknowledged.update(ids)
            return answer

        answer = fill()
        assert answer.status_code == 503, answer.text
        assert answer.json()["__type"] == "ServiceUnavailableException"
        assert answer.headers["retry-after"]
        assert len(acknowledged) >= 200

        assert requests.get(f"{server.endpoint}/healthz", timeout=5).status_code == 200
        # A change needs its record. A small one may still find room, or find it again.
        iam, made, refused = server.client("iam"), set(), set()
        for number in range(30):
            fill()
            name = f"user-{number}"
            try:
                iam.create_user(UserName=name)
                made.add(name)
            except iam.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "ServiceUnavailable"
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
                refused.add(name)
        assert refused, "the disk was never full for a user"

        ballast.unlink()
        eventually(lambda: requests.get(f"{server.endpoint}/readyz", timeout=5).status_code == 200, timeout=60)

        def works_again():
            answer, ids = put(server, 10)
            if answer.status_code == 200:
                acknowledged.update(ids)
            return answer.status_code == 200

        eventually(works_again, timeout=60)
        iam.create_user(UserName="later")
        there = {user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"]}
        assert there == made | {"later"}
        found = signed.lookup(server)
        assert acknowledged <= {event_id for event_id, _ in found}
        created = [json.loads(text) for _, text in found]
        created = [one["requestParameters"]["userName"] for one in created
                   if one["eventName"] == "CreateUser" and "errorCode" not in one]
        assert sorted(created) == sorted(there)

        def all_delivered():
            ids = [one["eventID"] for one in delivered(server, "trail-bucket")]
            assert len(ids) == len(set(ids)), "an event was delivered twice"
            return acknowledged <= set(ids)

        eventually(all_delivered, timeout=60, every=1)
        eventually(lambda: keys(server, "trail-bucket", "/CloudTrail-Digest/"))
        server.opentrail("validate", "--trail-arn", arn)
        server.stop()
        server.opentrail("fsck", "--data", str(server.data))
        server.start()
        assert acknowledged <= {event_id for event_id, _ in signed.lookup(server)}
