"""Large uploads of events: whatever ends them, their records tell of exactly the events that are there."""

import collections
import json
import random
import threading
import time
import uuid

import requests

import signed
from server import REGION, Server, eventually
from trail import make_trail

UPLOADS = [
    {"Name": "uploads of events", "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["OpenTrail::History::Events"]},
    ]},
]


def upload(count, size):
    """A body of so many records of about so many bytes, all of one name."""
    name, now = f"Load{uuid.uuid4().hex}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    records = [
        {"eventVersion": "1.11", "eventTime": now, "eventSource": "load.example.com", "eventName": name,
         "awsRegion": REGION, "eventID": str(uuid.uuid4()), "eventType": "AwsApiCall",
         "userIdentity": {"type": "AWSService"}, "requestParameters": {"filler": "x" * size}}
        for _ in range(count)
    ]
    return name, json.dumps({"Records": records}).encode()


def select_uploads(server):
    make_trail(server, bucket="audit-bucket")
    server.client("cloudtrail").put_event_selectors(TrailName="audit", AdvancedEventSelectors=UPLOADS)


def uploads_recorded(server):
    found = signed.lookup(server, {"EventName": "PutEvents"})
    return [json.loads(text) for _, text in found]


def test_an_upload_of_several_entries_has_a_record_in_each(tmp_path):
    with Server(tmp_path) as server:
        select_uploads(server)
        name, body = upload(3000, 5000)
        answer = signed.put_events(server, body)
        assert answer.status_code == 200 and answer.json()["Accepted"] == 3000, answer.text[:500]
        eventually(lambda: sum(r["responseElements"]["accepted"] for r in uploads_recorded(server)) == 3000)
        records = sorted(uploads_recorded(server), key=lambda record: record["additionalEventData"]["part"])
        assert [r["additionalEventData"]["part"] for r in records] == list(range(1, len(records) + 1))
        assert len(records) >= 2 and len({r["requestID"] for r in records}) == 1
        assert records[0]["requestID"] == answer.headers["x-amzn-requestid"]
        assert "duplicates" not in records[0]["responseElements"]
        assert records[-1]["responseElements"]["duplicates"] == 0 == records[-1]["responseElements"]["rejected"]

        again = signed.put_events(server, body).json()
        assert (again["Accepted"], again["Duplicates"]) == (0, 3000)
        repeated = eventually(lambda: [r for r in uploads_recorded(server) if r["responseElements"].get("duplicates")])
        assert [r["responseElements"]["duplicates"] for r in repeated] == [3000]
        assert "additionalEventData" not in repeated[0], "one entry is no part"


def test_a_server_killed_in_the_middle_of_uploads_has_records_of_what_it_kept(tmp_path):
    chance = random.Random(11)
    server = Server(tmp_path)
    server.start()
    try:
        select_uploads(server)
        names = []
        for _ in range(4):
            name, body = upload(3000, 5000)
            names.append(name)

            def send(body=body):
                try:
                    signed.put_events(server, body)
                except requests.RequestException:
                    pass

            sender = threading.Thread(target=send)
            sender.start()
            time.sleep(chance.uniform(0.1, 1.2))
            server.kill()
            sender.join()
            server.start()
        time.sleep(1)
        kept = collections.Counter({name: len(signed.lookup(server, {"EventName": name})) for name in names})
        told = sum(r["responseElements"]["accepted"] for r in uploads_recorded(server) if r["responseElements"])
        assert told == kept.total(), (told, kept)
    finally:
        server.kill()
