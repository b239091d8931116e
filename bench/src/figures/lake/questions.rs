//! What users ask of an event data store, in the lake's SQL and in DuckDB's.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::{error::BenchError, events::Events, real_events::RealEvents};

/// A question in both dialects.
pub(super) struct Question {
    pub(super) name: &'static str,
    /// `$EDS` stands for the event data store.
    pub(super) lake: String,
    pub(super) duckdb: String,
}

/// A question that reads the same in both, but for the members of `userIdentity`, which are columns of DuckDB's table.
fn same(name: &'static str, text: &str) -> Question {
    let duckdb = text.replace("$FROM", "FROM trail").replace("userIdentity.", "userIdentity_");
    Question { name, lake: text.replace("$FROM", "FROM $EDS"), duckdb }
}

/// The questions' values are those of an event in the middle, so that there is something to find.
struct Values {
    id: String,
    key: String,
    address: String,
    from: String,
    to: String,
}

impl Values {
    fn of(events: &RealEvents, total: u64) -> Result<Self, BenchError> {
        let text = |event: &Value, pointer: &str| Some(event.pointer(pointer)?.as_str()?.to_owned());
        for number in total / 2..total {
            let event: Value = serde_json::from_slice(&events.record(number))?;
            let found = (text(&event, "/userIdentity/accessKeyId"), text(&event, "/sourceIPAddress"));
            if let (Some(key), Some(address)) = found {
                let day = events.time(number);
                return Ok(Self {
                    id: events.id(number),
                    key,
                    address,
                    from: midnight(day),
                    to: midnight(day + TimeDelta::days(1)),
                });
            }
        }
        Err(BenchError::Missing("no event has an access key and an address".to_owned()))
    }
}

fn midnight(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d 00:00:00").to_string()
}

/// The ten questions.
pub(super) fn ten(events: &RealEvents, total: u64) -> Result<Vec<Question>, BenchError> {
    let Values { id, key, address, from, to } = Values::of(events, total)?;
    Ok(vec![
        same(
            "calls by service and name",
            "SELECT eventSource, eventName, count(*) AS calls $FROM GROUP BY eventSource, eventName \
             ORDER BY calls DESC, eventSource, eventName LIMIT 20",
        ),
        same(
            "who was denied what",
            "SELECT userIdentity.arn, eventName, errorCode, count(*) AS times $FROM \
             WHERE errorCode IN ('AccessDenied', 'Client.UnauthorizedOperation') \
             GROUP BY userIdentity.arn, eventName, errorCode ORDER BY times DESC, 1, 2, 3 LIMIT 50",
        ),
        same(
            "an access key on one day",
            &format!(
                "SELECT eventTime, eventName, sourceIPAddress, eventID $FROM WHERE userIdentity.accessKeyId = '{key}' \
                 AND eventTime >= TIMESTAMP '{from}' AND eventTime < TIMESTAMP '{to}' ORDER BY eventTime, eventID LIMIT 100"
            ),
        ),
        same(
            "one event by its id",
            &format!("SELECT eventTime, eventName, userIdentity.arn, requestID $FROM WHERE eventID = '{id}'"),
        ),
        same(
            "what an address did",
            &format!(
                "SELECT eventName, count(*) AS calls, min(eventTime) AS first, max(eventTime) AS last $FROM \
                 WHERE sourceIPAddress = '{address}' GROUP BY eventName ORDER BY calls DESC, eventName LIMIT 50"
            ),
        ),
        same(
            "the root user, day by day",
            "SELECT date_trunc('day', eventTime) AS day, count(*) AS calls $FROM WHERE userIdentity.type = 'Root' \
             GROUP BY 1 ORDER BY 1",
        ),
        same(
            "one day, hour by hour",
            &format!(
                "SELECT date_trunc('hour', eventTime) AS hour, readOnly, count(*) AS calls $FROM \
                 WHERE eventTime >= TIMESTAMP '{from}' AND eventTime < TIMESTAMP '{to}' GROUP BY 1, 2 ORDER BY 1, 2"
            ),
        ),
        Question {
            name: "buckets and what was done with them",
            lake: "SELECT element_at(requestParameters, 'bucketName') AS bucket, eventName, count(*) AS calls FROM $EDS \
                   WHERE eventSource = 's3.amazonaws.com' AND element_at(requestParameters, 'bucketName') IS NOT NULL \
                   GROUP BY 1, 2 ORDER BY calls DESC, 1, 2 LIMIT 50"
                .to_owned(),
            duckdb: "SELECT requestParameters['bucketName'] AS bucket, eventName, count(*) AS calls FROM trail \
                     WHERE eventSource = 's3.amazonaws.com' AND requestParameters['bucketName'] IS NOT NULL \
                     GROUP BY 1, 2 ORDER BY calls DESC, 1, 2 LIMIT 50"
                .to_owned(),
        },
        same(
            "callers and addresses a day",
            "SELECT date_trunc('day', eventTime) AS day, count(DISTINCT userIdentity.arn) AS callers, \
             count(DISTINCT sourceIPAddress) AS addresses $FROM GROUP BY 1 ORDER BY 1",
        ),
        same(
            "first and last use of keys",
            "SELECT userIdentity.accessKeyId, awsRegion, min(eventTime) AS first, max(eventTime) AS last, count(*) AS calls \
             $FROM WHERE userIdentity.accessKeyId IS NOT NULL GROUP BY userIdentity.accessKeyId, awsRegion \
             ORDER BY calls DESC, 1, 2 LIMIT 50",
        ),
    ])
}

/// A search through whole records, which no column helps with.
pub(super) fn search(events: &RealEvents, total: u64) -> Question {
    let tail = events.id(total / 3);
    same(
        "a text anywhere in the records",
        &format!(
            "SELECT eventID, eventName, eventTime $FROM WHERE eventJson LIKE '%{}%' ORDER BY eventID",
            &tail[9..]
        ),
    )
}
