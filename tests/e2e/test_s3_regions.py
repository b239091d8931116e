"""Calls that are signed for another region than their bucket's, and signatures that do not match."""

import re
import xml.etree.ElementTree as ET

import pytest

import signed
from server import REGION, ROOT_SECRET, Server

HOME = "eu-west-1"
BUCKET = "in-europe"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server")) as running:
        europe = running.client("s3", region=HOME)
        europe.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HOME})
        europe.put_object(Bucket=BUCKET, Key="key", Body=b"content")
        yield running


def texts(answer):
    return {child.tag: child.text for child in ET.fromstring(answer.content)}


def test_a_bucket_of_another_region_says_where_it_is(server):
    for method, path in (("GET", f"/{BUCKET}/key"), ("PUT", f"/{BUCKET}/other"), ("GET", f"/{BUCKET}?list-type=2")):
        answer = signed.send(server, method, path, b"", service="s3", region=REGION)
        assert answer.status_code == 301, answer.text
        assert answer.headers["x-amz-bucket-region"] == HOME
        said = texts(answer)
        assert (said["Code"], said["Bucket"]) == ("PermanentRedirect", BUCKET)
        assert said["Endpoint"] == f"127.0.0.1:{server.port}"
    head = signed.send(server, "HEAD", f"/{BUCKET}", b"", service="s3", region=REGION)
    assert (head.status_code, head.headers["x-amz-bucket-region"], head.content) == (301, HOME, b"")
    assert server.client("s3").get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == HOME
    assert "other" not in str(server.client("s3", region=HOME).list_objects_v2(Bucket=BUCKET))


def test_where_the_host_names_the_bucket_the_signature_is_what_is_wrong(server):
    ready = signed.build(
        server, "GET", "/key", b"", service="s3", region=REGION, headers={"Host": f"{BUCKET}.localhost:{server.port}"}
    )
    answer = signed.deliver(ready)
    assert answer.status_code == 400 and answer.headers["x-amz-bucket-region"] == HOME, answer.text
    said = texts(answer)
    assert (said["Code"], said["Region"]) == ("AuthorizationHeaderMalformed", HOME)
    assert said["Message"] == (
        f"The authorization header is malformed; the region '{REGION}' is wrong; expecting '{HOME}'"
    )


def test_boto3_finds_the_region_by_itself(server):
    s3 = server.client("s3", region=REGION)
    assert s3.get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"content"
    s3.put_object(Bucket=BUCKET, Key="from-afar", Body=b"more")
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 2
    s3.delete_object(Bucket=BUCKET, Key="from-afar")
    assert server.aws("s3api", "head-object", "--bucket", BUCKET, "--key", "key", region=REGION)["ContentLength"] == 7


def test_a_signature_that_does_not_match_is_explained_with_what_was_sent(server):
    ready = signed.build(
        server, "GET", f"/{BUCKET}/key?versionId=%3Cx%3E", b"", service="s3", region=HOME, secret="another secret",
        headers={"x-amz-meta-odd": "<&>"},
    )
    answer = signed.deliver(ready)
    assert answer.status_code == 403, answer.text
    said = texts(answer)
    assert said["Code"] == "SignatureDoesNotMatch"
    assert said["AWSAccessKeyId"] in ready.headers["Authorization"]
    assert said["SignatureProvided"] == re.search(r"Signature=(\w+)", ready.headers["Authorization"])[1]
    assert said["StringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert bytes.fromhex(said["StringToSignBytes"]).decode() == said["StringToSign"]
    assert said["CanonicalRequest"].startswith(f"GET\n/{BUCKET}/key\nversionId=%3Cx%3E\n")
    assert "x-amz-meta-odd:<&>\n" in said["CanonicalRequest"]
    assert bytes.fromhex(said["CanonicalRequestBytes"]).decode() == said["CanonicalRequest"]
    assert ROOT_SECRET not in answer.text

    # Who names a key that is nobody's hears nothing of the sort.
    nobody = signed.send(server, "GET", f"/{BUCKET}/key", b"", service="s3", region=HOME, key="AKIANOBODYNOBODY0001")
    assert nobody.status_code == 403 and set(texts(nobody)) == {"Code", "Message", "Resource", "RequestId", "HostId"}
