//! Who belonged to which organization at the place of the journal that the delivery has come to.

use std::collections::BTreeMap;

use opentrail_event::AccountId;
use opentrail_state::{Change, Resource};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::DeliveryError;
use crate::{
    organization::{Member, Organization, OrganizationId},
    trail::Trail,
};

/// The organizations and their members.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Membership {
    organizations: BTreeMap<OrganizationId, Organization>,
    members: BTreeMap<AccountId, OrganizationId>,
}

impl Membership {
    /// Whether a change is about organizations.
    pub(crate) fn concerns(change: &Change) -> bool {
        let (Change::Put { kind, .. } | Change::Delete { kind, .. }) = change;
        kind == Organization::KIND || kind == Member::KIND
    }

    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), DeliveryError> {
        match change {
            Change::Put { kind, id, body, .. } if kind == Organization::KIND => {
                let organization: Organization = read(id, body)?;
                self.organizations.insert(organization.id.clone(), organization);
            }
            Change::Put { kind, id, body, .. } if kind == Member::KIND => {
                if let Ok(account) = id.parse() {
                    self.members.insert(account, read::<Member>(id, body)?.organization);
                }
            }
            Change::Delete { kind, id } if kind == Organization::KIND => {
                self.organizations.retain(|known, _| known.as_str() != id);
            }
            Change::Delete { kind, id } if kind == Member::KIND => {
                if let Ok(account) = id.parse::<AccountId>() {
                    self.members.remove(&account);
                }
            }
            Change::Put { .. } | Change::Delete { .. } => {}
        }
        Ok(())
    }

    /// The organization whose trails take the account's events.
    pub(crate) fn organization_of(&self, account: AccountId) -> Option<&OrganizationId> {
        let id = self.members.get(&account)?;
        self.organizations.get(id).filter(|organization| organization.trusted).map(|_| id)
    }

    /// Whether the trail takes events of the account.
    pub(crate) fn covers(&self, trail: &Trail, account: AccountId) -> bool {
        trail.account == account
            || (trail.organization.is_some() && self.organization_of(account) == trail.organization.as_ref())
    }

    /// The accounts whose events the trail takes.
    pub(crate) fn covered_by(&self, trail: &Trail) -> Vec<AccountId> {
        let mut accounts = vec![trail.account];
        if trail.organization.is_some() {
            let members = self.members.keys().copied().filter(|account| *account != trail.account);
            accounts.extend(members.filter(|account| self.covers(trail, *account)));
        }
        accounts
    }
}

fn read<T: DeserializeOwned>(id: &str, body: &[u8]) -> Result<T, DeliveryError> {
    serde_json::from_slice(body).map_err(|source| DeliveryError::Document { id: id.to_owned(), source })
}
