//! Waiting for a query.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::json;

use super::{QueryError, call};
use crate::client::{Client, ClientError};

/// The first pause between questions; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    pub(super) query_status: String,
    pub(super) error_message: Option<String>,
    query_statistics: Statistics,
    delivery_status: Option<String>,
    #[serde(rename = "DeliveryS3Uri")]
    delivery_s3_uri: Option<String>,
}

/// The folder of a query's files in the bucket that an URI names: AWS documents it under "Find your CloudTrail Lake saved
/// query results".
fn folder(uri: &str, account: &str, id: &str, ended: DateTime<Utc>) -> String {
    let uri = uri.trim_end_matches('/');
    format!("{uri}/AWSLogs/{account}/CloudTrail-Lake/Query/{}/{id}/", ended.format("%Y/%m/%d"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    events_matched: u64,
    events_scanned: u64,
    bytes_scanned: u64,
    execution_time_in_millis: u64,
    /// Seconds since 1970.
    creation_time: f64,
}

impl Described {
    fn is_over(&self) -> bool {
        !matches!(self.query_status.as_str(), "QUEUED" | "RUNNING")
    }

    /// Whether every row is there.
    pub(super) fn is_whole(&self) -> bool {
        self.query_status == "FINISHED"
    }

    /// Whether there are rows, be it a part of them.
    pub(super) fn has_rows(&self) -> bool {
        self.is_whole() || self.query_status == "TIMED_OUT"
    }

    /// Tells what it took, on standard error: the rows are on standard output.
    pub(super) fn tell(&self) {
        let Statistics { events_matched, events_scanned, bytes_scanned, execution_time_in_millis, .. } =
            &self.query_statistics;
        let megabytes = *bytes_scanned as f64 / 1e6;
        let seconds = *execution_time_in_millis as f64 / 1e3;
        eprintln!("{events_matched} rows; {events_scanned} events, {megabytes:.1} MB read in {seconds:.2} s");
        if !self.is_whole() {
            let reason = self.error_message.as_deref().unwrap_or("the query took too long");
            eprintln!("opentrail: these are not all rows: {reason}");
        }
    }
}

async fn describe(client: &Client, id: &str) -> Result<Described, ClientError> {
    call(client, "DescribeQuery", &json!({"QueryId": id})).await
}

/// What became of a query, once it has ended.
pub(super) async fn until_ended(client: &Client, id: &str) -> Result<Described, ClientError> {
    let bar = io::stderr().is_terminal().then(ProgressBar::new_spinner);
    let mut pause = FIRST_PAUSE;
    loop {
        let described = describe(client, id).await?;
        if described.is_over() {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            return Ok(described);
        }
        if let Some(bar) = &bar {
            let statistics = &described.query_statistics;
            let megabytes = statistics.bytes_scanned / 1_000_000;
            bar.set_message(format!(
                "{}: {} events, {megabytes} MB",
                described.query_status.to_lowercase(),
                statistics.events_scanned
            ));
            bar.tick();
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Waits until the rows are delivered, where they are, and tells where. `took` is from the query's start to its end.
pub(super) async fn tell_delivery(
    client: &Client,
    id: &str,
    ended: &Described,
    took: Duration,
) -> Result<(), QueryError> {
    let Some(uri) = ended.delivery_s3_uri.as_deref().filter(|_| ended.is_whole()) else { return Ok(()) };
    let mut pause = FIRST_PAUSE;
    let status = loop {
        let described = describe(client, id).await?;
        match described.delivery_status {
            Some(status) if status != "PENDING" => break status,
            _ => tokio::time::sleep(pause).await,
        }
        pause = LONGEST_PAUSE.min(pause * 2);
    };
    if status == "SUCCESS" {
        // By the server's clock: the folder has the day on which the query ended.
        let at = ended.query_statistics.creation_time * 1e3 + took.as_secs_f64() * 1e3;
        let at = DateTime::from_timestamp_millis(at as i64).unwrap_or_else(Utc::now);
        eprintln!("delivered to {}", folder(uri, &client.account().await?, id, at));
        return Ok(());
    }
    let reason = Some(format!("the delivery to {uri} ended with {status}"));
    Err(QueryError::Ended { id: id.to_owned(), status: ended.query_status.clone(), reason })
}

#[cfg(test)]
mod tests {
    use super::folder;

    #[test]
    fn results_are_where_aws_puts_them() {
        let at = "2026-01-02T23:59:59Z".parse().expect("a time");
        let found = folder("s3://results/lake/", "111122223333", "an-id", at);
        assert_eq!(found, "s3://results/lake/AWSLogs/111122223333/CloudTrail-Lake/Query/2026/01/02/an-id/");
    }
}
