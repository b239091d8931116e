"""AssumeRoleWithWebIdentity: an OpenID Connect issuer vouches for who calls; nobody signs the call."""

import base64
import json
import os
import subprocess
import sys
import time

import pytest
import requests
from botocore import UNSIGNED

from identity import allow, code, fresh, looked_up, policy, refused, session
from issuer import Es256, Issuer, Rs256, text
from server import ACCOUNT, REGION, Server, aws_cli, eventually

AUDIENCE = "opentrail-tests"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), "--oidc-issuers", "loopback") as running:
        yield running


@pytest.fixture(scope="module")
def issuer(shared_server):
    """An issuer that the account has as a provider."""
    with Issuer() as running:
        provider(shared_server, running)
        yield running


def provider(server, issuer, audience=AUDIENCE):
    made = server.client("iam").create_open_id_connect_provider(Url=issuer.url, ClientIDList=[audience])
    return made["OpenIDConnectProviderArn"]


def arn_of(issuer):
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.name}"


def trusting(issuer, condition=None, action="sts:AssumeRoleWithWebIdentity"):
    statement = {"Effect": "Allow", "Principal": {"Federated": arn_of(issuer)}, "Action": action}
    return policy({**statement, "Condition": condition} if condition else statement)


def role(server, issuer, *statements, condition=None, action="sts:AssumeRoleWithWebIdentity", **more):
    iam, name = server.client("iam"), fresh("federated")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(issuer, condition, action), **more)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return arn


def nobody(server):
    """A client of STS without credentials."""
    return server.client("sts", key=None, secret=None, signature_version=UNSIGNED)


def assume(server, arn, token, name="pipeline", **more):
    return nobody(server).assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName=name, WebIdentityToken=token, **more,
    )


def refusal(server, arn, token, **more):
    return refused(lambda: assume(server, arn, token, **more))


def test_a_token_opens_a_session_and_the_record_says_whose(shared_server, issuer):
    subject = {f"{issuer.name}:sub": "repo:acme/logs", f"{issuer.name}:aud": AUDIENCE}
    arn = role(shared_server, issuer, allow("cloudtrail:ListTrails"), condition={"StringEquals": subject})
    answer = assume(shared_server, arn, issuer.token(), DurationSeconds=900)
    name = arn.split("/")[-1]
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/pipeline"
    assert (answer["Audience"], answer["Provider"]) == (AUDIENCE, issuer.url)
    assert answer["SubjectFromWebIdentityToken"] == "repo:acme/logs"
    mine = session(answer["Credentials"])
    shared_server.client("cloudtrail", **mine).list_trails()
    assert code(shared_server.client("s3", **mine).list_buckets) == "AccessDenied"

    record = looked_up(shared_server, "AssumeRoleWithWebIdentity")[0]
    assert record["userIdentity"] == {
        "type": "WebIdentityUser", "principalId": f"{arn_of(issuer)}:{AUDIENCE}:repo:acme/logs",
        "userName": "repo:acme/logs", "identityProvider": arn_of(issuer),
    }
    assert record["requestParameters"] == {"roleArn": arn, "roleSessionName": "pipeline", "durationSeconds": 900}
    elements = record["responseElements"]
    assert elements["subjectFromWebIdentityToken"] == "repo:acme/logs" and elements["provider"] == issuer.url
    assert elements["credentials"].keys() == {"accessKeyId", "expiration"}
    assert record["resources"] == [{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": arn}]
    assert record["readOnly"] is True and record["recipientAccountId"] == ACCOUNT

    used = looked_up(shared_server, mine["key"], key="AccessKeyId")
    used = next(record for record in used if record["eventName"] == "ListTrails")
    assert used["userIdentity"]["type"] == "AssumedRole"
    context = used["userIdentity"]["sessionContext"]
    assert context["webIdFederationData"] == {"federatedProvider": arn_of(issuer), "attributes": {}}
    assert context["sessionIssuer"]["arn"] == arn


def test_the_default_chains_of_boto3_and_the_cli_find_it(shared_server, issuer, tmp_path):
    arn = role(shared_server, issuer, allow("sts:*"))
    file = tmp_path / "token"
    file.write_text(issuer.token())
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": shared_server.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": arn, "AWS_ROLE_SESSION_NAME": "chain",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
    }
    expected = f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.split('/')[-1]}/chain"
    done = subprocess.run(
        [aws_cli(), "sts", "get-caller-identity", "--query", "Arn", "--output", "text"],
        env=env, capture_output=True, text=True, timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr


def test_what_a_token_lacks_is_said(shared_server, issuer):
    arn, now = role(shared_server, issuer), int(time.time())
    bad = {
        "not a token": "InvalidIdentityToken",
        issuer.token(aud="somebody-else"): "InvalidIdentityToken",
        issuer.token(aud=None): "InvalidIdentityToken",
        issuer.token(sub=None): "InvalidIdentityToken",
        issuer.token(exp=None): "InvalidIdentityToken",
        issuer.token(iss="https://elsewhere.example"): "InvalidIdentityToken",
        issuer.token(exp=now - 1): "ExpiredTokenException",
        issuer.token(nbf=now + 3600): "IDPRejectedClaim",
        issuer.token(**{"https://aws.amazon.com/tags": "no tags"}): "IDPRejectedClaim",
    }
    for token, expected in bad.items():
        assert refusal(shared_server, arn, token)[0] == expected, token
    assert "No OpenIDConnect provider found in your account for https://elsewhere.example" in refusal(
        shared_server, arn, issuer.token(iss="https://elsewhere.example"),
    )[1]
    assert refusal(shared_server, arn, issuer.token(aud="x"))[1] == "Incorrect token audience"
    assume(shared_server, arn, issuer.token(aud=["x", AUDIENCE]))
    assume(shared_server, arn, issuer.token(aud="x", azp=AUDIENCE))
    assert refusal(shared_server, arn, issuer.token(azp="x"))[1] == "Incorrect token audience"


def test_what_the_issuer_did_not_sign_is_refused(shared_server, issuer):
    arn = role(shared_server, issuer)
    token = issuer.token()
    head, body, signature = token.split(".")
    other = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = text(json.dumps({**other, "sub": "repo:evil/logs"}).encode())
    forger = Rs256()
    forger.kid = issuer.keys[0].kid
    none = text(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    symmetric = text(json.dumps({"alg": "HS256", "typ": "JWT", "kid": issuer.keys[0].kid}).encode())
    forged = [
        f"{head}.{changed}.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature[:-8]}", f"{head}.{body}",
        f"{none}.{body}.", f"{symmetric}.{body}.{signature}", issuer.token(key=forger), issuer.token(key=Rs256()),
        issuer.token(header={"crit": ["exp"]}), issuer.token(key=Es256(), header={"kid": issuer.keys[0].kid}),
    ]
    for token in forged:
        assert refusal(shared_server, arn, token)[0] == "InvalidIdentityToken", token
    records = eventually(lambda: [
        record for record in looked_up(shared_server, "AssumeRoleWithWebIdentity")
        if record.get("errorCode") == "InvalidIdentityTokenException" and arn in json.dumps(record)
    ])
    assert {record["userIdentity"]["type"] for record in records} == {"Unknown"}
    assert "webIdentityToken" not in json.dumps(records)


def test_only_whom_the_role_trusts_may_assume_it(shared_server, issuer):
    denied = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    condition = {"StringEquals": {f"{issuer.name}:sub": "somebody"}}
    assert refusal(shared_server, role(shared_server, issuer, condition=condition), issuer.token()) == denied
    missing = f"arn:aws:iam::{ACCOUNT}:role/nobody-has-it"
    assert refusal(shared_server, missing, issuer.token()) == denied
    with Issuer("/realms/other") as other:
        provider(shared_server, other)
        assert refusal(shared_server, role(shared_server, issuer), other.token()) == denied
        assume(shared_server, role(shared_server, other), other.token())
    amr = {"ForAnyValue:StringEquals": {f"{issuer.name}:amr": "authenticated"}}
    guarded = role(shared_server, issuer, condition=amr)
    assert refusal(shared_server, guarded, issuer.token(amr=["guest"])) == denied
    assume(shared_server, guarded, issuer.token(amr=["authenticated"]))
    account = trust_in_account()
    iam, name = shared_server.client("iam"), fresh("role")
    plain = iam.create_role(RoleName=name, AssumeRolePolicyDocument=account)["Role"]["Arn"]
    assert refusal(shared_server, plain, issuer.token()) == denied
    record = next(
        record for record in looked_up(shared_server, "AssumeRoleWithWebIdentity", count=3)
        if record.get("errorCode") == "AccessDenied"
    )
    assert record["userIdentity"]["type"] == "WebIdentityUser"


def trust_in_account():
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    return policy(statement)


def test_duration_and_session_policies_are_those_of_any_role(shared_server, issuer):
    arn = role(shared_server, issuer, allow("*"))
    assert "MaxSessionDuration" in refusal(shared_server, arn, issuer.token(), DurationSeconds=7200)[1]
    longer = role(shared_server, issuer, MaxSessionDuration=7200)
    assume(shared_server, longer, issuer.token(), DurationSeconds=7200)
    narrowed = assume(shared_server, arn, issuer.token(), Policy=policy(allow("s3:ListAllMyBuckets")))
    assert narrowed["PackedPolicySize"] > 0
    mine = session(narrowed["Credentials"])
    shared_server.client("s3", **mine).list_buckets()
    assert code(shared_server.client("iam", **mine).list_users) == "AccessDenied"
    malformed = refusal(shared_server, arn, issuer.token(), Policy="{}")
    assert malformed[0] == "MalformedPolicyDocument"


def test_tags_and_source_identity_come_with_the_token(shared_server, issuer):
    claims = {
        "https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]},
        "https://aws.amazon.com/source_identity": "alice",
    }
    only_blue = allow("cloudtrail:ListTrails", condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}})
    provided = allow("s3:ListAllMyBuckets", condition={
        "StringEquals": {"aws:FederatedProvider": arn_of(issuer), f"{issuer.name}:sub": "repo:acme/logs"},
    })
    untagging = role(shared_server, issuer, only_blue)
    assert refusal(shared_server, untagging, issuer.token(**claims))[1] == "Not authorized to perform sts:TagSession"
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
    arn = role(shared_server, issuer, only_blue, provided, action=actions)
    answer = assume(shared_server, arn, issuer.token(**claims))
    assert answer["SourceIdentity"] == "alice"
    mine = session(answer["Credentials"])
    shared_server.client("cloudtrail", **mine).list_trails()
    shared_server.client("s3", **mine).list_buckets()
    record = next(
        record for record in looked_up(shared_server, mine["key"], key="AccessKeyId")
        if record["eventName"] == "ListTrails"
    )
    assert record["userIdentity"]["sessionContext"]["sourceIdentity"] == "alice"


def test_keys_are_kept_and_asked_for_anew_when_an_unknown_one_signs(tmp_path):
    with Server(tmp_path, "--oidc-issuers", "loopback") as server, Issuer() as issuer:
        provider(server, issuer)
        arn = role(server, issuer)
        for _ in range(3):
            assume(server, arn, issuer.token())
        assert len(issuer.asked) == 2, issuer.asked
        for _ in range(5):
            assert refusal(server, arn, issuer.token(key=Rs256()))[0] == "InvalidIdentityToken"
        assert len(issuer.asked) <= 4, "an unknown key makes nobody ask without end"
        new = Es256()
        issuer.keys.append(new)
        eventually(lambda: accepted(server, arn, issuer.token(key=new)), every=1)
        issuer.status = 500
        assume(server, arn, issuer.token())
        issuer.http.shutdown()
        assume(server, arn, issuer.token())


def accepted(server, arn, token):
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": arn,
            "RoleSessionName": "again", "WebIdentityToken": token}
    return requests.post(server.endpoint, data=form, timeout=30).status_code == 200


def test_an_issuer_that_does_not_answer_well_is_told(shared_server):
    spoilt = [
        {"status": 500}, {"status": 302}, {"changes": {"issuer": "https://elsewhere.example"}},
        {"changes": {"jwks_uri": "http://169.254.169.254/latest/meta-data"}}, {"changes": {"jwks_uri": "file:///etc/passwd"}},
        {"changes": {"jwks_uri": None}}, {"changes": {"filler": "x" * 300_000}},
    ]
    for change in spoilt:
        with Issuer() as issuer:
            for name, value in change.items():
                setattr(issuer, name, value)
            provider(shared_server, issuer)
            assert refusal(shared_server, role(shared_server, issuer), issuer.token())[0] == "IDPCommunicationError", change
            assert not any("elsewhere" in path for path in issuer.asked)
    gone = Issuer()
    gone.http.server_close()
    provider(shared_server, gone)
    assert refusal(shared_server, role(shared_server, gone), gone.token())[0] == "IDPCommunicationError"


def test_without_the_operators_word_this_machine_is_not_asked(tmp_path):
    with Server(tmp_path, "--oidc-issuers", "loopback") as server, Issuer() as issuer:
        provider(server, issuer)
        arn = role(server, issuer)
        server.stop()
        at = server.flags.index("--oidc-issuers")
        del server.flags[at:at + 2]
        server.start()
        assert refusal(server, arn, issuer.token())[0] == "IDPCommunicationError"
        assert issuer.asked == []
        iam = server.client("iam")
        for url in (issuer.url, "https://127.0.0.1", "http://a.example", "https://a.example:8443", "https://a.example?x=1"):
            assert code(iam.create_open_id_connect_provider, Url=url) == "ValidationError", url


def test_a_session_outlives_its_provider_and_a_restart_and_ends_with_its_role(tmp_path):
    with Server(tmp_path, "--oidc-issuers", "loopback") as server, Issuer() as issuer:
        arn = provider(server, issuer)
        assumed = role(server, issuer, allow("cloudtrail:ListTrails"))
        mine = session(assume(server, assumed, issuer.token())["Credentials"])
        iam = server.client("iam")
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        assert refusal(server, assumed, issuer.token())[0] == "InvalidIdentityToken"
        server.stop()
        server.start()
        server.client("cloudtrail", **mine).list_trails()
        iam = server.client("iam")
        name = assumed.split("/")[-1]
        iam.delete_role_policy(RoleName=name, PolicyName="own")
        iam.delete_role(RoleName=name)
        assert code(server.client("cloudtrail", **mine).list_trails) == "UnrecognizedClientException"


def test_providers_are_made_changed_listed_and_deleted(shared_server):
    iam = shared_server.client("iam")
    host = fresh("idp") + ".example"
    made = iam.create_open_id_connect_provider(
        Url=f"https://{host}/realms/x", ClientIDList=["one"], ThumbprintList=["a" * 40], Tags=[{"Key": "team", "Value": "blue"}],
    )
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}/realms/x"
    assert made["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert code(iam.create_open_id_connect_provider, Url=f"https://{host}/realms/x") == "EntityAlreadyExists"
    of = {"OpenIDConnectProviderArn": arn}
    iam.add_client_id_to_open_id_connect_provider(ClientID="two", **of)
    iam.add_client_id_to_open_id_connect_provider(ClientID="two", **of)
    iam.remove_client_id_from_open_id_connect_provider(ClientID="one", **of)
    iam.remove_client_id_from_open_id_connect_provider(ClientID="none", **of)
    iam.update_open_id_connect_provider_thumbprint(ThumbprintList=["b" * 40, "c" * 40], **of)
    iam.tag_open_id_connect_provider(Tags=[{"Key": "stage", "Value": "live"}], **of)
    iam.untag_open_id_connect_provider(TagKeys=["team"], **of)
    found = iam.get_open_id_connect_provider(**of)
    assert (found["Url"], found["ClientIDList"]) == (f"{host}/realms/x", ["two"])
    assert found["ThumbprintList"] == ["b" * 40, "c" * 40]
    assert found["Tags"] == iam.list_open_id_connect_provider_tags(**of)["Tags"] == [{"Key": "stage", "Value": "live"}]
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert shared_server.aws("iam", "get-open-id-connect-provider", "--open-id-connect-provider-arn", arn)["ClientIDList"] == ["two"]

    many = [str(n) for n in range(101)]
    assert code(iam.create_open_id_connect_provider, Url="https://many.example", ClientIDList=many) == "LimitExceeded"
    assert refused(iam.create_open_id_connect_provider, Url="https://many.example", ThumbprintList=["a" * 40] * 6) == (
        "InvalidInput", "Thumbprint list must contain fewer than 5 entries.",
    )
    assert code(iam.create_open_id_connect_provider, Url="https://many.example", ThumbprintList=["z" * 40]) == "ValidationError"
    other = arn.replace(ACCOUNT, "999999999999")
    assert code(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=other) == "InvalidInput"
    iam.delete_open_id_connect_provider(**of)
    iam.delete_open_id_connect_provider(**of)
    assert code(iam.get_open_id_connect_provider, **of) == "NoSuchEntity"


def test_saml_is_answered_as_what_is_not_there(shared_server):
    denied = refused(
        nobody(shared_server).assume_role_with_saml,
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/any", PrincipalArn=f"arn:aws:iam::{ACCOUNT}:saml-provider/any",
        SAMLAssertion="AAAA",
    )
    assert denied == ("UnsupportedOperation", "opentrail does not support AssumeRoleWithSAML.")
    iam = shared_server.client("iam")
    assert code(iam.create_saml_provider, Name="corp", SAMLMetadataDocument="x" * 1000) == "UnsupportedOperation"
    assert code(iam.list_saml_providers) == "UnsupportedOperation"
    sts = shared_server.client("sts")
    assert code(sts.get_web_identity_token, Audience=["a"], SigningAlgorithm="ES384") == "UnsupportedOperation"


def test_strangers_with_tokens_have_a_budget_of_records(tmp_path):
    with Server(tmp_path, "--oidc-issuers", "loopback", "--unauthenticated-records", "1") as server, Issuer() as issuer:
        provider(server, issuer)
        arn = role(server, issuer, condition={"StringEquals": {f"{issuer.name}:sub": "nobody"}})
        for _ in range(30):
            assert refusal(server, arn, issuer.token())[0] == "AccessDenied"
            assert refusal(server, arn, "no.token.here")[0] == "InvalidIdentityToken"
        records = looked_up(server, "AssumeRoleWithWebIdentity")
        assert 1 <= len(records) <= 15, len(records)
