//! The organization's resource policy, with which the management account lets members do in Organizations what only it
//! may.
//!
//! Source: the user guide, "Resource-based delegation policies for AWS Organizations".

use opentrail_policy::{Effect, Policy, PolicyKind};
use opentrail_state::Transaction;

use super::{
    document::{Organization, ResourcePolicy},
    form, ids, limits,
    refusal::{Absent, InvalidReason, OrganizationRefusal},
    tagging,
};
use crate::{permissions::PolicyText, tags::Tag};

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// Sets the policy. Tags are taken with the first one only, as with AWS.
///
/// # Errors
/// `InvalidInput`, `ConstraintViolation` for tags beyond [`limits::TAGS`].
pub fn put(
    tx: &mut Transaction,
    organization: &Organization,
    content: &str,
    tags: &[Tag],
) -> Result<ResourcePolicy> {
    form::check_length("Content", content, 1, limits::RESOURCE_POLICY_CHARS)?;
    tagging::check(tags)?;
    let invalid =
        |message: String| OrganizationRefusal::invalid(InvalidReason::InvalidResourcePolicyJson, message);
    let read = Policy::parse(content, PolicyKind::Resource).map_err(|error| invalid(error.to_string()))?;
    check_actions(&read)?;
    let content = PolicyText::new("content", content, PolicyKind::Resource)
        .map_err(|error| invalid(error.to_string()))?;
    let mut changed = Organization::clone(organization);
    let policy = match changed.resource_policy.take() {
        Some(_) if !tags.is_empty() => {
            let message = "Tags can't be given with a resource policy that is there already.".to_owned();
            return Err(invalid(message));
        }
        Some(old) => ResourcePolicy { content, ..old },
        None => ResourcePolicy { id: ids::resource_policy(), content, tags: tags.to_vec() },
    };
    changed.resource_policy = Some(policy.clone());
    changed.save(tx);
    Ok(policy)
}

/// Whether the policy gives no more than a resource policy can: no patterns over all of Organizations, and nothing of
/// another service.
fn check_actions(policy: &Policy) -> Result<()> {
    let allows = policy.statements().iter().filter(|statement| statement.effect() == Effect::Allow);
    for statement in allows {
        let mut actions = statement.actions();
        if statement.negates_actions() || actions.any(|action| !is_delegable(action)) {
            let message = "You specified an action that a resource policy can't allow.";
            return Err(OrganizationRefusal::invalid(
                InvalidReason::UnsupportedActionInResourcePolicy,
                message,
            ));
        }
    }
    Ok(())
}

/// Actions that a member account can be given.
pub const DELEGABLE: &[&str] = &[
    "AttachPolicy",
    "CreatePolicy",
    "DeletePolicy",
    "DescribeAccount",
    "DescribeCreateAccountStatus",
    "DescribeEffectivePolicy",
    "DescribeHandshake",
    "DescribeOrganization",
    "DescribeOrganizationalUnit",
    "DescribePolicy",
    "DescribeResourcePolicy",
    "DetachPolicy",
    "DisablePolicyType",
    "EnablePolicyType",
    "ListAccounts",
    "ListAccountsForParent",
    "ListAWSServiceAccessForOrganization",
    "ListChildren",
    "ListCreateAccountStatus",
    "ListDelegatedAdministrators",
    "ListDelegatedServicesForAccount",
    "ListHandshakesForAccount",
    "ListHandshakesForOrganization",
    "ListOrganizationalUnitsForParent",
    "ListParents",
    "ListPolicies",
    "ListPoliciesForTarget",
    "ListRoots",
    "ListTagsForResource",
    "ListTargetsForPolicy",
    "TagResource",
    "UntagResource",
    "UpdatePolicy",
];

/// Whether the pattern is of Organizations and can mean delegable actions only: one of them itself, or a pattern over
/// those that read.
fn is_delegable(action: &str) -> bool {
    let Some((service, name)) = action.split_once(':') else { return false };
    if !service.eq_ignore_ascii_case("organizations") {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    DELEGABLE.iter().any(|delegable| delegable.eq_ignore_ascii_case(name))
        || ((lower.starts_with("list") || lower.starts_with("describe")) && lower.ends_with('*'))
}

/// The policy.
///
/// # Errors
/// `ResourcePolicyNotFound`.
pub fn get(organization: &Organization) -> Result<&ResourcePolicy> {
    organization.resource_policy.as_ref().ok_or_else(|| Absent::ResourcePolicy.into())
}

/// The policy, read, where there is one that can be.
pub fn in_force(organization: &Organization) -> Option<&Policy> {
    organization.resource_policy.as_ref()?.content.policy(PolicyKind::Resource)
}

/// Takes the policy away.
///
/// # Errors
/// `ResourcePolicyNotFound`.
pub fn delete(tx: &mut Transaction, organization: &Organization) -> Result<()> {
    get(organization)?;
    let changed = Organization { resource_policy: None, ..Organization::clone(organization) };
    changed.save(tx);
    Ok(())
}
