"""Trails: their life, AWS's rules about them, what they deliver and what their status says."""

import datetime
import gzip
import hashlib
import json
import re

import botocore.session
import pytest
from botocore.exceptions import ClientError

from native import call as native_call
from server import ACCOUNT, REGION, eventually
from trail import bucket_policy, delivered, keys, make_bucket, make_trail

# What CloudTrail has and opentrail does not.
UNSERVED = {
    "CreateDashboard", "DeleteDashboard", "GetDashboard", "GetEventConfiguration", "ListDashboards", "ListInsightsData",
    "ListInsightsMetricData", "PutEventConfiguration", "PutInsightSelectors", "StartDashboardRefresh", "UpdateDashboard",
}


def refused(call, *arguments, **parameters):
    """The code with which a call is refused."""
    with pytest.raises(ClientError) as refusal:
        call(*arguments, **parameters)
    return refusal.value.response["Error"]["Code"]


def message(call, **parameters):
    with pytest.raises(ClientError) as refusal:
        call(**parameters)
    return refusal.value.response["Error"]["Message"]


def arn(name, region=REGION, account=ACCOUNT):
    return f"arn:aws:cloudtrail:{region}:{account}:trail/{name}"


def trails_of(server, region):
    """A client of a region whose trails no other test touches, and a bucket they may write to."""
    bucket = f"bucket-of-{region}"
    make_bucket(server, bucket, region=region)
    return server.client("cloudtrail", region=region, parameter_validation=False), bucket


def policy_of_prefixes(bucket, *prefixes):
    """The policy of a bucket that trails may write to under each of the prefixes."""
    policy = {"Version": "2012-10-17", "Statement": []}
    for prefix in prefixes:
        for statement in json.loads(bucket_policy(bucket, prefix=prefix))["Statement"]:
            del statement["Sid"]
            policy["Statement"].append(statement)
    return json.dumps(policy)


def make_user(server, name, statements):
    """An IAM user with these policy statements; answers what ``Server.client`` needs to be that user."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def test_the_life_of_a_trail_with_the_aws_cli(server):
    server.aws("s3api", "create-bucket", "--bucket", "life-bucket")
    policy = policy_of_prefixes("life-bucket", "", "logs")
    server.aws("s3api", "put-bucket-policy", "--bucket", "life-bucket", "--policy", policy)
    made = server.aws(
        "cloudtrail", "create-trail", "--name", "life", "--s3-bucket-name", "life-bucket",
        "--tags-list", "Key=team,Value=audit",
    )
    assert made == {
        "Name": "life", "S3BucketName": "life-bucket", "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": False, "TrailARN": arn("life"), "LogFileValidationEnabled": False,
        "IsOrganizationTrail": False,
    }
    seen = {**made, "HomeRegion": REGION, "HasCustomEventSelectors": False, "HasInsightSelectors": False}
    assert server.aws("cloudtrail", "get-trail", "--name", "life") == {"Trail": seen}
    assert server.aws("cloudtrail", "describe-trails") == {"trailList": [seen]}
    assert server.aws("cloudtrail", "list-trails") == {
        "Trails": [{"TrailARN": arn("life"), "Name": "life", "HomeRegion": REGION}]
    }

    changed = server.aws(
        "cloudtrail", "update-trail", "--name", "life", "--s3-key-prefix", "logs",
        "--is-multi-region-trail", "--enable-log-file-validation",
    )
    assert changed["S3KeyPrefix"] == "logs"
    assert changed["IsMultiRegionTrail"] and changed["LogFileValidationEnabled"]
    server.aws("cloudtrail", "start-logging", "--name", "life")
    status = server.aws("cloudtrail", "get-trail-status", "--name", "life")
    assert status["IsLogging"] is True and status["TimeLoggingStarted"] and "StartLoggingTime" in status
    server.aws("cloudtrail", "stop-logging", "--name", arn("life"))
    status = server.aws("cloudtrail", "get-trail-status", "--name", "life")
    assert status["IsLogging"] is False and status["TimeLoggingStopped"] and "StopLoggingTime" in status
    back = server.aws("cloudtrail", "update-trail", "--name", "life", "--s3-key-prefix", "")
    assert "S3KeyPrefix" not in back

    server.aws("cloudtrail", "delete-trail", "--name", "life")
    assert server.aws("cloudtrail", "get-trail", "--name", "life", ok=False) == "TrailNotFoundException"
    assert server.aws("cloudtrail", "describe-trails") == {"trailList": []}


def test_what_is_done_to_a_trail_is_recorded_as_aws_does(server):
    make_trail(server, "recorded", "recorded-bucket")
    cloudtrail = server.client("cloudtrail")
    assert refused(cloudtrail.create_trail, Name="recorded", S3BucketName="recorded-bucket") == (
        "TrailAlreadyExistsException"
    )

    def record(name, failed=False):
        found = cloudtrail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}]
        )["Events"]
        found = [json.loads(event["CloudTrailEvent"]) for event in found]
        return next((r for r in found if ("errorCode" in r) == failed), None)

    made = eventually(lambda: record("CreateTrail"))
    assert made["eventSource"] == "cloudtrail.amazonaws.com" and made["awsRegion"] == REGION
    assert made["readOnly"] is False and made["managementEvent"] is True
    assert made["requestParameters"] == {
        "name": "recorded", "s3BucketName": "recorded-bucket", "isMultiRegionTrail": True,
        "enableLogFileValidation": True,
    }
    assert made["responseElements"]["trailARN"] == arn("recorded")
    assert made["responseElements"]["logFileValidationEnabled"] is True
    assert eventually(lambda: record("StartLogging"))["requestParameters"] == {"name": arn("recorded")}
    failed = eventually(lambda: record("CreateTrail", failed=True))
    assert failed["errorCode"] == "TrailAlreadyExistsException" and failed["errorMessage"]
    assert "responseElements" not in failed or failed["responseElements"] is None


@pytest.mark.parametrize("name, rule", [
    ("", "cannot be blank"),
    ("ab", "too short"),
    ("a" * 129, "too long"),
    ("my trail", "can only contain"),
    ("trail/x", "can only contain"),
    ("tr\u00e4il", "can only contain"),
    ("-trail", "starts with"),
    ("trail.", "ends with"),
    ("my--trail", "adjacent"),
    ("my-_trail", "adjacent"),
    ("my..trail", "adjacent"),
    ("192.168.5.4", "IP address"),
    (None, "cannot be blank"),
])
def test_a_name_must_keep_awss_rules(shared_server, name, rule):
    cloudtrail = shared_server.client("cloudtrail", parameter_validation=False)
    named = {} if name is None else {"Name": name}
    with pytest.raises(ClientError) as refusal:
        cloudtrail.create_trail(S3BucketName="no-such-bucket", **named)
    error = refusal.value.response["Error"]
    assert error["Code"] == "InvalidTrailNameException" and rule in error["Message"]


@pytest.mark.parametrize("bucket, code", [
    ("", "InvalidS3BucketNameException"),
    ("ab", "InvalidS3BucketNameException"),
    ("Upper-Case", "InvalidS3BucketNameException"),
    ("under_score", "InvalidS3BucketNameException"),
    ("a" * 64, "InvalidS3BucketNameException"),
    ("10.0.0.1", "InvalidS3BucketNameException"),
    ("nobody-made-this-bucket", "S3BucketDoesNotExistException"),
])
def test_the_bucket_must_be_one(shared_server, bucket, code):
    cloudtrail = shared_server.client("cloudtrail", parameter_validation=False)
    assert refused(cloudtrail.create_trail, Name="bucketless", S3BucketName=bucket) == code
    assert refused(cloudtrail.get_trail, Name="bucketless") == "TrailNotFoundException"


def test_the_bucket_must_let_cloudtrail_write(shared_server):
    cloudtrail = shared_server.client("cloudtrail")
    s3 = shared_server.client("s3")
    s3.create_bucket(Bucket="policy-bucket")
    wrong = "InsufficientS3BucketPolicyException"

    def create(**options):
        return refused(cloudtrail.create_trail, Name="policy-trail", S3BucketName="policy-bucket", **options)

    def put(policy):
        s3.put_bucket_policy(Bucket="policy-bucket", Policy=policy)

    assert create() == wrong
    put(bucket_policy("policy-bucket", trail="another-trail"))
    assert create() == wrong
    put(bucket_policy("policy-bucket", region="eu-north-1"))
    assert create() == wrong
    put(bucket_policy("policy-bucket", account="210987654321"))
    assert create() == wrong
    put(bucket_policy("policy-bucket", prefix="logs"))
    assert create() == wrong
    assert create(S3KeyPrefix="other") == wrong
    without_acl = json.loads(bucket_policy("policy-bucket"))
    del without_acl["Statement"][0]
    put(json.dumps(without_acl))
    assert create() == wrong
    put(bucket_policy("policy-bucket", prefix="logs"))
    cloudtrail.create_trail(Name="policy-trail", S3BucketName="policy-bucket", S3KeyPrefix="logs")
    assert refused(cloudtrail.update_trail, Name="policy-trail", S3KeyPrefix="elsewhere") == wrong
    assert refused(cloudtrail.update_trail, Name="policy-trail", S3BucketName="nobody-made-this") == (
        "S3BucketDoesNotExistException"
    )
    assert cloudtrail.get_trail(Name="policy-trail")["Trail"]["S3KeyPrefix"] == "logs"
    cloudtrail.delete_trail(Name="policy-trail")


def test_what_is_not_served_is_refused_and_nothing_is_made(shared_server):
    cloudtrail, bucket = trails_of(shared_server, "eu-north-1")
    key = f"arn:aws:kms:eu-north-1:{ACCOUNT}:key/85b4ab0e-eee7-4450-adba-82137e39764c"
    group = f"arn:aws:logs:eu-north-1:{ACCOUNT}:log-group:audit:*"
    role = f"arn:aws:iam::{ACCOUNT}:role/logs"
    unserved = [
        ({"SnsTopicName": "topic"}, "InsufficientSnsTopicPolicyException"),
        ({"KmsKeyId": key}, "KmsKeyNotFoundException"),
        ({"CloudWatchLogsLogGroupArn": group, "CloudWatchLogsRoleArn": role},
         "InvalidCloudWatchLogsLogGroupArnException"),
        ({"CloudWatchLogsRoleArn": role}, "InvalidCloudWatchLogsRoleArnException"),
        ({"IsOrganizationTrail": True}, "OrganizationsNotInUseException"),
        ({"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False},
         "InvalidParameterCombinationException"),
        ({"S3KeyPrefix": "p" * 201}, "InvalidS3PrefixException"),
    ]
    for options, code in unserved:
        assert refused(cloudtrail.create_trail, Name="unserved", S3BucketName=bucket, **options) == code
    assert cloudtrail.describe_trails()["trailList"] == []
    cloudtrail.create_trail(Name="served", S3BucketName=bucket, KmsKeyId="", SnsTopicName="")
    assert cloudtrail.update_trail(Name="served", RecursiveLogging=False)["RecursiveLogging"] is False
    assert "RecursiveLogging" not in cloudtrail.update_trail(Name="served", RecursiveLogging=True)
    for options, code in unserved:
        assert refused(cloudtrail.update_trail, Name="served", **options) == code
    assert refused(cloudtrail.create_trail, Name=7, S3BucketName=bucket) == "SerializationException"
    assert refused(cloudtrail.create_trail, Name="served", S3BucketName=bucket, IsMultiRegionTrail="yes") == (
        "SerializationException"
    )


def test_a_region_has_five_trails_and_multi_region_trails_count_everywhere(server):
    cloudtrail, bucket = trails_of(server, "sa-east-1")
    for number in range(4):
        cloudtrail.create_trail(Name=f"local-{number}", S3BucketName=bucket)
    full = "MaximumNumberOfTrailsExceededException"
    neighbour, other_bucket = trails_of(server, "me-south-1")
    neighbour.create_trail(Name="everywhere", S3BucketName=other_bucket, IsMultiRegionTrail=True)
    assert refused(cloudtrail.create_trail, Name="sixth", S3BucketName=bucket) == full
    neighbour.update_trail(Name="everywhere", IsMultiRegionTrail=False)
    cloudtrail.create_trail(Name="fifth", S3BucketName=bucket)
    not_there = refused(neighbour.update_trail, Name="everywhere", IsMultiRegionTrail=True)
    assert not_there == "OperationNotPermittedException"
    assert refused(neighbour.create_trail, Name="all", S3BucketName=other_bucket, IsMultiRegionTrail=True) == full
    assert refused(cloudtrail.create_trail, Name="local-1", S3BucketName=bucket) == "TrailAlreadyExistsException"
    cloudtrail.delete_trail(Name="fifth")
    neighbour.update_trail(Name="everywhere", IsMultiRegionTrail=True)


def named_calls(cloudtrail):
    """Every operation that names one trail."""
    selectors = [{"ReadWriteType": "All"}]
    return [
        lambda name: cloudtrail.get_trail(Name=name),
        lambda name: cloudtrail.get_trail_status(Name=name),
        lambda name: cloudtrail.start_logging(Name=name),
        lambda name: cloudtrail.stop_logging(Name=name),
        lambda name: cloudtrail.update_trail(Name=name, EnableLogFileValidation=True),
        lambda name: cloudtrail.delete_trail(Name=name),
        lambda name: cloudtrail.get_event_selectors(TrailName=name),
        lambda name: cloudtrail.put_event_selectors(TrailName=name, EventSelectors=selectors),
        lambda name: cloudtrail.get_insight_selectors(TrailName=name),
    ]


def test_an_unknown_trail_is_not_found_by_any_operation(shared_server):
    cloudtrail = shared_server.client("cloudtrail")
    for call in named_calls(cloudtrail):
        assert refused(call, "unknown") == "TrailNotFoundException"
        assert refused(call, arn("unknown")) == "TrailNotFoundException"
        assert refused(call, arn("unknown", account="210987654321")) == "TrailNotFoundException"
        assert refused(call, "no spaces please") == "InvalidTrailNameException"
        assert refused(call, "arn:aws:s3:::bucket") == "CloudTrailARNInvalidException"
        assert refused(call, f"arn:aws:cloudtrail:{REGION}:12345:trail/short") == "CloudTrailARNInvalidException"
    assert cloudtrail.describe_trails(trailNameList=["unknown"])["trailList"] == []
    assert refused(cloudtrail.describe_trails, trailNameList=["arn:aws:cloudtrail:x"]) == (
        "CloudTrailARNInvalidException"
    )


def test_a_multi_region_trail_has_shadows_that_only_its_home_changes(shared_server):
    home, bucket = trails_of(shared_server, "eu-west-1")
    away = shared_server.client("cloudtrail", region="us-west-2")
    home.create_trail(Name="everywhere", S3BucketName=bucket, IsMultiRegionTrail=True)
    home.create_trail(Name="at-home", S3BucketName=bucket)

    shadow, = away.describe_trails()["trailList"]
    assert shadow["TrailARN"] == arn("everywhere", "eu-west-1") and shadow["HomeRegion"] == "eu-west-1"
    assert away.describe_trails(includeShadowTrails=False)["trailList"] == []
    assert [t["Name"] for t in home.describe_trails(includeShadowTrails=False)["trailList"]] == [
        "at-home", "everywhere"
    ]
    assert away.describe_trails(trailNameList=["everywhere"])["trailList"] == []
    by_arn = away.describe_trails(trailNameList=[arn("everywhere", "eu-west-1"), arn("at-home", "eu-west-1")])
    assert [t["Name"] for t in by_arn["trailList"]] == ["everywhere"]
    assert away.get_trail(Name=arn("everywhere", "eu-west-1"))["Trail"]["HomeRegion"] == "eu-west-1"
    assert away.get_trail_status(Name=arn("everywhere", "eu-west-1"))["IsLogging"] is False
    assert refused(away.get_trail_status, Name="everywhere") == "TrailNotFoundException"

    changes = [
        lambda name: away.start_logging(Name=name),
        lambda name: away.stop_logging(Name=name),
        lambda name: away.update_trail(Name=name, EnableLogFileValidation=True),
        lambda name: away.delete_trail(Name=name),
        lambda name: away.put_event_selectors(TrailName=name, EventSelectors=[{"ReadWriteType": "All"}]),
    ]
    for change in changes:
        assert refused(change, arn("everywhere", "eu-west-1")) == "InvalidHomeRegionException"
        assert refused(change, arn("at-home", "eu-west-1")) == "TrailNotFoundException"
    listed = {trail["TrailARN"] for trail in away.list_trails()["Trails"]}
    assert {arn("everywhere", "eu-west-1"), arn("at-home", "eu-west-1")} <= listed
    home.delete_trail(Name="everywhere")


def test_all_trails_of_an_account_are_listed_page_by_page(server):
    made = set()
    for number in range(1, 12):
        region = f"eu-north-{number}"
        cloudtrail, bucket = trails_of(server, region)
        for name in ("one", "two.2", "three_3", "four-4", "five"):
            made.add(cloudtrail.create_trail(Name=name, S3BucketName=bucket)["TrailARN"])
    cloudtrail = server.client("cloudtrail")
    pages = list(cloudtrail.get_paginator("list_trails").paginate())
    assert len(pages) == 2
    listed = [trail["TrailARN"] for page in pages for trail in page["Trails"]]
    assert len(listed) == 55 and set(listed) == made
    assert refused(cloudtrail.list_trails, NextToken="%%%") == "ValidationException"


def test_tags(shared_server):
    cloudtrail, bucket = trails_of(shared_server, "ca-central-1")
    one = cloudtrail.create_trail(
        Name="tagged", S3BucketName=bucket, TagsList=[{"Key": "team", "Value": "audit"}, {"Key": "bare"}]
    )["TrailARN"]
    two = cloudtrail.create_trail(Name="tagged-2", S3BucketName=bucket)["TrailARN"]

    def tags(*arns):
        listed = cloudtrail.list_tags(ResourceIdList=list(arns))["ResourceTagList"]
        return [{tag["Key"]: tag["Value"] for tag in item["TagsList"]} for item in listed]

    assert tags(one, two) == [{"team": "audit", "bare": ""}, {}]
    cloudtrail.add_tags(ResourceId=one, TagsList=[{"Key": "team", "Value": "platform"}, {"Key": "x", "Value": "1"}])
    cloudtrail.remove_tags(ResourceId=one, TagsList=[{"Key": "bare"}, {"Key": "never-there"}])
    assert tags(one) == [{"team": "platform", "x": "1"}]

    many = [{"Key": f"key-{number}", "Value": "v"} for number in range(50)]
    cloudtrail.add_tags(ResourceId=two, TagsList=many)
    assert refused(cloudtrail.add_tags, ResourceId=two, TagsList=[{"Key": "one-more", "Value": "v"}]) == (
        "TagsLimitExceededException"
    )
    cloudtrail.add_tags(ResourceId=two, TagsList=[{"Key": "key-0", "Value": "changed"}])
    assert refused(cloudtrail.create_trail, Name="tagged-3", S3BucketName=bucket, TagsList=[
        *many, {"Key": "one-more", "Value": "v"}
    ]) == "TagsLimitExceededException"

    invalid = "InvalidTagParameterException"
    for tag in ({"Key": "aws:mine"}, {"Key": ""}, {"Key": "k" * 129}, {"Key": "k", "Value": "v" * 257}):
        assert refused(cloudtrail.add_tags, ResourceId=one, TagsList=[tag]) == invalid
    assert refused(cloudtrail.add_tags, ResourceId=one, TagsList=[{"Key": "k"}, {"Key": "k"}]) == invalid

    tag = [{"Key": "k", "Value": "v"}]
    store = f"arn:aws:cloudtrail:ca-central-1:{ACCOUNT}:eventdatastore/3e1b2c7a"
    dashboard = f"arn:aws:cloudtrail:ca-central-1:{ACCOUNT}:dashboard/board"
    for call in (cloudtrail.add_tags, cloudtrail.remove_tags):
        assert refused(call, ResourceId=arn("none", "ca-central-1"), TagsList=tag) == "ResourceNotFoundException"
        assert refused(call, ResourceId="tagged", TagsList=tag) == "CloudTrailARNInvalidException"
        assert refused(call, ResourceId=one.replace("arn:aws:", "arn:aws-cn:"), TagsList=tag) == (
            "CloudTrailARNInvalidException"
        ), "a trail has one ARN, which policies know"
        assert refused(call, ResourceId=store, TagsList=tag) == "EventDataStoreARNInvalidException"
        assert refused(call, ResourceId=dashboard, TagsList=tag) == "ResourceTypeNotSupportedException"
    assert refused(cloudtrail.list_tags, ResourceIdList=[one, arn("none", "ca-central-1")]) == (
        "ResourceNotFoundException"
    )
    assert refused(cloudtrail.list_tags, ResourceIdList=["tagged"]) == "CloudTrailARNInvalidException"
    assert refused(cloudtrail.list_tags, ResourceIdList=[store]) == "EventDataStoreARNInvalidException"
    assert refused(cloudtrail.list_tags, ResourceIdList=[one] * 21) == "ValidationException"
    assert refused(cloudtrail.list_tags, ResourceIdList=[one], NextToken="t") == "InvalidTokenException"


def test_permissions_are_for_one_trail(shared_server):
    cloudtrail, bucket = trails_of(shared_server, "ap-south-1")
    mine, other = (
        cloudtrail.create_trail(Name=name, S3BucketName=bucket)["TrailARN"] for name in ("mine", "other")
    )
    user = make_user(shared_server, "keeper", [
        {"Effect": "Allow", "Action": ["cloudtrail:*Logging", "cloudtrail:ListTags"], "Resource": mine},
        {"Effect": "Allow", "Action": "cloudtrail:DescribeTrails", "Resource": "*"},
    ])
    keeper = shared_server.client("cloudtrail", region="ap-south-1", **user)
    denied = "AccessDeniedException"
    keeper.start_logging(Name="mine")
    keeper.stop_logging(Name=mine)
    keeper.describe_trails()
    keeper.list_tags(ResourceIdList=[mine])
    assert refused(keeper.start_logging, Name="other") == denied
    assert refused(keeper.list_tags, ResourceIdList=[mine, other]) == denied
    assert refused(keeper.get_trail, Name="mine") == denied
    assert refused(keeper.list_trails) == denied
    assert refused(keeper.lookup_events) == denied
    assert refused(keeper.create_trail, Name="third", S3BucketName=bucket) == denied
    text = message(keeper.delete_trail, Name="mine")
    assert f"user/keeper is not authorized to perform: cloudtrail:DeleteTrail on resource: {mine}" in text


def test_what_is_not_there_yet_says_so(shared_server):
    cloudtrail, bucket = trails_of(shared_server, "ap-east-1")
    trail = cloudtrail.create_trail(Name="plain", S3BucketName=bucket)["TrailARN"]
    assert message(cloudtrail.get_insight_selectors, TrailName="plain").startswith(
        f"Trail {trail} does not have Insights enabled."
    )
    assert refused(cloudtrail.get_insight_selectors, TrailName=trail) == "InsightNotEnabledException"
    assert refused(cloudtrail.get_insight_selectors) == "InvalidParameterCombinationException"
    model = botocore.session.get_session().get_service_model("cloudtrail")
    assert UNSERVED < set(model.operation_names)
    for operation in sorted(UNSERVED):
        assert refused(cloudtrail._make_api_call, operation, {}) == "UnsupportedOperationException", operation


def test_public_keys(server):
    make_trail(server, "signed", "signed-bucket")
    eventually(lambda: keys(server, "signed-bucket", "/CloudTrail-Digest/"))
    cloudtrail = server.client("cloudtrail")
    key, = cloudtrail.list_public_keys()["PublicKeyList"]
    assert key["Fingerprint"] == hashlib.md5(key["Value"]).hexdigest()
    now = datetime.datetime.now(datetime.timezone.utc)
    assert key["ValidityStartTime"] <= now <= key["ValidityEndTime"]
    hour = datetime.timedelta(hours=1)
    assert cloudtrail.list_public_keys(StartTime=now - hour, EndTime=now)["PublicKeyList"] == [key]
    long_ago = now - datetime.timedelta(days=1000)
    assert cloudtrail.list_public_keys(StartTime=long_ago, EndTime=long_ago + hour)["PublicKeyList"] == []
    elsewhere = server.client("cloudtrail", region="eu-central-1")
    other, = elsewhere.list_public_keys()["PublicKeyList"]
    assert other["Fingerprint"] != key["Fingerprint"], "a region's keys are its own"
    assert elsewhere.list_public_keys()["PublicKeyList"] == [other], "made once, before there was a digest to sign"
    assert elsewhere.list_public_keys(StartTime=long_ago, EndTime=long_ago + hour)["PublicKeyList"] == []
    assert refused(cloudtrail.list_public_keys, StartTime=now, EndTime=now - hour) == "InvalidTimeRangeException"
    assert refused(cloudtrail.list_public_keys, StartTime=now + hour) == "InvalidTimeRangeException"
    assert refused(cloudtrail.list_public_keys, NextToken="t") == "InvalidTokenException"


def test_the_status_tells_why_a_bucket_gets_nothing_and_that_it_does_again(server):
    trail = make_trail(server, "troubled", "troubled-bucket")
    cloudtrail, s3, iam = server.client("cloudtrail"), server.client("s3"), server.client("iam")

    def status():
        return cloudtrail.get_trail_status(Name=trail)

    good = eventually(lambda: (s := status()).get("LatestDigestDeliveryTime") and s.get("LatestDeliveryTime") and s)
    assert "LatestDeliveryError" not in good and "LatestDigestDeliveryError" not in good
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    for member in ("LatestDeliveryAttemptTime", "LatestDeliveryAttemptSucceeded", "TimeLoggingStarted"):
        assert stamp.fullmatch(good[member]), member
    assert good["TimeLoggingStopped"] == ""

    s3.delete_bucket_policy(Bucket="troubled-bucket")
    iam.create_user(UserName="while-forbidden")
    eventually(lambda: status().get("LatestDeliveryError") == "AccessDenied", timeout=60)
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket="troubled-bucket")
    for page in listed:
        for item in page.get("Contents", []):
            s3.delete_object(Bucket="troubled-bucket", Key=item["Key"])
    s3.delete_bucket(Bucket="troubled-bucket")
    iam.create_user(UserName="while-gone")
    eventually(lambda: status().get("LatestDeliveryError") == "NoSuchBucket", timeout=60)
    assert status()["LatestDeliveryAttemptTime"] > status()["LatestDeliveryAttemptSucceeded"]

    make_bucket(server, "troubled-bucket")
    eventually(lambda: "LatestDeliveryError" not in status(), timeout=90)

    def users():
        records = [r for r in delivered(server, "troubled-bucket") if r["eventName"] == "CreateUser"]
        return sorted(r["requestParameters"]["userName"] for r in records)

    eventually(lambda: users() == ["while-forbidden", "while-gone"], timeout=60)


def test_which_regions_a_trail_takes(server):
    for name, region, options in [
        ("all", "us-east-1", {"IsMultiRegionTrail": True}),
        ("east", "us-east-1", {}),
        ("east-only", "us-east-1", {"IncludeGlobalServiceEvents": False}),
        ("ireland", "eu-west-1", {}),
    ]:
        make_bucket(server, f"{name}-bucket", region=region)
        cloudtrail = server.client("cloudtrail", region=region)
        cloudtrail.create_trail(Name=name, S3BucketName=f"{name}-bucket", **options)
        cloudtrail.start_logging(Name=name)
    server.client("iam").create_user(UserName="global")
    for region in ("us-east-1", "eu-west-1", "ap-southeast-2"):
        server.client("cloudtrail", region=region).list_public_keys()

    def taken(name):
        records = delivered(server, f"{name}-bucket")
        return {
            (r["eventName"], r["awsRegion"]) for r in records if r["eventName"] in ("CreateUser", "ListPublicKeys")
        }

    user = ("CreateUser", "us-east-1")
    east, ireland, sydney = (("ListPublicKeys", r) for r in ("us-east-1", "eu-west-1", "ap-southeast-2"))
    eventually(lambda: taken("all") == {user, east, ireland, sydney})
    eventually(lambda: taken("east") == {user, east})
    eventually(lambda: taken("east-only") == {east})
    eventually(lambda: taken("ireland") == {ireland})
    for key in keys(server, "all-bucket"):
        region = key.split("/CloudTrail/")[1].split("/")[0]
        body = server.client("s3").get_object(Bucket="all-bucket", Key=key)["Body"].read()
        assert {r["awsRegion"] for r in json.loads(gzip.decompress(body))["Records"]} == {region}


def validated(server, trail, started, *more):
    """The real CLI's verdict: digests and log files found valid, and nothing invalid."""
    verdict = server.aws(
        "cloudtrail", "validate-logs", "--trail-arn", trail, "--verbose",
        "--start-time", started.strftime("%Y-%m-%dT%H:%M:%SZ"), *more,
    )
    assert "INVALID" not in verdict, verdict
    digests = re.search(r"(\d+)/\1 digest files valid", verdict)
    logs = re.search(r"(\d+)/\1 log files valid", verdict)
    assert digests and logs, verdict
    return int(digests.group(1)), int(logs.group(1))


def test_what_happens_while_a_trail_is_stopped_is_not_delivered_and_the_chain_stays_valid(server):
    started = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    trail = make_trail(server, "paused", "paused-bucket")
    cloudtrail, iam = server.client("cloudtrail"), server.client("iam")

    def users():
        records = [r for r in delivered(server, "paused-bucket") if r["eventName"] == "CreateUser"]
        return sorted(r["requestParameters"]["userName"] for r in records)

    def digests():
        return len(keys(server, "paused-bucket", "/CloudTrail-Digest/"))

    iam.create_user(UserName="before")
    eventually(lambda: users() == ["before"])
    eventually(lambda: digests() >= 2)
    cloudtrail.stop_logging(Name=trail)
    iam.create_user(UserName="meanwhile")
    while_stopped = digests()
    eventually(lambda: digests() > while_stopped, timeout=60)
    cloudtrail.start_logging(Name=trail)
    iam.create_user(UserName="later")
    eventually(lambda: users() == ["before", "later"])
    restarted = digests()
    eventually(lambda: digests() >= restarted + 2, timeout=60)
    assert "meanwhile" not in users()
    of_digests, of_logs = validated(server, trail, started)
    assert of_digests >= 2 and of_logs >= 1


def test_a_chain_goes_on_where_a_trails_files_go_elsewhere(server):
    started = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    trail = make_trail(server, "moved", "moved-bucket")
    s3, cloudtrail, iam = server.client("s3"), server.client("cloudtrail"), server.client("iam")
    iam.create_user(UserName="before")
    eventually(lambda: len(keys(server, "moved-bucket", "/CloudTrail-Digest/")) >= 2)
    s3.put_bucket_policy(Bucket="moved-bucket", Policy=policy_of_prefixes("moved-bucket", "", "new/home"))
    cloudtrail.update_trail(Name="moved", S3KeyPrefix="new/home")
    iam.create_user(UserName="after")

    def under(prefix, infix):
        return [key for key in keys(server, "moved-bucket", infix) if key.startswith(prefix)]

    eventually(lambda: len(under("new/home/AWSLogs/", "/CloudTrail-Digest/")) >= 2, timeout=30)
    eventually(lambda: under("new/home/AWSLogs/", "/CloudTrail/"))
    of_digests, of_logs = validated(server, trail, started)
    assert of_digests >= 4 and of_logs >= 2
    server.opentrail("validate", "--trail-arn", trail)


def test_the_heads_of_a_trails_chains_are_told_even_after_its_end(server):
    trail = make_trail(server, "chained", "chained-bucket", S3KeyPrefix="")
    eventually(lambda: len(keys(server, "chained-bucket", "/CloudTrail-Digest/")) >= 2)

    def heads(of, **who):
        return native_call(server, "GET", f"/v1/chains?TrailArn={of}", **who)

    answer = heads(trail).json()
    assert answer["TrailArn"] == trail and answer["Bucket"] == "chained-bucket" and "Prefix" not in answer
    head, = (head for head in answer["Heads"] if head["region"] == REGION)
    digests = keys(server, "chained-bucket", "/CloudTrail-Digest/")
    assert head["newest"]["bucket"] == "chained-bucket" and head["newest"]["key"] in digests
    assert head["starts"][0]["key"] == min(digests)

    user = make_user(server, "validator", [
        {"Effect": "Allow", "Action": "opentrail:GetChainHeads", "Resource": trail},
    ])
    assert heads(trail, **user).status_code == 200
    refusals = [
        (heads(arn("other"), **user), 403, "AccessDeniedException"),
        (heads(arn("other")), 400, "TrailNotFoundException"),
        (heads(arn("chained", account="210987654321")), 400, "TrailNotFoundException"),
        (heads("chained"), 400, "CloudTrailARNInvalidException"),
        (native_call(server, "GET", "/v1/chains"), 400, "ValidationException"),
    ]
    for response, status, code in refusals:
        assert (response.status_code, response.headers["x-amzn-errortype"]) == (status, code), response.text

    server.client("cloudtrail").delete_trail(Name=trail)
    answer = heads(trail).json()
    assert "Bucket" not in answer and answer["Heads"]
