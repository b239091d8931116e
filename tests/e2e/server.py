"""Starts and stops the server under test; the one place that knows how."""

import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import boto3
import botocore.config
import botocore.session
import requests

import conformance

HERE = pathlib.Path(__file__).parent
REPO = HERE.parent.parent
DATA = REPO.parent / "shared" / "data"
ACCOUNT = "123456789012"
REGION = "us-east-1"
ROOT_KEY = "AKIAROOTOPENTRAIL001"
ROOT_SECRET = "root-secret/for+tests-only-0123456789abc"


def binary():
    """The opentrail binary, built by ``make test``."""
    path = os.environ.get("OPENTRAIL_BINARY")
    if not path:
        target = os.environ.get("CARGO_TARGET_DIR", str(REPO / "target"))
        path = f"{target}/debug/opentrail"
    assert pathlib.Path(path).is_file(), f"{path} is missing: run the tests through `make test`"
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running ``opentrail serve`` over a data folder."""

    def __init__(self, folder, *flags, delivery="1s", digest="2s", retention="unlimited", env=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.flags = [
            "--data", str(self.data), "--listen", "",
            "--account-id", ACCOUNT, "--region", REGION,
            "--delivery-interval", delivery, "--digest-interval", digest,
            "--history-retention", retention, *flags,
        ]
        self.env = {
            **os.environ,
            "OPENTRAIL_ROOT_ACCESS_KEY_ID": ROOT_KEY,
            "OPENTRAIL_ROOT_SECRET_ACCESS_KEY": ROOT_SECRET,
            **(env or {}),
        }
        self.take_port()
        self.process = None
        self.cli_config = self.folder / "aws-config"

    def take_port(self):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.flags[self.flags.index("--listen") + 1] = f"127.0.0.1:{self.port}"

    def start(self, timeout=60, ports=5):
        """Starts it; where somebody else took its port meanwhile, at another."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = open(self.folder / "server.log", "ab")
        written = log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(
            [binary(), "serve", *self.flags], env=self.env, stdout=log, stderr=log
        )
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                said = (self.folder / "server.log").read_bytes()[written:]
                if ports > 1 and b"Address already in use" in said:
                    self.take_port()
                    return self.start(timeout, ports - 1)
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            try:
                if requests.get(f"{self.endpoint}/readyz", timeout=1).status_code == 200:
                    return self
            except (requests.ConnectionError, requests.Timeout):
                pass
            # Nobody listens yet, or the journal is still being read.
            time.sleep(0.02)
        raise AssertionError(f"the server is not ready after {timeout} s:\n{self.log()}")

    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")[-8000:]

    def stop(self, timeout=60):
        """Asks it to end, and expects it to end well."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout) == 0, self.log()
        self.process = None

    def kill(self):
        """kill -9."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    def client(self, service, key=ROOT_KEY, secret=ROOT_SECRET, token=None, region=REGION, **config):
        """A boto3 client whose every answer is held against the service's model."""
        core = botocore.session.get_session()
        conformance.watch(core)
        session = boto3.session.Session(
            aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
            region_name=region, botocore_session=core,
        )
        config.setdefault("retries", {"max_attempts": 0})
        config.setdefault("s3", {"addressing_style": "path"})
        return session.client(
            service, endpoint_url=self.endpoint, config=botocore.config.Config(**config)
        )

    def cli_env(self, key=ROOT_KEY, secret=ROOT_SECRET, token=None, region=REGION):
        """The environment of an AWS CLI that talks to this server, conformance plugin included."""
        self.cli_config.write_text("[plugins]\nconformance = conformance\n")
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(
            AWS_ENDPOINT_URL=self.endpoint, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret,
            AWS_REGION=region, AWS_DEFAULT_REGION=region, AWS_CONFIG_FILE=str(self.cli_config),
            AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_PAGER="", PYTHONPATH=str(HERE),
            AWS_EC2_METADATA_DISABLED="true",
        )
        if token:
            env["AWS_SESSION_TOKEN"] = token
        return env

    def aws(self, *arguments, ok=True, **who):
        """Runs the real AWS CLI. Answers its parsed JSON (or text); with ``ok=False`` its error code."""
        done = subprocess.run(
            [aws_cli(), *arguments], env=self.cli_env(**who), capture_output=True, text=True, timeout=300
        )
        if ok:
            assert done.returncode == 0, f"aws {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
            try:
                return json.loads(done.stdout) if done.stdout.strip() else None
            except json.JSONDecodeError:
                return done.stdout
        assert done.returncode != 0, f"aws {' '.join(arguments)} worked: {done.stdout}"
        found = re.search(r"An error occurred \(([^)]+)\)", done.stderr)
        assert found, done.stderr
        return found.group(1)

    def opentrail(self, *arguments, code=0, timeout=300):
        """Runs a subcommand of the binary as the server's root; answers its standard output."""
        done = subprocess.run(
            [binary(), *arguments], env=self.cli_env(), capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == code, f"opentrail {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def aws_cli():
    """The AWS CLI beside the interpreter that runs the tests."""
    import sys

    path = pathlib.Path(sys.executable).parent / "aws"
    assert path.is_file(), f"{path} is missing: run the tests through `make test`"
    return str(path)


def own_bucket(letter, request):
    """A bucket name that only this test has, the same at every run."""
    return f"{letter}-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]


def eventually(check, timeout=30, every=0.1):
    """Waits until ``check()`` answers something true, and answers that."""
    deadline = time.monotonic() + timeout
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not true after {timeout} s: {check}"
        time.sleep(every)
