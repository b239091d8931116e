//! Who belonged to which organization at a place of the journal that a reader has come to.

use std::collections::BTreeMap;

use opentrail_event::AccountId;
use opentrail_state::{Change, Resource, State};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    organization::{Member, Organization, OrganizationId},
    trail::Trail,
};

/// The organizations and their members.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Membership {
    organizations: BTreeMap<OrganizationId, Organization>,
    members: BTreeMap<AccountId, OrganizationId>,
}

/// A document in the journal that is not what this program writes.
#[derive(Debug, thiserror::Error)]
#[error("the document {id} in the journal cannot be read: {source}")]
pub struct UnreadableDocument {
    /// The document.
    pub id: String,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

impl Membership {
    /// As the documents are now.
    pub fn of(state: &State) -> Self {
        let organizations = state.list::<Organization>("").into_iter();
        let members = state.list::<Member>("").into_iter();
        Self {
            organizations: organizations
                .map(|(_, organization)| (organization.id.clone(), Organization::clone(&organization)))
                .collect(),
            members: members
                .filter_map(|(account, member)| Some((account.parse().ok()?, member.organization.clone())))
                .collect(),
        }
    }

    /// Whether a change is about organizations.
    pub fn concerns(change: &Change) -> bool {
        let (Change::Put { kind, .. } | Change::Delete { kind, .. }) = change;
        kind == Organization::KIND || kind == Member::KIND
    }

    /// Follows a change, whatever it is about.
    ///
    /// # Errors
    /// If the document is not what this program writes; nothing is changed then.
    pub fn apply(&mut self, change: &Change) -> Result<(), UnreadableDocument> {
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

    /// The organization that an account belongs to, if it lets CloudTrail take the events of its accounts.
    pub fn organization_of(&self, account: AccountId) -> Option<&OrganizationId> {
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

fn read<T: DeserializeOwned>(id: &str, body: &[u8]) -> Result<T, UnreadableDocument> {
    serde_json::from_slice(body).map_err(|source| UnreadableDocument { id: id.to_owned(), source })
}
