//! The policies of event data stores and channels: who besides their account may ask the one and send to the other.
//!
//! What a policy means is decided by whoever authorizes; here its text is kept.

use std::{collections::BTreeMap, sync::Arc};

use opentrail_state::{Resource, Transaction};
use opentrail_trails::organization::Documents;
use serde::{Deserialize, Serialize};

/// Longest policy in characters (AWS: ResourcePolicy).
pub const MAX_POLICY: usize = 8192;
/// Most statements of a channel's policy (AWS: "Resource-based policy examples for channels").
pub const MAX_STATEMENTS: usize = 20;
/// Most principals of a statement of a channel's policy (the same page).
pub const MAX_PRINCIPALS: usize = 50;

/// What the policy of an event data store can allow (AWS: "Create an event data store for CloudTrail events").
const ALLOWED: [&str; 8] = [
    "StartQuery",
    "CancelQuery",
    "ListQueries",
    "DescribeQuery",
    "GetQueryResults",
    "GenerateQuery",
    "GenerateQueryResultsSummary",
    "GetEventDataStore",
];
/// The other operations on an event data store, which its policy can deny here.
const DENIED: [&str; 14] = [
    "AddTags",
    "DeleteEventDataStore",
    "DeleteResourcePolicy",
    "DisableFederation",
    "EnableFederation",
    "GetResourcePolicy",
    "ListTags",
    "PutResourcePolicy",
    "RemoveTags",
    "RestoreEventDataStore",
    "StartEventDataStoreIngestion",
    "StartImport",
    "StopEventDataStoreIngestion",
    "UpdateEventDataStore",
];

/// Whether a statement of an event data store's policy may name an action, `service:Operation` with or without
/// wildcards: it must mean at least one that the policy can allow, or deny.
pub fn grantable(action: &str, is_allow: bool) -> bool {
    let Some((service, pattern)) = action.split_once(':') else { return false };
    let more: &[&str] = if is_allow { &[] } else { &DENIED };
    service.eq_ignore_ascii_case("cloudtrail")
        && ALLOWED.iter().chain(more).any(|name| matches(pattern.as_bytes(), name.as_bytes()))
}

/// Whether a name is of a pattern in which `*` stands for any text and `?` for any character; letters of either case are
/// the same.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    // Where the last star is, and up to where it reaches.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted.eq_ignore_ascii_case(&byte) => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((from, reach)) = star else { return false };
                star = Some((from, reach + 1));
                at = from + 1;
                place = reach + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// The policy of one event data store or channel. The id of the document is its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// The text, as it came.
    pub text: String,
    /// The unique id of each user and role that the text names by ARN.
    #[serde(default)]
    pub principals: BTreeMap<String, String>,
}

impl Resource for ResourcePolicy {
    const KIND: &'static str = "lake.policy";
}

/// The policy of the resource with this ARN, if it has one.
pub fn of(docs: &impl Documents, arn: &str) -> Option<Arc<ResourcePolicy>> {
    docs.document(arn)
}

/// Gives a resource a policy, in the place of any other.
pub fn put(tx: &mut Transaction, arn: &str, policy: &ResourcePolicy) {
    tx.put(arn, policy);
}

/// Takes the policy of a resource away; whether it had one.
pub fn delete(tx: &mut Transaction, arn: &str) -> bool {
    tx.delete::<ResourcePolicy>(arn)
}

#[cfg(test)]
mod tests {
    use super::grantable;

    #[test]
    fn a_stores_policy_is_about_what_can_be_done_with_a_store() {
        for action in
            ["cloudtrail:StartQuery", "CloudTrail:getqueryresults", "cloudtrail:*", "cloudtrail:G?t*"]
        {
            assert!(grantable(action, true) && grantable(action, false), "{action}");
        }
        for action in ["cloudtrail:StartImport", "cloudtrail:Delete*", "cloudtrail:UpdateEventDataStore"] {
            assert!(!grantable(action, true) && grantable(action, false), "{action}");
        }
        for action in [
            "cloudtrail:CreateEventDataStore",
            "cloudtrail:CreateTrail",
            "cloudtrail:StartQuer",
            "cloudtrail:Start*Trail",
            "cloudtrail-data:PutAuditEvents",
            "s3:*",
            "StartQuery",
            "*",
            "",
        ] {
            assert!(!grantable(action, true) && !grantable(action, false), "{action}");
        }
    }
}
