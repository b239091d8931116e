"""Sessions: chained, tagged, of federated users; how they end, and what is told of those that are denied."""

import base64
import datetime
import json

import pytest

from identity import EVERYTHING, allow, code, deny, fresh, looked_up, person, policy, refused, session, user_arn
from server import ACCOUNT, ROOT_KEY, eventually
from trail import make_bucket

ALL_OF_STS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


def role(iam, principal, *statements, actions="sts:AssumeRole", condition=None, **more):
    """A role that the principal may assume: its name and ARN."""
    name = fresh("role")
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions}
    trusted = policy({**statement, "Condition": condition} if condition else statement)
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **more)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return name, arn


def assume(server, who, arn, name="session", **more):
    return unchecked(server, who).assume_role(RoleArn=arn, RoleSessionName=name, **more)


def unchecked(server, who):
    """A client of STS that leaves it to the server what may be asked."""
    return server.client("sts", parameter_validation=False, **who)


def records_of(server, who, event):
    return eventually(lambda: [
        record for record in looked_up(server, who["key"], key="AccessKeyId") if record["eventName"] == event
    ])


def test_a_chain_keeps_tags_and_source_identity_and_lasts_an_hour(shared_server):
    iam = shared_server.client("iam")
    name, own = person(iam, allow(ALL_OF_STS))
    first_name, first = role(iam, user_arn(name), EVERYTHING, actions=ALL_OF_STS, MaxSessionDuration=43200)
    only_blue = allow("s3:ListAllMyBuckets", condition={"StringEquals": {
        "aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "alice",
    }})
    _, second = role(iam, first, only_blue, actions=ALL_OF_STS, MaxSessionDuration=43200)

    cli = ["sts", "assume-role", "--role-arn", first, "--role-session-name", "one", "--duration-seconds", "43200",
           "--source-identity", "alice", "--tags", "Key=team,Value=blue", "Key=cost,Value=7", "--transitive-tag-keys", "team"]
    opened = shared_server.aws(*cli, key=own["key"], secret=own["secret"])
    assert opened["SourceIdentity"] == "alice" and opened["PackedPolicySize"] > 0
    one = session(opened["Credentials"])
    assert "role chaining" in refused(lambda: assume(shared_server, one, second, DurationSeconds=3601))[1]
    inherited = refused(lambda: assume(shared_server, one, second, Tags=[{"Key": "Team", "Value": "red"}]))
    assert inherited[0] == "ValidationError"
    assert code(lambda: assume(shared_server, one, second, SourceIdentity="mallory")) == "AccessDenied"
    two = session(assume(shared_server, one, second, "two", DurationSeconds=3600)["Credentials"])
    shared_server.client("s3", **two).list_buckets()
    assert code(shared_server.client("iam", **two).list_users) == "AccessDenied"

    records = records_of(shared_server, one, "AssumeRole")
    done = next(record for record in records if "errorCode" not in record)
    context = done["userIdentity"]["sessionContext"]
    assert context["sourceIdentity"] == "alice" and context["sessionIssuer"]["userName"] == first_name
    assert done["responseElements"]["sourceIdentity"] == "alice"
    assert done["responseElements"]["credentials"]["accessKeyId"] == two["key"]
    given = next(r for r in records_of(shared_server, own, "AssumeRole") if "errorCode" not in r)["requestParameters"]
    assert given["transitiveTagKeys"] == ["team"] and given["sourceIdentity"] == "alice"
    assert {"key": "team", "value": "blue"} in given["tags"]


def test_revoking_a_roles_sessions_ends_those_before_and_none_after(shared_server):
    iam = shared_server.client("iam")
    name, own = person(iam, allow("sts:AssumeRole"))
    role_name, arn = role(iam, user_arn(name), EVERYTHING)
    old = session(assume(shared_server, own, arn)["Credentials"])
    shared_server.client("s3", **old).list_buckets()
    shared_server.client("cloudtrail", **old).list_trails()

    issued = next(
        r for r in records_of(shared_server, old, "ListTrails")
    )["userIdentity"]["sessionContext"]["attributes"]["creationDate"]
    wait_past(issued)
    revoked = deny("*", condition={"DateLessThan": {"aws:TokenIssueTime": now()}})
    shared_server.aws(
        "iam", "put-role-policy", "--role-name", role_name, "--policy-name", "AWSRevokeOlderSessions",
        "--policy-document", policy(revoked),
    )
    signed = {"key": old["key"], "secret": old["secret"], "token": old["token"]}
    assert shared_server.aws("s3api", "list-buckets", ok=False, **signed) == "AccessDenied"
    assert shared_server.aws("cloudtrail", "list-trails", ok=False, **signed) == "AccessDeniedException"
    assert shared_server.aws("iam", "list-users", ok=False, **signed) == "AccessDenied"
    told = refused(shared_server.client("cloudtrail", **old).list_trails)[1]
    assert "with an explicit deny in an identity-based policy" in told
    new = session(assume(shared_server, own, arn)["Credentials"])
    shared_server.client("s3", **new).list_buckets()
    shared_server.client("cloudtrail", **new).list_trails()


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def wait_past(moment):
    """Issue times are whole seconds."""
    eventually(lambda: now() > moment)


def test_a_users_sessions_outlive_its_key_and_end_with_a_policy_or_the_user(shared_server):
    iam = shared_server.client("iam")
    name, own = person(iam, EVERYTHING)
    sts = shared_server.client("sts", **own)
    plain = session(sts.get_session_token()["Credentials"])
    federated = session(sts.get_federation_token(Name="bob", Policy=policy(EVERYTHING))["Credentials"])
    iam.update_access_key(UserName=name, AccessKeyId=own["key"], Status="Inactive")
    assert code(sts.get_caller_identity) == "InvalidClientTokenId"
    for who in (plain, federated):
        shared_server.client("s3", **who).list_buckets()
    moment = now()
    wait_past(moment)
    iam.put_user_policy(
        UserName=name, PolicyName="revoked",
        PolicyDocument=policy(deny("*", condition={"DateLessThan": {"aws:TokenIssueTime": now()}})),
    )
    for who in (plain, federated):
        assert code(shared_server.client("s3", **who).list_buckets) == "AccessDenied"
        shared_server.client("sts", **who).get_caller_identity()
    for policy_name in ("revoked", "own"):
        iam.delete_user_policy(UserName=name, PolicyName=policy_name)
    iam.delete_access_key(UserName=name, AccessKeyId=own["key"])
    iam.delete_user(UserName=name)
    iam.create_user(UserName=name)
    for who in (plain, federated):
        assert code(shared_server.client("sts", **who).get_caller_identity) == "InvalidClientTokenId"
        assert code(shared_server.client("s3", **who).list_buckets) == "InvalidToken"


def test_tokens_survive_a_restart_and_forged_ones_are_told_apart(server):
    iam = server.client("iam")
    name, own = person(iam, EVERYTHING)
    _, arn = role(iam, user_arn(name), EVERYTHING)
    mine = session(assume(server, own, arn)["Credentials"])
    other = session(server.client("sts", **own).get_session_token()["Credentials"])
    server.stop()
    server.start()
    assert server.client("sts", **mine).get_caller_identity()["Arn"].endswith("/session")
    server.client("s3", **mine).list_buckets()

    raw = bytearray(base64.b64decode(mine["token"]))
    raw[len(raw) // 2] ^= 1
    forged = {
        "changed": base64.b64encode(bytes(raw)).decode(), "truncated": mine["token"][:-12],
        "another's": other["token"], "no token": "x" * 200, "too long": "A" * 20_000,
    }
    for what, token in forged.items():
        who = {**mine, "token": token}
        assert code(server.client("sts", **who).get_caller_identity) == "InvalidClientTokenId", what
        assert code(server.client("iam", **who).list_users) == "InvalidClientTokenId", what
        assert code(server.client("cloudtrail", **who).list_trails) == "UnrecognizedClientException", what
        assert code(server.client("s3", **who).list_buckets) == "InvalidToken", what
    assert code(server.client("sts", **{**mine, "token": None}).get_caller_identity) == "InvalidClientTokenId"
    assert code(server.client("sts", **{**own, "token": mine["token"]}).get_caller_identity) == "InvalidClientTokenId"
    assert code(server.client("sts", **{**mine, "secret": own["secret"]}).get_caller_identity) == "SignatureDoesNotMatch"


def test_an_external_id_and_a_session_name_are_asked_for(shared_server):
    iam = shared_server.client("iam")
    name, own = person(iam, allow("sts:AssumeRole"))
    _, arn = role(iam, user_arn(name), condition={
        "StringEquals": {"sts:ExternalId": "customer-7", "sts:RoleSessionName": "${aws:username}"},
    })
    assert code(lambda: assume(shared_server, own, arn, name)) == "AccessDenied"
    assert code(lambda: assume(shared_server, own, arn, name, ExternalId="customer-8")) == "AccessDenied"
    assert code(lambda: assume(shared_server, own, arn, "other", ExternalId="customer-7")) == "AccessDenied"
    assume(shared_server, own, arn, name, ExternalId="customer-7")
    done = next(r for r in records_of(shared_server, own, "AssumeRole") if "errorCode" not in r)
    assert done["requestParameters"]["externalId"] == "customer-7"


class TestFederatedUser:
    @pytest.fixture(scope="class")
    def people(self, shared_server):
        name, own = person(
            shared_server.client("iam"),
            allow(["sts:GetFederationToken", "sts:TagSession"], f"arn:aws:sts::{ACCOUNT}:federated-user/*"),
            allow(["s3:*", "cloudtrail:*", "iam:*"]),
        )
        return name, own

    def test_it_has_what_both_policies_allow(self, shared_server, people):
        name, own = people
        narrowing = policy(allow(["s3:ListAllMyBuckets", "kms:ListKeys", "iam:ListUsers"]))
        opened = shared_server.aws(
            "sts", "get-federation-token", "--name", "bob", "--policy", narrowing, "--duration-seconds", "900",
            "--tags", "Key=team,Value=blue", key=own["key"], secret=own["secret"],
        )
        user = opened["FederatedUser"]
        assert user == {"FederatedUserId": f"{ACCOUNT}:bob", "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"}
        assert opened["PackedPolicySize"] > 0
        bob = session(opened["Credentials"])
        shared_server.client("s3", **bob).list_buckets()
        assert "no session policy allows" in refused(shared_server.client("cloudtrail", **bob).list_trails)[1]
        assert "no identity-based policy allows" in refused(shared_server.client("kms", **bob).list_keys)[1]
        who = shared_server.client("sts", **bob).get_caller_identity()
        assert (who["UserId"], who["Arn"]) == (user["FederatedUserId"], user["Arn"])

        record = records_of(shared_server, bob, "ListTrails")[0]["userIdentity"]
        assert (record["type"], record["principalId"]) == ("FederatedUser", f"{ACCOUNT}:bob")
        issuer = record["sessionContext"]["sessionIssuer"]
        assert (issuer["type"], issuer["userName"], issuer["arn"]) == ("IAMUser", name, user_arn(name))
        asked = records_of(shared_server, own, "GetFederationToken")[0]
        assert asked["requestParameters"]["name"] == "bob" and asked["requestParameters"]["durationSeconds"] == 900
        assert asked["responseElements"]["federatedUser"]["arn"] == user["Arn"]
        assert "sessionToken" not in asked["responseElements"]["credentials"]

    def test_iam_and_all_of_sts_but_one_are_closed(self, shared_server, people):
        opened = shared_server.client("sts", **people[1]).get_federation_token(Name="bob", Policy=policy(EVERYTHING))
        bob = session(opened["Credentials"])
        assert code(shared_server.client("iam", **bob).list_users) == "InvalidClientTokenId"
        sts = shared_server.client("sts", **bob)
        for call, ask in [
            (sts.get_session_token, {}), (sts.get_federation_token, {"Name": "eve"}),
            (sts.assume_role, {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any", "RoleSessionName": "xx"}),
            (sts.get_access_key_info, {"AccessKeyId": bob["key"]}),
        ]:
            assert code(call, **ask) == "AccessDenied"
        sts.get_caller_identity()

    def test_without_a_policy_it_has_what_a_resource_gives_it_by_name(self, shared_server, people):
        opened = shared_server.client("sts", **people[1]).get_federation_token(Name="carol")
        carol = session(opened["Credentials"])
        s3, mine = shared_server.client("s3"), shared_server.client("s3", **carol)
        bucket = fresh("federated")
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        assert code(mine.list_buckets) == "AccessDenied"
        assert code(mine.get_object, Bucket=bucket, Key="k") == "AccessDenied"
        named = {"Effect": "Allow", "Principal": {"AWS": opened["FederatedUser"]["Arn"]}, "Action": "s3:GetObject",
                 "Resource": f"arn:aws:s3:::{bucket}/*"}
        s3.put_bucket_policy(Bucket=bucket, Policy=policy(named))
        mine.get_object(Bucket=bucket, Key="k")
        s3.put_bucket_policy(Bucket=bucket, Policy=policy({**named, "Principal": {"AWS": user_arn(people[0])}}))
        assert code(mine.get_object, Bucket=bucket, Key="k") == "AccessDenied", "its user's grant needs a session policy"

    def test_conditions_see_who_it_is(self, shared_server, people):
        condition = {"StringEquals": {
            "aws:userid": f"{ACCOUNT}:dave", "aws:PrincipalTag/team": "blue", "aws:PrincipalType": "FederatedUser",
            "aws:PrincipalArn": f"arn:aws:sts::{ACCOUNT}:federated-user/dave",
        }, "Null": {"aws:username": "true", "aws:TokenIssueTime": "false"}}
        ask = {"Policy": policy(allow("s3:ListAllMyBuckets", condition=condition)), "Tags": [{"Key": "team", "Value": "blue"}]}
        sts = shared_server.client("sts", **people[1])
        dave = session(sts.get_federation_token(Name="dave", **ask)["Credentials"])
        shared_server.client("s3", **dave).list_buckets()
        erin = session(sts.get_federation_token(Name="erin", **ask)["Credentials"])
        assert code(shared_server.client("s3", **erin).list_buckets) == "AccessDenied"

    def test_what_may_not_be_asked_is_said(self, shared_server, people):
        iam, sts = shared_server.client("iam"), unchecked(shared_server, people[1])
        _, weak = person(iam, allow("sts:GetFederationToken", f"arn:aws:sts::{ACCOUNT}:federated-user/only-me"))
        weak = shared_server.client("sts", **weak)
        denied = refused(weak.get_federation_token, Name="bob")
        assert denied[0] == "AccessDenied" and f"on resource: arn:aws:sts::{ACCOUNT}:federated-user/bob" in denied[1]
        weak.get_federation_token(Name="only-me")
        assert "sts:TagSession" in refused(weak.get_federation_token, Name="only-me", Tags=[{"Key": "k", "Value": "v"}])[1]
        too_long = policy(*[allow("s3:*", f"arn:aws:s3:::a-bucket-{n}/a/folder/{n}/*") for n in range(30)])
        told = refused(sts.get_federation_token, Name="foo", Policy=too_long)
        assert told[0] == "ValidationError" and "2048" in told[1]
        assert code(sts.get_federation_token, Name="x" * 33) == "ValidationError"
        assert code(sts.get_federation_token, Name="foo", DurationSeconds=899) == "ValidationError"
        assert code(sts.get_federation_token, Name="foo", Policy="{}") == "MalformedPolicyDocument"
        plain = session(sts.get_session_token()["Credentials"])
        assert refused(shared_server.client("sts", **plain).get_federation_token, Name="bob") == (
            "AccessDenied", "Cannot call GetFederationToken with session credentials",
        )
        root = shared_server.client("sts").get_federation_token(Name="rooty", Policy=policy(allow("s3:ListAllMyBuckets")))
        mine = session(root["Credentials"])
        shared_server.client("s3", **mine).list_buckets()
        assert code(shared_server.client("kms", **mine).list_keys) == "AccessDeniedException"


def test_an_access_keys_account_is_in_its_id(shared_server):
    iam, sts = shared_server.client("iam"), shared_server.client("sts")
    name, own = person(iam)
    plain = session(shared_server.client("sts", **own).get_session_token()["Credentials"])
    for key in (own["key"], plain["key"], ROOT_KEY):
        assert sts.get_access_key_info(AccessKeyId=key)["Account"] == ACCOUNT
    assert shared_server.aws("sts", "get-access-key-info", "--access-key-id", own["key"]) == {"Account": ACCOUNT}
    iam.delete_access_key(UserName=name, AccessKeyId=own["key"])
    assert sts.get_access_key_info(AccessKeyId=own["key"])["Account"] == ACCOUNT
    # An id of AWS's own, from a published example.
    assert sts.get_access_key_info(AccessKeyId="ASIAQNZGKIQY56JQ7WML")["Account"] == "029608264753"
    assert code(sts.get_access_key_info, AccessKeyId="AKIA00000000000000000") == "ValidationError"
    _, weak = person(iam)
    assert code(shared_server.client("sts", **weak).get_access_key_info, AccessKeyId=own["key"]) == "AccessDenied"


class TestAuthorizationMessages:
    HEADER = "x-opentrail-encoded-authorization-message"

    def message(self, call, **arguments):
        with pytest.raises(Exception) as caught:
            call(**arguments)
        return caught.value.response["ResponseMetadata"]["HTTPHeaders"].get(self.HEADER)

    def test_why_a_call_was_denied_can_be_read_by_who_may(self, shared_server):
        iam, sts = shared_server.client("iam"), shared_server.client("sts")
        make_bucket(shared_server, "decoded-bucket")
        guarded = {**deny("cloudtrail:*", condition={"Bool": {"aws:SecureTransport": "false"}}), "Sid": "OnlyTls"}
        name, own = person(iam, EVERYTHING, guarded)
        encoded = self.message(shared_server.client("cloudtrail", **own).create_trail, Name="t", S3BucketName="decoded-bucket")
        assert encoded and len(encoded) <= 4096 and name not in encoded
        decoded = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
        assert (decoded["allowed"], decoded["explicitDeny"], decoded["failures"]) == (False, True, {"items": []})
        statement = decoded["matchedStatements"]["items"][0]
        assert (statement["statementId"], statement["effect"]) == ("OnlyTls", "DENY")
        assert statement["actions"] == {"items": [{"value": "cloudtrail:*"}]}
        assert statement["conditions"]["items"][0]["key"] == "aws:SecureTransport"
        context = decoded["context"]
        assert context["principal"]["name"] == name and context["principal"]["arn"] == user_arn(name)
        assert context["principal"]["id"].startswith("AIDA")
        assert context["action"] == "cloudtrail:CreateTrail" and context["resource"].endswith(":trail/t")
        keys = {item["key"]: item["values"]["items"] for item in context["conditions"]["items"]}
        assert keys["aws:securetransport"] == [{"value": "false"}] and "aws:sourceip" in keys

    def test_every_service_gives_one_and_only_to_whom_it_denies(self, shared_server):
        iam = shared_server.client("iam")
        _, own = person(iam)
        sts = shared_server.client("sts")
        shared_server.client("s3").create_bucket(Bucket="denied-bucket")
        calls = [
            (shared_server.client("iam", **own).list_users, {}, "iam:ListUsers"),
            (shared_server.client("cloudtrail", **own).list_trails, {}, "cloudtrail:ListTrails"),
            (shared_server.client("s3", **own).list_objects_v2, {"Bucket": "denied-bucket"}, "s3:ListBucket"),
            (shared_server.client("sts", **own).get_access_key_info, {"AccessKeyId": own["key"]}, "sts:GetAccessKeyInfo"),
        ]
        for call, arguments, action in calls:
            encoded = self.message(call, **arguments)
            decoded = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
            assert decoded["context"]["action"] == action
            assert (decoded["explicitDeny"], decoded["matchedStatements"]) == (False, {"items": []})
        mine = shared_server.client("sts", **own)
        assert code(mine.decode_authorization_message, EncodedMessage=encoded) == "AccessDenied"
        assert self.HEADER not in iam.list_users()["ResponseMetadata"]["HTTPHeaders"]

    def test_what_is_no_message_is_refused(self, shared_server):
        sts = unchecked(shared_server, {})
        _, own = person(shared_server.client("iam"))
        encoded = self.message(shared_server.client("iam", **own).list_users)
        token = sts.get_session_token()["Credentials"]["SessionToken"]
        for bad in ("x", encoded[:-4], encoded[:-4] + "AAAA", token, "A" * 10_241):
            assert code(sts.decode_authorization_message, EncodedMessage=bad) == "InvalidAuthorizationMessageException"
        assert shared_server.aws(
            "sts", "decode-authorization-message", "--encoded-message", "junk", ok=False,
        ) == "InvalidAuthorizationMessageException"


def test_limits_of_assume_role_are_told_as_aws_does(shared_server):
    iam = shared_server.client("iam")
    name, own = person(iam, allow("sts:*"))
    _, arn = role(iam, user_arn(name), EVERYTHING, actions=ALL_OF_STS)
    told = {
        "DurationSeconds": [(899, "greater than or equal to 900"), (43201, "less than or equal to 43200"), (3601, "MaxSessionDuration set for this role")],
        "ExternalId": [("a b", "regular expression"), ("x", "length greater than or equal to 2")],
        "SourceIdentity": [("a b", "regular expression")],
        "Policy": [(policy(allow("s3:" + "x" * 2048)), "less than or equal to 2048")],
        "PolicyArns": [([{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}] * 11, "less than or equal to 10")],
        "TransitiveTagKeys": [(["none"], "transitive tag key")],
    }
    for member, cases in told.items():
        for value, text in cases:
            answer = refused(lambda member=member, value=value: assume(shared_server, own, arn, **{member: value}))
            assert answer[0] == "ValidationError" and text in answer[1], answer
    many = [{"Key": f"k{n}", "Value": "v" * 200} for n in range(50)]
    assert code(lambda: assume(shared_server, own, arn, Tags=many)) == "PackedPolicyTooLarge"
    both = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    told = refused(lambda: assume(shared_server, own, arn, Tags=both))
    assert told[0] == "ValidationError" and "Tag keys are case insensitive" in told[1]
    fifty_one = [{"Key": f"k{n}", "Value": ""} for n in range(51)]
    assert code(lambda: assume(shared_server, own, arn, Tags=fifty_one)) == "ValidationError"
    gone = [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/not-there"}]
    assert code(lambda: assume(shared_server, own, arn, PolicyArns=gone)) == "ValidationError"
    ten = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}] * 10
    assume(shared_server, own, arn, PolicyArns=ten)
    for bad in ("nonsense-that-is-long-enough", f"arn:aws:iam::{ACCOUNT}:user/{name}"):
        assert code(lambda bad=bad: assume(shared_server, own, bad)) == "ValidationError"
    told = refused(lambda: shared_server.client("sts").assume_role(RoleArn=arn, RoleSessionName="root"))
    assert told == ("AccessDenied", "Roles may not be assumed by root accounts.")


def test_tokens_are_as_long_as_they_are_asked_to_be(shared_server):
    iam = shared_server.client("iam")
    name, own = person(iam, allow("sts:*"))
    _, arn = role(iam, user_arn(name), allow("s3:ListAllMyBuckets"))
    sts = unchecked(shared_server, own)
    calls = [
        (sts.get_session_token, {}), (sts.get_federation_token, {"Name": "bob"}),
        (sts.assume_role, {"RoleArn": arn, "RoleSessionName": "long"}),
    ]
    for call, ask in calls:
        plain, long = call(MinimumSessionTokenSize=0, **ask), call(MinimumSessionTokenSize=4096, **ask)
        assert "SessionTokenSize" not in call(**ask)
        for answer in (plain, long):
            assert answer["SessionTokenSize"] == len(answer["Credentials"]["SessionToken"])
            assert 0 < answer["SessionTokenUtilization"] <= 100
        assert plain["SessionTokenSize"] < 2048 < 4096 <= long["SessionTokenSize"]
        shared_server.client("sts", **session(long["Credentials"])).get_caller_identity()
        assert code(call, MinimumSessionTokenSize=4097, **ask) == "ValidationError"
    shared_server.client("s3", **session(long["Credentials"])).list_buckets()
    provided = [{"ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter", "ContextAssertion": "xxxx"}]
    told = refused(sts.assume_role, RoleArn=arn, RoleSessionName="ctx", ProvidedContexts=provided)
    assert told == ("UnsupportedOperation", "opentrail does not support ProvidedContexts.")
