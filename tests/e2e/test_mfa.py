"""MFA devices and what their codes are good for, with the real AWS CLI and boto3."""

import json
import struct

import pytest

from authenticator import Authenticator, device, give
from identity import EVERYTHING, allow, code, deny, fresh, looked_up, person, refused, session, trust, user_arn
from server import ACCOUNT, eventually

NO_MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


def serial_of(name, path="/"):
    return f"arn:aws:iam::{ACCOUNT}:mfa{path}{name}"


def test_a_device_from_its_creation_to_its_end(shared_server, iam, tmp_path):
    name, _ = person(iam)
    seed, aws = tmp_path / "seed.txt", shared_server.aws
    made = aws(
        "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", name, "--path", "/team/",
        "--tags", "Key=kind,Value=phone", "--outfile", str(seed), "--bootstrap-method", "Base32StringSeed",
    )["VirtualMFADevice"]
    serial = serial_of(name, "/team/")
    assert made["SerialNumber"] == serial
    phone = Authenticator(serial, seed.read_text())
    unassigned = aws("iam", "list-virtual-mfa-devices", "--assignment-status", "Unassigned")["VirtualMFADevices"]
    assert {"SerialNumber": serial} in unassigned
    assert aws("iam", "get-mfa-device", "--serial-number", serial, ok=False) == "NoSuchEntity"

    first, second = phone.pair()
    enable = [
        "iam", "enable-mfa-device", "--user-name", name, "--serial-number", serial,
        "--authentication-code1", first, "--authentication-code2", second,
    ]
    assert aws(*enable[:-1], first, ok=False) == "InvalidAuthenticationCode"
    aws(*enable)
    assert aws(*enable, ok=False) == "EntityAlreadyExists"
    (listed,) = aws("iam", "list-mfa-devices", "--user-name", name)["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == (name, serial)
    found = aws("iam", "get-mfa-device", "--serial-number", serial, "--user-name", name)
    assert (found["UserName"], found["EnableDate"]) == (name, listed["EnableDate"])
    assigned = aws("iam", "list-virtual-mfa-devices", "--assignment-status", "Assigned")["VirtualMFADevices"]
    (entry,) = [entry for entry in assigned if entry["SerialNumber"] == serial]
    assert entry["User"]["Arn"] == user_arn(name) and "Base32StringSeed" not in entry

    aws("iam", "tag-mfa-device", "--serial-number", serial, "--tags", "Key=place,Value=pocket")
    aws("iam", "untag-mfa-device", "--serial-number", serial, "--tag-keys", "kind")
    assert aws("iam", "list-mfa-device-tags", "--serial-number", serial)["Tags"] == [
        {"Key": "place", "Value": "pocket"}
    ]
    assert aws("iam", "delete-virtual-mfa-device", "--serial-number", serial, ok=False) == "DeleteConflict"
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    assert aws("iam", "delete-user", "--user-name", name, ok=False) == "DeleteConflict"
    aws("iam", "deactivate-mfa-device", "--user-name", name, "--serial-number", serial)
    assert aws("iam", "deactivate-mfa-device", "--user-name", name, "--serial-number", serial, ok=False) == (
        "NoSuchEntity"
    )
    aws("iam", "delete-virtual-mfa-device", "--serial-number", serial)
    assert aws("iam", "delete-virtual-mfa-device", "--serial-number", serial, ok=False) == "NoSuchEntity"
    aws("iam", "delete-user", "--user-name", name)


def test_the_seed_comes_as_a_picture_too(iam):
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=fresh("picture"))["VirtualMFADevice"]
    picture = made["QRCodePNG"]
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and picture[12:16] == b"IHDR" and picture[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", picture[16:24])
    # A QR code has 17 + 4 n squares a side; around it are four light ones.
    assert width == height and (width // 6 - 8 - 17) % 4 == 0


def test_names_and_numbers_have_limits(iam):
    name, _ = person(iam)
    made = device(iam, name)
    assert refused(iam.create_virtual_mfa_device, VirtualMFADeviceName=name.upper()) == (
        "EntityAlreadyExists", "MFADevice entity at the same path and name already exists.",
    )
    device(iam, name, Path="/elsewhere/")
    for bad in [{"VirtualMFADeviceName": "a b"}, {"VirtualMFADeviceName": "x" * 227}, {"VirtualMFADeviceName": "a", "Path": "b"}]:
        assert code(iam.create_virtual_mfa_device, **bad) == "ValidationError"
    first, second = made.pair()
    pair = {"AuthenticationCode1": first, "AuthenticationCode2": second}
    assert code(iam.enable_mfa_device, UserName=fresh("nobody"), SerialNumber=made.serial, **pair) == "NoSuchEntity"
    assert code(iam.enable_mfa_device, UserName=name, SerialNumber=serial_of("none"), **pair) == "NoSuchEntity"
    other_account = made.serial.replace(ACCOUNT, "999999999999")
    assert code(iam.enable_mfa_device, UserName=name, SerialNumber=other_account, **pair) == "NoSuchEntity"
    for n in range(8):
        give(iam, name, f"{name}-{n}")
    assert code(iam.enable_mfa_device, UserName=name, SerialNumber=made.serial, **pair) == "LimitExceeded"
    pages = iam.get_paginator("list_mfa_devices").paginate(UserName=name, PaginationConfig={"PageSize": 3})
    listed = [entry["SerialNumber"] for page in pages for entry in page["MFADevices"]]
    assert listed == [serial_of(f"{name}-{n}") for n in range(8)]
    pages = iam.get_paginator("list_virtual_mfa_devices").paginate(PaginationConfig={"PageSize": 4})
    everything = [entry["SerialNumber"] for page in pages for entry in page["VirtualMFADevices"]]
    assert len(set(everything)) == len(everything) and set(listed) < set(everything)


def test_the_root_has_a_device(server):
    aws, iam = server.aws, server.client("iam")
    assert iam.get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 0
    root = give(iam, "root", "root-account-mfa-device")
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["AccountMFAEnabled"], summary["MFADevices"], summary["MFADevicesInUse"]) == (1, 1, 1)
    (listed,) = aws("iam", "list-mfa-devices")["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == ("root", root.serial)
    (entry,) = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert entry["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root" and entry["User"]["UserId"] == ACCOUNT

    # Whatever an administrator may: the root's device is the root's alone.
    _, own = person(iam, EVERYTHING)
    admin = server.client("iam", **own)
    assert code(admin.deactivate_mfa_device, UserName="root", SerialNumber=root.serial) == "NoSuchEntity"
    assert code(admin.deactivate_mfa_device, SerialNumber=root.serial) == "NoSuchEntity"
    assert code(admin.delete_virtual_mfa_device, SerialNumber=root.serial) == "DeleteConflict"
    first, second = root.pair()
    assert code(
        admin.resync_mfa_device, UserName="root", SerialNumber=root.serial,
        AuthenticationCode1=first, AuthenticationCode2=second,
    ) == "NoSuchEntity"

    opened = aws("sts", "get-session-token", "--serial-number", root.serial, "--token-code", root.fresh())
    mine = session(opened["Credentials"])
    assert aws("sts", "get-caller-identity", **mine)["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    aws("iam", "deactivate-mfa-device", "--user-name", "root", "--serial-number", root.serial, **mine)
    assert iam.get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 0


def test_deny_without_mfa(shared_server, iam):
    """The policy that every guide has: nothing without MFA, but to set MFA up."""
    name, own = person(iam, EVERYTHING, deny("s3:*", condition=NO_MFA))
    phone, aws = give(iam, name), shared_server.aws
    assert aws("s3api", "list-buckets", **own, ok=False) == "AccessDenied"
    plain = session(aws("sts", "get-session-token", **own)["Credentials"])
    assert aws("s3api", "list-buckets", **plain, ok=False) == "AccessDenied"
    opened = aws(
        "sts", "get-session-token", "--serial-number", f"arn:aws:iam::{ACCOUNT}:mfa/{name}",
        "--token-code", phone.fresh(), **own,
    )["Credentials"]
    assert "Buckets" in aws("s3api", "list-buckets", **session(opened))
    # IAM takes a session of the user's own only with MFA.
    assert aws("iam", "list-users", **session(opened))["Users"]
    assert aws("iam", "list-users", **plain, ok=False) == "InvalidClientTokenId"


def test_conditions_see_whether_and_how_long_ago(shared_server, iam):
    present = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    recent = {"NumericLessThan": {"aws:MultiFactorAuthAge": "15"}}
    absent = {"Null": {"aws:MultiFactorAuthPresent": "true"}}
    name, own = person(
        iam, allow("cloudtrail:ListTrails", condition=present), allow("cloudtrail:DescribeTrails", condition=recent),
        allow("cloudtrail:GetTrailStatus", condition=absent), allow("cloudtrail:LookupEvents", condition=NO_MFA),
    )
    phone = give(iam, name)

    def allowed(who):
        cloudtrail = shared_server.client("cloudtrail", **who)

        def may(call, **arguments):
            try:
                call(**arguments)
                return True
            except cloudtrail.exceptions.ClientError as error:
                return error.response["Error"]["Code"] != "AccessDeniedException"

        return [
            may(cloudtrail.list_trails), may(cloudtrail.describe_trails), may(cloudtrail.get_trail_status, Name="none"),
            may(cloudtrail.lookup_events, MaxResults=1),
        ]

    sts = shared_server.client("sts", **own)
    plain = sts.get_session_token()["Credentials"]
    strong = sts.get_session_token(SerialNumber=phone.serial, TokenCode=phone.fresh())["Credentials"]
    assert allowed(session(strong)) == [True, True, False, False]
    assert allowed(session(plain)) == [False, False, False, True], "the key is there and says false"
    assert allowed(own) == [False, False, True, True], "long-term keys have no such key"
    eventually(lambda: allowed(session(strong)) == [True, False, False, False], timeout=40)


def test_a_role_that_asks_for_mfa(shared_server, iam):
    name, own = person(iam)
    phone, role = give(iam, name), fresh("role")
    asks = {
        "Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "15"},
    }
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"AWS": user_arn(name)}, asks))["Role"]
    aws, assume = shared_server.aws, ["sts", "assume-role", "--role-arn", made["Arn"], "--role-session-name", "mfa"]
    assert aws(*assume, **own, ok=False) == "AccessDenied"
    plain = session(aws("sts", "get-session-token", **own)["Credentials"])
    assert aws(*assume, **plain, ok=False) == "AccessDenied"
    code_now = phone.fresh()
    opened = aws(*assume, "--serial-number", phone.serial, "--token-code", code_now, **own)
    shared_server.client("s3", **session(opened["Credentials"]))
    assert aws(*assume, "--serial-number", phone.serial, "--token-code", code_now, **own, ok=False) == "AccessDenied"

    sts = shared_server.client("sts", **own)
    opener = sts.get_session_token(SerialNumber=phone.serial, TokenCode=phone.fresh())
    assume_role = shared_server.client("sts", **session(opener["Credentials"])).assume_role
    assume_role(RoleArn=made["Arn"], RoleSessionName="in-time")

    def too_late():
        try:
            assume_role(RoleArn=made["Arn"], RoleSessionName="late")
        except sts.exceptions.ClientError as refusal:
            return refusal.response["Error"]["Code"] == "AccessDenied"

    eventually(too_late, timeout=40, every=0.5)

    in_role = shared_server.client("sts", **session(opened["Credentials"])).get_caller_identity()
    assert in_role["Arn"].endswith(f":assumed-role/{role}/mfa")
    (seen,) = [r for r in looked_up(shared_server, role, "ResourceName", 1) if r["eventName"] == "CreateRole"]
    assert seen["userIdentity"]["type"] == "Root"


def test_records_tell_of_mfa_and_have_no_code(shared_server, iam):
    name, own = person(iam, EVERYTHING)
    phone = device(iam, name)
    first, second = phone.pair()
    iam.enable_mfa_device(
        UserName=name, SerialNumber=phone.serial, AuthenticationCode1=first, AuthenticationCode2=second,
    )
    sts, code_now, wrong = shared_server.client("sts", **own), phone.fresh(), phone.wrong()
    opened = sts.get_session_token(SerialNumber=phone.serial, TokenCode=code_now)["Credentials"]
    assert code(sts.get_session_token, SerialNumber=phone.serial, TokenCode=wrong) == "AccessDenied"
    shared_server.client("iam", **session(opened)).list_users()
    plain = sts.get_session_token()["Credentials"]
    shared_server.client("cloudtrail", **session(plain)).list_trails()

    def records(count):
        return {
            (record["eventName"], record.get("errorCode")): record
            for record in looked_up(shared_server, name, "Username", count)
        }

    seen = records(5)
    made = [r for r in looked_up(shared_server, "CreateVirtualMFADevice") if name in json.dumps(r)]
    enabled = [r for r in looked_up(shared_server, "EnableMFADevice") if name in json.dumps(r)]
    assert made[0]["responseElements"] == {"virtualMFADevice": {"serialNumber": phone.serial}}
    assert enabled[0]["requestParameters"] == {"userName": name, "serialNumber": phone.serial}
    tokens = seen[("GetSessionToken", "AccessDenied")]
    assert tokens["requestParameters"] == {"serialNumber": phone.serial} and tokens["readOnly"] is True
    mfa = lambda record: record["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"]
    assert mfa(seen[("ListUsers", None)]) == "true" and mfa(seen[("ListTrails", None)]) == "false"
    for record in [*seen.values(), *made, *enabled]:
        text = json.dumps({k: v for k, v in record.items() if not k.endswith("ID") and k != "eventTime"})
        for secret in [phone.seed, first, second, code_now, wrong]:
            assert f'"{secret}"' not in text


def test_a_clock_that_is_off_is_found_again(shared_server, iam):
    name, own = person(iam)
    phone, sts = give(iam, name), shared_server.client("sts", **own)
    hour = 120
    mfa = {"SerialNumber": phone.serial}
    assert code(sts.get_session_token, **mfa, TokenCode=phone.code(hour)) == "AccessDenied"
    shared_server.aws(
        "iam", "resync-mfa-device", "--user-name", name, "--serial-number", phone.serial,
        "--authentication-code1", phone.code(hour), "--authentication-code2", phone.code(hour + 1),
    )
    assert sts.get_session_token(**mfa, TokenCode=phone.code(hour + 2))["Credentials"]
    assert code(
        iam.resync_mfa_device, UserName=name, **mfa,
        AuthenticationCode1=phone.code(hour), AuthenticationCode2=phone.code(hour + 1),
    ) == "InvalidAuthenticationCode", "a pair is good once, too"
