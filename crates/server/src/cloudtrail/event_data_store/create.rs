//! CreateEventDataStore.

use std::sync::OnceLock;

use opentrail_lake::store::{self, BillingMode, EventDataStore, StoreArn, StoreId, StoreKey};
use opentrail_policy::Context;
use opentrail_selector::AdvancedEventSelector;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{asking, refused, shape::StoreShape};
use crate::{
    call::Call,
    cloudtrail::{
        encryption, organization,
        shape::{TagShape, pairs, set_request_tags},
    },
    fault::Fault,
    operation::{Described, Write},
};

pub(crate) struct CreateEventDataStore;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    name: String,
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>>,
    multi_region_enabled: Option<bool>,
    organization_enabled: Option<bool>,
    retention_period: Option<u32>,
    termination_protection_enabled: Option<bool>,
    tags_list: Option<Vec<TagShape>>,
    kms_key_id: Option<String>,
    start_ingestion: Option<bool>,
    billing_mode: Option<String>,
    /// The id that the store is to have, and its key, which is made for that id before anything is locked.
    #[serde(skip)]
    made: OnceLock<(StoreId, StoreKey)>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    #[serde(flatten)]
    store: StoreShape,
    tags_list: Vec<TagShape>,
}

/// The billing mode of this name.
pub(super) fn billing_mode(name: Option<&str>) -> Result<Option<BillingMode>, Fault> {
    let mode = |name: &str| {
        BillingMode::of(name).ok_or_else(|| {
            let message = "The billing mode must be EXTENDABLE_RETENTION_PRICING or FIXED_RETENTION_PRICING.";
            Fault::declared("InvalidParameterException", message)
        })
    };
    name.map(mode).transpose()
}

impl Input {
    fn stage(&self, call: &Call, tx: &mut Transaction) -> Result<EventDataStore, Fault> {
        let ask = store::CreateEventDataStore {
            name: self.name.clone(),
            selectors: self.advanced_event_selectors.clone(),
            is_multi_region: self.multi_region_enabled,
            is_organization: self.organization_enabled,
            retention_days: self.retention_period,
            termination_protection: self.termination_protection_enabled,
            billing_mode: billing_mode(self.billing_mode.as_deref())?,
            id: self.made.get().map(|(id, _)| *id),
            kms_key: self.made.get().map(|(_, key)| key.clone()),
            start_ingestion: self.start_ingestion,
            tags: pairs(self.tags_list.as_deref().unwrap_or_default()),
        };
        let stores = &call.rooms.event_data_stores;
        stores.create(tx, call.account, &call.region, &ask, call.arrival.at).map_err(refused(call))
    }
}

impl Described for CreateEventDataStore {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "CreateEventDataStore";

    fn resource(_: &Input, call: &Call) -> Result<String, Fault> {
        Ok(asking::any_arn(call))
    }

    fn context(input: &Input, _: &Call, context: &mut Context) {
        set_request_tags(context, input.tags_list.as_deref().unwrap_or_default());
    }
}

impl Write for CreateEventDataStore {
    /// The change is staged once for its refusals alone, so that a bad name is told before a missing permission.
    async fn prepare(input: &Input, call: &Call) -> Result<(), Fault> {
        if input.organization_enabled != Some(true) && input.kms_key_id.is_none() {
            return Ok(());
        }
        let store = {
            let mut tx = call.rooms.state.begin().await;
            input.stage(call, &mut tx)?
        };
        if store.organization.is_some() {
            organization::check_dependencies_of(store.account, call)?;
        }
        if let Some(named) = &input.kms_key_id {
            let id = StoreId::new();
            let arn = StoreArn { id, ..store.arn() };
            let key = encryption::key_for_store(named, &arn, call)?;
            // A call is prepared once.
            let _ = input.made.set((id, call.rooms.lake_keys.make(&key, &arn).await?));
        }
        Ok(())
    }

    fn act(input: Input, call: &Call, tx: &mut Transaction) -> Result<Output, Fault> {
        let store = input.stage(call, tx)?;
        if store.organization.is_some() {
            organization::ensure_role_of(store.account, call, tx)?;
        }
        let tags_list = store.tags.iter();
        Ok(Output {
            tags_list: tags_list
                .map(|(key, value)| TagShape { key: key.clone(), value: Some(value.clone()) })
                .collect(),
            store: StoreShape::from(&store).created(),
        })
    }
}
