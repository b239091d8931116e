"""Queries over event data stores: their life through the API and the AWS CLI, what they are refused for, where their
results go, and what survives."""

import csv
import datetime
import gzip
import hashlib
import io
import json
import signal
import subprocess
import time
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from accounts import Accounts
from foreign import Foreign
from identity import allow, deny, person, refused
from lake import answer, ended, put, record, rows, run, store_of
from native import lookup
from server import ACCOUNT, REGION, Server, binary, eventually

EVENTS = 25


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with few queries at once, and a short time for each."""
    flags = ["--queries-at-once", "1", "--query-time", "6s"]
    with Server(tmp_path_factory.mktemp("server"), *flags) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    return server.client("cloudtrail")


@pytest.fixture(scope="module")
def store(server):
    """An event data store with EVENTS events of a made-up service, told apart by their number."""
    made = store_of(server, "questions")
    made_at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    put(server, [
        record(f"Number{number:02}", "numbers.amazonaws.com", made_at + datetime.timedelta(seconds=number))
        for number in range(EVENTS)
    ])
    count = f"SELECT count(*) AS n FROM {made} WHERE eventSource = 'numbers.amazonaws.com'"
    eventually(lambda: answer(server.client("cloudtrail"), count) == [{"n": str(EVENTS)}])
    return made


def numbers(store, columns="eventName"):
    return f"SELECT {columns} FROM {store} WHERE eventSource = 'numbers.amazonaws.com' ORDER BY eventTime"


def endless(store):
    """A query that is not over within any test: each more join makes it longer by a factor."""
    joins = " ".join(f"CROSS JOIN {store} t{n}" for n in range(2, 13))
    return f"SELECT count(*) FROM {store} t1 {joins} WHERE t1.eventID <> t2.eventName"


def results_bucket(server, name, statement=None):
    """A bucket with the policy that AWS documents for results of queries."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    condition = {"StringLike": {
        "aws:sourceAccount": ACCOUNT, "aws:sourceArn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:eventdatastore/*",
    }}
    service = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Condition": condition}
    arn = f"arn:aws:s3:::{name}"
    statements = [
        {**service, "Action": ["s3:PutObject*", "s3:Abort*"], "Resource": [arn, f"{arn}/*"]},
        {**service, "Action": "s3:GetBucketAcl", "Resource": arn},
    ] + ([statement] if statement else [])
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    return s3


def delivery(client, query):
    """What became of a delivery."""
    def known():
        status = client.describe_query(QueryId=query)["DeliveryStatus"]
        return None if status == "PENDING" else status

    return eventually(known)


def test_the_life_of_a_query_with_the_aws_cli(server, store):
    started = server.aws("cloudtrail", "start-query", "--query-statement", numbers(store, "eventName, errorCode"))
    query = started["QueryId"]
    assert uuid.UUID(query) and started["EventDataStoreOwnerAccountId"] == ACCOUNT
    eventually(lambda: server.aws("cloudtrail", "describe-query", "--query-id", query)["QueryStatus"] == "FINISHED")
    described = server.aws("cloudtrail", "describe-query", "--query-id", query)
    statistics = described["QueryStatistics"]
    assert described["QueryString"] == numbers(store, "eventName, errorCode")
    assert statistics["EventsMatched"] == EVENTS
    assert statistics["EventsScanned"] >= EVENTS and statistics["BytesScanned"] > 0
    assert statistics["ExecutionTimeInMillis"] >= 0 and "DeliveryStatus" not in described
    found = server.aws("cloudtrail", "get-query-results", "--query-id", query, "--max-query-results", "2")
    assert found["QueryResultRows"][0] == [{"eventName": "Number00"}, {"errorCode": ""}]
    listed = server.aws("cloudtrail", "list-queries", "--event-data-store", store)
    assert query in [item["QueryId"] for item in listed["Queries"]]
    assert server.aws("cloudtrail", "cancel-query", "--query-id", query, ok=False) == "InactiveQueryException"


def test_pages_have_each_row_once(client, store):
    described = run(client, numbers(store))
    for size in (1, 7, 25, 1000):
        found = rows(client, described["QueryId"], size)
        assert found == [[("eventName", f"Number{number:02}")] for number in range(EVENTS)]
    other = run(client, numbers(store))
    token = client.get_query_results(QueryId=other["QueryId"], MaxQueryResults=3)["NextToken"]
    for bad in (token, "AAAA", "not a token"):
        code, _ = refused(client.get_query_results, QueryId=described["QueryId"], NextToken=bad)
        assert code == "InvalidNextTokenException"


def test_the_record_of_a_query_has_its_text_and_its_id(server, client, store):
    described = run(client, numbers(store))
    def recorded():
        found = [json.loads(event["CloudTrailEvent"]) for event in lookup(
            server, Attributes=[{"Key": "EventName", "Value": "StartQuery", "Match": "exact"}]
        )]
        return [event for event in found
                if (event["responseElements"] or {}).get("queryId") == described["QueryId"]]

    [event] = eventually(recorded)
    assert event["requestParameters"] == {"queryStatement": numbers(store)}
    assert event["eventSource"] == "cloudtrail.amazonaws.com"
    assert [resource["ARN"].rsplit("/", 1)[1] for resource in event["resources"]] == [store]


def test_wrong_queries_are_refused_with_their_place(client, store):
    code, message = refused(client.start_query, QueryStatement=f"SELECT evntName FROM {store}")
    assert code == "InvalidQueryStatementException"
    assert message.startswith("line 1:8: ") and "eventName" in message, message
    for statement in (
        f"DELETE FROM {store}", f"SELEC 1 FROM {store}", f"SELECT FROM {store} WHERE", "SELECT 1",
        "SELECT 1 FROM events", f"SELECT 1 FROM {store}; SELECT 2 FROM {store}",
        f"SELECT no_such_function(1) FROM {store}", f"SELECT '{'x' * 10_000}' FROM {store}",
    ):
        assert refused(client.start_query, QueryStatement=statement)[0] == "InvalidQueryStatementException", statement
    # The parser would read each of these again at every level.
    for statement in (
        f"SELECT {'INTERVAL ' * 200}!! FROM {store}", f"SELECT {'current_date(' * 45}!! FROM {store}",
        f"SELECT * FROM {'((SELECT * FROM ' * 24}{store}",
    ):
        code, message = refused(client.start_query, QueryStatement=statement)
        assert code == "InvalidQueryStatementException" and ("complex" in message or "nested" in message), message
    missing = uuid.uuid4()
    assert refused(client.start_query, QueryStatement=f"SELECT 1 FROM {missing}")[0] == "EventDataStoreNotFoundException"


def test_what_is_asked_must_hold_together(client, store):
    for ask in (
        {}, {"QueryStatement": numbers(store), "QueryAlias": "calls-by-day"}, {"QueryAlias": "no-such-alias"},
        {"QueryAlias": "calls-by-day"}, {"QueryStatement": numbers(store), "QueryParameters": ["too many"]},
        {"QueryStatement": f"SELECT 1 FROM {store} WHERE eventName = ?"},
        {"QueryStatement": numbers(store), "DeliveryS3Uri": "https://bucket/prefix"},
    ):
        assert refused(client.start_query, **ask)[0] == "InvalidParameterException", ask
    unknown = str(uuid.uuid4())
    for call in (client.describe_query, client.get_query_results, client.cancel_query):
        assert refused(call, QueryId=unknown)[0] == "QueryIdNotFoundException"
    assert refused(client.describe_query)[0] == "InvalidParameterException"
    assert refused(client.describe_query, QueryAlias="never-used")[0] == "QueryIdNotFoundException"
    other = store_of_other(client)
    described = run(client, numbers(store))
    code, _ = refused(client.get_query_results, QueryId=described["QueryId"], EventDataStore=other)
    assert code == "QueryIdNotFoundException"


def store_of_other(client):
    made = client.create_event_data_store(Name=f"other-{uuid.uuid4().hex[:6]}", TerminationProtectionEnabled=False)
    return made["EventDataStoreArn"]


def test_aliases_and_parameters(client, store):
    started = client.start_query(
        QueryAlias="calls-of-one-operation", QueryParameters=[store, "Number07"],
    )
    described = ended(client, started["QueryId"])
    assert described["QueryStatus"] == "FINISHED", described
    assert f"FROM {store}" in described["QueryString"] and len(rows(client, started["QueryId"])) == 1
    assert client.describe_query(QueryAlias="calls-of-one-operation")["QueryId"] == started["QueryId"]
    found = answer(client, f"SELECT eventName FROM {store} WHERE eventName = ?", QueryParameters=["Number03"])
    assert found == [{"eventName": "Number03"}]


def test_every_sample_query_runs(client, store):
    """Each is found by its own name, and runs over a store."""
    found, token = [], {}
    while True:
        page = client.search_sample_queries(
            SearchPhrase="calls events users errors deleted created changed access keys MFA root", MaxResults=7, **token
        )
        found += page["SearchResults"]
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    relevances = [result["Relevance"] for result in found]
    assert relevances == sorted(relevances, reverse=True) and all(0 <= value <= 1 for value in relevances)
    names = {result["Name"]: result for result in found}
    assert len(names) == len(found) >= 30
    for name, result in names.items():
        first = client.search_sample_queries(SearchPhrase=name)["SearchResults"][0]
        assert first["Name"] == name
        parameters = ["x"] * result["SQL"].count("?")
        statement = result["SQL"].replace("$EDS_ID", store)
        options = {"QueryParameters": parameters} if parameters else {}
        described = run(client, statement, **options)
        assert described["QueryStatus"] == "FINISHED", (name, described)
    assert refused(client.search_sample_queries, SearchPhrase="naïve")[0] == "InvalidParameterException"


def test_a_prompt_is_answered_with_a_sample_query_or_not_at_all(client, store):
    generated = client.generate_query(EventDataStores=[store], Prompt="Which errors are the most frequent?")
    assert f"FROM {store}" in generated["QueryStatement"]
    assert "sample query" in generated["QueryStatement"].splitlines()[0]
    for ask in ({"QueryStatement": generated["QueryStatement"]}, {"QueryAlias": generated["QueryAlias"]}):
        described = ended(client, client.start_query(**ask)["QueryId"])
        assert described["QueryStatus"] == "FINISHED", described
    code, _ = refused(client.generate_query, EventDataStores=[store], Prompt="Who painted the zebra?")
    assert code == "GenerateResponseException"


def test_a_query_is_cancelled(client, store):
    query = client.start_query(QueryStatement=endless(store))["QueryId"]
    eventually(lambda: client.describe_query(QueryId=query)["QueryStatus"] == "RUNNING")
    running = client.get_query_results(QueryId=query)
    assert (running["QueryStatus"], running["QueryResultRows"]) == ("RUNNING", [])
    # One runs at a time, the next waits; both are cancelled.
    waiting = client.start_query(QueryStatement=numbers(store))["QueryId"]
    assert client.describe_query(QueryId=waiting)["QueryStatus"] == "QUEUED"
    for each in (waiting, query):
        assert client.cancel_query(QueryId=each)["QueryStatus"] == "CANCELLED"
        assert ended(client, each)["QueryStatus"] == "CANCELLED"
        assert refused(client.cancel_query, QueryId=each)[0] == "InactiveQueryException"
    # The place is free again within a moment.
    began = time.monotonic()
    assert run(client, numbers(store))["QueryStatus"] == "FINISHED"
    assert time.monotonic() - began < 5


def test_a_query_that_takes_too_long_is_timed_out(client, store):
    described = run(client, endless(store))
    assert described["QueryStatus"] == "TIMED_OUT"
    assert 5500 < described["QueryStatistics"]["ExecutionTimeInMillis"] < 20_000
    assert "6 seconds" in described["ErrorMessage"]


def test_no_more_than_ten_queries_wait_or_run(client, store):
    started = [client.start_query(QueryStatement=endless(store))["QueryId"] for _ in range(10)]
    assert refused(client.start_query, QueryStatement=numbers(store))[0] == "MaxConcurrentQueriesException"
    for query in started:
        try:
            client.cancel_query(QueryId=query)
        except client.exceptions.InactiveQueryException:
            # On a busy machine the first may be out of time by now.
            assert client.describe_query(QueryId=query)["QueryStatus"] == "TIMED_OUT"
    assert {ended(client, query)["QueryStatus"] for query in started} <= {"CANCELLED", "TIMED_OUT"}
    eventually(lambda: not client.list_queries(EventDataStore=store, QueryStatus="QUEUED")["Queries"])
    assert run(client, numbers(store))["QueryStatus"] == "FINISHED"


def test_queries_are_listed_by_status_and_time(client, server):
    own = store_of(server, "listed")
    queries = [run(client, f"SELECT count(*) AS n FROM {own}")["QueryId"] for _ in range(5)]
    listed = client.list_queries(EventDataStore=own)["Queries"]
    assert [item["QueryId"] for item in listed] == queries[::-1]
    found, token = [], {}
    while True:
        page = client.list_queries(EventDataStore=own, MaxResults=2, **token)
        found += [item["QueryId"] for item in page["Queries"]]
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert found == queries[::-1]
    assert client.list_queries(EventDataStore=own, QueryStatus="FAILED")["Queries"] == []
    third = listed[2]["CreationTime"]
    hour = datetime.timedelta(hours=1)
    assert client.list_queries(EventDataStore=own, StartTime=third + hour, EndTime=third + 2 * hour)["Queries"] == []
    assert len(client.list_queries(EventDataStore=own, StartTime=third - hour)["Queries"]) == 5
    code, _ = refused(client.list_queries, EventDataStore=own, StartTime=third, EndTime=third - hour)
    assert code == "InvalidDateRangeException"
    assert refused(client.list_queries, EventDataStore=own, NextToken="AAAAAAAA")[0] == "InvalidNextTokenException"
    assert refused(client.list_queries, EventDataStore=own, QueryStatus="DONE")[0] == "InvalidQueryStatusException"


def test_joins_and_unions_need_permission_on_every_store(server, client, store):
    iam = server.client("iam")
    other = store_of(server, "secret")
    arn = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:eventdatastore/"
    actions = ["cloudtrail:StartQuery", "cloudtrail:DescribeQuery", "cloudtrail:GetQueryResults"]
    _, who = person(iam, allow(actions, arn + store))
    reader = server.client("cloudtrail", **who)
    assert run(reader, numbers(store))["QueryStatus"] == "FINISHED"
    for statement in (
        f"SELECT 1 FROM {other}", f"SELECT 1 FROM {store} a JOIN {other} b ON a.eventID = b.eventID",
        f"SELECT eventID FROM {store} UNION ALL SELECT eventID FROM {other}",
        f"SELECT 1 FROM {store} WHERE eventID IN (SELECT eventID FROM {other})",
        f"WITH x AS (SELECT eventID FROM {other}) SELECT * FROM x",
        # Without permission a text is not read at all.
        f"SELEC eventID FROM {other}", "SELEC 1",
    ):
        assert refused(reader.start_query, QueryStatement=statement)[0] == "AccessDeniedException", statement
    # What another found there is not for this reader, not even how the query went.
    described = run(client, f"SELECT count(*) AS n FROM {store} a CROSS JOIN {other} b")
    for call in (reader.describe_query, reader.get_query_results, reader.cancel_query):
        assert refused(call, QueryId=described["QueryId"])[0] == "AccessDeniedException"
    _, nobody = person(iam, allow("cloudtrail:*"), deny("cloudtrail:GetQueryResults"))
    blind = server.client("cloudtrail", **nobody)
    query = run(blind, numbers(store))["QueryId"]
    assert refused(blind.get_query_results, QueryId=query)[0] == "AccessDeniedException"
    assert refused(blind.get_query_results, QueryId=str(uuid.uuid4()))[0] == "AccessDeniedException"


def verify_as_documented(server, bucket, folder):
    """AWS's own steps ("Custom implementations of CloudTrail query result file integrity validation")."""
    s3, cloudtrail = server.client("s3"), server.client("cloudtrail")
    read = lambda name: s3.get_object(Bucket=bucket, Key=folder + name)["Body"].read()
    sign_file = json.loads(read("result_sign.json"))
    completed = datetime.datetime.fromisoformat(sign_file["queryCompleteTime"].replace("Z", "+00:00"))
    around = datetime.timedelta(minutes=1)
    keys = cloudtrail.list_public_keys(StartTime=completed - around, EndTime=completed + around)["PublicKeyList"]
    [key] = [key for key in keys if key["Fingerprint"] == sign_file["publicKeyFingerprint"]]
    hashes = [file["fileHashValue"] for file in sign_file["files"]]
    public = load_der_public_key(key["Value"])
    public.verify(bytes.fromhex(sign_file["hashSignature"]), " ".join(hashes).encode(), PKCS1v15(), SHA256())
    for file in sign_file["files"]:
        assert hashlib.sha256(read(file["fileName"])).hexdigest() == file["fileHashValue"]
    return sign_file


def test_results_are_delivered_and_signed(server, client, store, tmp_path):
    s3 = results_bucket(server, "query-results")
    statement = numbers(store, "eventName, errorCode, 'say \"hi\", please' AS quoted")
    described = run(client, statement, DeliveryS3Uri="s3://query-results/some/place/")
    query = described["QueryId"]
    assert described["DeliveryS3Uri"] == "s3://query-results/some/place/"
    assert delivery(client, query) == "SUCCESS"
    names = [item["Key"] for item in s3.list_objects_v2(Bucket="query-results")["Contents"]]
    folder = names[0].rsplit("/", 1)[0] + "/"
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y/%m/%d")
    assert folder == f"some/place/AWSLogs/{ACCOUNT}/CloudTrail-Lake/Query/{day}/{query}/"
    assert sorted(names) == [folder + "result_1.csv.gz", folder + "result_sign.json"]
    sign_file = verify_as_documented(server, "query-results", folder)
    assert {key: sign_file[key] for key in ("version", "region", "hashAlgorithm", "signatureAlgorithm")} == {
        "version": "1.0", "region": REGION, "hashAlgorithm": "SHA-256", "signatureAlgorithm": "SHA256withRSA",
    }
    text = gzip.decompress(s3.get_object(Bucket="query-results", Key=folder + "result_1.csv.gz")["Body"].read())
    read = list(csv.reader(io.StringIO(text.decode())))
    assert read[0] == ["eventName", "errorCode", "quoted"]
    assert read[1:] == [[f"Number{number:02}", "", 'say "hi", please'] for number in range(EVENTS)]

    place = f"s3://query-results/{folder}"
    assert "INVALID" not in server.opentrail("verify-query-results", place)
    server.aws("s3", "cp", "--recursive", place, str(tmp_path))
    assert "INVALID" not in server.opentrail("verify-query-results", str(tmp_path))
    changed = tmp_path / "result_1.csv.gz"
    changed.write_bytes(gzip.compress(text.replace(b"Number07", b"Number08")))
    assert "INVALID: its hash" in server.opentrail("verify-query-results", str(tmp_path), code=3)
    forged = json.loads((tmp_path / "result_sign.json").read_text())
    forged["files"][0]["fileHashValue"] = hashlib.sha256(changed.read_bytes()).hexdigest()
    (tmp_path / "result_sign.json").write_text(json.dumps(forged))
    assert "signature does not hold" in server.opentrail("verify-query-results", str(tmp_path), code=3)
    changed.unlink()
    assert "missing" in server.opentrail("verify-query-results", str(tmp_path), code=3)


def test_a_result_without_rows_is_delivered_too(server, client, store):
    s3 = results_bucket(server, "empty-results")
    described = run(client, f"SELECT eventName FROM {store} WHERE 1 = 0", DeliveryS3Uri="s3://empty-results")
    assert delivery(client, described["QueryId"]) == "SUCCESS"
    folder = s3.list_objects_v2(Bucket="empty-results")["Contents"][0]["Key"].rsplit("/", 1)[0] + "/"
    assert len(verify_as_documented(server, "empty-results", folder)["files"]) == 1
    body = s3.get_object(Bucket="empty-results", Key=folder + "result_1.csv.gz")["Body"].read()
    assert gzip.decompress(body) == b'"eventName"\n'


def test_a_bucket_that_takes_no_results_is_told_of(server, client, store):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="closed-results")
    for uri, code in (
        ("s3://no-such-bucket-here", "S3BucketDoesNotExistException"),
        ("s3://closed-results", "InsufficientS3BucketPolicyException"),
        (f"s3://closed-results/{'p' * 300}", "InvalidS3PrefixException"),
    ):
        assert refused(client.start_query, QueryStatement=numbers(store), DeliveryS3Uri=uri)[0] == code
    # Refused only when it comes to the sign file, or to everything: the bucket changes its mind while the query waits.
    sign_file = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                 "Resource": "arn:aws:s3:::unsigned-results/*/result_sign.json"}
    results_bucket(server, "unsigned-results", sign_file)
    described = run(client, numbers(store), DeliveryS3Uri="s3://unsigned-results")
    assert delivery(client, described["QueryId"]) == "ACCESS_DENIED_SIGNING_FILE"
    results_bucket(server, "changing-results")
    results_bucket(server, "going-results")
    slow = client.start_query(QueryStatement=endless(store))["QueryId"]
    changing = client.start_query(QueryStatement=numbers(store), DeliveryS3Uri="s3://changing-results")["QueryId"]
    going = client.start_query(QueryStatement=numbers(store), DeliveryS3Uri="s3://going-results")["QueryId"]
    s3.delete_bucket_policy(Bucket="changing-results")
    s3.delete_bucket(Bucket="going-results")
    client.cancel_query(QueryId=slow)
    assert ended(client, changing)["QueryStatus"] == "FINISHED"
    assert delivery(client, changing) == "ACCESS_DENIED"
    assert delivery(client, going) == "RESOURCE_NOT_FOUND"


def test_another_accounts_queries_are_in_the_owners_record_and_no_results_in_the_operators_bucket(tmp_path):
    with Foreign() as foreign:
        foreign.s3().create_bucket(Bucket="elsewhere")
        env = {"AWS_ACCESS_KEY_ID": "AKIAFOREIGN", "AWS_SECRET_ACCESS_KEY": "secret"}
        with Server(tmp_path, "--remote-bucket", f"elsewhere={foreign.endpoint}", env=env) as server:
            accounts = Accounts(server)
            partner = accounts.make("partner")
            owner, guest = accounts.client("management", "cloudtrail"), accounts.client("partner", "cloudtrail")
            arn = owner.create_event_data_store(Name="lent")["EventDataStoreArn"]
            actions = ["StartQuery", "DescribeQuery", "GetQueryResults", "ListQueries", "CancelQuery"]
            owner.put_resource_policy(ResourceArn=arn, ResourcePolicy=json.dumps({
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"AWS": partner}, "Resource": arn,
                    "Action": [f"cloudtrail:{action}" for action in actions],
                }],
            }))
            query = guest.start_query(QueryStatement=f'SELECT eventName FROM "{arn}" LIMIT 3')["QueryId"]
            assert ended(guest, query)["QueryStatus"] == "FINISHED"
            assert len(rows(guest, query)) == 3
            guest.list_queries(EventDataStore=arn)
            long = guest.start_query(QueryStatement=endless(f'"{arn}"'))["QueryId"]
            guest.cancel_query(QueryId=long)

            def recorded():
                pages = owner.get_paginator("lookup_events").paginate(LookupAttributes=[
                    {"AttributeKey": "EventSource", "AttributeValue": "cloudtrail.amazonaws.com"}])
                events = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
                theirs = [event for event in events if event["userIdentity"].get("accountId") == partner]
                assert all(event["sharedEventID"] and event["recipientAccountId"] == ACCOUNT for event in theirs)
                assert all(event["resources"][0]["ARN"] == arn for event in theirs)
                return {event["eventName"] for event in theirs} == set(actions)

            eventually(recorded)
            # Nobody else learns what there is from a query's id.
            accounts.make("stranger")
            stranger = accounts.client("stranger", "cloudtrail")
            assert refused(stranger.describe_query, QueryId=query)[0] == "AccessDeniedException"

            # The bucket elsewhere is written to with the operator's credentials.
            own = guest.create_event_data_store(Name="theirs")["EventDataStoreArn"].rsplit("/", 1)[1]
            refusal = refused(
                guest.start_query, QueryStatement=f"SELECT 1 FROM {own}", DeliveryS3Uri="s3://elsewhere/stolen")
            assert refusal[0] == "InsufficientS3BucketPolicyException"
            asked = {"QueryStatement": f'SELECT count(*) AS n FROM "{arn}"', "DeliveryS3Uri": "s3://elsewhere/own"}
            assert refused(guest.start_query, **asked)[0] == "InsufficientS3BucketPolicyException"
            mine = run(owner, **{"statement": asked.pop("QueryStatement"), **asked})
            assert delivery(owner, mine["QueryId"]) == "SUCCESS"
            keys = [item["Key"] for item in foreign.s3().list_objects_v2(Bucket="elsewhere")["Contents"]]
            assert len(keys) == 2 and all(key.startswith(f"own/AWSLogs/{ACCOUNT}/") for key in keys)

            # The same holds for trails, also of members of the operator's organization.
            theirs = {"Name": "theirs", "S3BucketName": "elsewhere", "S3KeyPrefix": "own"}
            assert refused(guest.create_trail, **theirs)[0] == "InsufficientS3BucketPolicyException"
            owner.create_trail(Name="ours", S3BucketName="elsewhere", S3KeyPrefix="trail")
            owner.start_logging(Name="ours")

            def delivered():
                listed = foreign.s3().list_objects_v2(Bucket="elsewhere", Prefix="trail/")
                return [item["Key"] for item in listed.get("Contents", [])]

            assert all(key.startswith(f"trail/AWSLogs/{ACCOUNT}/") for key in eventually(delivered))


def test_a_query_is_never_told_to_be_cancelled_and_finished(client, store):
    statement = numbers(store)
    for number in range(12):
        query = client.start_query(QueryStatement=statement)["QueryId"]
        time.sleep(0.004 * number)
        try:
            told = client.cancel_query(QueryId=query)["QueryStatus"]
        except client.exceptions.InactiveQueryException:
            told = "FINISHED"
        assert ended(client, query)["QueryStatus"] == told


def test_a_store_that_is_deleted_can_not_be_asked(server, client):
    gone = store_of(server, "gone")
    query = run(client, f"SELECT count(*) AS n FROM {gone}")["QueryId"]
    client.delete_event_data_store(EventDataStore=gone)
    for call, ask in (
        (client.start_query, {"QueryStatement": f"SELECT 1 FROM {gone}"}), (client.get_query_results, {"QueryId": query}),
        (client.describe_query, {"QueryId": query}), (client.list_queries, {"EventDataStore": gone}),
    ):
        assert refused(call, **ask)[0] == "InactiveEventDataStoreException"


def test_opentrail_query(server, store):
    table = server.opentrail("query", numbers("questions"))
    assert "eventName" in table and "Number24" in table
    found = server.opentrail("query", "--output", "json", "--store", "questions", numbers("events"))
    assert [json.loads(line)["eventName"] for line in found.splitlines()] == [f"Number{n:02}" for n in range(EVENTS)]
    found = server.opentrail("query", "--output", "csv", numbers(store, "eventName, errorCode"))
    assert list(csv.reader(io.StringIO(found)))[:2] == [["eventName", "errorCode"], ["Number00", ""]]
    statement = f"SELECT count(*) AS n FROM {store} WHERE eventName = ?"
    assert '"1"' in server.opentrail("query", "--output", "json", "-p", "Number05", statement)
    # A name anywhere a table can stand, in quotes or not; and a query that begins with a comment.
    everywhere = '-- names\nWITH q AS (SELECT eventName FROM "questions") SELECT count(*) AS n FROM q, questions o WHERE q.eventName = o.eventName'
    assert int(json.loads(server.opentrail("query", "--output", "json", everywhere))["n"]) >= EVENTS
    expanded = server.opentrail("query", "--output", "expanded", numbers(store, "eventName, eventSource") + " LIMIT 1")
    assert expanded.splitlines()[:2] == ["─[ 1 ]─", "eventName   │ Number00"], expanded
    wrong = subprocess.run(
        [binary(), "query", f"SELECT eventName,\n  evntTime\nFROM {store}"], env=server.cli_env(), capture_output=True,
        text=True, timeout=60,
    )
    assert wrong.returncode == 1
    lines = wrong.stderr.splitlines()
    assert "line 2:3" in lines[0] and lines[1:3] == ["    evntTime", "    ^"], wrong.stderr


def test_opentrail_query_needs_no_list_for_an_id(server, store):
    arn = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:eventdatastore/{store}"
    permissions = allow(["cloudtrail:StartQuery", "cloudtrail:DescribeQuery", "cloudtrail:GetQueryResults"], arn)
    _, who = person(server.client("iam"), permissions)
    environment = server.cli_env(**who)

    def ask(which):
        asked = [binary(), "query", "--output", "json", "--store", which, numbers("events") + " LIMIT 1"]
        return subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=60)

    for which in (store, arn):
        done = ask(which)
        assert json.loads(done.stdout) == {"eventName": "Number00"}, done.stderr
    assert "AccessDenied" in ask("questions").stderr


def test_opentrail_query_tells_where_its_results_are(server, store):
    s3 = results_bucket(server, "told-results")
    deliver = ["--deliver", "s3://told-results/lake"]
    done = subprocess.run(
        [binary(), "query", *deliver, numbers(store)], env=server.cli_env(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()[-1].removeprefix("delivered to s3://told-results/")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="told-results")["Contents"]]
    assert told.endswith("/") and keys and all(key.startswith(told) for key in keys), (told, keys)


def test_ctrl_c_cancels(server, client, store):
    running = subprocess.Popen(
        [binary(), "query", endless(store)], env=server.cli_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    listed = lambda: client.list_queries(EventDataStore=store, QueryStatus="RUNNING")["Queries"]
    [query] = eventually(listed)
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 130
    assert ended(client, query["QueryId"])["QueryStatus"] == "CANCELLED"


def resident(server):
    """Memory of the server's process, in bytes, and the most that it ever was."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        lines = dict(line.split(":", 1) for line in status)
    return tuple(int(lines[name].split()[0]) << 10 for name in ("VmRSS", "VmHWM"))


def test_a_runaway_query_fails_and_hurts_nobody_else(tmp_path):
    runaway = {
        "a window": "SELECT max(t) OVER () FROM big",
        "an array": "SELECT cardinality(array_agg(t)) FROM big",
        "a window of arrays": "SELECT array_agg(t) OVER (ORDER BY x) FROM big",
    }
    with Server(tmp_path, "--query-memory-bytes", str(32 << 20)) as server:
        client, own = server.client("cloudtrail"), store_of(server, "guarded")
        put(server, [record("First", "numbers.amazonaws.com")])
        count = f"SELECT count(*) AS n FROM {own} WHERE eventSource = 'numbers.amazonaws.com'"
        eventually(lambda: answer(client, count) == [{"n": "1"}])
        big = (
            f"WITH big AS (SELECT x, eventName || CAST(x AS varchar) || repeat('y', 100) || CAST(y AS varchar) AS t FROM {own} "
            "CROSS JOIN UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)) "
        )
        before, _ = resident(server)
        sent, slowest = 1, 0.0
        for name, statement in runaway.items():
            query = client.start_query(QueryStatement=big + statement)["QueryId"]
            while True:
                began = time.monotonic()
                put(server, [record(f"Meanwhile{sent}", "numbers.amazonaws.com")])
                slowest, sent = max(slowest, time.monotonic() - began), sent + 1
                described = client.describe_query(QueryId=query)
                if described["QueryStatus"] not in ("QUEUED", "RUNNING"):
                    break
            assert described["QueryStatus"] == "FAILED", (name, described)
            assert "memory" in described["ErrorMessage"], (name, described)
            assert answer(client, f"SELECT 1 AS one FROM {own} LIMIT 1") == [{"one": "1"}], name
        eventually(lambda: answer(client, count) == [{"n": str(sent)}])
        _, most = resident(server)
        assert most < before + (750 << 20), (before, most)
        assert slowest < 5, slowest
        assert "WARN datafusion" not in server.log()


def test_the_oldest_results_go_where_there_is_no_room_for_all(tmp_path):
    with Server(tmp_path, "--query-results-bytes", "1") as server:
        client, own = server.client("cloudtrail"), store_of(server, "crowded")
        first = run(client, f"SELECT count(*) AS n FROM {own}")
        assert rows(client, first["QueryId"])
        second = run(client, f"SELECT count(*) AS n FROM {own}")
        eventually(lambda: first["QueryId"] not in listed(client, own))
        assert refused(client.get_query_results, QueryId=first["QueryId"])[0] == "QueryIdNotFoundException"
        assert rows(client, second["QueryId"]) and listed(client, own) == [second["QueryId"]]


def listed(client, store):
    return [query["QueryId"] for query in client.list_queries(EventDataStore=store)["Queries"]]


def test_results_survive_and_what_ran_has_failed(tmp_path):
    with Server(tmp_path) as server:
        client, own = server.client("cloudtrail"), store_of(server, "survivor")
        put(server, [record(f"Kept{number}", "numbers.amazonaws.com") for number in range(3)])
        count = f"SELECT count(*) AS n FROM {own} WHERE eventSource = 'numbers.amazonaws.com'"
        eventually(lambda: answer(client, count) == [{"n": "3"}])
        whole = run(client, count)
        long = client.start_query(QueryStatement=endless(own))["QueryId"]
        eventually(lambda: client.describe_query(QueryId=long)["QueryStatus"] == "RUNNING")
        server.kill()
        server.start()
        client = server.client("cloudtrail")
        assert client.describe_query(QueryId=whole["QueryId"])["QueryStatistics"] == whole["QueryStatistics"]
        assert rows(client, whole["QueryId"]) == [[("n", "3")]]
        failed = client.describe_query(QueryId=long)
        assert failed["QueryStatus"] == "FAILED" and "server ended" in failed["ErrorMessage"]
        assert len(client.list_queries(EventDataStore=own, QueryStatus="FAILED")["Queries"]) == 1
        assert answer(client, count) == [{"n": "3"}]
