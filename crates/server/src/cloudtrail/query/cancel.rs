//! CancelQuery.

use opentrail_event::RecordResource;
use opentrail_lake::query::{QueryId, QueryStatus, open};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::access::{self, Named};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Write},
};

pub(in crate::cloudtrail) struct CancelQuery;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Input {
    event_data_store: Option<String>,
    query_id: String,
    event_data_store_owner_account_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Output {
    query_id: String,
    query_status: &'static str,
    event_data_store_owner_account_id: Option<String>,
}

impl Described for CancelQuery {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "CancelQuery";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        access::touched(Self::NAME, &input.query_id, call)
    }
}

impl Write for CancelQuery {
    async fn prepare(input: &Input, call: &Call) -> Result<(), Fault> {
        let named = Named {
            operation: "CancelQuery",
            id: &input.query_id,
            store: input.event_data_store.as_deref(),
            owner: input.event_data_store_owner_account_id.as_deref(),
        };
        let seen = access::permitted(named, call).await?;
        if seen.outcome.status.is_over() { Err(is_over(&input.query_id)) } else { Ok(()) }
    }

    /// The query is cancelled when this is durable, and ends soon after.
    fn act(input: Input, call: &Call, tx: &mut Transaction) -> Result<Output, Fault> {
        let id: Option<QueryId> = input.query_id.parse().ok();
        let query = id.and_then(|id| open::find(tx, id)).ok_or_else(|| is_over(&input.query_id))?;
        if call.rooms.queries.is_decided(tx, query.id) || !open::cancel(tx, &query) {
            return Err(is_over(&input.query_id));
        }
        call.rooms.queries.something_began();
        Ok(Output {
            query_id: input.query_id,
            query_status: QueryStatus::Cancelled.as_str(),
            event_data_store_owner_account_id: input.event_data_store_owner_account_id,
        })
    }
}

fn is_over(id: &str) -> Fault {
    let message = format!("The query {id} has ended and can't be cancelled.");
    Fault::declared("InactiveQueryException", message)
}
