"""Event data stores with a key of KMS: nothing of their tables and of queries over them is on the disk in the clear, who
may not use the key has no answers, and a key that is disabled holds up its own store alone."""

import collections
import gzip
import json
import subprocess
import uuid

import pytest
from botocore.exceptions import ClientError
from pyiceberg.catalog import load_catalog

from identity import EVERYTHING, allow, code, person, refused, trust
from lake import answer, ended, put, record, rows, run, store_of
from server import ACCOUNT, REGION, ROOT_KEY, ROOT_SECRET, Server, binary, eventually
from test_imports import Bucket

FLAGS = ["--lake-flush-interval", "1s", "--lake-tidy-interval", "1s"]
OWNERS = {"Sid": "owners", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*",
          "Resource": "*"}
CLOUDTRAIL = {"Sid": "cloudtrail", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
              "Action": ["kms:GenerateDataKey*", "kms:Decrypt"], "Resource": "*",
              "Condition": {"StringLike": {
                  "kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{ACCOUNT}:eventdatastore/*",
                  "aws:SourceArn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:eventdatastore/*"}}}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [OWNERS, *statements]})


def new_key(server, *statements):
    return server.client("kms").create_key(Policy=policy(*statements))["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("sealed"), *FLAGS) as running:
        running.client("iam").create_role(RoleName="federation", AssumeRolePolicyDocument=trust(
            {"Service": "lakeformation.amazonaws.com"}))
        yield running


@pytest.fixture(scope="module")
def client(server):
    return server.client("cloudtrail")


@pytest.fixture(scope="module")
def key(server):
    return new_key(server, CLOUDTRAIL)


def made(source, count):
    return [record("Sealed", source, user="hidden-treasure") for _ in range(count)]


def ids_in(client, store, source):
    found = answer(client, f"SELECT eventID FROM {store} WHERE eventSource = '{source}'")
    return collections.Counter(row["eventID"] for row in found)


def ids_of(events):
    return collections.Counter(event["eventID"] for event in events)


def files(server, store):
    return [path for path in (server.data / "lake" / "tables" / store).rglob("*") if path.is_file()]


def data_files(server, store):
    return [path for path in files(server, store) if path.suffix == ".parquet"]


def is_sealed(path):
    try:
        return path.read_bytes().startswith(b"OTLSEAL1")
    except FileNotFoundError:
        return True  # Merged meanwhile.


def test_a_store_takes_its_key_by_any_of_its_names(server, client, key):
    alias = f"alias/lake-{uuid.uuid4().hex[:8]}"
    server.client("kms").create_alias(AliasName=alias, TargetKeyId=key)
    for number, name in enumerate([key, key.rsplit("/", 1)[1], alias, f"arn:aws:kms:{REGION}:{ACCOUNT}:{alias}"]):
        store = client.create_event_data_store(Name=f"named-{number}", KmsKeyId=name, TerminationProtectionEnabled=False)
        assert store["KmsKeyId"] == key
        arn = store["EventDataStoreArn"]
        assert client.get_event_data_store(EventDataStore=arn)["KmsKeyId"] == key
        updated = client.update_event_data_store(EventDataStore=arn, RetentionPeriod=30, KmsKeyId=name)
        assert updated["KmsKeyId"] == key
        client.delete_event_data_store(EventDataStore=arn)


def test_keys_that_a_store_can_t_have(server, client, key):
    kms = server.client("kms")

    def create(name):
        return code(client.create_event_data_store, Name=f"none-{uuid.uuid4().hex[:8]}", KmsKeyId=name)

    assert create(str(uuid.uuid4())) == "KmsKeyNotFoundException"
    assert create("alias/nothing-of-this-name") == "KmsKeyNotFoundException"
    assert create("arn:aws:s3:::no-key") == "InvalidKmsKeyIdException"
    assert create(new_key(server)) == "InsufficientEncryptionPolicyException"
    only_encrypts = {**CLOUDTRAIL, "Action": "kms:GenerateDataKey*"}
    assert create(new_key(server, only_encrypts)) == "InsufficientEncryptionPolicyException"
    disabled = new_key(server, CLOUDTRAIL)
    kms.disable_key(KeyId=disabled)
    assert create(disabled) == "KmsException"
    signs = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    assert create(signs) == "KmsException"
    store = store_of(server, "keeps-its-key", KmsKeyId=key)
    assert code(client.update_event_data_store, EventDataStore=store, KmsKeyId=new_key(server, CLOUDTRAIL)) \
        == "InvalidParameterException"
    assert client.get_event_data_store(EventDataStore=store)["KmsKeyId"] == key
    # Who makes a store with a key must be allowed to use it.
    _, who = person(server.client("iam"), allow("cloudtrail:*"))
    theirs = server.client("cloudtrail", **who)
    assert code(theirs.create_event_data_store, Name="not-theirs", KmsKeyId=key) == "InsufficientEncryptionPolicyException"


def test_nothing_of_it_is_on_the_disk_in_the_clear(server, client, key):
    plain = store_of(server, "shown")
    store, source = store_of(server, "hidden", KmsKeyId=key), "hidden.example.com"
    events = made(source, 30)
    put(server, events)
    query = client.start_query(QueryStatement=f"SELECT eventJson FROM {store} WHERE eventSource = '{source}'")["QueryId"]
    ended(client, query)
    assert len(rows(client, query)) == 30
    eventually(lambda: data_files(server, store) and data_files(server, plain))
    assert ids_in(client, store, source) == ids_of(events)
    assert all(is_sealed(path) for path in files(server, store))
    assert not any(is_sealed(path) for path in data_files(server, plain))
    results = server.data / "lake" / "queries" / query
    for path in results.iterdir():
        raw = path.read_bytes()
        assert b"hidden-treasure" not in raw and b"\x1f\x8b\x08" != raw[:3], path
    other = ended(client, client.start_query(
        QueryStatement=f"SELECT eventJson FROM {plain} WHERE eventSource = '{source}'")["QueryId"])
    blocks = (server.data / "lake" / "queries" / other["QueryId"] / "rows").read_bytes()
    assert b"hidden-treasure" in gzip.decompress(blocks), "the search finds what is in the clear"
    # KMS's calls for it are in the record, few of them.
    uses = answer(client, f"SELECT eventName, element_at(requestParameters, 'encryptionContext') AS context "
                          f"FROM {plain} WHERE eventSource = 'kms.amazonaws.com' AND userIdentity.invokedBy = "
                          f"'cloudtrail.amazonaws.com'")
    of_store = collections.Counter(row["eventName"] for row in uses if store in row["context"])
    assert of_store == {"GenerateDataKey": 1, "Decrypt": 1}, of_store
    fsck(server)


def fsck(server):
    """Stops the server, has its folder checked, and starts it again."""
    server.stop()
    done = subprocess.run([binary(), "fsck", "--data", str(server.data)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    server.start()


def test_a_disabled_key_closes_its_store_and_no_other(server, client, key):
    kms = server.client("kms")
    own = new_key(server, CLOUDTRAIL)
    store, other, source = store_of(server, "closable", KmsKeyId=own), store_of(server, "bystander"), "closable.example.com"
    events = made(source, 10)
    put(server, events)
    statement = f"SELECT eventID FROM {store} WHERE eventSource = '{source}'"
    query = client.start_query(QueryStatement=statement)["QueryId"]
    assert ended(client, query)["QueryStatus"] == "FINISHED"
    eventually(lambda: data_files(server, store))

    kms.disable_key(KeyId=own)
    error, message = refused(client.start_query, QueryStatement=statement)
    assert error == "InsufficientEncryptionPolicyException" and "disabled" in message
    assert code(client.get_query_results, QueryId=query) == "InsufficientEncryptionPolicyException"
    assert client.get_event_data_store(EventDataStore=store)["Status"] == "ENABLED"
    assert client.describe_query(QueryId=query)["QueryStatus"] == "FINISHED"
    more = made(source, 10)
    put(server, more)
    events += more
    assert ids_in(client, other, source) == ids_of(events)
    eventually(lambda: data_files(server, other))
    # A start without the key is none the worse.
    server.kill()
    server.start()
    client, kms = server.client("cloudtrail"), server.client("kms")
    assert ids_in(client, other, source) == ids_of(events)
    more = made(source, 10)
    put(server, more)
    events += more
    assert code(client.start_query, QueryStatement=statement) == "InsufficientEncryptionPolicyException"
    arn, bucket = client.get_event_data_store(EventDataStore=store)["EventDataStoreArn"], Bucket(server)
    error, message = refused(client.start_import, Destinations=[arn], ImportSource=bucket.source())
    assert error == "InsufficientEncryptionPolicyException" and "disabled" in message

    kms.enable_key(KeyId=own)
    assert ids_in(client, store, source) == ids_of(events)
    assert len(rows(client, query)) == 10
    assert all(is_sealed(path) for path in files(server, store))

    # Nor does it open for CloudTrail when the key's policy says no more of it, or for callers without the key.
    kms.put_key_policy(KeyId=own, PolicyName="default", Policy=policy())
    assert code(client.start_query, QueryStatement=statement) == "InsufficientEncryptionPolicyException"
    kms.put_key_policy(KeyId=own, PolicyName="default", Policy=policy(CLOUDTRAIL))
    _, who = person(server.client("iam"), allow("cloudtrail:*"))
    assert code(server.client("cloudtrail", **who).start_query, QueryStatement=statement) \
        == "InsufficientEncryptionPolicyException"
    _, who = person(server.client("iam"), allow("cloudtrail:*"), allow("kms:Decrypt"))
    assert run(server.client("cloudtrail", **who), statement)["QueryStatus"] == "FINISHED"


def test_a_store_that_gets_a_key_later(server, key):
    client = server.client("cloudtrail")
    store, source = store_of(server, "later"), "later.example.com"
    events = made(source, 10)
    put(server, events)
    eventually(lambda: data_files(server, store))
    assert client.update_event_data_store(EventDataStore=store, KmsKeyId=key)["KmsKeyId"] == key
    assert ids_in(client, store, source) == ids_of(events)
    more = made(source, 10)
    put(server, more)
    eventually(lambda: all(is_sealed(path) for path in files(server, store)), timeout=60)
    assert ids_in(client, store, source) == ids_of(events + more)


def test_other_engines_read_it_through_the_door(server, key):
    client = server.client("cloudtrail")
    store, source = store_of(server, "federated", KmsKeyId=key), "federated.example.com"
    events = made(source, 10)
    put(server, events)
    client.enable_federation(EventDataStore=store, FederationRoleArn=f"arn:aws:iam::{ACCOUNT}:role/federation")

    def catalog(key=ROOT_KEY, secret=ROOT_SECRET):
        return load_catalog("opentrail", **{
            "type": "rest", "uri": f"{server.endpoint}/iceberg", "rest.sigv4-enabled": "true",
            "rest.signing-name": "glue", "rest.signing-region": REGION, "client.access-key-id": key,
            "client.secret-access-key": secret, "client.region": REGION, "s3.access-key-id": key,
            "s3.secret-access-key": secret, "s3.region": REGION,
        })

    def read():
        table = catalog().load_table(("aws:cloudtrail", store))
        found = table.scan(row_filter=f"eventSource = '{source}'").to_arrow().to_pylist()
        return collections.Counter(row["eventID"] for row in found) == ids_of(events)

    eventually(read, timeout=60, every=0.5)
    _, may = person(server.client("iam"), EVERYTHING)
    _, may_not = person(server.client("iam"), EVERYTHING, allow("kms:*", effect="Deny"))
    location = catalog().load_table(("aws:cloudtrail", store)).metadata_location
    bucket, path = location.removeprefix("s3://").split("/", 1)
    body = server.client("s3", **may).get_object(Bucket=bucket, Key=path)
    assert "format-version" in json.loads(body["Body"].read())
    with pytest.raises(ClientError) as denied:
        server.client("s3", **may_not).get_object(Bucket=bucket, Key=path)
    assert denied.value.response["Error"]["Code"] == "AccessDenied"
    client.disable_federation(EventDataStore=store)
