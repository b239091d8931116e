//! DescribeQuery.

use opentrail_event::RecordResource;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    access::{self, Named},
    invalid_parameter,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
    queries::Seen,
};

pub(in crate::cloudtrail) struct DescribeQuery;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Input {
    event_data_store: Option<String>,
    query_id: Option<String>,
    query_alias: Option<String>,
    refresh_id: Option<String>,
    event_data_store_owner_account_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Output {
    query_id: String,
    query_string: String,
    query_status: &'static str,
    query_statistics: Statistics,
    error_message: Option<String>,
    #[serde(rename = "DeliveryS3Uri")]
    delivery_s3_uri: Option<String>,
    delivery_status: Option<&'static str>,
    event_data_store_owner_account_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    /// The rows of the result, as AWS counts.
    events_matched: u64,
    events_scanned: u64,
    bytes_scanned: u64,
    execution_time_in_millis: i32,
    creation_time: Timestamp,
}

impl From<Seen> for Output {
    fn from(Seen { query, outcome }: Seen) -> Self {
        let owner = query.stores.first().and_then(|arn| arn.split(':').nth(4)).map(str::to_owned);
        Self {
            query_id: query.id.to_string(),
            query_string: query.statement.clone(),
            query_status: outcome.status.as_str(),
            query_statistics: Statistics {
                events_matched: outcome.rows,
                events_scanned: outcome.events_scanned,
                bytes_scanned: outcome.bytes_scanned,
                execution_time_in_millis: i32::try_from(outcome.execution_ms).unwrap_or(i32::MAX),
                creation_time: query.created.into(),
            },
            error_message: outcome.error,
            delivery_s3_uri: query.destination.as_ref().map(ToString::to_string),
            delivery_status: outcome.delivery.map(|status| status.as_str()),
            event_data_store_owner_account_id: owner,
        }
    }
}

impl Described for DescribeQuery {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "DescribeQuery";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        let by_alias = |alias: &String| last_id_of(alias, input, call);
        let id = input.query_id.clone().or_else(|| input.query_alias.as_ref().and_then(by_alias));
        id.map(|id| access::touched(Self::NAME, &id, call)).unwrap_or_default()
    }
}

impl Read for DescribeQuery {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let store = input.event_data_store.as_deref();
        let id = match (&input.query_id, &input.query_alias) {
            (Some(id), None) if input.refresh_id.is_none() => id.clone(),
            (None, Some(alias)) => last_of_alias(alias, &input, call)?,
            (Some(_), None) => return Err(invalid_parameter("RefreshId goes with QueryAlias only.")),
            _ => return Err(invalid_parameter("Specify either QueryId or QueryAlias.")),
        };
        let owner = input.event_data_store_owner_account_id.as_deref();
        let named = Named { operation: "DescribeQuery", id: &id, store, owner };
        Ok(access::permitted(named, call).await?.into())
    }
}

/// The id of the caller's last query by this alias. No dashboard refreshes here, so that no query has a RefreshId.
fn last_id_of(alias: &str, input: &Input, call: &Call) -> Option<String> {
    let found = call.rooms.queries.last_of_alias(call.account, &call.region, alias);
    found.filter(|_| input.refresh_id.is_none()).map(|id| id.to_string())
}

/// The same, or why there is none.
fn last_of_alias(alias: &str, input: &Input, call: &Call) -> Result<String, Fault> {
    if let Some(id) = last_id_of(alias, input, call) {
        return Ok(id);
    }
    access::permit_any("DescribeQuery", input.event_data_store.as_deref(), call)?;
    Err(Fault::declared("QueryIdNotFoundException", "No query was started by this QueryAlias."))
}
