"""Event selectors: AWS's rules for them, and that a trail gets what they select and nothing else."""

import copy
import uuid

import pytest
from botocore.exceptions import ClientError

from native import put_events, real_records
from server import eventually
from trail import delivered, make_bucket, make_trail

DEFAULT = {
    "ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [],
    "ExcludeManagementEventSources": [],
}
MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}
DATA = {"Field": "eventCategory", "Equals": ["Data"]}
OBJECTS = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}


@pytest.fixture(scope="module")
def cloudtrail(shared_server):
    make_trail(shared_server, "chosen", "chosen-bucket", logging=False)
    return shared_server.client("cloudtrail", parameter_validation=False)


def refused(cloudtrail, **selectors):
    """The message with which selectors are refused."""
    with pytest.raises(ClientError) as refusal:
        cloudtrail.put_event_selectors(TrailName="chosen", **selectors)
    error = refusal.value.response["Error"]
    assert error["Code"] == "InvalidEventSelectorsException", error
    return error["Message"]


def advanced(*fields):
    """One advanced selector of these field selectors."""
    return [{"Name": "one", "FieldSelectors": list(fields)}]


def test_a_new_trail_takes_all_management_events(cloudtrail):
    cloudtrail.put_event_selectors(TrailName="chosen", EventSelectors=[DEFAULT])
    answer = cloudtrail.get_event_selectors(TrailName="chosen")
    assert answer["EventSelectors"] == [DEFAULT] and "AdvancedEventSelectors" not in answer
    assert answer["TrailARN"].endswith(":trail/chosen")
    assert cloudtrail.get_trail(Name="chosen")["Trail"]["HasCustomEventSelectors"] is False


def test_basic_selectors_come_back_as_they_were_put(cloudtrail):
    put = [
        {
            "ReadWriteType": "WriteOnly", "IncludeManagementEvents": True,
            "DataResources": [
                {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::bucket/prefix", "arn:aws:s3"]},
                {"Type": "AWS::Lambda::Function", "Values": ["arn:aws:lambda"]},
                {"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb:us-east-1:123456789012:table/t"]},
            ],
            "ExcludeManagementEventSources": ["kms.amazonaws.com", "rdsdata.amazonaws.com"],
        },
        {**DEFAULT, "ReadWriteType": "ReadOnly"},
    ]
    answer = cloudtrail.put_event_selectors(TrailName="chosen", EventSelectors=put)
    assert answer["EventSelectors"] == put
    assert cloudtrail.get_event_selectors(TrailName="chosen")["EventSelectors"] == put
    assert cloudtrail.get_trail(Name="chosen")["Trail"]["HasCustomEventSelectors"] is True
    answer = cloudtrail.put_event_selectors(TrailName="chosen", EventSelectors=[{}])
    assert answer["EventSelectors"] == [DEFAULT]


def test_advanced_selectors_come_back_as_they_were_put_and_replace_basic_ones(cloudtrail):
    put = [
        {"Name": "management", "FieldSelectors": [MANAGEMENT, {"Field": "readOnly", "Equals": ["false"]}]},
        {"FieldSelectors": [
            DATA, OBJECTS,
            {"Field": "eventName", "Equals": ["PutObject"], "StartsWith": ["Delete"], "EndsWith": ["Upload"]},
            {"Field": "resources.ARN", "NotEquals": ["arn:aws:s3:::b/k"], "NotStartsWith": ["arn:aws:s3:::logs/"],
             "NotEndsWith": [".tmp"]},
        ]},
    ]
    answer = cloudtrail.put_event_selectors(TrailName="chosen", AdvancedEventSelectors=put)
    assert answer["AdvancedEventSelectors"] == put and "EventSelectors" not in answer
    answer = cloudtrail.get_event_selectors(TrailName="chosen")
    assert answer["AdvancedEventSelectors"] == put and "EventSelectors" not in answer
    answer = cloudtrail.put_event_selectors(TrailName="chosen", EventSelectors=[DEFAULT])
    assert "AdvancedEventSelectors" not in answer


@pytest.mark.parametrize("selectors, reason", [
    ({}, "Specify event selectors or"),
    ({"EventSelectors": []}, "Specify event selectors or"),
    ({"EventSelectors": [{}], "AdvancedEventSelectors": advanced(MANAGEMENT)}, "not both"),
    ({"EventSelectors": [{}] * 6}, "number of event selectors"),
    ({"EventSelectors": [{"ReadWriteType": "Sometimes"}]}, "ReadWriteType"),
    ({"EventSelectors": [{"DataResources": [{"Type": "AWS::EC2::Instance", "Values": ["arn:aws:ec2"]}]}]},
     "AWS::EC2::Instance"),
    ({"EventSelectors": [{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["my-bucket/"]}]}]},
     "my-bucket/"),
    ({"EventSelectors": [{"DataResources": [{"Values": ["arn:aws:s3"]}]}]}, "resource type"),
    ({"EventSelectors": [{"ExcludeManagementEventSources": ["iam.amazonaws.com"]}]}, "iam.amazonaws.com"),
    ({"EventSelectors": [{"IncludeManagementEvents": False,
                          "ExcludeManagementEventSources": ["kms.amazonaws.com"]}]}, "IncludeManagementEvents"),
    ({"AdvancedEventSelectors": advanced()}, "at least one field"),
    ({"AdvancedEventSelectors": advanced({"Field": "readOnly", "Equals": ["true"]})}, "eventCategory is required"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, {"Field": "eventname", "Equals": ["X"]})}, "not a valid field"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, MANAGEMENT)}, "more than once"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, {"Field": "eventName"})}, "at least one operator"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, {"Field": "eventName", "Equals": []})}, "at least one value"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, {"Field": "eventName", "Equals": [""]})}, "1 to 2048"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, {"Field": "eventName", "Equals": ["x" * 2049]})}, "1 to 2048"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, OBJECTS)}, "not valid for"),
    ({"AdvancedEventSelectors": advanced(DATA)}, "resources.type is required"),
    ({"AdvancedEventSelectors": advanced(DATA, {"Field": "resources.type", "NotEquals": ["AWS::S3::Object"]})},
     "only the operator Equals"),
    ({"AdvancedEventSelectors": advanced(DATA, {"Field": "resources.type", "Equals": ["objects"]})}, "objects"),
    ({"AdvancedEventSelectors": advanced(MANAGEMENT, {"Field": "readOnly", "Equals": ["maybe"]})}, "maybe"),
    ({"AdvancedEventSelectors": advanced({"Field": "eventCategory", "Equals": ["Insight"]})}, "Insight"),
    ({"AdvancedEventSelectors": advanced({"Field": "eventCategory", "StartsWith": ["Man"]})}, "only the operator"),
    ({"AdvancedEventSelectors": [{"Name": "n" * 1001, "FieldSelectors": [MANAGEMENT]}]}, "at most 1000"),
])
def test_selectors_must_keep_awss_rules(cloudtrail, selectors, reason):
    before = cloudtrail.get_event_selectors(TrailName="chosen")
    assert reason in refused(cloudtrail, **selectors)
    after = cloudtrail.get_event_selectors(TrailName="chosen")
    assert {**before, "ResponseMetadata": None} == {**after, "ResponseMetadata": None}


def test_limits(cloudtrail):
    def of_buckets(count):
        values = [f"arn:aws:s3:::bucket-{number}/" for number in range(count)]
        return [{**DEFAULT, "DataResources": [{"Type": "AWS::S3::Object", "Values": values}]}]

    def of_values(count):
        return advanced(MANAGEMENT, {"Field": "eventName", "Equals": [f"Event{n}" for n in range(count - 1)]})

    cloudtrail.put_event_selectors(TrailName="chosen", EventSelectors=of_buckets(250))
    assert "data resources" in refused(cloudtrail, EventSelectors=of_buckets(251))
    cloudtrail.put_event_selectors(TrailName="chosen", AdvancedEventSelectors=of_values(500))
    assert "500" in refused(cloudtrail, AdvancedEventSelectors=of_values(501))
    cloudtrail.put_event_selectors(TrailName="chosen", EventSelectors=[DEFAULT] * 5)


def objects(server, bucket):
    """The data events about objects in a trail's bucket: what was done to which key."""
    records = [r for r in delivered(server, bucket) if r["eventCategory"] == "Data"]
    return {(r["eventName"], r["requestParameters"]["key"]) for r in records}


def settled(server, bucket, marker):
    """Waits until a management event that was caused now is in the trail's bucket."""
    server.client("iam").create_user(UserName=marker)
    eventually(lambda: any(
        r["eventName"] == "CreateUser" and r["requestParameters"]["userName"] == marker
        for r in delivered(server, bucket)
    ))


def test_data_events_of_objects_are_delivered_where_they_are_selected(server):
    make_trail(server, "data", "data-trail")
    s3, cloudtrail = make_bucket(server, "data-bucket"), server.client("cloudtrail")

    def work(round_):
        for folder in ("keep", "skip"):
            s3.put_object(Bucket="data-bucket", Key=f"{folder}/{round_}", Body=b"x")
            s3.get_object(Bucket="data-bucket", Key=f"{folder}/{round_}")
            s3.delete_object(Bucket="data-bucket", Key=f"{folder}/{round_}")

    work("unselected")
    settled(server, "data-trail", "first")
    assert objects(server, "data-trail") == set()

    cloudtrail.put_event_selectors(TrailName="data", EventSelectors=[{
        "ReadWriteType": "WriteOnly", "IncludeManagementEvents": True,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::data-bucket/keep/"]}],
    }])
    work("basic")
    settled(server, "data-trail", "second")
    basic = {("PutObject", "keep/basic"), ("DeleteObject", "keep/basic")}
    assert objects(server, "data-trail") == basic

    cloudtrail.put_event_selectors(TrailName="data", AdvancedEventSelectors=[
        {"FieldSelectors": [MANAGEMENT]},
        {"FieldSelectors": [
            DATA, OBJECTS, {"Field": "eventName", "Equals": ["GetObject"], "StartsWith": ["Delete"]},
            {"Field": "resources.ARN", "NotStartsWith": ["arn:aws:s3:::data-bucket/skip/"]},
        ]},
    ])
    work("advanced")
    settled(server, "data-trail", "third")
    fine = {("GetObject", "keep/advanced"), ("DeleteObject", "keep/advanced")}
    of_bucket = {item for item in objects(server, "data-trail") if not item[1].startswith("AWSLogs/")}
    assert of_bucket == basic | fine

    cloudtrail.put_event_selectors(TrailName="data", EventSelectors=[DEFAULT])
    work("off")
    settled(server, "data-trail", "fourth")
    assert not any(key.endswith("/off") for _, key in objects(server, "data-trail"))


def fresh(records):
    """Copies of records that no server has seen."""
    copies = copy.deepcopy(records)
    for record in copies:
        record["eventID"] = str(uuid.uuid4())
    return copies


def test_sources_and_reading_are_left_out_of_management_events_as_asked(server):
    make_trail(server, "sources", "sources-bucket")
    cloudtrail = server.client("cloudtrail")
    management = [r for r in real_records() if r["eventCategory"] == "Management"]
    kms = [r for r in management if r["eventSource"] == "kms.amazonaws.com"][:20]
    ec2 = [r for r in management if r["eventSource"] == "ec2.amazonaws.com"][:20]
    writes = [r for r in management if not r["readOnly"] and r["eventSource"] == "iam.amazonaws.com"][:5]
    assert len(kms) == len(ec2) == 20 and writes

    def taken(selectors, marker):
        """Which of fresh copies of the records the trail takes."""
        cloudtrail.put_event_selectors(TrailName="sources", **selectors)
        sent = {name: fresh(records) for name, records in (("kms", kms), ("ec2", ec2), ("writes", writes))}
        for records in sent.values():
            put_events(server, records)
        settled(server, "sources-bucket", marker)
        ids = {r["eventID"] for r in delivered(server, "sources-bucket")}
        counts = {name: sum(r["eventID"] in ids for r in records) for name, records in sent.items()}
        reading = [r for records in sent.values() for r in records if r["eventID"] in ids and r["readOnly"]]
        return counts, len(reading)

    everything = {"kms": 20, "ec2": 20, "writes": len(writes)}
    assert taken({"EventSelectors": [DEFAULT]}, "all")[0] == everything
    excluding = {**DEFAULT, "ExcludeManagementEventSources": ["kms.amazonaws.com"]}
    assert taken({"EventSelectors": [excluding]}, "no-kms")[0] == {**everything, "kms": 0}
    counts, reading = taken({"EventSelectors": [{**DEFAULT, "ReadWriteType": "WriteOnly"}]}, "writing")
    assert counts["writes"] == len(writes) and reading == 0
    by_source = advanced(MANAGEMENT, {"Field": "eventSource", "NotEquals": ["ec2.amazonaws.com"]})
    assert taken({"AdvancedEventSelectors": by_source}, "no-ec2")[0] == {**everything, "ec2": 0}


def test_data_events_from_elsewhere_are_selected_alike(server):
    make_trail(server, "imported", "imported-bucket")
    data = [r for r in real_records() if r["eventCategory"] == "Data"]
    buckets = {r["requestParameters"]["bucketName"] for r in data if r["eventName"] == "GetObject"}
    chosen = sorted(buckets)[0]
    server.client("cloudtrail").put_event_selectors(TrailName="imported", AdvancedEventSelectors=[
        {"FieldSelectors": [MANAGEMENT]},
        {"FieldSelectors": [
            DATA, OBJECTS, {"Field": "eventName", "Equals": ["GetObject"]},
            {"Field": "resources.ARN", "StartsWith": [f"arn:aws:s3:::{chosen}/"]},
        ]},
    ])
    put_events(server, data)
    settled(server, "imported-bucket", "done")
    expected = {
        r["eventID"] for r in data
        if r["eventName"] == "GetObject" and any(
            x.get("type") == "AWS::S3::Object" and x.get("ARN", "").startswith(f"arn:aws:s3:::{chosen}/")
            for x in r["resources"]
        )
    }
    assert expected

    def there():
        return {r["eventID"] for r in delivered(server, "imported-bucket") if r["eventCategory"] == "Data"}

    eventually(lambda: there() == expected)
