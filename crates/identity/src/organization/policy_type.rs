//! Enabling and disabling types of policies in the root.

use std::sync::Arc;

use opentrail_state::Transaction;

use super::{
    document::{FeatureSet, Organization, PolicyType},
    node::Node,
    policy::FULL_ACCESS,
    refusal::{Absent, Already, InvalidReason, OrganizationRefusal},
};

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// The types that AWS has and we do not.
const UNSUPPORTED: &[&str] = &[
    "RESOURCE_CONTROL_POLICY",
    "TAG_POLICY",
    "BACKUP_POLICY",
    "AISERVICES_OPT_OUT_POLICY",
    "CHATBOT_POLICY",
    "DECLARATIVE_POLICY_EC2",
    "SECURITYHUB_POLICY",
    "SECURITYHUB_CSPM_POLICY",
    "INSPECTOR_POLICY",
    "UPGRADE_ROLLOUT_POLICY",
    "BEDROCK_POLICY",
    "S3_POLICY",
    "NETWORK_SECURITY_DIRECTOR_POLICY",
    "GUARDDUTY_POLICY",
];

/// Reads a type of policies; none for one that AWS has and we do not.
///
/// # Errors
/// `InvalidInput` for what is no type.
pub fn read(text: &str) -> Result<Option<PolicyType>> {
    if text == PolicyType::ServiceControl.as_str() {
        Ok(Some(PolicyType::ServiceControl))
    } else if UNSUPPORTED.contains(&text) {
        Ok(None)
    } else {
        let message = "You specified an invalid policy type string.";
        Err(OrganizationRefusal::invalid(InvalidReason::InvalidEnumPolicyType, message))
    }
}

/// Reads a type of policies that can be worked with.
///
/// # Errors
/// `InvalidInput`; `PolicyTypeNotAvailableForOrganization` for one that AWS has and we do not.
pub fn supported(text: &str) -> Result<PolicyType> {
    read(text)?.ok_or_else(|| {
        OrganizationRefusal::PolicyTypeUnsupported(format!("opentrail has no policies of the type {text}."))
    })
}

/// Whether the root is the organization's.
///
/// # Errors
/// `RootNotFound`.
pub fn check_root(organization: &Organization, root: &str) -> Result<()> {
    if organization.root.id == root { Ok(()) } else { Err(Absent::Root.into()) }
}

/// Enables a type of policies. The policy that allows everything is attached to the root, every unit and every account.
///
/// # Errors
/// `PolicyTypeNotAvailableForOrganization` without all features, `PolicyTypeAlreadyEnabled`.
pub fn enable(
    tx: &mut Transaction,
    organization: &Arc<Organization>,
    policy_type: PolicyType,
) -> Result<Arc<Organization>> {
    if organization.feature_set != FeatureSet::All {
        return Err(OrganizationRefusal::PolicyTypeNotAvailable);
    }
    if organization.has_enabled(policy_type) {
        return Err(Already::PolicyTypeEnabled.into());
    }
    set(tx, organization, |enabled| {
        enabled.policy_types.insert(policy_type);
    });
    for node in Node::all(tx, organization) {
        node.set_policies(tx, vec![FULL_ACCESS.to_owned()]);
    }
    Ok(now(tx, organization))
}

/// Disables a type of policies. None of it is attached to anything any more, as with AWS.
///
/// # Errors
/// `PolicyTypeNotEnabled`.
pub fn disable(
    tx: &mut Transaction,
    organization: &Arc<Organization>,
    policy_type: PolicyType,
) -> Result<Arc<Organization>> {
    if !organization.has_enabled(policy_type) {
        return Err(OrganizationRefusal::PolicyTypeNotEnabled);
    }
    set(tx, organization, |disabled| {
        disabled.policy_types.remove(&policy_type);
    });
    for node in Node::all(tx, organization) {
        node.set_policies(tx, Vec::new());
    }
    Ok(now(tx, organization))
}

fn set(tx: &mut Transaction, organization: &Organization, act: impl FnOnce(&mut Organization)) {
    let mut changed = Organization::clone(organization);
    act(&mut changed);
    changed.save(tx);
}

fn now(tx: &Transaction, organization: &Arc<Organization>) -> Arc<Organization> {
    tx.get::<Organization>(&organization.id).unwrap_or_else(|| Arc::clone(organization))
}
