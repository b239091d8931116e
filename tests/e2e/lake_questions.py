"""The questions of lake_corpus/, DuckDB's answers to them, and how answers are compared."""

import dataclasses
import datetime
import decimal
import math
import pathlib
import re

import duckdb

FOLDER = pathlib.Path(__file__).parent / "lake_corpus"

# Members of a record that are plain columns; the others are JSON.
TEXTS = ["eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "errorMessage", "eventID",
         "eventType", "eventCategory", "recipientAccountId"]
FLAGS = ["readOnly", "managementEvent"]
JSONS = ["userIdentity", "requestParameters", "responseElements", "additionalEventData", "resources"]


@dataclasses.dataclass(frozen=True)
class Question:
    """One question in both dialects."""

    topic: str
    name: str
    lake: str
    duckdb: str
    within: float

    @property
    def ordered(self):
        """Whether the query orders its rows: its last ORDER BY is outside of all parentheses."""
        outside, depth = "", 0
        for letter in self.lake:
            depth += (letter == "(") - (letter == ")")
            outside += letter if depth == 0 else ""
        return re.search(r"\border\s+by\b", outside, re.IGNORECASE) is not None


def questions():
    """All questions, by topic."""
    found = []
    for path in sorted(FOLDER.glob("*.sql")):
        for text in re.split(r"\n\s*\n(?=-- )", path.read_text().strip()):
            head, lake, answer = re.fullmatch(r"(.*?)-- lake\n(.*?)\n-- duckdb\n(.*)", text, re.DOTALL).groups()
            within = re.search(r"-- within (\S+)", head)
            name = head.splitlines()[0].removeprefix("-- ").rstrip(".")
            found.append(Question(path.stem, name, lake, answer, float(within[1]) if within else 1e-9))
    return found


class Reference:
    """DuckDB over records in a file of JSON lines."""

    def __init__(self, records):
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        columns = [f"record->>'{name}' AS {name}" for name in TEXTS]
        columns += [f"(record->>'{name}')::BOOLEAN AS {name}" for name in FLAGS]
        columns += [f"CASE json_type(record, '$.{name}') WHEN 'NULL' THEN NULL ELSE record->'{name}' END AS {name}" for name in JSONS]
        self.connection.execute(
            f"CREATE TABLE trail AS SELECT json AS record, {', '.join(columns)},"
            " (record->>'eventTime')::TIMESTAMPTZ AT TIME ZONE 'UTC' AS eventTime"
            f" FROM read_ndjson_objects('{records}', maximum_object_size = 100000000)"
        )

    def answer(self, question):
        """The rows of DuckDB's answer, as text as Lake writes it."""
        return [[text(value) for value in row] for row in self.connection.execute(question.duckdb).fetchall()]


def text(value):
    """A value as Lake writes it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}"
    if isinstance(value, list):
        return "[" + ", ".join("null" if item is None else text(item) for item in value) + "]"
    return str(value)


def same_value(given, wanted, within):
    """Whether two values are the same; numbers may differ a little."""
    if given == wanted or given is None or wanted is None:
        return given == wanted
    try:
        return math.isclose(decimal.Decimal(given), decimal.Decimal(wanted), rel_tol=within, abs_tol=1e-9)
    except (decimal.InvalidOperation, TypeError):
        return False


def rounded(row):
    """A row as it sorts: what is a number with a fraction is compared roughly."""
    key = []
    for value in row:
        try:
            key.append((1, f"{float(value):030.6f}"))
        except (TypeError, ValueError):
            key.append((0, "") if value is None else (2, value))
    return key


def difference(question, given, wanted):
    """What is wrong with rows, in words; nothing if nothing is."""
    if not question.ordered:
        given, wanted = sorted(given, key=rounded), sorted(wanted, key=rounded)
    if len(given) != len(wanted):
        return f"{len(given)} rows, not {len(wanted)}: {given[:3]} … {wanted[:3]}"
    for place, (row, right) in enumerate(zip(given, wanted)):
        if len(row) != len(right) or not all(same_value(a, b, question.within) for a, b in zip(row, right)):
            return f"row {place}: {row}, not {right}"
    return None
