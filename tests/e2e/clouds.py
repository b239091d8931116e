"""Object stores that are not ours, on this machine, for warehouses: moto's S3, Azurite, and a model of Google Cloud Storage.
Each says how a server and a reader come to it."""

import json
import pathlib
import subprocess
import sys
import time
import urllib.parse

import requests
from azure.storage.blob import BlobServiceClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from foreign import Foreign
from google_storage import BUCKET, READER
from server import free_port


class S3(Foreign):
    """moto's server with a bucket."""

    location = "s3://warehouse/tables"
    root = "s3://warehouse/tables"

    def __enter__(self):
        super().__enter__()
        self.s3().create_bucket(Bucket="warehouse")
        keys = {"AWS_ACCESS_KEY_ID": "AKIAFOREIGN", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
        self.env = {**keys, "AWS_ENDPOINT_URL": self.endpoint}
        # Another spelling of the same place.
        self.again = ("s3a://warehouse/tables/", {**keys, "AWS_ENDPOINT_URL_S3": self.endpoint})
        self.reader = {
            "s3.endpoint": self.endpoint, "s3.access-key-id": "AKIAFOREIGN", "s3.secret-access-key": "secret",
            "s3.region": "us-east-1", "s3.path-style-access": "true",
        }
        return self

    def names(self):
        pages = self.s3().get_paginator("list_objects_v2").paginate(Bucket="warehouse")
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def read(self, name):
        return self.s3().get_object(Bucket="warehouse", Key=name)["Body"].read()


class Azure:
    """Azurite, Microsoft's emulator of Azure Storage, with a container."""

    location = "az://warehouse/tables"
    root = "abfss://warehouse@devstoreaccount1.dfs.core.windows.net/tables"
    # The account and key that every Azurite has: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
    KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def __enter__(self):
        main = pathlib.Path(sys.executable).parents[2] / "azurite/node_modules/azurite/dist/src/blob/main.js"
        assert main.is_file(), f"{main} is missing: run the tests through `make test`"
        port = free_port()
        endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
        self.process = subprocess.Popen(
            ["node", str(main), "--silent", "--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck",
             "--blobHost", "127.0.0.1", "--blobPort", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        connection = ("DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
                      f"AccountKey={self.KEY};BlobEndpoint={endpoint};")
        self.env = {"AZURE_STORAGE_CONNECTION_STRING": connection}
        self.again = (self.root, {
            "AZURE_STORAGE_ACCOUNT": "devstoreaccount1", "AZURE_STORAGE_KEY": self.KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
        })
        self.reader = {"adls.connection-string": connection, "adls.account-name": "devstoreaccount1"}
        deadline = time.monotonic() + 60
        while True:
            try:
                # Whoever asks without a signature is refused; that is an answer.
                requests.get(endpoint, timeout=2)
                break
            except requests.RequestException:
                assert self.process.poll() is None and time.monotonic() < deadline, "Azurite does not start"
                time.sleep(0.1)
        self.container = BlobServiceClient.from_connection_string(connection).create_container("warehouse")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def names(self):
        return list(self.container.list_blob_names())

    def read(self, name):
        return self.container.download_blob(name).readall()


class Google:
    """A model of Google Cloud Storage (``google_storage.py``) with a bucket."""

    location = "gs://warehouse/tables"
    root = "gs://warehouse/tables"
    ACCOUNT = "lake@project.iam.gserviceaccount.com"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def __enter__(self):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public, account = self.folder / "public.pem", self.folder / "service-account.json"
        public.write_bytes(key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        account.write_text(json.dumps({
            "type": "service_account", "project_id": "project", "private_key_id": "key-1", "client_id": "1",
            "client_email": self.ACCOUNT, "private_key": private.decode(),
        }))
        model = pathlib.Path(__file__).with_name("google_storage.py")
        self.process = subprocess.Popen(
            [sys.executable, str(model), str(public), self.ACCOUNT], stdout=subprocess.PIPE, text=True)
        self.endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        self.env = {"GOOGLE_APPLICATION_CREDENTIALS": str(account), "GOOGLE_BASE_URL": self.endpoint}
        self.again = (self.location + "/", {"STORAGE_EMULATOR_HOST": self.endpoint})
        self.reader = {
            "gcs.service.host": self.endpoint, "gcs.oauth2.token": READER,
            "gcs.oauth2.token-expires-at": str(int((time.time() + 3600) * 1000)),
        }
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def get(self, path):
        url = f"{self.endpoint}/storage/v1/b/{BUCKET}/o{path}"
        answer = requests.get(url, headers={"Authorization": f"Bearer {READER}"}, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer

    def names(self):
        return [each["name"] for each in self.get("").json()["items"]]

    def read(self, name):
        return self.get("/" + urllib.parse.quote(name, safe="") + "?alt=media").content
