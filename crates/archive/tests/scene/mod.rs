//! An archive with everything below it, and events to put into it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of the scene")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_archive::{Archive, ArchiveOptions, LookupQuery, PageToken};
use opentrail_event::{AccountId, Event};
use opentrail_journal::{
    Journal, JournalOptions, Seq,
    disk::{CrashKeeps, Disk, FaultyDisk},
};
use opentrail_state::{OwnedEvent, State, StateOptions};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub fn owner(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// The time at which tests take place.
pub fn now() -> DateTime<Utc> {
    at(1_700_000_000)
}

pub fn options() -> ArchiveOptions {
    ArchiveOptions {
        retention: None,
        flush_after: Duration::from_secs(3600),
        file_rows: 1000,
        seen_memory_ids: 100_000,
        clock: Arc::new(now),
        ..ArchiveOptions::default()
    }
}

/// A record with what lookups look at.
pub struct Spec {
    pub id: String,
    pub seconds: i64,
    pub name: &'static str,
    pub region: &'static str,
    pub user: &'static str,
    pub bucket: &'static str,
    pub category: &'static str,
    pub read_only: bool,
}

impl Spec {
    pub fn new(id: impl Into<String>, seconds: i64) -> Self {
        Self {
            id: id.into(),
            seconds,
            name: "GetThing",
            region: "us-east-1",
            user: "alice",
            bucket: "",
            category: "Management",
            read_only: true,
        }
    }

    pub fn event(&self) -> Event {
        let resources = if self.bucket.is_empty() {
            String::new()
        } else {
            format!(
                r#","resources":[{{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{0}"}},{{"ARN":"arn:aws:s3:::{0}/x"}}]"#,
                self.bucket
            )
        };
        let time = at(self.seconds).format("%Y-%m-%dT%H:%M:%SZ");
        let raw = format!(
            r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","userName":"{}","accessKeyId":"AKIA{}"}},"eventTime":"{time}","eventSource":"{}.amazonaws.com","eventName":"{}","awsRegion":"{}","eventID":"{}","readOnly":{},"eventCategory":"{}"{resources}}}"#,
            self.user,
            self.user.to_uppercase(),
            if self.bucket.is_empty() { "iam" } else { "s3" },
            self.name,
            self.region,
            self.id,
            self.read_only,
            self.category,
        );
        Event::parse(Bytes::from(raw)).unwrap()
    }
}

pub struct Scene {
    pub dir: Arc<TempDir>,
    pub disk: FaultyDisk,
    pub state: State,
    pub archive: Archive,
    pub options: ArchiveOptions,
}

impl Scene {
    pub async fn new(options: ArchiveOptions) -> Self {
        let dir = Arc::new(TempDir::new().unwrap());
        Self::open(dir, FaultyDisk::default(), options).await
    }

    pub async fn open(dir: Arc<TempDir>, disk: FaultyDisk, options: ArchiveOptions) -> Self {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let (journal, _) =
            Journal::open(&dir.path().join("journal"), JournalOptions::default(), shared.clone()).unwrap();
        let state = State::open(journal, &dir.path().join("state"), shared.clone(), StateOptions::default())
            .await
            .unwrap();
        let archive =
            Archive::open(&dir.path().join("archive"), &state, shared, options.clone()).await.unwrap();
        Self { dir, disk, state, archive, options }
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    /// Ends everything and starts again.
    pub async fn reopened(self) -> Self {
        let Self { dir, disk, state, archive, options } = self;
        state.journal().close().await;
        drop((state, archive));
        Self::open(dir, disk, options).await
    }

    /// The machine loses its power and starts again.
    pub async fn crashed(self, keeps: CrashKeeps) -> Self {
        let Self { dir, disk, state, archive, options } = self;
        disk.crash(keeps).unwrap();
        state.journal().close().await;
        drop((state, archive));
        Self::open(dir, disk, options).await
    }

    pub async fn append(&self, owner: AccountId, events: Vec<Event>) -> Seq {
        let events = events.into_iter().map(|event| OwnedEvent { owner, event }).collect();
        self.state.append(Vec::new(), events).await.unwrap()
    }

    /// Starts the reader of the journal.
    pub fn start(&self) -> Running {
        let stop = CancellationToken::new();
        Running { task: tokio::spawn(self.archive.clone().run(stop.clone())), stop }
    }

    /// All pages of a query, from the newest.
    pub async fn all(&self, query: &LookupQuery) -> Vec<Event> {
        let mut query = query.clone();
        let mut events = Vec::new();
        loop {
            let page = self.archive.lookup(query.clone()).await.unwrap();
            assert!(page.events.len() <= query.limit.max(1));
            events.extend(page.events);
            let Some(next) = page.next else { return events };
            query.after = Some(next.to_string().parse::<PageToken>().unwrap());
        }
    }
}

pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

pub fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id().to_owned()).collect()
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
