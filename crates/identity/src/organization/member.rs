//! The accounts of an organization: moving, leaving, closing.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use opentrail_event::AccountId;
use opentrail_state::Transaction;

use super::{
    document::{Member, Organization, in_use, is_shown, member, members},
    limits,
    refusal::{Absent, Already, Constraint, OrganizationRefusal},
    unit,
};
use crate::{account, documents::Documents};

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// An account of the organization.
///
/// # Errors
/// `AccountNotFound`.
pub fn get(
    docs: &impl Documents,
    organization: &Organization,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Arc<Member>> {
    member(docs, organization, account, now).ok_or_else(|| Absent::Account.into())
}

/// Every account of the organization, the management account included, in the order of their ids.
pub fn list(docs: &impl Documents, organization: &Organization, now: DateTime<Utc>) -> Vec<Arc<Member>> {
    members(docs, organization).into_iter().filter(|member| is_shown(docs, member, now)).collect()
}

/// Moves an account from one root or unit to another.
///
/// # Errors
/// `AccountNotFound`, `SourceParentNotFound`, `DestinationParentNotFound`, `DuplicateAccount`.
pub fn transfer(
    tx: &mut Transaction,
    organization: &Organization,
    account: AccountId,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut member = Member::clone(&*get(tx, organization, account, now)?);
    if !unit::is_parent(tx, organization, from) {
        return Err(Absent::SourceParent.into());
    }
    if !unit::is_parent(tx, organization, to) {
        return Err(Absent::DestinationParent.into());
    }
    if member.parent == to {
        return Err(Already::Moved.into());
    }
    if member.parent != from {
        return Err(Absent::SourceParent.into());
    }
    to.clone_into(&mut member.parent);
    member.save(tx);
    Ok(())
}

/// Takes an account out of the organization. AWS lets an account go only when it has what an account of its own needs
/// (a payment method, an address) and is a week old; nothing of that is asked for here.
///
/// # Errors
/// `AccountNotFound`, `MasterCannotLeaveOrganization`, `ConstraintViolation` for one that administers a service or is
/// closed.
pub fn remove(
    tx: &mut Transaction,
    organization: &Organization,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<()> {
    let member = get(tx, organization, account, now)?;
    if account == organization.management_account {
        return Err(OrganizationRefusal::MasterCannotLeave);
    }
    if !member.delegations.is_empty() {
        return Err(Constraint::StillRegistered.into());
    }
    if account::closed_at(tx, account).is_some() {
        return Err(Constraint::Suspended.into());
    }
    tx.delete::<Member>(account.as_str());
    Ok(())
}

/// Takes the caller's account out of its organization, which is returned as it was.
///
/// # Errors
/// `NotInUse`, and those of [`remove`].
pub fn leave(tx: &mut Transaction, account: AccountId, now: DateTime<Utc>) -> Result<Arc<Organization>> {
    let organization = in_use(tx, account)?;
    remove(tx, &organization, account, now)?;
    Ok(organization)
}

/// Closes an account: from here on nobody's credentials of it are taken, and its data stays as it is. It is part of
/// its organization for [`limits::CLOSED_ACCOUNT_DAYS`] more, and not shown after that.
///
/// # Errors
/// `AccountNotFound`, `AccountAlreadyClosed`, `ConstraintViolation` for the management account, without all features,
/// and beyond the quota of a period.
pub fn close(
    tx: &mut Transaction,
    organization: &Organization,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<()> {
    get(tx, organization, account, now)?;
    if account == organization.management_account {
        return Err(Constraint::ClosingManagement.into());
    }
    if organization.feature_set != super::FeatureSet::All {
        return Err(Constraint::NotAllFeatures.into());
    }
    let mut closing = account::get(tx, account);
    if closing.closed_at.is_some() {
        return Err(Already::Closed.into());
    }
    let accounts = list(tx, organization, now);
    let since = now - Duration::days(limits::CLOSING_PERIOD_DAYS);
    let closed = accounts.iter().filter_map(|member| account::closed_at(tx, member.account));
    let most = (accounts.len() * limits::CLOSED_PER_PERIOD_PERCENT / 100)
        .clamp(limits::CLOSED_PER_PERIOD, limits::MOST_CLOSED_PER_PERIOD);
    if closed.filter(|at| *at > since).count() >= most {
        return Err(Constraint::ClosingQuota.into());
    }
    closing.closed_at = Some(now);
    account::save(tx, &closing);
    Ok(())
}
