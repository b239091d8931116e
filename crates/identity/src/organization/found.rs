//! Making an organization, and ending it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::Transaction;

use super::{
    creation::Creation,
    document::{
        FeatureSet, JoinedMethod, Member, Organization, PolicyType, Root, Unit, is_shown, managed_by,
        members, prefix,
    },
    handshake, ids,
    policy::{FULL_ACCESS, ServiceControlPolicy},
    refusal::{Held, OrganizationRefusal},
};
use crate::documents::Documents;

/// Makes an organization that the account governs. With all features, service control policies are enabled in its
/// root, as `CreateOrganization` is documented.
///
/// # Errors
/// `AlreadyInOrganization`.
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    feature_set: FeatureSet,
    now: DateTime<Utc>,
) -> Result<Organization, OrganizationRefusal> {
    if tx.contains::<Member>(account.as_str()) {
        return Err(OrganizationRefusal::AlreadyInOrganization);
    }
    let policy_types: BTreeSet<PolicyType> = match feature_set {
        FeatureSet::All => BTreeSet::from([PolicyType::ServiceControl]),
        FeatureSet::ConsolidatedBilling => BTreeSet::new(),
    };
    let mut organization = Organization {
        id: ids::organization(),
        management_account: account,
        feature_set,
        created_at: now,
        root: Root { id: ids::root(), policies: Vec::new(), tags: Vec::new() },
        policy_types,
        service_access: BTreeMap::new(),
        resource_policy: None,
    };
    organization.root.policies = first_policies(&organization);
    organization.save(tx);
    let member = new_member(&organization, account, JoinedMethod::Invited, now);
    member.save(tx);
    Ok(organization)
}

/// The policies that something new in an organization has attached to it.
pub(super) fn first_policies(organization: &Organization) -> Vec<String> {
    if organization.has_enabled(PolicyType::ServiceControl) {
        vec![FULL_ACCESS.to_owned()]
    } else {
        Vec::new()
    }
}

/// An account that comes into an organization, in its root.
pub(super) fn new_member(
    organization: &Organization,
    account: AccountId,
    joined_method: JoinedMethod,
    now: DateTime<Utc>,
) -> Member {
    Member {
        account,
        organization: organization.id.clone(),
        parent: organization.root.id.clone(),
        joined_method,
        joined_at: now,
        policies: first_policies(organization),
        tags: Vec::new(),
        delegations: BTreeMap::new(),
    }
}

/// Ends an organization that has no account but its management account, with its units and policies.
///
/// # Errors
/// `NotInUse`, `AccessDenied`, `OrganizationNotEmpty`.
pub fn delete(
    tx: &mut Transaction,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<(), OrganizationRefusal> {
    let organization = managed_by(tx, account)?;
    let members = members(tx, &organization);
    let others = members.iter().filter(|member| member.account != account);
    if others.clone().any(|member| is_shown(tx, member, now)) {
        return Err(Held::Organization.into());
    }
    for member in &members {
        tx.delete::<Member>(member.account.as_str());
    }
    let prefix = prefix(&organization.id);
    for (id, _) in tx.documents::<Unit>(&prefix) {
        tx.delete::<Unit>(&id);
    }
    for (id, _) in tx.documents::<ServiceControlPolicy>(&prefix) {
        tx.delete::<ServiceControlPolicy>(&id);
    }
    for (id, _) in tx.documents::<Creation>(&prefix) {
        tx.delete::<Creation>(&id);
    }
    handshake::cancel_all(tx, &organization.id, now);
    tx.delete::<Organization>(&organization.id);
    Ok(())
}
