"""Versions and delete markers, case by case as Ceph's public S3 tests look at them."""

import concurrent.futures

import pytest

from identity import code, refused
from server import own_bucket


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def s3(server):
    return server.client("s3", max_pool_connections=32)


@pytest.fixture
def bucket(s3, request):
    """A bucket with versioning."""
    name = own_bucket("v", request)
    s3.create_bucket(Bucket=name)
    status(s3, name, "Enabled")
    return name


@pytest.fixture
def plain(s3, request):
    name = own_bucket("p", request)
    s3.create_bucket(Bucket=name)
    return name


def status(s3, bucket, state):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": state})


def put(s3, bucket, key="k", body=b"x"):
    return s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def read(s3, bucket, key="k", version=None):
    which = {"VersionId": version} if version else {}
    return s3.get_object(Bucket=bucket, Key=key, **which)["Body"].read()


def versions(s3, bucket, **more):
    return [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket, **more).get("Versions", [])]


def markers(s3, bucket):
    return [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket).get("DeleteMarkers", [])]


def test_versioning_goes_on_and_is_suspended_and_never_goes_off(s3, plain):
    assert "Status" not in s3.get_bucket_versioning(Bucket=plain)
    for state in ("Suspended", "Enabled", "Enabled", "Suspended"):
        status(s3, plain, state)
        assert s3.get_bucket_versioning(Bucket=plain)["Status"] == state
    for none in ({}, {"MFADelete": "Disabled"}):
        assert code(
            s3.put_bucket_versioning, Bucket=plain, VersioningConfiguration=none
        ) == "IllegalVersioningConfigurationException"
    assert code(s3.put_bucket_versioning, Bucket=plain, VersioningConfiguration={"Status": "Off"}) == "MalformedXML"


def test_versions_are_removed_one_by_one_in_any_order(s3, bucket):
    made = [put(s3, bucket, body=str(n).encode()) for n in range(5)]
    assert versions(s3, bucket) == made[::-1]
    for gone in (2, 0, 4, 1):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=made[gone])
        left = [n for n in range(5) if made[n] in versions(s3, bucket)]
        assert gone not in left
        assert read(s3, bucket) == str(left[-1]).encode()
        for n in left:
            assert read(s3, bucket, version=made[n]) == str(n).encode()
    s3.delete_object(Bucket=bucket, Key="k", VersionId=made[3])
    assert code(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"
    # What is not there any more is removed without complaint.
    s3.delete_object(Bucket=bucket, Key="k", VersionId=made[3])


def test_the_object_from_before_versioning_is_the_null_version(s3, plain):
    assert put(s3, plain, body=b"before") is None
    status(s3, plain, "Enabled")
    assert versions(s3, plain) == ["null"]
    later = put(s3, plain, body=b"after")
    assert (read(s3, plain), read(s3, plain, version="null")) == (b"after", b"before")
    s3.delete_object(Bucket=plain, Key="k", VersionId=later)
    assert read(s3, plain) == b"before"
    s3.delete_object(Bucket=plain, Key="k", VersionId="null")
    assert code(s3.get_object, Bucket=plain, Key="k") == "NoSuchKey"
    assert versions(s3, plain) == []


def test_while_suspended_the_null_version_is_replaced_and_the_others_stay(s3, bucket):
    kept = [put(s3, bucket, body=b"kept 1"), put(s3, bucket, body=b"kept 2")]
    status(s3, bucket, "Suspended")
    assert put(s3, bucket, body=b"null 1") == "null"
    put(s3, bucket, body=b"null 2")
    assert versions(s3, bucket) == ["null", *kept[::-1]]
    assert read(s3, bucket, version="null") == b"null 2"
    gone = s3.delete_object(Bucket=bucket, Key="k")
    assert (gone["DeleteMarker"], gone["VersionId"]) == (True, "null")
    assert (versions(s3, bucket), markers(s3, bucket)) == (kept[::-1], ["null"])
    put(s3, bucket, body=b"null 3")
    assert (versions(s3, bucket), markers(s3, bucket)) == (["null", *kept[::-1]], [])
    status(s3, bucket, "Enabled")
    newest = put(s3, bucket, body=b"kept 3")
    assert versions(s3, bucket) == [newest, "null", *kept[::-1]]
    for version, body in zip(kept, (b"kept 1", b"kept 2")):
        assert read(s3, bucket, version=version) == body


def test_a_copy_while_suspended_takes_the_place_of_the_null_version(s3, bucket):
    put(s3, bucket, "source", b"source")
    kept = put(s3, bucket, "target", b"kept")
    status(s3, bucket, "Suspended")
    put(s3, bucket, "target", b"null")
    copied = s3.copy_object(Bucket=bucket, Key="target", CopySource=f"{bucket}/source")
    assert copied["VersionId"] == "null"
    assert versions(s3, bucket, Prefix="target") == ["null", kept]
    assert read(s3, bucket, "target") == b"source"


def test_an_old_version_is_copied_to_where_one_likes(s3, bucket, plain):
    made = [put(s3, bucket, body=str(n).encode()) for n in range(3)]
    for n, version in enumerate(made):
        for target in (bucket, plain):
            copied = s3.copy_object(
                Bucket=target, Key=f"copy-{n}",
                CopySource={"Bucket": bucket, "Key": "k", "VersionId": version})
            assert copied["CopySourceVersionId"] == version
            assert read(s3, target, f"copy-{n}") == str(n).encode()
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    gone = {"Bucket": plain, "Key": "none"}
    assert code(s3.copy_object, CopySource=f"{bucket}/k", **gone) == "NoSuchKey"
    assert code(
        s3.copy_object, CopySource={"Bucket": bucket, "Key": "k", "VersionId": marker}, **gone
    ) == "InvalidRequest"


@pytest.mark.parametrize("key", ["_", ":", " ", "_underscore", "a/../b", "ü"])
def test_keys_with_special_names_have_versions_too(s3, bucket, key):
    made = [put(s3, bucket, key, str(n).encode()) for n in range(3)]
    for n, version in enumerate(made):
        assert read(s3, bucket, key, version) == str(n).encode()
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
    assert versions(s3, bucket) == []


def test_multipart_uploads_make_versions(s3, bucket):
    made = []
    for n in range(3):
        upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        tag = s3.upload_part(
            Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=str(n).encode())["ETag"]
        done = s3.complete_multipart_upload(
            Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
        made.append(done["VersionId"])
    assert versions(s3, bucket) == made[::-1]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=made[2])
    assert read(s3, bucket) == b"1"


def test_a_delete_marker_hides_and_is_taken_away(s3, bucket):
    version = put(s3, bucket)
    gone = s3.delete_object(Bucket=bucket, Key="k")
    assert gone["DeleteMarker"] and gone["VersionId"] not in (version, "null")
    with pytest.raises(s3.exceptions.ClientError) as hidden:
        s3.head_object(Bucket=bucket, Key="k")
    headers = hidden.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", gone["VersionId"])
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=gone["VersionId"])[0] == "MethodNotAllowed"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    again = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert len(markers(s3, bucket)) == 2
    for marker in (gone["VersionId"], again):
        back = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
        assert (back["DeleteMarker"], back["VersionId"]) == (True, marker)
    assert read(s3, bucket) == b"x"


def test_many_versions_and_markers_are_removed_at_once(s3, bucket):
    made = [put(s3, bucket, key) for key in "aab"]
    marker = s3.delete_object(Bucket=bucket, Key="b")["VersionId"]
    named = [{"Key": key, "VersionId": version} for key, version in zip("aab", made)]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [*named, {"Key": "b", "VersionId": marker}]})
    assert len(gone["Deleted"]) == 4
    by_version = {deleted["VersionId"]: deleted for deleted in gone["Deleted"]}
    assert by_version[marker]["DeleteMarker"] and by_version[marker]["DeleteMarkerVersionId"] == marker
    assert not (versions(s3, bucket) or markers(s3, bucket))
    made = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "never-there"}]})["Deleted"]
    assert made[0]["DeleteMarker"] and markers(s3, bucket) == [made[0]["DeleteMarkerVersionId"]]


def test_a_listing_goes_on_from_a_version(s3, bucket):
    made = [(key, put(s3, bucket, key)) for key in "ab" for _ in range(4)]
    expected = [pair for key in "ab" for pair in reversed([p for p in made if p[0] == key])]
    found, more = [], {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=3, **more)
        found += [(v["Key"], v["VersionId"]) for v in page["Versions"]]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert found == expected
    latest = [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"] if v["IsLatest"]]
    assert latest == [made[3][1], made[7][1]]


def test_writers_and_removers_at_once_leave_what_they_should(s3, bucket):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda n: put(s3, bucket, f"k{n % 4}", str(n).encode()), range(48)))
        assert len(set(made)) == 48
        doomed = [{"Key": f"k{n % 4}", "VersionId": version} for n, version in enumerate(made) if n % 2]
        list(pool.map(lambda part: s3.delete_objects(Bucket=bucket, Delete={"Objects": part}), [doomed] * 4))
    left = {made[n] for n in range(0, 48, 2)}
    assert set(versions(s3, bucket)) == left
    for n in range(0, 48, 2):
        assert read(s3, bucket, f"k{n % 4}", made[n]) == str(n).encode()


def test_a_bucket_goes_only_without_versions_and_markers(s3, bucket):
    version = put(s3, bucket)
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert code(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    assert code(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=bucket)
