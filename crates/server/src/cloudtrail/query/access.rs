//! Finding a query, and who may do what with it: whoever may do it with every event data store that the query reads.

use std::sync::Arc;

use opentrail_event::{AccountId, RecordResource};
use opentrail_lake::{
    query::{Query, QueryId},
    store::{EventDataStore, StoreRef, StoreRefusal},
};

use super::invalid_parameter;
use crate::{
    call::Call,
    cloudtrail::event_data_store::{
        self,
        asking::{self, any_arn},
    },
    fault::Fault,
    queries::Seen,
};

/// How a call names a query.
pub(super) struct Named<'a> {
    /// AWS's name of the operation.
    pub(super) operation: &'static str,
    pub(super) id: &'a str,
    /// The event data store that it shall have read, where the call says so.
    pub(super) store: Option<&'a str>,
    /// The account that shall own that store.
    pub(super) owner: Option<&'a str>,
}

/// The query that a call names, if the caller may do this with it.
pub(super) async fn permitted(named: Named<'_>, call: &Call) -> Result<Seen, Fault> {
    let id: QueryId = named.id.parse().map_err(|error| invalid_parameter(format!("QueryId: {error}.")))?;
    let owner = named.owner.map(account_id).transpose()?;
    let wanted: Option<StoreRef> = match named.store {
        Some(text) => Some(text.parse().map_err(event_data_store::refused(call))?),
        None => None,
    };
    let found = call.rooms.queries.get(id).await;
    let found = found.map_err(|error| Fault::of_lake(error, call.dialect()))?;
    let found = found.filter(|seen| seen.query.region == call.region);
    let Some(seen) = found else {
        permit_any(named.operation, named.store, call)?;
        return Err(not_found(id));
    };
    let stores = permit_all(named.operation, &seen.query, call)?;
    let is_of = |store: &Arc<EventDataStore>| {
        let is_named = match &wanted {
            None => true,
            Some(StoreRef::Id(id)) => store.id == *id,
            Some(StoreRef::Arn(arn)) => store.arn() == *arn,
        };
        is_named && owner.is_none_or(|owner| store.account == owner)
    };
    if stores.iter().any(is_of) { Ok(seen) } else { Err(not_found(id)) }
}

/// The stores that a query reads, for the records of a call that names it: each of their owners has one. None where the
/// caller may not do this, and is told nothing of what there is.
pub(super) fn touched(operation: &str, query: &str, call: &Call) -> Vec<RecordResource> {
    let id: Option<QueryId> = query.parse().ok();
    let arns = id.and_then(|id| call.rooms.queries.stores_of(id)).unwrap_or_default();
    let stores: Result<Vec<_>, _> = arns.iter().map(|arn| asking::permitted(operation, arn, call)).collect();
    stores.unwrap_or_default().iter().map(|store| asking::touched(store)).collect()
}

/// The stores of a query, all of them active, if the caller may do this with each.
fn permit_all(operation: &str, query: &Query, call: &Call) -> Result<Vec<Arc<EventDataStore>>, Fault> {
    let stores: Result<Vec<_>, _> =
        query.stores.iter().map(|arn| asking::permitted(operation, arn, call)).collect();
    let stores = stores?;
    stores.iter().try_for_each(|store| check_active(store, call))?;
    Ok(stores)
}

/// Whether the caller may do this at all: who may not is not told what there is.
pub(super) fn permit_any(operation: &str, store: Option<&str>, call: &Call) -> Result<(), Fault> {
    if let Some(named) = store {
        return asking::permitted(operation, named, call).map(drop);
    }
    let context = call.arrival.context(&call.region);
    call.permit(&format!("cloudtrail:{operation}"), &any_arn(call), context)
}

/// Whether a store can be asked.
pub(super) fn check_active(store: &EventDataStore, call: &Call) -> Result<(), Fault> {
    if store.is_active() {
        return Ok(());
    }
    let refusal = StoreRefusal::Inactive { arn: store.arn().to_string() };
    Err(event_data_store::refused(call)(refusal))
}

/// An account's id in a parameter.
pub(super) fn account_id(text: &str) -> Result<AccountId, Fault> {
    text.parse()
        .map_err(|_| invalid_parameter("EventDataStoreOwnerAccountId must be an account's id of 12 digits."))
}

pub(super) fn not_found(id: QueryId) -> Fault {
    Fault::declared("QueryIdNotFoundException", format!("The query {id} does not exist."))
}
