"""A model of Google Cloud Storage, in a process of its own: ``python google_storage.py PUBLIC_KEY ACCOUNT``.

It has what a warehouse asks for through the XML API (https://cloud.google.com/storage/docs/xml-api/overview): puts, with
``x-goog-if-generation-match: 0`` for those that must not replace, ranges, deletes, and listings in pages; and of the JSON
API what a reader asks for. Requests carry a token that a service account signed itself
(https://google.aip.dev/auth/4111), which is verified, or none, as those to Google's own emulators. Readers of the JSON API
have a token that never ends.
"""

import base64
import datetime
import email.utils
import hashlib
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

BUCKET = "warehouse"
READER = "a-readers-token"
# Google's pages have 1,000 names. These are short, so that there are some.
PAGE = 20


class Model:
    """The bucket, and who may use it."""

    def __init__(self, public, account):
        self.public, self.account = public, account
        self.objects, self.lock, self.generation = {}, threading.Lock(), 1_700_000_000_000_000

    def knows(self, authorization):
        """Whether a request may be served."""
        if authorization.strip() in ("", "Bearer"):
            return True
        scheme, _, token = authorization.partition(" ")
        try:
            signed, _, signature = token.rpartition(".")
            head, claims = (json.loads(decoded(part)) for part in signed.split("."))
            self.public.verify(decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except Exception:
            return False
        now = time.time()
        return (scheme, head["alg"], claims["iss"]) == ("Bearer", "RS256", self.account) \
            and claims["iat"] - 60 <= now < claims["exp"] <= claims["iat"] + 3600


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Object:
    def __init__(self, content, generation):
        self.content, self.generation = content, generation
        self.etag = f'"{hashlib.md5(content).hexdigest()}"'
        self.at = datetime.datetime.now(datetime.timezone.utc)


class Exchange(http.server.BaseHTTPRequestHandler):
    """One connection to the model."""

    protocol_version = "HTTP/1.1"
    model = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fails(self, status, code):
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
        self.answer(status, body.encode(), {"Content-Type": "application/xml; charset=UTF-8"})

    def parts(self):
        """The bucket and the object's name, each None where there is none, and the query."""
        path, _, query = self.path.partition("?")
        bucket, _, name = path.lstrip("/").partition("/")
        return bucket, urllib.parse.unquote(name), dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    def enter(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/storage/v1/"):
            return self.json_api()
        if not self.model.knows(self.headers.get("Authorization", "")):
            return self.fails(401, "AuthenticationRequired")
        bucket, name, query = self.parts()
        if bucket != BUCKET:
            return self.fails(404, "NoSuchBucket")
        if not name:
            return self.list(query) if query.get("list-type") == "2" else self.fails(400, "InvalidArgument")
        return {"PUT": self.put, "GET": self.get, "HEAD": self.get, "DELETE": self.delete}[self.command](name, body)

    do_GET = do_HEAD = do_PUT = do_DELETE = enter

    def put(self, name, body):
        wanted = self.headers.get("x-goog-if-generation-match")
        with self.model.lock:
            there = self.model.objects.get(name)
            if wanted is not None and int(wanted) != (there.generation if there else 0):
                refused = True
            else:
                refused = False
                self.model.generation += 1
                there = self.model.objects[name] = Object(body, self.model.generation)
        if refused:
            return self.fails(412, "PreconditionFailed")
        return self.answer(200, b"", self.described(there))

    def described(self, found):
        return {"ETag": found.etag, "x-goog-generation": str(found.generation), "x-goog-metageneration": "1",
                "Last-Modified": email.utils.format_datetime(found.at, usegmt=True)}

    def get(self, name, _body):
        with self.model.lock:
            found = self.model.objects.get(name)
        if found is None:
            return self.fails(404, "NoSuchKey")
        self.send_content(found, {**self.described(found), "Content-Type": "application/octet-stream"})

    def send_content(self, found, headers):
        content, status = found.content, 200
        range_of = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if range_of:
            start, end = int(range_of[1]), int(range_of[2] or len(content) - 1) + 1
            if start >= len(content):
                return self.fails(416, "InvalidRange")
            content, status = content[start:end], 206
            headers["Content-Range"] = f"bytes {start}-{start + len(content) - 1}/{len(found.content)}"
        return self.answer(status, content, headers)

    def delete(self, name, _body):
        with self.model.lock:
            gone = self.model.objects.pop(name, None)
        return self.fails(404, "NoSuchKey") if gone is None else self.answer(204)

    def list(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        after = query.get("continuation-token") or query.get("start-after", "")
        with self.model.lock:
            found = {name: each for name, each in self.model.objects.items() if name.startswith(prefix)}
        folders, contents, last = [], [], None
        for name in sorted(found):
            rest = name[len(prefix):]
            shown = prefix + rest.split(delimiter)[0] + delimiter if delimiter and delimiter in rest else name
            if shown <= after or shown in folders:
                continue
            if len(folders) + len(contents) == PAGE:
                break
            (folders if shown != name else contents).append(shown)
            last = shown
        else:
            last = None
        rows = "".join(
            f"<Contents><Key>{escape(name)}</Key><Generation>{found[name].generation}</Generation>"
            f"<LastModified>{found[name].at.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}</LastModified>"
            f"<ETag>{escape(found[name].etag)}</ETag><Size>{len(found[name].content)}</Size></Contents>"
            for name in contents
        ) + "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        more = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if last else ""
        body = ("<?xml version='1.0' encoding='UTF-8'?><ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>"
                f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>{str(bool(last)).lower()}"
                f"</IsTruncated>{more}{rows}</ListBucketResult>")
        self.answer(200, body.encode(), {"Content-Type": "application/xml; charset=UTF-8"})

    def json_api(self):
        path, _, query = self.path.partition("?")
        found, name = None, urllib.parse.unquote(path.removeprefix(f"/storage/v1/b/{BUCKET}/o").removeprefix("/"))
        with self.model.lock:
            everything = dict(self.model.objects)
        found = everything.get(name)
        if self.headers.get("Authorization") != f"Bearer {READER}" or self.command != "GET":
            return self.says(403, {"error": {"code": 403, "message": "Forbidden"}})
        if not name:
            return self.says(200, {"kind": "storage#objects", "items": [{"name": each} for each in sorted(everything)]})
        if found is None:
            return self.says(404, {"error": {"code": 404, "message": "Not Found"}})
        if "alt=media" in query:
            return self.send_content(found, {**self.described(found), "Content-Type": "application/octet-stream"})
        at = found.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self.says(200, {
            "kind": "storage#object", "name": name, "bucket": BUCKET, "generation": str(found.generation),
            "metageneration": "1", "size": str(len(found.content)), "contentType": "application/octet-stream",
            "timeCreated": at, "updated": at, "etag": found.etag,
        })

    def says(self, status, document):
        self.answer(status, json.dumps(document).encode(), {"Content-Type": "application/json; charset=UTF-8"})


if __name__ == "__main__":
    key = serialization.load_pem_public_key(pathlib.Path(sys.argv[1]).read_bytes())
    Exchange.model = Model(key, sys.argv[2])
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
    running.daemon_threads = True
    print(running.server_address[1], flush=True)
    running.serve_forever()
