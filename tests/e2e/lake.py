"""What the stories need around event data stores: one with events in it, and queries that are waited for."""

import datetime
import uuid

from native import put_events
from server import ACCOUNT, REGION, eventually

OVER = {"FINISHED", "FAILED", "CANCELLED", "TIMED_OUT"}


def record(name="CreateUser", source="iam.amazonaws.com", at=None, user="alice", **more):
    """A CloudTrail record as an AWS service writes it."""
    at = at or datetime.datetime.now(datetime.timezone.utc)
    return {
        "eventVersion": "1.11", "eventID": str(uuid.uuid4()), "eventName": name, "eventSource": source,
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "awsRegion": REGION, "sourceIPAddress": "192.0.2.7",
        "userAgent": "test/1.0", "eventType": "AwsApiCall", "eventCategory": "Management", "managementEvent": True,
        "readOnly": False, "recipientAccountId": ACCOUNT, "requestID": str(uuid.uuid4()),
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDATEST", "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "accountId": ACCOUNT, "accessKeyId": "AKIATEST", "userName": user,
        },
        "requestParameters": {"userName": f"made-by-{user}"}, "responseElements": None, **more,
    }


def store_of(server, name, **options):
    """A new event data store without termination protection: its id."""
    made = server.client("cloudtrail").create_event_data_store(
        Name=name, TerminationProtectionEnabled=False, **options
    )
    return made["EventDataStoreArn"].rsplit("/", 1)[1]


def put(server, records):
    """Sends records in."""
    assert put_events(server, records) == len(records)


def ended(client, query):
    """What DescribeQuery says of a query once it is over."""
    def over():
        described = client.describe_query(QueryId=query)
        return described if described["QueryStatus"] in OVER else None

    return eventually(over, timeout=60, every=0.02)


def run(client, statement, **options):
    """Starts a query, waits, and answers what DescribeQuery says of it."""
    return ended(client, client.start_query(QueryStatement=statement, **options)["QueryId"])


def rows(client, query, size=1000):
    """All rows of a query, page by page, each a list of (column, value)."""
    found, ask = [], {"QueryId": query, "MaxQueryResults": size}
    while True:
        page = client.get_query_results(**ask)
        assert len(page["QueryResultRows"]) <= size
        assert page["QueryStatistics"]["ResultsCount"] == len(page["QueryResultRows"])
        found += [[pair for column in row for pair in column.items()] for row in page["QueryResultRows"]]
        if not page.get("NextToken"):
            assert len(found) == page["QueryStatistics"]["TotalResultsCount"]
            return found
        ask["NextToken"] = page["NextToken"]


def answer(client, statement, **options):
    """The rows of a query that finishes, as dictionaries."""
    described = run(client, statement, **options)
    assert described["QueryStatus"] == "FINISHED", described
    return [dict(row) for row in rows(client, described["QueryId"])]
