//! A set of ten policies as production accounts have them, and what is asked of it.

use opentrail_policy::{
    Context, Decision, Identity, Policies, Policy, PolicyKind, PrincipalRef, Request, decide,
};

const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/audit/operator";
pub(crate) const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/operator/carol";

/// The role's policies: a job function, reading of many services, a folder of the team's own, and three that deny.
pub(crate) const IDENTITY: [&str; 6] = [
    r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"Trails","Effect":"Allow","Action":["cloudtrail:*"],"Resource":"*"},
        {"Sid":"Topics","Effect":"Allow","Action":["sns:AddPermission","sns:CreateTopic","sns:SetTopicAttributes",
            "sns:GetTopicAttributes"],"Resource":["arn:aws:sns:*:*:aws-cloudtrail-logs*"]},
        {"Sid":"Buckets","Effect":"Allow","Action":["s3:CreateBucket","s3:PutBucketPolicy","s3:PutBucketPublicAccessBlock"],
            "Resource":["arn:aws:s3:::aws-cloudtrail-logs*"]},
        {"Sid":"Lists","Effect":"Allow","Action":["s3:ListAllMyBuckets","s3:GetBucketLocation","s3:GetBucketPolicy"],
            "Resource":"*"},
        {"Sid":"Pass","Effect":"Allow","Action":["iam:PassRole"],"Resource":"arn:aws:iam::*:role/service-role/*",
            "Condition":{"StringEquals":{"iam:PassedToService":"cloudtrail.amazonaws.com"}}}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"Reading","Effect":"Allow","Resource":"*","Action":[
        "access-analyzer:Get*","access-analyzer:List*","acm:Describe*","acm:Get*","acm:List*","autoscaling:Describe*",
        "cloudformation:Describe*","cloudformation:Get*","cloudformation:List*","cloudtrail:Describe*","cloudtrail:Get*",
        "cloudtrail:List*","cloudtrail:LookupEvents","cloudwatch:Describe*","cloudwatch:Get*","cloudwatch:List*",
        "config:Describe*","config:Get*","config:List*","dynamodb:Describe*","dynamodb:List*","ec2:Describe*","ec2:Get*",
        "ecr:Describe*","ecr:Get*","ecr:List*","ecs:Describe*","ecs:List*","eks:Describe*","eks:List*","events:Describe*",
        "events:List*","guardduty:Get*","guardduty:List*","iam:Generate*","iam:Get*","iam:List*","kms:Describe*",
        "kms:Get*","kms:List*","lambda:Get*","lambda:List*","logs:Describe*","logs:Get*","logs:List*","organizations:Describe*",
        "organizations:List*","rds:Describe*","rds:List*","route53:Get*","route53:List*","s3:Get*","s3:List*",
        "secretsmanager:Describe*","secretsmanager:List*","sns:Get*","sns:List*","sqs:Get*","sqs:List*","sts:Get*"]}]}"#,
    r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"Folder","Effect":"Allow","Action":["s3:PutObject","s3:GetObject","s3:DeleteObject"],
            "Resource":"arn:aws:s3:::central-logs/teams/${aws:PrincipalTag/team}/*"},
        {"Sid":"Listing","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::central-logs",
            "Condition":{"StringLike":{"s3:prefix":["teams/${aws:PrincipalTag/team}/*","AWSLogs/*"]}}}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"NeedsMfa","Effect":"Deny","Resource":"*",
        "NotAction":["iam:ListMFADevices","iam:EnableMFADevice","iam:GetUser","sts:GetSessionToken","s3:Get*","s3:List*",
            "s3:PutObject"],
        "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}"#,
    r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"OwnProjects","Effect":"Allow","Action":["ec2:Start*","ec2:Stop*","logs:*","kms:Decrypt"],"Resource":"*",
            "Condition":{"StringEquals":{"aws:ResourceTag/project":"${aws:PrincipalTag/project}"}}},
        {"Sid":"TagsAsAgreed","Effect":"Deny","Action":["*:TagResource","*:CreateTags"],"Resource":"*",
            "Condition":{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["project","team","cost-center"]}}}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"FromTheOffice","Effect":"Deny","Action":"*","Resource":"*",
        "Condition":{"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24","2001:db8:1234::/48"]},
            "Bool":{"aws:ViaAWSService":"false"}}}]}"#,
];

const BOUNDARY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Services","Effect":"Allow","Resource":"*","Action":["cloudtrail:*","s3:*","sns:*","logs:*","kms:*","sts:*",
        "ec2:*","iam:Get*","iam:List*"]},
    {"Sid":"NoRights","Effect":"Deny","Action":["iam:*Policy","iam:*PolicyVersion","iam:PutRolePermissionsBoundary",
        "iam:DeleteRolePermissionsBoundary"],"Resource":"*"}]}"#;

const SESSION_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:*","cloudtrail:*","sts:*"],"Resource":"*"}]}"#;

const SERVICE_CONTROL: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"*","Resource":"*"},
    {"Sid":"Stays","Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"},
    {"Sid":"TrailsStay","Effect":"Deny","Action":["cloudtrail:StopLogging","cloudtrail:DeleteTrail","cloudtrail:UpdateTrail",
        "cloudtrail:PutEventSelectors"],"Resource":"*",
        "Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/security/*"}}},
    {"Sid":"Regions","Effect":"Deny","NotAction":["iam:*","organizations:*","route53:*","cloudfront:*","sts:*","support:*"],
        "Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1","us-east-1"]}}}]}"#;

const BUCKET: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Check","Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:GetBucketAcl",
        "Resource":"arn:aws:s3:::central-logs","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}},
    {"Sid":"Write","Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::central-logs/AWSLogs/*",
        "Condition":{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}},
    {"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"s3:*",
        "Resource":["arn:aws:s3:::central-logs","arn:aws:s3:::central-logs/*"],
        "Condition":{"Bool":{"aws:SecureTransport":"false"}}},
    {"Sid":"Ours","Effect":"Deny","Principal":"*","Action":"s3:*",
        "Resource":["arn:aws:s3:::central-logs","arn:aws:s3:::central-logs/*"],
        "Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-exampleorgid"},
            "BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}},
    {"Sid":"Kept","Effect":"Deny","Principal":"*","Action":["s3:DeleteObjectVersion","s3:PutLifecycleConfiguration"],
        "Resource":["arn:aws:s3:::central-logs","arn:aws:s3:::central-logs/*"]}]}"#;

/// The policies, read.
pub(crate) struct Typical {
    identity: Vec<Policy>,
    boundary: Policy,
    session: Policy,
    service_control: Policy,
    bucket: Policy,
}

/// One question.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) context: Context,
}

impl Typical {
    pub(crate) fn new() -> Self {
        let read =
            |text: &str, kind| Policy::parse(text, kind).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self {
            identity: IDENTITY.iter().map(|text| read(text, PolicyKind::Identity)).collect(),
            boundary: read(BOUNDARY, PolicyKind::Identity),
            session: read(SESSION_POLICY, PolicyKind::Identity),
            service_control: read(SERVICE_CONTROL, PolicyKind::Identity),
            bucket: read(BUCKET, PolicyKind::Resource),
        }
    }

    /// Decides, with all ten policies.
    pub(crate) fn decide(&self, asked: &Asked) -> Decision {
        self.decide_with(
            asked,
            &Policies {
                boundary: Some(&self.boundary),
                session: &[&self.session],
                service_control: &[vec![&self.service_control]],
                resource: Some(&self.bucket),
                same_account: true,
                ..Policies::default()
            },
        )
    }

    /// Decides with the role's own policies alone.
    pub(crate) fn decide_by_identity(&self, asked: &Asked) -> Decision {
        self.decide_with(asked, &Policies { same_account: true, ..Policies::default() })
    }

    fn decide_with(&self, asked: &Asked, others: &Policies<'_>) -> Decision {
        let [first, second, third, fourth, fifth, sixth] = &self.identity[..] else {
            unreachable!("six were read")
        };
        let request = Request {
            action: asked.action,
            resource: asked.resource,
            principal: PrincipalRef::AssumedRole {
                role_arn: ROLE,
                session_arn: SESSION,
                account: ACCOUNT,
                role_id: "AROAEXAMPLEOPERATOR00",
            },
            context: &asked.context,
        };
        let own = [first, second, third, fourth, fifth, sixth];
        let policies = Policies { identity: Identity::Policies(&own), ..*others };
        decide(&request, &policies)
    }

    /// What is asked, each with whether it is allowed: two thirds are.
    pub(crate) fn asks(&self) -> Vec<(Asked, bool)> {
        let log = "arn:aws:s3:::central-logs/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/21/\
            111122223333_CloudTrail_eu-central-1_20261121T1405Z_AbCdEfGhIjKlMnOp.json.gz";
        let ask = |action, resource, set: &[(&str, &str)]| {
            let mut context = common();
            for (key, value) in set {
                context.set(key, *value);
            }
            Asked { action, resource, context }
        };
        let bucket = "arn:aws:s3:::central-logs";
        vec![
            (ask("s3:GetObject", log, &[]), true),
            (ask("s3:PutObject", "arn:aws:s3:::central-logs/teams/blue/report.csv", &[]), true),
            (
                ask(
                    "s3:ListBucket",
                    bucket,
                    &[("s3:prefix", "AWSLogs/111122223333/"), ("s3:max-keys", "1000")],
                ),
                true,
            ),
            (ask("cloudtrail:LookupEvents", "*", &[]), true),
            (ask("sts:GetCallerIdentity", "*", &[]), true),
            (ask("s3:DeleteObject", "arn:aws:s3:::central-logs/teams/blue/report.csv", &[]), true),
            (ask("s3:DeleteObjectVersion", log, &[]), false),
            (
                ask("cloudtrail:StopLogging", "arn:aws:cloudtrail:eu-central-1:111122223333:trail/org", &[]),
                false,
            ),
            (ask("s3:PutObject", "arn:aws:s3:::central-logs/teams/red/report.csv", &[]), false),
        ]
    }
}

/// The condition keys that every request has.
fn common() -> Context {
    let mut context = Context::new();
    for (key, value) in [
        ("aws:CurrentTime", "2026-11-21T14:05:00Z"),
        ("aws:EpochTime", "1795269900"),
        ("aws:SecureTransport", "true"),
        ("aws:SourceIp", "203.0.113.77"),
        ("aws:UserAgent", "aws-cli/2.31.0 md/awscrt#0.27 ua/2.1 os/linux lang/python#3.13"),
        ("aws:RequestedRegion", "eu-central-1"),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:ViaAWSService", "false"),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:PrincipalArn", ROLE),
        ("aws:PrincipalAccount", ACCOUNT),
        ("aws:PrincipalOrgID", "o-exampleorgid"),
        ("aws:ResourceAccount", ACCOUNT),
        ("aws:userid", "AROAEXAMPLEOPERATOR00:carol"),
        ("aws:PrincipalTag/team", "blue"),
        ("aws:PrincipalTag/project", "audit"),
        ("aws:TokenIssueTime", "2026-11-21T13:05:00Z"),
        ("aws:MultiFactorAuthPresent", "true"),
        ("aws:MultiFactorAuthAge", "3600"),
    ] {
        context.set(key, value);
    }
    context.set_many("aws:PrincipalOrgPaths", ["o-exampleorgid/r-ab12/ou-ab12-11111111/"]);
    context
}
