//! Event data stores: CreateEventDataStore and its kin, over `opentrail_lake::store`.

pub(super) mod asking;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod describe;
pub(super) mod federation;
pub(super) mod ingestion;
mod shape;
pub(super) mod update;

use opentrail_lake::store::StoreRefusal;

use crate::{call::Call, fault::Fault};

/// The refusal of an event data store, as the caller sees it.
pub(super) fn refused(call: &Call) -> impl Fn(StoreRefusal) -> Fault {
    let dialect = call.dialect();
    move |refusal| Fault::of_store(refusal, dialect)
}
