"""Channels: events from outside AWS, who may bring them, and what of them is refused."""

import base64
import hashlib
import json
import uuid

import pytest

from accounts import Accounts
from identity import allow, code, deny, fresh, looked_up, person, policy, refused
from server import ACCOUNT, REGION, eventually

OUTSIDE = [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["ActivityAuditLog"]}]}]
NO_CHANNEL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:channel/00000000-0000-4000-8000-000000000000"


def event_data(**more):
    data = {
        "version": "1.0", "userIdentity": {"type": "CustomUser", "principalId": "alice", "details": {"team": "a"}},
        "eventSource": "shop.example.com", "eventName": "Checkout", "eventTime": "2026-11-20T12:13:14Z",
        "UID": uuid.uuid4().hex, "requestParameters": {"cart": 7}, "sourceIPAddress": "192.0.2.1",
        "recipientAccountId": ACCOUNT,
    }
    return json.dumps({name: value for name, value in {**data, **more}.items() if value is not None})


def event(data=None, **more):
    return {"id": uuid.uuid4().hex, "eventData": data or event_data(), **more}


def checksum(data):
    return base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()


@pytest.fixture(scope="module")
def cloudtrail(shared_server):
    return shared_server.client("cloudtrail", parameter_validation=False)


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


@pytest.fixture(scope="module")
def data(shared_server):
    return shared_server.client("cloudtrail-data", parameter_validation=False)


@pytest.fixture(scope="module")
def store(cloudtrail):
    made = cloudtrail.create_event_data_store(
        Name="outside", AdvancedEventSelectors=OUTSIDE, TerminationProtectionEnabled=False)
    return made["EventDataStoreArn"]


def destination(store):
    return [{"Type": "EVENT_DATA_STORE", "Location": store}]


@pytest.fixture(scope="module")
def channel(cloudtrail, store):
    return cloudtrail.create_channel(
        Name="shop", Source="Custom", Destinations=destination(store))["ChannelArn"]


def test_the_life_of_a_channel_with_the_aws_cli(shared_server, store):
    aws = shared_server.aws
    made = aws("cloudtrail", "create-channel", "--name", "from-github", "--source", "GitHub", "--destinations",
               f"Type=EVENT_DATA_STORE,Location={store}", "--tags", "Key=team,Value=audit")
    arn = made["ChannelArn"]
    assert made["Destinations"] == destination(store) and made["Tags"] == [{"Key": "team", "Value": "audit"}]
    found = aws("cloudtrail", "get-channel", "--channel", arn.rsplit("/")[-1])
    assert (found["Name"], found["Source"], found["Destinations"]) == ("from-github", "GitHub", destination(store))
    assert {"ChannelArn": arn, "Name": "from-github"} in aws("cloudtrail", "list-channels")["Channels"]
    changed = aws("cloudtrail", "update-channel", "--channel", arn, "--name", "renamed")
    assert changed["Name"] == "renamed" and changed["Destinations"] == destination(store)
    assert aws("cloudtrail", "delete-event-data-store", "--event-data-store", store,
               ok=False) == "ChannelExistsForEDSException"

    brought = aws("cloudtrail-data", "put-audit-events", "--channel-arn", arn, "--audit-events",
                  json.dumps([event(), event()]))
    assert brought["failed"] == [] and len(brought["successful"]) == 2
    aws("cloudtrail", "delete-channel", "--channel", arn)
    assert aws("cloudtrail", "get-channel", "--channel", arn, ok=False) == "ChannelNotFoundException"
    created = looked_up(shared_server, "CreateChannel")[-1]
    assert created["requestParameters"]["source"] == "GitHub"
    assert created["responseElements"]["channelArn"] == arn


def test_bad_channels_have_the_codes_of_aws(cloudtrail, store, channel):
    own = cloudtrail.create_event_data_store(Name=fresh("events"), TerminationProtectionEnabled=False)
    own = own["EventDataStoreArn"]
    good = {"Name": "good", "Source": "Okta", "Destinations": destination(store)}
    cases = [
        ({}, "InvalidSourceException"),
        ({"Source": "Clumio", "Name": "x"}, "InvalidParameterException"),
        ({"Source": "Clumio", "Name": "shop"}, "ChannelAlreadyExistsException"),
        ({"Source": "Custom"}, "ChannelAlreadyExistsException"),
        ({"Source": "Clumio", "Destinations": []}, "InvalidParameterException"),
        ({"Source": "Clumio", "Destinations": destination("my-store")}, "EventDataStoreARNInvalidException"),
        ({"Source": "Clumio", "Destinations": destination(own)}, "InvalidEventDataStoreCategoryException"),
        ({"Source": "Clumio", "Destinations": [{"Type": "AWS_SERVICE", "Location": "ssm.amazonaws.com"}]},
         "InvalidParameterException"),
    ]
    for change, expected in cases:
        assert code(cloudtrail.create_channel, **{**good, **change}) == expected, change
    cloudtrail.delete_event_data_store(EventDataStore=own)
    gone = {**good, "Source": "Clumio", "Destinations": destination(own)}
    assert code(cloudtrail.create_channel, **gone) == "InactiveEventDataStoreException"
    assert code(cloudtrail.get_channel, Channel="shop") == "ChannelARNInvalidException"
    assert code(cloudtrail.get_channel, Channel=NO_CHANNEL) == "ChannelNotFoundException"
    assert code(cloudtrail.update_channel, Channel=channel) == "InvalidParameterException"


def test_good_events_are_taken_and_bad_ones_told(cloudtrail, data, channel):
    good = event_data()
    events = {
        None: event(good, eventDataChecksum=checksum(good)),
        "InvalidChecksum": event(good, eventDataChecksum=checksum("other")),
        "InvalidData": event("no json"),
        "InvalidData (time)": event(event_data(eventTime="9999-12-31T23:59:59-01:00")),
        "InvalidData (depth)": event(event_data(more="deep").replace('"deep"', "[" * 110 + "]" * 110)),
        "FieldNotFound": event(event_data(eventName=None)),
        "FieldTooLong": event(event_data(eventName="x" * 1025)),
        "InvalidRecipient": event(event_data(recipientAccountId="999999999999")),
        "InvalidEventSource": event(event_data(eventSource="iam.amazonaws.com")),
    }
    answer = data.put_audit_events(channelArn=channel, auditEvents=list(events.values()))
    assert [entry["id"] for entry in answer["successful"]] == [events[None]["id"]]
    told = {entry["id"]: entry["errorCode"] for entry in answer["failed"]}
    assert told == {entry["id"]: expected.split()[0] for expected, entry in events.items() if expected}
    status = cloudtrail.get_channel(Channel=channel)["IngestionStatus"]
    assert status["LatestIngestionSuccessEventID"] == answer["successful"][0]["eventID"]
    assert status["LatestIngestionErrorCode"] == "InvalidEventSource"


def test_an_event_that_is_sent_again_is_the_same_event(data, channel):
    one = event()
    first = data.put_audit_events(channelArn=channel, auditEvents=[one])["successful"]
    again = data.put_audit_events(channelArn=channel, auditEvents=[one])["successful"]
    assert first == again
    assert code(data.put_audit_events, channelArn=channel, auditEvents=[one, one]) == "DuplicatedAuditEventId"


def test_calls_that_are_no_calls_are_refused(data, channel):
    put = data.put_audit_events
    assert code(put, channelArn=NO_CHANNEL, auditEvents=[event()]) == "ChannelNotFound"
    assert code(put, channelArn="arn:aws:s3:::bucket", auditEvents=[event()]) == "InvalidChannelARN"
    assert code(put, channelArn=channel, auditEvents=[]) == "ValidationException"
    assert code(put, channelArn=channel, auditEvents=[event() for _ in range(101)]) == "ValidationException"
    assert code(put, channelArn=channel, auditEvents=[{**event(), "id": "a b"}]) == "ValidationException"
    large = event_data(requestParameters={"x": "y" * 90_000})
    assert code(put, channelArn=channel, auditEvents=[event(large) for _ in range(12)]) == \
        "RequestEntityTooLargeException"


def test_no_history_and_no_trail_has_events_from_outside(cloudtrail, data, channel):
    name = fresh("Outside").replace("-", "")
    data.put_audit_events(channelArn=channel, auditEvents=[event(event_data(eventName=name))])
    cloudtrail.create_event_data_store(Name="marks-the-end", TerminationProtectionEnabled=False)
    found = cloudtrail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])
    assert found["Events"] == []


def test_events_from_outside_can_be_asked(cloudtrail, data, channel, store):
    name = fresh("Asked").replace("-", "")
    taken = data.put_audit_events(channelArn=channel, auditEvents=[event(event_data(eventName=name))])["successful"]
    statement = ("SELECT eventID, eventCategory, eventData.eventSource, metadata.channelARN, recipientAccountId "
                 f"FROM {store.rsplit('/')[-1]} WHERE eventData.eventName = '{name}'")

    def asked():
        query = cloudtrail.start_query(QueryStatement=statement)["QueryId"]
        return eventually(lambda: rows(cloudtrail.get_query_results(QueryId=query)))

    def rows(answer):
        assert answer["QueryStatus"] in ("QUEUED", "RUNNING", "FINISHED"), answer
        return answer if answer["QueryStatus"] == "FINISHED" else None

    found = eventually(lambda: asked()["QueryResultRows"])
    row = {name: value for column in found[0] for name, value in column.items()}
    assert len(found) == 1 and row == {
        "eventID": taken[0]["eventID"], "eventCategory": "ActivityAuditLog", "eventSource": "shop.example.com",
        "channelARN": channel, "recipientAccountId": ACCOUNT,
    }


def test_the_callers_policies_decide(shared_server, iam, cloudtrail, channel):
    _, nobody = person(iam)
    _, sender = person(iam, allow("cloudtrail-data:PutAuditEvents", channel))
    client = lambda who: shared_server.client("cloudtrail-data", **who)  # noqa: E731
    assert code(client(nobody).put_audit_events, channelArn=channel, auditEvents=[event()]) == "AccessDeniedException"
    assert client(sender).put_audit_events(channelArn=channel, auditEvents=[event()])["failed"] == []
    prefix, name = channel.rsplit("/", 1)
    _, kept_out = person(iam, allow("cloudtrail:*"), deny("cloudtrail:*", channel))
    for other in (f"{prefix}/{name.upper()}", channel.replace("arn:aws:", "arn:aws-cn:")):
        tagging = {"ResourceId": other, "TagsList": [{"Key": "team", "Value": "audit"}]}
        assert code(shared_server.client("cloudtrail", **kept_out).add_tags, **tagging) == "ChannelARNInvalidException"
    cloudtrail.add_tags(ResourceId=channel, TagsList=[{"Key": "team", "Value": "audit"}])
    of_team = {"StringEquals": {"aws:ResourceTag/team": "audit"}}
    _, kept_out = person(iam, allow("cloudtrail:*"), deny("cloudtrail:*", condition=of_team))
    outsider = shared_server.client("cloudtrail", **kept_out)
    assert code(outsider.list_tags, ResourceIdList=[channel]) == "AccessDeniedException"
    for call in (outsider.add_tags, outsider.remove_tags):
        assert code(call, ResourceId=channel, TagsList=[{"Key": "team", "Value": "x"}]) == "AccessDeniedException"
    denied = shared_server.client("cloudtrail", **sender)
    assert code(denied.get_channel, Channel=channel) == "AccessDeniedException"
    assert code(denied.delete_channel, Channel=channel) == "AccessDeniedException"


def test_a_channels_policy_is_about_putting_events(cloudtrail, channel):
    def statement(**change):
        return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "cloudtrail-data:PutAuditEvents", "Resource": channel, **change}

    for bad in (statement(Action="cloudtrail:GetChannel"), statement(Resource="*"),
                statement(Principal={"AWS": [f"{number:012}" for number in range(51)]})):
        assert code(cloudtrail.put_resource_policy, ResourceArn=channel, ResourcePolicy=policy(bad)) == \
            "ResourcePolicyNotValidException"
    many = policy(*[statement(Sid=f"s{number}") for number in range(21)])
    assert code(cloudtrail.put_resource_policy, ResourceArn=channel, ResourcePolicy=many) == \
        "ResourcePolicyNotValidException"


def test_a_partner_of_another_account_needs_the_channels_policy_and_its_external_id(server):
    accounts = Accounts(server)
    partner = accounts.make("partner")
    management = accounts.client("management", "cloudtrail")
    store = management.create_event_data_store(Name="outside", AdvancedEventSelectors=OUTSIDE)["EventDataStoreArn"]
    channel = management.create_channel(
        Name="partner", Source="Clumio", Destinations=destination(store))["ChannelArn"]
    outside = accounts.client("partner", "cloudtrail-data")
    one = {"channelArn": channel, "auditEvents": [event()]}
    assert code(outside.put_audit_events, **one) == "ChannelInsufficientPermission"
    assert code(outside.put_audit_events, **{**one, "channelArn": NO_CHANNEL}) == "ChannelInsufficientPermission"
    management.put_resource_policy(ResourceArn=channel, ResourcePolicy=policy({
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{partner}:root"},
        "Action": "cloudtrail-data:PutAuditEvents", "Resource": channel,
        "Condition": {"StringEquals": {"cloudtrail:ExternalId": "agreed-upon"}},
    }))
    assert code(outside.put_audit_events, **one) == "ChannelInsufficientPermission"
    assert code(outside.put_audit_events, **one, externalId="wrong") == "ChannelInsufficientPermission"
    taken = outside.put_audit_events(**one, externalId="agreed-upon")
    assert taken["failed"] == [] and len(taken["successful"]) == 1
    management.delete_channel(Channel=channel)
    again = refused(outside.put_audit_events, **one, externalId="agreed-upon")
    assert again[0] == "ChannelInsufficientPermission"


def test_an_event_is_the_same_after_a_kill(server):
    cloudtrail = server.client("cloudtrail")
    store = cloudtrail.create_event_data_store(Name="outside", AdvancedEventSelectors=OUTSIDE)["EventDataStoreArn"]
    channel = cloudtrail.create_channel(
        Name="shop", Source="Custom", Destinations=destination(store))["ChannelArn"]
    one = event()
    first = server.client("cloudtrail-data").put_audit_events(channelArn=channel, auditEvents=[one])
    server.kill()
    server.start()
    again = server.client("cloudtrail-data").put_audit_events(channelArn=channel, auditEvents=[one])
    assert first["successful"] == again["successful"]
