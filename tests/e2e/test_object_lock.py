"""Object Lock: of buckets and of versions, in both modes, with legal holds, over boto3 and the AWS CLI."""

import datetime

import pytest

import conformance
from identity import allow, code, deny, person, refused
from server import Server, eventually, own_bucket
from signed import send

conformance.COMMON_ERRORS["s3"] |= {"InvalidBucketAclWithObjectOwnership", "InvalidURI"}

LOCKED = ("AccessDenied", "Access Denied because object protected by object lock.")


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3, request):
    """A bucket with Object Lock, of the test's own."""
    name = own_bucket("l", request)
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
def plain(s3, request):
    """A bucket without."""
    name = own_bucket("p", request)
    s3.create_bucket(Bucket=name)
    return name


def in_days(days):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=days)


def put(s3, bucket, key="k", mode=None, days=1, **more):
    if mode:
        more.update(ObjectLockMode=mode, ObjectLockRetainUntilDate=in_days(days))
    return s3.put_object(Bucket=bucket, Key=key, Body=b"the log", **more)["VersionId"]


def retain(s3, bucket, mode, days, key="k", **more):
    retention = {"Mode": mode, "RetainUntilDate": in_days(days)} if mode else {}
    return s3.put_object_retention(Bucket=bucket, Key=key, Retention=retention, **more)


def default_of(s3, bucket, **retention):
    rule = {"Rule": {"DefaultRetention": retention}} if retention else {}
    return s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
    )


# The bucket


def test_a_bucket_made_with_object_lock_has_versioning_and_keeps_it(s3, bucket):
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    suspend = {"Status": "Suspended"}
    assert code(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=suspend) == "InvalidBucketState"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def test_the_default_retention_is_set_read_and_taken_off(s3, bucket):
    for retention in ({"Mode": "GOVERNANCE", "Days": 1}, {"Mode": "COMPLIANCE", "Years": 7}):
        default_of(s3, bucket, **retention)
        assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == {
            "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention},
        }
    default_of(s3, bucket)
    assert "Rule" not in s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]


def test_object_lock_comes_to_a_bucket_that_is_there_if_it_has_versions(s3, plain):
    assert code(s3.get_object_lock_configuration, Bucket=plain) == "ObjectLockConfigurationNotFoundError"
    enable = {"Bucket": plain, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    assert code(s3.put_object_lock_configuration, **enable) == "InvalidBucketState"
    s3.put_object(Bucket=plain, Key="old", Body=b"from before")
    s3.put_bucket_versioning(Bucket=plain, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(**enable)
    retain(s3, plain, "COMPLIANCE", 1, key="old", VersionId="null")
    # The version from before versioning is locked like any other, and no write takes its place.
    s3.put_object(Bucket=plain, Key="old", Body=b"later")
    assert s3.get_object(Bucket=plain, Key="old", VersionId="null")["Body"].read() == b"from before"
    assert refused(s3.delete_object, Bucket=plain, Key="old", VersionId="null") == LOCKED


@pytest.mark.parametrize("configuration,expected", [
    ({"ObjectLockEnabled": "Disabled"}, "MalformedXML"),
    ({"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}, "MalformedXML"),
    ({"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1, "Years": 1}}, "ObjectLockEnabled": "Enabled"},
     "MalformedXML"),
    ({"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE"}}, "ObjectLockEnabled": "Enabled"}, "MalformedXML"),
    ({"Rule": {"DefaultRetention": {"Days": 1}}, "ObjectLockEnabled": "Enabled"}, "MalformedXML"),
    ({"Rule": {"DefaultRetention": {"Mode": "governance", "Days": 1}}, "ObjectLockEnabled": "Enabled"}, "MalformedXML"),
    ({"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 0}}, "ObjectLockEnabled": "Enabled"}, "InvalidArgument"),
    ({"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": -1}}, "ObjectLockEnabled": "Enabled"},
     "InvalidArgument"),
    ({"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 36501}}, "ObjectLockEnabled": "Enabled"},
     "InvalidArgument"),
])
def test_a_configuration_that_is_none_is_refused(s3, bucket, configuration, expected):
    assert code(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=configuration) == expected
    assert "Rule" not in s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]


def test_a_bucket_without_object_lock_locks_nothing(s3, plain):
    s3.put_object(Bucket=plain, Key="k", Body=b"")
    hold = {"LegalHold": {"Status": "ON"}}
    for call, more in [
        (s3.get_object_retention, {}), (s3.get_object_legal_hold, {}), (s3.put_object_legal_hold, hold),
        (s3.put_object_retention, {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": in_days(1)}}),
        (s3.put_object, {"Body": b"", "ObjectLockLegalHoldStatus": "ON"}),
        (s3.put_object, {"Body": b"", "ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": in_days(1)}),
    ]:
        assert refused(call, Bucket=plain, Key="k", **more) == (
            "InvalidRequest", "Bucket is missing Object Lock Configuration"), call


# Versions


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_locked_version_stays_whoever_deletes_it(s3, bucket, mode):
    version = put(s3, bucket, mode=mode)
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=version) == LOCKED
    many = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
    assert [(error["Code"], error["VersionId"]) for error in many["Errors"]] == [("AccessDenied", version)]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"the log"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == version
    assert code(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"


def test_governance_gives_way_to_who_bypasses_it_and_compliance_to_nobody(s3, bucket):
    loose, strict = put(s3, bucket, "loose", "GOVERNANCE"), put(s3, bucket, "strict", "COMPLIANCE")
    bypass = {"Bucket": bucket, "BypassGovernanceRetention": True}
    assert refused(s3.delete_object, Key="strict", VersionId=strict, **bypass) == LOCKED
    s3.delete_object(Key="loose", VersionId=loose, **bypass)
    assert code(s3.get_object, Bucket=bucket, Key="loose", VersionId=loose) == "NoSuchVersion"
    one, two = put(s3, bucket, "one", "GOVERNANCE"), put(s3, bucket, "two", "COMPLIANCE")
    many = s3.delete_objects(
        Delete={"Objects": [{"Key": "one", "VersionId": one}, {"Key": "two", "VersionId": two}]}, **bypass)
    assert [deleted["Key"] for deleted in many["Deleted"]] == ["one"]
    assert [error["Key"] for error in many["Errors"]] == ["two"]


def test_a_retention_can_get_longer_and_not_shorter(s3, bucket):
    put(s3, bucket, mode="GOVERNANCE", days=5)
    shorter = {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": in_days(2)}}
    assert refused(s3.put_object_retention, Bucket=bucket, Key="k", **shorter) == LOCKED
    retain(s3, bucket, "GOVERNANCE", 6)
    retain(s3, bucket, "GOVERNANCE", 2, BypassGovernanceRetention=True)
    assert s3.get_object_retention(Bucket=bucket, Key="k")["Retention"]["RetainUntilDate"] < in_days(3)

    put(s3, bucket, "c", mode="COMPLIANCE", days=5)
    for mode, days in [("COMPLIANCE", 2), ("GOVERNANCE", 9), (None, 0)]:
        retention = {"Mode": mode, "RetainUntilDate": in_days(days)} if mode else {}
        assert refused(
            s3.put_object_retention, Bucket=bucket, Key="c", Retention=retention, BypassGovernanceRetention=True
        ) == LOCKED, (mode, days)
    retain(s3, bucket, "COMPLIANCE", 6, key="c")


def test_governance_becomes_compliance_or_nothing_only_with_a_bypass(s3, bucket):
    put(s3, bucket, mode="GOVERNANCE")
    strict = {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": in_days(2)}}
    assert refused(s3.put_object_retention, Bucket=bucket, Key="k", **strict) == LOCKED
    s3.put_object_retention(Bucket=bucket, Key="k", BypassGovernanceRetention=True, **strict)
    put(s3, bucket, "free", mode="GOVERNANCE")
    assert refused(s3.put_object_retention, Bucket=bucket, Key="free", Retention={}) == LOCKED
    s3.put_object_retention(Bucket=bucket, Key="free", Retention={}, BypassGovernanceRetention=True)
    assert code(s3.get_object_retention, Bucket=bucket, Key="free") == "NoSuchObjectLockConfiguration"


def test_each_version_has_its_own_retention(s3, bucket):
    first = put(s3, bucket)
    second = put(s3, bucket)
    retain(s3, bucket, "GOVERNANCE", 3, VersionId=first)
    assert s3.get_object_retention(Bucket=bucket, Key="k", VersionId=first)["Retention"]["Mode"] == "GOVERNANCE"
    assert code(s3.get_object_retention, Bucket=bucket, Key="k") == "NoSuchObjectLockConfiguration"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=first) == LOCKED


def test_a_retention_ends(s3, bucket):
    soon = in_days(0) + datetime.timedelta(seconds=10)
    version = s3.put_object(
        Bucket=bucket, Key="k", Body=b"", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=soon)["VersionId"]
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=version) == LOCKED

    def gone():
        try:
            return s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
        except s3.exceptions.ClientError:
            return None
    eventually(gone, timeout=60)
    assert datetime.datetime.now(datetime.timezone.utc) >= soon


def test_a_legal_hold_holds_beside_and_beyond_a_retention(s3, bucket):
    version = put(s3, bucket)
    assert code(s3.get_object_legal_hold, Bucket=bucket, Key="k") == "NoSuchObjectLockConfiguration"
    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(Bucket=bucket, Key="k")["LegalHold"] == {"Status": "ON"}
    assert refused(
        s3.delete_object, Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True) == LOCKED
    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(Bucket=bucket, Key="k")["LegalHold"] == {"Status": "OFF"}
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    put(s3, bucket, "h", ObjectLockLegalHoldStatus="ON")
    for status in ("abc", "on"):
        assert code(s3.put_object_legal_hold, Bucket=bucket, Key="h", LegalHold={"Status": status}) == "MalformedXML"


def test_headers_lock_what_they_upload_and_answers_tell_it(s3, bucket):
    until = in_days(4)
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON")
    copied = s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until)
    s3.copy_object(Bucket=bucket, Key="free", CopySource=f"{bucket}/k")
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="parts", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    whole = s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    for key, mode, hold in [("k", "GOVERNANCE", "ON"), ("copy", "COMPLIANCE", None), ("parts", "GOVERNANCE", None)]:
        for told in (s3.head_object(Bucket=bucket, Key=key), s3.get_object(Bucket=bucket, Key=key)):
            assert (told["ObjectLockMode"], told["ObjectLockRetainUntilDate"]) == (mode, until), key
            assert told.get("ObjectLockLegalHoldStatus") == hold, key
    # The locks of a source are not those of its copy.
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="free")
    for key, made in [("copy", copied), ("parts", whole)]:
        assert refused(s3.delete_object, Bucket=bucket, Key=key, VersionId=made["VersionId"]) == LOCKED


@pytest.mark.parametrize("asked", [
    {"ObjectLockMode": "GOVERNANCE"},
    {"ObjectLockRetainUntilDate": "2040-01-01T00:00:00Z"},
    {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2014-01-01T00:00:00Z"},
    {"ObjectLockMode": "governance", "ObjectLockRetainUntilDate": "2040-01-01T00:00:00Z"},
    {"ObjectLockLegalHoldStatus": "abc"},
])
def test_lock_headers_that_are_none_are_refused(s3, bucket, asked):
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"", **asked) == "InvalidArgument"
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def test_retentions_that_are_none_are_refused(s3, bucket):
    put(s3, bucket)
    for retention, expected in [
        ({"Mode": "governance", "RetainUntilDate": in_days(1)}, "MalformedXML"),
        ({"Mode": "abc", "RetainUntilDate": in_days(1)}, "MalformedXML"),
        ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"RetainUntilDate": in_days(1)}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "RetainUntilDate": in_days(-1)}, "InvalidArgument"),
    ]:
        assert code(s3.put_object_retention, Bucket=bucket, Key="k", Retention=retention) == expected, retention
    nothing = {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": in_days(1)}}
    assert code(s3.put_object_retention, Bucket=bucket, Key="absent", **nothing) == "NoSuchKey"
    assert code(s3.put_object_retention, Bucket=bucket, Key="k", VersionId="absent", **nothing) == "NoSuchVersion"


def test_a_default_retention_holds_what_names_none(s3, bucket):
    default_of(s3, bucket, Mode="COMPLIANCE", Days=2)
    version = put(s3, bucket)
    told = s3.head_object(Bucket=bucket, Key="k")
    assert told["ObjectLockMode"] == "COMPLIANCE"
    assert in_days(1) < told["ObjectLockRetainUntilDate"] <= in_days(2) + datetime.timedelta(seconds=1)
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=version) == LOCKED
    own = put(s3, bucket, "own", "GOVERNANCE")
    s3.delete_object(Bucket=bucket, Key="own", VersionId=own, BypassGovernanceRetention=True)
    # A default that is taken off later takes nothing from what it locked.
    default_of(s3, bucket)
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=version) == LOCKED


def test_what_is_to_be_locked_comes_with_a_digest(server, s3, bucket):
    until = in_days(1).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until}
    bare = send(server, "PUT", f"/{bucket}/k", b"x", service="s3", headers=headers)
    assert (bare.status_code, "Content-MD5 OR x-amz-checksum-" in bare.text) == (400, True), bare.text
    default_of(s3, bucket, Mode="GOVERNANCE", Days=1)
    bare = send(server, "PUT", f"/{bucket}/k", b"x", service="s3")
    assert (bare.status_code, "Content-MD5 OR x-amz-checksum-" in bare.text) == (400, True), bare.text
    with_md5 = {**headers, "Content-MD5": "nd1emzdjQ3n0SAnuyFsSdg=="}
    wrong = send(server, "PUT", f"/{bucket}/k", b"x", service="s3", headers=with_md5)
    assert "<Code>BadDigest</Code>" in wrong.text, wrong.text
    right = {**headers, "Content-MD5": "ndTkYSaMgDT1yFZOFVxnpg=="}
    assert send(server, "PUT", f"/{bucket}/k", b"x", service="s3", headers=right).status_code == 200


# Who may


def test_locking_and_telling_locks_need_permissions_of_their_own(server, s3, bucket):
    iam = server.client("iam")
    version = put(s3, bucket, mode="GOVERNANCE", ObjectLockLegalHoldStatus="ON")
    _, reader = person(iam, allow(["s3:GetObject"], f"arn:aws:s3:::{bucket}/*"))
    told = server.client("s3", **reader).head_object(Bucket=bucket, Key="k")
    assert not {"ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"} & set(told)
    _, auditor = person(iam, allow(["s3:GetObject", "s3:GetObjectRetention"], f"arn:aws:s3:::{bucket}/*"))
    told = server.client("s3", **auditor).head_object(Bucket=bucket, Key="k")
    assert told["ObjectLockMode"] == "GOVERNANCE" and "ObjectLockLegalHoldStatus" not in told

    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
    _, cleaner = person(iam, allow(["s3:DeleteObjectVersion", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*"))
    clean = server.client("s3", **cleaner)
    assert code(
        clean.delete_object, Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True
    ) == "AccessDenied"
    assert code(
        clean.put_object, Bucket=bucket, Key="n", Body=b"", ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=in_days(1)) == "AccessDenied"
    assert code(clean.put_object, Bucket=bucket, Key="n", Body=b"", ObjectLockLegalHoldStatus="ON") == "AccessDenied"
    _, boss = person(
        iam, allow(["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], f"arn:aws:s3:::{bucket}/*"))
    server.client("s3", **boss).delete_object(
        Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True)
    assert code(s3.get_object, Bucket=bucket, Key="k", VersionId=version) == "NoSuchVersion"


def test_a_policy_can_ask_for_locks_by_their_condition_keys(server, s3, bucket):
    objects = f"arn:aws:s3:::{bucket}/*"
    _, writer = person(
        server.client("iam"), allow(["s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold"], objects),
        deny("s3:PutObject", objects, {"StringNotEquals": {"s3:object-lock-mode": "COMPLIANCE"}}),
        deny("s3:PutObject", objects, {"NumericLessThan": {"s3:object-lock-remaining-retention-days": "30"}}),
        deny("s3:PutObjectRetention", objects,
             {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "100"}}),
        deny("s3:PutObjectRetention", objects,
             {"DateGreaterThan": {"s3:object-lock-retain-until-date": "2100-01-01T00:00:00Z"}}),
        deny("s3:PutObjectLegalHold", objects, {"StringEquals": {"s3:object-lock-legal-hold": "OFF"}}),
    )
    mine = server.client("s3", **writer)

    def lock(mode, days):
        return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": in_days(days)}

    for asked in ({}, lock("GOVERNANCE", 40), lock("COMPLIANCE", 10), lock("COMPLIANCE", 200)):
        assert code(mine.put_object, Bucket=bucket, Key="k", Body=b"", **asked) == "AccessDenied", asked
    mine.put_object(Bucket=bucket, Key="k", Body=b"", **lock("COMPLIANCE", 30))
    far = {"Mode": "COMPLIANCE", "RetainUntilDate": in_days(101)}
    assert code(mine.put_object_retention, Bucket=bucket, Key="k", Retention=far) == "AccessDenied"
    mine.put_object_retention(
        Bucket=bucket, Key="k", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": in_days(90)})
    mine.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"})
    off = {"LegalHold": {"Status": "OFF"}}
    assert code(mine.put_object_legal_hold, Bucket=bucket, Key="k", **off) == "AccessDenied"


def test_a_bucket_with_object_lock_is_made_by_who_may_lock(server):
    _, maker = person(server.client("iam"), allow("s3:CreateBucket"))
    s3 = server.client("s3", **maker)
    assert code(s3.create_bucket, Bucket="may-not-lock-this", ObjectLockEnabledForBucket=True) == "AccessDenied"
    s3.create_bucket(Bucket="may-make-this")


# The AWS CLI


def test_the_aws_cli_locks_a_bucket_and_its_versions(server, tmp_path):
    server.aws("s3api", "create-bucket", "--bucket", "cli-lock", "--object-lock-enabled-for-bucket")
    server.aws(
        "s3api", "put-object-lock-configuration", "--bucket", "cli-lock", "--object-lock-configuration",
        '{"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 365}}}')
    body = tmp_path / "log"
    body.write_text("the log")
    version = server.aws("s3api", "put-object", "--bucket", "cli-lock", "--key", "k", "--body", str(body))["VersionId"]
    shown = server.aws("s3api", "get-object-retention", "--bucket", "cli-lock", "--key", "k")["Retention"]
    assert shown["Mode"] == "GOVERNANCE"
    which = ["--bucket", "cli-lock", "--key", "k", "--version-id", version]
    assert server.aws("s3api", "delete-object", *which, ok=False) == "AccessDenied"
    server.aws("s3api", "put-object-legal-hold", *which, "--legal-hold", "Status=ON")
    assert server.aws("s3api", "get-object-legal-hold", *which)["LegalHold"] == {"Status": "ON"}
    assert server.aws("s3api", "delete-object", *which, "--bypass-governance-retention", ok=False) == "AccessDenied"
    server.aws("s3api", "put-object-legal-hold", *which, "--legal-hold", "Status=OFF")
    server.aws("s3api", "delete-object", *which, "--bypass-governance-retention")


def test_locks_outlive_a_kill(tmp_path):
    with Server(tmp_path) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="kept", ObjectLockEnabledForBucket=True)
        version = put(s3, "kept", mode="COMPLIANCE")
        held = put(s3, "kept", "held", ObjectLockLegalHoldStatus="ON")
        server.kill()
        server.start()
        s3 = server.client("s3")
        assert refused(s3.delete_object, Bucket="kept", Key="k", VersionId=version) == LOCKED
        assert refused(s3.delete_object, Bucket="kept", Key="held", VersionId=held) == LOCKED
        assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"the log"
        assert s3.get_object_lock_configuration(Bucket="kept")["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
