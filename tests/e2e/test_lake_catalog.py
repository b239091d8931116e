"""Federation: other engines read the tables of event data stores through the Iceberg REST catalog.

pyiceberg plans and reads with Arrow; polars reads the same table's files by itself. Both come through the server's one
port, signed, and see what SQL sees.
"""

import json
import uuid

import polars
import pytest
import requests
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, NoSuchTableError

from identity import allow, code, person, policy, trust
from server import ACCOUNT, REGION, ROOT_KEY, ROOT_SECRET, Server, eventually

NAMESPACE = "aws:cloudtrail"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/federation"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("catalog"), "--lake-flush-interval", "1s", "--lake-tidy-interval", "1s") as server:
        iam = server.client("iam")
        iam.create_role(RoleName="federation", AssumeRolePolicyDocument=trust(
            {"Service": "lakeformation.amazonaws.com"}))
        yield server


@pytest.fixture(scope="module")
def store(server):
    """The id of a store that other engines may read, with some events in it, some of them in files from before they
    might."""
    cloudtrail = server.client("cloudtrail")
    arn = cloudtrail.create_event_data_store(Name="shared-store", TerminationProtectionEnabled=False)["EventDataStoreArn"]
    for number in range(20):
        server.client("iam").create_user(UserName=f"reader-{number}")
        if number == 10:
            flushed(server)
    made = cloudtrail.enable_federation(EventDataStore=arn, FederationRoleArn=ROLE)
    assert made["FederationStatus"] == "ENABLED" and made["FederationRoleArn"] == ROLE
    return arn.rsplit("/", 1)[1]


def flushed(server):
    """Waits until events are in files."""
    def files():
        metrics = requests.get(f"{server.endpoint}/metrics", timeout=10).text
        return any(line.startswith("opentrail_lake_files ") and not line.endswith(" 0") for line in metrics.splitlines())
    eventually(files, timeout=60)


def catalog(server, key=ROOT_KEY, secret=ROOT_SECRET):
    return load_catalog("opentrail", **{
        "type": "rest", "uri": f"{server.endpoint}/iceberg",
        "rest.sigv4-enabled": "true", "rest.signing-name": "glue", "rest.signing-region": REGION,
        "client.access-key-id": key, "client.secret-access-key": secret, "client.region": REGION,
        "s3.access-key-id": key, "s3.secret-access-key": secret, "s3.region": REGION,
    })


def users(rows):
    """The names of the users that rows of CreateUser made."""
    parameters = [row["requestParameters"] for row in rows if row["eventName"] == "CreateUser"]
    names = [dict(each).get("userName") if isinstance(each, (dict, list)) else None for each in parameters]
    return sorted(name for name in names if name and name.startswith("reader-"))


WANTED = sorted(f"reader-{number}" for number in range(20))


def test_pyiceberg_reads_what_was_recorded(server, store):
    found = catalog(server)
    assert found.list_namespaces() == [(NAMESPACE,)]
    assert found.list_tables(NAMESPACE) == [(NAMESPACE, store)]
    assert found.table_exists((NAMESPACE, store))

    def read():
        table = found.load_table((NAMESPACE, store))
        rows = table.scan(row_filter="eventName = 'CreateUser'").to_arrow().to_pylist()
        # Files from before EnableFederation are written again, with whole records.
        return rows if users(rows) == WANTED and all(row["eventJson"] for row in rows) else None

    rows = eventually(read, timeout=60, every=0.5)
    for row in rows:
        record = json.loads(row["eventJson"])
        assert record["eventID"] == row["eventID"] and record["userIdentity"]["type"] == row["userIdentity"]["type"]
    assert len({row["eventID"] for row in rows}) == len(rows)


def test_polars_reads_the_same_rows(server, store):
    def read():
        table = catalog(server).load_table((NAMESPACE, store))
        if table.current_snapshot() is None:
            return None
        frame = polars.scan_iceberg(table, storage_options={
            "aws_access_key_id": ROOT_KEY, "aws_secret_access_key": ROOT_SECRET, "aws_region": REGION,
            "aws_endpoint_url": server.endpoint, "aws_allow_http": "true", "aws_virtual_hosted_style_request": "false",
        })
        rows = frame.filter(polars.col("eventName") == "CreateUser").select("eventID", "eventJson").collect()
        texts = rows["eventJson"].to_list()
        return texts if len(texts) >= len(WANTED) and all(texts) else None

    texts = eventually(read, timeout=60, every=0.5)
    names = [json.loads(text)["requestParameters"]["userName"] for text in texts]
    assert sorted(name for name in names if name.startswith("reader-")) == WANTED


def test_whom_the_stores_policy_keeps_out_reads_no_table_either(server, store):
    cloudtrail, iam = server.client("cloudtrail"), server.client("iam")
    arn = cloudtrail.get_event_data_store(EventDataStore=store)["EventDataStoreArn"]
    name, keys = person(iam, allow(["glue:*", "s3:GetObject"]))
    found = catalog(server, **keys)
    location = found.load_table((NAMESPACE, store)).metadata_location
    bucket, key = location.removeprefix("s3://").split("/", 1)
    s3 = server.client("s3", **keys)
    assert s3.get_object(Bucket=bucket, Key=key)["ContentLength"] > 0
    for action in ("cloudtrail:StartQuery", "cloudtrail:GetQueryResults", "cloudtrail:*"):
        statement = {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"},
                     "Action": action, "Resource": arn}
        cloudtrail.put_resource_policy(ResourceArn=arn, ResourcePolicy=policy(statement))
        with pytest.raises(ForbiddenError):
            found.load_table((NAMESPACE, store))
        assert code(s3.get_object, Bucket=bucket, Key=key) == "AccessDenied"
        assert code(s3.head_object, Bucket=bucket, Key=key) == "403"
    # Others are not meant, and what the policy denies of something else is no matter of reading.
    assert catalog(server).table_exists((NAMESPACE, store))
    statement["Action"] = "cloudtrail:DeleteEventDataStore"
    cloudtrail.put_resource_policy(ResourceArn=arn, ResourcePolicy=policy(statement))
    assert found.load_table((NAMESPACE, store)).metadata_location
    cloudtrail.delete_resource_policy(ResourceArn=arn)


def test_a_store_is_read_only_while_its_federation_is_on(server, store):
    cloudtrail = server.client("cloudtrail")
    arn = cloudtrail.create_event_data_store(Name="closed-store", TerminationProtectionEnabled=False)["EventDataStoreArn"]
    closed = arn.rsplit("/", 1)[1]
    found = catalog(server)
    assert (NAMESPACE, closed) not in found.list_tables(NAMESPACE)
    with pytest.raises(NoSuchTableError):
        found.load_table((NAMESPACE, closed))
    cloudtrail.enable_federation(EventDataStore=arn, FederationRoleArn=ROLE)
    assert code(cloudtrail.enable_federation, EventDataStore=arn, FederationRoleArn=ROLE) \
        == "EventDataStoreFederationEnabledException"
    assert code(cloudtrail.delete_event_data_store, EventDataStore=arn) == "EventDataStoreFederationEnabledException"
    location = found.load_table((NAMESPACE, closed)).metadata_location
    bucket, key = location.removeprefix("s3://").split("/", 1)
    assert server.client("s3").get_object(Bucket=bucket, Key=key)["ContentLength"] > 0
    cloudtrail.disable_federation(EventDataStore=arn)
    with pytest.raises(NoSuchTableError):
        found.load_table((NAMESPACE, closed))
    assert code(server.client("s3").get_object, Bucket=bucket, Key=key) == "AccessDenied"


def test_readers_need_permission_and_nobody_writes(server, store):
    iam = server.client("iam")
    _, keys = person(iam, allow("glue:GetCatalog"), allow("glue:GetDatabases"))
    key, secret = keys["key"], keys["secret"]
    with pytest.raises(ForbiddenError):
        catalog(server, key, secret).load_table((NAMESPACE, store))
    location = catalog(server).load_table((NAMESPACE, store)).metadata_location
    bucket, path = location.removeprefix("s3://").split("/", 1)
    s3 = server.client("s3", **keys)
    assert code(s3.get_object, Bucket=bucket, Key=path) == "AccessDenied"
    root = server.client("s3")
    assert code(root.put_object, Bucket=bucket, Key=path, Body=b"x") == "MethodNotAllowed"
    assert code(root.delete_object, Bucket=bucket, Key=path) == "MethodNotAllowed"
    assert code(root.get_object, Bucket=bucket, Key=f"{uuid.uuid4()}/x") == "AccessDenied"
    assert code(root.get_object, Bucket=bucket, Key=f"{store}/metadata/v999999.metadata.json") == "NoSuchKey"
    assert code(root.get_object, Bucket=bucket, Key=f"{store}/../../account") in ("AccessDenied", "NoSuchKey")
    unsigned = requests.get(f"{server.endpoint}/iceberg/v1/namespaces", timeout=10)
    assert unsigned.status_code in (401, 403) and unsigned.json()["error"]["code"] == unsigned.status_code
