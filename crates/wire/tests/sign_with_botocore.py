"""Writes requests signed by botocore as JSON lines, the same ones for the same seed.

Usage: sign_with_botocore.py SEED COUNT
"""

import base64
import datetime
import json
import random
import sys
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.compat import quote, urlsplit

SEGMENTS = [
    "a", "key", "a b", "a+b", "ü", "日本", "100%", "~x", "a=b", "a&b", "(x)", "it's", "x!", "*", "@", "$", ",", ";", ":",
    "", ".", "..", "a.b", "_-", "%2F", "😀", '"', "[1]",
]
NAMES = ["acl", "prefix", "list-type", "a", "A", "a-b", "a b", "ü", "x+y", "max-keys", "a.b", "日"]
VALUES = ["", "1", "2", "a b", "a+b", "/", "ü", "=", "&", "%20", "~", "x y  z", "*", "2014-01-01T00:00:00Z", "日本"]
HEADERS = [
    ("x-amz-meta-note", ["a", "  two  words ", "a,b", "tab\tbed", "ü", ""]),
    ("x-amz-acl", ["private"]),
    ("content-type", ["application/x-amz-json-1.1", "text/plain; charset=utf-8", " text/plain "]),
    ("range", ["bytes=0-9"]),
    ("x-custom", ["1", "one   two", " \t "]),
    ("user-agent", ["not signed"]),
    ("x-amz-target", ["CloudTrail_20131101.LookupEvents"]),
]
SERVICES = ["cloudtrail", "iam", "sts", "sns", "kms", "opentrail"]
REGIONS = ["us-east-1", "eu-central-1", "us-gov-west-1"]


def path(rng, s3):
    segments = [rng.choice(SEGMENTS) for _ in range(rng.randint(0, 5))]
    if not s3:
        # Other services normalise the path; what a client library sends has been encoded once.
        return "/" + quote("/".join(segments), safe="/~")
    return "/" + quote("/".join(["bucket", *segments]), safe="/~")


def query(rng):
    pairs = [(rng.choice(NAMES), rng.choice(VALUES)) for _ in range(rng.choice([0, 0, 1, 2, 3, 6]))]
    if pairs and rng.random() < 0.3:
        pairs.append((pairs[0][0], rng.choice(VALUES)))
    return pairs


def encode(pairs, rng):
    parts = []
    for name, value in pairs:
        name, value = quote(name, safe="-_.~"), quote(value, safe="-_.~")
        parts.append(name if value == "" and rng.random() < 0.5 else f"{name}={value}")
    return "&".join(parts)


def build(rng, s3, presigned):
    scheme = rng.choice(["http", "https"])
    host = rng.choice(["localhost:4566", "s3.amazonaws.com", "bucket.localhost:9000", "LOCALHOST", "[::1]:8080"])
    url = f"{scheme}://{host}{path(rng, s3)}"
    pairs = query(rng)
    if pairs:
        url += "?" + encode(pairs, rng)
    method = rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"])
    body = rng.choice([b"", b"{}", b"Action=GetCallerIdentity&Version=2011-06-15", bytes(rng.randbytes(300))])
    request = AWSRequest(method=method, url=url, data=body if not presigned else b"")
    if not presigned or rng.random() < 0.3:
        for name, values in rng.sample(HEADERS, rng.randint(0, 4)):
            for _ in range(rng.choice([1, 1, 2])):
                request.headers[name] = rng.choice(values)
    if s3 and not presigned:
        kind = rng.random()
        if kind < 0.15:
            request.headers["Content-MD5"] = "1B2M2Y8AsgTpgAmY7PhCfg=="
            request.context["has_streaming_input"] = True
        elif kind < 0.3:
            request.context["checksum"] = {
                "request_algorithm": {"in": "trailer", "algorithm": "crc32", "name": "x-amz-checksum-crc32"}
            }
            request.headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    elif not presigned and rng.random() < 0.2:
        request.headers["Date"] = "replaced by the signer"
    return request, body if not presigned else b""


def case(rng):
    kind = rng.choice(["v4", "s3", "s3", "s3query", "s3query", "v4query"])
    s3 = kind.startswith("s3")
    presigned = kind.endswith("query")
    credentials = Credentials(
        "AKIA" + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16)),
        base64.b64encode(rng.randbytes(30)).decode(),
        base64.b64encode(rng.randbytes(90)).decode() if rng.random() < 0.4 else None,
    )
    region = rng.choice(REGIONS)
    service = "s3" if s3 else rng.choice(SERVICES)
    now = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(
        seconds=rng.randrange(366 * 86400)
    )
    request, body = build(rng, s3, presigned)
    signer = {
        "v4": botocore.auth.SigV4Auth,
        "s3": botocore.auth.S3SigV4Auth,
        "s3query": botocore.auth.S3SigV4QueryAuth,
        "v4query": botocore.auth.SigV4QueryAuth,
    }[kind]
    options = {"expires": rng.randint(1, 604800)} if presigned else {}
    with mock.patch("botocore.auth.get_current_datetime", lambda *args, **kwargs: now):
        signer(credentials, service, region, **options).add_auth(request)
    split = urlsplit(request.url)
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    headers = [[name, str(value)] for name, value in request.headers.items()]
    headers.append(["Host", botocore.auth._host_from_url(request.url)])
    return {
        "kind": kind,
        "method": request.method,
        "target": target,
        "headers": headers,
        "body": base64.b64encode(body).decode(),
        "access_key_id": credentials.access_key,
        "secret": credentials.secret_key,
        "token": credentials.token,
        "region": region,
        "service": service,
        "now": int(now.timestamp()),
    }


def main():
    rng = random.Random(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(case(rng)))


main()
