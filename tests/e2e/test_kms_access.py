"""Who may use a key: its policy, the caller's policies, grants."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from accounts import Accounts
from identity import allow, code, deny, looked_up, person, refused, session, trust, user_arn
from server import ACCOUNT, REGION
from trail import make_bucket

ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


@pytest.fixture(scope="module")
def kms(shared_server):
    return shared_server.client("kms")


def statement(principal, action, condition=None, effect="Allow"):
    found = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*"}
    return {**found, "Condition": condition} if condition else found


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def made(kms, *statements, **more):
    if statements:
        more["Policy"] = document(statement(ROOT, "kms:*"), *statements)
    return kms.create_key(**more)["KeyMetadata"]["Arn"]


def someone(server, iam, *statements):
    name, own = person(iam, *statements)
    return user_arn(name), server.client("kms", **own)


def test_the_usual_policy_leaves_it_to_the_callers_own_policies(shared_server, iam, kms):
    key = made(kms)
    _, nobody = someone(shared_server, iam)
    _, able = someone(shared_server, iam, allow("kms:Encrypt", key))
    error, message = refused(nobody.encrypt, KeyId=key, Plaintext=b"x")
    assert error == "AccessDeniedException" and "kms:Encrypt on resource: " + key in message
    blob = able.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert code(able.decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    assert code(able.encrypt, KeyId=made(kms), Plaintext=b"x") == "AccessDeniedException"
    assert code(nobody.create_key) == "AccessDeniedException" and code(nobody.list_keys) == "AccessDeniedException"


def test_a_key_policy_without_the_account_leaves_out_everybody_else_and_root(shared_server, iam, kms):
    admin, admins = someone(shared_server, iam, allow("kms:*"))
    policy = document(statement({"AWS": admin}, "kms:*"))
    key = admins.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    assert code(kms.describe_key, KeyId=key) == "AccessDeniedException"
    assert code(kms.schedule_key_deletion, KeyId=key) == "AccessDeniedException"
    _, other = someone(shared_server, iam, allow("*"))
    assert code(other.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"
    assert admins.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key


def test_a_key_policy_alone_lets_in_whom_it_names_and_a_deny_is_final(shared_server, iam, kms):
    named, client = someone(shared_server, iam)
    key = made(kms, statement({"AWS": named}, ["kms:Encrypt", "kms:Decrypt"]),
               statement("*", "kms:Decrypt", {"StringNotEquals": {"kms:EncryptionContext:team": "blue"}}, "Deny"))
    context = {"team": "blue"}
    blob = client.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    assert client.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"
    bare = client.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert code(client.decrypt, CiphertextBlob=bare) == "AccessDeniedException"
    assert code(kms.decrypt, CiphertextBlob=bare) == "AccessDeniedException"
    denied, refusing = someone(shared_server, iam, deny("kms:Encrypt"))
    kms.put_key_policy(KeyId=key, Policy=document(
        statement(ROOT, "kms:*"), statement({"AWS": denied}, "kms:Encrypt")))
    assert code(refusing.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


@pytest.mark.parametrize("condition, ok", [
    ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, True),
    ({"StringEquals": {"kms:CallerAccount": "210987654321"}}, False),
    ({"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}, False),
    ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["team"]}}, True),
    ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}, True),
    ({"StringEquals": {"kms:KeyUsage": "SIGN_VERIFY"}}, False),
    ({"StringEquals": {"aws:ResourceTag/team": "blue"}}, True),
    ({"StringLike": {"kms:RequestAlias": "alias/*"}}, False),
])
def test_conditions_of_a_key_policy(shared_server, iam, kms, condition, ok):
    named, client = someone(shared_server, iam)
    key = made(kms, statement({"AWS": named}, "kms:Encrypt", condition), Tags=[{"TagKey": "team", "TagValue": "blue"}])
    asked = {"KeyId": key, "Plaintext": b"x", "EncryptionContext": {"team": "blue"}}
    if ok:
        client.encrypt(**asked)
    else:
        assert code(client.encrypt, **asked) == "AccessDeniedException"


def test_aliases_are_conditions_too(shared_server, iam, kms):
    alias = f"alias/{uuid.uuid4().hex[:8]}"
    _, client = someone(
        shared_server, iam, allow("kms:Encrypt", condition={"StringEquals": {"kms:RequestAlias": alias}}),
        allow("kms:DescribeKey", condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}))
    key = made(kms)
    assert code(client.describe_key, KeyId=key) == "AccessDeniedException"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    client.describe_key(KeyId=key)
    client.encrypt(KeyId=alias, Plaintext=b"x")
    assert code(client.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


def test_a_policy_is_refused_that_locks_its_author_out_or_is_none(kms):
    key = made(kms)
    locked = document(statement({"Service": "cloudtrail.amazonaws.com"}, "kms:*"))
    malformed = "MalformedPolicyDocumentException"
    assert code(kms.put_key_policy, KeyId=key, Policy=locked) == malformed
    assert code(kms.create_key, Policy=locked) == malformed
    assert code(kms.put_key_policy, KeyId=key, Policy="{}") == malformed
    nobody = document(statement(ROOT, "kms:*"), statement({"AWS": user_arn("nobody-at-all")}, "kms:Decrypt"))
    assert code(kms.put_key_policy, KeyId=key, Policy=nobody) == malformed
    long = document(statement(ROOT, "kms:*"), *[statement(ROOT, f"kms:{'A' * 900}{n}") for n in range(40)])
    assert code(kms.put_key_policy, KeyId=key, Policy=long) == "LimitExceededException"
    kms.put_key_policy(KeyId=key, Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    assert code(kms.get_key_policy, KeyId=key) == "AccessDeniedException"


def test_the_key_of_a_service_is_made_for_who_may_see_it_only(shared_server, iam):
    own = person(iam)[1]
    looker = person(iam, allow("kms:DescribeKey"))[1]
    elsewhere = {"region": "xx-somewhere-1"}
    nobody, looker = (shared_server.client("kms", **who, **elsewhere) for who in (own, looker))
    root = shared_server.client("kms", **elsewhere)
    for use in (nobody.describe_key, lambda **of: nobody.encrypt(**of, Plaintext=b"x"),
                lambda **of: looker.encrypt(**of, Plaintext=b"x")):
        assert code(use, KeyId="alias/aws/s3") == "AccessDeniedException"
    assert root.list_keys()["Keys"] == []
    made = looker.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert [key["KeyId"] for key in root.list_keys()["Keys"]] == [made["KeyId"]]


def test_a_grant_is_a_permission_until_it_ends(shared_server, iam, kms):
    key = made(kms)
    grantee, client = someone(shared_server, iam)
    granted = kms.create_grant(
        KeyId=key, GranteePrincipal=grantee, RetiringPrincipal=grantee, Operations=["Encrypt", "Decrypt"], Name="own",
        Constraints={"EncryptionContextSubset": {"Team": "blue"}})
    again = kms.create_grant(
        KeyId=key, GranteePrincipal=grantee, RetiringPrincipal=grantee, Operations=["Decrypt", "Encrypt"], Name="own",
        Constraints={"EncryptionContextSubset": {"Team": "blue"}})
    assert again["GrantId"] == granted["GrantId"] and again["GrantToken"] != granted["GrantToken"]
    context = {"Team": "blue", "more": "yes"}
    blob = client.encrypt(
        KeyId=key, Plaintext=b"x", EncryptionContext=context, GrantTokens=[granted["GrantToken"]])["CiphertextBlob"]
    assert client.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"
    assert code(client.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"
    assert code(client.describe_key, KeyId=key) == "AccessDeniedException"
    asked = {"KeyId": key, "Plaintext": b"x", "EncryptionContext": context}
    assert code(client.encrypt, GrantTokens=["nonsense"], **asked) == "InvalidGrantTokenException"
    listed = kms.list_grants(KeyId=key)["Grants"]
    assert [(g["GrantId"], g["GranteePrincipal"], g["Operations"], g["Constraints"]) for g in listed] == [
        (granted["GrantId"], grantee, ["Decrypt", "Encrypt"], {"EncryptionContextSubset": {"Team": "blue"}})]
    retirable = kms.list_retirable_grants(RetiringPrincipal=grantee)["Grants"]
    assert [g["GrantId"] for g in retirable] == [granted["GrantId"]]

    _, stranger = someone(shared_server, iam)
    assert code(stranger.retire_grant, GrantToken=granted["GrantToken"]) == "AccessDeniedException"
    client.retire_grant(GrantToken=granted["GrantToken"])
    assert code(client.encrypt, **asked) == "AccessDeniedException"
    assert code(kms.revoke_grant, KeyId=key, GrantId=granted["GrantId"]) == "NotFoundException"
    record = looked_up(shared_server, "CreateGrant")[0]
    assert record["requestParameters"]["constraints"] == {"encryptionContextSubset": {"Team": "blue"}}
    assert "grantToken" not in json.dumps(record)


def test_a_grant_makes_none_that_is_wider(shared_server, iam, kms):
    key = made(kms)
    one, client = someone(shared_server, iam)
    two, _ = someone(shared_server, iam)
    narrow = {"EncryptionContextSubset": {"a": "1"}}
    kms.create_grant(KeyId=key, GranteePrincipal=one, Operations=["CreateGrant", "Decrypt"], Constraints=narrow)
    asked = {"KeyId": key, "GranteePrincipal": two}
    assert code(client.create_grant, Operations=["Decrypt"], **asked) == "AccessDeniedException"
    assert code(client.create_grant, Operations=["Encrypt"], Constraints=narrow, **asked) == "AccessDeniedException"
    client.create_grant(Operations=["Decrypt"], Constraints=narrow, **asked)
    assert code(kms.create_grant, Operations=["Sign"], **asked) == "ValidationException"
    gone = {"KeyId": key, "GranteePrincipal": user_arn("nobody-at-all"), "Operations": ["Decrypt"]}
    assert code(kms.create_grant, **gone) == "InvalidArnException"


def test_a_role_uses_a_key_that_names_it(shared_server, iam, kms):
    name = f"role-{uuid.uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(ROOT))["Role"]["Arn"]
    _, own = person(iam, allow("sts:AssumeRole"))
    sts = shared_server.client("sts", **own)
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    client = shared_server.client("kms", **session(credentials))
    key = made(kms, statement({"AWS": role}, "kms:GenerateDataKey"))
    assert client.generate_data_key(KeyId=key, KeySpec="AES_256")["KeyId"] == key
    assert code(client.describe_key, KeyId=key) == "AccessDeniedException"


def test_who_is_made_anew_under_an_old_name_inherits_nothing(shared_server, iam, kms):
    name, own = person(iam)
    arn, bucket, s3 = user_arn(name), f"anew-{uuid.uuid4().hex[:8]}", shared_server.client("s3")
    old = iam.get_user(UserName=name)["User"]["UserId"]
    key = made(kms, statement({"AWS": arn}, "kms:DescribeKey"))
    kms.create_grant(KeyId=key, GranteePrincipal=arn, RetiringPrincipal=arn, Operations=["Encrypt"])
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}", "Condition": {"ArnLike": {"aws:PrincipalArn": arn}}}}))

    def may(who):
        asked = [(shared_server.client("kms", **who).describe_key, {"KeyId": key}),
                 (shared_server.client("kms", **who).encrypt, {"KeyId": key, "Plaintext": b"x"}),
                 (shared_server.client("s3", **who).list_objects_v2, {"Bucket": bucket})]
        for call, arguments in asked:
            try:
                call(**arguments)
                yield True
            except ClientError as error:
                assert error.response["Error"]["Code"].startswith("AccessDenied")
                yield False

    assert list(may(own)) == [True] * 3
    iam.delete_access_key(UserName=name, AccessKeyId=own["key"])
    iam.delete_user(UserName=name)
    _, new = person(iam, name=name)
    assert list(may(new)) == [False] * 3
    # Who is gone is shown by id, as AWS shows them, in the principal and nowhere else.
    assert kms.list_grants(KeyId=key)["Grants"][0]["GranteePrincipal"] == old
    assert json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"][1]["Principal"] == {"AWS": old}
    statement_now = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert statement_now["Principal"] == {"AWS": old}
    assert statement_now["Condition"] == {"ArnLike": {"aws:PrincipalArn": arn}}
    # A policy that is written again means who is there.
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}}))
    assert list(may(new)) == [False, False, True]


def test_a_trails_key_must_be_there_enabled_and_open_to_cloudtrail(shared_server, kms):
    cloudtrail = shared_server.client("cloudtrail")
    make_bucket(shared_server, "trail-key-bucket")
    asked = {"Name": "keyed", "S3BucketName": "trail-key-bucket"}
    assert code(cloudtrail.create_trail, KmsKeyId="alias/nobody", **asked) == "KmsKeyNotFoundException"
    closed = made(kms)
    assert code(cloudtrail.create_trail, KmsKeyId=closed, **asked) == "InsufficientEncryptionPolicyException"
    arn = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/keyed"
    service = {"Service": "cloudtrail.amazonaws.com"}
    wrong = made(kms, statement(service, "kms:GenerateDataKey*", {"StringEquals": {"aws:SourceArn": arn + "x"}}))
    assert code(cloudtrail.create_trail, KmsKeyId=wrong, **asked) == "InsufficientEncryptionPolicyException"
    key = made(kms, statement(service, "kms:GenerateDataKey*", {"StringEquals": {"aws:SourceArn": arn}}))
    kms.disable_key(KeyId=key)
    assert code(cloudtrail.create_trail, KmsKeyId=key, **asked) == "KmsException"
    kms.enable_key(KeyId=key)
    kms.create_alias(AliasName="alias/trail", TargetKeyId=key)
    assert cloudtrail.create_trail(KmsKeyId="alias/trail", **asked)["KmsKeyId"] == key


def test_who_is_refused_a_key_of_another_account_hears_no_more_of_it_than_they_said(shared_server, kms):
    accounts = Accounts(shared_server)
    accounts.make("keys")
    theirs = accounts.client("keys", "kms")
    key = theirs.create_key()["KeyMetadata"]
    theirs.create_alias(AliasName="alias/hidden", TargetKeyId=key["KeyId"])
    there, absent = (key["Arn"].split(":key/")[0] + f":alias/{name}" for name in ("hidden", "absent"))
    shared_server.client("s3").create_bucket(Bucket="of-a-stranger")
    put = {"Bucket": "of-a-stranger", "Key": "k", "Body": b"x", "ServerSideEncryption": "aws:kms"}
    said = []
    for alias in (there, absent):
        error, message = refused(kms.encrypt, KeyId=alias, Plaintext=b"x")
        assert error == "AccessDeniedException"
        said.append(message.replace(alias, ""))
    assert said[0] == said[1]
    with pytest.raises(ClientError) as caught:
        shared_server.client("s3").put_object(**put, SSEKMSKeyId=there)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    assert there in caught.value.response["Error"]["Message"] and key["KeyId"] not in str(caught.value)
    for name, count in (("Encrypt", 2), ("GenerateDataKey", 1)):
        records = [record for record in looked_up(shared_server, name, count=count) if there in json.dumps(record)]
        assert [record["errorCode"] for record in records] == ["AccessDenied"]
        assert key["KeyId"] not in json.dumps(records) and not records[0].get("resources")
