"""Requests put together by hand and signed by botocore, for what no client would send."""

import contextlib
import datetime
import unittest.mock

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import requests

from server import REGION, ROOT_KEY, ROOT_SECRET


def build(server, method="POST", path="/", body=b"", *, service="opentrail", region=REGION, key=ROOT_KEY,
          secret=ROOT_SECRET, token=None, headers=None, skew=0):
    """A signed request: a ``requests`` one, which a test may still change. ``skew`` moves the clock, in seconds."""
    raw = botocore.awsrequest.AWSRequest(method, f"{server.endpoint}{path}", headers=headers or {}, data=body)
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    with clock_moved(skew):
        signer(botocore.credentials.Credentials(key, secret, token), service, region).add_auth(raw)
    ready = requests.Request(method, raw.url, data=body).prepare()
    ready.url = raw.url
    for name, value in raw.headers.items():
        ready.headers[name] = value
    return ready


def send(server, *arguments, session=None, timeout=60, **options):
    """Signs and sends."""
    return deliver(build(server, *arguments, **options), session, timeout)


def deliver(ready, session=None, timeout=60):
    """Sends a request as it is."""
    if session is None:
        with requests.Session() as own:
            own.trust_env = False
            return own.send(ready, timeout=timeout, allow_redirects=False)
    return session.send(ready, timeout=timeout, allow_redirects=False)


@contextlib.contextmanager
def clock_moved(seconds):
    if not seconds:
        yield
        return
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(seconds=seconds)
    with unittest.mock.patch.object(botocore.auth, "get_current_datetime", lambda *_: now):
        yield


def put_events(server, body, headers=None, **options):
    """``POST /v1/events``."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    return send(server, "POST", "/v1/events", body, headers=headers, **options)


def call(server, target, body=b"{}", headers=None, **options):
    """A CloudTrail call, by the last part of its target."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{target}", **(headers or {}),
    }
    options.setdefault("service", "cloudtrail")
    return send(server, "POST", "/", body, headers=headers, **options)


def form(server, body, headers=None, service="iam", **options):
    """A call of the Query protocol."""
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **(headers or {})}
    return send(server, "POST", "/", body, headers=headers, service=service, **options)


def lookup(server, attributes=None, start=None, category="All", contains=False, limit=1000, **options):
    """All records that ``POST /v1/lookup`` finds, as (id, text of the record); follows the pages."""
    import json

    ask = {"MaxResults": limit, "EventCategory": category}
    kind = "contains" if contains else "exact"
    ask["Attributes"] = [{"Key": k, "Value": v, "Match": kind} for k, v in (attributes or {}).items()]
    if start:
        ask["StartTime"] = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    found = []
    while True:
        answer = send(server, "POST", "/v1/lookup", json.dumps(ask).encode(),
                      headers={"Content-Type": "application/json"}, **options)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [(event["EventId"], event["CloudTrailEvent"]) for event in page["Events"]]
        if not page.get("NextToken"):
            return found
        ask["NextToken"] = page["NextToken"]
