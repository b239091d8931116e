"""With ``--encrypt-data`` nothing that is in the data folder can be read without the master key, whatever happens to
the server; the key may be with a service that wraps it."""

import gzip
import json
import os
import pathlib
import random
import stat
import subprocess
import time
import zlib

from server import ROOT_SECRET, Server, binary, eventually
from trail import keys, make_trail
from transit import TOKEN, Transit

KEY = "5a" * 32
SECRET_TEXT = "the merger with Acme closes on Friday"
BUCKET = "confidential-bucket"
# How often the encrypted server is killed.
ROUNDS = int(os.environ.get("OPENTRAIL_AT_REST_ROUNDS", "8"))


def encrypted(folder, *flags, master="env:MASTER_KEY_OF_A_TEST", env=None, **options):
    env = {"MASTER_KEY_OF_A_TEST": KEY, **(env or {})}
    return Server(folder, "--encrypt-data", "--master-key", master, *flags, env=env, **options)


def refused(server):
    """What a start says that is refused."""
    done = subprocess.run([binary(), "serve", *server.flags], env=server.env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0, done.stdout
    return done.stderr


def files(server):
    return [path for path in server.data.rglob("*") if path.is_file()]


def search(server, plain):
    """Which of the texts are in which files or names, as they are or in anything that is gzip."""
    found = []
    for path in files(server):
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            continue  # A server that runs removes what it is done with.
        texts = [raw, *inflated(raw)]
        for word in plain:
            word = word if isinstance(word, bytes) else word.encode()
            if any(word in text for text in texts):
                found.append((str(path.relative_to(server.data)), word))
            if word in str(path).encode():
                found.append((str(path), word))
    return found


def inflated(raw):
    """Everything in these bytes that looks like gzip."""
    at = raw.find(b"\x1f\x8b\x08")
    while at >= 0:
        try:
            yield zlib.decompressobj(31).decompress(raw[at:])
        except zlib.error:
            pass
        at = raw.find(b"\x1f\x8b\x08", at + 1)


def story(server):
    """Users, keys, objects small and large, a trail with its log files and digests. Answers what must not be seen."""
    arn = make_trail(server)
    iam, s3, sts = server.client("iam"), server.client("s3"), server.client("sts")
    iam.create_user(UserName="whistleblower")
    key = iam.create_access_key(UserName="whistleblower")["AccessKey"]
    token = sts.get_session_token()["Credentials"]
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="plans/takeover.txt", Body=SECRET_TEXT.encode())
    big = (SECRET_TEXT.encode() + b"\n") * 100_000
    s3.put_object(Bucket=BUCKET, Key="plans/takeover-in-full.txt", Body=big)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="plans/in-parts")["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(
            Bucket=BUCKET, Key="plans/in-parts", UploadId=upload, PartNumber=n, Body=big + b" " * (6 << 20)
        )["ETag"]}
        for n in (1, 2)
    ]
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="plans/in-parts", UploadId=upload, MultipartUpload={"Parts": parts})
    logged = eventually(lambda: [k for k in keys(server, "trail-bucket") if k.endswith(".json.gz")])
    eventually(lambda: keys(server, "trail-bucket", "/CloudTrail-Digest/"))
    body = s3.get_object(Bucket="trail-bucket", Key=logged[0])["Body"].read()
    records = json.loads(gzip.decompress(body))["Records"]
    secrets = [
        "whistleblower", BUCKET, "takeover", SECRET_TEXT, "trail-bucket", "CloudTrail-Digest", "CreateUser",
        key["AccessKeyId"], key["SecretAccessKey"], token["SecretAccessKey"], token["SessionToken"][:40], ROOT_SECRET,
        body[20:120], *[record["eventID"] for record in records],
    ]
    return arn, big, secrets


def check(server, arn, big):
    """Everything of the story is still there."""
    s3 = server.client("s3")
    assert s3.get_object(Bucket=BUCKET, Key="plans/takeover.txt")["Body"].read() == SECRET_TEXT.encode()
    assert s3.get_object(Bucket=BUCKET, Key="plans/takeover-in-full.txt")["Body"].read() == big
    part = s3.get_object(Bucket=BUCKET, Key="plans/in-parts", Range=f"bytes={len(big)-10}-{len(big)+9}")
    assert part["Body"].read() == big[-10:] + b" " * 10
    names = {e["EventName"] for e in server.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": "root"}])["Events"]}
    assert names, "no history"
    assert server.client("iam").get_user(UserName="whistleblower")
    server.opentrail("validate", "--trail-arn", arn)


def test_nothing_in_the_folder_is_readable(tmp_path):
    with encrypted(tmp_path) as server:
        arn, big, secrets = story(server)
        check(server, arn, big)
        assert search(server, secrets) == []
        assert not (server.data / "client.env").exists() and not (server.data / "master.key").exists()
    assert search(server, secrets) == [], "after the end"
    assert len(files(server)) > 10
    report = server_fsck(server)
    assert report["Sound"], report
    with server:
        check(server, arn, big)
    assert search(server, secrets) == [], "after a restart"


def test_the_search_finds_what_is_in_the_clear(tmp_path):
    """The same story without encryption, so that the search above is known to be one."""
    with Server(tmp_path) as server:
        arn, big, secrets = story(server)
        found = {word for _, word in search(server, secrets)}
    # Objects have keys of their own, so it is not their contents that are in the clear.
    assert {b"whistleblower", b"CreateUser", b"takeover", BUCKET.encode(), ROOT_SECRET.encode()} <= found
    assert (server.data / "client.env").exists()
    assert server_fsck(server, env={})["Sound"]


def server_fsck(server, code=0, env=None, flags=("--master-key", "env:MASTER_KEY_OF_A_TEST")):
    flags = flags if env is None else ()
    done = subprocess.run(
        [binary(), "fsck", "--data", str(server.data), "--output", "json", *flags],
        env=server.env, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_another_key_or_setting_is_refused_and_changes_nothing(tmp_path):
    with encrypted(tmp_path) as server:
        server.client("iam").create_user(UserName="alice")
    before = {path: path.read_bytes() for path in files(server)}

    said = refused(encrypted(tmp_path, env={"MASTER_KEY_OF_A_TEST": "77" * 32}))
    assert "this is not the master key that" in said and "corrupt" not in said.lower(), said
    said = refused(Server(tmp_path, "--master-key", KEY))
    assert "is encrypted: start with --encrypt-data" in said, said
    said = refused(Server(tmp_path, "--encrypt-data"))
    assert "needs --master-key" in said, said
    assert "this is not the master key" in server_fsck(
        server, code=1, flags=("--master-key", "77" * 32))
    assert {path: path.read_bytes() for path in files(server)} == before
    with encrypted(tmp_path, master=KEY) as server:
        assert server.client("iam").get_user(UserName="alice")


def test_a_folder_in_the_clear_stays_so(tmp_path):
    with Server(tmp_path):
        pass
    said = refused(encrypted(tmp_path))
    assert "is not encrypted, and stays so" in said, said
    with Server(tmp_path):
        pass


def test_the_key_and_the_credentials_stay_outside(tmp_path):
    inside = tmp_path / "data" / "keys" / "master"
    inside.parent.mkdir(parents=True)
    said = refused(encrypted(tmp_path, master=f"file:{inside}"))
    assert "is in the data folder" in said, said
    said = refused(encrypted(tmp_path, "--client-env", str(inside)))
    assert "is in the data folder" in said, said

    outside, client = tmp_path / "keys" / "master", tmp_path / "client.env"
    server = encrypted(tmp_path / "b", "--client-env", str(client), master=f"file:{outside}")
    del server.env["OPENTRAIL_ROOT_ACCESS_KEY_ID"], server.env["OPENTRAIL_ROOT_SECRET_ACCESS_KEY"]
    with server:
        assert stat.S_IMODE(outside.stat().st_mode) == stat.S_IMODE(client.stat().st_mode) == 0o600
        secret = client.read_text().split("AWS_SECRET_ACCESS_KEY=")[1].split()[0].strip("'")
        assert secret in server.log(), "shown once"
        assert search(server, [secret, outside.read_bytes()]) == []
        done = subprocess.run(
            ["bash", "-c", f"source {client} && {pathlib.Path(os.sys.executable).parent / 'aws'} sts get-caller-identity"],
            env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    with server:
        pass
    outside.unlink()
    assert "is missing" in refused(server)


def test_killed_again_and_again_it_keeps_everything(tmp_path):
    chance = random.Random(7)
    server = encrypted(tmp_path)
    acknowledged, objects = set(), {}
    arn = None
    for number in range(ROUNDS):
        server.start()
        arn = arn or make_trail(server)
        s3, iam = server.client("s3"), server.client("iam")
        if number == 0:
            s3.create_bucket(Bucket=BUCKET)
        users = {user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"]}
        assert acknowledged <= users
        for key, body in objects.items():
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
        end = time.monotonic() + chance.uniform(0.2, 1.5)
        step = 0
        while time.monotonic() < end:
            name = f"user-{number}-{step}"
            iam.create_user(UserName=name)
            acknowledged.add(name)
            key, body = f"object-{step % 7}", os.urandom(chance.choice([10, 5000, 300_000]))
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            objects[key] = body
            step += 1
        server.kill()
    assert len(acknowledged) > ROUNDS
    server.start()
    for key, body in objects.items():
        assert server.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    server.opentrail("validate", "--trail-arn", arn)
    assert search(server, ["user-0-0", "object-1", BUCKET]) == []
    server.stop()
    assert server_fsck(server)["Sound"]


def test_bytes_changed_underneath_are_named(tmp_path):
    with encrypted(tmp_path) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="big", Body=b"x" * 500_000)
    blob = max((path for path in files(server) if "vault" in path.parts), key=lambda path: (
        path.suffix != ".redb", path.stat().st_size))
    for at in (20, 5000, 200_000):
        good = blob.read_bytes()
        bad = bytearray(good)
        bad[at] ^= 4
        blob.write_bytes(bad)
        report = server_fsck(server, code=3)
        assert any("big" in problem for room in report["Rooms"] for problem in room["Problems"]), report
        blob.write_bytes(good)
    assert server_fsck(server)["Sound"]


class TestTransit:
    """The master key wrapped by a transit engine."""

    def server(self, folder, engine, *flags, token=TOKEN, **options):
        return encrypted(folder, *flags, master=engine.flag, env={"VAULT_TOKEN": token}, **options)

    def test_the_key_is_wrapped_once_and_opened_at_each_start(self, tmp_path):
        with Transit() as engine:
            server = self.server(tmp_path, engine)
            with server:
                server.client("iam").create_user(UserName="alice")
            wrapped = json.loads((server.data / "master.key.wrapped").read_text())
            assert wrapped["ciphertext"].startswith("vault:v1:")
            assert engine.calls == ["/v1/transit/datakey/plaintext/opentrail"]
            key = engine.unwrap(wrapped["ciphertext"])
            assert len(key) == 32 and search(server, [key, key.hex(), "alice", TOKEN]) == []
            with server:
                assert server.client("iam").get_user(UserName="alice")
            assert engine.calls[1:] == ["/v1/transit/decrypt/opentrail", "/v1/transit/rewrap/opentrail"]
            report = server_fsck(server, flags=("--master-key", engine.flag))
            assert report["Sound"], report

    def test_a_newer_version_wraps_it_and_the_old_one_can_go(self, tmp_path):
        with Transit() as engine:
            server = self.server(tmp_path, engine)
            with server:
                pass
            engine.rotate()
            with server:
                pass
            assert json.loads((server.data / "master.key.wrapped").read_text())["ciphertext"].startswith("vault:v2:")
            engine.oldest = 2
            with server:
                pass

    def test_what_the_service_refuses_is_told(self, tmp_path):
        with Transit() as engine:
            server = self.server(tmp_path, engine)
            with server:
                pass
            said = refused(self.server(tmp_path, engine, token="s.wrong"))
            assert "refused to decrypt" in said and "403" in said and "permission denied" in said, said
            engine.versions = [Transit().versions[0]]
            said = refused(server)
            assert "refused to decrypt with the key transit/opentrail (400)" in said, said
            engine.key = "another"
            assert "encryption key not found" in refused(
                encrypted(tmp_path / "new", master=f"vault:{engine.address}/transit/typo", env={"VAULT_TOKEN": TOKEN}))
            said = refused(encrypted(tmp_path, master="vault:http://vault.example/k", env={"VAULT_TOKEN": TOKEN}))
            assert "use https" in said, said
            (server.data / "master.key.wrapped").unlink()
            assert "master.key.wrapped is missing" in refused(server)

    def test_a_sealed_service_is_waited_for(self, tmp_path):
        with Transit() as engine:
            server = self.server(tmp_path, engine)
            with server:
                pass
            engine.sealed, before = True, len(engine.calls)
            process = subprocess.Popen(
                [binary(), "serve", *server.flags], env=server.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                eventually(lambda: len(engine.calls) >= before + 3)
                assert process.poll() is None
                engine.sealed = False
                eventually(lambda: "/v1/transit/rewrap/opentrail" in engine.calls[before:])
            finally:
                process.kill()
                process.wait()

    def test_a_token_from_a_file_and_tls(self, tmp_path):
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=vault",
             "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"],
            cwd=tmp_path, capture_output=True)
        assert made.returncode == 0, made.stderr
        token = tmp_path / "token"
        token.write_text(TOKEN + "\n")
        with Transit(tls=(tmp_path / "cert.pem", tmp_path / "key.pem"), mount="team/transit") as engine:
            flags = ("--vault-token-file", str(token), "--vault-ca", str(tmp_path / "cert.pem"))
            with encrypted(tmp_path / "a", *flags, master=engine.flag):
                pass
            assert engine.calls == ["/v1/team/transit/datakey/plaintext/opentrail"]

    def test_without_encryption_it_holds_the_key_of_the_secrets(self, tmp_path):
        with Transit() as engine:
            server = Server(tmp_path, "--master-key", engine.flag, env={"VAULT_TOKEN": TOKEN})
            with server:
                pass
            with server:
                assert not (server.data / "master.key").exists()
