"""Attacks on MFA: each is refused, and leaves a record."""

import concurrent.futures
import json

import pytest

from authenticator import device, give
from identity import EVERYTHING, allow, code, fresh, looked_up, person, refused, session
from server import ACCOUNT, Server

WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code."


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


def victim(server, iam):
    """A user with a device, and how the user opens a session with it."""
    name, own = person(iam)
    phone = give(iam, name)
    sts = server.client("sts", **own)

    def enter(token_code, **more):
        return sts.get_session_token(**{"SerialNumber": phone.serial, "TokenCode": token_code, **more})

    return name, phone, enter


def test_a_code_that_was_seen_is_worth_nothing(shared_server, iam):
    name, phone, enter = victim(shared_server, iam)
    seen = phone.fresh()
    enter(seen)
    assert refused(enter, token_code=seen) == ("AccessDenied", WRONG)
    failed = [r for r in looked_up(shared_server, name, "Username", 2) if r.get("errorCode")]
    assert failed[0]["errorCode"] == "AccessDenied" and failed[0]["errorMessage"] == WRONG
    assert seen not in json.dumps(failed[0]["requestParameters"])


def test_of_two_at_once_one_gets_in(shared_server, iam):
    _, phone, enter = victim(shared_server, iam)
    seen = phone.fresh()

    def race(_):
        try:
            return bool(enter(seen))
        except Exception:  # noqa: BLE001 - who lost, lost
            return False

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(race, range(4))) == [False, False, False, True]


def test_a_restart_forgets_no_code(tmp_path):
    server = Server(tmp_path).start()
    try:
        _, phone, enter = victim(server, server.client("iam"))
        seen = phone.fresh()
        enter(seen)
        server.kill()
        server.start()
        assert refused(enter, token_code=seen) == ("AccessDenied", WRONG)
        enter(phone.fresh())
    finally:
        server.kill()


def test_guessing_ends_soon_and_a_restart_does_not_help(tmp_path):
    server = Server(tmp_path).start()
    try:
        iam = server.client("iam")
        name, phone, enter = victim(server, iam)
        for _ in range(5):
            assert refused(enter, token_code=phone.wrong()) == ("AccessDenied", WRONG)
        right = phone.fresh()
        denied, why = refused(enter, token_code=right)
        assert denied == "AccessDenied" and why.startswith("Too many invalid MFA codes")
        server.kill()
        server.start()
        assert refused(enter, token_code=right)[1] == why
        # Two codes in a row show who has the device, and open it again.
        iam.resync_mfa_device(
            UserName=name, SerialNumber=phone.serial,
            AuthenticationCode1=phone.code(0), AuthenticationCode2=phone.code(1),
        )
        phone.shown += 1
        enter(phone.fresh())
    finally:
        server.kill()


def test_many_guesses_at_once_are_not_many_guesses(shared_server, iam):
    _, phone, enter = victim(shared_server, iam)

    def guess(n):
        return refused(enter, token_code=f"{n:06d}")[1]

    good = {phone.code(ahead) for ahead in range(-3, 4)}
    guesses = [n for n in range(40) if f"{n:06d}" not in good]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, guesses))
    assert answers.count(WRONG) == 5


def test_pairs_cannot_be_guessed_either(shared_server, iam):
    name, phone, enter = victim(shared_server, iam)
    resync = {"UserName": name, "SerialNumber": phone.serial, "AuthenticationCode1": "000000"}
    for n in range(5):
        assert code(iam.resync_mfa_device, **resync, AuthenticationCode2=f"{n:06d}") == "InvalidAuthenticationCode"
    why = refused(iam.resync_mfa_device, **resync, AuthenticationCode2="000009")
    assert why[0] == "InvalidAuthenticationCode" and why[1].startswith("Too many invalid MFA codes")
    enter(phone.fresh())

    nobodys = device(iam, fresh("nobodys"))
    enable = {"UserName": name, "SerialNumber": nobodys.serial, "AuthenticationCode1": "000000"}
    for n in range(5):
        assert code(iam.enable_mfa_device, **enable, AuthenticationCode2=f"{n:06d}") == "InvalidAuthenticationCode"
    assert code(iam.enable_mfa_device, **enable, AuthenticationCode2="000009") == "EntityTemporarilyUnmodifiable"


def test_nobody_passes_with_somebody_elses_device(shared_server, iam):
    _, phone, enter = victim(shared_server, iam)
    _, own = person(iam, EVERYTHING)
    thief, right = shared_server.client("sts", **own), phone.fresh()
    root = shared_server.client("sts")
    unknown = "MultiFactorAuthentication failed, unable to validate MFA code."
    for sts in (thief, root):
        denied, why = refused(sts.get_session_token, SerialNumber=phone.serial, TokenCode=right)
        assert denied == "AccessDenied" and why.startswith(unknown)
    elsewhere = phone.serial.replace(ACCOUNT, "999999999999")
    for serial in (elsewhere, phone.serial.upper(), "GAHT12345678", f"arn:aws:iam::{ACCOUNT}:mfa/{fresh('none')}"):
        denied, why = refused(enter, token_code=right, SerialNumber=serial)
        assert denied == "AccessDenied" and why.startswith(unknown), serial
    nobodys = device(iam, fresh("nobodys"))
    assert refused(enter, token_code=nobodys.code(), SerialNumber=nobodys.serial)[0] == "AccessDenied"
    enter(right)


def test_a_session_of_a_role_has_no_device(shared_server, iam):
    name, own = person(iam)
    phone, role = give(iam, name), fresh("role")
    document = json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}, "Action": "sts:AssumeRole",
    }})
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    inside = session(shared_server.client("sts", **own).assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"])
    sts = shared_server.client("sts", **inside)
    asked = {"RoleArn": arn, "RoleSessionName": "xx", "SerialNumber": phone.serial, "TokenCode": phone.fresh()}
    assert code(sts.assume_role, **asked) == "AccessDenied"


def test_half_an_answer_is_none(shared_server, iam):
    _, phone, enter = victim(shared_server, iam)
    _, own = person(iam)
    sts = shared_server.client("sts", **own)
    both = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    assert refused(sts.get_session_token, SerialNumber=phone.serial) == ("AccessDenied", both)
    assert refused(sts.get_session_token, TokenCode="123456") == ("AccessDenied", both)
    raw = shared_server.client("sts", **own, parameter_validation=False)
    for bad in ("12345", "1234567", "12345a", "١٢٣٤٥٦", ""):
        denied, why = refused(raw.get_session_token, SerialNumber=phone.serial, TokenCode=bad)
        assert denied == "ValidationError" and (bad not in why or not bad), why
    enter(phone.fresh())


def test_a_deactivated_device_opens_nothing_more(shared_server, iam):
    """Sessions that were opened with it before last until they end, as AWS's do: deny them by policy."""
    name, phone, enter = victim(shared_server, iam)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": allow(
            "cloudtrail:ListTrails", condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        ),
    }))
    opened = session(enter(phone.fresh())["Credentials"])
    iam.deactivate_mfa_device(UserName=name, SerialNumber=phone.serial)
    assert code(enter, token_code=phone.fresh()) == "AccessDenied"
    cloudtrail = shared_server.client("cloudtrail", **opened)
    cloudtrail.list_trails()
    iam.put_user_policy(UserName=name, PolicyName="gone", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"},
    }))
    assert code(cloudtrail.list_trails) == "AccessDeniedException"


def test_a_device_made_anew_under_an_old_name_is_another(shared_server, iam):
    name, phone, enter = victim(shared_server, iam)
    iam.deactivate_mfa_device(UserName=name, SerialNumber=phone.serial)
    iam.delete_virtual_mfa_device(SerialNumber=phone.serial)
    again = give(iam, name)
    assert again.serial == phone.serial and again.seed != phone.seed
    assert code(enter, token_code=phone.fresh()) == "AccessDenied"
    enter(again.fresh())


def test_no_secret_of_a_device_is_on_disk(server):
    iam = server.client("iam")
    name, phone, enter = victim(server, iam)
    seen = phone.fresh()
    enter(seen)
    server.stop()
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert files and not any(phone.seed.encode() in path.read_bytes() for path in files)
    server.start()
