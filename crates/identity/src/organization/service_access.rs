//! Services that work in every account of an organization, and the accounts that administer them for it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::Transaction;

use super::{
    document::{FeatureSet, Member, Organization, members},
    form, limits, member,
    refusal::{Already, Constraint, OrganizationRefusal},
};
use crate::{account, documents::Documents};

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// Lets a service work in every account; no error if it does already.
///
/// # Errors
/// `InvalidInput` for a service that does not work with organizations here, `ConstraintViolation` without all features.
pub fn enable(
    tx: &mut Transaction,
    organization: &Organization,
    service: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    form::check_service(service)?;
    check_all_features(organization)?;
    if organization.service_access_enabled(service) {
        return Ok(());
    }
    let mut changed = Organization::clone(organization);
    changed.service_access.insert(service.to_owned(), now);
    changed.save(tx);
    Ok(())
}

/// Ends the work of a service in every account, and with it that of its delegated administrators; no error if there was
/// none.
///
/// # Errors
/// `InvalidInput` for a service that does not work with organizations here.
pub fn disable(tx: &mut Transaction, organization: &Organization, service: &str) -> Result<()> {
    form::check_service(service)?;
    let mut changed = Organization::clone(organization);
    if changed.service_access.remove(service).is_some() {
        changed.save(tx);
    }
    for member in members(tx, organization) {
        if member.delegations.contains_key(service) {
            let mut relieved = Member::clone(&member);
            relieved.delegations.remove(service);
            relieved.save(tx);
        }
    }
    Ok(())
}

/// Makes a member account an administrator of a service for the organization.
///
/// # Errors
/// `AccountNotFound`, `AccountAlreadyRegistered`, `InvalidInput`; `ConstraintViolation` for the management account, a
/// suspended one, without all features or the service's access, and beyond [`limits::CLOUDTRAIL_ADMINISTRATORS`].
pub fn register(
    tx: &mut Transaction,
    organization: &Organization,
    account: AccountId,
    service: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    form::check_service(service)?;
    check_all_features(organization)?;
    let mut member = Member::clone(&*member::get(tx, organization, account, now)?);
    if account == organization.management_account {
        return Err(Constraint::RegisteringManagement.into());
    }
    if account::closed_at(tx, account).is_some() {
        return Err(Constraint::RegisteringSuspended.into());
    }
    if !organization.service_access_enabled(service) {
        return Err(Constraint::NoServiceAccess.into());
    }
    if member.delegations.contains_key(service) {
        return Err(Already::Registered.into());
    }
    if administrators(tx, organization, Some(service), now).len() >= limits::CLOUDTRAIL_ADMINISTRATORS {
        return Err(Constraint::Administrators.into());
    }
    member.delegations.insert(service.to_owned(), now);
    member.save(tx);
    Ok(())
}

/// Ends that an account administers a service.
///
/// # Errors
/// `AccountNotFound`, `AccountNotRegistered`, `InvalidInput`.
pub fn deregister(
    tx: &mut Transaction,
    organization: &Organization,
    account: AccountId,
    service: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    form::check_service(service)?;
    let mut member = Member::clone(&*member::get(tx, organization, account, now)?);
    if member.delegations.remove(service).is_none() {
        return Err(OrganizationRefusal::AccountNotRegistered);
    }
    member.save(tx);
    Ok(())
}

/// The accounts that administer a service, or any where none is named, in the order of their ids.
pub fn administrators(
    docs: &impl Documents,
    organization: &Organization,
    service: Option<&str>,
    now: DateTime<Utc>,
) -> Vec<Arc<Member>> {
    let mut members = member::list(docs, organization, now);
    members.retain(|member| match service {
        Some(service) => member.delegations.contains_key(service),
        None => !member.delegations.is_empty(),
    });
    members
}

/// What an account administers, each with the time since when.
///
/// # Errors
/// `AccountNotFound`, `AccountNotRegistered`.
pub fn services_of(
    docs: &impl Documents,
    organization: &Organization,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Vec<(String, DateTime<Utc>)>> {
    let member = member::get(docs, organization, account, now)?;
    if member.delegations.is_empty() {
        return Err(OrganizationRefusal::AccountNotRegistered);
    }
    Ok(member.delegations.iter().map(|(service, since)| (service.clone(), *since)).collect())
}

fn check_all_features(organization: &Organization) -> Result<()> {
    if organization.feature_set == FeatureSet::All { Ok(()) } else { Err(Constraint::NotAllFeatures.into()) }
}
