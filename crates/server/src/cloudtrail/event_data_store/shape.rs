//! An event data store as operations answer with it.

use opentrail_lake::store::EventDataStore;
use opentrail_selector::AdvancedEventSelector;
use opentrail_wire::value::Timestamp;
use serde::Serialize;

/// What every answer has.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StoreShape {
    event_data_store_arn: String,
    name: String,
    status: &'static str,
    advanced_event_selectors: Vec<AdvancedEventSelector>,
    multi_region_enabled: bool,
    organization_enabled: bool,
    retention_period: u32,
    termination_protection_enabled: bool,
    created_timestamp: Timestamp,
    updated_timestamp: Timestamp,
    kms_key_id: Option<String>,
    billing_mode: &'static str,
}

impl From<&EventDataStore> for StoreShape {
    fn from(store: &EventDataStore) -> Self {
        Self {
            event_data_store_arn: store.arn().to_string(),
            name: store.name.clone(),
            status: store.status.as_str(),
            advanced_event_selectors: store.selectors.clone(),
            multi_region_enabled: store.is_multi_region,
            organization_enabled: store.organization.is_some(),
            retention_period: store.retention_days,
            termination_protection_enabled: store.termination_protection,
            created_timestamp: store.created.into(),
            updated_timestamp: store.updated.into(),
            kms_key_id: store.kms_key.as_ref().map(|key| key.arn.clone()),
            billing_mode: store.billing_mode.as_str(),
        }
    }
}

impl StoreShape {
    /// A store that was made just now, which AWS calls so until it takes events.
    pub(super) fn created(mut self) -> Self {
        self.status = "CREATED";
        self
    }
}

/// The store with what GetEventDataStore and UpdateEventDataStore say of its federation.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FederatedStore {
    #[serde(flatten)]
    store: StoreShape,
    federation_status: &'static str,
    federation_role_arn: Option<String>,
}

impl From<&EventDataStore> for FederatedStore {
    fn from(store: &EventDataStore) -> Self {
        Self {
            store: store.into(),
            federation_status: if store.federation.is_some() { "ENABLED" } else { "DISABLED" },
            federation_role_arn: store.federation.as_ref().map(|it| it.role_arn.clone()),
        }
    }
}
