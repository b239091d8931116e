//! A whole server without its network: journal, state, keyring, a bucket in memory, a clock that stands.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it; a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::GzDecoder;
use opentrail_event::{AccountId, Event, Region};
use opentrail_journal::{
    Journal, JournalOptions,
    disk::{CrashKeeps, Disk, FaultyDisk, RealDisk},
};
use opentrail_keyring::{Keyring, MasterKeySource};
use opentrail_selector::{DataResource, EventSelector, Selectors};
use opentrail_state::{OwnedEvent, State, StateOptions};
use opentrail_trails::{
    BucketCheck, Clock, CreateTrail, Delivery, DeliveryError, DeliveryOptions, ListPage, ListedFile,
    LogReader, LogStore, Organization, OrganizationId, PutFile, StoreError, StoredFile, Trail, Trails,
    UpdateTrail, Whose,
    validate::{CLOCKS, Report, ValidateAsk, validate},
};
use parking_lot::Mutex;

pub(crate) fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().unwrap()
}

/// A clock that a test moves.
pub(crate) struct StandingClock(Mutex<DateTime<Utc>>);

impl Clock for StandingClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock()
    }
}

impl StandingClock {
    pub(crate) fn go(&self, seconds: i64) {
        *self.0.lock() += TimeDelta::seconds(seconds);
    }
}

/// How a bucket behaves.
#[derive(Clone, Default)]
pub(crate) enum Mood {
    #[default]
    Well,
    /// Every write is refused so.
    Refuses(StoreError),
    /// Every write happens, and the answer is lost.
    LosesAnswers,
}

#[derive(Clone)]
pub(crate) struct MemoryFile {
    pub(crate) body: Bytes,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) modified: DateTime<Utc>,
}

/// Buckets in memory.
pub(crate) struct MemoryStore {
    pub(crate) clock: Arc<StandingClock>,
    pub(crate) files: Mutex<BTreeMap<(String, String), MemoryFile>>,
    pub(crate) moods: Mutex<BTreeMap<String, Mood>>,
    /// All bodies that were ever written to a key.
    pub(crate) writes: Mutex<BTreeMap<String, Vec<Bytes>>>,
}

impl MemoryStore {
    pub(crate) fn new(clock: Arc<StandingClock>) -> Self {
        Self { clock, files: Mutex::default(), moods: Mutex::default(), writes: Mutex::default() }
    }

    pub(crate) fn mood(&self, bucket: &str, mood: Mood) {
        self.moods.lock().insert(bucket.to_owned(), mood);
    }

    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        self.files.lock().keys().filter(|(b, _)| b == bucket).map(|(_, key)| key.clone()).collect()
    }

    pub(crate) fn log_keys(&self, bucket: &str) -> Vec<String> {
        self.keys(bucket).into_iter().filter(|key| key.contains("/CloudTrail/")).collect()
    }

    pub(crate) fn digest_keys(&self, bucket: &str) -> Vec<String> {
        self.keys(bucket).into_iter().filter(|key| key.contains("/CloudTrail-Digest/")).collect()
    }

    pub(crate) fn take(&self, bucket: &str, key: &str) -> MemoryFile {
        self.files.lock().remove(&(bucket.to_owned(), key.to_owned())).unwrap()
    }

    pub(crate) fn place(&self, bucket: &str, key: &str, file: MemoryFile) {
        self.files.lock().insert((bucket.to_owned(), key.to_owned()), file);
    }

    /// The JSON of a file.
    pub(crate) fn text(&self, bucket: &str, key: &str) -> String {
        let body = self.files.lock()[&(bucket.to_owned(), key.to_owned())].body.clone();
        gunzip(&body)
    }

    /// The event ids in all log files of a bucket, with repetitions, and the region folders they are in.
    pub(crate) fn delivered(&self, bucket: &str) -> Vec<(String, String)> {
        let mut ids = Vec::new();
        for key in self.log_keys(bucket) {
            let json: serde_json::Value = serde_json::from_str(&self.text(bucket, &key)).unwrap();
            let region = key.split("/CloudTrail/").nth(1).unwrap().split('/').next().unwrap().to_owned();
            for record in json["Records"].as_array().unwrap() {
                ids.push((record["eventID"].as_str().unwrap().to_owned(), region.clone()));
            }
        }
        ids
    }

    /// Every retry had the bytes of the first attempt.
    pub(crate) fn assert_same_bytes_on_each_try(&self) {
        for (key, bodies) in self.writes.lock().iter() {
            assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{key} was written with other bytes");
        }
    }
}

pub(crate) fn gunzip(body: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).unwrap();
    text
}

#[async_trait]
impl LogReader for MemoryStore {
    async fn get(&self, bucket: &str, key: &str) -> Result<StoredFile, StoreError> {
        let files = self.files.lock();
        let found = files.get(&(bucket.to_owned(), key.to_owned())).ok_or(StoreError::NoSuchKey)?;
        Ok(StoredFile { body: found.body.clone(), metadata: found.metadata.clone() })
    }

    /// Pages of two files, so that every caller has to ask again.
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        let files = self.files.lock();
        let mut found: Vec<ListedFile> = files
            .iter()
            .filter(|((b, key), _)| {
                b == bucket && key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
            })
            .map(|((_, key), file)| ListedFile {
                key: key.clone(),
                size: file.body.len() as u64,
                modified: Some(file.modified),
            })
            .collect();
        let more = found.len() > 2;
        found.truncate(2);
        Ok(ListPage { files: found, more })
    }
}

#[async_trait]
impl LogStore for MemoryStore {
    async fn put(&self, file: PutFile<'_>) -> Result<(), StoreError> {
        let mood = self.moods.lock().get(file.bucket).cloned().unwrap_or_default();
        if let Mood::Refuses(error) = mood {
            return Err(error);
        }
        assert_eq!((file.content_type, file.content_encoding), ("application/json", "gzip"));
        assert!(file.trail_arn.starts_with("arn:aws:cloudtrail:"));
        self.writes.lock().entry(file.key.to_owned()).or_default().push(file.body.clone());
        let kept =
            MemoryFile { body: file.body, metadata: file.metadata.to_vec(), modified: self.clock.now() };
        self.place(file.bucket, file.key, kept);
        match mood {
            Mood::LosesAnswers => Err(StoreError::Unavailable { reason: "the connection was closed".into() }),
            _ => Ok(()),
        }
    }

    async fn check(&self, _: BucketCheck<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

pub(crate) struct World {
    folder: Arc<tempfile::TempDir>,
    pub(crate) disk: Arc<FaultyDisk>,
    pub(crate) clock: Arc<StandingClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) options: DeliveryOptions,
    pub(crate) state: State,
    pub(crate) keyring: Keyring,
    pub(crate) trails: Trails,
    pub(crate) delivery: Delivery,
}

pub(crate) fn options() -> DeliveryOptions {
    DeliveryOptions { interval: std::time::Duration::from_secs(60), ..DeliveryOptions::default() }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: DeliveryOptions) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(StandingClock(Mutex::new("2026-03-01T10:00:10Z".parse().unwrap())));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
        Self::open(folder, disk, clock, store, options).await
    }

    async fn open(
        folder: Arc<tempfile::TempDir>,
        disk: Arc<FaultyDisk>,
        clock: Arc<StandingClock>,
        store: Arc<MemoryStore>,
        options: DeliveryOptions,
    ) -> Self {
        let files: Arc<dyn Disk> = disk.clone();
        let dir = folder.path().to_owned();
        // The journal and the state are on a disk that does not fail: these tests are about the delivery.
        let real: Arc<dyn Disk> = Arc::new(RealDisk);
        let (journal, _) =
            Journal::open(&dir.join("journal"), JournalOptions::default(), real.clone()).unwrap();
        let now = clock.clone();
        let state_options = StateOptions { clock: Arc::new(move || now.now()), ..StateOptions::default() };
        let state = State::open(journal, &dir.join("state"), real, state_options).await.unwrap();
        let master = MasterKeySource::Bytes(vec![7; 32].into());
        let keyring = Keyring::open(state.clone(), master, account()).await.unwrap();
        let delivery = Delivery::open(
            &dir.join("trails"),
            state.clone(),
            keyring.clone(),
            store.clone(),
            files,
            clock.clone(),
            options.clone(),
        )
        .await
        .unwrap();
        let trails = Trails::new(state.clone());
        Self { folder, disk, clock, store, options, state, keyring, trails, delivery }
    }

    pub(crate) fn delivery_dir(&self) -> PathBuf {
        self.folder.path().join("trails")
    }

    /// The process ends and starts again; the delivery's disk keeps what it would keep.
    pub(crate) async fn restart(self, keeps: CrashKeeps) -> Self {
        let Self { folder, disk, clock, store, options, state, keyring, trails, delivery } = self;
        drop((delivery, keyring, trails));
        state.journal().close().await;
        drop(state);
        disk.crash(keeps).unwrap();
        Self::open(folder, disk, clock, store, options).await
    }

    pub(crate) async fn create(&self, ask: CreateTrail, at: &str) -> Trail {
        let mut tx = self.state.begin().await;
        let trail = self.trails.create(&mut tx, account(), &region(at), &ask, self.clock.now()).unwrap();
        let name = trail.name.as_str();
        let trail =
            self.trails.start_logging(&mut tx, account(), &region(at), name, self.clock.now()).unwrap();
        tx.commit(vec![]).await.unwrap();
        trail
    }

    /// A multi-region trail with validation into the bucket `audit`, logging.
    pub(crate) async fn create_usual(&self) -> Trail {
        self.create(usual(), "us-east-1").await
    }

    /// Lets a trail take all S3 data events besides management events.
    pub(crate) async fn take_data_events(&self, name: &str) -> Trail {
        let resource = DataResource { kind: "AWS::S3::Object".into(), values: vec!["arn:aws:s3".into()] };
        let selector = EventSelector { data_resources: vec![resource], ..EventSelector::default() };
        let selectors = Selectors::Basic(vec![selector]);
        let mut tx = self.state.begin().await;
        let now = self.clock.now();
        let trail = self.trails.put_selectors(&mut tx, account(), &region("us-east-1"), name, selectors, now);
        tx.commit(vec![]).await.unwrap();
        trail.unwrap()
    }

    pub(crate) async fn update(&self, ask: UpdateTrail) {
        let mut tx = self.state.begin().await;
        self.trails.update(&mut tx, account(), &region("us-east-1"), &ask, self.clock.now()).unwrap();
        tx.commit(vec![]).await.unwrap();
    }

    pub(crate) async fn stop(&self, name: &str, events: Vec<OwnedEvent>) {
        let mut tx = self.state.begin().await;
        self.trails.stop_logging(&mut tx, account(), &region("us-east-1"), name, self.clock.now()).unwrap();
        tx.commit(events).await.unwrap();
    }

    pub(crate) async fn start(&self, name: &str, events: Vec<OwnedEvent>) {
        let mut tx = self.state.begin().await;
        self.trails.start_logging(&mut tx, account(), &region("us-east-1"), name, self.clock.now()).unwrap();
        tx.commit(events).await.unwrap();
    }

    pub(crate) async fn delete(&self, name: &str, events: Vec<OwnedEvent>) {
        let mut tx = self.state.begin().await;
        self.trails.delete(&mut tx, account(), &region("us-east-1"), name).unwrap();
        tx.commit(events).await.unwrap();
    }

    /// The organization is like this from now on: these accounts and the management account, which is the usual one.
    pub(crate) async fn follow(&self, members: &[AccountId], trusted: bool, events: Vec<OwnedEvent>) {
        let organization = Organization {
            id: organization_id(),
            management: account(),
            all_features: true,
            trusted,
            administrators: BTreeSet::new(),
        };
        let mut tx = self.state.begin().await;
        opentrail_trails::organization::follow(&mut tx, &organization, &members.iter().copied().collect());
        tx.commit(events).await.unwrap();
    }

    /// Records events of an account with these ids in a region.
    pub(crate) async fn record_of(
        &self,
        owner: AccountId,
        region: &str,
        ids: impl IntoIterator<Item = String>,
    ) {
        let events = ids.into_iter().map(|id| OwnedEvent { owner, ..owned(&id, region) }).collect();
        self.state.append(vec![], events).await.unwrap();
    }

    /// What validates the files of one account that the trail `main` of the organization wrote.
    pub(crate) fn ask_of(&self, account: AccountId) -> ValidateAsk {
        let whose = Whose { account, organization: Some(organization_id()) };
        ValidateAsk { whose, ..self.ask() }
    }

    /// Records events with these ids in a region.
    pub(crate) async fn record(&self, region: &str, ids: impl IntoIterator<Item = String>) {
        let events = ids.into_iter().map(|id| owned(&id, region)).collect();
        self.state.append(vec![], events).await.unwrap();
    }

    /// Lets a delivery interval pass.
    pub(crate) async fn interval(&self) -> Result<(), DeliveryError> {
        self.clock.go(61);
        self.delivery.tick().await
    }

    /// Lets a digest interval pass, in steps of the delivery interval.
    pub(crate) async fn hour(&self) {
        for _ in 0..60 {
            self.interval().await.unwrap();
        }
    }

    pub(crate) fn ask(&self) -> ValidateAsk {
        ValidateAsk {
            bucket: "audit".to_owned(),
            prefix: None,
            whose: account().into(),
            trail: Some(("main".parse().unwrap(), region("us-east-1"))),
            regions: None,
            start: None,
            end: None,
            heads: Some(self.heads()),
            find_unlisted: true,
            clocks: CLOCKS,
            concurrency: 8,
        }
    }

    pub(crate) fn heads(&self) -> Vec<opentrail_trails::ChainHead> {
        self.delivery.chain_heads("arn:aws:cloudtrail:us-east-1:123456789012:trail/main", None)
    }

    pub(crate) async fn validate(&self, ask: ValidateAsk) -> Report {
        let keys = Arc::new(self.keyring.clone());
        validate(self.store.clone(), keys, ask, Arc::new(|_| {})).await.unwrap()
    }

    /// Without the server's knowledge of chains.
    pub(crate) fn ask_alone(&self) -> ValidateAsk {
        ValidateAsk { heads: None, ..self.ask() }
    }
}

pub(crate) fn organization_id() -> OrganizationId {
    "o-exampleorgid".parse().unwrap()
}

/// A member account: twelve times the digit.
pub(crate) fn member(digit: u8) -> AccountId {
    digit.to_string().repeat(12).parse().unwrap()
}

pub(crate) fn usual() -> CreateTrail {
    CreateTrail {
        name: "main".into(),
        bucket: "audit".into(),
        is_multi_region: Some(true),
        log_file_validation: Some(true),
        ..CreateTrail::default()
    }
}

pub(crate) fn owned(id: &str, region: &str) -> OwnedEvent {
    let text = format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"Root"}},"eventTime":"2026-03-01T09:59:59Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"{region}","eventID":"{id}","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}}"#
    );
    OwnedEvent { owner: account(), event: Event::parse(text.into()).unwrap() }
}

pub(crate) fn ids(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|i| format!("event-{i:06}")).collect()
}

/// The ids that were delivered and begin with `event-`, each exactly once, or the test fails.
pub(crate) fn exactly_once(store: &MemoryStore, bucket: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (id, _) in store.delivered(bucket) {
        assert!(seen.insert(id.clone()), "{id} was delivered twice");
    }
    seen.retain(|id| id.starts_with("event-"));
    seen
}
