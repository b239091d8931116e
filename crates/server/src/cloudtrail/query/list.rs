//! ListQueries.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use opentrail_event::RecordResource;
use opentrail_lake::query::{Listing, QueryId, QueryStatus};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{access::check_active, invalid_token, page_size};
use crate::{
    call::Call,
    cloudtrail::event_data_store::asking,
    fault::Fault,
    operation::{Described, Permission, Read},
};

/// Most queries of an answer, and how many there are without MaxResults (AWS: ListQueries).
const MAX_QUERIES: usize = 1000;

pub(in crate::cloudtrail) struct ListQueries;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Input {
    event_data_store: String,
    next_token: Option<String>,
    max_results: Option<i64>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    query_status: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Output {
    queries: Vec<Item>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    query_id: String,
    query_status: &'static str,
    creation_time: Timestamp,
}

impl Described for ListQueries {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "ListQueries";
    /// The event data store must let the caller.
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Read for ListQueries {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let store = asking::permitted("ListQueries", &input.event_data_store, call)?;
        check_active(&store, call)?;
        let limit = page_size("MaxResults", input.max_results, MAX_QUERIES, MAX_QUERIES)?;
        let (from, to) = (input.start_time.map(|time| time.0), input.end_time.map(|time| time.0));
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            let message = "The start time must not be after the end time.";
            return Err(Fault::declared("InvalidDateRangeException", message));
        }
        let status: Option<QueryStatus> =
            input.query_status.as_deref().map(str::parse).transpose().map_err(|()| {
                let words: Vec<&str> = QueryStatus::ALL.iter().map(|(_, word)| *word).collect();
                let message = format!("QueryStatus must be one of {}.", words.join(", "));
                Fault::declared("InvalidQueryStatusException", message)
            })?;
        let before = match &input.next_token {
            Some(token) => Some(read(token).ok_or_else(invalid_token)?),
            None => None,
        };
        let arn = store.arn().to_string();
        let listing = Listing { store: &arn, status, from, to };
        let mut found = call.rooms.queries.list(&listing, before, limit + 1);
        let is_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| is_more).map(|(at, id, _)| token(*at, *id));
        let item = |(at, id, status): (DateTime<Utc>, QueryId, QueryStatus)| Item {
            query_id: id.to_string(),
            query_status: status.as_str(),
            creation_time: at.into(),
        };
        Ok(Output { queries: found.into_iter().map(item).collect(), next_token: next })
    }
}

/// The token for what is older than a query. Opaque to callers.
fn token(at: DateTime<Utc>, id: QueryId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}/{id}", at.to_rfc3339()))
}

fn read(token: &str) -> Option<(DateTime<Utc>, QueryId)> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (at, id) = text.split_once('/')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use opentrail_lake::query::QueryId;

    use super::{read, token};

    #[test]
    fn tokens_are_read_back() {
        let (at, id) = (Utc::now(), QueryId::draw());
        assert_eq!(read(&token(at, id)), Some((at, id)));
        assert_eq!(read("MjAyNg"), None);
    }
}
