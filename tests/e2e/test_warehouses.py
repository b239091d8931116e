"""Tables of event data stores in the object stores of other services: what was acknowledged is there once, through merging,
kill -9 and a start with other words for the same place, and other engines read it there.

S3 is moto, Azure is Azurite, Google Cloud Storage is a model of our own (``google_storage.py``)."""

import collections
import datetime
import json

import pytest
from pyiceberg.catalog import load_catalog

import clouds
from identity import trust
from lake import answer, put, record, store_of
from server import ACCOUNT, REGION, ROOT_KEY, ROOT_SECRET, Server, eventually
from test_store_encryption import CLOUDTRAIL, new_key

# A query may run as long as files that were replaced stay.
FLAGS = ["--lake-flush-interval", "1s", "--lake-tidy-interval", "1s", "--lake-grace"]
SOURCE = "warehouse.example.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/federation"


@pytest.fixture(params=["s3", "azure", "google"])
def cloud(request, tmp_path):
    kinds = {"s3": clouds.S3, "azure": clouds.Azure, "google": lambda: clouds.Google(tmp_path)}
    with kinds[request.param]() as running:
        yield running


def server_at(folder, location, env, grace="2m"):
    return Server(folder, *FLAGS, grace, "--lake-warehouse", location, env=env)


def ids_in(server, store):
    found = answer(server.client("cloudtrail"), f"SELECT eventID FROM {store} WHERE eventSource = '{SOURCE}'")
    return collections.Counter(row["eventID"] for row in found)


def files(cloud, store):
    return [name for name in cloud.names() if f"/{store}/" in name and name.endswith(".parquet")]


def sent(server, count):
    """The ids of new events, which the server has taken. They are of a day whose files are merged early."""
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    events = [record("Load", SOURCE, at=at) for _ in range(count)]
    put(server, events)
    return [event["eventID"] for event in events]


def test_tables_live_in_another_service(cloud, tmp_path):
    server = server_at(tmp_path / "server", cloud.location, cloud.env).start()
    try:
        store, wanted = store_of(server, "elsewhere"), []
        sealed = store_of(server, "sealed", KmsKeyId=new_key(server, CLOUDTRAIL))
        for _ in range(3):
            before = {each: set(files(cloud, each)) for each in (store, sealed)}
            wanted += sent(server, 20)
            eventually(lambda: all(set(files(cloud, each)) - known for each, known in before.items()), timeout=120)
        assert ids_in(server, store) == ids_in(server, sealed) == collections.Counter(wanted)
        first = files(cloud, store)
        assert all(cloud.read(name)[:4] == b"PAR1" for name in first)
        assert all(cloud.read(name)[:8] == b"OTLSEAL1" for name in files(cloud, sealed))
        assert not list((server.data / "lake").rglob("*.parquet"))

        wanted += sent(server, 20)
        server.kill()
        location, env = cloud.again
        server = server_at(tmp_path / "server", location, env).start()
        assert ids_in(server, store) == ids_in(server, sealed) == collections.Counter(wanted)
        wanted += sent(server, 20)
        federate(server, store)
        read_by_pyiceberg(server, cloud, store, wanted)
        assert ids_in(server, store) == ids_in(server, sealed) == collections.Counter(wanted)
        server.kill()

        # What merging replaced is removed when its grace period is over, and nothing else is.
        server = server_at(tmp_path / "server", location, env, grace="1s").start()
        eventually(lambda: not set(first) & set(files(cloud, store)), timeout=120)
        read_by_pyiceberg(server, cloud, store, wanted)
        server.stop()

        # The tables are nowhere else, whatever is there.
        with pytest.raises(AssertionError, match="are at .*tables, not .*tables/deeper"):
            server_at(tmp_path / "server", location.rstrip("/") + "/deeper", env).start()
    finally:
        server.kill()


def federate(server, store):
    server.client("iam").create_role(
        RoleName="federation", AssumeRolePolicyDocument=trust({"Service": "lakeformation.amazonaws.com"}))
    server.client("cloudtrail").enable_federation(EventDataStore=store, FederationRoleArn=ROLE)


def read_by_pyiceberg(server, cloud, store, wanted):
    catalog = load_catalog("opentrail", **{
        "type": "rest", "uri": f"{server.endpoint}/iceberg",
        "rest.sigv4-enabled": "true", "rest.signing-name": "glue", "rest.signing-region": REGION,
        "client.access-key-id": ROOT_KEY, "client.secret-access-key": ROOT_SECRET, "client.region": REGION,
        **cloud.reader,
    })

    def whole():
        table = catalog.load_table(("aws:cloudtrail", store))
        assert table.metadata_location.startswith(f"{cloud.root}/{store}/metadata/")
        try:
            rows = table.scan(row_filter=f"eventSource = '{SOURCE}'").to_arrow().to_pylist()
        except FileNotFoundError:
            return None  # Merged, and removed, between the two.
        # Files from before EnableFederation are written again, with whole records.
        return rows if len(rows) == len(wanted) and all(row["eventJson"] for row in rows) else None

    rows = eventually(whole, timeout=120, every=0.5)
    assert collections.Counter(row["eventID"] for row in rows) == collections.Counter(wanted)
    assert all(json.loads(row["eventJson"])["eventID"] == row["eventID"] for row in rows)
