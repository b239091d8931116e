//! UpdateEventDataStore.

use std::sync::OnceLock;

use opentrail_event::RecordResource;
use opentrail_lake::store::{self, EventDataStore, StoreKey};
use opentrail_selector::AdvancedEventSelector;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{asking, create::billing_mode, delete::check_imports, refused, shape::FederatedStore};
use crate::{
    call::Call,
    cloudtrail::{encryption, organization},
    fault::Fault,
    operation::{Described, Permission, Write},
};

pub(crate) struct UpdateEventDataStore;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    event_data_store: String,
    name: Option<String>,
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>>,
    multi_region_enabled: Option<bool>,
    organization_enabled: Option<bool>,
    retention_period: Option<u32>,
    termination_protection_enabled: Option<bool>,
    kms_key_id: Option<String>,
    billing_mode: Option<String>,
    /// The key that the store is to have, which is made before anything is locked.
    #[serde(skip)]
    made: OnceLock<StoreKey>,
}

impl Input {
    /// At least one change must be asked for (UpdateEventDataStore).
    fn check_asks(&self) -> Result<(), Fault> {
        let asks = self.name.is_some()
            || self.advanced_event_selectors.is_some()
            || self.multi_region_enabled.is_some()
            || self.organization_enabled.is_some()
            || self.retention_period.is_some()
            || self.termination_protection_enabled.is_some()
            || self.kms_key_id.is_some()
            || self.billing_mode.is_some();
        if asks {
            return Ok(());
        }
        Err(Fault::declared("InvalidParameterException", "Specify at least one parameter to update."))
    }

    /// Makes the key that is asked for. A store that has one keeps it, and which one is asked for is all that is needed.
    async fn make_key(&self, store: &EventDataStore, call: &Call) -> Result<(), Fault> {
        let Some(named) = &self.kms_key_id else { return Ok(()) };
        let arn = store.arn();
        let key = encryption::key_for_store(named, &arn, call)?;
        let made = match &store.kms_key {
            Some(has) => StoreKey { arn: key.arn.clone(), ..has.clone() },
            None => call.rooms.lake_keys.make(&key, &arn).await?,
        };
        // A call is prepared once.
        let _ = self.made.set(made);
        Ok(())
    }

    fn stage(&self, call: &Call, tx: &mut Transaction) -> Result<EventDataStore, Fault> {
        let ask = store::UpdateEventDataStore {
            named: self.event_data_store.clone(),
            name: self.name.clone(),
            selectors: self.advanced_event_selectors.clone(),
            is_multi_region: self.multi_region_enabled,
            is_organization: self.organization_enabled,
            retention_days: self.retention_period,
            termination_protection: self.termination_protection_enabled,
            kms_key: self.made.get().cloned(),
            billing_mode: billing_mode(self.billing_mode.as_deref())?,
        };
        let stores = &call.rooms.event_data_stores;
        let updated = stores.update(tx, call.account, &call.region, &ask, call.arrival.at);
        let store = updated.map_err(refused(call))?;
        check_imports(tx, &store).map_err(refused(call))?;
        Ok(store)
    }
}

impl Described for UpdateEventDataStore {
    type Input = Input;
    type Output = FederatedStore;
    const NAME: &'static str = "UpdateEventDataStore";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Write for UpdateEventDataStore {
    async fn prepare(input: &Input, call: &Call) -> Result<(), Fault> {
        asking::permitted(Self::NAME, &input.event_data_store, call)?;
        input.check_asks()?;
        let store = {
            let mut tx = call.rooms.state.begin().await;
            input.stage(call, &mut tx)?
        };
        if store.organization.is_some() {
            organization::check_dependencies_of(store.account, call)?;
        }
        input.make_key(&store, call).await
    }

    fn act(input: Input, call: &Call, tx: &mut Transaction) -> Result<FederatedStore, Fault> {
        asking::permitted(Self::NAME, &input.event_data_store, call)?;
        let store = input.stage(call, tx)?;
        if store.organization.is_some() {
            organization::ensure_role_of(store.account, call, tx)?;
        }
        Ok(FederatedStore::from(&store))
    }
}
