"""MFA delete: set by root with a device, and versions then go only with a code, which is good once."""

import datetime

import pytest
from botocore.exceptions import ClientError

import conformance
from authenticator import give
from identity import EVERYTHING, allow, code, fresh, person, refused, session
from server import ACCOUNT, REGION, eventually, own_bucket
from trail import bucket_policy, keys

# In S3's list of error codes (API reference, "Error responses").
conformance.COMMON_ERRORS["s3"] |= {"NotDeviceOwnerError"}

NO_CODE = ("AccessDenied", "Mfa Authentication must be used for this request")
ENABLED = {"Status": "Enabled", "MFADelete": "Enabled"}


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3, request):
    name = own_bucket("m", request)
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def phone(server):
    """A device of the root user, taken away again after the test: root has room for eight."""
    iam = server.client("iam")
    made = give(iam, "root", fresh("root-phone"))
    yield made
    iam.deactivate_mfa_device(UserName="root", SerialNumber=made.serial)


def mfa(phone):
    return f"{phone.serial} {phone.fresh()}"


def test_the_seeds_command_and_what_it_protects(server, s3, bucket, phone):
    """`aws s3api put-bucket-versioning … --mfa "SERIAL CODE"`, as the seed has it, and a deletion by the CLI."""
    server.aws(
        "s3api", "put-bucket-versioning", "--bucket", bucket,
        "--versioning-configuration", "Status=Enabled,MFADelete=Enabled", "--mfa", mfa(phone))
    shown = server.aws("s3api", "get-bucket-versioning", "--bucket", bucket)
    assert (shown["Status"], shown["MFADelete"]) == ("Enabled", "Enabled")
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"the log")["VersionId"]
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=version) == NO_CODE
    assert refused(
        s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}) == NO_CODE
    # A delete marker takes nothing away.
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=marker) == NO_CODE
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"the log"
    server.aws(
        "s3api", "delete-object", "--bucket", bucket, "--key", "k", "--version-id", version, "--mfa", mfa(phone))
    assert code(s3.get_object, Bucket=bucket, Key="k", VersionId=version) == "NoSuchVersion"


def test_lifecycle_rules_and_mfa_delete_exclude_each_other(s3, bucket, phone):
    rules = {"Rules": [{"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)
    once = mfa(phone)
    assert code(
        s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=ENABLED, MFA=once) == "InvalidBucketState"
    s3.delete_bucket_lifecycle(Bucket=bucket)
    # What was refused spent nothing.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED, MFA=once)
    assert code(
        s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=rules) == "InvalidBucketState"


def test_a_bucket_says_nothing_of_mfa_delete_before_anyone_set_it(s3, bucket):
    assert "MFADelete" not in s3.get_bucket_versioning(Bucket=bucket)
    # Off is what it is: saying so needs no code (Terraform says it always).
    s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Disabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["MFADelete"] == "Disabled"


def test_only_the_owners_root_sets_it_and_only_with_a_code_of_its_own(server, s3, bucket, phone):
    iam = server.client("iam")
    setting = {"Bucket": bucket, "VersioningConfiguration": ENABLED}
    assert refused(s3.put_bucket_versioning, **setting) == NO_CODE
    name, admin = person(iam, EVERYTHING)
    own = give(iam, name)
    as_admin = server.client("s3", **admin)
    for serial in (own, phone):
        assert refused(as_admin.put_bucket_versioning, MFA=mfa(serial), **setting) == (
            "AccessDenied", "This operation may only be performed by the bucket owner")
    assert code(s3.put_bucket_versioning, MFA=mfa(own), **setting) == "NotDeviceOwnerError"
    nobodys = f"arn:aws:iam::{ACCOUNT}:mfa/absent 123456"
    assert code(s3.put_bucket_versioning, MFA=nobodys, **setting) == "NotDeviceOwnerError"
    for malformed in ("123456", f"{phone.serial} 12345", f"{phone.serial} abcdef", phone.serial):
        assert code(s3.put_bucket_versioning, MFA=malformed, **setting) in ("InvalidRequest", "AccessDenied")
    assert code(s3.put_bucket_versioning, MFA=f"{phone.serial} {phone.wrong()}", **setting) == "AccessDenied"
    assert "MFADelete" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(MFA=mfa(phone), **setting)
    # Whoever may delete everything may not delete a version: the code must be root's.
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    assert code(as_admin.delete_object, Bucket=bucket, Key="k", VersionId=version, MFA=mfa(own)) == "AccessDenied"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"x"


def test_a_code_is_good_once_also_after_a_restart(server, s3, bucket, phone):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED, MFA=mfa(phone))
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2")["VersionId"]
    once = mfa(phone)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first, MFA=once)
    assert code(s3.delete_object, Bucket=bucket, Key="k", VersionId=second, MFA=once) == "AccessDenied"
    server.kill()
    server.start()
    assert code(s3.delete_object, Bucket=bucket, Key="k", VersionId=second, MFA=once) == "AccessDenied"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=second)["Body"].read() == b"2"


def test_many_versions_go_with_one_code_or_not_at_all(server, s3, bucket, phone):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED, MFA=mfa(phone))
    versions = [s3.put_object(Bucket=bucket, Key=key, Body=b"")["VersionId"] for key in "abc"]
    some = {"Objects": [{"Key": key, "VersionId": version} for key, version in zip("ab", versions)] + [{"Key": "c"}]}
    assert refused(s3.delete_objects, Bucket=bucket, Delete=some) == NO_CODE
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 3
    gone = s3.delete_objects(Bucket=bucket, Delete=some, MFA=mfa(phone))
    assert {deleted["Key"] for deleted in gone["Deleted"]} == set("abc") and "Errors" not in gone
    assert [v["Key"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["c"]
    # Without versions named it needs none.
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}]})


def test_root_in_a_session_counts_and_mfa_delete_is_switched_off_with_a_code(server, s3, bucket, phone):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED, MFA=mfa(phone))
    given = server.client("sts").get_session_token()["Credentials"]
    as_root = server.client("s3", **session(given))
    off = {"Status": "Enabled", "MFADelete": "Disabled"}
    assert refused(as_root.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=off) == NO_CODE
    as_root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=off, MFA=mfa(phone))
    assert s3.get_bucket_versioning(Bucket=bucket)["MFADelete"] == "Disabled"
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)


def test_an_administrator_without_mfa_can_write_and_read_as_ever(server, s3, bucket, phone):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED, MFA=mfa(phone))
    _, writer = person(server.client("iam"), allow(["s3:PutObject", "s3:GetObject"], f"arn:aws:s3:::{bucket}/*"))
    mine = server.client("s3", **writer)
    mine.put_object(Bucket=bucket, Key="k", Body=b"1")
    mine.put_object(Bucket=bucket, Key="k", Body=b"2")
    assert mine.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_a_digest_that_was_forestalled_waits_says_why_and_is_delivered_once_it_may(server, s3, bucket, phone):
    """While versioning is suspended nothing is replaced without a code, by CloudTrail no more than by others."""
    s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket))
    cloudtrail = server.client("cloudtrail")
    cloudtrail.create_trail(Name="forestalled", S3BucketName=bucket, EnableLogFileValidation=True)
    cloudtrail.start_logging(Name="forestalled")
    s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended", "MFADelete": "Enabled"}, MFA=mfa(phone))
    digest = eventually(lambda: keys(server, bucket, f"/CloudTrail-Digest/{REGION}/"))[-1]
    start, at = digest[:-len("20260102T030405Z.json.gz")], digest[-len("20260102T030405Z.json.gz"):-len(".json.gz")]
    at, planted = datetime.datetime.strptime(at, "%Y%m%dT%H%M%SZ"), []
    for second in range(1, 31):
        name = f"{start}{at + datetime.timedelta(seconds=second):%Y%m%dT%H%M%SZ}.json.gz"
        if code_of(s3.put_object, Bucket=bucket, Key=name, Body=b"planted") is None:
            planted.append({"Key": name, "VersionId": "null"})

    def error():
        return cloudtrail.get_trail_status(Name="forestalled").get("LatestDigestDeliveryError")

    assert eventually(error) == "AccessDenied"
    held = [key["Key"] for key in planted]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": planted}, MFA=mfa(phone))
    assert len(gone["Deleted"]) == len(planted)
    eventually(lambda: not error())
    assert eventually(lambda: set(held) & set(keys(server, bucket, "/CloudTrail-Digest/")))
    cloudtrail.delete_trail(Name="forestalled")


def code_of(call, **arguments):
    """The error's code; none where the call succeeds."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None
