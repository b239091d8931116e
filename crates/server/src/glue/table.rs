//! GetTables, GetTable: the tables of event data stores whose federation is on.

use std::{collections::BTreeMap, sync::Arc};

use http::StatusCode;
use opentrail_lake::store::{EventDataStore, StoreId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    catalog::arn,
    database::{NAMESPACE, check},
};
use crate::{
    call::Call,
    cloudtrail::keeps_out,
    fault::{Common, Fault},
    operation::{Described, Read},
};

pub(super) struct GetTables;

#[derive(Deserialize, Serialize)]
pub(super) struct ListInput {
    namespace: String,
}

#[derive(Serialize)]
pub(super) struct ListOutput {
    identifiers: Vec<Identifier>,
}

#[derive(Serialize)]
struct Identifier {
    namespace: Vec<&'static str>,
    name: String,
}

impl Described for GetTables {
    type Input = ListInput;
    type Output = ListOutput;
    const NAME: &'static str = "GetTables";

    fn resource(input: &ListInput, call: &Call) -> Result<String, Fault> {
        Ok(arn(call, &format!("database/{}", input.namespace)))
    }
}

impl Read for GetTables {
    async fn act(input: ListInput, call: &Call) -> Result<ListOutput, Fault> {
        check(&input.namespace)?;
        let identifiers = federated(call);
        let identifiers = identifiers
            .map(|store| Identifier { namespace: vec![NAMESPACE], name: store.id.to_string() })
            .collect();
        Ok(ListOutput { identifiers })
    }
}

pub(super) struct GetTable;

#[derive(Deserialize, Serialize)]
pub(super) struct Input {
    namespace: String,
    table: String,
    /// Which snapshots the answer has: `all`, or `refs` for the current one.
    snapshots: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Output {
    metadata_location: String,
    metadata: Value,
    config: BTreeMap<&'static str, String>,
}

impl Described for GetTable {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetTable";

    fn resource(input: &Input, call: &Call) -> Result<String, Fault> {
        Ok(arn(call, &format!("table/{}/{}", input.namespace, input.table)))
    }
}

impl Read for GetTable {
    /// What is not in a file yet is not in the answer: other engines see rows when they are flushed.
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        check(&input.namespace)?;
        let none = || {
            let message = format!("Table does not exist: {}.{}", input.namespace, input.table);
            Fault::exact("NoSuchTableException", StatusCode::NOT_FOUND, message)
        };
        let id: StoreId = input.table.parse().map_err(|_| none())?;
        let store = federated(call).find(|store| store.id == id).ok_or_else(none)?;
        if keeps_out(&call.rooms, &call.caller, &call.arrival.context(&call.region), &store) {
            let message = "The event data store's resource policy denies reading its events.";
            return Err(call.fault(Common::AccessDenied, message));
        }
        let live = call.rooms.lake.table_of(&store);
        let unreadable = |error: opentrail_lake::LakeError| {
            if let Some(refusal) = error.refused_key() {
                return call.fault(Common::AccessDenied, format!("The table can't be read: {refusal}"));
            }
            tracing::error!(%error, store = %id, "the table of an event data store can't be read");
            call.fault(Common::Unavailable, "The table can't be read now.")
        };
        let table = live.table(call.arrival.at).await.map_err(unreadable)?;
        let (metadata_location, json) = table.metadata();
        let metadata = serde_json::from_slice(&json)
            .map_err(|_| call.fault(Common::Internal, "The table's metadata can't be read."))?;
        let config = if table.warehouse().is_behind_door() { where_files_are(call) } else { BTreeMap::new() };
        Ok(Output { metadata_location, metadata, config })
    }
}

/// The caller's stores in the region of the call that other engines may read.
fn federated(call: &Call) -> impl Iterator<Item = Arc<EventDataStore>> {
    let stores = call.rooms.event_data_stores.list(call.account, &call.region);
    stores.into_iter().filter(move |store| is_readable(store))
}

/// Whether other engines may read a store.
pub(crate) fn is_readable(store: &EventDataStore) -> bool {
    store.federation.is_some() && store.is_active()
}

/// How a reader comes to the files: through the address that it came by itself.
fn where_files_are(call: &Call) -> BTreeMap<&'static str, String> {
    let scheme = if call.arrival.tls.is_some() { "https" } else { "http" };
    let endpoint = call.arrival.host.as_ref().map(|host| ("s3.endpoint", format!("{scheme}://{host}")));
    let fixed = [("s3.path-style-access", "true".to_owned()), ("s3.region", call.region.to_string())];
    endpoint.into_iter().chain(fixed).collect()
}
