"""``opentrail import``: files, folders, gzip and buckets; real records of attacks, byte for byte."""

import gzip
import json

import signed
from server import ACCOUNT, DATA, eventually
from test_ingest import record
from trail import delivered, everything_selected, make_trail


def imported(server, *sources, code=0):
    return json.loads(server.opentrail("import", *map(str, sources), "--output", "json", code=code))


def test_files_folders_and_packed_files_are_imported_once(server, tmp_path):
    folder = tmp_path / "logs"
    (folder / "deep" / "er").mkdir(parents=True)
    events = [record() for _ in range(6)]
    (folder / "one.json").write_text(json.dumps({"Records": events[:2]}))
    (folder / "deep" / "two.json.gz").write_bytes(gzip.compress(json.dumps(events[2:4]).encode()))
    (folder / "deep" / "er" / "three.ndjson").write_text(f"{json.dumps(events[4])}\n")
    (folder / "notes.txt").write_text("no records here")
    digests = folder / "AWSLogs" / "1" / "CloudTrail-Digest"
    digests.mkdir(parents=True)
    (digests / "d.json.gz").write_bytes(gzip.compress(b'{"digest": 1}'))
    odd_name = tmp_path / "records.log"
    odd_name.write_text(json.dumps(events[5]))

    first = imported(server, folder, odd_name)
    assert (first["Accepted"], first["Duplicates"], first["Files"]) == (6, 0, 4)
    assert first["Rejected"] == [] and first["Unreadable"] == []
    again = imported(server, folder, odd_name)
    assert (again["Accepted"], again["Duplicates"]) == (0, 6)
    table = server.opentrail("import", str(folder))
    assert "0 records accepted, 5 already there, 0 rejected" in table


def test_bad_records_and_files_are_named_and_the_rest_is_imported(server, tmp_path):
    mixed, cut, nonsense = tmp_path / "mixed.json", tmp_path / "cut.json.gz", tmp_path / "nonsense.json"
    mixed.write_text(json.dumps([record(), {"eventID": "only"}, record(), 3]))
    cut.write_bytes(gzip.compress(json.dumps(record()).encode())[:-10])
    nonsense.write_text("<html>")
    result = imported(server, mixed, cut, nonsense, code=3)
    assert result["Accepted"] == 2
    places = {(bad["File"], bad["Index"]) for bad in result["Rejected"]}
    assert places == {(str(mixed), 1), (str(mixed), 3), (str(nonsense), 0)}
    assert all(bad["Reason"] for bad in result["Rejected"])
    assert [bad["File"] for bad in result["Unreadable"]] == [str(cut)]
    table = server.opentrail("import", str(mixed), code=3)
    assert "2 rejected" in table and "mixed.json" in table


def test_what_is_not_there_and_who_is_not_known_end_the_import(server, tmp_path):
    server.opentrail("import", str(tmp_path / "nothing"), code=1)
    server.opentrail("import", code=2)
    server.opentrail("import", "s3://", code=2)
    file = tmp_path / "one.json"
    file.write_text(json.dumps(record()))
    server.opentrail("import", str(file), "--secret-access-key", "wrong", code=1)
    server.opentrail("import", "s3://no-such-bucket", code=1)


def test_a_bucket_is_imported(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="elsewhere")
    events = [record() for _ in range(30)]
    for number in range(3):
        body = gzip.compress(json.dumps({"Records": events[number * 10:number * 10 + 10]}).encode())
        s3.put_object(Bucket="elsewhere", Key=f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/{number}.json.gz", Body=body)
    s3.put_object(Bucket="elsewhere", Key=f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/d.json.gz", Body=b"digest")
    s3.put_object(Bucket="elsewhere", Key="other/x.json", Body=json.dumps(record()).encode())
    result = imported(server, f"s3://elsewhere/AWSLogs/{ACCOUNT}/")
    assert (result["Accepted"], result["Files"]) == (30, 3)
    assert imported(server, "s3://elsewhere")["Accepted"] == 1


def raw_records(path):
    """The texts of the records in a file of an array, as they stand there."""
    text = path.read_text()
    decoder, at, texts = json.JSONDecoder(), text.index("[") + 1, []
    while True:
        at += len(text[at:]) - len(text[at:].lstrip(" \r\n\t,"))
        if text[at] == "]":
            return texts
        _, end = decoder.raw_decode(text, at)
        texts.append(text[at:end])
        at = end


def test_records_of_real_attacks_come_out_as_they_came_in(server):
    """Their region names are no real regions, and nothing of them is normalised."""
    make_trail(server)
    server.client("cloudtrail").put_event_selectors(TrailName="audit", AdvancedEventSelectors=everything_selected())
    files = sorted((DATA / "attacks").glob("*.json"))
    texts = {json.loads(text)["eventID"]: text for file in files for text in raw_records(file)}
    result = imported(server, DATA / "attacks")
    assert result["Accepted"] == len(texts) and result["Rejected"] == []

    found = eventually(lambda: whole(dict(signed.lookup(server)), texts))
    for event_id, text in texts.items():
        assert found[event_id] == text, event_id

    records = eventually(lambda: whole({r["eventID"]: r for r in delivered(server, "trail-bucket")}, texts))
    for event_id, text in texts.items():
        assert records[event_id] == json.loads(text), event_id

    region = json.loads(next(iter(texts.values())))["awsRegion"]
    client = server.client("cloudtrail", region=region)
    one_region = {i for i, text in texts.items() if json.loads(text)["awsRegion"] == region}
    looked_up = set()
    for page in client.get_paginator("lookup_events").paginate():
        looked_up |= {event["EventId"] for event in page["Events"]}
    assert looked_up >= {i for i in one_region if is_management(texts[i])}


def whole(found, expected):
    """What was found once all that is expected is among it."""
    return found if found.keys() >= expected.keys() else None


def is_management(text):
    record = json.loads(text)
    return record.get("eventCategory", "Management") == "Management" and record.get("managementEvent", True)
