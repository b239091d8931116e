//! Policies that every account has without creating them, under AWS's ARNs.
//!
//! They give what AWS's policies of these names are documented to give, as far as there are such services
//! here; the texts are our own, so their version is always `v1`.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use opentrail_policy::PolicyKind;
use serde_json::json;

use crate::permissions::PolicyText;

/// A policy under `arn:aws:iam::aws:policy/`.
pub(crate) struct AwsManagedPolicy {
    pub(crate) name: &'static str,
    pub(crate) id: &'static str,
    pub(crate) arn: String,
    pub(crate) description: &'static str,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) document: PolicyText,
}

/// Name, id, what it is for, actions that it allows on everything.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// In the order of their names, whatever their case. The ids are of our own making.
const ROWS: &[Row] = &[
    ("AdministratorAccess", "ANPAOPENTRAILADMINIST", "Allows every action on every resource.", &["*"]),
    (
        "AmazonS3FullAccess",
        "ANPAOPENTRAILS3FULLAC",
        "Allows every action on buckets and objects.",
        &["s3:*", "s3-object-lambda:*"],
    ),
    (
        "AmazonS3ReadOnlyAccess",
        "ANPAOPENTRAILS3READON",
        "Allows reading and listing buckets and objects.",
        &["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"],
    ),
    (
        "AWSCloudTrail_FullAccess",
        "ANPAOPENTRAILTRAILFUL",
        "Allows managing trails, event data stores and what they deliver to.",
        &[
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
        ],
    ),
    (
        "AWSCloudTrail_ReadOnlyAccess",
        "ANPAOPENTRAILTRAILREA",
        "Allows reading trails, their status and the event history.",
        &["cloudtrail:Get*", "cloudtrail:Describe*", "cloudtrail:List*", "cloudtrail:LookupEvents"],
    ),
    (
        "IAMFullAccess",
        "ANPAOPENTRAILIAMFULLA",
        "Allows managing users, groups, roles and policies.",
        &[
            "iam:*",
            "organizations:DescribeOrganization",
            "organizations:DescribePolicy",
            "organizations:List*",
        ],
    ),
    (
        "IAMReadOnlyAccess",
        "ANPAOPENTRAILIAMREADO",
        "Allows reading users, groups, roles and policies.",
        &["iam:GenerateCredentialReport", "iam:Get*", "iam:List*", "iam:Simulate*"],
    ),
    (
        "ReadOnlyAccess",
        "ANPAOPENTRAILREADONLY",
        "Allows reading and listing in every service.",
        &[
            "cloudtrail:Describe*",
            "cloudtrail:Get*",
            "cloudtrail:List*",
            "cloudtrail:LookupEvents",
            "cloudwatch:Describe*",
            "cloudwatch:Get*",
            "cloudwatch:List*",
            "iam:Get*",
            "iam:List*",
            "kms:Describe*",
            "kms:Get*",
            "kms:List*",
            "logs:Describe*",
            "logs:FilterLogEvents",
            "logs:Get*",
            "logs:List*",
            "organizations:Describe*",
            "organizations:List*",
            "s3:Get*",
            "s3:List*",
            "sns:Get*",
            "sns:List*",
            "sts:GetAccessKeyInfo",
            "sts:GetCallerIdentity",
        ],
    ),
];

/// When the set was last changed; shown as when each policy was created.
const CREATED: DateTime<Utc> = match DateTime::from_timestamp(1_767_225_600, 0) {
    Some(time) => time,
    None => DateTime::UNIX_EPOCH,
};

static POLICIES: LazyLock<Vec<AwsManagedPolicy>> = LazyLock::new(|| ROWS.iter().filter_map(policy).collect());

fn policy(&(name, id, description, actions): &Row) -> Option<AwsManagedPolicy> {
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    let text = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    match PolicyText::new("policyDocument", &text, PolicyKind::Identity) {
        Ok(document) => {
            let arn = format!("arn:aws:iam::aws:policy/{name}");
            Some(AwsManagedPolicy { name, id, arn, description, created_at: CREATED, document })
        }
        Err(error) => {
            tracing::error!(name, %error, "a built-in policy cannot be read: it gives nothing");
            None
        }
    }
}

/// All of them, in the order of their names.
pub(crate) fn all() -> &'static [AwsManagedPolicy] {
    &POLICIES
}

/// The one of this ARN.
pub(crate) fn find(arn: &str) -> Option<&'static AwsManagedPolicy> {
    all().iter().find(|policy| policy.arn == arn)
}

#[cfg(test)]
mod tests {
    use super::{ROWS, all};

    #[test]
    fn every_row_is_a_policy_in_order_with_an_id_of_its_own() {
        assert_eq!(all().len(), ROWS.len());
        assert!(all().is_sorted_by_key(|policy| policy.name.to_ascii_lowercase()));
        let mut ids: Vec<_> = all().iter().map(|policy| policy.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ROWS.len());
        assert!(ids.iter().all(|id| id.len() == 21), "{ids:?}");
    }
}
