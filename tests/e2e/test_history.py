"""Event history: LookupEvents as AWS has it, and what ``/v1/lookup`` can ask beyond."""

import copy
import datetime
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from native import lookup, lookup_error, put_events, real_records
from server import REGION, eventually

HOME = "us-west-1"
LATER = "2021-08-03T00:00:00Z"


@pytest.fixture(scope="module")
def records(shared_server):
    """The real records, which the server has in its history."""
    found = real_records()
    assert put_events(shared_server, found) == len(found)
    newest = max(found, key=lambda record: record["eventTime"])["eventID"]
    eventually(lambda: lookup(shared_server, Attributes=[{"Key": "EventId", "Value": newest}], EventCategory="All"))
    return found


@pytest.fixture(scope="module")
def cloudtrail(shared_server):
    return shared_server.client("cloudtrail", region=HOME, parameter_validation=False)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def looked_up(client, key=None, value=None, **options):
    """All events that LookupEvents gives, newest first."""
    if key:
        options["LookupAttributes"] = [{"AttributeKey": key, "AttributeValue": value}]
    options.setdefault("EndTime", seconds(LATER))
    events = []
    for page in client.get_paginator("lookup_events").paginate(**options):
        assert len(page["Events"]) <= options.get("MaxResults", 50)
        events += page["Events"]
    times = [event["EventTime"] for event in events]
    assert times == sorted(times, reverse=True)
    ids = [event["EventId"] for event in events]
    assert len(ids) == len(set(ids))
    return events


def ids(events):
    return {event["EventId"] for event in events}


def matching(records, test, region=HOME, category="Management"):
    """The ids of the real records that a test holds for."""
    return {
        r["eventID"] for r in records
        if (region is None or r["awsRegion"] == region) and r["eventCategory"] == category and test(r)
    }


def test_an_event_is_answered_as_aws_describes_it(cloudtrail, records):
    record = next(
        r for r in records
        if r["awsRegion"] == HOME and r["eventName"] == "CreateTrail" and r["eventCategory"] == "Management"
    )
    event, = looked_up(cloudtrail, "EventId", record["eventID"])
    assert json.loads(event["CloudTrailEvent"]) == record
    assert event["EventName"] == "CreateTrail" and event["EventSource"] == "cloudtrail.amazonaws.com"
    assert event["EventTime"] == seconds(record["eventTime"])
    assert event["ReadOnly"] == "false"
    assert event["AccessKeyId"] == record["userIdentity"]["accessKeyId"]
    assert event["Username"] == record["userIdentity"].get("userName", "root")
    named = {(r["ResourceType"], r["ResourceName"]) for r in event["Resources"]}
    assert ("AWS::S3::Bucket", record["requestParameters"]["s3BucketName"]) in named
    assert ("AWS::CloudTrail::Trail", record["requestParameters"]["name"]) in named


@pytest.mark.parametrize("key, value, test", [
    ("EventName", "AssumeRole", lambda r: r["eventName"] == "AssumeRole"),
    ("EventName", "assumerole", lambda r: False),
    ("ReadOnly", "false", lambda r: r["readOnly"] is False),
    ("Username", "jmerckle", lambda r: r["userIdentity"].get("userName") == "jmerckle"),
    ("EventSource", "ec2.amazonaws.com", lambda r: r["eventSource"] == "ec2.amazonaws.com"),
    ("EventName", "NoSuchEvent", lambda r: False),
])
def test_each_attribute_finds_what_has_it(cloudtrail, records, key, value, test):
    assert ids(looked_up(cloudtrail, key, value)) == matching(records, test)


def test_keys_and_resource_names_find_what_has_them(cloudtrail, records):
    here = [r for r in records if r["awsRegion"] == HOME and r["eventCategory"] == "Management"]
    access_key = next(r["userIdentity"]["accessKeyId"] for r in here if "accessKeyId" in r["userIdentity"])
    expected = matching(records, lambda r: r["userIdentity"].get("accessKeyId") == access_key)
    assert ids(looked_up(cloudtrail, "AccessKeyId", access_key)) == expected
    arn = next(x["ARN"] for r in here if r["eventName"] == "AssumeRole" for x in r["resources"])
    for key, value, listed, answered in [
        ("ResourceName", arn, "ARN", "ResourceName"),
        ("ResourceType", "AWS::KMS::Key", "type", "ResourceType"),
    ]:
        expected = matching(records, lambda r: any(x.get(listed) == value for x in r.get("resources") or []))
        found = looked_up(cloudtrail, key, value)
        assert expected and ids(found) >= expected
        assert all(any(x.get(answered) == value for x in event["Resources"]) for event in found)


def test_without_attributes_everything_of_the_region_comes(cloudtrail, records, shared_server):
    expected = matching(records, lambda r: True)
    assert ids(looked_up(cloudtrail)) == expected
    elsewhere = shared_server.client("cloudtrail", region="us-east-2")
    assert ids(looked_up(elsewhere)) == matching(records, lambda r: True, "us-east-2")
    everywhere = lookup(shared_server, EndTime=LATER, MaxResults=1000)
    assert ids(everywhere) == matching(records, lambda r: True, None)
    assert len(everywhere) == len(ids(everywhere))


def test_time_ranges_hold_both_their_ends(cloudtrail, records):
    times = sorted(r["eventTime"] for r in records if r["eventName"] == "DescribeInstances")
    start, end = times[10], times[-10]
    expected = matching(
        records, lambda r: r["eventName"] == "DescribeInstances" and start <= r["eventTime"] <= end
    )
    found = looked_up(cloudtrail, "EventName", "DescribeInstances", StartTime=seconds(start), EndTime=seconds(end))
    assert ids(found) == expected and start in times
    assert looked_up(cloudtrail, StartTime=seconds("2021-01-01T00:00:00Z"), EndTime=seconds("2021-01-02T00:00:00Z")) == []


def test_pages_stay_right_while_events_arrive(shared_server, cloudtrail, records):
    originals = [r for r in records if r["awsRegion"] == HOME and r["eventName"] == "DescribeVolumes"]
    question = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "DescribeVolumes"}],
        "MaxResults": 3, "EndTime": seconds(LATER),
    }
    seen, arrived = [], set()
    while True:
        page = cloudtrail.lookup_events(**question)
        seen += [event["EventId"] for event in page["Events"]]
        more = copy.deepcopy(originals[:4])
        for record in more:
            record["eventID"] = str(uuid.uuid4())
            arrived.add(record["eventID"])
        put_events(shared_server, more)
        if "NextToken" not in page:
            break
        question["NextToken"] = page["NextToken"]
    assert len(seen) == len(set(seen))
    assert {r["eventID"] for r in originals} <= set(seen)
    assert set(seen) <= {r["eventID"] for r in originals} | arrived


def test_what_was_just_done_is_there_at_once(shared_server):
    shared_server.client("iam").create_user(UserName="just-now")
    here = shared_server.client("cloudtrail", region=REGION)
    query = [{"AttributeKey": "ResourceName", "AttributeValue": "just-now"}]
    event, = eventually(lambda: here.lookup_events(LookupAttributes=query)["Events"], every=0.02)
    assert event["EventName"] == "CreateUser" and event["Username"] == "root"


def test_the_aws_cli_pages_by_itself(shared_server, records):
    answer = shared_server.aws(
        "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=AssumeRole",
        "--end-time", LATER, region=HOME,
    )
    assert ids(answer["Events"]) == matching(records, lambda r: r["eventName"] == "AssumeRole")


def test_insights_are_none_yet(cloudtrail):
    assert cloudtrail.lookup_events(EventCategory="insight")["Events"] == []


def name_is(name):
    return {"AttributeKey": "EventName", "AttributeValue": name}


@pytest.mark.parametrize("question, code", [
    ({"LookupAttributes": [name_is("A"), name_is("B")]}, "InvalidLookupAttributesException"),
    ({"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "red"}]}, "InvalidLookupAttributesException"),
    ({"LookupAttributes": [name_is("")]}, "InvalidLookupAttributesException"),
    ({"LookupAttributes": [name_is("x" * 2001)]}, "InvalidLookupAttributesException"),
    ({"LookupAttributes": [{"AttributeKey": "EventName"}]}, "ValidationException"),
    ({"LookupAttributes": [{"AttributeKey": 7, "AttributeValue": "x"}]}, "SerializationException"),
    ({"MaxResults": 0}, "InvalidMaxResultsException"),
    ({"MaxResults": 51}, "InvalidMaxResultsException"),
    ({"MaxResults": -1}, "InvalidMaxResultsException"),
    ({"MaxResults": "many"}, "SerializationException"),
    ({"NextToken": "made-up"}, "InvalidNextTokenException"),
    ({"StartTime": 1_700_000_000, "EndTime": 1_600_000_000}, "InvalidTimeRangeException"),
    ({"EventCategory": "management"}, "InvalidEventCategoryException"),
])
def test_wrong_questions_are_refused(cloudtrail, question, code):
    with pytest.raises(ClientError) as refusal:
        cloudtrail.lookup_events(**question)
    assert refusal.value.response["Error"]["Code"] == code


def test_a_token_belongs_to_its_question(cloudtrail, records):
    page = cloudtrail.lookup_events(LookupAttributes=[name_is("DescribeInstances")], MaxResults=2)
    with pytest.raises(ClientError) as refusal:
        cloudtrail.lookup_events(LookupAttributes=[name_is("DescribeTags")], NextToken=page["NextToken"])
    assert refusal.value.response["Error"]["Code"] == "InvalidNextTokenException"
    again = cloudtrail.lookup_events(
        LookupAttributes=[name_is("DescribeInstances")], MaxResults=50, NextToken=page["NextToken"]
    )
    assert again["Events"]


def asked(key, value, match=None):
    return {"Key": key, "Value": value, **({"Match": match} if match else {})}


def test_several_attributes_and_parts_of_values_over_all_regions(shared_server, records):
    found = lookup(shared_server, EndTime=LATER, MaxResults=1000, Attributes=[
        asked("EventSource", "ec2.amazonaws.com"), asked("EventName", "Describe", "contains"),
        asked("Username", "merckle", "contains"),
    ])
    expected = matching(records, lambda r: (
        r["eventSource"] == "ec2.amazonaws.com" and "Describe" in r["eventName"]
        and "merckle" in r["userIdentity"].get("userName", "")
    ), None)
    assert expected and expected <= ids(found)
    assert len(found) == len(ids(found))

    of_region = lookup(shared_server, EndTime=LATER, Region="us-east-1", Attributes=[asked("ReadOnly", "true")])
    assert ids(of_region) == matching(records, lambda r: r["readOnly"] is True, "us-east-1")
    nothing = lookup(shared_server, EndTime=LATER, Attributes=[asked("EventName", "no such part", "contains")])
    assert nothing == []


def test_data_events_are_found_where_they_are_asked_for(shared_server, records):
    question = {"EndTime": LATER, "MaxResults": 1000, "Attributes": [asked("EventName", "GetObject")]}
    assert lookup(shared_server, **question) == []
    expected = matching(records, lambda r: r["eventName"] == "GetObject", None, "Data")
    assert expected
    for category in ("Data", "All"):
        assert ids(lookup(shared_server, **question, EventCategory=category)) == expected


@pytest.mark.parametrize("question, code", [
    ({"MaxResults": 0}, "InvalidMaxResultsException"),
    ({"MaxResults": 1001}, "InvalidMaxResultsException"),
    ({"Attributes": [asked("Colour", "red")]}, "InvalidLookupAttributesException"),
    ({"Attributes": [asked("EventName", "")]}, "InvalidLookupAttributesException"),
    ({"Attributes": [asked("EventName", "x")] * 17}, "InvalidLookupAttributesException"),
    ({"Attributes": [asked("EventName", "x", "sometimes")]}, "SerializationException"),
    ({"Region": "Nowhere!"}, "ValidationException"),
    ({"NextToken": "made-up"}, "InvalidNextTokenException"),
    ({"EventCategory": "Everything"}, "InvalidEventCategoryException"),
    ({"StartTime": "2021-08-01T00:00:00Z", "EndTime": "2021-07-01T00:00:00Z"}, "InvalidTimeRangeException"),
    ({"StartTime": "yesterday"}, "SerializationException"),
])
def test_wrong_questions_are_refused_beyond_aws_too(shared_server, question, code):
    assert lookup_error(shared_server, question) == (400, code)


def test_history_is_for_those_who_may_look(shared_server):
    iam = shared_server.client("iam")
    iam.create_user(UserName="looker")
    key = iam.create_access_key(UserName="looker")["AccessKey"]
    who = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    assert lookup_error(shared_server, {}, **who) == (403, "AccessDeniedException")
    with pytest.raises(ClientError) as refusal:
        shared_server.client("cloudtrail", **who).lookup_events()
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
    statement = {"Effect": "Allow", "Action": "opentrail:LookupEvents", "Resource": f"arn:aws:opentrail:{REGION}:*:events"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="looker", PolicyName="one-region", PolicyDocument=policy)
    assert lookup_error(shared_server, {}, **who) == (403, "AccessDeniedException")
    assert lookup_error(shared_server, {"Region": HOME}, **who) == (403, "AccessDeniedException")
    assert lookup_error(shared_server, {"Region": REGION, "MaxResults": 0}, **who)[1] == "InvalidMaxResultsException"
