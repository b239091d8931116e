//! GetQueryResults: the rows, page after page.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use opentrail_event::RecordResource;
use opentrail_lake::{
    query::{Page, QueryId, Row},
    store::StoreArn,
};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    access::{self, Named},
    invalid_token, page_size,
};
use crate::{
    call::Call,
    cloudtrail::encryption,
    fault::{Common, Fault},
    operation::{Described, Permission, Read},
    queries::Seen,
};

/// Most rows of an answer, and how many there are without MaxQueryResults (AWS: GetQueryResults).
const MAX_ROWS: usize = 1000;
/// Bytes of values after which an answer ends early: rows may have whole events.
const MAX_BYTES: usize = 4 << 20;

pub(in crate::cloudtrail) struct GetQueryResults;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Input {
    event_data_store: Option<String>,
    query_id: String,
    next_token: Option<String>,
    max_query_results: Option<i64>,
    event_data_store_owner_account_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Output {
    query_status: &'static str,
    query_statistics: Statistics,
    query_result_rows: Vec<Vec<Column>>,
    next_token: Option<String>,
    error_message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    results_count: usize,
    total_results_count: i32,
    bytes_scanned: u64,
}

/// A value with the name of its column: a map with one member. NULL is the empty text, since the values of AWS's shape
/// are texts.
struct Column {
    name: std::sync::Arc<str>,
    value: Option<String>,
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&*self.name, self.value.as_deref().unwrap_or_default())])
    }
}

impl Described for GetQueryResults {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetQueryResults";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        access::touched(Self::NAME, &input.query_id, call)
    }
}

impl Read for GetQueryResults {
    /// Of a query that waits or runs, and of one that failed, there are no rows.
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let named = Named {
            operation: "GetQueryResults",
            id: &input.query_id,
            store: input.event_data_store.as_deref(),
            owner: input.event_data_store_owner_account_id.as_deref(),
        };
        let seen = access::permitted(named, call).await?;
        let limit = page_size("MaxQueryResults", input.max_query_results, MAX_ROWS, MAX_ROWS)?;
        let from = match &input.next_token {
            Some(token) => read(token, seen.query.id).filter(|row| *row < seen.outcome.rows),
            None => Some(0),
        };
        let from = from.ok_or_else(invalid_token)?;
        let page = if seen.outcome.rows == 0 {
            Page { rows: Vec::new(), next: None }
        } else {
            for arn in seen.query.stores.iter().filter_map(|arn| StoreArn::parse(arn).ok()) {
                if let Some(store) = call.rooms.event_data_stores.by_arn(&arn) {
                    encryption::check_reader(&store, call)?;
                }
            }
            page(&seen, from, limit, call).await?
        };
        Ok(Output::of(seen, page))
    }
}

impl Output {
    fn of(Seen { query, outcome }: Seen, page: Page) -> Self {
        let names: Vec<std::sync::Arc<str>> =
            outcome.columns.iter().map(|name| name.as_str().into()).collect();
        let row = |row: Row| {
            let columns = names.iter().cloned().zip(row);
            columns.map(|(name, value)| Column { name, value }).collect()
        };
        Self {
            query_status: outcome.status.as_str(),
            query_statistics: Statistics {
                results_count: page.rows.len(),
                total_results_count: i32::try_from(outcome.rows).unwrap_or(i32::MAX),
                bytes_scanned: outcome.bytes_scanned,
            },
            query_result_rows: page.rows.into_iter().map(row).collect(),
            next_token: page.next.map(|row| token(query.id, row)),
            error_message: outcome.error,
        }
    }
}

async fn page(seen: &Seen, from: u64, limit: usize, call: &Call) -> Result<Page, Fault> {
    let (id, shelf) = (seen.query.id, call.rooms.queries.shelf().clone());
    let seal = call.rooms.queries.seal(&seen.outcome.sealed).await.map_err(|refusal| {
        let message = format!("The results can't be read: {refusal}");
        Fault::declared("InsufficientEncryptionPolicyException", message)
    })?;
    let reading = tokio::task::spawn_blocking(move || {
        shelf.rows(id, seal.as_ref()).and_then(|rows| rows.page(from, limit, MAX_BYTES))
    });
    let page = reading.await.map_err(|_| call.fault(Common::Unavailable, "Try again later."))?;
    page.map_err(|error| Fault::of_lake(error, call.dialect()))
}

/// The token for what begins at a row. Opaque to callers.
fn token(id: QueryId, row: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{id}/{row}"))
}

/// The row at which a token of this query begins.
fn read(token: &str, id: QueryId) -> Option<u64> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (of, row) = text.split_once('/')?;
    if of == id.to_string() { row.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use opentrail_lake::query::QueryId;

    use super::{read, token};

    #[test]
    fn a_token_is_good_for_its_query_alone() {
        let (one, other) = (QueryId::draw(), QueryId::draw());
        assert_eq!(read(&token(one, 17), one), Some(17));
        assert_eq!(read(&token(one, 17), other), None);
        assert_eq!(read("????", one), None);
        assert_eq!(read("", one), None);
    }
}
