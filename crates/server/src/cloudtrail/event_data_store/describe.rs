//! GetEventDataStore, ListEventDataStores.

use opentrail_event::RecordResource;
use opentrail_lake::store::EventDataStore;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, OneStore},
    shape::FederatedStore,
};
use crate::{
    call::Call,
    cloudtrail::token,
    fault::Fault,
    operation::{Described, Permission, Read},
};

/// Most stores in an answer of ListEventDataStores (AWS: MaxResults).
const MAX_RESULTS: usize = 1000;

/// GetEventDataStore
pub(crate) struct GetEventDataStore;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetOutput {
    #[serde(flatten)]
    store: FederatedStore,
    partition_keys: Vec<PartitionKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PartitionKey {
    name: &'static str,
    r#type: &'static str,
}

impl Described for GetEventDataStore {
    type Input = OneStore;
    type Output = GetOutput;
    const NAME: &'static str = "GetEventDataStore";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneStore, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Read for GetEventDataStore {
    async fn act(input: OneStore, call: &Call) -> Result<GetOutput, Fault> {
        let store = asking::permitted(Self::NAME, &input.event_data_store, call)?;
        let keys = store.partition_keys().into_iter();
        Ok(GetOutput {
            store: FederatedStore::from(&*store),
            partition_keys: keys.map(|(name, r#type)| PartitionKey { name, r#type }).collect(),
        })
    }
}

/// ListEventDataStores: of the region of the call, with the few things that AWS still says there.
pub(crate) struct ListEventDataStores;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListInput {
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListOutput {
    event_data_stores: Vec<Listed>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    event_data_store_arn: String,
    name: String,
}

impl From<&EventDataStore> for Listed {
    fn from(store: &EventDataStore) -> Self {
        Self { event_data_store_arn: store.arn().to_string(), name: store.name.clone() }
    }
}

impl Described for ListEventDataStores {
    type Input = ListInput;
    type Output = ListOutput;
    const NAME: &'static str = "ListEventDataStores";
}

impl Read for ListEventDataStores {
    async fn act(input: ListInput, call: &Call) -> Result<ListOutput, Fault> {
        let limit = input.max_results.map_or(Some(MAX_RESULTS), |count| usize::try_from(count).ok());
        let limit = limit.filter(|count| (1..=MAX_RESULTS).contains(count)).ok_or_else(|| {
            let message = format!("MaxResults must be between 1 and {MAX_RESULTS}.");
            Fault::declared("InvalidMaxResultsException", message)
        })?;
        let stores = call.rooms.event_data_stores.list(call.account, &call.region);
        let page = token::page(stores, input.next_token.as_deref(), limit, |store| store.document());
        let (stores, next_token) = page.ok_or_else(|| {
            let message = "The NextToken is not one that ListEventDataStores gave.";
            Fault::declared("InvalidNextTokenException", message)
        })?;
        Ok(ListOutput {
            event_data_stores: stores.iter().map(|store| (&**store).into()).collect(),
            next_token,
        })
    }
}
