//! `opentrail import`: records from files, folders and buckets, through the server's door.

mod batch;
mod source;

use std::{process::ExitCode, sync::Arc};

use clap::Args;
use opentrail_trails::{
    LogReader,
    store::external::{External, ExternalOptions},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinSet};

use self::{
    batch::{Batch, Batcher},
    source::{Item, Source, SourceError},
};
use crate::{
    client::{Client, ClientError, ServerArguments},
    output::{Output, progress, say, table},
};

/// The exit code for an import in which some records or files were not taken.
const NOT_ALL: u8 = 3;
/// Batches under way at once.
const AT_ONCE: usize = 4;
/// Rejected records that are listed one by one on a terminal.
const LISTED: usize = 20;

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 all taken, 1 could not run, 2 wrong usage, 3 some records or files were not taken"
)]
pub(crate) struct ImportArguments {
    /// Files, folders or s3://BUCKET/PREFIX: CloudTrail log files, JSON arrays, NDJSON; plain or gzip
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<Source>,
    /// Endpoint of s3:// sources, if it is not the server's own vault
    #[arg(long, value_name = "URL")]
    source_endpoint: Option<String>,
    /// Region of s3:// sources
    #[arg(long, value_name = "REGION")]
    source_region: Option<String>,
    /// Access key id for s3:// sources, if not the server's
    #[arg(
        long,
        env = "OPENTRAIL_SOURCE_ACCESS_KEY_ID",
        value_name = "ID",
        requires = "source_secret_access_key"
    )]
    source_access_key_id: Option<String>,
    /// Secret access key for s3:// sources
    #[arg(long, env = "OPENTRAIL_SOURCE_SECRET_ACCESS_KEY", value_name = "SECRET", hide_env_values = true)]
    source_secret_access_key: Option<String>,
    /// How the result is printed
    #[arg(long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    server: ServerArguments,
}

/// What became of the records.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Imported {
    files: usize,
    accepted: usize,
    duplicates: usize,
    rejected: Vec<Rejected>,
    unreadable: Vec<Unreadable>,
}

/// A record that was not taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Rejected {
    file: Arc<str>,
    index: usize,
    reason: String,
}

/// A file that could not be read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Unreadable {
    file: String,
    reason: String,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The server refused, or is away.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A source can't be listed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A worker ended badly.
    #[error("a worker ended badly: {0}")]
    Worker(#[from] JoinError),
}

/// Imports; succeeds with 0, ends with 3 where some records or files were not taken.
pub(crate) async fn run(arguments: ImportArguments) -> Result<ExitCode, ImportError> {
    let client = Client::new(&arguments.server)?;
    let remote = remote(&arguments);
    let mut items = Vec::new();
    for source in &arguments.sources {
        items.extend(source.items(&*remote).await?);
    }
    let bar =
        progress(items.iter().map(Item::size).sum(), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {msg}");

    let mut imported = Imported { files: items.len(), ..Imported::default() };
    let mut batcher = Batcher::default();
    let mut sending = JoinSet::new();
    for item in items {
        let name: Arc<str> = item.name().into();
        match item.read(&*remote).await {
            Ok(body) => imported.rejected.extend(batcher.add(&name, body)),
            Err(error) => {
                imported.unreadable.push(Unreadable { file: name.to_string(), reason: error.to_string() });
            }
        }
        while let Some(batch) = batcher.full() {
            if sending.len() >= AT_ONCE {
                imported.take(sending.join_next().await)?;
            }
            sending.spawn(send(client.clone(), batch));
        }
        bar.inc(item.size());
        bar.set_message(format!("{} records", imported.accepted + imported.duplicates));
    }
    if let Some(batch) = batcher.rest() {
        sending.spawn(send(client.clone(), batch));
    }
    while !sending.is_empty() {
        imported.take(sending.join_next().await)?;
    }
    bar.finish_and_clear();
    imported.rejected.sort_by(|a, b| (&a.file, a.index).cmp(&(&b.file, b.index)));
    print(&imported, arguments.output);
    let whole = imported.rejected.is_empty() && imported.unreadable.is_empty();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL) })
}

/// What the server said of one batch.
struct Sent {
    accepted: usize,
    duplicates: usize,
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Admitted {
    accepted: usize,
    duplicates: usize,
    rejected: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    index: usize,
    reason: String,
}

async fn send(client: Client, batch: Batch) -> Result<Sent, ClientError> {
    let headers = [("content-type", "application/json")];
    let admitted: Admitted = client.call(Method::POST, "/v1/events", &headers, batch.body()).await?;
    let rejected = admitted.rejected.into_iter().filter_map(|refused| {
        let (file, index) = batch.origin(refused.index)?;
        Some(Rejected { file, index, reason: refused.reason })
    });
    Ok(Sent { accepted: admitted.accepted, duplicates: admitted.duplicates, rejected: rejected.collect() })
}

impl Imported {
    fn take(
        &mut self,
        ended: Option<Result<Result<Sent, ClientError>, JoinError>>,
    ) -> Result<(), ImportError> {
        let Some(ended) = ended else { return Ok(()) };
        let sent = ended??;
        self.accepted += sent.accepted;
        self.duplicates += sent.duplicates;
        self.rejected.extend(sent.rejected);
        Ok(())
    }
}

/// The endpoint of s3:// sources: the one named for them, else the server itself.
fn remote(arguments: &ImportArguments) -> Arc<dyn LogReader> {
    let server = &arguments.server;
    let own = arguments.source_endpoint.is_none();
    let credentials = match (&arguments.source_access_key_id, &arguments.source_secret_access_key) {
        (Some(id), Some(secret)) => Some((id.clone(), secret.clone())),
        _ if own => server.access_key_id.clone().zip(server.secret_access_key.clone()),
        _ => None,
    };
    Arc::new(External::new(ExternalOptions {
        endpoint: arguments.source_endpoint.clone().or_else(|| Some(server.endpoint.clone())),
        region: arguments.source_region.clone().or_else(|| Some(server.region.clone())),
        credentials,
        session_token: server.session_token.clone().filter(|_| own),
        ..ExternalOptions::default()
    }))
}

fn print(imported: &Imported, output: Output) {
    if output == Output::Json {
        match serde_json::to_string(imported) {
            Ok(json) => say!("{json}"),
            Err(error) => eprintln!("opentrail: {error}"),
        }
        return;
    }
    say!(
        "{} files: {} records accepted, {} already there, {} rejected",
        imported.files,
        imported.accepted,
        imported.duplicates,
        imported.rejected.len()
    );
    if !imported.rejected.is_empty() {
        let mut rows = table(["File", "Record", "Reason"]);
        for bad in imported.rejected.iter().take(LISTED) {
            rows.add_row([bad.file.to_string(), bad.index.to_string(), bad.reason.clone()]);
        }
        say!("{rows}");
        if imported.rejected.len() > LISTED {
            say!("and {} more; --output json lists them all", imported.rejected.len() - LISTED);
        }
    }
    for file in &imported.unreadable {
        say!("{} can't be read: {}", file.file, file.reason);
    }
}
