"""A transit engine as HashiCorp Vault and OpenBao have it: real AES-GCM under versioned keys, tokens, the sealed state."""

import base64
import http.server
import json
import os
import ssl
import threading

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "s.token-for-tests-only"


class Transit:
    """An engine with one key, on loopback; ``tls`` is a pair of PEM files."""

    def __init__(self, key="opentrail", mount="transit", tls=None):
        self.key, self.mount = key, mount
        self.versions = [AESGCM(AESGCM.generate_key(256))]
        self.oldest = 1
        self.sealed = False
        self.calls = []
        engine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, answer = engine.answer(self.path, self.headers, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            scheme = "https"
        self.address = f"{scheme}://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    @property
    def flag(self):
        return f"vault:{self.address}/{self.mount}/{self.key}"

    def rotate(self, oldest=None):
        """A new version wraps from now on; those before ``oldest`` open nothing any more."""
        self.versions.append(AESGCM(AESGCM.generate_key(256)))
        self.oldest = oldest or self.oldest

    def wrap(self, plain):
        nonce = os.urandom(12)
        sealed = nonce + self.versions[-1].encrypt(nonce, plain, None)
        return f"vault:v{len(self.versions)}:{base64.b64encode(sealed).decode()}"

    def unwrap(self, text):
        prefix, version, sealed = text.split(":")
        sealed = base64.b64decode(sealed, validate=True)
        if prefix != "vault" or not self.oldest <= int(version[1:]) <= len(self.versions):
            raise ValueError("ciphertext or signature version is disallowed by policy (too old)")
        return self.versions[int(version[1:]) - 1].decrypt(sealed[:12], sealed[12:], None)

    def answer(self, path, headers, body):
        self.calls.append(path)
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if headers.get("x-vault-token") != TOKEN:
            return 403, {"errors": ["permission denied"]}
        head = f"/v1/{self.mount}/"
        if not path.startswith(head):
            return 404, {"errors": [f"no handler for route {path!r}"]}
        action, _, key = path[len(head):].rpartition("/")
        if key != self.key:
            return 400, {"errors": ["encryption key not found"]}
        ask = json.loads(body)
        try:
            return 200, {"request_id": "0", "lease_duration": 0, "data": self.act(action, ask)}
        except LookupError:
            return 404, {"errors": ["unsupported path"]}
        except Exception as error:
            return 400, {"errors": [str(error) or "cipher: message authentication failed"]}

    def act(self, action, ask):
        version = len(self.versions)
        if action == "datakey/plaintext":
            key = os.urandom(ask.get("bits", 256) // 8)
            return {"plaintext": base64.b64encode(key).decode(), "ciphertext": self.wrap(key), "key_version": version}
        if action == "encrypt":
            return {"ciphertext": self.wrap(base64.b64decode(ask["plaintext"])), "key_version": version}
        if action == "decrypt":
            return {"plaintext": base64.b64encode(self.unwrap(ask["ciphertext"])).decode()}
        if action == "rewrap":
            return {"ciphertext": self.wrap(self.unwrap(ask["ciphertext"])), "key_version": version}
        raise LookupError(action)
