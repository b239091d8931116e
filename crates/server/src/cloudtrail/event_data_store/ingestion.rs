//! StartEventDataStoreIngestion, StopEventDataStoreIngestion.

use opentrail_event::RecordResource;
use opentrail_state::Transaction;

use super::{
    asking::{self, OneStore},
    refused,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Write},
};

/// StartEventDataStoreIngestion
pub(crate) struct StartEventDataStoreIngestion;

impl Described for StartEventDataStoreIngestion {
    type Input = OneStore;
    type Output = ();
    const NAME: &'static str = "StartEventDataStoreIngestion";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneStore, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Write for StartEventDataStoreIngestion {
    fn act(input: OneStore, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        asking::permitted(Self::NAME, &input.event_data_store, call)?;
        let (stores, at) = (&call.rooms.event_data_stores, call.arrival.at);
        stores
            .start_ingestion(tx, call.account, &call.region, &input.event_data_store, at)
            .map_err(refused(call))?;
        Ok(())
    }
}

/// StopEventDataStoreIngestion: what the store has stays, and can be asked.
pub(crate) struct StopEventDataStoreIngestion;

impl Described for StopEventDataStoreIngestion {
    type Input = OneStore;
    type Output = ();
    const NAME: &'static str = "StopEventDataStoreIngestion";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneStore, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Write for StopEventDataStoreIngestion {
    fn act(input: OneStore, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        asking::permitted(Self::NAME, &input.event_data_store, call)?;
        let (stores, at) = (&call.rooms.event_data_stores, call.arrival.at);
        stores
            .stop_ingestion(tx, call.account, &call.region, &input.event_data_store, at)
            .map_err(refused(call))?;
        Ok(())
    }
}
