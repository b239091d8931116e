//! Attaching policies to the root, units and accounts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_state::Transaction;

use super::{
    document::{Organization, is_shown},
    limits,
    node::Node,
    policy::{self, ServiceControlPolicy},
    refusal::{Already, Constraint, OrganizationRefusal},
};
use crate::documents::Documents;

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// Attaches a policy to a target.
///
/// # Errors
/// `InvalidInput`, `PolicyNotFound`, `TargetNotFound`, `PolicyTypeNotEnabled`, `DuplicatePolicyAttachment`;
/// `ConstraintViolation` beyond [`limits::POLICIES_PER_TARGET`].
pub fn attach(
    tx: &mut Transaction,
    organization: &Arc<Organization>,
    policy: &str,
    target: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let policy = policy::get(tx, organization, policy)?;
    let target = Node::target(tx, organization, target, now)?;
    if !organization.has_enabled(policy.policy_type()) {
        return Err(OrganizationRefusal::PolicyTypeNotEnabled);
    }
    let mut attached = target.policies().to_vec();
    if attached.contains(&policy.id) {
        return Err(Already::Attached.into());
    }
    if attached.len() >= limits::POLICIES_PER_TARGET {
        return Err(Constraint::MostAttached.into());
    }
    attached.push(policy.id.clone());
    target.set_policies(tx, attached);
    Ok(())
}

/// Detaches a policy from a target, which keeps at least one.
///
/// # Errors
/// `InvalidInput`, `PolicyNotFound`, `TargetNotFound`, `PolicyNotAttached`; `ConstraintViolation` for the last one.
pub fn detach(
    tx: &mut Transaction,
    organization: &Arc<Organization>,
    policy: &str,
    target: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let policy = policy::get(tx, organization, policy)?;
    let target = Node::target(tx, organization, target, now)?;
    let mut attached = target.policies().to_vec();
    if !attached.contains(&policy.id) {
        return Err(OrganizationRefusal::PolicyNotAttached);
    }
    if attached.len() == 1 {
        return Err(Constraint::LeastAttached.into());
    }
    attached.retain(|id| *id != policy.id);
    target.set_policies(tx, attached);
    Ok(())
}

/// The policies attached to a target itself, in the order in which they were.
///
/// # Errors
/// `InvalidInput`, `TargetNotFound`.
pub fn of_target(
    docs: &impl Documents,
    organization: &Arc<Organization>,
    target: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Arc<ServiceControlPolicy>>> {
    let target = Node::target(docs, organization, target, now)?;
    let ids = target.policies().iter();
    Ok(ids.filter_map(|id| policy::find(docs, organization, id)).collect())
}

/// What a policy is attached to, in the order of their ids.
///
/// # Errors
/// `InvalidInput`, `PolicyNotFound`.
pub fn targets(
    docs: &impl Documents,
    organization: &Arc<Organization>,
    policy: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Node>> {
    let policy = policy::get(docs, organization, policy)?;
    let mut targets = holders(docs, organization, &policy.id);
    targets.retain(|node| match node {
        Node::Account(_, member) => is_shown(docs, member, now),
        Node::Root(_) | Node::Unit(..) => true,
    });
    targets.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(targets)
}

/// What a policy is attached to, accounts that are not shown any more included.
pub(super) fn holders(docs: &impl Documents, organization: &Arc<Organization>, policy: &str) -> Vec<Node> {
    let mut nodes = Node::all(docs, organization);
    nodes.retain(|node| node.policies().iter().any(|id| id == policy));
    nodes
}
