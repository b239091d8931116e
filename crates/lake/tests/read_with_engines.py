"""Reads an Iceberg table from its metadata file with two engines; writes what they found as JSON."""

import datetime
import json
import sys

import polars
from pyiceberg.table import StaticTable

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def told(rows):
    found = [
        {
            "eventID": row["eventID"],
            "eventJson": row["eventJson"],
            "arn": row["userIdentity"]["arn"],
            "issuer": row["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"],
            "time": (row["eventTime"] - EPOCH) // MICROSECOND,
            "resources": [resource["ARN"] for resource in row["resources"]],
            "key": entries(row["requestParameters"])["key"],
            "readOnly": row["readOnly"],
        }
        for row in rows
    ]
    return sorted(found, key=lambda row: row["eventID"])


def entries(column):
    """A map: pairs in pyiceberg, a dictionary in Polars."""
    return dict(column)


def by_polars(table):
    """Its own reader of Parquet finds the columns by their field ids."""
    if table.current_snapshot() is None:
        return []
    return polars.scan_iceberg(table, reader_override="native").collect().to_dicts()


def main(location):
    table = StaticTable.from_metadata(location)
    rows = table.scan().to_arrow().to_pylist()
    latest = max((row["eventTime"] for row in rows), default=EPOCH)
    midnight = latest.replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    json.dump(
        {
            "pyiceberg": told(rows),
            "polars": told(by_polars(table)),
            "files": len(list(table.scan().plan_files())),
            "files_of_a_day": len(list(table.scan(row_filter=f"eventTime >= '{midnight}'").plan_files())),
            "files_of_a_region_that_is_not_there": len(
                list(table.scan(row_filter="awsRegion == 'eu-central-1'").plan_files())
            ),
        },
        sys.stdout,
    )


main(sys.argv[1])
