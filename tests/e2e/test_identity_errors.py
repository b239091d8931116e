"""What IAM refuses, each in AWS's words."""

import json

import pytest
from botocore import xform_name

from identity import EVERYTHING, allow, code, fresh, managed, person, policy, refused, trust, user_arn
from server import ACCOUNT


@pytest.fixture(scope="module")
def iam(shared_server):
    return shared_server.client("iam")


def test_each_error_has_its_code(iam):
    user, _ = person(iam, EVERYTHING)
    arn = managed(iam, EVERYTHING)
    iam.create_access_key(UserName=user)
    document, no_arn = policy(EVERYTHING), f"arn:aws:iam::{ACCOUNT}:policy/none"
    tags = [{"Key": "A", "Value": ""}, {"Key": "a", "Value": ""}]
    refusals = [
        ("EntityAlreadyExists", iam.create_user, {"UserName": user}),
        ("EntityAlreadyExists", iam.create_user, {"UserName": user.upper()}),
        ("EntityAlreadyExists", iam.create_policy, {"PolicyName": arn.rsplit("/", 1)[1], "PolicyDocument": document}),
        ("LimitExceeded", iam.create_access_key, {"UserName": user}),
        ("LimitExceeded", iam.put_user_policy,
         {"UserName": user, "PolicyName": "big", "PolicyDocument": policy(allow("s3:*", "arn:aws:s3:::" + "x" * 2048))}),
        ("DeleteConflict", iam.delete_user, {"UserName": user}),
        ("NoSuchEntity", iam.get_user, {"UserName": "nobody"}),
        ("NoSuchEntity", iam.get_user_policy, {"UserName": user, "PolicyName": "none"}),
        ("NoSuchEntity", iam.get_policy, {"PolicyArn": no_arn}),
        ("NoSuchEntity", iam.attach_user_policy, {"UserName": user, "PolicyArn": no_arn}),
        ("NoSuchEntity", iam.detach_user_policy, {"UserName": user, "PolicyArn": arn}),
        ("NoSuchEntity", iam.remove_user_from_group, {"GroupName": "none", "UserName": user}),
        ("NoSuchEntity", iam.update_access_key,
         {"UserName": user, "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "Status": "Active"}),
        ("MalformedPolicyDocument", iam.put_user_policy,
         {"UserName": user, "PolicyName": "p", "PolicyDocument": "not json"}),
        ("MalformedPolicyDocument", iam.create_policy,
         {"PolicyName": "p", "PolicyDocument": json.dumps({"Statement": [{"Effect": "Maybe"}]})}),
        ("MalformedPolicyDocument", iam.create_role,
         {"RoleName": fresh("role"), "AssumeRolePolicyDocument": trust({"AWS": user_arn("nobody")})}),
        ("InvalidInput", iam.attach_user_policy, {"UserName": user, "PolicyArn": "arn:aws:iam::0:nothing-at-all"}),
        ("InvalidInput", iam.tag_user, {"UserName": user, "Tags": tags}),
        ("ValidationError", iam.create_user, {"UserName": "a/b"}),
        ("ValidationError", iam.get_user_policy, {"UserName": "a/b", "PolicyName": "p"}),
        ("ValidationError", iam.list_users, {"PathPrefix": "no-slash"}),
        ("ValidationError", iam.list_policies, {"Scope": "Mine"}),
        ("ValidationError", iam.update_access_key,
         {"UserName": user, "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "Status": "Asleep"}),
        ("UnsupportedOperation", iam.list_ssh_public_keys, {}),
    ]
    assert [code(call, **arguments) for _, call, arguments in refusals] == [expected for expected, _, _ in refusals]


def test_every_operation_names_the_member_that_is_missing(shared_server):
    """Every operation of AWS's model is known; one that is served knows its required members."""
    careless = shared_server.client("iam", parameter_validation=False)
    missing = "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
    served, unsupported = set(), set()
    for name in careless.meta.service_model.operation_names:
        if name.startswith("Simulate"):
            continue  # Their required lists have a story of their own, in test_policy_simulator.py.
        shape = careless.meta.service_model.operation_model(name).input_shape
        required = shape.required_members if shape else []
        for member in required:
            others = {m: filler(shape.members[m]) for m in required if m != member}
            error, message = refused(getattr(careless, xform_name(name)), **others)
            if error == "UnsupportedOperation":
                unsupported.add(name)
                break
            assert (error, message) == ("ValidationError", missing.format(member[0].lower() + member[1:])), name
            served.add(name)
    assert len(served | unsupported) == 141 and len(served) >= 96


def filler(shape):
    return {"list": [], "structure": {}, "map": {}, "integer": 1, "boolean": True}.get(shape.type_name, "x" * 16)
