"""Event data stores: their life, AWS's rules for them, and who may what with them."""

import json

import pytest

from accounts import Accounts
from identity import allow, code, deny, fresh, looked_up, person, policy
from server import ACCOUNT, REGION, eventually

MANAGEMENT = [{"Name": "Default management events",
               "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
NOBODY = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:eventdatastore/00000000-0000-4000-8000-000000000000"


def of_category(category):
    return [{"FieldSelectors": [{"Field": "eventCategory", "Equals": [category]}]}]


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


@pytest.fixture(scope="module")
def cloudtrail(shared_server):
    return shared_server.client("cloudtrail", parameter_validation=False)


@pytest.fixture
def store(cloudtrail):
    """A store that is gone, as far as its name and its place go, when the test ends."""
    made = cloudtrail.create_event_data_store(Name=fresh("store"), TerminationProtectionEnabled=False)
    yield made["EventDataStoreArn"]
    if cloudtrail.get_event_data_store(EventDataStore=made["EventDataStoreArn"])["Status"] != "PENDING_DELETION":
        cloudtrail.update_event_data_store(
            EventDataStore=made["EventDataStoreArn"], TerminationProtectionEnabled=False)
        cloudtrail.delete_event_data_store(EventDataStore=made["EventDataStoreArn"])


def test_the_life_of_a_store_with_the_aws_cli(shared_server):
    aws = shared_server.aws
    made = aws("cloudtrail", "create-event-data-store", "--name", "my-store", "--tags-list", "Key=team,Value=audit")
    arn = made["EventDataStoreArn"]
    assert arn.startswith(f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:eventdatastore/")
    assert made["Status"] == "CREATED" and made["AdvancedEventSelectors"] == MANAGEMENT
    assert made["MultiRegionEnabled"] and made["TerminationProtectionEnabled"] and not made["OrganizationEnabled"]
    assert (made["RetentionPeriod"], made["BillingMode"]) == (366, "EXTENDABLE_RETENTION_PRICING")
    assert made["TagsList"] == [{"Key": "team", "Value": "audit"}]

    found = aws("cloudtrail", "get-event-data-store", "--event-data-store", arn.rsplit("/")[-1])
    assert found["Status"] == "ENABLED" and found["FederationStatus"] == "DISABLED"
    assert [key["Name"] for key in found["PartitionKeys"]] == ["eventTime"]
    listed = aws("cloudtrail", "list-event-data-stores")["EventDataStores"]
    assert {"EventDataStoreArn": arn, "Name": "my-store"} in listed

    one = ("--event-data-store", arn)
    assert aws("cloudtrail", "delete-event-data-store", *one, ok=False) == "EventDataStoreTerminationProtectedException"
    changed = aws("cloudtrail", "update-event-data-store", *one, "--no-termination-protection-enabled",
                  "--retention-period", "90", "--name", "renamed")
    assert (changed["Name"], changed["RetentionPeriod"]) == ("renamed", 90)
    aws("cloudtrail", "stop-event-data-store-ingestion", *one)
    assert aws("cloudtrail", "get-event-data-store", *one)["Status"] == "STOPPED_INGESTION"
    assert aws("cloudtrail", "stop-event-data-store-ingestion", *one, ok=False) == "InvalidEventDataStoreStatusException"
    aws("cloudtrail", "start-event-data-store-ingestion", *one)
    aws("cloudtrail", "delete-event-data-store", *one)
    assert aws("cloudtrail", "get-event-data-store", *one)["Status"] == "PENDING_DELETION"
    assert aws("cloudtrail", "delete-event-data-store", *one, ok=False) == "InactiveEventDataStoreException"
    assert aws("cloudtrail", "restore-event-data-store", *one)["Status"] == "ENABLED"
    assert aws("cloudtrail", "restore-event-data-store", *one, ok=False) == "InvalidEventDataStoreStatusException"
    aws("cloudtrail", "delete-event-data-store", *one)

    for name in ("CreateEventDataStore", "UpdateEventDataStore", "StopEventDataStoreIngestion",
                 "StartEventDataStoreIngestion", "DeleteEventDataStore", "RestoreEventDataStore"):
        record = looked_up(shared_server, name)[-1]
        assert record["eventSource"] == "cloudtrail.amazonaws.com" and record["readOnly"] is False
        assert "requestParameters" in record
    created = looked_up(shared_server, "CreateEventDataStore")[-1]
    assert created["requestParameters"]["name"] == "my-store"
    assert created["responseElements"]["eventDataStoreArn"] == arn


def test_bad_input_has_the_codes_of_aws(cloudtrail, store):
    create, update = cloudtrail.create_event_data_store, cloudtrail.update_event_data_store
    name = cloudtrail.get_event_data_store(EventDataStore=store)["Name"]
    cases = [
        ({"Name": name}, "EventDataStoreAlreadyExistsException"),
        ({"Name": "a"}, "InvalidParameterException"),
        ({"Name": "bad name"}, "InvalidParameterException"),
        ({"Name": "good", "RetentionPeriod": 6}, "InvalidParameterException"),
        ({"Name": "good", "RetentionPeriod": 3654}, "InvalidParameterException"),
        ({"Name": "good", "RetentionPeriod": 2558, "BillingMode": "FIXED_RETENTION_PRICING"},
         "InvalidParameterException"),
        ({"Name": "good", "BillingMode": "FREE"}, "InvalidParameterException"),
        ({"Name": "good", "OrganizationEnabled": True}, "OrganizationsNotInUseException"),
        ({"Name": "good", "AdvancedEventSelectors": of_category("Weather")}, "InvalidEventSelectorsException"),
        ({"Name": "good", "AdvancedEventSelectors": of_category("Insight") + MANAGEMENT},
         "InvalidEventSelectorsException"),
        ({"Name": "good", "AdvancedEventSelectors": MANAGEMENT * 6}, "InvalidEventSelectorsException"),
        ({"Name": "good", "TagsList": [{"Key": "aws:x", "Value": "y"}]}, "InvalidTagParameterException"),
        ({"Name": "good", "KmsKeyId": "alias/mine"}, "KmsKeyNotFoundException"),
    ]
    for arguments, expected in cases:
        assert code(create, **arguments) == expected, arguments
    assert code(update, EventDataStore=store) == "InvalidParameterException"
    assert code(update, EventDataStore=store, BillingMode="FIXED_RETENTION_PRICING") == "InvalidParameterException"
    assert code(update, EventDataStore=store, AdvancedEventSelectors=of_category("Evidence")) == \
        "InvalidEventSelectorsException"
    for named, expected in ((NOBODY, "EventDataStoreNotFoundException"),
                            (NOBODY.rsplit("/")[-1], "EventDataStoreNotFoundException"),
                            ("my-store", "EventDataStoreARNInvalidException"),
                            ("arn:aws:s3:::bucket", "EventDataStoreARNInvalidException")):
        assert code(cloudtrail.get_event_data_store, EventDataStore=named) == expected
        assert code(cloudtrail.delete_event_data_store, EventDataStore=named) == expected


@pytest.mark.parametrize("category", ["Insight", "ConfigurationItem", "Evidence", "ActivityAuditLog"])
def test_each_category_makes_a_store_of_its_own(cloudtrail, category):
    made = cloudtrail.create_event_data_store(
        Name=fresh("category"), AdvancedEventSelectors=of_category(category), TerminationProtectionEnabled=False)
    assert made["AdvancedEventSelectors"] == of_category(category)
    stopped = {"EventDataStore": made["EventDataStoreArn"]}
    if category == "ConfigurationItem":
        cloudtrail.stop_event_data_store_ingestion(**stopped)
    else:
        assert code(cloudtrail.stop_event_data_store_ingestion, **stopped) == "InvalidEventDataStoreCategoryException"
    cloudtrail.delete_event_data_store(**stopped)


def test_lists_have_pages(cloudtrail, store):
    other = cloudtrail.create_event_data_store(Name=fresh("store"), TerminationProtectionEnabled=False)
    whole = cloudtrail.list_event_data_stores()["EventDataStores"]
    assert len(whole) >= 2 and all(set(entry) == {"EventDataStoreArn", "Name"} for entry in whole)
    pages, token = [], {}
    while True:
        page = cloudtrail.list_event_data_stores(MaxResults=1, **token)
        pages += page["EventDataStores"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert pages == whole
    assert code(cloudtrail.list_event_data_stores, MaxResults=1001) == "InvalidMaxResultsException"
    assert code(cloudtrail.list_event_data_stores, NextToken="!!!!") == "InvalidNextTokenException"
    cloudtrail.delete_event_data_store(EventDataStore=other["EventDataStoreArn"])


def test_a_store_has_tags(cloudtrail, store):
    cloudtrail.add_tags(ResourceId=store, TagsList=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    cloudtrail.remove_tags(ResourceId=store, TagsList=[{"Key": "a"}])
    tags = cloudtrail.list_tags(ResourceIdList=[store])["ResourceTagList"]
    assert tags == [{"ResourceId": store, "TagsList": [{"Key": "b", "Value": "2"}]}]
    assert code(cloudtrail.add_tags, ResourceId=NOBODY, TagsList=[{"Key": "a"}]) == "EventDataStoreNotFoundException"
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
    assert code(cloudtrail.add_tags, ResourceId=store, TagsList=many) == "TagsLimitExceededException"


def test_the_callers_policies_decide(shared_server, iam, cloudtrail, store):
    _, nobody = person(iam)
    _, reader = person(iam, allow("cloudtrail:GetEventDataStore", store))
    _, tagged = person(iam, allow("cloudtrail:GetEventDataStore", condition={
        "StringEquals": {"aws:ResourceTag/team": "audit"}}))
    client = lambda who: shared_server.client("cloudtrail", **who)  # noqa: E731
    for call in ("get_event_data_store", "delete_event_data_store", "stop_event_data_store_ingestion"):
        assert code(getattr(client(nobody), call), EventDataStore=store) == "AccessDeniedException"
    assert code(client(nobody).create_event_data_store, Name="mine") == "AccessDeniedException"
    assert client(reader).get_event_data_store(EventDataStore=store)["EventDataStoreArn"] == store
    assert code(client(reader).update_event_data_store, EventDataStore=store, RetentionPeriod=7) == \
        "AccessDeniedException"
    assert code(client(tagged).get_event_data_store, EventDataStore=store) == "AccessDeniedException"
    cloudtrail.add_tags(ResourceId=store, TagsList=[{"Key": "team", "Value": "audit"}])
    assert client(tagged).get_event_data_store(EventDataStore=store)["EventDataStoreArn"] == store
    denied = [r for r in looked_up(shared_server, "DeleteEventDataStore") if r.get("errorCode") == "AccessDenied"]
    assert denied and denied[0]["requestParameters"] == {"eventDataStore": store}


def test_a_store_has_one_arn(shared_server, iam, cloudtrail, store):
    """A policy names it as it is, so that no other spelling may reach it."""
    prefix, name = store.rsplit("/", 1)
    _, kept_out = person(iam, allow("cloudtrail:*"), deny("cloudtrail:*", store))
    client = shared_server.client("cloudtrail", **kept_out)
    tags = [{"Key": "team", "Value": "audit"}]
    for other in (f"{prefix}/{name.upper()}", store.replace("arn:aws:", "arn:aws-cn:")):
        assert code(client.get_event_data_store, EventDataStore=other) == "EventDataStoreARNInvalidException"
        assert code(client.add_tags, ResourceId=other, TagsList=tags) == "EventDataStoreARNInvalidException"
        text = policy(statement(other, f"arn:aws:iam::{ACCOUNT}:root"))
        assert code(cloudtrail.put_resource_policy, ResourceArn=other, ResourcePolicy=text) == \
            "ResourceARNNotValidException"
    assert code(client.get_event_data_store, EventDataStore=name.upper()) == "AccessDeniedException"


def statement(arn, principal, action="cloudtrail:GetEventDataStore", effect="Allow"):
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": arn}


def test_a_resource_policy_is_put_shown_and_deleted(cloudtrail, store):
    text = policy(statement(store, f"arn:aws:iam::{ACCOUNT}:root"))
    assert code(cloudtrail.get_resource_policy, ResourceArn=store) == "ResourcePolicyNotFoundException"
    put = cloudtrail.put_resource_policy(ResourceArn=store, ResourcePolicy=text)
    assert put["ResourcePolicy"] == text and put["ResourceArn"] == store
    assert cloudtrail.get_resource_policy(ResourceArn=store)["ResourcePolicy"] == text
    bad = [
        "{", "x" * 9000,
        policy(statement(NOBODY, f"arn:aws:iam::{ACCOUNT}:root")),
        policy(statement(store, f"arn:aws:iam::{ACCOUNT}:root", action="s3:GetObject")),
        policy(statement(store, f"arn:aws:iam::{ACCOUNT}:user/is-not-there")),
        policy({"Effect": "Allow", "Action": "cloudtrail:StartQuery", "Resource": store}),
        # What no store's policy can grant, what is for the store's owner, and an account that is not there.
        policy(statement(store, f"arn:aws:iam::{ACCOUNT}:root", action="cloudtrail:CreateEventDataStore")),
        policy(statement(store, f"arn:aws:iam::{ACCOUNT}:root", action="cloudtrail:CreateTrail", effect="Deny")),
        policy(statement(store, f"arn:aws:iam::{ACCOUNT}:root", action="cloudtrail:DeleteEventDataStore")),
        policy(statement(store, "arn:aws:iam::999999999999:root")),
        policy(statement(store, ["999999999999", ACCOUNT])),
    ]
    for text in bad:
        assert code(cloudtrail.put_resource_policy, ResourceArn=store, ResourcePolicy=text) == \
            "ResourcePolicyNotValidException", text[:80]
    cloudtrail.delete_resource_policy(ResourceArn=store)
    assert code(cloudtrail.delete_resource_policy, ResourceArn=store) == "ResourcePolicyNotFoundException"
    for arn, expected in ((NOBODY, "ResourceNotFoundException"), ("my-store", "ResourceARNNotValidException"),
                          (f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/t", "ResourceTypeNotSupportedException")):
        assert code(cloudtrail.get_resource_policy, ResourceArn=arn) == expected


def test_a_resource_policy_lets_in_and_keeps_out_within_the_account(shared_server, iam, cloudtrail, store):
    name, inside = person(iam)
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    client = shared_server.client("cloudtrail", **inside)
    cloudtrail.put_resource_policy(ResourceArn=store, ResourcePolicy=policy(statement(store, arn)))
    assert client.get_event_data_store(EventDataStore=store)["EventDataStoreArn"] == store
    # Whoever is made under the name later is somebody else.
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    _, second = person(iam, name=name)
    assert code(shared_server.client("cloudtrail", **second).get_event_data_store, EventDataStore=store) == \
        "AccessDeniedException"
    assert arn not in cloudtrail.get_resource_policy(ResourceArn=store)["ResourcePolicy"]
    other, able = person(iam, allow("cloudtrail:*"))
    kept_out = policy(statement(store, f"arn:aws:iam::{ACCOUNT}:user/{other}", effect="Deny"))
    cloudtrail.put_resource_policy(ResourceArn=store, ResourcePolicy=kept_out)
    assert code(shared_server.client("cloudtrail", **able).get_event_data_store, EventDataStore=store) == \
        "AccessDeniedException"


def test_an_organization_shares_its_stores_with_who_administers_them(server):
    accounts = Accounts(server)
    accounts.trust_cloudtrail()
    member, delegate = accounts.make("member"), accounts.make("delegate")
    management = accounts.client("management", "cloudtrail")
    made = management.create_event_data_store(
        Name="organization", OrganizationEnabled=True, TerminationProtectionEnabled=False)
    arn = made["EventDataStoreArn"]
    assert made["OrganizationEnabled"] and f":{ACCOUNT}:" in arn
    inside = accounts.client("member", "cloudtrail")
    assert code(inside.get_event_data_store, EventDataStore=arn) == "AccessDeniedException"
    assert inside.list_event_data_stores()["EventDataStores"] == []
    assert code(inside.create_event_data_store, Name="mine", OrganizationEnabled=True) == \
        "NotOrganizationMasterAccountException"

    # The store's policy and the other account's own policies together let a stranger in.
    text = policy(statement(arn, f"arn:aws:iam::{member}:root"))
    management.put_resource_policy(ResourceArn=arn, ResourcePolicy=text)
    assert inside.get_event_data_store(EventDataStore=arn)["Name"] == "organization"
    assert code(inside.delete_event_data_store, EventDataStore=arn) == "AccessDeniedException"
    records = looked_up(server, "GetEventDataStore")
    shared = [record for record in records if record.get("sharedEventID")]
    assert shared and shared[0]["userIdentity"]["accountId"] == member
    missing = arn[:-36] + "00000000-0000-4000-8000-000000000000"
    assert code(inside.get_event_data_store, EventDataStore=missing) == "AccessDeniedException"

    management.register_organization_delegated_admin(MemberAccountId=delegate)
    helper = accounts.client("delegate", "cloudtrail")
    assert helper.get_event_data_store(EventDataStore=arn)["EventDataStoreArn"] == arn
    assert [entry["Name"] for entry in helper.list_event_data_stores()["EventDataStores"]] == ["organization"]
    changed = helper.update_event_data_store(EventDataStore=arn, RetentionPeriod=30)
    assert changed["RetentionPeriod"] == 30
    assert code(helper.update_event_data_store, EventDataStore=arn, OrganizationEnabled=False) == \
        "NotOrganizationMasterAccountException"
    theirs = helper.create_event_data_store(Name="by-delegate", OrganizationEnabled=True)
    assert f":{ACCOUNT}:" in theirs["EventDataStoreArn"]
    helper.delete_event_data_store(EventDataStore=arn)
    assert management.get_event_data_store(EventDataStore=arn)["Status"] == "PENDING_DELETION"


def test_stores_are_what_they_were_after_a_kill(server):
    cloudtrail = server.client("cloudtrail")
    arn = cloudtrail.create_event_data_store(Name="kept", RetentionPeriod=8)["EventDataStoreArn"]
    cloudtrail.put_resource_policy(
        ResourceArn=arn, ResourcePolicy=policy(statement(arn, f"arn:aws:iam::{ACCOUNT}:root")))
    before = cloudtrail.get_event_data_store(EventDataStore=arn)
    server.kill()
    server.start()
    after = eventually(lambda: server.client("cloudtrail").get_event_data_store(EventDataStore=arn))
    assert {k: v for k, v in after.items() if k != "ResponseMetadata"} == \
        {k: v for k, v in before.items() if k != "ResponseMetadata"}
    text = server.client("cloudtrail").get_resource_policy(ResourceArn=arn)["ResourcePolicy"]
    assert json.loads(text)["Statement"][0]["Resource"] == arn


def test_a_policy_that_denies_everything_does_not_bind_the_root(cloudtrail, store):
    everyone = policy(statement(store, "*", action="cloudtrail:*", effect="Deny"))
    cloudtrail.put_resource_policy(ResourceArn=store, ResourcePolicy=everyone)
    assert code(cloudtrail.get_event_data_store, EventDataStore=store) == "AccessDeniedException"
    cloudtrail.delete_resource_policy(ResourceArn=store)
    assert cloudtrail.get_event_data_store(EventDataStore=store)["EventDataStoreArn"] == store
