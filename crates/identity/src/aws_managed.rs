//! Policies that every account has without creating them, under AWS's ARNs.
//!
//! They give what AWS's policies of these names are documented to give, as far as there are such services
//! here; the texts are our own, so their version is always `v1`. What each says is in `texts`.

mod texts;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use opentrail_policy::PolicyKind;
use serde_json::{Value, json};

use crate::permissions::PolicyText;
use texts::ROWS;

/// A policy under `arn:aws:iam::aws:policy/`.
pub(crate) struct AwsManagedPolicy {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) id: &'static str,
    pub(crate) arn: String,
    pub(crate) description: &'static str,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) document: PolicyText,
}

impl AwsManagedPolicy {
    /// Whether it is for the role of a service, which gets it with the role and nobody else gets at all.
    pub(crate) fn is_services_own(&self) -> bool {
        self.path == SERVICE_ROLE_PATH
    }
}

/// The path of policies that are for roles of services.
pub(crate) const SERVICE_ROLE_PATH: &str = "/aws-service-role/";

/// A policy as it stands in the table.
struct Row {
    path: &'static str,
    name: &'static str,
    /// Of our own making.
    id: &'static str,
    description: &'static str,
    statements: fn() -> Value,
}

/// When the set was last changed; shown as when each policy was created.
const CREATED: DateTime<Utc> = match DateTime::from_timestamp(1_767_225_600, 0) {
    Some(time) => time,
    None => DateTime::UNIX_EPOCH,
};

static POLICIES: LazyLock<Vec<AwsManagedPolicy>> = LazyLock::new(|| ROWS.iter().filter_map(policy).collect());

fn policy(row: &Row) -> Option<AwsManagedPolicy> {
    let &Row { path, name, id, description, statements } = row;
    let text = json!({ "Version": "2012-10-17", "Statement": statements() }).to_string();
    match PolicyText::new("policyDocument", &text, PolicyKind::Identity) {
        Ok(document) => {
            let arn = format!("arn:aws:iam::aws:policy{path}{name}");
            Some(AwsManagedPolicy { path, name, id, arn, description, created_at: CREATED, document })
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
