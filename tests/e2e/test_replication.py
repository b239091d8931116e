"""Replication: versions of one bucket copied to others, here and at another S3 endpoint."""

import json
import os
import time

import pytest
from botocore.exceptions import ClientError

import conformance
from accounts import Accounts
from identity import allow, fresh, person, policy, refused, trust
from server import ACCOUNT, ROOT_KEY, ROOT_SECRET, Server, eventually
from trail import delivered, everything_selected, make_trail

conformance.COMMON_ERRORS["s3"] |= {
    "InvalidRequest", "InvalidArgument", "MalformedXML", "AccessDenied", "InvalidBucketState", "NotImplemented",
}
OTHER = "999900001111"
S3_TRUST = trust({"Service": "s3.amazonaws.com"})


@pytest.fixture(scope="module")
def server(shared_server):
    return shared_server


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """Two servers: one replicates to the other."""
    folder = tmp_path_factory.mktemp("replication")
    with Server(folder / "there") as there:
        env = {
            "OPENTRAIL_REPLICATION_THERE_ACCESS_KEY_ID": ROOT_KEY,
            "OPENTRAIL_REPLICATION_THERE_SECRET_ACCESS_KEY": ROOT_SECRET,
        }
        flags = ["--replication-endpoint", f"there={there.endpoint}"]
        for bucket in ("far", "far-locked", "far-order", "far-away", "far-missing"):
            flags += ["--replica-target", f"{bucket}=there"]
        with Server(folder / "here", *flags, env=env) as here:
            yield here, there


def role_of(server, source, *destinations, statements=None):
    """A role that S3 may act as, with what AWS's guide gives it."""
    iam, name = server.client("iam"), fresh("replicator")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=S3_TRUST)["Role"]["Arn"]
    if statements is None:
        statements = [
            allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], f"arn:aws:s3:::{source}"),
            allow(["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging",
                   "s3:GetObjectRetention", "s3:GetObjectLegalHold"], f"arn:aws:s3:::{source}/*"),
            allow(["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags",
                   "s3:ObjectOwnerOverrideToBucketOwner"], [f"arn:aws:s3:::{to}/*" for to in destinations]),
        ]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return arn


def make(s3, *buckets, lock=False):
    for bucket in buckets:
        s3.create_bucket(Bucket=bucket, **({"ObjectLockEnabledForBucket": True} if lock else {}))
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def rule(to, markers="Disabled", **more):
    """A rule with a filter; ``destination`` adds to the destination."""
    destination = {"Bucket": f"arn:aws:s3:::{to}", **more.pop("destination", {})}
    return {
        "ID": "all", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": markers}, "Destination": destination, **more,
    }


def replicate(s3, source, role, *rules):
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": list(rules)})


def status(s3, bucket, key, **version):
    return s3.head_object(Bucket=bucket, Key=key, **version).get("ReplicationStatus")


def completed(s3, bucket, *keys, to="COMPLETED", timeout=30):
    for key in keys:
        eventually(lambda: status(s3, bucket, key) == to, timeout=timeout)


def versions(s3, bucket):
    """Keys, ids and whether each is a marker, as they are listed."""
    page = s3.list_object_versions(Bucket=bucket)
    found = [(v["Key"], v["VersionId"], False, v["IsLatest"]) for v in page.get("Versions", [])]
    found += [(m["Key"], m["VersionId"], True, m["IsLatest"]) for m in page.get("DeleteMarkers", [])]
    return sorted(found)


class TestConfigurations:
    def test_the_cli_puts_shows_and_removes_what_s3s_guide_has(self, server, tmp_path):
        s3 = server.client("s3")
        make(s3, "conf-source", "conf-copies")
        role = role_of(server, "conf-source", "conf-copies")
        assert refused(s3.get_bucket_replication, Bucket="conf-source")[0] == "ReplicationConfigurationNotFoundError"
        rules = [
            rule("conf-copies", destination={"StorageClass": "STANDARD_IA"}),
            rule("conf-copies", ID="tagged", Priority=2, Status="Disabled", Filter={"And": {
                "Prefix": "logs/", "Tags": [{"Key": "kept", "Value": "yes"}, {"Key": "team", "Value": "blue"}]}},
                destination={"Account": ACCOUNT, "AccessControlTranslation": {"Owner": "Destination"}}),
            rule("conf-copies", ID="sync", Priority=3, Filter={"Tag": {"Key": "a", "Value": "b"}},
                 SourceSelectionCriteria={"ReplicaModifications": {"Status": "Enabled"}}),
        ]
        document = {"Role": role, "Rules": rules}
        path = tmp_path / "replication.json"
        path.write_text(json.dumps(document))
        server.aws("s3api", "put-bucket-replication", "--bucket", "conf-source",
                   "--replication-configuration", f"file://{path}")
        shown = server.aws("s3api", "get-bucket-replication", "--bucket", "conf-source")
        assert shown["ReplicationConfiguration"] == document
        legacy = {"Role": role, "Rules": [
            {"ID": "old", "Prefix": "logs/", "Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::conf-copies"}}]}
        s3.put_bucket_replication(Bucket="conf-source", ReplicationConfiguration=legacy)
        assert s3.get_bucket_replication(Bucket="conf-source")["ReplicationConfiguration"] == legacy
        suspended = refused(s3.put_bucket_versioning, Bucket="conf-source",
                            VersioningConfiguration={"Status": "Suspended"})
        assert suspended[0] == "InvalidBucketState"
        server.aws("s3api", "delete-bucket-replication", "--bucket", "conf-source")
        assert refused(s3.get_bucket_replication, Bucket="conf-source")[0] == "ReplicationConfigurationNotFoundError"

    def test_what_s3_does_not_take_is_refused_in_its_words(self, server):
        s3 = server.client("s3")
        make(s3, "bad-source", "bad-copies")
        make(s3, "bad-locked", lock=True)
        s3.create_bucket(Bucket="bad-plain")
        role = role_of(server, "bad-source", "bad-copies")

        def put(*rules, source="bad-source", role=role):
            configuration = {"Role": role, "Rules": list(rules)}
            return refused(s3.put_bucket_replication, Bucket=source, ReplicationConfiguration=configuration)

        good = rule("bad-copies")
        without = lambda name: {k: v for k, v in good.items() if k != name}
        for expected, words, answer in [
            ("InvalidRequest", "Versioning must be 'Enabled'", put(good, source="bad-plain")),
            ("InvalidRequest", "Destination bucket must have versioning enabled.", put(rule("bad-plain"))),
            ("InvalidRequest", "Destination bucket must exist.", put(rule("bad-nowhere"))),
            ("InvalidRequest", "cannot be the same", put(rule("bad-source"))),
            ("InvalidRequest", "Object Lock must be enabled", put(good, source="bad-locked")),
            ("InvalidRequest", "Priority must be specified", put(without("Priority"))),
            ("InvalidRequest", "DeleteMarkerReplication must be specified", put(without("DeleteMarkerReplication"))),
            ("InvalidRequest", "Tag filter", put(rule("bad-copies", markers="Enabled",
                                                      Filter={"Tag": {"Key": "a", "Value": "b"}}))),
            ("InvalidRequest", "duplicate priority", put(good, {**good, "ID": "other"})),
            ("InvalidArgument", "Rule ID must be unique", put(good, {**good, "Priority": 2})),
            ("InvalidRequest", "ReplicaKmsKeyID must be specified", put(rule("bad-copies", SourceSelectionCriteria={
                "SseKmsEncryptedObjects": {"Status": "Enabled"}}))),
            ("InvalidArgument", "Account must be specified", put(rule("bad-copies", destination={
                "AccessControlTranslation": {"Owner": "Destination"}}))),
            ("InvalidArgument", "not the owner", put(rule("bad-copies", destination={"Account": OTHER}))),
            ("InvalidRequest", "ExistingObjectReplication", put(rule("bad-copies", ExistingObjectReplication={
                "Status": "Enabled"}))),
            ("NotImplemented", "ReplicationTime", put(rule("bad-copies", destination={
                "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
                "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}}))),
            ("NotImplemented", "Metrics", put(rule("bad-copies", destination={"Metrics": {"Status": "Enabled"}}))),
            ("InvalidArgument", "role ARN", put(good, role="replicator")),
            ("InvalidRequest", "can't be assumed", put(good, role=f"arn:aws:iam::{ACCOUNT}:role/nobody")),
            ("AccessDenied", "Cross-account", put(good, role=f"arn:aws:iam::{OTHER}:role/theirs")),
        ]:
            assert answer[0] == expected and words in answer[1], (expected, words, answer)

    def test_a_role_is_given_only_by_who_may_pass_it_and_to_whom_it_trusts(self, server):
        s3, iam = server.client("s3"), server.client("iam")
        make(s3, "pass-source", "pass-copies")
        role = role_of(server, "pass-source", "pass-copies")
        configuration = {"Role": role, "Rules": [rule("pass-copies")]}
        name, keys = person(iam, allow("s3:*"))
        own = server.client("s3", **keys)
        code, message = refused(own.put_bucket_replication, Bucket="pass-source",
                                ReplicationConfiguration=configuration)
        assert code == "AccessDenied" and "iam:PassRole" in message and role in message
        to_ec2 = allow("iam:PassRole", role, {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
        iam.put_user_policy(UserName=name, PolicyName="pass", PolicyDocument=policy(to_ec2))
        assert refused(own.put_bucket_replication, Bucket="pass-source",
                       ReplicationConfiguration=configuration)[0] == "AccessDenied"
        to_s3 = allow("iam:PassRole", role, {"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}})
        iam.put_user_policy(UserName=name, PolicyName="pass", PolicyDocument=policy(to_s3))
        own.put_bucket_replication(Bucket="pass-source", ReplicationConfiguration=configuration)
        iam.update_assume_role_policy(RoleName=role.split("/")[-1],
                                      PolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
        assert refused(own.put_bucket_replication, Bucket="pass-source",
                       ReplicationConfiguration=configuration)[0] == "InvalidRequest"


class TestHere:
    def test_a_version_is_copied_with_all_that_it_has(self, server):
        s3 = server.client("s3")
        make(s3, "all-source", "all-copies")
        s3.put_object(Bucket="all-source", Key="before", Body=b"old")
        replicate(s3, "all-source", role_of(server, "all-source", "all-copies"),
                  rule("all-copies", destination={"StorageClass": "STANDARD_IA"}))
        put = s3.put_object(Bucket="all-source", Key="logs/a b", Body=b"hello" * 9000, ContentType="text/x-log",
                            CacheControl="no-store", Metadata={"origin": "door"}, Tagging="team=blue")
        completed(s3, "all-source", "logs/a b")
        copy = s3.get_object(Bucket="all-copies", Key="logs/a b")
        original = s3.get_object(Bucket="all-source", Key="logs/a b")
        assert copy["Body"].read() == b"hello" * 9000
        assert (copy["VersionId"], copy["ReplicationStatus"]) == (put["VersionId"], "REPLICA")
        for name in ("ETag", "LastModified", "ContentType", "CacheControl", "Metadata", "TagCount"):
            assert copy[name] == original[name], name
        assert copy["StorageClass"] == "STANDARD_IA" and original["ReplicationStatus"] == "COMPLETED"
        assert "ReplicationStatus" not in s3.head_object(Bucket="all-source", Key="before")
        assert [one["Key"] for one in s3.list_objects_v2(Bucket="all-copies")["Contents"]] == ["logs/a b"]

    def test_parts_stay_parts(self, server):
        s3 = server.client("s3")
        make(s3, "parts-source", "parts-copies")
        replicate(s3, "parts-source", role_of(server, "parts-source", "parts-copies"), rule("parts-copies"))
        upload = s3.create_multipart_upload(Bucket="parts-source", Key="big")["UploadId"]
        parts = []
        for number, size in ((1, 5 << 20), (2, 100_000)):
            part = s3.upload_part(Bucket="parts-source", Key="big", UploadId=upload, PartNumber=number,
                                  Body=bytes([number]) * size)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        made = s3.complete_multipart_upload(Bucket="parts-source", Key="big", UploadId=upload,
                                            MultipartUpload={"Parts": parts})
        completed(s3, "parts-source", "big")
        second = s3.get_object(Bucket="parts-copies", Key="big", PartNumber=2)
        assert second["ETag"] == made["ETag"] and second["PartsCount"] == 2
        assert second["Body"].read() == b"\2" * 100_000

    def test_markers_follow_where_the_rule_says_so_and_removals_never(self, server):
        s3 = server.client("s3")
        make(s3, "mark-source", "mark-with", "mark-without")
        role = role_of(server, "mark-source", "mark-with", "mark-without")
        replicate(s3, "mark-source", role, rule("mark-with", markers="Enabled"),
                  rule("mark-without", ID="second", Priority=2))
        put = s3.put_object(Bucket="mark-source", Key="a", Body=b"1")
        completed(s3, "mark-source", "a")
        s3.delete_object(Bucket="mark-source", Key="a")
        eventually(lambda: len(versions(s3, "mark-with")) == 2)
        assert versions(s3, "mark-with") == versions(s3, "mark-source")
        s3.delete_object(Bucket="mark-source", Key="a", VersionId=put["VersionId"])
        s3.put_object(Bucket="mark-source", Key="z", Body=b"last")
        completed(s3, "mark-source", "z")
        assert any(id == put["VersionId"] for _, id, *_ in versions(s3, "mark-with"))
        assert [key for key, _, marker, _ in versions(s3, "mark-without") if marker] == []

    def test_locks_and_tags_follow_also_later(self, server):
        s3 = server.client("s3")
        make(s3, "lock-source", "lock-copies", lock=True)
        replicate(s3, "lock-source", role_of(server, "lock-source", "lock-copies"), rule("lock-copies"))
        until = "2037-01-01T00:00:00Z"
        put = s3.put_object(Bucket="lock-source", Key="a", Body=b"1", ObjectLockMode="GOVERNANCE",
                            ObjectLockRetainUntilDate=until, ObjectLockLegalHoldStatus="ON", ChecksumAlgorithm="SHA256")
        completed(s3, "lock-source", "a")
        copy = s3.head_object(Bucket="lock-copies", Key="a")
        assert (copy["ObjectLockMode"], copy["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")
        assert refused(s3.delete_object, Bucket="lock-copies", Key="a", VersionId=put["VersionId"],
                       BypassGovernanceRetention=True)[0] == "AccessDenied"
        s3.put_object_tagging(Bucket="lock-source", Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        s3.put_object_legal_hold(Bucket="lock-source", Key="a", LegalHold={"Status": "OFF"})
        s3.put_object_retention(Bucket="lock-source", Key="a", BypassGovernanceRetention=True,
                                Retention={"Mode": "COMPLIANCE", "RetainUntilDate": "2038-01-01T00:00:00Z"})

        def told():
            copy = s3.head_object(Bucket="lock-copies", Key="a")
            tags = s3.get_object_tagging(Bucket="lock-copies", Key="a")["TagSet"]
            return (copy["ObjectLockMode"], copy["ObjectLockLegalHoldStatus"], tags) == (
                "COMPLIANCE", "OFF", [{"Key": "k", "Value": "v"}])

        eventually(told)
        completed(s3, "lock-source", "a")

    def test_a_loop_of_two_buckets_ends(self, server):
        s3 = server.client("s3")
        make(s3, "loop-a", "loop-b")
        role = role_of(server, "loop-*", "loop-a", "loop-b")
        sync = {"SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}}}
        replicate(s3, "loop-a", role, rule("loop-b", **sync))
        replicate(s3, "loop-b", role, rule("loop-a", **sync))
        s3.put_object(Bucket="loop-a", Key="a", Body=b"1")
        completed(s3, "loop-a", "a")
        s3.put_object(Bucket="loop-b", Key="b", Body=b"2")
        completed(s3, "loop-b", "b")
        tags = [{"Key": "k", "Value": "v"}]
        s3.put_object_tagging(Bucket="loop-b", Key="a", Tagging={"TagSet": tags})
        eventually(lambda: s3.get_object_tagging(Bucket="loop-a", Key="a")["TagSet"] == tags)
        # Were it to go round, it would by now.
        time.sleep(1)
        assert versions(s3, "loop-a") == versions(s3, "loop-b") and len(versions(s3, "loop-a")) == 2
        assert (status(s3, "loop-a", "a"), status(s3, "loop-b", "a")) == ("COMPLETED", "REPLICA")

    def test_kms_objects_follow_only_with_a_rule_and_a_key(self, server):
        s3, kms = server.client("s3"), server.client("kms")
        make(s3, "kms-source", "kms-copies")
        first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        role = role_of(server, "kms-source", "kms-copies")
        replicate(s3, "kms-source", role, rule("kms-copies"))
        sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": first}
        s3.put_object(Bucket="kms-source", Key="without", Body=b"1", **sealed)
        assert status(s3, "kms-source", "without") is None
        criteria = {"SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}}}
        replicate(s3, "kms-source", role, rule("kms-copies", **criteria, destination={
            "EncryptionConfiguration": {"ReplicaKmsKeyID": second}}))
        s3.put_object(Bucket="kms-source", Key="a", Body=b"secret", **sealed)
        completed(s3, "kms-source", "a", to="FAILED")
        server.client("iam").put_role_policy(
            RoleName=role.split("/")[-1], PolicyName="keys",
            PolicyDocument=policy(allow("kms:Decrypt", first), allow("kms:Encrypt", second)))
        completed(s3, "kms-source", "a")
        copy = s3.get_object(Bucket="kms-copies", Key="a")
        assert copy["SSEKMSKeyId"] == second and copy["Body"].read() == b"secret"


class TestRights:
    def test_what_the_role_may_not_is_failed_and_done_once_it_may(self, server):
        s3, iam = server.client("s3"), server.client("iam")
        make(s3, "right-source", "right-copies")
        role = role_of(server, "right-source", statements=[])
        replicate(s3, "right-source", role, rule("right-copies"))
        s3.put_object(Bucket="right-source", Key="a", Body=b"1")
        completed(s3, "right-source", "a", to="FAILED")
        read = allow("s3:GetObjectVersionForReplication", "arn:aws:s3:::right-source/*")
        write = allow("s3:ReplicateObject", "arn:aws:s3:::right-copies/*")
        iam.put_role_policy(RoleName=role.split("/")[-1], PolicyName="own", PolicyDocument=policy(read))
        time.sleep(1)
        assert status(s3, "right-source", "a") == "FAILED" and versions(s3, "right-copies") == []
        iam.put_role_policy(RoleName=role.split("/")[-1], PolicyName="own", PolicyDocument=policy(read, write))
        completed(s3, "right-source", "a")
        assert len(versions(s3, "right-copies")) == 1

    def test_another_accounts_bucket_takes_copies_where_its_policy_says_so(self, server):
        s3 = server.client("s3")
        accounts = Accounts(server)
        accounts.make("other")
        theirs = accounts.client("other", "s3")
        make(s3, "cross-source")
        make(theirs, "cross-copies")
        role = role_of(server, "cross-source", "cross-copies")
        replicate(s3, "cross-source", role, rule("cross-copies"))
        s3.put_object(Bucket="cross-source", Key="a", Body=b"1")
        completed(s3, "cross-source", "a", to="FAILED")
        assert versions(theirs, "cross-copies") == []
        theirs.put_bucket_policy(Bucket="cross-copies", Policy=policy(
            {**allow("s3:ReplicateObject", "arn:aws:s3:::cross-copies/*"), "Principal": {"AWS": role}}))
        completed(s3, "cross-source", "a")
        assert len(versions(theirs, "cross-copies")) == 1

        def restrict(on):
            theirs.put_public_access_block(Bucket="cross-copies", PublicAccessBlockConfiguration={
                "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False,
                "RestrictPublicBuckets": on})

        restrict(True)
        theirs.put_bucket_policy(Bucket="cross-copies", Policy=policy(
            {**allow("s3:ReplicateObject", "arn:aws:s3:::cross-copies/*"), "Principal": "*"}))
        s3.put_object(Bucket="cross-source", Key="b", Body=b"1")
        completed(s3, "cross-source", "b", to="FAILED")
        restrict(False)
        completed(s3, "cross-source", "b")

    def test_deeds_are_data_events_of_the_buckets(self, server):
        s3 = server.client("s3")
        make(s3, "events-source", "events-copies")
        role = role_of(server, "events-source", "events-copies")
        replicate(s3, "events-source", role, rule("events-copies"))
        arn = make_trail(server, "replications", "events-trail")
        server.client("cloudtrail").put_event_selectors(TrailName=arn, AdvancedEventSelectors=everything_selected())
        s3.put_object(Bucket="events-source", Key="a", Body=b"1")
        completed(s3, "events-source", "a")

        def event(name):
            found = [r for r in delivered(server, "events-trail") if r["eventName"] == name]
            return found and found[0]

        made = eventually(lambda: event("ReplicateObject"))
        assert made["eventType"] == "AwsServiceEvent" and made["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
        assert made["serviceEventDetails"]["role"] == role
        assert made["serviceEventDetails"]["bucketName"] == "events-copies"
        done = eventually(lambda: event("OperationReplicated"))
        assert done["serviceEventDetails"]["replicationStatus"] == "COMPLETED"


class TestCrashes:
    def test_kill_9_in_the_middle_loses_nothing_and_makes_nothing_twice(self, tmp_path):
        with Server(tmp_path / "crash") as server:
            s3 = server.client("s3")
            make(s3, "source", "copies")
            replicate(s3, "source", role_of(server, "source", "copies"), rule("copies", markers="Enabled"))
            for number in range(60):
                s3.put_object(Bucket="source", Key=f"k{number % 20:02}", Body=os.urandom(30_000))
                if number in (15, 35, 55):
                    server.kill()
                    server.start()
                    s3 = server.client("s3")
            s3.delete_object(Bucket="source", Key="k07")
            server.kill()
            server.start()
            s3 = server.client("s3")
            completed(s3, "source", *[f"k{n:02}" for n in range(20) if n != 7])
            eventually(lambda: versions(s3, "copies") == versions(s3, "source"))
            assert len(versions(s3, "source")) == 61
            assert backlog(server) == 0


class TestElsewhere:
    def test_a_version_goes_to_another_endpoint_with_all_that_it_has(self, remote):
        here, there = remote
        s3, far = here.client("s3"), there.client("s3")
        make(s3, "near-locked", lock=True)
        make(far, "far-locked", lock=True)
        role = role_of(here, "near-locked", "far-locked")
        replicate(s3, "near-locked", role, rule("far-locked", markers="Enabled"))
        body = os.urandom(6 << 20)
        put = s3.put_object(
            Bucket="near-locked", Key="logs/ä b+c", Body=body, ContentType="text/x-log", Metadata={"origin": "door"},
            Tagging="team=blue", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate="2037-01-01T00:00:00Z",
            ObjectLockLegalHoldStatus="ON", ChecksumAlgorithm="SHA256")
        completed(s3, "near-locked", "logs/ä b+c")
        copy = far.get_object(Bucket="far-locked", Key="logs/ä b+c")
        assert copy["Body"].read() == body and copy["ContentType"] == "text/x-log"
        assert copy["Metadata"] == {"origin": "door", "opentrail-version-id": put["VersionId"]}
        assert (copy["ObjectLockMode"], copy["ObjectLockLegalHoldStatus"]) == ("COMPLIANCE", "ON")
        assert copy["TagCount"] == 1
        s3.put_object_legal_hold(Bucket="near-locked", Key="logs/ä b+c", LegalHold={"Status": "OFF"})
        tags = [{"Key": "team", "Value": "green"}]
        s3.put_object_tagging(Bucket="near-locked", Key="logs/ä b+c", Tagging={"TagSet": tags})

        def told():
            head = far.head_object(Bucket="far-locked", Key="logs/ä b+c")
            shown = far.get_object_tagging(Bucket="far-locked", Key="logs/ä b+c")["TagSet"]
            return head["ObjectLockLegalHoldStatus"] == "OFF" and shown == tags

        eventually(told)
        s3.delete_object(Bucket="near-locked", Key="logs/ä b+c")
        eventually(lambda: [marker for _, _, marker, _ in versions(far, "far-locked")].count(True) == 1)
        time.sleep(1)
        assert len(versions(far, "far-locked")) == 2

    def test_buckets_there_must_be_fit_too(self, remote):
        here, there = remote
        s3, far = here.client("s3"), there.client("s3")
        make(s3, "near-fit")
        role = role_of(here, "near-fit", "far")
        configuration = {"Role": role, "Rules": [rule("far-missing")]}
        put = lambda: refused(s3.put_bucket_replication, Bucket="near-fit", ReplicationConfiguration=configuration)
        assert put() == ("InvalidRequest", "Destination bucket must exist.")
        far.create_bucket(Bucket="far-missing")
        assert put() == ("InvalidRequest", "Destination bucket must have versioning enabled.")

    def test_versions_of_a_key_come_there_in_order_and_once(self, remote):
        here, there = remote
        s3, far = here.client("s3"), there.client("s3")
        make(s3, "near-order")
        make(far, "far-order")
        replicate(s3, "near-order", role_of(here, "near-order", "far-order"), rule("far-order"))
        for number in range(12):
            s3.put_object(Bucket="near-order", Key="a", Body=str(number).encode())
            if number in (4, 8):
                here.kill()
                here.start()
                s3 = here.client("s3")
        completed(s3, "near-order", "a")
        eventually(lambda: len(versions(far, "far-order")) >= 12)
        page = far.list_object_versions(Bucket="far-order")["Versions"]
        bodies = [far.get_object(Bucket="far-order", Key="a", VersionId=v["VersionId"])["Body"].read() for v in page]
        assert bodies == [str(number).encode() for number in reversed(range(12))]

    def test_an_endpoint_that_is_away_is_waited_for(self, remote):
        here, there = remote
        s3, far = here.client("s3"), there.client("s3")
        make(s3, "near-away")
        make(far, "far-away")
        replicate(s3, "near-away", role_of(here, "near-away", "far-away"), rule("far-away"))
        there.kill()
        for number in range(5):
            s3.put_object(Bucket="near-away", Key=f"k{number}", Body=b"x" * 20_000)
        time.sleep(2)
        assert status(s3, "near-away", "k0") == "PENDING" and backlog(here) >= 5
        port = there.port
        there.start()
        assert there.port == port
        completed(s3, "near-away", *[f"k{number}" for number in range(5)], timeout=60)
        assert len(versions(there.client("s3"), "far-away")) == 5
        assert backlog(here) == 0


def backlog(server):
    import requests

    text = requests.get(f"{server.endpoint}/metrics", timeout=30).text
    [value] = [line.split()[-1] for line in text.splitlines()
               if line.startswith("opentrail_replication_pending_operations ")]
    return float(value)
