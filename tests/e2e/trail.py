"""What the stories need around a trail: a bucket it may write to, its files, its records."""

import gzip
import json

from server import ACCOUNT, REGION


def bucket_policy(bucket, trail="*", account=ACCOUNT, region=REGION, prefix=""):
    """The bucket policy AWS documents for a trail."""
    source = f"arn:aws:cloudtrail:{region}:{account}:trail/{trail}"
    path = f"{prefix}/" if prefix else ""
    like = "StringLike" if "*" in source else "StringEquals"
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AWSCloudTrailAclCheck20150319", "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}",
                "Condition": {like: {"aws:SourceArn": source}},
            },
            {
                "Sid": "AWSCloudTrailWrite20150319", "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/{path}AWSLogs/{account}/*",
                "Condition": {
                    "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"},
                    like: {"aws:SourceArn": source},
                },
            },
        ],
    })


def make_bucket(server, bucket, **policy):
    s3 = server.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket, **policy))
    return s3


def make_trail(server, name="audit", bucket="trail-bucket", logging=True, **options):
    """A multi-region trail with validation, logging; answers its ARN."""
    make_bucket(server, bucket)
    cloudtrail = server.client("cloudtrail")
    options = {"IsMultiRegionTrail": True, "EnableLogFileValidation": True, **options}
    arn = cloudtrail.create_trail(Name=name, S3BucketName=bucket, **options)["TrailARN"]
    if logging:
        cloudtrail.start_logging(Name=arn)
    return arn


def keys(server, bucket, infix="/CloudTrail/"):
    """All keys of a bucket that hold the infix."""
    pages = server.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [o["Key"] for page in pages for o in page.get("Contents", []) if infix in o["Key"]]


def delivered(server, bucket):
    """Every record in a bucket's log files, in the files' order."""
    s3 = server.client("s3")
    records = []
    for key in keys(server, bucket):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        records += json.loads(gzip.decompress(body))["Records"]
    return records


def everything_selected():
    """Advanced selectors for every management event and the data events of the real records."""
    return [
        {"Name": "management", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]},
        *(
            {
                "Name": kind,
                "FieldSelectors": [
                    {"Field": "eventCategory", "Equals": ["Data"]},
                    {"Field": "resources.type", "Equals": [kind]},
                ],
            }
            for kind in ("AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table")
        ),
    ]
