"""An OpenID Connect issuer on loopback: its configuration, its keys, and tokens as it signs them."""

import base64
import http.server
import json
import threading
import time
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils


def text(raw):
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value, size=None):
    return text(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Rs256:
    name = "RS256"

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = uuid.uuid4().hex

    def public(self):
        numbers = self.key.public_key().public_numbers()
        return {"kty": "RSA", "use": "sig", "alg": self.name, "kid": self.kid,
                "n": number(numbers.n), "e": number(numbers.e)}

    def sign(self, data):
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class Es256:
    name = "ES256"

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = uuid.uuid4().hex

    def public(self):
        numbers = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.kid,
                "x": number(numbers.x, 32), "y": number(numbers.y, 32)}

    def sign(self, data):
        pair = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(part.to_bytes(32, "big") for part in pair)


class Issuer:
    """An issuer with one key, and more if a test adds them; ``status`` other than 200 is what it answers."""

    def __init__(self, path=""):
        self.keys = [Rs256()]
        self.asked = []
        self.status = 200
        self.changes = {}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                answer = issuer.answer(self.path)
                body = json.dumps(answer).encode() if not isinstance(answer, bytes) else answer
                self.send_response(issuer.status if answer != b"" else 404)
                if issuer.status in (301, 302):
                    self.send_header("location", f"{issuer.url}/elsewhere")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self.http.server_address[1]}{path}"
        self.url = f"http://{self.name}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, path):
        if path.endswith("/.well-known/openid-configuration"):
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.changes}
        if path.endswith("/keys"):
            return {"keys": [key.public() for key in self.keys]}
        return b""

    def claims(self, **changes):
        now = int(time.time())
        claims = {"iss": self.url, "sub": "repo:acme/logs", "aud": "opentrail-tests", "iat": now, "nbf": now,
                  "exp": now + 300, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key=None, header=None, **changes):
        """A token; a claim set to ``None`` is left out."""
        key = key or self.keys[0]
        head = {"typ": "JWT", "alg": key.name, "kid": key.kid, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        parts = ".".join(text(json.dumps(part).encode()) for part in (head, self.claims(**changes)))
        return f"{parts}.{text(key.sign(parts.encode()))}"
