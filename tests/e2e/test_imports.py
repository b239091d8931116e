"""Imports into event data stores: by StartImport, by ``opentrail import`` and by ``opentrail follow``."""

import datetime
import gzip
import json
import signal
import subprocess
import uuid

import pytest
from botocore.exceptions import ClientError

import lake
import signed
from accounts import Accounts
from foreign import Foreign
from identity import person
from server import ACCOUNT, REGION, ROOT_KEY, ROOT_SECRET, Server, binary, eventually
from test_ingest import record

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def may_read(bucket):
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketAcl"], "Resource": f"arn:aws:s3:::{bucket}"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"},
        ],
    }


def at(days_ago, hour=12):
    day = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_ago)
    return day.replace(hour=hour, minute=5, second=0, microsecond=0)


def records(count, time):
    return [record(eventTime=time.strftime("%Y-%m-%dT%H:%M:%SZ")) for _ in range(count)]


def key(time, region=REGION):
    stamp = f"{ACCOUNT}_CloudTrail_{region}_{time:%Y%m%dT%H%MZ}_{uuid.uuid4().hex[:16]}.json.gz"
    return f"AWSLogs/{ACCOUNT}/CloudTrail/{region}/{time:%Y/%m/%d}/{stamp}"


def packed(events):
    return gzip.compress(json.dumps({"Records": events}).encode())


class Bucket:
    """A bucket of log files, and a role that may read it."""

    def __init__(self, server, s3=None):
        self.name = f"logs-{uuid.uuid4().hex[:12]}"
        self.s3 = s3 or server.client("s3")
        self.s3.create_bucket(Bucket=self.name)
        iam = server.client("iam")
        name = f"import-{uuid.uuid4().hex[:12]}"
        self.role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=json.dumps(may_read(self.name)))

    def put(self, events, time, region=REGION):
        name = key(time, region)
        self.s3.put_object(Bucket=self.name, Key=name, Body=packed(events))
        return name

    def source(self, prefix="", region=REGION):
        return {"S3": {
            "S3LocationUri": f"s3://{self.name}/{prefix}", "S3BucketRegion": region, "S3BucketAccessRoleArn": self.role,
        }}


@pytest.fixture
def server(shared_server):
    return shared_server


def make_store(server, **ask):
    """A store that has what is imported, and takes nothing by itself unless asked to."""
    client = server.client("cloudtrail")
    name = f"store-{uuid.uuid4().hex[:12]}"
    ask = {"Name": name, "TerminationProtectionEnabled": False, "StartIngestion": False, **ask}
    return client.create_event_data_store(**ask)["EventDataStoreArn"]


def start(server, store, bucket, **ask):
    client = server.client("cloudtrail")
    return client.start_import(Destinations=[store], ImportSource=bucket.source(), **ask)["ImportId"]


def ended(server, import_id):
    client = server.client("cloudtrail")

    def look():
        found = client.get_import(ImportId=import_id)
        return found if found["ImportStatus"] not in ("INITIALIZING", "IN_PROGRESS") else None

    return eventually(look, timeout=60)


def ids_in(server, store):
    """The ids of all events of a store, by a query."""
    client = server.client("cloudtrail")
    name = store.rsplit("/", 1)[1]
    query = client.start_query(QueryStatement=f"SELECT eventID FROM {name}")["QueryId"]
    found, token = [], {}
    while True:
        def look():
            answer = client.get_query_results(QueryId=query, **token)
            return answer if answer["QueryStatus"] not in ("QUEUED", "RUNNING") else None

        page = eventually(look, timeout=60)
        assert page["QueryStatus"] == "FINISHED", page
        found += [row[0]["eventID"] for row in page["QueryResultRows"]]
        if not page.get("NextToken"):
            return sorted(found)
        token = {"NextToken": page["NextToken"]}


def ids_of(*lists):
    return sorted(event["eventID"] for events in lists for event in events)


def refused(call, **ask):
    with pytest.raises(ClientError) as failure:
        call(**ask)
    return failure.value.response["Error"]["Code"]


def test_a_bucket_of_the_vault_is_imported_once(server):
    bucket, store = Bucket(server), make_store(server)
    one, two, other = records(5, at(1)), records(7, at(2)), records(3, at(1))
    bucket.put(one, at(1))
    bucket.put(two, at(2))
    bucket.put(other, at(1), "eu-west-1")
    bucket.s3.put_object(Bucket=bucket.name, Key=f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/x/d.json.gz", Body=b"digest")
    client = server.client("cloudtrail")
    started = client.start_import(Destinations=[store], ImportSource=bucket.source())
    assert started["ImportStatus"] == "INITIALIZING" and started["Destinations"] == [store]
    done = ended(server, started["ImportId"])
    assert done["ImportStatus"] == "COMPLETED"
    assert done["ImportStatistics"] == {
        "PrefixesFound": 3, "PrefixesCompleted": 3, "FilesCompleted": 3, "EventsCompleted": 15, "FailedEntries": 0,
    }
    assert ids_in(server, store) == ids_of(one, two, other)

    again = ended(server, start(server, store, bucket))
    assert again["ImportStatistics"]["EventsCompleted"] == 0
    assert ids_in(server, store) == ids_of(one, two, other)
    listed = client.list_imports(Destination=store, MaxResults=1)
    rest = client.list_imports(Destination=store, MaxResults=1, NextToken=listed["NextToken"])
    assert [listed["Imports"][0]["ImportId"], rest["Imports"][0]["ImportId"]] == [again["ImportId"], done["ImportId"]]
    assert client.list_imports(Destination=store, ImportStatus="FAILED")["Imports"] == []
    assert refused(client.list_imports, NextToken=listed["NextToken"]) == "InvalidNextTokenException"
    by_cli = server.aws("cloudtrail", "get-import", "--import-id", done["ImportId"])
    assert by_cli["ImportStatistics"]["EventsCompleted"] == 15
    server.aws("cloudtrail", "list-import-failures", "--import-id", done["ImportId"])


def test_files_that_can_not_be_taken_are_named_and_taken_by_a_retry(server):
    bucket, store = Bucket(server), make_store(server)
    good, cut, forbidden = records(2, at(3)), records(3, at(2)), records(4, at(1))
    bucket.put(good, at(3))
    cut_key, text_key, hidden_key = key(at(2)), key(at(2, 13)), key(at(1))
    bucket.s3.put_object(Bucket=bucket.name, Key=cut_key, Body=packed(cut)[:-9])
    bucket.s3.put_object(Bucket=bucket.name, Key=text_key, Body=gzip.compress(b"<html>no records</html>"))
    bucket.s3.put_object(Bucket=bucket.name, Key=hidden_key, Body=packed(forbidden))
    deny = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": {"AWS": bucket.role}, "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket.name}/{hidden_key}",
    }]}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(deny))
    client = server.client("cloudtrail")
    import_id = start(server, store, bucket)
    done = ended(server, import_id)
    assert (done["ImportStatus"], done["ImportStatistics"]["FailedEntries"]) == ("FAILED", 3)
    failures = client.list_import_failures(ImportId=import_id)["Failures"]
    kinds = {failure["Location"].split(f"{bucket.name}/")[1]: failure["ErrorType"] for failure in failures}
    assert kinds == {cut_key: "InvalidFile", text_key: "InvalidRecord", hidden_key: "AccessDenied"}
    assert all(failure["Status"] == "FAILED" and failure["ErrorMessage"] for failure in failures)
    assert ids_in(server, store) == ids_of(good)

    bucket.s3.put_object(Bucket=bucket.name, Key=cut_key, Body=packed(cut))
    bucket.s3.put_object(Bucket=bucket.name, Key=text_key, Body=packed([]))
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    client.start_import(ImportId=import_id)
    done = ended(server, import_id)
    assert (done["ImportStatus"], done["ImportStatistics"]["FailedEntries"]) == ("COMPLETED", 0)
    assert {failure["Status"] for failure in client.list_import_failures(ImportId=import_id)["Failures"]} == {"SUCCEEDED"}
    assert ids_in(server, store) == ids_of(good, cut, forbidden)
    assert refused(client.start_import, ImportId=import_id) == "InvalidParameterException"


def test_what_aws_refuses_is_refused(server):
    bucket, store = Bucket(server), make_store(server)
    bucket.put(records(1, at(1)), at(1))
    client = server.client("cloudtrail")

    def source(**change):
        return {"S3": {**bucket.source()["S3"], **change}}

    def code(**ask):
        return refused(client.start_import, **{"Destinations": [store], "ImportSource": source(), **ask})

    assert code(Destinations=[store[:-1]]) == "EventDataStoreARNInvalidException"
    unknown = store.rsplit("/", 1)[0] + f"/{uuid.uuid4()}"
    assert code(Destinations=[unknown]) == "EventDataStoreNotFoundException"
    assert code(ImportSource=source(S3LocationUri="logs")) == "InvalidImportSourceException"
    assert code(ImportSource=source(S3LocationUri="s3://no-such-bucket-at-all")) == "InvalidImportSourceException"
    assert code(ImportSource=source(S3BucketRegion="eu-west-3")) == "InvalidImportSourceException"
    nobody = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    assert code(ImportSource=source(S3BucketAccessRoleArn=nobody)) == "InvalidImportSourceException"
    assert code(ImportSource=source(S3BucketAccessRoleArn="nobody")) == "InvalidParameterException"
    assert code(StartEventTime=at(1), EndEventTime=at(2)) == "InvalidParameterException"
    assert refused(client.start_import) == "InvalidParameterException"
    assert refused(client.get_import, ImportId=str(uuid.uuid4())) == "ImportNotFoundException"
    assert refused(client.stop_import, ImportId=str(uuid.uuid4())) == "ImportNotFoundException"
    blind = Bucket(server)
    assert code(ImportSource={"S3": {**bucket.source()["S3"], "S3BucketAccessRoleArn": blind.role}}) \
        == "InvalidImportSourceException"

    iam = server.client("iam")
    iam.create_user(UserName="importer")
    keys = iam.create_access_key(UserName="importer")["AccessKey"]
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "cloudtrail:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="importer", PolicyName="p", PolicyDocument=json.dumps(allowed))
    importer = server.client("cloudtrail", keys["AccessKeyId"], keys["SecretAccessKey"])
    ask = {"Destinations": [store], "ImportSource": source()}
    assert refused(importer.start_import, **ask) == "AccessDeniedException"
    allowed["Statement"][0]["Action"] = ["cloudtrail:*", "iam:PassRole"]
    iam.put_user_policy(UserName="importer", PolicyName="p", PolicyDocument=json.dumps(allowed))
    assert ended(server, importer.start_import(**ask)["ImportId"])["ImportStatus"] == "COMPLETED"

    # The store's own policy and its tags count too, and no other spelling of its ARN passes them by.
    kept_out = {"Effect": "Deny", "Action": "cloudtrail:StartImport", "Resource": store}
    user = f"arn:aws:iam::{ACCOUNT}:user/importer"
    text = {"Version": "2012-10-17", "Statement": [{**kept_out, "Principal": {"AWS": user}}]}
    client.put_resource_policy(ResourceArn=store, ResourcePolicy=json.dumps(text))
    assert refused(importer.start_import, **ask) == "AccessDeniedException"
    prefix, name = store.rsplit("/", 1)
    for other in (f"{prefix}/{name.upper()}", store.replace("arn:aws:", "arn:aws-cn:")):
        assert refused(importer.start_import, **{**ask, "Destinations": [other]}) == "EventDataStoreARNInvalidException"
    client.delete_resource_policy(ResourceArn=store)
    client.add_tags(ResourceId=store, TagsList=[{"Key": "team", "Value": "audit"}])
    of_team = {**kept_out, "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "audit"}}}
    allowed["Statement"].append(of_team)
    iam.put_user_policy(UserName="importer", PolicyName="p", PolicyDocument=json.dumps(allowed))
    assert refused(importer.start_import, **ask) == "AccessDeniedException"


def test_a_time_range_and_what_came_live(server):
    bucket, store = Bucket(server), make_store(server, StartIngestion=True)
    live = records(6, at(0, 0))
    assert signed.put_events(server, json.dumps({"Records": live}).encode()).status_code == 200
    early, late = records(3, at(5)), records(4, at(2))
    bucket.put(early, at(5))
    bucket.put(late + live[:3], at(2))
    bucket.put(live, at(0, 0))
    done = ended(server, start(server, store, bucket, StartEventTime=at(3), EndEventTime=at(0, 23)))
    assert done["ImportStatistics"]["EventsCompleted"] == 4
    found = ids_in(server, store)
    wanted = ids_of(late, live)
    assert [event for event in found if event in set(wanted)] == wanted
    assert not set(ids_of(early)) & set(found)


def test_a_bucket_elsewhere_is_imported(tmp_path):
    with Foreign() as foreign:
        s3 = foreign.s3()
        env = {"AWS_ACCESS_KEY_ID": "AKIAFOREIGN", "AWS_SECRET_ACCESS_KEY": "secret"}
        s3.create_bucket(Bucket="elsewhere")
        events = [records(4, at(day)) for day in (1, 2, 3)]
        for day, some in zip((1, 2, 3), events):
            s3.put_object(Bucket="elsewhere", Key=key(at(day)), Body=packed(some))
        with Server(tmp_path, "--remote-bucket", f"elsewhere={foreign.endpoint}", env=env) as server:
            store = make_store(server)
            iam = server.client("iam")
            role = iam.create_role(RoleName="far", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
            iam.put_role_policy(RoleName="far", PolicyName="p", PolicyDocument=json.dumps(may_read("elsewhere")))
            out = server.opentrail(
                "import", "s3://elsewhere/", "--event-data-store", store, "--role", role, "--output", "json"
            )
            answer = json.loads(out)
            assert (answer["ImportStatus"], answer["ImportStatistics"]["EventsCompleted"]) == ("COMPLETED", 12)
            assert ids_in(server, store) == ids_of(*events)

            # It is read with the operator's credentials: no role of another account's lets into it.
            accounts = Accounts(server)
            accounts.make("stranger")
            theirs = accounts.client("stranger", "iam")
            role = theirs.create_role(RoleName="far", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
            theirs.put_role_policy(RoleName="far", PolicyName="p", PolicyDocument=json.dumps(may_read("elsewhere")))
            stranger = accounts.client("stranger", "cloudtrail")
            own = stranger.create_event_data_store(Name="theirs", StartIngestion=False)["EventDataStoreArn"]
            source = {"S3LocationUri": "s3://elsewhere/", "S3BucketRegion": REGION, "S3BucketAccessRoleArn": role}
            assert refused(stranger.start_import, Destinations=[own], ImportSource={"S3": source}) \
                == "InvalidImportSourceException"


def imported(server, *arguments, code=0):
    return json.loads(server.opentrail("import", *map(str, arguments), "--output", "json", code=code))


def test_files_of_this_machine_come_into_a_store_and_nowhere_else(server, tmp_path):
    store = make_store(server)
    name = server.client("cloudtrail").get_event_data_store(EventDataStore=store)["Name"]
    old = records(2, at(4000))
    some, more = records(5, at(1)), records(6, at(2))
    (tmp_path / "one.json").write_text(json.dumps({"Records": some}))
    (tmp_path / "two.json.gz").write_bytes(packed(more + old))
    (tmp_path / "bad.ndjson").write_text("[1]")
    answer = imported(server, tmp_path, "--event-data-store", name, code=3)
    assert (answer["Accepted"], answer["Duplicates"], answer["Expired"]) == (11, 0, 2)
    assert [bad["Index"] for bad in answer["Rejected"]] == [0]
    again = imported(server, tmp_path / "one.json", "--event-data-store", store)
    assert (again["Accepted"], again["Duplicates"]) == (0, 5)
    assert ids_in(server, store) == ids_of(some, more)
    server.opentrail("import", str(tmp_path), "--event-data-store", "no-such-store", code=1)
    ids = set(ids_of(some, more))
    assert not [event for event in dict(signed.lookup(server)) if event in ids]

    bucket = Bucket(server)
    in_bucket = records(3, at(1))
    bucket.put(in_bucket, at(1))
    assert imported(server, f"s3://{bucket.name}/", "--event-data-store", store)["Accepted"] == 3
    assert ids_in(server, store) == ids_of(some, more, in_bucket)


def test_an_upload_is_recorded_before_and_after(tmp_path):
    with Server(tmp_path) as server:
        client, store = server.client("cloudtrail"), make_store(server)
        watch = make_store(server, StartIngestion=True, AdvancedEventSelectors=[{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::CloudTrail::EventDataStore"]},
        ]}])
        some, ahead = records(3, at(1)), records(2, at(-3))
        (tmp_path / "some.json").write_text(json.dumps({"Records": some + ahead}))
        answer = imported(server, tmp_path / "some.json", "--event-data-store", store, code=3)
        assert (answer["Accepted"], [bad["Index"] for bad in answer["Rejected"]]) == (3, [3, 4])
        assert "future" in answer["Rejected"][0]["Reason"]
        _, nobody = person(server.client("iam"))
        refusal = signed.send(
            server, "POST", f"/v1/import?event-data-store={store}", json.dumps(some).encode(), **nobody)
        assert refusal.status_code == 403
        statement = (f"SELECT eventJson FROM {watch.rsplit('/', 1)[1]} WHERE eventName = 'ImportEvents' "
                     "ORDER BY eventTime")
        told = [json.loads(row["eventJson"]) for row in lake.answer(client, statement)]
        assert len(told) == 3
        begins, = [event for event in told if (event.get("additionalEventData") or {}).get("stage") == "begins"]
        ends, = [event for event in told if (event.get("additionalEventData") or {}).get("stage") == "ends"]
        denied, = [event for event in told if event.get("errorCode")]
        assert begins["additionalEventData"] == {"stage": "begins", "records": 3, "rejected": 2}
        assert begins["requestID"] == ends["requestID"] != denied["requestID"]
        assert begins["requestParameters"] == {"eventDataStore": store} and not begins.get("responseElements")
        assert ends["responseElements"] == {"accepted": 3, "duplicates": 0, "expired": 0, "rejected": 2}
        assert denied["errorCode"] == "AccessDenied"


def test_an_import_survives_kill_9(tmp_path):
    server = Server(tmp_path)
    server.start()
    try:
        bucket, store = Bucket(server), make_store(server)
        events = [records(20, at(1 + number % 5)) for number in range(300)]
        for number, some in enumerate(events):
            bucket.put(some, at(1 + number % 5))
        import_id = start(server, store, bucket)
        for _ in range(4):
            eventually(lambda: server.client("cloudtrail").get_import(ImportId=import_id), timeout=10)
            server.kill()
            server.start()
        done = ended(server, import_id)
        assert (done["ImportStatus"], done["ImportStatistics"]["FailedEntries"]) == ("COMPLETED", 0)
        assert done["ImportStatistics"]["FilesCompleted"] == 300
        assert ids_in(server, store) == ids_of(*events)
        assert refused(server.client("cloudtrail").stop_import, ImportId=import_id) == "InvalidParameterException"
    finally:
        server.kill()


def follow(server, tmp_path, bucket, store, *flags):
    return [
        binary(), "follow", f"s3://{bucket.name}/", "--event-data-store", store, "--every", "1s",
        "--state", str(tmp_path / "follow.json"), "--output", "json",
        "--endpoint", server.endpoint, "--access-key-id", ROOT_KEY, "--secret-access-key", ROOT_SECRET, *flags,
    ]


def test_follow_imports_what_comes_and_goes_on_after_a_restart(server, tmp_path):
    bucket, store = Bucket(server), make_store(server)
    first, second, late, third = (records(3, at(day)) for day in (9, 0, 1, 0))
    bucket.put(first, at(9))
    command = follow(server, tmp_path, bucket, store)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        eventually(lambda: ids_in(server, store) == ids_of(first), timeout=60)
        bucket.put(second, at(0))
        bucket.put(late, at(1))
        eventually(lambda: ids_in(server, store) == ids_of(first, second, late), timeout=60)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert sum(json.loads(line)["Accepted"] for line in out.splitlines()) == 9
    finally:
        process.kill()
        process.wait()
    bucket.put(third, at(0))
    once = subprocess.run([*command, "--once"], capture_output=True, timeout=60)
    assert once.returncode == 0, once.stderr
    told = json.loads(once.stdout)
    assert (told["Files"], told["Accepted"], told["Duplicates"]) == (1, 3, 0)
    (tmp_path / "follow.json").unlink()
    again = subprocess.run([*command, "--once"], capture_output=True, timeout=60)
    told = json.loads(again.stdout)
    assert (told["Files"], told["Accepted"], told["Duplicates"]) == (4, 0, 12)
    assert ids_in(server, store) == ids_of(first, second, late, third)


def test_what_a_store_keeps_too_short_for_is_told_of_and_found_when_it_keeps_more(server, tmp_path):
    bucket, store = Bucket(server), make_store(server, RetentionPeriod=30)
    client, new, old = server.client("cloudtrail"), records(3, at(2)), records(4, at(90))
    bucket.put(new, at(2))
    bucket.put(old, at(90))
    arguments = [f"s3://{bucket.name}/", "--event-data-store", store, "--role", bucket.role]
    answer = imported(server, *arguments, code=3)
    assert (answer["ImportStatus"], answer["ImportStatistics"]["EventsCompleted"]) == ("COMPLETED", 3)
    assert [failure["ErrorType"] for failure in answer["Failures"]] == ["EventsOutsideRetentionPeriod"]
    assert answer["Failures"][0]["ErrorMessage"].startswith("4 events are older")
    told = client.list_import_failures(ImportId=answer["ImportId"])["Failures"]
    assert [failure["Location"] for failure in told] == [f"s3://{bucket.name}/"]

    once = [*follow(server, tmp_path, bucket, store), "--once"]
    looked = subprocess.run(once, capture_output=True, text=True, timeout=60)
    assert "4 events are older than the event data store keeps them" in looked.stderr
    assert json.loads(looked.stdout)["Expired"] == 4
    assert subprocess.run(once, capture_output=True, text=True, timeout=60).stdout == ""
    client.update_event_data_store(EventDataStore=store, RetentionPeriod=120)
    looked = subprocess.run(once, capture_output=True, text=True, timeout=60)
    assert "keeps events for 120 days now" in looked.stderr
    assert (json.loads(looked.stdout)["Accepted"], json.loads(looked.stdout)["Expired"]) == (4, 0)
    assert ids_in(server, store) == ids_of(new, old)
    assert subprocess.run(once, capture_output=True, text=True, timeout=60).stdout == ""
