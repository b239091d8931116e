"""Keys from their making to their end, with boto3 and the real AWS CLI."""

import base64
import json
import uuid

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from identity import code, looked_up, refused
from server import ACCOUNT, REGION, Server, eventually
from trail import delivered, make_trail


@pytest.fixture(scope="module")
def kms(shared_server):
    return shared_server.client("kms")


def made(kms, **more):
    return kms.create_key(**more)["KeyMetadata"]


def test_a_key_is_described_as_it_was_made(kms):
    key = made(kms, Description="logs", Tags=[{"TagKey": "team", "TagValue": "blue"}])
    assert key["Arn"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key['KeyId']}"
    assert (key["KeyState"], key["Enabled"], key["KeySpec"], key["KeyUsage"], key["Origin"], key["KeyManager"]) == (
        "Enabled", True, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "CUSTOMER")
    assert key["EncryptionAlgorithms"] == ["SYMMETRIC_DEFAULT"] and key["MultiRegion"] is False
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] == key
    assert kms.describe_key(KeyId=key["Arn"])["KeyMetadata"] == key
    kms.update_key_description(KeyId=key["KeyId"], Description="other")
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Description"] == "other"

    kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "level", "TagValue": "3"}])
    kms.untag_resource(KeyId=key["KeyId"], TagKeys=["team"])
    assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "level", "TagValue": "3"}]
    assert code(kms.tag_resource, KeyId=key["KeyId"], Tags=[{"TagKey": "aws:x", "TagValue": ""}]) == "TagException"


def test_names_of_no_key(kms):
    nobody = str(uuid.uuid4())
    error, message = refused(kms.describe_key, KeyId=nobody)
    assert error == "NotFoundException" and f"key/{nobody}' does not exist" in message
    assert code(kms.describe_key, KeyId="nonsense") == "NotFoundException"
    assert code(kms.describe_key, KeyId="alias/nobody") == "NotFoundException"
    assert code(kms.describe_key, KeyId=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{nobody}") == "NotFoundException"
    # Of another account nothing is told.
    foreign = f"arn:aws:kms:{REGION}:210987654321:key/{nobody}"
    assert code(kms.describe_key, KeyId=foreign) == "AccessDeniedException"
    assert code(kms.create_key, KeySpec="ML_DSA_44", KeyUsage="SIGN_VERIFY") == "UnsupportedOperationException"
    assert code(kms.create_key, MultiRegion=True) == "UnsupportedOperationException"
    assert code(kms.create_key, KeySpec="RSA_2048") == "ValidationException"
    assert code(kms.create_key, KeySpec="ECC_NIST_P256", KeyUsage="ENCRYPT_DECRYPT") == "ValidationException"
    assert code(kms.describe_custom_key_stores) == "UnsupportedOperationException"


def test_what_is_encrypted_opens_with_its_context_only(kms):
    key = made(kms)
    context = {"Purpose": "test", "a": "1"}
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret", EncryptionContext=context)
    assert sealed["KeyId"] == key["Arn"]
    blob = sealed["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", key["Arn"])
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, KeyId=key["Arn"])["Plaintext"] == b"secret"
    for wrong in ({}, {"Purpose": "test"}, {**context, "b": "2"}, {"purpose": "test", "a": "1"}):
        assert code(kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong) == "InvalidCiphertextException"
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    assert code(kms.decrypt, CiphertextBlob=changed, EncryptionContext=context) == "InvalidCiphertextException"
    assert code(kms.decrypt, CiphertextBlob=b"nonsense") == "InvalidCiphertextException"
    other = made(kms)
    arguments = {"CiphertextBlob": blob, "EncryptionContext": context}
    assert code(kms.decrypt, KeyId=other["KeyId"], **arguments) == "IncorrectKeyException"
    assert code(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x" * 4097) == "ValidationException"

    moved = kms.re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=other["KeyId"],
        DestinationEncryptionContext={"new": "context"})
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key["Arn"], other["Arn"])
    again = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"new": "context"})
    assert again["Plaintext"] == b"secret"


def test_data_keys(kms):
    key = made(kms)
    whole = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert len(whole["Plaintext"]) == 32
    opened = kms.decrypt(CiphertextBlob=whole["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == whole["Plaintext"]
    assert len(kms.generate_data_key(KeyId=key["KeyId"], NumberOfBytes=64)["Plaintext"]) == 64
    hidden = kms.generate_data_key_without_plaintext(KeyId=key["KeyId"], KeySpec="AES_128")
    assert "Plaintext" not in hidden and len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 16
    assert code(kms.generate_data_key, KeyId=key["KeyId"]) == "ValidationException"
    assert code(kms.generate_data_key, KeyId=key["KeyId"], NumberOfBytes=1, KeySpec="AES_256") == "ValidationException"
    assert len(kms.generate_random(NumberOfBytes=24)["Plaintext"]) == 24

    pair = kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256")
    private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    public = serialization.load_der_public_key(pair["PublicKey"])
    assert private.public_key() == public
    assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"]


def test_an_attempt_that_is_only_tried_changes_nothing(kms):
    key = made(kms)["KeyId"]
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "DryRunOperationException"
    assert code(kms.generate_data_key, KeyId=key, KeySpec="AES_256", DryRun=True) == "DryRunOperationException"
    granted = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Decrypt"]}
    assert code(kms.create_grant, DryRun=True, **granted) == "DryRunOperationException"
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_disabled_key_and_one_that_waits_for_its_deletion_are_not_used(kms):
    key = made(kms)["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    for call, arguments in [
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x"}), (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}), (kms.enable_key_rotation, {"KeyId": key}),
    ]:
        assert code(call, **arguments) == "DisabledException"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

    assert code(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6) == "ValidationException"
    due = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert due["KeyState"] == "PendingDeletion" and due["PendingWindowInDays"] == 7
    described = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert described["DeletionDate"] == due["DeletionDate"] and not described["Enabled"]
    for call, arguments in [
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x"}), (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.enable_key, {"KeyId": key}), (kms.disable_key, {"KeyId": key}),
        (kms.schedule_key_deletion, {"KeyId": key}), (kms.create_alias, {"AliasName": "alias/x", "TargetKeyId": key}),
    ]:
        assert code(call, **arguments) == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert code(kms.cancel_key_deletion, KeyId=key) == "KMSInvalidStateException"


def test_aliases(kms):
    one, two = made(kms), made(kms)
    name = f"alias/{uuid.uuid4().hex[:8]}"
    kms.create_alias(AliasName=name, TargetKeyId=one["KeyId"])
    assert code(kms.create_alias, AliasName=name, TargetKeyId=two["KeyId"]) == "AlreadyExistsException"
    assert code(kms.create_alias, AliasName="alias/aws/x", TargetKeyId=one["KeyId"]) == "InvalidAliasNameException"
    assert code(kms.create_alias, AliasName="noprefix", TargetKeyId=one["KeyId"]) == "InvalidAliasNameException"
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:{name}"
    for reference in (name, arn):
        assert kms.describe_key(KeyId=reference)["KeyMetadata"]["Arn"] == one["Arn"]
    assert code(kms.disable_key, KeyId=name) == "NotFoundException"
    assert code(kms.disable_key, KeyId=arn) == "InvalidArnException"
    blob = kms.encrypt(KeyId=name, Plaintext=b"x")["CiphertextBlob"]
    listed = kms.list_aliases(KeyId=one["KeyId"])["Aliases"]
    assert [(a["AliasName"], a["AliasArn"], a["TargetKeyId"]) for a in listed] == [(name, arn, one["KeyId"])]

    kms.update_alias(AliasName=name, TargetKeyId=two["KeyId"])
    assert kms.encrypt(KeyId=name, Plaintext=b"x")["KeyId"] == two["Arn"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyId"] == one["Arn"]
    assert kms.list_aliases(KeyId=one["KeyId"])["Aliases"] == []
    kms.delete_alias(AliasName=name)
    assert code(kms.delete_alias, AliasName=name) == "NotFoundException"


def test_lists_come_in_pages(kms):
    keys = {made(kms)["KeyId"] for _ in range(5)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(page["Keys"]) <= 2 for page in pages) and len(pages) > 2
    assert keys <= {key["KeyId"] for page in pages for key in page["Keys"]}
    assert code(kms.list_keys, Marker="*") == "InvalidMarkerException"
    assert code(kms.list_keys, Limit=1001) == "ValidationException"
    assert kms.list_key_policies(KeyId=keys.pop())["PolicyNames"] == ["default"]


def test_the_key_of_a_service_is_made_at_its_first_use(kms):
    key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert key["KeyManager"] == "AWS" and kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"] == key
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    # Its policy lets it be used through S3 only, and nobody change it.
    assert code(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == "AccessDeniedException"
    assert code(kms.disable_key, KeyId=key["KeyId"]) == "AccessDeniedException"
    assert code(kms.schedule_key_deletion, KeyId=key["KeyId"]) == "AccessDeniedException"


def test_rotation_keeps_what_was_encrypted_before(shared_server, kms):
    key = made(kms)["KeyId"]
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    # boto3's own check of the bounds is left out, so that the server's is asked.
    unchecked = shared_server.client("kms", parameter_validation=False)
    assert code(unchecked.enable_key_rotation, KeyId=key, RotationPeriodInDays=89) == "ValidationException"
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    first = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    kms.rotate_key_on_demand(KeyId=key)
    second = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert first != second
    opened = kms.decrypt(CiphertextBlob=old)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"old", first)
    assert kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"n")["CiphertextBlob"])["KeyMaterialId"] == second
    rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [(r["KeyMaterialId"], r["RotationType"]) for r in rotations] == [(second, "ON_DEMAND")]
    everything = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [r["KeyMaterialState"] for r in everything] == ["NON_CURRENT", "CURRENT"]
    kms.disable_key_rotation(KeyId=key)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    signer = made(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    assert code(kms.enable_key_rotation, KeyId=signer) == "UnsupportedOperationException"


HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"])
def test_signatures_hold_for_another_implementation(kms, spec):
    key = made(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    answer = kms.get_public_key(KeyId=key["KeyId"])
    public = serialization.load_der_public_key(answer["PublicKey"])
    assert answer["SigningAlgorithms"] == key["SigningAlgorithms"]
    for algorithm in key["SigningAlgorithms"]:
        chosen = HASHES[algorithm[-3:]]
        digest = hashes.Hash(chosen)
        digest.update(b"message")
        forms = [("RAW", b"message"), ("DIGEST", digest.finalize())]
        for kind, message in forms:
            asked = {"KeyId": key["KeyId"], "Message": message, "MessageType": kind, "SigningAlgorithm": algorithm}
            signature = kms.sign(**asked)["Signature"]
            if spec.startswith("RSA"):
                pss = padding.PSS(padding.MGF1(chosen), chosen.digest_size)
                public.verify(signature, b"message", pss if "PSS" in algorithm else padding.PKCS1v15(), chosen)
            else:
                public.verify(signature, b"message", ec.ECDSA(chosen))
            for other, form in forms:
                verified = kms.verify(**{**asked, "Message": form, "MessageType": other}, Signature=signature)
                assert verified["SignatureValid"]
            wrong = bytes([signature[0] ^ 1]) + signature[1:]
            assert code(kms.verify, **asked, Signature=wrong) == "KMSInvalidSignatureException"
    asked["Message"], asked["MessageType"] = b"short", "DIGEST"
    assert code(kms.sign, **asked) == "ValidationException"
    assert code(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == "InvalidKeyUsageException"


def test_rsa_keys_encrypt(kms):
    key = made(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    for algorithm, chosen in [("RSAES_OAEP_SHA_1", hashes.SHA1()), ("RSAES_OAEP_SHA_256", hashes.SHA256())]:
        asked = {"KeyId": key["KeyId"], "EncryptionAlgorithm": algorithm}
        oaep = padding.OAEP(padding.MGF1(chosen), chosen, None)
        for blob in (kms.encrypt(Plaintext=b"x", **asked)["CiphertextBlob"], public.encrypt(b"x", oaep)):
            assert kms.decrypt(CiphertextBlob=blob, **asked)["Plaintext"] == b"x"
        assert code(kms.encrypt, Plaintext=b"x" * 250, **asked) == "ValidationException"
        assert code(kms.decrypt, CiphertextBlob=b"\1" * 256, **asked) == "InvalidCiphertextException"
    assert code(kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x") == "InvalidKeyUsageException"
    assert code(kms.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256") == "InvalidKeyUsageException"


def test_message_authentication_codes(kms):
    key = made(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyId"]
    asked = {"KeyId": key, "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
    mac = kms.generate_mac(**asked)["Mac"]
    assert len(mac) == 32 and kms.verify_mac(Mac=mac, **asked)["MacValid"]
    assert code(kms.verify_mac, Mac=b"x" * 32, **asked) == "KMSInvalidMacException"
    assert code(kms.get_public_key, KeyId=key) == "UnsupportedOperationException"


def test_the_aws_cli_encrypts_and_decrypts(shared_server, tmp_path):
    aws = shared_server.aws
    key = aws("kms", "create-key", "--description", "cli")["KeyMetadata"]["KeyId"]
    aws("kms", "create-alias", "--alias-name", "alias/cli", "--target-key-id", key)
    (tmp_path / "plain").write_bytes(b"hello")
    sealed = aws("kms", "encrypt", "--key-id", "alias/cli", "--plaintext", f"fileb://{tmp_path}/plain",
                 "--encryption-context", "Purpose=cli")["CiphertextBlob"]
    (tmp_path / "sealed").write_bytes(base64.b64decode(sealed))
    opened = aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{tmp_path}/sealed",
                 "--encryption-context", "Purpose=cli")
    assert base64.b64decode(opened["Plaintext"]) == b"hello"
    assert aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{tmp_path}/sealed", ok=False) == (
        "InvalidCiphertextException")
    assert json.loads(aws("kms", "get-key-policy", "--key-id", key)["Policy"])["Id"] == "key-default-1"


def test_records_name_the_key_and_the_context_and_no_secret(shared_server, kms):
    key = made(kms)
    context = {"Purpose": f"record-{uuid.uuid4().hex}"}
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"very secret", EncryptionContext=context)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext=context)
    for name, extra in [("Encrypt", {"keyId": key["KeyId"], "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
                        ("Decrypt", {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
                        ("GenerateDataKey", {"keyId": key["KeyId"], "keySpec": "AES_256"})]:
        records = looked_up(shared_server, name)
        record = next(r for r in records if (r["requestParameters"] or {}).get("encryptionContext") == context)
        assert record["requestParameters"] == {"encryptionContext": context, **extra}
        assert record["readOnly"] is True and record["responseElements"] is None
        assert record["resources"] == [
            {"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key["Arn"]}]
        text = json.dumps(record)
        assert base64.b64encode(b"very secret").decode() not in text and base64.b64encode(blob).decode() not in text


def test_keys_outlive_a_crash(tmp_path):
    with Server(tmp_path) as server:
        kms = server.client("kms")
        key = made(kms)["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        kms.rotate_key_on_demand(KeyId=key)
        server.kill()
        server.start()
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 1
        for path in server.data.rglob("*"):
            if path.is_file():
                assert b"PRIVATE KEY" not in path.read_bytes()


def test_a_trail_can_leave_out_the_events_of_keys(tmp_path):
    with Server(tmp_path) as server:
        cloudtrail, kms = server.client("cloudtrail"), server.client("kms")
        trail = make_trail(server)
        cloudtrail.put_event_selectors(TrailName=trail, EventSelectors=[{
            "ReadWriteType": "All", "IncludeManagementEvents": True,
            "ExcludeManagementEventSources": ["kms.amazonaws.com"]}])
        key = made(kms)["KeyId"]
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
        server.client("iam").create_user(UserName="after")

        def names():
            records = delivered(server, "trail-bucket")
            return records if "CreateUser" in {record["eventName"] for record in records} else None

        assert not [record for record in eventually(names) if record["eventSource"] == "kms.amazonaws.com"]
