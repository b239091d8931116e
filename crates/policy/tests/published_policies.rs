//! Policies that guides to CloudTrail publish, asked what their authors meant.

use opentrail_policy::{
    Context, Decision, Identity, Place, Policies, Policy, PolicyKind, PolicySource, PrincipalRef, Request,
    decide,
};

const ACCOUNT: &str = "123456789012";
const TRAIL: PrincipalRef<'static> = PrincipalRef::Service("cloudtrail.amazonaws.com");
const TRAIL_ARN: &str = "arn:aws:cloudtrail:us-east-1:123456789012:trail/management";
const ROOT: PrincipalRef<'static> = PrincipalRef::Root { account: ACCOUNT };
const MALLORY: PrincipalRef<'static> = PrincipalRef::User {
    arn: "arn:aws:iam::123456789012:user/mallory",
    account: ACCOUNT,
    id: "AIDAMALLORYMALLORYMAL",
};

fn bucket(text: &str) -> Policy {
    Policy::parse(text, PolicyKind::Resource).expect("a bucket policy")
}

fn identity(text: &str) -> Policy {
    Policy::parse(text, PolicyKind::Identity).expect("an identity policy")
}

fn ask(
    policy: &Policy,
    identity: Identity<'_>,
    principal: PrincipalRef<'_>,
    (action, resource): (&str, &str),
    context: &Context,
) -> Decision {
    let policies = Policies { identity, resource: Some(policy), same_account: true, ..Policies::default() };
    decide(&Request { action, resource, principal, context }, &policies)
}

/// "Prevent deletion": nobody but one role deletes log files, whatever else allows them to.
#[test]
fn a_bucket_that_only_one_role_may_delete_from() {
    let policy = bucket(
        r#"{
          "Version": "2012-10-17",
          "Statement": [
            {
              "Sid": "DenyDeleteCloudTrailLogs",
              "Effect": "Deny",
              "Principal": "*",
              "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
              "Resource": "arn:aws:s3:::aws-cloudtrail-logs-youraccount/*",
              "Condition": {
                "StringNotEquals": {
                  "aws:PrincipalArn": "arn:aws:iam::123456789012:role/AdminRole"
                }
              }
            }
          ]
        }"#,
    );
    let everything = identity(
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#,
    );
    let attached = [&everything];
    let file = "arn:aws:s3:::aws-cloudtrail-logs-youraccount/AWSLogs/123456789012/x.json.gz";
    let admin = PrincipalRef::AssumedRole {
        role_arn: "arn:aws:iam::123456789012:role/AdminRole",
        session_arn: "arn:aws:sts::123456789012:assumed-role/AdminRole/alice",
        account: ACCOUNT,
        role_id: "AROAADMINADMINADMINAD",
    };
    let place = Place { by: PolicySource::Resource, level: 0, policy: 0 };
    let sid = Some("DenyDeleteCloudTrailLogs".into());
    let denied = Decision::ExplicitDeny { place, statement: 0, sid };
    for action in ["s3:DeleteObject", "s3:DeleteObjectVersion"] {
        let cases = [
            (MALLORY, Identity::Policies(&attached), denied.clone()),
            (ROOT, Identity::Root, denied.clone()),
            (PrincipalRef::Anonymous, Identity::None, denied.clone()),
            (admin, Identity::Policies(&attached), Decision::Allow),
        ];
        for (principal, identity, expected) in cases {
            let mut context = Context::new();
            if let Some(arn) = principal.principal_arn() {
                context.set("aws:PrincipalArn", arn);
            }
            assert_eq!(
                ask(&policy, identity, principal, (action, file), &context),
                expected,
                "{principal:?}"
            );
        }
    }
    let context = Context::new().with("aws:PrincipalArn", "arn:aws:iam::123456789012:user/mallory");
    let read = ask(&policy, Identity::Policies(&attached), MALLORY, ("s3:GetObject", file), &context);
    assert_eq!(read, Decision::Allow);
}

/// AWS's bucket policy for CloudTrail with the source ARN condition.
#[test]
fn a_bucket_that_one_trail_delivers_to() {
    let policy = bucket(
        r#"{
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "AWSCloudTrailAclCheck",
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudtrail.amazonaws.com"},
                    "Action": "s3:GetBucketAcl",
                    "Resource": "arn:aws:s3:::your-cloudtrail-bucket",
                    "Condition": {
                        "StringEquals": {
                            "aws:SourceArn": "arn:aws:cloudtrail:us-east-1:123456789012:trail/management"
                        }
                    }
                },
                {
                    "Sid": "AWSCloudTrailWrite",
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudtrail.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": "arn:aws:s3:::your-cloudtrail-bucket/*",
                    "Condition": {
                        "StringEquals": {
                            "s3:x-amz-acl": "bucket-owner-full-control",
                            "aws:SourceArn": "arn:aws:cloudtrail:us-east-1:123456789012:trail/management"
                        }
                    }
                }
            ]
        }"#,
    );
    let delivery =
        Context::new().with("aws:SourceArn", TRAIL_ARN).with("s3:x-amz-acl", "bucket-owner-full-control");
    let file = "arn:aws:s3:::your-cloudtrail-bucket/AWSLogs/123456789012/CloudTrail/x.json.gz";
    let put = ("s3:PutObject", file);
    let refused = Decision::ImplicitDeny { by: PolicySource::Resource };
    assert_eq!(ask(&policy, Identity::None, TRAIL, put, &delivery), Decision::Allow);
    let check = ("s3:GetBucketAcl", "arn:aws:s3:::your-cloudtrail-bucket");
    assert_eq!(ask(&policy, Identity::None, TRAIL, check, &delivery), Decision::Allow);
    let other_trail = delivery.clone().with("aws:SourceArn", format!("{TRAIL_ARN}-2"));
    assert_eq!(ask(&policy, Identity::None, TRAIL, put, &other_trail), refused);
    let without_acl = Context::new().with("aws:SourceArn", TRAIL_ARN);
    assert_eq!(ask(&policy, Identity::None, TRAIL, put, &without_acl), refused);
    let config = PrincipalRef::Service("config.amazonaws.com");
    assert_eq!(ask(&policy, Identity::None, config, put, &delivery), refused);
    assert_eq!(ask(&policy, Identity::None, PrincipalRef::Anonymous, put, &delivery), refused);
    let read = ("s3:GetObject", file);
    assert_eq!(ask(&policy, Identity::None, TRAIL, read, &delivery), refused);
    let by_mallory = Decision::ImplicitDeny { by: PolicySource::Identity };
    assert_eq!(ask(&policy, Identity::Policies(&[]), MALLORY, put, &delivery), by_mallory);
}

/// A role's permissions as a guide prints them, placeholders included.
#[test]
fn the_permissions_of_a_delivery_role() {
    let policy = identity(
        r#"{
          "Version": "2012-10-17",
          "Statement": [
            {
              "Effect": "Allow",
              "Action": ["s3:PutObject", "s3:GetBucketAcl", "s3:ListBucket"],
              "Resource": "arn:aws:s3:::your-cloudtrail-bucket/*"
            },
            {
              "Effect": "Allow",
              "Action": ["kms:Encrypt", "kms:Decrypt"],
              "Resource": "arn:aws:kms:region:account-id:key/key-id"
            }
          ]
        }"#,
    );
    let attached = [&policy];
    let context = Context::new();
    let policies =
        Policies { identity: Identity::Policies(&attached), same_account: true, ..Policies::default() };
    let allowed = |action, resource| {
        decide(&Request { action, resource, principal: MALLORY, context: &context }, &policies).is_allow()
    };
    assert!(allowed("s3:PutObject", "arn:aws:s3:::your-cloudtrail-bucket/AWSLogs/x"));
    assert!(allowed("kms:Decrypt", "arn:aws:kms:region:account-id:key/key-id"));
    // The guide's mistake, kept: actions on the bucket itself are not on "bucket/*".
    assert!(!allowed("s3:ListBucket", "arn:aws:s3:::your-cloudtrail-bucket"));
    assert!(!allowed("s3:GetObject", "arn:aws:s3:::your-cloudtrail-bucket/x"));
    assert!(!allowed("kms:Decrypt", "arn:aws:kms:region:account-id:key/other"));
}
