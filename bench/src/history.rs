//! Questions to event history, for the checks.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Ask, Connection},
    error::{BenchError, check},
    events::Events,
    ids::mix,
};

/// Longest wait for history to catch up after a load.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(900);
/// Events of a page.
const PAGE: usize = 1000;

/// One page.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Page {
    pub(crate) events: Vec<Found>,
    pub(crate) next_token: Option<String>,
}

/// One event of a page.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Found {
    pub(crate) event_id: String,
    pub(crate) cloud_trail_event: String,
}

async fn ask(connection: &mut Connection, question: &Value) -> Result<Page, BenchError> {
    let body = question.to_string().into();
    let headers = &[("content-type", "application/json")];
    connection
        .json(Ask {
            service: "opentrail",
            region: "us-east-1",
            method: Method::POST,
            path: "/v1/lookup",
            headers,
            body,
        })
        .await
}

async fn of_id(connection: &mut Connection, id: &str) -> Result<Vec<Found>, BenchError> {
    let attributes = json!([{"Key": "EventId", "Value": id}]);
    Ok(ask(connection, &json!({"Attributes": attributes, "EventCategory": "All"})).await?.events)
}

/// Waits until history shows an event.
pub(crate) async fn shown(connection: &mut Connection, id: &str) -> Result<(), BenchError> {
    let began = Instant::now();
    while of_id(connection, id).await?.is_empty() {
        if began.elapsed() > CATCH_UP_LIMIT {
            return Err(BenchError::TooLate { what: "event history's catching up", limit: CATCH_UP_LIMIT });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Waits until history shows every event of the last uploads; answers how long it took.
pub(crate) async fn caught_up(
    connection: &mut Connection,
    events: &dyn Events,
    sent: u64,
    newest: u64,
) -> Result<Duration, BenchError> {
    let began = Instant::now();
    for number in sent.saturating_sub(newest)..sent {
        if number % 50 == 0 || number + 1 == sent {
            shown(connection, &events.id(number)).await?;
        }
    }
    Ok(began.elapsed())
}

/// Looks a drawn sample up: each event must be there once, byte for byte.
pub(crate) async fn sample(
    connection: &mut Connection,
    events: &dyn Events,
    sent: u64,
    count: u64,
) -> Result<String, BenchError> {
    for draw in 0..count {
        let number = mix(draw) % sent.max(1);
        let found = of_id(connection, &events.id(number)).await?;
        check(found.len() == 1, || {
            format!("event {} is in history {} times", events.id(number), found.len())
        })?;
        check(found[0].cloud_trail_event.as_bytes() == events.record(number), || {
            format!("event {} is not in history as it was sent", events.id(number))
        })?;
    }
    Ok(format!("{count} drawn events are in history once each, byte for byte"))
}

/// Every event of one name, by what `key` reads from its record; each must be there once.
pub(crate) async fn all_of(
    connection: &mut Connection,
    attributes: Value,
    key: impl Fn(&Found) -> Option<String>,
) -> Result<HashSet<String>, BenchError> {
    let mut question = json!({"EventCategory": "All", "MaxResults": PAGE, "Attributes": attributes});
    let mut found = HashSet::new();
    loop {
        let page = ask(connection, &question).await?;
        for event in &page.events {
            if let Some(key) = key(event) {
                check(found.insert(key.clone()), || format!("{key} is in history twice"))?;
            }
        }
        match page.next_token {
            Some(token) => question["NextToken"] = token.into(),
            None => return Ok(found),
        }
    }
}
