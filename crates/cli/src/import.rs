//! `opentrail import`: records from files, folders and buckets, through the server's door.

mod batch;
pub(crate) mod into_store;
pub(crate) mod source;

use std::{process::ExitCode, sync::Arc};

use bytes::Bytes;
use clap::Args;
use futures::{StreamExt, stream};
use indicatif::ProgressBar;
use opentrail_trails::{
    LogReader,
    store::external::{External, ExternalOptions},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinSet};

use self::{
    batch::{Batch, Batcher, Size},
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
    /// Into this event data store, and nowhere else; else they are events of the account, for trails and history
    #[arg(long, value_name = "ARN|ID|NAME")]
    event_data_store: Option<String>,
    /// Have the server read the bucket, with this role (StartImport); else it is read here
    #[arg(long, value_name = "ROLE_ARN", requires = "event_data_store", conflicts_with = "source_endpoint")]
    role: Option<String>,
    #[command(flatten)]
    bucket: BucketArguments,
    /// How the result is printed
    #[arg(long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    server: ServerArguments,
}

/// How s3:// sources are reached.
#[derive(Args)]
pub(crate) struct BucketArguments {
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
}

/// What became of the records.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Imported {
    pub(crate) files: usize,
    pub(crate) accepted: usize,
    pub(crate) duplicates: usize,
    /// Records that are older than the event data store keeps them.
    pub(crate) expired: usize,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) unreadable: Vec<Unreadable>,
}

/// A record that was not taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Rejected {
    pub(crate) file: Arc<str>,
    pub(crate) index: usize,
    pub(crate) reason: String,
}

/// A file that could not be read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Unreadable {
    pub(crate) file: String,
    pub(crate) reason: String,
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
    /// The server reads one bucket at a time.
    #[error("with --role there must be one source, an s3:// one")]
    OneBucket,
    /// A text that names no event data store.
    #[error("{0:?} is neither the ARN, the id nor the name of an event data store")]
    StoreName(String),
    /// A worker ended badly.
    #[error("a worker ended badly: {0}")]
    Worker(#[from] JoinError),
}

/// Imports; succeeds with 0, ends with 3 where some records or files were not taken.
pub(crate) async fn run(arguments: ImportArguments) -> Result<ExitCode, ImportError> {
    let client = Client::new(&arguments.server)?;
    if let (Some(store), Some(role)) = (&arguments.event_data_store, &arguments.role) {
        let [source] = &arguments.sources[..] else { return Err(ImportError::OneBucket) };
        let region = arguments.bucket.source_region.as_ref().unwrap_or(&arguments.server.region);
        let ask = into_store::Ask { store, source, role, region };
        return into_store::by_the_server(&client, &ask, arguments.output).await;
    }
    let remote = remote(&arguments.bucket, &arguments.server);
    let mut items = Vec::new();
    for source in &arguments.sources {
        items.extend(source.items(&*remote).await?);
    }
    let bar =
        progress(items.iter().map(Item::size).sum(), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {msg}");
    let route = Route::to(arguments.event_data_store.as_deref())?;
    let imported = take_all(&client, &route, &remote, items, &bar).await?;
    bar.finish_and_clear();
    print(&imported, arguments.output);
    let whole = imported.rejected.is_empty() && imported.unreadable.is_empty() && imported.expired == 0;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL) })
}

/// Where records are sent.
#[derive(Clone)]
pub(crate) struct Route {
    path: Arc<str>,
    size: Size,
}

impl Route {
    /// To the account's events, or into an event data store.
    pub(crate) fn to(store: Option<&str>) -> Result<Self, ImportError> {
        let Some(store) = store else { return Ok(Self { path: "/v1/events".into(), size: Size::OF_EVENTS }) };
        // What an ARN, an id or a name has; nothing of it needs to be escaped.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b":/-._".contains(&byte);
        if store.is_empty() || !store.bytes().all(is_name) {
            return Err(ImportError::StoreName(store.to_owned()));
        }
        Ok(Self { path: format!("/v1/import?event-data-store={store}").into(), size: Size::OF_STORES })
    }
}

/// Reads items, several at once, and sends their records, in order.
pub(crate) async fn take_all(
    client: &Client,
    route: &Route,
    remote: &Arc<dyn LogReader>,
    items: Vec<Item>,
    bar: &ProgressBar,
) -> Result<Imported, ImportError> {
    let mut imported = Imported { files: items.len(), ..Imported::default() };
    let mut batcher = Batcher::new(route.size);
    let mut sending = JoinSet::new();
    let reading = stream::iter(items).map(|item| async {
        let body = item.read(&**remote).await;
        (item, body)
    });
    let mut reading = reading.buffered(AT_ONCE);
    while let Some((item, body)) = reading.next().await {
        let name: Arc<str> = item.name().into();
        match body {
            Ok(body) => imported.rejected.extend(batcher.add(&name, body)),
            Err(error) => {
                imported.unreadable.push(Unreadable { file: name.to_string(), reason: error.to_string() });
            }
        }
        while let Some(batch) = batcher.full() {
            if sending.len() >= AT_ONCE {
                imported.take(sending.join_next().await)?;
            }
            sending.spawn(send(client.clone(), route.path.clone(), batch));
        }
        bar.inc(item.size());
        bar.set_message(format!("{} records", imported.accepted + imported.duplicates));
    }
    if let Some(batch) = batcher.rest() {
        sending.spawn(send(client.clone(), route.path.clone(), batch));
    }
    while !sending.is_empty() {
        imported.take(sending.join_next().await)?;
    }
    imported.rejected.sort_by(|a, b| (&a.file, a.index).cmp(&(&b.file, b.index)));
    Ok(imported)
}

/// What the server said of one batch.
struct Sent {
    accepted: usize,
    duplicates: usize,
    expired: usize,
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Admitted {
    accepted: usize,
    duplicates: usize,
    #[serde(default)]
    expired: usize,
    rejected: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    index: usize,
    reason: String,
}

async fn send(client: Client, path: Arc<str>, batch: Batch) -> Result<Sent, ClientError> {
    let headers = [("content-type", "application/json")];
    let body: Bytes = batch.body();
    let admitted: Admitted = client.call(Method::POST, &path, &headers, body).await?;
    let Admitted { accepted, duplicates, expired, rejected } = admitted;
    let rejected = rejected.into_iter().filter_map(|refused| {
        let (file, index) = batch.origin(refused.index)?;
        Some(Rejected { file, index, reason: refused.reason })
    });
    Ok(Sent { accepted, duplicates, expired, rejected: rejected.collect() })
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
        self.expired += sent.expired;
        self.rejected.extend(sent.rejected);
        Ok(())
    }
}

/// The endpoint of s3:// sources: the one named for them, else the server itself.
pub(crate) fn remote(bucket: &BucketArguments, server: &ServerArguments) -> Arc<dyn LogReader> {
    let own = bucket.source_endpoint.is_none();
    let credentials = match (&bucket.source_access_key_id, &bucket.source_secret_access_key) {
        (Some(id), Some(secret)) => Some((id.clone(), secret.clone())),
        _ if own => server.access_key_id.clone().zip(server.secret_access_key.clone()),
        _ => None,
    };
    Arc::new(External::new(ExternalOptions {
        endpoint: bucket.source_endpoint.clone().or_else(|| Some(server.endpoint.clone())),
        region: bucket.source_region.clone().or_else(|| Some(server.region.clone())),
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
    if imported.expired > 0 {
        say!(
            "{} records are older than the event data store keeps them, which `aws cloudtrail update-event-data-store \
             --retention-period DAYS` changes (3653 at most)",
            imported.expired
        );
    }
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
