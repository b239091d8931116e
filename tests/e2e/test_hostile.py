"""Requests that no client would send, signed and unsigned: no 5xx, no panic, and the server lives on."""

import json
import random
import socket
import threading
import time
import urllib.parse

import botocore.session
import pytest
import requests

import signed
from server import REGION, Server

SECONDS = 4
SEED = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server")) as running:
        running.client("s3").create_bucket(Bucket="bucket")
        yield running
        log = (running.folder / "server.log").read_text(errors="replace")
        assert "panicked" not in log, log[log.index("panicked") - 500:][:3000]
        assert "InternalFailure" not in log


def alive(server):
    assert requests.get(f"{server.endpoint}/readyz", timeout=5).status_code == 200
    assert server.client("sts").get_caller_identity()["Account"]


def junk(chance, depth=0):
    """Any JSON value."""
    kinds = ["text", "number", "flag", "none", "long", "odd"] + (["list", "map"] if depth < 4 else [])
    kind = chance.choice(kinds)
    if kind == "text":
        return "".join(chr(chance.randint(32, 126)) for _ in range(chance.randint(0, 40)))
    if kind == "number":
        return chance.choice([0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 1e308, 0.1, chance.randint(0, 10**6)])
    if kind == "flag":
        return chance.random() < 0.5
    if kind == "none":
        return None
    if kind == "long":
        return "x" * chance.choice([128, 129, 2048, 2049, 70_000])
    if kind == "odd":
        return chance.choice(["\0", "\u202e", "é" * 50, "😀", "*", "${aws:username}", "arn:aws:", "../../etc/passwd",
                              "arn:aws:iam::123456789012:root", "' OR 1=1", "%00", "\r\nX: y", "true", "1" * 400])
    if kind == "list":
        return [junk(chance, depth + 1) for _ in range(chance.randint(0, 5))]
    return {junk_name(chance): junk(chance, depth + 1) for _ in range(chance.randint(0, 5))}


def junk_name(chance):
    return chance.choice(["Name", "name", "", "a.b", "Key", "é", "x" * 300])


def input_of(shape, chance, depth=0):
    """An input of about the right form, with something wrong in it now and then."""
    if chance.random() < 0.15 or depth > 6:
        return junk(chance, depth)
    kind = shape.type_name
    if kind == "structure":
        members = {name: member for name, member in shape.members.items()
                   if name in shape.required_members or chance.random() < 0.4}
        return {name: input_of(member, chance, depth + 1) for name, member in members.items()}
    if kind == "list":
        return [input_of(shape.member, chance, depth + 1) for _ in range(chance.randint(0, 3))]
    if kind == "map":
        return {junk_name(chance): input_of(shape.value, chance, depth + 1) for _ in range(chance.randint(0, 3))}
    if kind == "string":
        known = list(getattr(shape, "enum", None) or []) + ["audit", "bucket", "alice", "/", "{}"]
        return chance.choice(known)
    if kind in ("integer", "long"):
        return chance.choice([0, 1, 10, 100, -1, 2**31])
    if kind == "boolean":
        return chance.random() < 0.5
    if kind == "timestamp":
        return chance.choice([0, 1.7e9, -1, 1e18])
    return junk(chance, depth)


def operations(service):
    model = botocore.session.get_session().get_service_model(service)
    return [model.operation_model(name) for name in model.operation_names]


def flattened(value, prefix=""):
    """An input as awsQuery writes it."""
    if isinstance(value, dict):
        return [pair for name, item in value.items() for pair in flattened(item, f"{prefix}.{name}" if prefix else name)]
    if isinstance(value, list):
        return [pair for at, item in enumerate(value, 1) for pair in flattened(item, f"{prefix}.member.{at}")]
    text = {True: "true", False: "false", None: ""}.get(value, value) if not isinstance(value, (int, float)) else value
    return [(prefix, str(text))]


def fine(answer, what):
    assert answer.status_code < 500 or answer.status_code == 501, (what, answer.status_code, answer.text[:500])


def test_inputs_of_almost_the_right_form(server):
    """Every operation of every service, many times, with inputs out of its own model."""
    chance = random.Random(SEED)
    for service in ("cloudtrail", "iam", "sts"):
        for operation in operations(service):
            for _ in range(6):
                value = input_of(operation.input_shape, chance) if operation.input_shape else {}
                if service == "cloudtrail":
                    answer = signed.call(server, operation.name, json.dumps(value).encode())
                else:
                    pairs = [("Action", operation.name), ("Version", operation.service_model.api_version)]
                    pairs += flattened(value) if isinstance(value, (dict, list)) else []
                    body = urllib.parse.urlencode(pairs, errors="surrogatepass").encode()
                    answer = signed.form(server, body, service=service)
                fine(answer, (service, operation.name, value))
    alive(server)


def test_s3_requests_of_every_kind(server):
    chance = random.Random(SEED)
    parts = ["acl", "versioning", "policy", "tagging", "uploads", "uploadId=x", "partNumber=1", "delete", "location",
             "list-type=2", "versions", "lifecycle", "cors", "object-lock", "max-keys=-1", "prefix=%00", "encoding-type=url",
             "continuation-token=x", "start-after=%ff", "versionId=x", "response-content-type=a%0d%0ab", "select&select-type=2",
             "x-id=Nothing", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "attributes", "restore", "torrent", "notification"]
    odd = [{}, {"Range": "bytes=5-1"}, {"Range": "bytes=-"}, {"If-Match": "*"}, {"If-Modified-Since": "never"},
           {"x-amz-copy-source": "/"}, {"x-amz-copy-source": "bucket/%zz"}, {"x-amz-metadata-directive": "ODD"},
           {"x-amz-tagging": "a=b&a=c"}, {"x-amz-acl": "odd"}, {"x-amz-checksum-crc32": "odd"}, {"Content-MD5": "odd"},
           {"x-amz-storage-class": "ODD"}, {"x-amz-server-side-encryption": "odd"}, {"Expect": "100-continue"},
           {"x-amz-meta-" + "m" * 300: "v"}, {"x-amz-meta-k": "v" * 4000}, {"x-amz-expected-bucket-owner": "1"}]
    bodies = [b"", b"<a>", b"<a/>", b"\0" * 100, b"{}", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>"]
    for _ in range(500):
        path = chance.choice(["/", "/bucket", "/bucket/", "/bucket/key", "/bucket/a//b", "/nobody/key", "/bucket/%F0%9F"])
        query = "&".join(chance.sample(parts, chance.choice([0, 1, 1, 2])))
        url = f"{path}?{query}" if query else path
        method = chance.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"])
        headers = dict(chance.choice(odd))
        answer = signed.send(server, method, url, chance.choice(bodies), service="s3", headers=headers)
        fine(answer, (method, url, headers))
    alive(server)


def test_bytes_that_are_no_http(server):
    """Raw sockets: broken lines, lengths that lie, headers without end, connections dropped in the middle."""
    chance = random.Random(SEED)
    starts = [
        b"", b"\0\0\0", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(500)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    ]
    for start in starts + [chance.randbytes(chance.randint(1, 2000)) for _ in range(200)]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as wire:
            wire.settimeout(0.05)
            try:
                wire.sendall(start)
                answer = wire.recv(4096)
            except (TimeoutError, ConnectionError):
                continue
            if answer.startswith(b"HTTP/1.1 "):
                assert int(answer[9:12]) < 500, (start[:100], answer[:300])
    alive(server)


def test_garbage_from_many_clients_at_once(server):
    """Random requests, signed and not, from several threads for a few seconds."""
    over, wrong, counts = time.monotonic() + SECONDS, [], []

    def attack(number):
        chance = random.Random(f"{SEED}/{number}")
        sent = 0
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < over and not wrong:
                try:
                    ready = garbage(server, chance)
                    answer = session.send(ready, timeout=20, allow_redirects=False)
                    fine(answer, (ready.method, ready.url, dict(ready.headers), ready.body))
                except (requests.RequestException, ValueError):
                    pass
                except AssertionError as error:
                    wrong.append(str(error))
                sent += 1
        counts.append(sent)

    threads = [threading.Thread(target=attack, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    assert sum(counts) > 100
    alive(server)


def garbage(server, chance):
    body = chance.choice([b"", chance.randbytes(200), json.dumps(junk(chance)).encode(), b"Action=" + chance.randbytes(9)])
    path = chance.choice(["/", "/v1/events", "/v1/lookup", "/v1/chains?TrailArn=x", "/bucket/k", "/%00", "/?Action=ListUsers"])
    method = chance.choice(["GET", "POST", "PUT", "DELETE", "HEAD"])
    headers = chance.choice([
        {}, {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "CloudTrail_20131101." + chance.choice(
            ["CreateTrail", "LookupEvents", "PutEventSelectors", "X" * 400])},
        {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Encoding": "gzip"},
        {"X-Amz-Date": "yesterday"}, {"Authorization": "AWS4-HMAC-SHA256 " + "a=b," * 50},
    ])
    service = chance.choice(["opentrail", "cloudtrail", "iam", "sts", "s3", "nothing", "x" * 100])
    region = chance.choice([REGION, "eu-west-1", "zz", "us-east-1"])
    if chance.random() < 0.6:
        return signed.build(server, method, path, body, service=service, region=region, headers=dict(headers))
    return requests.Request(method, f"{server.endpoint}{path}", data=body, headers=headers).prepare()
