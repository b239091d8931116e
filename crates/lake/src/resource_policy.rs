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
