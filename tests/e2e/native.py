"""Calls of the service ``opentrail``, which no AWS client knows; signed by botocore."""

import gzip
import json

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from server import DATA, REGION, ROOT_KEY, ROOT_SECRET

BATCH = 5000


def call(server, method, path, body=b"", key=ROOT_KEY, secret=ROOT_SECRET, region=REGION, headers=None):
    """One signed call; answers the response."""
    url = server.endpoint + path
    request = AWSRequest(method, url, data=body, headers=headers or {"Content-Type": "application/json"})
    SigV4Auth(Credentials(key, secret), "opentrail", region).add_auth(request)
    return requests.request(method, url, data=body, headers=dict(request.headers), timeout=120)


def put_events(server, records):
    """Sends records in; answers how many were accepted. None may be rejected."""
    accepted = 0
    for start in range(0, len(records), BATCH):
        body = gzip.compress(json.dumps({"Records": records[start:start + BATCH]}).encode(), 1)
        response = call(server, "POST", "/v1/events", body, headers={"Content-Encoding": "gzip"})
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["Rejected"] == []
        accepted += answer["Accepted"]
    return accepted


def lookup(server, **question):
    """All events that answer a question of ``POST /v1/lookup``, page by page."""
    events = []
    while True:
        response = call(server, "POST", "/v1/lookup", json.dumps(question).encode())
        assert response.status_code == 200, response.text
        answer = response.json()
        events += answer["Events"]
        if not answer.get("NextToken"):
            return events
        question["NextToken"] = answer["NextToken"]


def lookup_error(server, question, **who):
    """The status and the code with which ``POST /v1/lookup`` refuses a question."""
    response = call(server, "POST", "/v1/lookup", json.dumps(question).encode(), **who)
    assert response.status_code >= 400, response.text
    answer = response.json()
    assert answer.get("message") or answer.get("Message"), answer
    return response.status_code, response.headers["x-amzn-errortype"]


def real_records():
    """The records of shared/data/trail, each once."""
    found = {}
    for path in sorted((DATA / "trail").rglob("*.json.gz")):
        for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
            found.setdefault(record["eventID"], record)
    return list(found.values())
