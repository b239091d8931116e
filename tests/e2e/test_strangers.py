"""What senders without valid credentials can make the server do: they are answered as ever, and what they make it
write is bounded."""

import http.client
import json
import re
import socket
import time

import requests

import signed
from server import ACCOUNT, Server, eventually
from trail import make_trail

SUMMARY = "UnauthenticatedCallsNotRecorded"


def strange(server, calls, name="GetTrail"):
    """Badly signed calls; each must be answered as AWS does."""
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(calls):
            ready = signed.build(
                server, "POST", "/", b"{}", service="cloudtrail", key="AKIANOBODYNOBODY0001", secret="wrong",
                headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"CloudTrail_20131101.{name}"},
            )
            answer = signed.deliver(ready, session)
            assert answer.status_code == 400, answer.text
            assert answer.json()["__type"] == "UnrecognizedClientException", answer.text


def records(server, name):
    found = signed.lookup(server, {"EventName": name})
    return [json.loads(text) for _, text in found]


def test_a_flood_of_bad_signatures_leaves_a_bounded_number_of_records_and_one_that_counts_the_rest(tmp_path):
    with Server(tmp_path) as server:
        strange(server, 20, "ListTrails")
        assert eventually(lambda: len(records(server, "ListTrails")) == 20), "few are recorded each"
        began = time.monotonic()
        strange(server, 600)
        took = time.monotonic() - began
        # Valid credentials are recorded each, whatever strangers do.
        for _ in range(150):
            server.client("cloudtrail").list_public_keys()
        eventually(lambda: len(records(server, "ListPublicKeys")) == 150)
        single = len(records(server, "GetTrail"))
        assert 80 <= single <= 100 + 10 * (took + 2), (single, took)
        text = requests.get(f"{server.endpoint}/metrics", timeout=5).text
        counted = int(re.search(r"^opentrail_unauthenticated_calls_not_recorded_total (\d+)", text, re.M)[1])
        assert counted == 600 - single
        server.stop()
        server.start()
        summary, = eventually(lambda: records(server, SUMMARY))
        assert summary["eventType"] == "AwsServiceEvent" and summary["eventSource"] == "opentrail.amazonaws.com"
        assert summary["recipientAccountId"] == ACCOUNT
        details = summary["serviceEventDetails"]
        assert details["calls"] == counted
        assert details["sources"] == [{"sourceIPAddress": "127.0.0.1", "calls": counted}]
        assert details["callsOfOtherSources"] == 0
        assert details["from"] <= details["until"]
        assert "not recorded one by one" in server.log()


def test_none_is_recorded_by_itself_where_the_operator_wants_none(tmp_path):
    with Server(tmp_path, "--unauthenticated-records", "0") as server:
        strange(server, 5)
        anonymous = requests.get(f"{server.endpoint}/some-bucket", timeout=5)
        assert anonymous.status_code == 404 or anonymous.status_code == 403
        server.stop()
        server.start()
        assert not records(server, "GetTrail")
        summary, = eventually(lambda: records(server, SUMMARY))
        assert summary["serviceEventDetails"]["calls"] >= 5


def test_an_upload_of_events_with_a_wrong_signature_is_recorded_where_the_named_key_belongs(tmp_path):
    with Server(tmp_path) as server:
        make_trail(server, bucket="audit-bucket")
        server.client("cloudtrail").put_event_selectors(TrailName="audit", AdvancedEventSelectors=[
            {"Name": "uploads of events", "FieldSelectors": [
                {"Field": "eventCategory", "Equals": ["Data"]},
                {"Field": "resources.type", "Equals": ["OpenTrail::History::Events"]},
            ]},
        ])
        answer = signed.put_events(server, b"{}", secret="not the secret of root, but as long")
        assert answer.status_code == 400, answer.text
        record, = eventually(lambda: records(server, "PutEvents"))
        assert record["recipientAccountId"] == ACCOUNT and record["errorCode"]


def test_headers_beyond_what_a_connection_may_hold_are_refused(tmp_path):
    with Server(tmp_path) as server:
        for size, status in ((30_000, 200), (90_000, 431)):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            connection.request("GET", "/healthz", headers={"X-Long": "y" * size})
            assert connection.getresponse().status == status, size
            connection.close()


def test_silent_connections_with_long_headers_take_little_memory(tmp_path):
    """400 connections that each send 350 KB of headers and never end them: hyper alone would keep 140 MB."""
    with Server(tmp_path) as server:
        before = resident(server)
        sockets = []
        for _ in range(400):
            wire = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            wire.setblocking(False)
            sockets.append(wire)
            try:
                wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 350_000)
            except BlockingIOError:
                pass
        time.sleep(1)
        for wire in sockets:
            try:
                wire.send(b"y" * 350_000)
            except (BlockingIOError, ConnectionError):
                pass
        time.sleep(1)
        grown = resident(server) - before
        for wire in sockets:
            wire.close()
        assert grown < 64 << 20, f"{grown >> 20} MB"


def resident(server):
    text = open(f"/proc/{server.process.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10
