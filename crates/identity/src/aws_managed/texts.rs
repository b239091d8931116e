//! What the policies say.

use serde_json::{Value, json};

use super::{Row, SERVICE_ROLE_PATH};

const ROOT_PATH: &str = "/";
/// The path of policies that describe a job.
const JOB_FUNCTION_PATH: &str = "/job-function/";

fn allow(actions: &[&str]) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": "*" })
}

/// In the order of their names, whatever their case.
pub(super) const ROWS: &[Row] = &[
    Row {
        path: ROOT_PATH,
        name: "AdministratorAccess",
        id: "ANPAOPENTRAILADMINIST",
        description: "Allows every action on every resource.",
        statements: || json!([allow(&["*"])]),
    },
    Row {
        path: ROOT_PATH,
        name: "AmazonS3FullAccess",
        id: "ANPAOPENTRAILS3FULLAC",
        description: "Allows every action on buckets and objects.",
        statements: || json!([allow(&["s3:*", "s3-object-lambda:*"])]),
    },
    Row {
        path: ROOT_PATH,
        name: "AmazonS3ReadOnlyAccess",
        id: "ANPAOPENTRAILS3READON",
        description: "Allows reading and listing buckets and objects.",
        statements: || {
            json!([allow(&[
                "s3:Get*",
                "s3:List*",
                "s3:Describe*",
                "s3-object-lambda:Get*",
                "s3-object-lambda:List*",
            ])])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "AWSCloudTrail_FullAccess",
        id: "ANPAOPENTRAILTRAILFUL",
        description: "Allows managing trails, event data stores and what they deliver to.",
        statements: cloudtrail_full_access,
    },
    Row {
        path: ROOT_PATH,
        name: "AWSCloudTrail_ReadOnlyAccess",
        id: "ANPAOPENTRAILTRAILREA",
        description: "Allows reading trails, their status and the event history.",
        statements: || {
            json!([allow(&[
                "cloudtrail:Get*",
                "cloudtrail:Describe*",
                "cloudtrail:List*",
                "cloudtrail:LookupEvents",
                "opentrail:GetChainHeads",
                "opentrail:LookupEvents",
            ])])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "AWSDenyAll",
        id: "ANPAOPENTRAILDENYALLS",
        description: "Denies every action, whatever else is allowed.",
        statements: || json!([{ "Effect": "Deny", "Action": "*", "Resource": "*" }]),
    },
    Row {
        path: ROOT_PATH,
        name: "AWSKeyManagementServicePowerUser",
        id: "ANPAOPENTRAILKMSPOWER",
        description: "Allows creating and reading keys, not using or deleting them.",
        statements: || {
            json!([allow(&[
                "kms:CreateAlias",
                "kms:CreateKey",
                "kms:DeleteAlias",
                "kms:Describe*",
                "kms:GenerateRandom",
                "kms:Get*",
                "kms:List*",
                "kms:TagResource",
                "kms:UntagResource",
                "iam:ListGroups",
                "iam:ListRoles",
                "iam:ListUsers",
            ])])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "AWSOrganizationsFullAccess",
        id: "ANPAOPENTRAILORGSFULL",
        description: "Allows managing the organization.",
        statements: || {
            json!([allow(&["organizations:*"]), service_linked_roles_of("organizations.amazonaws.com"),])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "AWSOrganizationsReadOnlyAccess",
        id: "ANPAOPENTRAILORGSREAD",
        description: "Allows reading the organization.",
        statements: || json!([allow(&["organizations:Describe*", "organizations:List*"])]),
    },
    Row {
        path: SERVICE_ROLE_PATH,
        name: "AWSOrganizationsServiceTrustPolicy",
        id: "ANPAOPENTRAILORGTRUST",
        description: "What Organizations may do in an account by its own role.",
        statements: || {
            json!([
                allow(&["iam:CreateServiceLinkedRole"]),
                {
                    "Effect": "Allow",
                    "Action": "iam:DeleteRole",
                    "Resource": "arn:aws:iam::*:role/aws-service-role/organizations.amazonaws.com/*",
                },
            ])
        },
    },
    Row {
        path: SERVICE_ROLE_PATH,
        name: "CloudTrailServiceRolePolicy",
        id: "ANPAOPENTRAILTRAILSLR",
        description: "What CloudTrail may do in an organization's accounts by its own role.",
        statements: || {
            json!([allow(&[
                "cloudtrail:*",
                "organizations:DescribeAccount",
                "organizations:DescribeOrganization",
                "organizations:ListAccounts",
                "organizations:ListAWSServiceAccessForOrganization",
                "organizations:ListDelegatedAdministrators",
            ])])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "IAMFullAccess",
        id: "ANPAOPENTRAILIAMFULLA",
        description: "Allows managing users, groups, roles and policies.",
        statements: || {
            json!([allow(&[
                "iam:*",
                "organizations:DescribeOrganization",
                "organizations:DescribePolicy",
                "organizations:List*",
            ])])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "IAMReadOnlyAccess",
        id: "ANPAOPENTRAILIAMREADO",
        description: "Allows reading users, groups, roles and policies.",
        statements: || json!([allow(IAM_READS)]),
    },
    Row {
        path: ROOT_PATH,
        name: "IAMUserChangePassword",
        id: "ANPAOPENTRAILCHANGEPW",
        description: "Allows a user to change their own password.",
        statements: || {
            json!([
                {
                    "Effect": "Allow",
                    "Action": "iam:ChangePassword",
                    "Resource": ["arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::*:user/*/${aws:username}"],
                },
                allow(&["iam:GetAccountPasswordPolicy"]),
            ])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "PowerUserAccess",
        id: "ANPAOPENTRAILPOWERUSE",
        description: "Allows everything but managing users, the account and the organization.",
        statements: || {
            json!([
                {
                    "Effect": "Allow",
                    "NotAction": ["iam:*", "organizations:*", "account:*"],
                    "Resource": "*",
                },
                allow(&[
                    "iam:CreateServiceLinkedRole",
                    "iam:DeleteServiceLinkedRole",
                    "iam:ListRoles",
                    "organizations:DescribeOrganization",
                    "organizations:DescribeEffectivePolicy",
                ]),
            ])
        },
    },
    Row {
        path: ROOT_PATH,
        name: "ReadOnlyAccess",
        id: "ANPAOPENTRAILREADONLY",
        description: "Allows reading and listing in every service.",
        statements: read_only_access,
    },
    Row {
        path: ROOT_PATH,
        name: "SecurityAudit",
        id: "ANPAOPENTRAILSECAUDIT",
        description: "Allows reading how everything is set, not what it holds.",
        statements: security_audit,
    },
    Row {
        path: JOB_FUNCTION_PATH,
        name: "ViewOnlyAccess",
        id: "ANPAOPENTRAILVIEWONLY",
        description: "Allows listing what there is, not reading what it holds.",
        statements: view_only_access,
    },
];

/// Everything of IAM that only reads.
const IAM_READS: &[&str] = &["iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*"];

/// Everything of Organizations that only reads.
const ORGANIZATIONS_READS: &[&str] = &["organizations:Describe*", "organizations:List*"];

fn service_linked_roles_of(service: &str) -> Value {
    json!({
        "Effect": "Allow",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": "*",
        "Condition": { "StringEquals": { "iam:AWSServiceName": service } },
    })
}

fn cloudtrail_full_access() -> Value {
    let actions = [
        "cloudtrail:*",
        "s3:CreateBucket",
        "s3:GetBucketLocation",
        "s3:GetBucketPolicy",
        "s3:ListAllMyBuckets",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "sns:AddPermission",
        "sns:CreateTopic",
        "sns:GetTopicAttributes",
        "sns:ListTopics",
        "sns:SetTopicAttributes",
        "logs:CreateLogGroup",
        "logs:DescribeLogGroups",
        "iam:GetRolePolicy",
        "iam:GetUser",
        "iam:ListRoles",
        "kms:CreateAlias",
        "kms:CreateKey",
        "kms:ListAliases",
        "kms:ListKeys",
        "organizations:DescribeOrganization",
        "organizations:ListAWSServiceAccessForOrganization",
        "organizations:ListDelegatedAdministrators",
    ];
    json!([allow(&actions), service_linked_roles_of("cloudtrail.amazonaws.com")])
}

fn read_only_access() -> Value {
    let services = [
        "cloudtrail:Describe*",
        "cloudtrail:Get*",
        "cloudtrail:List*",
        "cloudtrail:LookupEvents",
        "cloudwatch:Describe*",
        "cloudwatch:Get*",
        "cloudwatch:List*",
        "kms:Describe*",
        "kms:Get*",
        "kms:List*",
        "logs:Describe*",
        "logs:FilterLogEvents",
        "logs:Get*",
        "logs:List*",
        "opentrail:Get*",
        "opentrail:List*",
        "opentrail:LookupEvents",
        "opentrail:WhoCan",
        "s3:Describe*",
        "s3:Get*",
        "s3:List*",
        "sns:Get*",
        "sns:List*",
        "sts:GetAccessKeyInfo",
        "sts:GetCallerIdentity",
        "sts:GetSessionToken",
    ];
    json!([allow(&services), allow(IAM_READS), allow(ORGANIZATIONS_READS)])
}

fn security_audit() -> Value {
    let services = [
        "cloudtrail:Describe*",
        "cloudtrail:Get*",
        "cloudtrail:List*",
        "cloudtrail:LookupEvents",
        "cloudwatch:Describe*",
        "cloudwatch:List*",
        "kms:Describe*",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:List*",
        "logs:Describe*",
        "logs:List*",
        "opentrail:Get*",
        "opentrail:List*",
        "opentrail:LookupEvents",
        "opentrail:WhoCan",
        "s3:GetAccelerateConfiguration",
        "s3:GetAccountPublicAccessBlock",
        "s3:GetAnalyticsConfiguration",
        "s3:GetBucket*",
        "s3:GetEncryptionConfiguration",
        "s3:GetIntelligentTieringConfiguration",
        "s3:GetInventoryConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetMetricsConfiguration",
        "s3:GetObjectAcl",
        "s3:GetObjectVersionAcl",
        "s3:GetReplicationConfiguration",
        "s3:ListAllMyBuckets",
        "sns:GetTopicAttributes",
        "sns:List*",
        "sts:GetAccessKeyInfo",
    ];
    json!([allow(&services), allow(IAM_READS), allow(ORGANIZATIONS_READS)])
}

fn view_only_access() -> Value {
    let actions = [
        "cloudtrail:DescribeTrails",
        "cloudtrail:ListTrails",
        "cloudtrail:LookupEvents",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListMetrics",
        "iam:GetAccountSummary",
        "iam:List*",
        "kms:ListAliases",
        "kms:ListKeys",
        "logs:DescribeLogGroups",
        "organizations:List*",
        "s3:GetBucketLocation",
        "s3:ListAllMyBuckets",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:ListBucketMultipartUploads",
        "sns:ListTopics",
    ];
    json!([allow(&actions)])
}
