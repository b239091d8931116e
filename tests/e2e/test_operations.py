"""Running the server: flags, credentials, health, TLS, stopping, and buckets that come and go."""

import json
import os
import re
import signal
import stat
import subprocess
import threading
import time

import pytest
import requests

import signed
from server import ROOT_KEY, ROOT_SECRET, Server, aws_cli, binary, eventually, free_port
from test_ingest import record
from trail import bucket_policy, delivered, keys, make_bucket, make_trail


def run(*arguments, code=0, env=None, timeout=30):
    """Runs the binary without any settings of the environment; answers its output."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENTRAIL_"))}
    done = subprocess.run([binary(), *arguments], env={**clean, **(env or {})}, capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


# The command line

COMMANDS = ("serve", "import", "lookup", "validate", "protect", "who-can", "fsck", "version")


def test_help_names_every_command_and_reads_well():
    text = run("--help")
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", text, re.MULTILINE), command
    for command in COMMANDS:
        text = run(command, "--help")
        assert "Usage: opentrail " + command in text
        assert max(map(len, text.splitlines())) <= 110, command
    assert re.fullmatch(r"opentrail \d+\.\d+\.\d+\n", run("version"))
    assert run("--version") == run("version")


def test_every_flag_of_serve_has_a_variable():
    text = run("serve", "--help")
    flags = re.findall(r"^ +--([a-z-]+)[ \n]", text, re.MULTILINE)
    assert {"data", "listen", "account-id", "region", "delivery-interval", "digest-interval", "history-retention"} <= set(flags)
    for flag in flags:
        name = flag.replace("-", "_").upper()
        assert f"OPENTRAIL_{name}" in text, flag


@pytest.mark.parametrize(("arguments", "word"), [
    (["--delivery-interval", "soon"], "soon"), (["--delivery-interval", "0s"], "1s"),
    (["--account-id", "12"], "12"), (["--listen", "here"], "here"), (["--region", "?"], "?"),
    (["--history-retention", "ever"], "ever"), (["--tls-certificate", "a.pem"], "--tls-key"),
    (["--root-access-key-id", "AKIA0000000000000000"], "--root-secret-access-key"),
    (["--master-key", "short"], "64"), (["--remote-bucket", "name"], "NAME=URL"), (["--nonsense"], "--nonsense"),
])
def test_wrong_flags_are_refused_with_a_reason(tmp_path, arguments, word):
    text = run("serve", "--data", str(tmp_path / "data"), *arguments, code=2)
    assert word in text
    assert not (tmp_path / "data").exists()


def test_an_answer_that_nobody_takes_ends_the_command(server):
    """`| head` is no reason to panic; a full disk is one to fail."""
    for command in (["version"], ["lookup", "--output", "json"], ["lookup"], ["import", "--output", "json", __file__]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([binary(), *command], env=server.cli_env(), stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        assert (done.returncode, done.stderr) == (1, ""), command
        with open("/dev/full", "w") as full:
            done = subprocess.run([binary(), *command], env=server.cli_env(), stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and "can't be written" in done.stderr, command


# The first start

class Bare:
    """A server with no credentials given."""

    def __init__(self, folder, *flags, env=None):
        self.folder, self.port = folder, free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENTRAIL_"))}
        self.process = subprocess.Popen(
            [binary(), "serve", "--data", str(folder), "--listen", f"127.0.0.1:{self.port}", *flags],
            env={**clean, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )

    def __enter__(self):
        eventually(self.ready, timeout=60)
        return self

    def ready(self):
        assert self.process.poll() is None
        try:
            return requests.get(f"{self.endpoint}/readyz", timeout=2).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def __exit__(self, *_):
        self.process.terminate()
        self.said = self.process.communicate(timeout=30)[0]
        assert self.process.returncode == 0

    def sourced(self, command):
        """A command in a shell that sourced ``client.env``, with nothing else set."""
        env = {"PATH": f"{os.path.dirname(aws_cli())}:{os.environ['PATH']}", "HOME": str(self.folder),
               "AWS_PAGER": "", "AWS_PROFILE": "nobody", "AWS_SESSION_TOKEN": "left over"}
        done = subprocess.run(["bash", "-c", f"source {self.folder}/client.env && {command}"], env=env,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_a_first_start_draws_credentials_and_shows_them_once(tmp_path):
    folder = tmp_path / "data"
    with Bare(folder) as server:
        assert stat.S_IMODE((folder / "client.env").stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / "master.key").stat().st_mode) == 0o600
        who = json.loads(server.sourced("aws sts get-caller-identity"))
        assert re.fullmatch(r"\d{12}", who["Account"]) and who["Arn"] == f"arn:aws:iam::{who['Account']}:root"
        server.sourced("aws s3 mb s3://first")
        secret = server.sourced("echo -n $AWS_SECRET_ACCESS_KEY")
    assert secret in server.said and "this once" in server.said
    with Bare(folder) as again:
        assert json.loads(again.sourced("aws sts get-caller-identity")) == who
        assert "first" in again.sourced("aws s3 ls")
    assert secret not in again.said
    for name in ("journal", "state"):
        for file in (folder / name).rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), f"{file} has the secret in clear"


def test_a_server_whose_output_nobody_takes_runs_all_the_same(tmp_path):
    port = free_port()
    with open("/dev/full", "w") as full:
        process = subprocess.Popen([binary(), "serve", "--data", str(tmp_path / "data"), "--listen", f"127.0.0.1:{port}"],
                                   stdout=full, stderr=full)
    try:
        def answers():
            try:
                return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
            except (requests.ConnectionError, requests.Timeout):
                assert process.poll() is None
                return False

        assert eventually(answers)
    finally:
        process.terminate()
    assert process.wait(30) == 0


def test_settings_come_from_the_environment_too(tmp_path):
    with Bare(tmp_path / "data", env={
        "OPENTRAIL_ACCOUNT_ID": "210987654321", "OPENTRAIL_REGION": "eu-west-3", "OPENTRAIL_LOG_FORMAT": "json",
        "OPENTRAIL_ROOT_ACCESS_KEY_ID": "AKIAFROMENVIRONMENT1", "OPENTRAIL_ROOT_SECRET_ACCESS_KEY": "it's-a-$ecret-'word'",
    }) as server:
        assert json.loads(server.sourced("aws sts get-caller-identity"))["Account"] == "210987654321"
        assert server.sourced("echo -n $AWS_REGION") == "eu-west-3"
        assert server.sourced("echo -n $AWS_SECRET_ACCESS_KEY") == "it's-a-$ecret-'word'"
    refused = run("serve", "--data", str(tmp_path / "data"), "--listen", f"127.0.0.1:{free_port()}",
                  "--account-id", "111111111111", code=1)
    assert "210987654321" in refused


def test_a_folder_and_an_address_belong_to_one_server(server, tmp_path):
    refused = run("serve", "--data", str(server.data), "--listen", f"127.0.0.1:{free_port()}", code=1)
    assert "in use" in refused
    refused = run("serve", "--data", str(tmp_path / "other"), "--listen", f"127.0.0.1:{server.port}", code=1)
    assert f"127.0.0.1:{server.port}" in refused
    assert "in use" in run("fsck", "--data", str(server.data), code=1)
    assert requests.get(f"{server.endpoint}/readyz", timeout=5).status_code == 200


# Health and metrics

def test_only_health_and_metrics_work_without_credentials(server):
    assert requests.get(f"{server.endpoint}/healthz", timeout=5).text == "ok\n"
    assert requests.get(f"{server.endpoint}/readyz", timeout=5).status_code == 200
    signed.put_events(server, json.dumps(record()).encode())
    answer = requests.get(f"{server.endpoint}/metrics", timeout=5)
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    assert len(lines) >= 5
    for line in lines:
        assert re.fullmatch(r'[a-zA-Z_:][\w:]*(\{.*\})? [-+0-9.eEinfNa]+', line), line
        assert line.startswith("opentrail_"), line
    for line in answer.text.splitlines():
        assert ROOT_SECRET not in line
    for method, path in [("GET", "/"), ("POST", "/"), ("POST", "/v1/events"), ("GET", "/bucket/key"), ("POST", "/metrics")]:
        assert requests.request(method, f"{server.endpoint}{path}", timeout=5).status_code in (400, 403, 404, 405, 501)


# Stopping

def test_what_was_acknowledged_before_a_stop_is_there_after_it(server):
    acknowledged, over = set(), threading.Event()

    def work():
        with requests.Session() as session:
            while not over.is_set():
                one = record()
                try:
                    answer = signed.put_events(server, json.dumps(one).encode(), session=session)
                except requests.RequestException:
                    return
                if answer.status_code == 200:
                    acknowledged.add(one["eventID"])

    idle = requests.Session()
    idle.get(f"{server.endpoint}/healthz", timeout=5)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    began = time.monotonic()
    server.stop(timeout=30)
    assert time.monotonic() - began < 18, "an idle connection holds up the stop"
    over.set()
    for thread in threads:
        thread.join(10)
    assert len(acknowledged) > 10
    server.start()
    assert acknowledged <= {event_id for event_id, _ in signed.lookup(server)}


def test_an_interrupt_stops_too(server):
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0
    server.process = None


def test_a_restart_keeps_everything(server):
    arn = make_trail(server)
    iam, s3 = server.client("iam"), server.client("s3")
    iam.create_user(UserName="alice", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    who = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    session = server.client("sts", **who).get_session_token()["Credentials"]
    token = {"key": session["AccessKeyId"], "secret": session["SecretAccessKey"], "token": session["SessionToken"]}
    body = os.urandom(2_000_000)
    s3.create_bucket(Bucket="things")
    s3.put_bucket_versioning(Bucket="things", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="things", Key="k", Body=body, Metadata={"m": "v"})["VersionId"]
    s3.put_object(Bucket="things", Key="k", Body=b"newer")
    upload = s3.create_multipart_upload(Bucket="things", Key="large")["UploadId"]
    part = s3.upload_part(Bucket="things", Key="large", UploadId=upload, PartNumber=1, Body=body)["ETag"]
    eventually(lambda: len(keys(server, "trail-bucket", "/CloudTrail-Digest/")) >= 2)
    before = server.client("cloudtrail").get_trail(Name=arn)["Trail"]

    server.stop()
    assert json.loads(run("fsck", "--data", str(server.data), "--output", "json"))["Sound"]
    server.start()
    assert server.client("cloudtrail").get_trail(Name=arn)["Trail"] == before
    status = server.client("cloudtrail").get_trail_status(Name=arn)
    assert status["IsLogging"] and "LatestDeliveryTime" in status
    assert iam.get_user(UserName="alice")["User"]["Tags"] == [{"Key": "a", "Value": "b"}]
    for credentials in (who, token):
        assert server.client("sts", **credentials).get_caller_identity()["Arn"].endswith("user/team/alice")
    old = s3.get_object(Bucket="things", Key="k", VersionId=first)
    assert old["Body"].read() == body and old["Metadata"] == {"m": "v"}
    s3.complete_multipart_upload(Bucket="things", Key="large", UploadId=upload,
                                 MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    assert s3.get_object(Bucket="things", Key="large")["Body"].read() == body
    count = len(keys(server, "trail-bucket", "/CloudTrail-Digest/"))
    eventually(lambda: len(keys(server, "trail-bucket", "/CloudTrail-Digest/")) >= count + 2)
    server.opentrail("validate", "--trail-arn", arn)


def test_damage_on_the_disk_is_named(server):
    """Bits flipped in an object and in the journal; the check names each, and damaged bytes are not served."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key="large", Body=os.urandom(1_000_000))
    server.stop()
    blob = max((path for path in (server.data / "vault").rglob("*") if path.is_file() and path.name != "index.redb"),
               key=lambda path: path.stat().st_size)
    flip(blob, 500_000)
    text = run("fsck", "--data", str(server.data), code=3)
    assert "things/large" in text and "DAMAGED" in text
    server.start()
    with pytest.raises(Exception):
        s3.get_object(Bucket="things", Key="large")["Body"].read()
    server.stop()
    flip(next((server.data / "journal").glob("*.seg")), 300)
    report = json.loads(run("fsck", "--data", str(server.data), "--output", "json", code=3))
    problems = [problem for room in report["Rooms"] if room["Room"] == "journal" for problem in room["Problems"]]
    assert len(problems) == 1 and ".seg, byte" in problems[0]
    refused = run("serve", "--data", str(server.data), "--listen", f"127.0.0.1:{free_port()}", code=1)
    assert "damaged at byte" in refused


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


# TLS

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """An authority's certificate, and a server's certificate of it for 127.0.0.1 with its key."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "rsa:2048", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "names", "-out", "cert.pem")
    return folder / "ca.pem", folder / "cert.pem", folder / "key.pem"


def test_https_is_served_and_recorded(tmp_path, certificate, monkeypatch):
    authority, chain, key = map(str, certificate)
    for variable in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, authority)
    server = Server(tmp_path, "--tls-certificate", chain, "--tls-key", key)
    server.endpoint = server.endpoint.replace("http:", "https:")
    with server:
        client = server.client("cloudtrail")
        client.list_trails()
        found = eventually(lambda: client.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListTrails"}])["Events"])
        details = json.loads(found[0]["CloudTrailEvent"])["tlsDetails"]
        assert details["tlsVersion"] == "TLSv1.3"
        assert re.fullmatch(r"TLS_[A-Z0-9_]+", details["cipherSuite"])
        assert details["clientProvidedHostHeader"] == f"127.0.0.1:{server.port}"
        assert "https://" in (server.data / "client.env").read_text()
        assert "ListTrails" in server.opentrail("lookup", "--attribute", "EventName=ListTrails")
        with pytest.raises(requests.RequestException):
            requests.get(f"http://127.0.0.1:{server.port}/healthz", timeout=5)
    refused = run("serve", "--data", str(tmp_path / "x"), "--listen", f"127.0.0.1:{free_port()}",
                  "--tls-certificate", key, "--tls-key", chain, code=1)
    assert "TLS" in refused


def test_without_tls_a_record_has_no_tls_details(server):
    client = server.client("cloudtrail")
    client.list_trails()
    found = eventually(lambda: client.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListTrails"}])["Events"])
    assert "tlsDetails" not in json.loads(found[0]["CloudTrailEvent"])


# Buckets that refuse or are away (G6)

def status(server, name="audit"):
    return server.client("cloudtrail").get_trail_status(Name=name)


def empty(s3, bucket):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])


def sent_events(server, count=3):
    events = [record() for _ in range(count)]
    assert signed.put_events(server, json.dumps(events).encode()).status_code == 200
    return {event["eventID"] for event in events}


def exactly_once(server, ids, bucket="trail-bucket"):
    """Waits until all these events are delivered; none may be there twice."""
    def there():
        seen = [record["eventID"] for record in delivered(server, bucket)]
        assert len(seen) == len(set(seen)), "an event was delivered twice"
        return ids <= set(seen)
    eventually(there, timeout=60, every=0.5)


def test_a_bucket_that_refuses_is_waited_for(server):
    arn = make_trail(server)
    s3 = server.client("s3")
    ids = sent_events(server)
    exactly_once(server, ids)
    s3.delete_bucket_policy(Bucket="trail-bucket")
    ids |= sent_events(server)
    assert eventually(lambda: status(server).get("LatestDeliveryError"), timeout=30) == "AccessDenied"
    eventually(lambda: status(server).get("LatestDigestDeliveryError") == "AccessDenied", timeout=30)
    ids |= sent_events(server)
    s3.put_bucket_policy(Bucket="trail-bucket", Policy=bucket_policy("trail-bucket"))
    exactly_once(server, ids)
    eventually(lambda: not status(server).get("LatestDeliveryError"), timeout=30)
    eventually(lambda: not status(server).get("LatestDigestDeliveryError"), timeout=30)
    server.opentrail("validate", "--trail-arn", arn)
    verdict = server.aws("cloudtrail", "validate-logs", "--trail-arn", arn, "--start-time", "2026-01-01T00:00:00Z")
    assert "INVALID" not in verdict, verdict


def test_a_bucket_that_is_gone_is_waited_for_through_a_restart(server):
    make_trail(server)
    s3 = server.client("s3")
    exactly_once(server, sent_events(server))

    def gone():
        empty(s3, "trail-bucket")
        try:
            s3.delete_bucket(Bucket="trail-bucket")
        except s3.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "BucketNotEmpty"
            return False
        return True

    eventually(gone)
    ids = sent_events(server)
    assert eventually(lambda: status(server).get("LatestDeliveryError"), timeout=30) == "NoSuchBucket"
    server.kill()
    server.start()
    ids |= sent_events(server)
    assert eventually(lambda: status(server).get("LatestDeliveryError"), timeout=30) == "NoSuchBucket"
    make_bucket(server, "trail-bucket")
    exactly_once(server, ids)
    eventually(lambda: not status(server).get("LatestDeliveryError"), timeout=30)


# A bucket elsewhere

def test_a_trail_delivers_to_a_bucket_of_another_server(tmp_path):
    """The other one stands for any S3 endpoint; it may be away for a while."""
    far = Server(tmp_path / "far").start()
    try:
        make_bucket(far, "far-bucket")
        near = Server(
            tmp_path / "near", "--remote-bucket", f"far-bucket={far.endpoint}",
            env={"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET},
        )
        with near:
            cloudtrail = near.client("cloudtrail")
            arn = cloudtrail.create_trail(
                Name="audit", S3BucketName="far-bucket", IsMultiRegionTrail=True, EnableLogFileValidation=True
            )["TrailARN"]
            cloudtrail.start_logging(Name="audit")
            ids = sent_events(near)
            exactly_once(far, ids, "far-bucket")
            far.kill()
            ids |= sent_events(near)
            assert eventually(lambda: status(near).get("LatestDeliveryError"), timeout=60)
            far.start()
            exactly_once(far, ids, "far-bucket")
            eventually(lambda: not status(near).get("LatestDeliveryError"), timeout=60)
            digests = len(keys(far, "far-bucket", "/CloudTrail-Digest/"))
            eventually(lambda: len(keys(far, "far-bucket", "/CloudTrail-Digest/")) > digests, timeout=60)
            near.opentrail("validate", "--trail-arn", arn, "--source-endpoint", far.endpoint)
    finally:
        far.stop()
