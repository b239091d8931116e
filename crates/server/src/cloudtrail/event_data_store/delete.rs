//! DeleteEventDataStore, RestoreEventDataStore.

use opentrail_event::RecordResource;
use opentrail_lake::{
    channel,
    import::ImportRules,
    store::{EventDataStore, StoreRefusal},
};
use opentrail_state::Transaction;

use super::{
    asking::{self, OneStore},
    refused,
    shape::StoreShape,
};
use crate::{
    call::Call,
    cloudtrail::organization,
    fault::Fault,
    operation::{Described, Permission, Write},
};

/// DeleteEventDataStore: the store is pending deletion for seven days.
pub(crate) struct DeleteEventDataStore;

impl Described for DeleteEventDataStore {
    type Input = OneStore;
    type Output = ();
    const NAME: &'static str = "DeleteEventDataStore";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneStore, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

/// What other documents have against it.
fn obstacles(tx: &Transaction, store: &EventDataStore) -> Result<(), StoreRefusal> {
    check_imports(tx, store)?;
    let arn = store.arn().to_string();
    match channel::delivering_to(tx, store) {
        Some(channel) => Err(StoreRefusal::ChannelExists { arn, channel: channel.arn().to_string() }),
        None => Ok(()),
    }
}

/// A store that an import fills is neither changed nor deleted (AWS: EventDataStoreHasOngoingImportException).
pub(super) fn check_imports(tx: &Transaction, store: &EventDataStore) -> Result<(), StoreRefusal> {
    if ImportRules::has_ongoing(tx, &store.arn()) {
        return Err(StoreRefusal::OngoingImport { arn: store.arn().to_string() });
    }
    Ok(())
}

impl Write for DeleteEventDataStore {
    fn act(input: OneStore, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        asking::permitted(Self::NAME, &input.event_data_store, call)?;
        let (stores, at) = (&call.rooms.event_data_stores, call.arrival.at);
        stores
            .delete(tx, call.account, &call.region, &input.event_data_store, obstacles, at)
            .map_err(refused(call))?;
        Ok(())
    }
}

/// RestoreEventDataStore
pub(crate) struct RestoreEventDataStore;

impl Described for RestoreEventDataStore {
    type Input = OneStore;
    type Output = StoreShape;
    const NAME: &'static str = "RestoreEventDataStore";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneStore, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Write for RestoreEventDataStore {
    async fn prepare(input: &OneStore, call: &Call) -> Result<(), Fault> {
        let store = asking::permitted(Self::NAME, &input.event_data_store, call)?;
        match store.organization {
            Some(_) => organization::check_dependencies_of(store.account, call),
            None => Ok(()),
        }
    }

    fn act(input: OneStore, call: &Call, tx: &mut Transaction) -> Result<StoreShape, Fault> {
        asking::permitted(Self::NAME, &input.event_data_store, call)?;
        let (stores, at) = (&call.rooms.event_data_stores, call.arrival.at);
        let store = stores
            .restore(tx, call.account, &call.region, &input.event_data_store, at)
            .map_err(refused(call))?;
        Ok(StoreShape::from(&store))
    }
}
