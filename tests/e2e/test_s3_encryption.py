"""Encryption of objects at rest over S3: SSE-S3 by default, SSE-KMS with and without bucket keys, SSE-C refused.

The behaviours are those of AWS's S3 user guide and of Ceph's s3-tests (sse_s3, sse_kms, put_bucket_encryption)."""

import base64
import hashlib
import json

import pytest
import requests
from botocore.exceptions import ClientError

import conformance
from server import ACCOUNT, REGION, Server, eventually, own_bucket
from trail import delivered, make_trail

conformance.COMMON_ERRORS["s3"] |= {
    "BadRequest", "InvalidEncryptionAlgorithmError", "KMS.DisabledException", "KMS.InvalidKeyUsageException",
    "KMS.KMSInvalidStateException", "KMS.NotFoundException",
}

MiB = 1024 * 1024


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture
def s3(server):
    return server.client("s3")


@pytest.fixture
def kms(server):
    return server.client("kms")


@pytest.fixture
def bucket(server, request):
    name = own_bucket("e", request)
    server.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def read(s3, bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def of_user(server, name, *statements, **more):
    iam = server.client("iam")
    iam.create_user(UserName=name)
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return server.client("s3", key=made["AccessKeyId"], secret=made["SecretAccessKey"], **more)


def allow(action, resource="*"):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def is_on_disk(server, needle):
    """Whether bytes are somewhere in the folder of the server."""
    found = (path.read_bytes() for path in server.data.rglob("*") if path.is_file())
    return any(needle in content for content in found)


def test_every_object_is_encrypted_with_sse_s3_where_nobody_says_otherwise(server, s3, bucket):
    secret = b"only for those who may read it " * 50_000
    put = s3.put_object(Bucket=bucket, Key="large", Body=secret)
    assert put["ServerSideEncryption"] == "AES256"
    assert put["ETag"] == f'"{hashlib.md5(secret).hexdigest()}"'
    small = b"small and no less secret: " + bucket.encode()
    assert s3.put_object(Bucket=bucket, Key="small", Body=small, ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    for key, body in {"large": secret, "small": small}.items():
        assert s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] == "AES256"
        got = s3.get_object(Bucket=bucket, Key=key)
        assert (got["ServerSideEncryption"], got["Body"].read()) == ("AES256", body)
    assert read(s3, bucket, "large", Range="bytes=1048570-1048590") == secret[1048570:1048591]
    assert not is_on_disk(server, secret[:62]) and not is_on_disk(server, small)


def test_a_buckets_default_encryption(s3, bucket, key):
    def rules():
        return s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]

    of_itself = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
    assert rules() == of_itself
    with_key = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
        "BucketKeyEnabled": True,
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [with_key]})
    assert rules() == [with_key]
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"abc")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", key, True)
    assert put["ETag"] != f'"{hashlib.md5(b"abc").hexdigest()}"'
    head = s3.head_object(Bucket=bucket, Key="a")
    assert (head["SSEKMSKeyId"], head["BucketKeyEnabled"], head["ETag"]) == (key, True, put["ETag"])
    # What the request says counts more.
    assert s3.put_object(Bucket=bucket, Key="b", Body=b"abc", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    answer = s3.delete_bucket_encryption(Bucket=bucket)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert rules() == of_itself
    assert read(s3, bucket, "a") == b"abc"
    assert s3.put_object(Bucket=bucket, Key="c", Body=b"abc")["ServerSideEncryption"] == "AES256"
    put = s3.put_bucket_encryption
    both = {"SSEAlgorithm": "AES256", "KMSMasterKeyID": key}
    wrong = {"Rules": [{"ApplyServerSideEncryptionByDefault": both}]}
    assert refused(put, Bucket=bucket, ServerSideEncryptionConfiguration=wrong) == ("InvalidArgument", 400)
    double = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms:dsse"}}]}
    assert refused(put, Bucket=bucket, ServerSideEncryptionConfiguration=double)[0] == "NotImplemented"


@pytest.mark.parametrize("size", [1, 1024, 1 * MiB, 5 * MiB + 13])
def test_objects_of_any_size_with_a_kms_key(s3, bucket, key, size):
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", key)
    assert "BucketKeyEnabled" not in put or not put["BucketKeyEnabled"]
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["SSEKMSKeyId"], got["ContentLength"], got["Body"].read()) == (key, size, body)


def test_a_key_is_named_by_id_alias_or_not_at_all(s3, kms, bucket, key):
    kms.create_alias(AliasName="alias/of-objects", TargetKeyId=key)
    for name in [key.rsplit("/", 1)[1], "alias/of-objects", key.split(":key/")[0] + ":alias/of-objects"]:
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=name)
        assert put["SSEKMSKeyId"] == key
    managed = s3.put_object(Bucket=bucket, Key="m", Body=b"x", ServerSideEncryption="aws:kms")["SSEKMSKeyId"]
    described = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (described["Arn"], described["KeyManager"]) == (managed, "AWS")
    assert read(s3, bucket, "m") == b"x"


def test_headers_that_do_not_go_together_are_refused(s3, server, bucket, key):
    put = s3.put_object
    assert refused(put, Bucket=bucket, Key="k", SSEKMSKeyId=key) == ("InvalidArgument", 400)
    assert refused(put, Bucket=bucket, Key="k", ServerSideEncryption="AES256", SSEKMSKeyId=key) == ("InvalidArgument", 400)
    assert refused(put, Bucket=bucket, Key="k", ServerSideEncryption="rot13") == ("InvalidEncryptionAlgorithmError", 400)
    assert refused(put, Bucket=bucket, Key="k", ServerSideEncryption="aws:kms:dsse") == ("NotImplemented", 501)
    nobody = "11111111-2222-3333-4444-555555555555"
    for name in [nobody, "alias/nobody", "nonsense", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{nobody}"]:
        code = refused(put, Bucket=bucket, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=name)
        assert code == ("KMS.NotFoundException", 400), name
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404
    # Reads say nothing of encryption.
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    asking = server.client("s3")
    asking.meta.events.register(
        "before-call.s3.GetObject",
        lambda params, **_: params["headers"].update({"x-amz-server-side-encryption": "AES256"}))
    assert refused(asking.get_object, Bucket=bucket, Key="k") == ("InvalidArgument", 400)
    assert read(s3, bucket, "k") == b"x"


def test_keys_of_the_caller_are_refused(s3, bucket):
    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **customer) == ("AccessDenied", 403)
    assert refused(s3.create_multipart_upload, Bucket=bucket, Key="k", **customer) == ("AccessDenied", 403)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.get_object, Bucket=bucket, Key="k", **customer) == ("InvalidRequest", 400)
    assert read(s3, bucket, "k") == b"x"


def test_a_multipart_upload_is_encrypted_as_it_was_begun(s3, bucket, key):
    first, second = b"a" * (5 * MiB), b"the end"
    of = {"Bucket": bucket, "Key": "k"}
    begun = s3.create_multipart_upload(**of, ServerSideEncryption="aws:kms", SSEKMSKeyId=key, BucketKeyEnabled=True)
    assert (begun["SSEKMSKeyId"], begun["BucketKeyEnabled"]) == (key, True)
    parts = []
    for number, body in [(1, first), (2, second)]:
        part = s3.upload_part(**of, UploadId=begun["UploadId"], PartNumber=number, Body=body)
        assert part["SSEKMSKeyId"] == key
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    done = s3.complete_multipart_upload(**of, UploadId=begun["UploadId"], MultipartUpload={"Parts": parts})
    assert (done["ServerSideEncryption"], done["SSEKMSKeyId"]) == ("aws:kms", key)
    assert read(s3, bucket, "k") == first + second
    assert read(s3, bucket, "k", Range=f"bytes={5 * MiB - 2}-{5 * MiB + 2}") == b"aathe"
    assert read(s3, bucket, "k", PartNumber=2) == second
    # A copy of it goes where its own request says.
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=of)
    assert copied["ServerSideEncryption"] == "AES256"
    assert read(s3, bucket, "copy") == first + second
    again = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "copy"},
                           ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert again["SSEKMSKeyId"] == key and read(s3, bucket, "copy") == first + second


def test_an_encryption_context_is_kept_and_asked_for(s3, server, bucket, key):
    context = base64.b64encode(json.dumps({"team": "blue"}).encode()).decode()
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key,
                        SSEKMSEncryptionContext=context)
    assert json.loads(base64.b64decode(put["SSEKMSEncryptionContext"])) == {"team": "blue"}
    assert read(s3, bucket, "k") == b"x"
    of_blue = allow("kms:Decrypt", key) | {"Condition": {"StringEquals": {
        "kms:EncryptionContext:team": "blue", "kms:ViaService": f"s3.{REGION}.amazonaws.com"}}}
    blue = of_user(server, "blue", allow("s3:*"), of_blue)
    assert read(blue, bucket, "k") == b"x"
    s3.put_object(Bucket=bucket, Key="other", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert refused(blue.get_object, Bucket=bucket, Key="other") == ("AccessDenied", 403)
    assert refused(s3.put_object, Bucket=bucket, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=key,
                   SSEKMSEncryptionContext="nonsense") == ("InvalidArgument", 400)


def test_the_caller_needs_the_keys_permissions_too(s3, server, bucket, key):
    writer = of_user(server, "writer", allow("s3:*"), allow("kms:GenerateDataKey", key))
    with_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    writer.put_object(Bucket=bucket, Key="k", Body=b"x", **with_key)
    assert refused(writer.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    assert refused(writer.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k") == ("AccessDenied", 403)
    # What is known of it besides its bytes can be seen.
    assert writer.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == key
    nobody = of_user(server, "keyless", allow("s3:*"))
    assert refused(nobody.put_object, Bucket=bucket, Key="n", Body=b"x", **with_key) == ("AccessDenied", 403)
    assert refused(nobody.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    assert refused(s3.head_object, Bucket=bucket, Key="n")[1] == 404
    # The account's own key of S3 is for everybody in the account.
    nobody.put_object(Bucket=bucket, Key="n", Body=b"x", ServerSideEncryption="aws:kms")
    assert read(nobody, bucket, "n") == b"x"
    # Nobody reads it who has proved nothing, whatever the bucket's policy says.
    url = f"{server.endpoint}/{bucket}/k"
    s3.delete_public_access_block(Bucket=bucket)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]}))
    assert requests.get(url).status_code == 403
    s3.put_object(Bucket=bucket, Key="open", Body=b"x")
    assert requests.get(f"{server.endpoint}/{bucket}/open").content == b"x"


def test_what_is_told_of_parts_takes_the_key_too(server, s3, bucket, key):
    keyless = of_user(server, "no-parts", allow("s3:*"))
    of = {"Bucket": bucket, "Key": "k"}
    begun = s3.create_multipart_upload(**of, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    upload = {**of, "UploadId": begun["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"part")
    assert refused(keyless.list_parts, **upload) == ("AccessDenied", 403)
    assert s3.list_parts(**upload)["Parts"][0]["ETag"] == part["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    for attribute in ["Checksum", "ObjectParts"]:
        asked = {**of, "ObjectAttributes": [attribute]}
        assert refused(keyless.get_object_attributes, **asked) == ("AccessDenied", 403)
        assert attribute in s3.get_object_attributes(**asked)
    assert keyless.get_object_attributes(**of, ObjectAttributes=["ETag", "ObjectSize"])["ObjectSize"] == 4


def test_the_accounts_own_key_is_made_for_who_may_use_it_only(server, request):
    region, bucket = "eu-south-2", own_bucket("m", request)
    s3 = server.client("s3", region=region)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    asked = {"Bucket": bucket, "Key": "k", "Body": b"x", "ServerSideEncryption": "aws:kms"}
    keyless = of_user(server, "no-kms", allow("s3:*"), allow("kms:*") | {"Effect": "Deny"}, region=region)
    kms = server.client("kms", region=region)
    with pytest.raises(ClientError) as caught:
        keyless.put_object(**asked)
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDenied" and "on resource: alias/aws/s3 because" in error["Message"]
    assert refused(keyless.create_multipart_upload, **{k: v for k, v in asked.items() if k != "Body"})[1] == 403
    assert kms.list_keys()["Keys"] == [] and kms.list_aliases()["Aliases"] == []
    s3.put_object(**asked)
    assert len(kms.list_keys()["Keys"]) == 1


def test_a_key_that_is_disabled_or_to_be_deleted_opens_nothing(s3, kms, bucket, key):
    with_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(Bucket=bucket, Key="direct", Body=b"x", **with_key)
    s3.put_object(Bucket=bucket, Key="bucket", Body=b"x", **with_key, BucketKeyEnabled=True)
    states = [
        (kms.disable_key, kms.enable_key, "KMS.DisabledException"),
        (kms.schedule_key_deletion, kms.cancel_key_deletion, "KMS.KMSInvalidStateException"),
    ]
    for close, reopen, code in states:
        close(KeyId=key)
        for name in ["direct", "bucket"]:
            assert refused(s3.get_object, Bucket=bucket, Key=name) == (code, 400)
            s3.head_object(Bucket=bucket, Key=name)
        assert refused(s3.put_object, Bucket=bucket, Key="n", **with_key) == (code, 400)
        assert refused(s3.put_object, Bucket=bucket, Key="n", **with_key, BucketKeyEnabled=True) == (code, 400)
        reopen(KeyId=key)
        kms.enable_key(KeyId=key)
        assert read(s3, bucket, "direct") == read(s3, bucket, "bucket") == b"x"
    # A key that is rotated opens what it encrypted before.
    kms.rotate_key_on_demand(KeyId=key)
    assert read(s3, bucket, "direct") == b"x"


def test_a_bucket_policy_that_asks_for_encryption(s3, bucket, key):
    def deny(condition):
        return {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": condition}

    statements = [
        deny({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}),
        deny({"Null": {"s3:x-amz-server-side-encryption": "true"}}),
        deny({"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key}}),
    ]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    put, of = s3.put_object, {"Bucket": bucket, "Key": "k"}
    assert refused(put, **of, Body=b"x") == ("AccessDenied", 403)
    assert refused(put, **of, Body=b"x", ServerSideEncryption="AES256") == ("AccessDenied", 403)
    other = key[:-4] + "0000"
    assert refused(put, **of, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=other) == ("AccessDenied", 403)
    put(**of, Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    # A part says nothing of encryption; its upload did.
    begun = s3.create_multipart_upload(**of, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    part = s3.upload_part(**of, UploadId=begun["UploadId"], PartNumber=1, Body=b"part")
    s3.complete_multipart_upload(**of, UploadId=begun["UploadId"],
                                 MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert read(s3, bucket, "k") == b"part"


def test_the_aws_cli(server, bucket, key, tmp_path):
    local, back = tmp_path / "large", tmp_path / "back"
    local.write_bytes(b"0123456789abcdef" * (9 * MiB // 16))
    server.aws("s3", "cp", str(local), f"s3://{bucket}/large", "--sse", "aws:kms", "--sse-kms-key-id", key)
    head = server.aws("s3api", "head-object", "--bucket", bucket, "--key", "large")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    server.aws("s3", "cp", f"s3://{bucket}/large", str(back))
    assert back.read_bytes() == local.read_bytes()
    server.aws("s3", "cp", f"s3://{bucket}/large", f"s3://{bucket}/copy", "--sse", "AES256")
    assert server.aws("s3api", "head-object", "--bucket", bucket, "--key", "copy")["ServerSideEncryption"] == "AES256"
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    server.aws("s3api", "put-bucket-encryption", "--bucket", bucket,
               "--server-side-encryption-configuration", json.dumps(rules))
    got = server.aws("s3api", "get-bucket-encryption", "--bucket", bucket)
    by_default = got["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert by_default == {"SSEAlgorithm": "AES256"}


def test_uses_of_a_key_are_records_of_kms(tmp_path):
    with Server(tmp_path) as server:
        make_trail(server)
        s3, key = server.client("s3"), server.client("kms").create_key()["KeyMetadata"]["Arn"]
        s3.create_bucket(Bucket="objects")
        with_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        s3.put_object(Bucket="objects", Key="direct", Body=b"x", **with_key)
        read(s3, "objects", "direct")
        for name in ["one", "two", "three"]:
            s3.put_object(Bucket="objects", Key=name, Body=b"x", **with_key, BucketKeyEnabled=True)

        def uses():
            records = [r for r in delivered(server, "trail-bucket") if r["eventSource"] == "kms.amazonaws.com"]
            found = [r for r in records if r["eventName"] in ("GenerateDataKey", "Decrypt")]
            return found if len(found) >= 3 else None

        made, opened, of_bucket = sorted(eventually(uses), key=lambda record: record["eventTime"])[:3]
        assert [made["eventName"], opened["eventName"], of_bucket["eventName"]] == [
            "GenerateDataKey", "Decrypt", "GenerateDataKey"] or {made["eventName"], opened["eventName"]} == {
            "GenerateDataKey", "Decrypt"}
        for record in eventually(uses):
            assert record["userIdentity"]["type"] == "Root"
            assert record["userIdentity"]["invokedBy"] == record["sourceIPAddress"] == "s3.amazonaws.com"
            assert record["resources"][0]["ARN"] == key and record["readOnly"] is True
        contexts = [r["requestParameters"]["encryptionContext"]["aws:s3:arn"] for r in uses()]
        # One call for the key of the bucket, however many objects it serves.
        assert sorted(contexts) == ["arn:aws:s3:::objects", "arn:aws:s3:::objects/direct", "arn:aws:s3:::objects/direct"]


def test_a_damaged_object_is_refused_and_named(tmp_path):
    with Server(tmp_path) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="objects")
        for name in ["one", "two"]:
            s3.put_object(Bucket="objects", Key=name, Body=name.encode() * 100_000)
        one, two = [path for path in (server.data / "vault" / "blobs").rglob("*") if path.is_file()]
        # Two files exchanged: each is whole, and in the wrong place.
        first, second = one.read_bytes(), two.read_bytes()
        one.write_bytes(second)
        two.write_bytes(first)
        for name in ["one", "two"]:
            with pytest.raises(Exception):
                read(s3, "objects", name)
        assert server.process.poll() is None
