//! Trails of organizations: who may make them, change them, and see them.

use std::sync::Arc;

use opentrail_event::{AccountId, Event};
use opentrail_state::Transaction;

use super::Trails;
use crate::{
    error::TrailError,
    layout::Whose,
    organization::{self, Documents, Organization, OrganizationId},
    trail::Trail,
};

impl Trails {
    /// The organization that an account belongs to, as its management account or as a member.
    pub fn organization_of(&self, account: AccountId) -> Option<Arc<Organization>> {
        organization::of_account(&self.state, account)
    }

    /// Whether the account may change this trail.
    pub fn may_change(&self, account: AccountId, trail: &Trail) -> bool {
        check_may_change(&self.state, account, trail).is_ok()
    }

    /// Whose files the trail writes, the trail's account first.
    pub fn writes_for(&self, trail: &Trail) -> Vec<Whose> {
        let whose = |account| Whose { account, organization: trail.organization.clone() };
        let mut all = vec![whose(trail.account)];
        if let Some(id) = &trail.organization {
            let members = organization::members(&self.state, id).into_iter();
            all.extend(members.filter(|account| *account != trail.account).map(whose));
        }
        all
    }

    /// Whether the trail takes events of the account `owner`, should its selectors select them.
    pub fn covers(&self, trail: &Trail, owner: AccountId) -> bool {
        is_seen_by(&self.state, owner, trail)
    }
}

/// The organization for which the account may make a trail.
pub(super) fn organization_for(
    docs: &impl Documents,
    account: AccountId,
) -> Result<Arc<Organization>, TrailError> {
    let organization =
        organization::of_account(docs, account).ok_or(TrailError::OrganizationsNotInUse { account })?;
    if !organization.is_administered_by(account) {
        return Err(TrailError::NotAdministrator { account, id: organization.id.clone() });
    }
    organization.check_open_to_cloudtrail()?;
    Ok(organization)
}

/// Whether the trail takes the account's events, and so the account sees it: its own trails, and those of the
/// organization that it belongs to.
pub(super) fn is_seen_by(docs: &impl Documents, account: AccountId, trail: &Trail) -> bool {
    let of_organization = |id: &OrganizationId| {
        organization::of_account(docs, account)
            .is_some_and(|organization| organization.id == *id && organization.trusted)
    };
    trail.account == account || trail.organization.as_ref().is_some_and(of_organization)
}

/// Refuses a change of a trail that the account sees and does not administer.
pub(super) fn check_may_change(
    docs: &impl Documents,
    account: AccountId,
    trail: &Trail,
) -> Result<(), TrailError> {
    if trail.account == account {
        return Ok(());
    }
    organization_for(docs, account).map(drop)
}

/// What UpdateTrail makes of a trail's organization.
pub(super) fn converted(
    tx: &Transaction,
    account: AccountId,
    trail: &Trail,
    wanted: bool,
) -> Result<Option<OrganizationId>, TrailError> {
    match (&trail.organization, wanted) {
        (Some(id), true) => Ok(Some(id.clone())),
        (None, false) => Ok(None),
        (Some(id), false) if account != trail.account => {
            Err(TrailError::ConversionByAnother { id: id.clone() })
        }
        (Some(_), false) => Ok(None),
        (None, true) => {
            let organization = organization_for(tx, account)?;
            if organization.management == account {
                Ok(Some(organization.id.clone()))
            } else {
                Err(TrailError::ConversionByAnother { id: organization.id.clone() })
            }
        }
    }
}

/// The logging trails that can take data events, of accounts and of organizations.
pub(super) fn takes(trails: Option<&Vec<Arc<Trail>>>, event: &Event) -> bool {
    trails.is_some_and(|trails| trails.iter().any(|trail| trail.takes(event)))
}
