"""DuckDB, told what to do by lines of JSON: it reads CloudTrail's log files, writes them as its own Parquet, answers questions."""

import datetime
import glob
import json
import os
import sys
import time

import duckdb

IDENTITY = {name: "VARCHAR" for name in ("type", "principalId", "arn", "accountId", "userName")}
RECORD = {name: "VARCHAR" for name in (
    "eventVersion", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "errorMessage",
    "requestID", "eventID", "eventType", "apiVersion", "recipientAccountId", "sharedEventID", "vpcEndpointId", "eventCategory")}
RECORD |= {
    "eventTime": "TIMESTAMP",
    "readOnly": "BOOLEAN",
    "managementEvent": "BOOLEAN",
    "requestParameters": "MAP(VARCHAR, VARCHAR)",
    "responseElements": "MAP(VARCHAR, VARCHAR)",
    "additionalEventData": "MAP(VARCHAR, VARCHAR)",
    "resources": [{"accountId": "VARCHAR", "type": "VARCHAR", "ARN": "VARCHAR"}],
    "tlsDetails": {"tlsVersion": "VARCHAR", "cipherSuite": "VARCHAR", "clientProvidedHostHeader": "VARCHAR"},
    "userIdentity": IDENTITY | {
        "accessKeyId": "VARCHAR",
        "invokedBy": "VARCHAR",
        "sessionContext": {
            "attributes": {"creationDate": "TIMESTAMP", "mfaAuthenticated": "VARCHAR"},
            "sessionIssuer": IDENTITY,
        },
    },
}
# Members of userIdentity stand beside the other columns: filters of DuckDB 2.0 on members of structs fail in Parquet.
FLAT = ", ".join(f"r.userIdentity.{name} AS userIdentity_{name}" for name in RECORD["userIdentity"])
# The smallest with which a file of these can be read: buffers are as large, and larger ones are slower.
OBJECT = 8 << 20
# So that a file is as large as other tools write them.
FILE = 128 << 20


def text(value):
    """A value as CloudTrail Lake writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}"
    return str(value)


def write(connection, logs, parquet):
    """Reads the log files into columns, with the record as it came, and writes Parquet."""
    records = (f"SELECT unnest(Records) AS record FROM read_json('{logs}/**/*.json.gz',"
               f" columns = {{Records: 'JSON[]'}}, maximum_object_size = {OBJECT})")
    rows = f"SELECT json_transform(record, '{json.dumps(RECORD)}') AS r, record::VARCHAR AS eventJson FROM ({records})"
    connection.execute(
        f"COPY (SELECT r.* EXCLUDE (userIdentity), {FLAT}, eventJson FROM ({rows})) TO '{parquet}' (FORMAT parquet, COMPRESSION zstd, FILE_SIZE_BYTES {FILE})")
    connection.execute(f"CREATE VIEW trail AS SELECT * FROM '{parquet}/*.parquet'")
    return {"bytes": sum(os.path.getsize(path) for path in glob.glob(f"{parquet}/*.parquet"))}


def ask(connection, question):
    """The rows of an answer."""
    return {"rows": [[text(value) for value in row] for row in connection.execute(question).fetchall()]}


def main():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    for line in sys.stdin:
        wanted = json.loads(line)
        began = time.perf_counter()
        match wanted["do"]:
            case "version":
                answer = {"version": duckdb.__version__}
            case "write":
                answer = write(connection, wanted["logs"], wanted["parquet"])
            case "ask":
                answer = ask(connection, wanted["question"])
        answer["seconds"] = time.perf_counter() - began
        print(json.dumps(answer), flush=True)


main()
