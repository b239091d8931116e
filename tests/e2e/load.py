"""The load of the crash test, and what it remembers of each answer."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import random
import threading
import time
import uuid

import botocore.exceptions
import requests

import signed
from server import ACCOUNT

BUCKET = "load-bucket"
REGIONS = ("us-east-1", "eu-west-1")
# What a client sees of a server that is killed: nothing is known of the call then.
CUT = (
    requests.RequestException,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.ResponseStreamingError,
)


@dataclasses.dataclass
class User:
    """What is known of a user: ``None`` where a call was cut before its answer."""

    created: bool | None = None
    deleted: bool | None = False
    tags_acknowledged: int = 0
    tags_sent: int = 0


@dataclasses.dataclass
class Object:
    """What is known of an object."""

    digest: str
    stored: bool | None = None
    deleted: bool | None = False


class Round:
    """Calls from many threads until the server is gone, and what came of them."""

    def __init__(self, server, number, seed):
        self.server, self.number, self.seed = server, number, seed
        self.began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
        self.acknowledged = set()
        self.sent = set()
        self.users: dict[str, User] = {}
        self.objects: dict[str, Object] = {}
        self.wrong = []
        self.over = threading.Event()
        self.threads = []

    def start(self, clients):
        work = [(self.put_events, ()), (self.put_events, ()), (self.manage_users, (clients["iam"],)),
                (self.manage_users, (clients["iam"],)), (self.put_objects, (clients["s3"],))]
        for index, (job, arguments) in enumerate(work):
            chance = random.Random(f"{self.seed}/{self.number}/{index}")
            thread = threading.Thread(target=self.guarded, args=(job, index, chance, *arguments))
            thread.start()
            self.threads.append(thread)

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs after the server is gone"
        assert not self.wrong, self.wrong[:3]

    def guarded(self, job, index, chance, *arguments):
        try:
            job(index, chance, *arguments)
        except CUT:
            pass
        except BaseException as error:  # noqa: BLE001: told by the main thread
            self.wrong.append(f"{job.__name__}: {error!r}")

    def put_events(self, _, chance):
        """Batches of new events; every third one has an event of the batch before once more."""
        before = []
        with requests.Session() as session:
            session.trust_env = False
            while not self.over.is_set():
                batch = [an_event(self.number, chance) for _ in range(chance.randint(1, 30))]
                ids = {event["eventID"] for event in batch}
                again = before[:1] if chance.random() < 0.3 else []
                self.sent |= ids
                body = json.dumps({"Records": again + batch}).encode()
                answer = signed.put_events(self.server, body, session=session)
                assert answer.status_code == 200, answer.text
                counts = answer.json()
                assert counts["Rejected"] == [], counts
                assert (counts["Accepted"], counts["Duplicates"]) == (len(batch), len(again)), counts
                self.acknowledged |= ids
                before = batch
                time.sleep(chance.uniform(0, 0.02))

    def manage_users(self, index, chance, iam):
        count = 0
        while not self.over.is_set():
            name = f"r{self.number}-t{index}-{count}"
            count += 1
            user = self.users[name] = User()
            iam.create_user(UserName=name, Path=f"/r{self.number}/")
            user.created = True
            for _ in range(chance.randint(0, 3)):
                user.tags_sent += 1
                iam.tag_user(UserName=name, Tags=[{"Key": "count", "Value": str(user.tags_sent)}])
                user.tags_acknowledged += 1
            if chance.random() < 0.4:
                user.deleted = None
                iam.delete_user(UserName=name)
                user.deleted = True

    def put_objects(self, _, chance, s3):
        count = 0
        while not self.over.is_set():
            key = f"r{self.number}/{count}"
            count += 1
            # Small ones live in the journal, larger ones in files of their own.
            body = chance.randbytes(chance.choice([0, 100, 5_000, 5_000, 70_000]))
            kept = self.objects[key] = Object(hashlib.md5(body).hexdigest())
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            kept.stored = True
            if chance.random() < 0.25:
                kept.deleted = None
                s3.delete_object(Bucket=BUCKET, Key=key)
                kept.deleted = True


def an_event(number, chance):
    """A record as an AWS account would write it, with an id that nobody had before."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "userName": "loader",
                         "arn": f"arn:aws:iam::{ACCOUNT}:user/loader", "accountId": ACCOUNT},
        "eventTime": now, "eventSource": "ec2.amazonaws.com", "eventName": "StartInstances",
        "awsRegion": chance.choice(REGIONS), "sourceIPAddress": "192.0.2.7", "userAgent": "load",
        "requestParameters": {"instancesSet": {"items": [{"instanceId": f"i-{chance.getrandbits(64):016x}"}]}},
        "responseElements": None, "requestID": str(uuid.uuid4()), "eventID": str(uuid.uuid4()),
        "readOnly": False, "eventType": "AwsApiCall", "managementEvent": True,
        "recipientAccountId": ACCOUNT, "eventCategory": "Management", "round": number,
    }


@contextlib.contextmanager
def told(seed, number):
    """Says with which seed and in which round an assertion failed."""
    try:
        yield
    except BaseException:
        print(f"failed with OPENTRAIL_CRASH_SEED={seed} (seed/story) in round {number}")
        raise
