"""Runs the AWS CLI's own `validate-logs` on a folder that stands for buckets, without a server.

usage: aws_cli.py FOLDER TRAIL_ARN REGION BUCKET PREFIX START [ACCOUNT ORGANIZATION]

With an account and an organization it is an organization trail, which the CLI asks CloudTrail about.

FOLDER has `files.json` ([{bucket, key, body (base64), metadata}]) and `keys.json` ({region: [public key]}).
"""

import base64
import io
import json
import sys
from datetime import datetime, timezone

from awscli.customizations.cloudtrail import validation
from botocore.exceptions import ClientError

folder, arn, region, bucket, prefix, start = sys.argv[1:7]
account, organization = sys.argv[7:9] if len(sys.argv) > 7 else (None, None)
FILES = {(f["bucket"], f["key"]): f for f in json.load(open(f"{folder}/files.json"))}
KEYS = json.load(open(f"{folder}/keys.json"))


class Paginator:
    def paginate(self, Bucket, Marker, Prefix):
        keys = sorted(k for b, k in FILES if b == Bucket and k > Marker and k.startswith(Prefix))
        self.keys = keys
        return self

    def search(self, _):
        return iter(self.keys)


class S3:
    def get_client(self, _bucket):
        return self

    def get_paginator(self, _name):
        return Paginator()

    def get_object(self, Bucket, Key):
        if (Bucket, Key) not in FILES:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no such key"}}, "GetObject")
        found = FILES[(Bucket, Key)]
        return {"Body": io.BytesIO(base64.b64decode(found["body"])), "Metadata": found["metadata"]}


class Organizations:
    def describe_organization(self):
        return {"Organization": {"Id": organization}}


class CloudTrail:
    def describe_trails(self):
        return {
            "trailList": [
                {"TrailARN": arn, "S3BucketName": bucket, "S3KeyPrefix": prefix, "IsOrganizationTrail": True}
            ]
        }

    def list_public_keys(self, StartTime, EndTime):
        stamp = lambda text: datetime.fromisoformat(text)
        return {
            "PublicKeyList": [
                key
                for key in KEYS[region]
                if stamp(key["ValidityStartTime"]) <= EndTime and stamp(key["ValidityEndTime"]) >= StartTime
            ]
        }


class Command(validation.CloudTrailValidateLogs):
    def __init__(self):
        super().__init__(session=None)
        self.trail_arn, self.is_verbose = arn, True
        self.s3_bucket, self.s3_prefix = bucket, prefix or None
        self.start_time = validation.normalize_date(validation.parse_date(start))
        self.end_time = datetime.now(timezone.utc).replace(year=2027)
        self.s3_client_provider, self.cloudtrail_client = S3(), CloudTrail()
        self.organization_client = Organizations()
        if organization:
            self.account_id, self.s3_bucket = account, None
        self._source_region = region


command = Command()
command._call()
bad = command._invalid_digests + command._invalid_backfill_digests + command._invalid_logs
valid = [command._valid_digests, command._valid_backfill_digests, command._valid_logs]
print("\nRESULT", json.dumps({"invalid": bad, "valid": valid}))
