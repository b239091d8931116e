//! A bucket in memory, and imports that read it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of the scene")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Days, TimeZone, Utc};
use flate2::{Compression, write::GzEncoder};
use opentrail_lake::{
    import::{
        Buckets, Import, ImportStatus, Imports, S3Source, Source, SourceError, SourceObject, SourcePage,
        StartImport, Statistics, TimeRange,
    },
    ingest::LakeOptions,
    store::EventDataStore,
};
use opentrail_state::OwnedEvent;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ingest_scene::{Running, Scene, event_at, region};

/// Objects in a page of a listing.
const PAGE: usize = 7;

/// A bucket that can be made to refuse.
#[derive(Default)]
pub struct Bucket {
    pub objects: Mutex<BTreeMap<String, Bytes>>,
    pub refused: Mutex<BTreeSet<String>>,
    pub refuses_listing: Mutex<bool>,
    pub read: Mutex<Vec<String>>,
    pub lists: AtomicUsize,
    /// Reads of keys after this one wait.
    pub gate: Mutex<Option<String>>,
}

impl Bucket {
    pub fn put(&self, key: impl Into<String>, body: impl Into<Bytes>) {
        self.objects.lock().insert(key.into(), body.into());
    }

    pub fn reads(&self) -> Vec<String> {
        std::mem::take(&mut *self.read.lock())
    }

    async fn wait_at_the_gate(&self, key: &str) {
        while self.gate.lock().as_deref().is_some_and(|gate| gate < key) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// The bucket as an import has it.
#[derive(Clone)]
pub struct Opened(pub Arc<Bucket>);

#[async_trait]
impl Source for Opened {
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<SourcePage, SourceError> {
        self.0.lists.fetch_add(1, Ordering::Relaxed);
        if *self.0.refuses_listing.lock() {
            return Err(SourceError::refused("AccessDenied", "no listing"));
        }
        let objects = self.0.objects.lock();
        let mut found = objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after))
            .map(|(key, body)| SourceObject { key: key.clone(), size: body.len() as u64 });
        let page: Vec<_> = found.by_ref().take(PAGE).collect();
        Ok(SourcePage { objects: page, more: found.next().is_some() })
    }

    async fn get(&self, key: &str) -> Result<Bytes, SourceError> {
        self.0.wait_at_the_gate(key).await;
        self.0.read.lock().push(key.to_owned());
        if self.0.refused.lock().contains(key) {
            return Err(SourceError::refused("AccessDenied", "not this one"));
        }
        let found = self.0.objects.lock().get(key).cloned();
        found.ok_or_else(|| SourceError::refused("NoSuchKey", "it is gone"))
    }
}

#[async_trait]
impl Buckets for Opened {
    async fn source(&self, _: &Import) -> Result<Arc<dyn Source>, SourceError> {
        Ok(Arc::new(self.clone()))
    }

    fn ended(&self, _: &Import, _: &Statistics) -> Vec<OwnedEvent> {
        Vec::new()
    }
}

/// Imports take what is within a store's retention by the clock of the world.
pub fn real_time() -> LakeOptions {
    LakeOptions { clock: Arc::new(Utc::now), ..crate::ingest_scene::options() }
}

/// Noon of a day so many days ago.
pub fn noon(days_ago: u64) -> DateTime<Utc> {
    let day = Utc::now().date_naive() - Days::new(days_ago);
    Utc.from_utc_datetime(&day.and_hms_opt(12, 0, 0).expect("noon"))
}

pub fn packed(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory").into()
}

/// A log file of events with these numbers.
pub fn file(numbers: std::ops::Range<usize>, time: DateTime<Utc>) -> Bytes {
    let texts: Vec<_> = numbers
        .map(|number| event_at(format!("{number:06}"), "us-east-1", time).raw_str().to_owned())
        .collect();
    packed(&format!("{{\"Records\":[{}]}}", texts.join(",")))
}

/// The key of a log file of a day.
pub fn key(region: &str, time: DateTime<Utc>, number: usize) -> String {
    format!(
        "AWSLogs/000000000001/CloudTrail/{region}/{}/000000000001_CloudTrail_{region}_{}_{number:04}.json.gz",
        time.format("%Y/%m/%d"),
        time.format("%Y%m%dT%H%MZ")
    )
}

/// Imports at work.
pub struct AtWork {
    pub imports: Imports,
    stop: CancellationToken,
    task: JoinHandle<()>,
    lake: Running,
}

impl AtWork {
    pub fn start(scene: &Scene, bucket: &Arc<Bucket>) -> Self {
        Self::try_start(scene, bucket).expect("the folder of imports")
    }

    /// None where the disk does not let them.
    pub fn try_start(scene: &Scene, bucket: &Arc<Bucket>) -> Option<Self> {
        let folder = scene.folder().join("imports");
        let disk = Arc::new(scene.disk.clone());
        let imports = Imports::open(&folder, &scene.state, disk, scene.lake.clone()).ok()?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(imports.clone().run(Arc::new(Opened(bucket.clone())), stop.clone()));
        Some(Self { imports, stop, task, lake: scene.start() })
    }

    /// Imports that nobody works on.
    pub fn idle(scene: &Scene) -> Self {
        let folder = scene.folder().join("imports");
        let disk = Arc::new(scene.disk.clone());
        let imports =
            Imports::open(&folder, &scene.state, disk, scene.lake.clone()).expect("the folder of imports");
        Self { imports, stop: CancellationToken::new(), task: tokio::spawn(async {}), lake: scene.start() }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("imports end well");
        self.lake.stop().await;
    }

    pub async fn import(&self, scene: &Scene, store: &EventDataStore, range: TimeRange) -> Import {
        let ask = StartImport {
            destination: store.arn().to_string(),
            source: S3Source {
                location_uri: "s3://logs/".to_owned(),
                region: "us-east-1".to_owned(),
                role_arn: "arn:aws:iam::000000000001:role/import".to_owned(),
            },
            range,
        };
        let mut tx = scene.state.begin().await;
        let rules = self.imports.rules();
        let started = rules.start(&mut tx, store.account, &region("us-east-1"), &ask, Utc::now());
        tx.commit(vec![]).await.expect("a commit");
        self.imports.wake();
        started.expect("an import").import
    }

    pub async fn retry(&self, scene: &Scene, import: &Import) {
        let mut tx = scene.state.begin().await;
        let id = import.id.to_string();
        let again = self.imports.rules().retry(&mut tx, import.account, &import.region, &id, Utc::now());
        tx.commit(vec![]).await.expect("a commit");
        again.expect("a retry");
        self.imports.wake();
    }

    pub async fn halt(&self, scene: &Scene, import: &Import) {
        let mut tx = scene.state.begin().await;
        let id = import.id.to_string();
        let stopped = self.imports.rules().stop(&mut tx, import.account, &import.region, &id, Utc::now());
        tx.commit(vec![]).await.expect("a commit");
        stopped.expect("a stop");
        self.imports.wake();
    }

    /// How the import stands now.
    pub fn now(&self, import: &Import) -> (ImportStatus, Statistics) {
        let import = self.imports.rules().get(import.account, &import.region, &import.id.to_string());
        self.imports.statistics(&import.expect("an import")).expect("statistics")
    }

    /// How it ended.
    pub async fn ended(&self, import: &Import) -> (ImportStatus, Statistics) {
        self.until(import, |status, _| !status.is_ongoing()).await
    }

    pub async fn until(
        &self,
        import: &Import,
        is_so: impl Fn(ImportStatus, Statistics) -> bool,
    ) -> (ImportStatus, Statistics) {
        let waiting = async {
            loop {
                let (status, statistics) = self.now(import);
                if is_so(status, statistics) {
                    return (status, statistics);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("in time")
    }
}
