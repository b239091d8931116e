"""What a client hears when something is wrong: AWS's code, status and shape; and what is recorded of it."""

import json
import xml.etree.ElementTree as ET

import pytest
import requests

import signed
from conformance import children, local
from server import ACCOUNT, ROOT_KEY, eventually
from signed import build, call, deliver, form, send

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(shared_server):
    shared_server.client("s3").create_bucket(Bucket="bucket")
    return shared_server


def json_error(answer, status, code):
    """An error of awsJson; answers its message."""
    assert (answer.status_code, answer.json().get("__type")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-errortype"] == code
    message = answer.json()["message"]
    assert message
    return message


def query_error(answer, status, code):
    """An error of awsQuery; answers its message."""
    root = ET.fromstring(answer.content)
    assert local(root) == "ErrorResponse", answer.text
    error, = children(root)["Error"]
    parts = {local(part): part.text for part in error}
    assert (answer.status_code, parts["Code"]) == (status, code), answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    assert parts["Type"] == ("Sender" if status < 500 else "Receiver")
    assert children(root)["RequestId"][0].text == answer.headers["x-amzn-requestid"]
    assert parts["Message"]
    return parts["Message"]


def s3_error(answer, status, code):
    """An error of S3; answers its message."""
    root = ET.fromstring(answer.content)
    assert root.tag == "Error", answer.text
    parts = {part.tag: part.text for part in root}
    assert (answer.status_code, parts["Code"]) == (status, code), answer.text
    assert answer.headers["content-type"].startswith("application/xml")
    assert parts["RequestId"] == answer.headers["x-amz-request-id"]
    assert parts["Message"]
    return parts["Message"]


def recorded(server, answer, name, code, identity="Root"):
    """The one record of a call, found by its request id."""
    request_id = answer.headers.get("x-amzn-requestid") or answer.headers["x-amz-request-id"]

    def record():
        found = [json.loads(text) for _, text in signed.lookup(server, {"EventName": name})]
        return [one for one in found if one["requestID"] == request_id]

    one, = eventually(record)
    assert one["errorCode"] == code, one
    assert one["errorMessage"]
    assert one["userIdentity"]["type"] == identity, one["userIdentity"]
    assert one["recipientAccountId"] == ACCOUNT
    return one


def changed(ready, **headers):
    """The request with headers changed after it was signed; ``None`` takes one away."""
    for name, value in headers.items():
        name = name.replace("_", "-")
        if value is None:
            ready.headers.pop(name, None)
        else:
            ready.headers[name] = value
    return ready


def json_build(server, target="ListTrails", body=b"{}", **options):
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{target}",
    }
    return build(server, "POST", "/", body, headers=headers, **{"service": "cloudtrail", **options})


def form_build(server, body=b"Action=ListUsers&Version=2010-05-08", **options):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return build(server, "POST", "/", body, headers=headers, **{"service": "iam", **options})


# awsJson: CloudTrail

@pytest.mark.parametrize(("target", "body", "code"), [
    ("NoSuchOperation", b"{}", "UnknownOperationException"),
    ("GetTrail", b"{", "SerializationException"),
    ("GetTrail", b"not json", "SerializationException"),
    ("GetTrail", b"\xff\xfe", "SerializationException"),
    ("GetTrail", b"[]", "SerializationException"),
    ("GetTrail", b'"text"', "SerializationException"),
    ("GetTrail", b'{"Name": 5}', "SerializationException"),
    ("GetTrail", b'{"Name": "a"} trailing', "SerializationException"),
    ("DescribeTrails", b'{"trailNameList": "one"}', "SerializationException"),
    ("GetTrail", b"{}", "InvalidTrailNameException"),
    ("GetTrail", b"[" * 100_000, "SerializationException"),
    ("GetTrail", b'{"Name": "no-such-trail"}', "TrailNotFoundException"),
    ("LookupEvents", b'{"MaxResults": 51}', "InvalidMaxResultsException"),
    ("LookupEvents", b'{"NextToken": "nonsense"}', "InvalidNextTokenException"),
    ("LookupEvents", b'{"StartTime": 200, "EndTime": 100}', "InvalidTimeRangeException"),
])
def test_json_calls_that_are_wrong(server, target, body, code):
    answer = call(server, target, body)
    json_error(answer, 400, code)
    one = recorded(server, answer, target, code)
    assert one["eventSource"] == "cloudtrail.amazonaws.com"
    assert one["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_operations_of_aws_that_are_not_here_say_so(server):
    answer = call(server, "CreateDashboard", b'{"Name": "x"}')
    json_error(answer, 400, "UnsupportedOperationException")
    recorded(server, answer, "CreateDashboard", "UnsupportedOperationException")


def test_a_json_body_that_is_too_large(server):
    answer = call(server, "GetTrail", b'{"Name": "' + b"a" * (3 * MIB) + b'"}')
    json_error(answer, 413, "RequestEntityTooLargeException")
    # Who sent it is not known: the signature covers a body that nobody read.
    recorded(server, answer, "GetTrail", "RequestEntityTooLargeException", identity="Unknown")


def test_a_json_call_with_another_content_type(server):
    answer = call(server, "ListTrails", headers={"Content-Type": "text/plain"})
    json_error(answer, 400, "SerializationException")


def test_a_json_call_with_a_target_of_nothing(server):
    for target in ("ListTrails", "", "a.b.c.", "Nothing_20131101.ListTrails"):
        answer = send(server, "POST", "/", b"{}", service="cloudtrail", headers={
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target})
        json_error(answer, 400, "UnknownOperationException")


@pytest.mark.parametrize(("wrong", "code", "word"), [
    ({"key": "AKIANOBODYKNOWSTHIS1"}, "UnrecognizedClientException", "security token"),
    ({"secret": "wrong"}, "InvalidSignatureException", "signature we calculated does not match"),
    ({"token": "made-up"}, "UnrecognizedClientException", "security token"),
    ({"key": "ASIANOBODYKNOWSTHIS1"}, "UnrecognizedClientException", "security token"),
    ({"skew": -1000}, "InvalidSignatureException", "Signature expired"),
    ({"skew": 1000}, "InvalidSignatureException", "Signature not yet current"),
])
def test_json_calls_of_nobody(server, wrong, code, word):
    answer = deliver(json_build(server, **wrong))
    assert word in json_error(answer, 400, code)
    one = recorded(server, answer, "ListTrails", code, identity="Unknown")
    assert one["userIdentity"].get("accessKeyId", wrong.get("key", ROOT_KEY)) == wrong.get("key", ROOT_KEY)
    assert "userName" not in one["userIdentity"] and "arn" not in one["userIdentity"]


def test_json_calls_with_a_broken_authorization(server):
    good = json_build(server).headers["Authorization"]
    cases = {
        None: "MissingAuthenticationTokenException",
        "Basic dXNlcjpwYXNz": "MissingAuthenticationTokenException",
        "AWS4-HMAC-SHA256": "IncompleteSignatureException",
        good.split(", Signature")[0]: "IncompleteSignatureException",
        good.replace("SignedHeaders=", "Signed="): "IncompleteSignatureException",
        good.replace("aws4_request", "aws5_request"): "InvalidSignatureException",
        good[:-1] + ("0" if good[-1] != "0" else "1"): "InvalidSignatureException",
        good.replace("/us-east-1/", "/us-west-2/"): "InvalidSignatureException",
        good.replace(";host;", ";"): "InvalidSignatureException",
    }
    for header, code in cases.items():
        answer = deliver(changed(json_build(server), Authorization=header))
        # A header that is not even one names no service: the target does.
        json_error(answer, 400, code)


def test_a_json_call_scoped_to_another_service(server):
    for service in ("iam", "sts", "sqs"):
        answer = deliver(json_build(server, service=service))
        assert 400 <= answer.status_code < 500, answer.text


def test_a_tampered_json_body(server):
    ready = json_build(server, "GetTrail", b'{"Name": "aaa"}')
    ready.body = b'{"Name": "bbb"}'
    answer = deliver(ready)
    json_error(answer, 400, "InvalidSignatureException")
    recorded(server, answer, "GetTrail", "InvalidSignatureException", identity="Unknown")


def test_a_tampered_header(server):
    ready = changed(json_build(server), X_Amz_Target=(
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DescribeTrails"))
    json_error(deliver(ready), 400, "InvalidSignatureException")


def test_a_denied_call_names_who_what_and_where(server):
    iam = server.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    who = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    answer = call(server, "ListTrails", **who)
    message = json_error(answer, 400, "AccessDeniedException")
    assert f"arn:aws:iam::{ACCOUNT}:user/nobody is not authorized to perform: cloudtrail:ListTrails" in message
    one = recorded(server, answer, "ListTrails", "AccessDenied", identity="IAMUser")
    assert one["userIdentity"]["userName"] == "nobody" and one["errorMessage"] == message

    answer = form(server, b"Action=ListUsers&Version=2010-05-08", **who)
    query_error(answer, 403, "AccessDenied")
    recorded(server, answer, "ListUsers", "AccessDenied", identity="IAMUser")

    answer = send(server, "GET", "/", service="s3", **who)
    s3_error(answer, 403, "AccessDenied")
    recorded(server, answer, "ListBuckets", "AccessDenied", identity="IAMUser")


# awsQuery: IAM and STS

@pytest.mark.parametrize(("body", "status", "code", "name"), [
    (b"Action=NoSuchAction&Version=2010-05-08", 400, "InvalidAction", "NoSuchAction"),
    (b"Action=GetUser&Version=2010-05-08&UserName=no-such-user", 404, "NoSuchEntity", "GetUser"),
    (b"Action=CreateUser&Version=2010-05-08", 400, "ValidationError", "CreateUser"),
    (b"Action=CreateUser&Version=2010-05-08&UserName=a/b", 400, "ValidationError", "CreateUser"),
    (b"Action=CreateUser&Version=2010-05-08&UserName=" + b"a" * 65, 400, "ValidationError", "CreateUser"),
    (b"Action=ListUsers&Version=2010-05-08&MaxItems=many", 400, "ValidationError", "ListUsers"),
    (b"Action=ListUsers&Version=2010-05-08&Marker=nonsense", 400, "ValidationError", "ListUsers"),
])
def test_query_calls_that_are_wrong(server, body, status, code, name):
    answer = form(server, body)
    query_error(answer, status, code)
    found = recorded(server, answer, name, code if code != "NoSuchEntity" else "NoSuchEntityException")
    assert found["eventSource"] == "iam.amazonaws.com" and found["awsRegion"] == "us-east-1"


@pytest.mark.parametrize("body", [b"", b"Version=2010-05-08", b"Action=", b"=&&&=", b"\xff\xfe\x00", b"Action=%zz"])
def test_forms_that_name_no_action(server, body):
    answer = form(server, body)
    assert answer.status_code == 400, answer.text
    assert local(ET.fromstring(answer.content)) == "ErrorResponse"


def test_a_form_that_is_too_large(server):
    answer = form(server, b"Action=CreateUser&Version=2010-05-08&UserName=" + b"a" * (2 * MIB))
    query_error(answer, 413, "RequestEntityTooLarge")


@pytest.mark.parametrize(("wrong", "status", "code"), [
    ({"key": "AKIANOBODYKNOWSTHIS1"}, 403, "InvalidClientTokenId"),
    ({"secret": "wrong"}, 403, "SignatureDoesNotMatch"),
    ({"token": "made-up"}, 403, "InvalidClientTokenId"),
    ({"skew": -1000}, 403, "SignatureDoesNotMatch"),
    ({"skew": 1000}, 403, "SignatureDoesNotMatch"),
])
def test_query_calls_of_nobody(server, wrong, status, code):
    answer = deliver(form_build(server, **wrong))
    query_error(answer, status, code)
    recorded(server, answer, "ListUsers", code, identity="Unknown")


def test_query_calls_without_a_signature(server):
    for body, name in [
        (b"Action=ListUsers&Version=2010-05-08", "ListUsers"),
        (b"Action=GetCallerIdentity&Version=2011-06-15", "GetCallerIdentity"),
    ]:
        answer = deliver(changed(form_build(server, body), Authorization=None))
        query_error(answer, 403, "MissingAuthenticationToken")
        recorded(server, answer, name, "MissingAuthenticationToken", identity="Unknown")


def test_a_form_with_a_tampered_body(server):
    ready = form_build(server, b"Action=CreateUser&Version=2010-05-08&UserName=good")
    ready.body = b"Action=CreateUser&Version=2010-05-08&UserName=evil"
    query_error(deliver(ready), 403, "SignatureDoesNotMatch")
    names = {user["UserName"] for user in server.client("iam").list_users()["Users"]}
    assert "evil" not in names


def test_a_service_that_is_not_here(server):
    answer = form(server, b"Action=ListQueues&Version=2012-11-05", service="sqs")
    query_error(answer, 400, "InvalidAction")
    answer = send(server, "POST", "/", b"{}", service="dynamodb", headers={
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"})
    assert answer.status_code == 400 and answer.json()["__type"] == "UnknownOperationException"


# S3

def s3(server, method, path, body=b"", **options):
    return send(server, method, path, body, service="s3", **options)


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), [
    ("GET", "/no-such-bucket", b"", 404, "NoSuchBucket"),
    ("GET", "/no-such-bucket/key", b"", 404, "NoSuchBucket"),
    ("GET", "/bucket/no-such-key", b"", 404, "NoSuchKey"),
    ("PUT", "/Bad_Bucket!", b"", 400, "InvalidBucketName"),
    ("PUT", "/another-bucket", b"<not xml", 400, "MalformedXML"),
    ("PUT", "/bucket?policy", b"{", 400, "MalformedPolicy"),
    ("GET", "/bucket?policy", b"", 404, "NoSuchBucketPolicy"),
    ("GET", "/bucket?max-keys=many", b"", 400, "InvalidArgument"),
    ("GET", "/bucket/key?uploadId=nonsense", b"", 404, "NoSuchUpload"),
    ("PUT", "/bucket/" + "k" * 1100, b"", 400, "KeyTooLongError"),
    ("POST", "/bucket?delete", b"<Delete>", 400, "MalformedXML"),
])
def test_s3_calls_that_are_wrong(server, method, path, body, status, code):
    s3_error(s3(server, method, path, body), status, code)


@pytest.mark.parametrize(("wrong", "status", "code"), [
    ({"key": "AKIANOBODYKNOWSTHIS1"}, 403, "InvalidAccessKeyId"),
    ({"secret": "wrong"}, 403, "SignatureDoesNotMatch"),
    ({"token": "made-up"}, 400, "InvalidToken"),
    ({"skew": -1000}, 403, "RequestTimeTooSkewed"),
    ({"skew": 1000}, 403, "RequestTimeTooSkewed"),
])
def test_s3_calls_of_nobody(server, wrong, status, code):
    answer = s3(server, "GET", "/", **wrong)
    s3_error(answer, status, code)
    recorded(server, answer, "ListBuckets", code, identity="Unknown")


def test_s3_calls_without_a_signature(server):
    for path in ("/", "/bucket", "/bucket/key"):
        ready = build(server, "GET", path, service="s3")
        s3_error(deliver(changed(ready, Authorization=None)), 403, "AccessDenied")


def test_presigned_urls_end_and_hold_only_as_they_are(server):
    client = server.client("s3", signature_version="s3v4")
    client.put_object(Bucket="bucket", Key="shared", Body=b"shared")

    def presigned(**options):
        return client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "shared"}, **options)

    def get(url):
        return requests.get(url, timeout=20)

    good = presigned(ExpiresIn=60)
    assert get(good).content == b"shared"
    s3_error(get(good.replace("/shared", "/other")), 403, "SignatureDoesNotMatch")
    s3_error(get(good.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")), 403, "SignatureDoesNotMatch")
    s3_error(get(good + "&versionId=x"), 403, "SignatureDoesNotMatch")
    s3_error(get(good.replace("X-Amz-Expires=60", "X-Amz-Expires=604801")), 400, "AuthorizationQueryParametersError")
    with signed.clock_moved(-120):
        old = presigned(ExpiresIn=60)
    assert "expired" in s3_error(get(old), 403, "AccessDenied")
    with signed.clock_moved(3600):
        early = presigned(ExpiresIn=60)
    s3_error(get(early), 403, "AccessDenied")


def test_a_tampered_object_is_not_stored(server):
    ready = build(server, "PUT", "/bucket/tampered", b"good", service="s3")
    ready.body = b"evil"
    s3_error(deliver(ready), 400, "XAmzContentSHA256Mismatch")
    s3_error(s3(server, "GET", "/bucket/tampered"), 404, "NoSuchKey")


def test_a_wrong_content_md5_is_refused(server):
    answer = s3(server, "PUT", "/bucket/md5", b"body", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
    s3_error(answer, 400, "BadDigest")


def test_a_failed_bucket_call_is_recorded(server):
    answer = s3(server, "DELETE", "/no-such-bucket")
    s3_error(answer, 404, "NoSuchBucket")
    one = recorded(server, answer, "DeleteBucket", "NoSuchBucket")
    assert one["eventSource"] == "s3.amazonaws.com"
    assert one["requestParameters"]["bucketName"] == "no-such-bucket"


def test_head_has_no_body_whatever_is_wrong(server):
    for path, status in (("/no-such-bucket", 404), ("/bucket/no-such-key", 404)):
        answer = s3(server, "HEAD", path)
        assert (answer.status_code, answer.content) == (status, b"")


# The service of our own

def test_paths_that_are_nothing(server):
    for method, path in (("GET", "/v1/events"), ("POST", "/v1/nothing"), ("DELETE", "/v1/events"), ("GET", "/v1")):
        answer = send(server, method, path, b"")
        assert answer.status_code in (404, 405), answer.text
        assert answer.json()["__type"] == "UnknownOperationException"


def test_lookups_that_are_wrong(server):
    def ask(body):
        return send(server, "POST", "/v1/lookup", body, headers={"Content-Type": "application/json"})

    for body, code in [
        (b"{", "SerializationException"), (b'{"MaxResults": 0}', "InvalidMaxResultsException"),
        (b'{"MaxResults": 1001}', "InvalidMaxResultsException"), (b'{"NextToken": "x"}', "InvalidNextTokenException"),
        (b'{"EventCategory": "Odd"}', "InvalidEventCategoryException"), (b'{"Region": "?"}', "ValidationException"),
        (b'{"Attributes": [{"Key": "Odd", "Value": "x"}]}', "InvalidLookupAttributesException"),
        (b'{"StartTime": 200, "EndTime": 100}', "InvalidTimeRangeException"),
    ]:
        answer = ask(body)
        assert (answer.status_code, answer.json()["__type"]) == (400, code), (body, answer.text)
