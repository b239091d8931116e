"""What the stories need around identities: people, policies, refusals, records."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from server import ACCOUNT, eventually

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def fresh(kind):
    """A name that no other test has."""
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", condition=None, effect="Allow"):
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def deny(action, resource="*", condition=None):
    return allow(action, resource, condition, effect="Deny")


def trust(principal, condition=None):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return policy({**statement, "Condition": condition} if condition else statement)


def user_arn(name, path="/"):
    return f"arn:aws:iam::{ACCOUNT}:user{path}{name}"


def person(iam, *statements, name=None, **more):
    """A user who may what the statements say: the name and what a client signs with."""
    name = name or fresh("person")
    iam.create_user(UserName=name, **more)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def managed(iam, *statements, **more):
    return iam.create_policy(PolicyName=fresh("policy"), PolicyDocument=policy(*statements), **more)["Policy"]["Arn"]


def refused(call, **arguments):
    """The code and the message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def code(call, **arguments):
    return refused(call, **arguments)[0]


def session(credentials):
    return {
        "key": credentials["AccessKeyId"], "secret": credentials["SecretAccessKey"],
        "token": credentials["SessionToken"],
    }


def looked_up(server, value, key="EventName", count=1):
    """The records of event history by an attribute, newest first, once there are so many."""
    cloudtrail = server.client("cloudtrail")

    def find():
        found = cloudtrail.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])["Events"]
        return found if len(found) >= count else None

    return [json.loads(event["CloudTrailEvent"]) for event in eventually(find)]
