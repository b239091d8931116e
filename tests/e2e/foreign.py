"""An S3 endpoint that is not ours: moto's server, in a process of its own."""

import subprocess
import sys
import time

import boto3
import botocore.config
import requests

from server import free_port


class Foreign:
    """A running moto server; S3 only."""

    def __enter__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                if requests.get(self.endpoint, timeout=2).status_code == 200:
                    return self
            except requests.RequestException:
                pass
            assert self.process.poll() is None and time.monotonic() < deadline, "moto's server does not start"
            time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def s3(self):
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id="AKIAFOREIGN", aws_secret_access_key="secret",
            config=botocore.config.Config(s3={"addressing_style": "path"}),
        )
