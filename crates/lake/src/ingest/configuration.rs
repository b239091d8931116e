//! What decides which store takes an event, as of one place of the journal.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use opentrail_event::{AccountId, Event};
use opentrail_state::{Change, Resource, State};
use opentrail_trails::{OrganizationId, membership::Membership};
use serde::{Deserialize, Serialize};

use crate::{
    error::LakeError,
    store::{EventDataStore, StoreId},
};

/// The event data stores and the organizations.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Configuration {
    /// By the id of their document.
    stores: BTreeMap<String, EventDataStore>,
    membership: Membership,
}

impl Configuration {
    /// As the documents are now.
    pub(crate) fn of(state: &State) -> Self {
        let stores = state.list::<EventDataStore>("").into_iter();
        Self {
            stores: stores.map(|(id, store)| (id, EventDataStore::clone(&store))).collect(),
            membership: Membership::of(state),
        }
    }

    /// Whether a change is about any of this.
    pub(crate) fn concerns(change: &Change) -> bool {
        let (Change::Put { kind, .. } | Change::Delete { kind, .. }) = change;
        kind == EventDataStore::KIND || Membership::concerns(change)
    }

    /// Follows a change, whatever it is about. Answers the store that is no more, if that is what changed.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<Option<StoreId>, LakeError> {
        match change {
            Change::Put { kind, id, body, .. } if kind == EventDataStore::KIND => {
                let store = serde_json::from_slice(body)
                    .map_err(|source| LakeError::Document { id: id.clone(), source })?;
                self.stores.insert(id.clone(), store);
                Ok(None)
            }
            Change::Delete { kind, id } if kind == EventDataStore::KIND => {
                Ok(self.stores.remove(id).map(|store| store.id))
            }
            _ => {
                let unreadable = |error: opentrail_trails::membership::UnreadableDocument| {
                    LakeError::Document { id: error.id, source: error.source }
                };
                self.membership.apply(change).map_err(unreadable).map(|()| None)
            }
        }
    }

    /// All stores, also those that take nothing.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &EventDataStore> {
        self.stores.values()
    }
}

/// A configuration and what finds the stores for an event quickly.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    configuration: Configuration,
    by_account: HashMap<AccountId, Vec<Arc<EventDataStore>>>,
    by_organization: HashMap<OrganizationId, Vec<Arc<EventDataStore>>>,
}

impl Routes {
    pub(crate) fn new(configuration: Configuration) -> Self {
        let mut routes = Self { configuration, ..Self::default() };
        routes.rebuild();
        routes
    }

    /// Follows a change; see [`Configuration::apply`].
    pub(crate) fn apply(&mut self, change: &Change) -> Result<Option<StoreId>, LakeError> {
        let removed = self.configuration.apply(change)?;
        let (Change::Put { kind, .. } | Change::Delete { kind, .. }) = change;
        if kind == EventDataStore::KIND {
            self.rebuild();
        }
        Ok(removed)
    }

    fn rebuild(&mut self) {
        self.by_account.clear();
        self.by_organization.clear();
        for store in self.configuration.stores().filter(|store| store.is_ingesting()) {
            let store = Arc::new(store.clone());
            if let Some(id) = &store.organization {
                self.by_organization.entry(id.clone()).or_default().push(store.clone());
            }
            // Its own account's events it has also where the organization is no more or does not trust CloudTrail.
            self.by_account.entry(store.account).or_default().push(store);
        }
    }

    /// The stores that take an event of the account `owner`, each once.
    pub(crate) fn of<'a>(
        &'a self,
        owner: AccountId,
        event: &'a Event,
    ) -> impl Iterator<Item = &'a Arc<EventDataStore>> {
        let own = self.by_account.get(&owner);
        let organization = if self.by_organization.is_empty() {
            None
        } else {
            self.configuration.membership.organization_of(owner).and_then(|id| self.by_organization.get(id))
        };
        // The management account's own organization stores are in both.
        let of_others = organization.into_iter().flatten().filter(move |store| store.account != owner);
        own.into_iter().flatten().chain(of_others).filter(|store| store.takes(event))
    }

    /// The store of this id, if it takes events.
    pub(crate) fn ingesting(&self, id: StoreId) -> Option<&Arc<EventDataStore>> {
        self.by_account.values().flatten().find(|store| store.id == id)
    }

    /// The store of this id.
    pub(crate) fn store(&self, id: StoreId) -> Option<&EventDataStore> {
        self.configuration.stores().find(|store| store.id == id)
    }
}
