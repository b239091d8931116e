"""The commands that docs/lake.md and docs/queries.md show, run as they stand there."""

import datetime
import gzip
import json
import pathlib
import re
import subprocess

from lake import record
from server import ACCOUNT, REGION, Server, aws_cli, binary, eventually

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def commands(document, heading):
    """The first shell commands below a heading."""
    text = (DOCS / document).read_text()
    section = text[text.index(f"# {heading}\n"):]
    return re.search(r"^```sh\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL).group(1)


def log_file(folder, days_ago, count):
    """A file as CloudTrail names it, with so many events of a day."""
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days_ago)
    place = folder / "AWSLogs" / ACCOUNT / "CloudTrail" / REGION / day.strftime("%Y/%m/%d")
    place.mkdir(parents=True)
    events = {"Records": [record("Documented", at=day) for _ in range(count)]}
    name = f"{ACCOUNT}_CloudTrail_{REGION}_{day:%Y%m%dT%H%MZ}_0123456789abcdef.json.gz"
    (place / name).write_bytes(gzip.compress(json.dumps(events).encode()))


def test_what_the_documents_show_works(tmp_path):
    for days_ago, count in ((2, 3), (400, 4), (4000, 5)):
        log_file(tmp_path, days_ago, count)
    with Server(tmp_path / "data") as server:
        tools = f"{pathlib.Path(aws_cli()).parent}:{pathlib.Path(binary()).resolve().parent}"
        env = server.cli_env()
        script = commands("lake.md", "From an empty server to a finished import") + commands("queries.md", "Delivery")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env={**env, "PATH": f"{tools}:{env['PATH']}"},
            capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "COMPLETED" in done.stdout
        # Those of ten years ago and more are not kept, and it says so.
        assert "EventsOutsideRetentionPeriod" in done.stdout and "5 events are older" in done.stdout
        assert re.search(r"Documented\W+7\b", done.stdout), done.stdout

        def delivered():
            found = server.client("s3").list_objects_v2(Bucket="query-results").get("Contents", [])
            return sorted(item["Key"].rsplit("/", 1)[1] for item in found) == ["result_1.csv.gz", "result_sign.json"]

        eventually(delivered)
