//! Finding event data stores: by id or ARN, those that an account sees, those that take data events.

use std::{collections::HashMap, sync::Arc};

use opentrail_event::{AccountId, Category, Event, Region};
use opentrail_state::Transaction;
use opentrail_trails::{
    OrganizationId, TrailError,
    organization::{self, Documents},
};

use super::{
    document::EventDataStore,
    name::{StoreArn, StoreRef},
    refusal::StoreRefusal,
    rules::Stores,
};

/// The stores that take events and can take other than management events.
#[derive(Default)]
pub(super) struct DataStores {
    generation: Option<u64>,
    by_account: HashMap<AccountId, Vec<Arc<EventDataStore>>>,
    by_organization: HashMap<OrganizationId, Vec<Arc<EventDataStore>>>,
}

impl Stores {
    /// One store that the account administers, by id or ARN, called in `region`.
    ///
    /// # Errors
    /// `EventDataStoreARNInvalidException`, `EventDataStoreNotFoundException`.
    pub fn get(
        &self,
        account: AccountId,
        region: &Region,
        named: &str,
    ) -> Result<Arc<EventDataStore>, StoreRefusal> {
        let wanted: StoreRef = named.parse()?;
        seen(&self.state, account, region, &wanted).ok_or_else(|| StoreRefusal::not_found(named))
    }

    /// A store of any account in `region`: who asks for it must be let in by its resource policy, unless the account
    /// administers it ([`administers`](Self::administers)). An id that is no store of the account's is looked for
    /// nowhere else.
    ///
    /// # Errors
    /// `EventDataStoreARNInvalidException`, `EventDataStoreNotFoundException`.
    pub fn of_anyone(
        &self,
        account: AccountId,
        region: &Region,
        named: &str,
    ) -> Result<Arc<EventDataStore>, StoreRefusal> {
        match named.parse()? {
            StoreRef::Arn(arn) if arn.region == *region => self.by_arn(&arn),
            wanted => seen(&self.state, account, region, &wanted),
        }
        .ok_or_else(|| StoreRefusal::not_found(named))
    }

    /// The store of this ARN.
    pub fn by_arn(&self, arn: &StoreArn) -> Option<Arc<EventDataStore>> {
        self.state.get(&arn.document())
    }

    /// The store of the document `ACCOUNT/REGION/ID`.
    pub fn by_document(&self, document: &str) -> Option<Arc<EventDataStore>> {
        self.state.get(document)
    }

    /// All stores that an account administers in a region, in the order of account and id (ListEventDataStores).
    pub fn list(&self, account: AccountId, region: &Region) -> Vec<Arc<EventDataStore>> {
        let of = |owner: AccountId| {
            self.state
                .list::<EventDataStore>(&format!("{owner}/{region}/"))
                .into_iter()
                .map(|(_, store)| store)
        };
        let mut stores: Vec<_> = of(account).collect();
        if let Some(organization) = organization::of_account(&self.state, account)
            && organization.management != account
        {
            stores.extend(of(organization.management).filter(|store| self.administers(account, store)));
            stores.sort_by_key(|store| store.document());
        }
        stores
    }

    /// All stores of all accounts.
    pub fn all(&self) -> Vec<Arc<EventDataStore>> {
        self.state.list::<EventDataStore>("").into_iter().map(|(_, store)| store).collect()
    }

    /// Whether the account sees and changes the store without being let in: its owner, and for a store of an
    /// organization its delegated administrators.
    pub fn administers(&self, account: AccountId, store: &EventDataStore) -> bool {
        is_administered_by(&self.state, account, store)
    }

    /// Whether the store takes events of the account `owner`, should its selectors select them.
    pub fn covers(&self, store: &EventDataStore, owner: AccountId) -> bool {
        covers(&self.state, store, owner)
    }

    /// Whether a data event or network activity event of the account `owner` is worth recording: some store takes it.
    /// Management events are always recorded; for them the answer is true.
    pub fn selects_data_event(&self, event: &Event, owner: AccountId) -> bool {
        if event.category() == Category::Management {
            return true;
        }
        let generation = self.state.generation_of::<EventDataStore>();
        {
            let known = self.data.read();
            if known.generation == Some(generation) {
                return self.takes(&known, event, owner);
            }
        }
        let mut fresh = DataStores { generation: Some(generation), ..DataStores::default() };
        for store in self.all() {
            if store.is_ingesting() && store.selection().has_data_events() {
                if let Some(id) = &store.organization {
                    fresh.by_organization.entry(id.clone()).or_default().push(store.clone());
                }
                fresh.by_account.entry(store.account).or_default().push(store);
            }
        }
        let answer = self.takes(&fresh, event, owner);
        *self.data.write() = fresh;
        answer
    }

    fn takes(&self, known: &DataStores, event: &Event, owner: AccountId) -> bool {
        let any = |stores: Option<&Vec<Arc<EventDataStore>>>| {
            stores.is_some_and(|stores| stores.iter().any(|store| store.takes(event)))
        };
        any(known.by_account.get(&owner))
            || (!known.by_organization.is_empty()
                && organization::of_account(&self.state, owner)
                    .filter(|organization| organization.trusted)
                    .is_some_and(|organization| any(known.by_organization.get(&organization.id))))
    }
}

fn covers(docs: &impl Documents, store: &EventDataStore, owner: AccountId) -> bool {
    let in_organization = |id: &OrganizationId| {
        organization::of_account(docs, owner)
            .is_some_and(|organization| organization.id == *id && organization.trusted)
    };
    store.account == owner || store.organization.as_ref().is_some_and(in_organization)
}

fn is_administered_by(docs: &impl Documents, account: AccountId, store: &EventDataStore) -> bool {
    let in_organization = |id: &OrganizationId| {
        organization::of_account(docs, account).is_some_and(|organization| {
            organization.id == *id && organization.trusted && organization.is_administered_by(account)
        })
    };
    store.account == account || store.organization.as_ref().is_some_and(in_organization)
}

/// The store that `wanted` names, if the account administers it.
fn seen(
    docs: &impl Documents,
    account: AccountId,
    region: &Region,
    wanted: &StoreRef,
) -> Option<Arc<EventDataStore>> {
    let of = |owner: AccountId| {
        let arn = StoreArn { region: region.clone(), account: owner, id: wanted.id() };
        docs.document::<EventDataStore>(&arn.document())
    };
    let store = match wanted {
        StoreRef::Arn(arn) => (arn.region == *region).then(|| of(arn.account))?,
        StoreRef::Id(_) => of(account).or_else(|| {
            organization::of_account(docs, account).and_then(|organization| of(organization.management))
        }),
    }?;
    is_administered_by(docs, account, &store).then_some(store)
}

/// The store for a change by an account that administers it.
pub(super) fn to_change(
    tx: &Transaction,
    account: AccountId,
    region: &Region,
    named: &str,
) -> Result<EventDataStore, StoreRefusal> {
    let wanted: StoreRef = named.parse()?;
    let store = seen(tx, account, region, &wanted).ok_or_else(|| StoreRefusal::not_found(named))?;
    if store.account != account {
        let organization = organization::of_account(tx, account)
            .ok_or(StoreRefusal::Organization(TrailError::OrganizationsNotInUse { account }))?;
        organization.check_open_to_cloudtrail().map_err(StoreRefusal::Organization)?;
    }
    Ok(EventDataStore::clone(&store))
}
