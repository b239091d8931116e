"""What a session of one's own may not do, what the record of a denied AssumeRole shows, tags as conditions."""

from identity import EVERYTHING, allow, code, fresh, looked_up, person, policy, refused, session, trust
from server import ACCOUNT, REGION
from trail import make_bucket


def test_a_session_without_a_code_may_not_call_iam(shared_server):
    iam = shared_server.client("iam")
    name, own = person(iam, EVERYTHING)
    role = iam.create_role(RoleName=fresh("role"), AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    iam.put_role_policy(RoleName=role["Role"]["RoleName"], PolicyName="all", PolicyDocument=policy(EVERYTHING))
    plain = session(shared_server.client("sts", **own).get_session_token()["Credentials"])
    mine, sts = shared_server.client("iam", **plain), shared_server.client("sts", **plain)
    assert refused(mine.list_users) == ("InvalidClientTokenId", "The security token included in the request is invalid.")
    assert code(mine.create_user, UserName=fresh("nobody")) == "InvalidClientTokenId"
    record = looked_up(shared_server, plain["key"], key="AccessKeyId", count=2)[0]
    assert record["eventSource"] == "iam.amazonaws.com" and record["errorCode"] == "InvalidClientTokenId"
    assert (record["userIdentity"]["type"], record["userIdentity"]["userName"]) == ("IAMUser", name)

    assert code(sts.get_session_token) == "AccessDenied"
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    shared_server.client("cloudtrail", **plain).list_trails()
    shared_server.client("s3", **plain).list_buckets()
    assumed = sts.assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="inside")["Credentials"]
    shared_server.client("iam", **session(assumed)).list_users()

    of_root = session(shared_server.client("sts").get_session_token()["Credentials"])
    assert code(shared_server.client("iam", **of_root).list_users) == "InvalidClientTokenId"


def test_the_record_of_a_denied_assume_role_shows_no_parameters(shared_server):
    iam = shared_server.client("iam")
    _, own = person(iam)
    role = iam.create_role(RoleName=fresh("role"), AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))["Role"]
    sts = shared_server.client("sts", **own)
    assert code(sts.assume_role, RoleArn=role["Arn"], RoleSessionName="denied") == "AccessDenied"
    record = looked_up(shared_server, own["key"], key="AccessKeyId")[0]
    assert (record["eventName"], record["errorCode"]) == ("AssumeRole", "AccessDenied")
    assert record["requestParameters"] is None and record["responseElements"] is None and "resources" not in record
    assert role["Arn"] in record["errorMessage"]


def test_tags_that_a_trail_is_made_with_are_conditions(shared_server):
    iam = shared_server.client("iam")
    make_bucket(shared_server, "tagged-bucket")
    _, own = person(
        iam,
        allow("cloudtrail:CreateTrail", condition={
            "StringEquals": {"aws:RequestTag/team": "blue"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]},
        }),
        allow(["cloudtrail:AddTags", "cloudtrail:RemoveTags"], condition={
            "ForAnyValue:StringEquals": {"aws:TagKeys": "stage"},
        }),
    )
    mine = shared_server.client("cloudtrail", **own)

    def make(*tags):
        ask = {"Name": "tagged", "S3BucketName": "tagged-bucket"}
        return mine.create_trail(**ask, TagsList=[{"Key": k, "Value": v} for k, v in tags]) if tags else mine.create_trail(**ask)

    assert code(make) == "AccessDeniedException"
    for tags in ([("team", "red")], [("team", "blue"), ("secret", "x")], [("stage", "test")]):
        assert refused(lambda tags=tags: make(*tags))[0] == "AccessDeniedException", tags
    arn = make(("team", "blue"), ("stage", "test"))["TrailARN"]
    assert arn == f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/tagged"
    assert code(mine.add_tags, ResourceId=arn, TagsList=[{"Key": "team", "Value": "red"}]) == "AccessDeniedException"
    mine.add_tags(ResourceId=arn, TagsList=[{"Key": "stage", "Value": "live"}])
    assert code(mine.remove_tags, ResourceId=arn, TagsList=[{"Key": "team"}]) == "AccessDeniedException"
    mine.remove_tags(ResourceId=arn, TagsList=[{"Key": "stage"}])
