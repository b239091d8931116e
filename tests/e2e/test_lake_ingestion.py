"""From the door into event data stores: at once, each event once, at its place among the calls that change the stores,
through kill -9 during writing, merging and retention."""

import collections
import datetime
import json
import os
import random
import subprocess
import threading
import time
import uuid

import pytest
import requests

from lake import answer, put, record, store_of
from native import put_events
from server import Server, binary, eventually

# How often the server is killed under load.
ROUNDS = int(os.environ.get("OPENTRAIL_LAKE_CRASH_ROUNDS", "6"))
SEED = int(os.environ.get("OPENTRAIL_CRASH_SEED", "20261121"))
# So that files are written, merged and dropped all the time.
BUSY = ["--lake-flush-interval", "1s", "--lake-tidy-interval", "1s"]
SOURCE = "load.example.com"
BATCH = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), *BUSY) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    return server.client("cloudtrail")


def made(count, source=SOURCE, **more):
    return [record("Load", source, **more) for _ in range(count)]


def ids_in(client, store, source=SOURCE):
    """How often each event of the source is in the store."""
    found = answer(client, f"SELECT eventID FROM {store} WHERE eventSource = '{source}'")
    return collections.Counter(row["eventID"] for row in found)


def files_of(server, store):
    return sorted((server.data / "lake" / "tables" / store).rglob("*.parquet"))


def test_an_event_is_in_a_query_s_answer_as_soon_as_it_is_acknowledged(server, client):
    store = store_of(server, "at-once")
    for _ in range(5):
        event = made(1)
        put(server, event)
        asked = time.monotonic()
        assert ids_in(client, store)[event[0]["eventID"]] == 1
        assert time.monotonic() - asked < 5
    eventually(lambda: files_of(server, store))
    assert sum(ids_in(client, store).values()) == len(ids_in(client, store)) == 5


def test_calls_that_change_a_store_divide_its_events(server, client):
    store, source = store_of(server, "divided"), "divided.example.com"
    wanted = []
    for number in range(3):
        taken, left = made(3, source), made(3, source)
        put(server, taken)
        client.stop_event_data_store_ingestion(EventDataStore=store)
        put(server, left)
        client.start_event_data_store_ingestion(EventDataStore=store)
        wanted += [event["eventID"] for event in taken]
        if number == 1:
            server.kill()
            server.start()
            client = server.client("cloudtrail")
    assert ids_in(client, store, source) == collections.Counter(wanted)
    names = [row["eventName"] for row in answer(
        client, f"SELECT eventName FROM {store} WHERE eventName LIKE '%EventDataStoreIngestion'"
    )]
    assert collections.Counter(names) == {
        "StopEventDataStoreIngestion": 3, "StartEventDataStoreIngestion": 3,
    }


class Load:
    """Sends events until the server is gone; knows which were acknowledged and which may be there."""

    def __init__(self, server, threads=2):
        self.server, self.acknowledged, self.sent = server, set(), set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while not self.stopping.is_set():
            events = made(BATCH)
            ids = {event["eventID"] for event in events}
            with self.lock:
                self.sent |= ids
            try:
                assert put_events(self.server, events) == BATCH
            except requests.RequestException:
                return
            with self.lock:
                self.acknowledged |= ids

    def finish(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_kill_at_any_moment(tmp_path):
    chance = random.Random(SEED)
    server = Server(tmp_path, *BUSY).start()
    try:
        stores = [store_of(server, "all"), store_of(server, "writes", AdvancedEventSelectors=[{
            "FieldSelectors": [
                {"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["false"]},
            ],
        }])]
        acknowledged, sent = set(), set()
        for number in range(ROUNDS):
            load = Load(server)
            looked = time.monotonic() + chance.uniform(0.5, 2.0)
            least = 0
            while time.monotonic() < looked:
                counted = answer(server.client("cloudtrail"), (
                    f"SELECT count(*) AS n, count(DISTINCT eventID) AS ids FROM {stores[0]} "
                    f"WHERE eventSource = '{SOURCE}'"
                ))[0]
                assert counted["n"] == counted["ids"], f"round {number}: a reader saw an event twice"
                assert int(counted["n"]) >= least, f"round {number}: a reader missed what was there"
                least = int(counted["n"])
            server.kill()
            load.finish()
            acknowledged |= load.acknowledged
            sent |= load.sent
            fsck(server)
            server.start()
            for store in stores:
                found = ids_in(server.client("cloudtrail"), store)
                assert set(found.values()) <= {1}, f"round {number}: {found.most_common(1)}"
                assert not acknowledged - set(found), f"round {number}: {len(acknowledged - set(found))} are missing"
                assert not set(found) - sent
        assert len(acknowledged) > ROUNDS * BATCH, "the load did nothing"
        eventually(lambda: len(files_of(server, stores[0])) > 0)
        server.stop()
        fsck(server)
    finally:
        server.kill()


def test_retention_drops_what_is_old_and_nothing_else(tmp_path):
    # No query runs for longer than replaced files stay.
    server = Server(tmp_path, *BUSY, "--lake-grace", "20s").start()
    try:
        store = store_of(server, "old-and-new", RetentionPeriod=60)
        now = datetime.datetime.now(datetime.timezone.utc)
        aged = lambda days: made(5, at=now - datetime.timedelta(days=days))
        new, old, never = aged(2), aged(20), aged(61)
        put(server, new + old + never)
        ids = lambda *groups: collections.Counter(event["eventID"] for group in groups for event in group)
        assert ids_in(server.client("cloudtrail"), store) == ids(new, old)
        eventually(lambda: len(files_of(server, store)) >= 2)
        server.client("cloudtrail").update_event_data_store(EventDataStore=store, RetentionPeriod=7)
        for _ in range(3):
            time.sleep(random.Random(SEED).uniform(0.1, 0.6))
            server.kill()
            fsck(server)
            server.start()
            found = ids_in(server.client("cloudtrail"), store)
            assert found in (ids(new, old), ids(new)), "the old ones go together, and nothing else does"
        eventually(lambda: ids_in(server.client("cloudtrail"), store) == ids(new))
        # After the grace period the old day's file is gone from the disk, too.
        old_day = (now - datetime.timedelta(days=20)).strftime("%Y-%m-%d")
        eventually(lambda: not [path for path in files_of(server, store) if old_day in str(path)], timeout=90)
        server.stop()
    finally:
        server.kill()


def test_fsck_names_a_file_that_is_missing_or_cut(tmp_path):
    server = Server(tmp_path, *BUSY).start()
    try:
        store = store_of(server, "checked")
        put(server, made(10))
        files = eventually(lambda: files_of(server, store))
        server.stop()
        fsck(server)
        file = files[0]
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        assert file.name in problems(server)
        file.unlink()
        assert file.name in problems(server)
        file.write_bytes(whole)
        fsck(server)
        checkpoint = server.data / "lake" / "checkpoint"
        checkpoint.write_bytes(checkpoint.read_bytes().replace(b'"position":', b'"position":9'))
        assert "checkpoint" in problems(server)
    finally:
        server.kill()


def test_metrics_tell_how_the_lake_is(server):
    text = requests.get(f"{server.endpoint}/metrics", timeout=5).text
    for name in ("visible_seq", "stored_seq", "stores", "stores_failing", "tail_rows", "rows", "files"):
        assert f"opentrail_lake_{name} " in text, name


def checked(server):
    done = subprocess.run(
        [binary(), "fsck", "--data", str(server.data), "--output", "json"], capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def fsck(server):
    """Everything on the disk agrees with itself."""
    found = checked(server)
    assert found["Sound"], [room for room in found["Rooms"] if room["Problems"]]


def problems(server):
    """What fsck says is wrong with the lake."""
    found = checked(server)
    assert not found["Sound"]
    room = next(room for room in found["Rooms"] if room["Room"] == "lake")
    return "\n".join(room["Problems"])
