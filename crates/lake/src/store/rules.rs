//! Making, changing, deleting and restoring event data stores, with AWS's rules.

mod checks;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_selector::{AdvancedEventSelector, AdvancedFieldSelector, StoreCategory, check_store};
use opentrail_state::{State, Transaction};
use opentrail_trails::OrganizationId;
use parking_lot::RwLock;

use self::checks::{
    check_can_be_started, check_mode_change, check_name, check_name_is_free, check_retention, check_room,
    converted, organization_for,
};
use super::{
    document::{BillingMode, Deletion, EventDataStore, Federation, StoreStatus},
    find::{DataStores, to_change},
    key::StoreKey,
    limits::DELETION_WAIT_DAYS,
    name::StoreId,
    refusal::StoreRefusal,
    tags::with_tags,
};
use crate::resource_policy;

/// What CreateEventDataStore says. Absent members take AWS's defaults.
#[derive(Debug, Clone, Default)]
pub struct CreateEventDataStore {
    /// The id it is to have, where something was made for it already; else one is drawn.
    pub id: Option<StoreId>,
    /// The store's name.
    pub name: String,
    /// Default: all management events.
    pub selectors: Option<Vec<AdvancedEventSelector>>,
    /// Default true.
    pub is_multi_region: Option<bool>,
    /// Default false. A store of the caller's organization; it belongs to the management account.
    pub is_organization: Option<bool>,
    /// In days; default as the billing mode says.
    pub retention_days: Option<u32>,
    /// Default true.
    pub termination_protection: Option<bool>,
    /// Default: extendable.
    pub billing_mode: Option<BillingMode>,
    /// The KMS key for its files. Whether it may be used is asked by the caller beforehand.
    pub kms_key: Option<StoreKey>,
    /// Default true.
    pub start_ingestion: Option<bool>,
    /// Tags by key.
    pub tags: Vec<(String, String)>,
}

/// What UpdateEventDataStore says; an absent member stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateEventDataStore {
    /// The store's ARN or id.
    pub named: String,
    /// Another name.
    pub name: Option<String>,
    /// Other selectors, of the same category.
    pub selectors: Option<Vec<AdvancedEventSelector>>,
    /// See [`CreateEventDataStore`].
    pub is_multi_region: Option<bool>,
    /// See [`CreateEventDataStore`].
    pub is_organization: Option<bool>,
    /// See [`CreateEventDataStore`].
    pub retention_days: Option<u32>,
    /// See [`CreateEventDataStore`].
    pub termination_protection: Option<bool>,
    /// See [`CreateEventDataStore`]; a store that has a key keeps it, with the key of its files.
    pub kms_key: Option<StoreKey>,
    /// Only from fixed to extendable.
    pub billing_mode: Option<BillingMode>,
}

/// The event data stores of all accounts. `account` is the caller's everywhere. A caller names a store of its own by
/// id or ARN; the management account and CloudTrail's delegated administrators of an organization name its stores so
/// too, which belong to the management account.
///
/// Changes are staged in the caller's [`Transaction`]; they happen when it commits.
#[derive(Clone)]
pub struct Stores {
    pub(super) state: State,
    /// The stores that take data events, as of a generation of the state.
    pub(super) data: Arc<RwLock<DataStores>>,
}

impl Stores {
    /// The event data stores in this state.
    pub fn new(state: State) -> Self {
        Self { state, data: Arc::default() }
    }

    /// CreateEventDataStore, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for CreateEventDataStore.
    pub fn create(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        ask: &CreateEventDataStore,
        now: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        check_name(&ask.name)?;
        let selectors =
            ask.selectors.clone().filter(|list| !list.is_empty()).unwrap_or_else(management_events);
        let category = check_store(&selectors)?;
        let billing_mode = ask.billing_mode.unwrap_or_default();
        let retention_days = ask.retention_days.unwrap_or(billing_mode.default_retention());
        check_retention(billing_mode, retention_days)?;
        let starts = ask.start_ingestion.unwrap_or(true);
        if !starts {
            check_can_be_started(category)?;
        }
        let organization =
            if ask.is_organization == Some(true) { Some(organization_for(tx, account)?) } else { None };
        let account = organization.as_ref().map_or(account, |organization| organization.management);
        let store = EventDataStore {
            id: ask.id.unwrap_or_else(StoreId::new),
            name: ask.name.clone(),
            account,
            region: region.clone(),
            status: if starts { StoreStatus::Enabled } else { StoreStatus::StoppedIngestion },
            category,
            selectors,
            is_multi_region: ask.is_multi_region.unwrap_or(true),
            organization: organization.map(|organization| organization.id.clone()),
            retention_days,
            billing_mode,
            termination_protection: ask.termination_protection.unwrap_or(true),
            kms_key: ask.kms_key.clone().map(|key| StoreKey { since_creation: true, ..key }),
            federation: None,
            tags: with_tags(BTreeMap::new(), &ask.tags)?,
            created: now,
            updated: now,
            deletion: None,
            compiled: Default::default(),
        };
        check_name_is_free(tx, &store)?;
        check_room(tx, &store)?;
        tx.put(&store.document(), &store);
        Ok(store)
    }

    /// UpdateEventDataStore, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for UpdateEventDataStore.
    pub fn update(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        ask: &UpdateEventDataStore,
        now: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        let mut store = active(to_change(tx, account, region, &ask.named)?)?;
        if let Some(wanted) = ask.is_organization {
            store.organization = converted(tx, account, &store, wanted)?;
        }
        if let Some(name) = ask.name.as_ref().filter(|name| **name != store.name) {
            check_name(name)?;
            store.name.clone_from(name);
            check_name_is_free(tx, &store)?;
        }
        if let Some(selectors) = ask.selectors.as_ref().filter(|list| !list.is_empty()) {
            if check_store(selectors)? != store.category {
                return Err(StoreRefusal::OtherCategory { category: store.category });
            }
            store.selectors.clone_from(selectors);
        }
        if let Some(mode) = ask.billing_mode {
            check_mode_change(store.billing_mode, mode)?;
            store.billing_mode = mode;
        }
        if let Some(days) = ask.retention_days {
            store.retention_days = days;
        }
        check_retention(store.billing_mode, store.retention_days)?;
        if let Some(key) = &ask.kms_key {
            match &store.kms_key {
                None => store.kms_key = Some(StoreKey { since_creation: false, ..key.clone() }),
                Some(has) if has.arn == key.arn => {}
                Some(_) => {
                    let message = "The KMS key of an event data store can't be removed or changed.";
                    return Err(StoreRefusal::InvalidParameter(message.to_owned()));
                }
            }
        }
        store.is_multi_region = ask.is_multi_region.unwrap_or(store.is_multi_region);
        store.termination_protection = ask.termination_protection.unwrap_or(store.termination_protection);
        store.updated = now;
        tx.put(&store.document(), &store);
        Ok(store)
    }

    /// DeleteEventDataStore, called in `region`: the store is pending deletion for seven days. `against` says what
    /// other documents have against it: channels, imports.
    ///
    /// # Errors
    /// The codes that AWS declares for DeleteEventDataStore.
    pub fn delete(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        named: &str,
        against: impl FnOnce(&Transaction, &EventDataStore) -> Result<(), StoreRefusal>,
        now: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        let mut store = active(to_change(tx, account, region, named)?)?;
        let arn = || store.arn().to_string();
        if store.termination_protection {
            return Err(StoreRefusal::TerminationProtected { arn: arn() });
        }
        if store.federation.is_some() {
            return Err(StoreRefusal::FederationEnabled { arn: arn() });
        }
        against(tx, &store)?;
        let status_before = store.status;
        store.deletion = Some(Deletion { at: now + TimeDelta::days(DELETION_WAIT_DAYS), status_before });
        store.status = StoreStatus::PendingDeletion;
        store.updated = now;
        tx.put(&store.document(), &store);
        Ok(store)
    }

    /// RestoreEventDataStore, called in `region`: the store is what it was before it was deleted. What happened
    /// meanwhile is not in it.
    ///
    /// # Errors
    /// The codes that AWS declares for RestoreEventDataStore.
    pub fn restore(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        named: &str,
        now: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        let mut store = to_change(tx, account, region, named)?;
        let Some(deletion) = store.deletion.take() else { return Err(in_status(&store)) };
        if deletion.at <= now {
            return Err(StoreRefusal::not_found(named));
        }
        check_room(tx, &store)?;
        store.status = deletion.status_before;
        store.updated = now;
        tx.put(&store.document(), &store);
        Ok(store)
    }

    /// StartEventDataStoreIngestion, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for StartEventDataStoreIngestion.
    pub fn start_ingestion(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        named: &str,
        now: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        let turn = (StoreStatus::StoppedIngestion, StoreStatus::Enabled);
        let store = to_change(tx, account, region, named)?;
        turned(tx, store, turn, now)
    }

    /// StopEventDataStoreIngestion, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for StopEventDataStoreIngestion.
    pub fn stop_ingestion(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        named: &str,
        now: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        let turn = (StoreStatus::Enabled, StoreStatus::StoppedIngestion);
        let store = to_change(tx, account, region, named)?;
        turned(tx, store, turn, now)
    }

    /// EnableFederation with a role, or DisableFederation with none, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for the two.
    pub fn set_federation(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        named: &str,
        federation: Option<Federation>,
        now: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        let mut store = active(to_change(tx, account, region, named)?)?;
        store.federation = federation;
        store.updated = now;
        tx.put(&store.document(), &store);
        Ok(store)
    }

    /// The stores whose seven days are over.
    pub fn due(&self, now: DateTime<Utc>) -> Vec<Arc<EventDataStore>> {
        let is_due = |store: &Arc<EventDataStore>| store.deletion.as_ref().is_some_and(|it| it.at <= now);
        self.all().into_iter().filter(is_due).collect()
    }

    /// Takes a store that is due away for good; whether it still was due.
    pub fn remove_due(&self, tx: &mut Transaction, document: &str, now: DateTime<Utc>) -> bool {
        let store = tx.get::<EventDataStore>(document);
        let is_due = store.and_then(|store| store.deletion.clone()).is_some_and(|it| it.at <= now);
        if is_due && let Some(store) = tx.get::<EventDataStore>(document) {
            resource_policy::delete(tx, &store.arn().to_string());
        }
        is_due && tx.delete::<EventDataStore>(document)
    }
}

/// What a store takes whose selectors nobody gave.
fn management_events() -> Vec<AdvancedEventSelector> {
    let category = AdvancedFieldSelector {
        field: "eventCategory".to_owned(),
        equals: Some(vec![StoreCategory::Events.as_str().to_owned()]),
        ..AdvancedFieldSelector::default()
    };
    vec![AdvancedEventSelector {
        name: Some("Default management events".to_owned()),
        field_selectors: vec![category],
    }]
}

fn active(store: EventDataStore) -> Result<EventDataStore, StoreRefusal> {
    if store.is_active() { Ok(store) } else { Err(StoreRefusal::Inactive { arn: store.arn().to_string() }) }
}

fn in_status(store: &EventDataStore) -> StoreRefusal {
    StoreRefusal::Status { arn: store.arn().to_string(), status: store.status }
}

fn turned(
    tx: &mut Transaction,
    mut store: EventDataStore,
    (from, to): (StoreStatus, StoreStatus),
    now: DateTime<Utc>,
) -> Result<EventDataStore, StoreRefusal> {
    check_can_be_started(store.category)?;
    if store.status != from {
        return Err(in_status(&store));
    }
    store.status = to;
    store.updated = now;
    tx.put(&store.document(), &store);
    Ok(store)
}

/// The stores of an organization that there is no more become stores of the management account alone.
pub fn leave_organization(tx: &mut Transaction, id: &OrganizationId) {
    for (document, store) in tx.list::<EventDataStore>("") {
        if store.organization.as_ref() == Some(id) {
            let mut store = EventDataStore::clone(&store);
            store.organization = None;
            tx.put(&document, &store);
        }
    }
}
