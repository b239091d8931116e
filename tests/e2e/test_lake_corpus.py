"""What CloudTrail's users ask, over real records: the lake answers as DuckDB does. See lake_corpus/README.md."""

import concurrent.futures
import json

import pytest

from lake import put, rows, run, store_of
from lake_questions import Reference, difference, questions
from native import real_records
from server import Server, eventually

# Questions that are asked at a time.
ASKING = 3

# What this test itself calls; no record of 2021 has these names, and the store takes none of them.
OWN_CALLS = ["CreateEventDataStore", "DescribeQuery", "GetEventDataStore", "GetQueryResults", "PutEvents", "StartQuery"]

SELECTORS = [
    {"Name": "management", "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "eventName", "NotEquals": OWN_CALLS}]},
    {"Name": "objects", "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]},
]


@pytest.fixture(scope="module")
def records():
    return real_records()


@pytest.fixture(scope="module")
def reference(records, tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "records.jsonl"
    with path.open("w") as lines:
        for record in records:
            lines.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")
    return Reference(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def store(server, records):
    """An event data store that holds the records and nothing else."""
    # The records are of 2021, and a store keeps a year unless it is told otherwise.
    made = store_of(server, "corpus", AdvancedEventSelectors=SELECTORS, RetentionPeriod=3653)
    put(server, records)
    client = server.client("cloudtrail")
    count = f"SELECT count(*) FROM {made}"

    def complete():
        query = run(client, count)
        return query["QueryStatus"] == "FINISHED" and rows(client, query["QueryId"]) == [[("_col0", str(len(records)))]]

    eventually(complete, timeout=60)
    return made


def asked(server, store, question):
    """What is wrong with the lake's answer, or the rows."""
    client = server.client("cloudtrail")
    query = run(client, question.lake.replace("$EDS", store))
    if query["QueryStatus"] != "FINISHED":
        return f"{query['QueryStatus']}: {query.get('ErrorMessage')}", []
    return None, [[value for _, value in row] for row in rows(client, query["QueryId"])]


@pytest.mark.parametrize("topic", sorted({question.topic for question in questions()}))
def test_the_lake_answers_as_duckdb_does(server, store, reference, topic):
    asking = [question for question in questions() if question.topic == topic]
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(ASKING) as threads:
        answers = threads.map(lambda question: asked(server, store, question), asking)
        for question, (failure, given) in zip(asking, answers):
            # The API gives NULL as an empty text.
            wanted = [["" if value is None else value for value in row] for row in reference.answer(question)]
            assert wanted, f"{question.name}: nothing to compare"
            failure = failure or difference(question, given, wanted)
            if failure:
                wrong.append(f"{question.name}: {failure}")
    assert not wrong, "\n".join(wrong)


def test_there_are_enough_questions():
    assert len(questions()) >= 130
