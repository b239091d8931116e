//! Imports that the server makes of a bucket by itself: StartImport, and waiting for its end.

use std::{process::ExitCode, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ImportError, NOT_ALL, source::Source};
use crate::{
    client::Client,
    output::{Output, progress, say, table},
};

const START: &str = "CloudTrail_20131101.StartImport";
const GET: &str = "CloudTrail_20131101.GetImport";
const FAILURES: &str = "CloudTrail_20131101.ListImportFailures";
const STORE: &str = "CloudTrail_20131101.GetEventDataStore";
const STORES: &str = "CloudTrail_20131101.ListEventDataStores";
/// How often it is asked how far the import is.
const EVERY: Duration = Duration::from_millis(500);
/// Failures that are listed on a terminal.
const LISTED: usize = 20;

/// What is imported, and into what.
pub(super) struct Ask<'a> {
    pub(super) store: &'a str,
    pub(super) source: &'a Source,
    pub(super) role: &'a str,
    pub(super) region: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Store {
    event_data_store_arn: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoreList {
    event_data_stores: Vec<Store>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Import {
    import_id: String,
    import_status: String,
    #[serde(default)]
    import_statistics: Statistics,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct Statistics {
    prefixes_found: u64,
    prefixes_completed: u64,
    files_completed: u64,
    events_completed: u64,
    failed_entries: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailureList {
    failures: Vec<Failure>,
    next_token: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    location: String,
    status: String,
    error_type: String,
    error_message: String,
}

/// Has the server import; ends with 3 where something could not be taken.
pub(super) async fn by_the_server(
    client: &Client,
    ask: &Ask<'_>,
    output: Output,
) -> Result<ExitCode, ImportError> {
    let Source::Bucket { bucket, prefix } = ask.source else { return Err(ImportError::OneBucket) };
    let input = json!({
        "Destinations": [arn_of(client, ask.store).await?],
        "ImportSource": {"S3": {
            "S3LocationUri": format!("s3://{bucket}/{prefix}"),
            "S3BucketRegion": ask.region,
            "S3BucketAccessRoleArn": ask.role,
        }},
    });
    let mut import: Import = client.cloudtrail(START, &input).await?;
    let bar = progress(0, "{spinner} {elapsed} {msg}");
    while matches!(import.import_status.as_str(), "INITIALIZING" | "IN_PROGRESS") {
        tokio::time::sleep(EVERY).await;
        import = client.cloudtrail(GET, &json!({"ImportId": import.import_id})).await?;
        let so_far = &import.import_statistics;
        let (done, found) = (so_far.prefixes_completed, so_far.prefixes_found);
        let (files, events) = (so_far.files_completed, so_far.events_completed);
        bar.set_message(format!("{done} of {found} prefixes, {files} files, {events} events"));
        bar.tick();
    }
    bar.finish_and_clear();
    // An import is complete also where events were left out that the store no longer keeps: it is told of there.
    let failures = failures(client, &import).await?;
    print(&import, &failures, output);
    let whole = import.import_status == "COMPLETED" && failures.is_empty();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL) })
}

/// How many days a store keeps its events that is named by its ARN, its id or its name.
pub(crate) async fn retention_of(client: &Client, named: &str) -> Result<u32, ImportError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Kept {
        retention_period: u32,
    }
    let arn = arn_of(client, named).await?;
    let kept: Kept = client.cloudtrail(STORE, &json!({"EventDataStore": arn})).await?;
    Ok(kept.retention_period)
}

/// The ARN of a store that is named by its ARN, its id or its name.
async fn arn_of(client: &Client, named: &str) -> Result<String, ImportError> {
    if named.starts_with("arn:") {
        return Ok(named.to_owned());
    }
    let mut token: Option<String> = None;
    loop {
        let input = token.take().map_or_else(|| json!({}), |token| json!({"NextToken": token}));
        let page: StoreList = client.cloudtrail(STORES, &input).await?;
        if let Some(store) = page.event_data_stores.into_iter().find(|store| store.name == named) {
            return Ok(store.event_data_store_arn);
        }
        match page.next_token {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    let store: Store = client.cloudtrail(STORE, &json!({"EventDataStore": named})).await?;
    Ok(store.event_data_store_arn)
}

async fn failures(client: &Client, import: &Import) -> Result<Vec<Failure>, ImportError> {
    let mut all = Vec::new();
    let mut input = json!({"ImportId": import.import_id, "MaxResults": 1000});
    loop {
        let page: FailureList = client.cloudtrail(FAILURES, &input).await?;
        all.extend(page.failures.into_iter().filter(|failure| failure.status != "SUCCEEDED"));
        match page.next_token {
            Some(token) => input["NextToken"] = json!(token),
            None => return Ok(all),
        }
    }
}

fn print(import: &Import, failures: &[Failure], output: Output) {
    let done = &import.import_statistics;
    if output == Output::Json {
        let answer = json!({
            "ImportId": import.import_id,
            "ImportStatus": import.import_status,
            "ImportStatistics": done,
            "Failures": failures,
        });
        say!("{answer}");
        return;
    }
    say!(
        "{}: {} files, {} events imported, {} failures; import {}",
        import.import_status,
        done.files_completed,
        done.events_completed,
        done.failed_entries,
        import.import_id
    );
    if !failures.is_empty() {
        let mut rows = table(["Location", "Error", "Message"]);
        for failure in failures.iter().take(LISTED) {
            rows.add_row([&failure.location, &failure.error_type, &failure.error_message]);
        }
        say!("{rows}");
        if failures.len() > LISTED {
            say!("and {} more; --output json lists them all", failures.len() - LISTED);
        }
    }
}
