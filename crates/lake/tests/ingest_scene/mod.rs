//! A lake with everything below it, and events to put into it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of the scene")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use arrow_array::{RecordBatch, StringArray, cast::AsArray};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::ObjectStoreExt;
use opentrail_event::{AccountId, Event, Region};
use opentrail_journal::{
    Journal, JournalOptions, Seq,
    disk::{CrashKeeps, Disk, FaultyDisk},
};
use opentrail_lake::{
    ingest::{Lake, LakeOptions, View},
    store::{CreateEventDataStore, EventDataStore, StoreId, Stores},
    warehouse::Warehouse,
};
use opentrail_state::{OwnedEvent, State, StateOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub fn owner(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

pub fn region(name: &str) -> Region {
    name.parse().unwrap()
}

/// The time at which tests take place.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

pub fn options() -> LakeOptions {
    LakeOptions {
        flush_after: Duration::from_secs(3600),
        tidy_every: Duration::from_secs(3600),
        clock: Arc::new(now),
        ..LakeOptions::default()
    }
}

/// An event of today.
pub fn event(id: impl Into<String>) -> Event {
    event_at(id, "us-east-1", now())
}

pub fn event_at(id: impl Into<String>, region: &str, time: DateTime<Utc>) -> Event {
    of_category(id, region, time, "Management")
}

pub fn of_category(id: impl Into<String>, region: &str, time: DateTime<Utc>, category: &str) -> Event {
    let raw = format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","userName":"alice"}},"eventTime":"{}","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"{region}","eventID":"{}","readOnly":false,"requestParameters":{{"a":"b"}},"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"}}],"eventCategory":"{category}"}}"#,
        time.format("%Y-%m-%dT%H:%M:%SZ"),
        id.into(),
    );
    Event::parse(Bytes::from(raw)).unwrap()
}

pub fn numbered(range: std::ops::Range<usize>) -> Vec<Event> {
    range.map(|number| event(format!("{number:06}"))).collect()
}

pub fn ids_of(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{number:06}")).collect()
}

pub struct Scene {
    pub dir: Arc<TempDir>,
    pub disk: FaultyDisk,
    pub state: State,
    pub stores: Stores,
    pub lake: Lake,
    pub options: LakeOptions,
}

impl Scene {
    pub async fn new(options: LakeOptions) -> Self {
        let dir = Arc::new(TempDir::new().unwrap());
        Self::open(dir, FaultyDisk::default(), options).await
    }

    pub async fn open(dir: Arc<TempDir>, disk: FaultyDisk, options: LakeOptions) -> Self {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let (journal, _) =
            Journal::open(&dir.path().join("journal"), JournalOptions::default(), shared.clone()).unwrap();
        let state = State::open(journal, &dir.path().join("state"), shared.clone(), StateOptions::default())
            .await
            .unwrap();
        let warehouse = Warehouse::in_data_folder(&dir.path().join("lake/tables"), shared.clone()).unwrap();
        let lake =
            Lake::open(&dir.path().join("lake"), &state, shared, warehouse, options.clone()).await.unwrap();
        let stores = Stores::new(state.clone());
        Self { dir, disk, state, stores, lake, options }
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    pub fn tables(&self) -> PathBuf {
        self.folder().join("tables")
    }

    /// Ends everything and starts again.
    pub async fn reopened(self) -> Self {
        let Self { dir, disk, state, stores, lake, options } = self;
        state.journal().close().await;
        drop((state, stores, lake));
        Self::open(dir, disk, options).await
    }

    /// The machine loses its power and starts again.
    pub async fn crashed(self, keeps: CrashKeeps) -> Self {
        let Self { dir, disk, state, stores, lake, options } = self;
        disk.crash(keeps).unwrap();
        state.journal().close().await;
        drop((state, stores, lake));
        Self::open(dir, disk, options).await
    }

    /// A store of the account's management events.
    pub async fn create(&self, account: AccountId, name: &str) -> EventDataStore {
        self.create_with(account, name, CreateEventDataStore::default()).await
    }

    pub async fn create_with(
        &self,
        account: AccountId,
        name: &str,
        ask: CreateEventDataStore,
    ) -> EventDataStore {
        let ask = CreateEventDataStore { name: name.to_owned(), termination_protection: Some(false), ..ask };
        let mut tx = self.state.begin().await;
        let store = self.stores.create(&mut tx, account, &region("us-east-1"), &ask, now()).unwrap();
        tx.commit(vec![]).await.unwrap();
        store
    }

    pub async fn append(&self, owner: AccountId, events: Vec<Event>) -> Seq {
        let events = events.into_iter().map(|event| OwnedEvent { owner, event }).collect();
        self.state.append(Vec::new(), events).await.unwrap()
    }

    /// Takes in what the journal has.
    pub async fn caught_up(&self) {
        let durable = self.state.journal().durable();
        let waiting = tokio::time::timeout(Duration::from_secs(60), self.lake.caught_up(durable));
        waiting.await.expect("the lake takes in what the journal has");
    }

    /// Starts the follower.
    pub fn start(&self) -> Running {
        let stop = CancellationToken::new();
        Running { task: tokio::spawn(self.lake.clone().run(stop.clone())), stop }
    }

    /// Follows the journal to its end and no further.
    pub async fn follow(&self) {
        let running = self.start();
        self.caught_up().await;
        running.stop().await;
    }

    /// The ids of all events in a store, sorted.
    pub async fn ids(&self, id: StoreId) -> Vec<String> {
        self.ids_in(&self.lake.view(id).expect("a store")).await
    }

    pub async fn ids_in(&self, view: &View) -> Vec<String> {
        let mut ids: Vec<String> = view.tail.iter().flat_map(ids).collect();
        ids.extend(self.ids_in_files(view).await);
        ids.sort();
        ids
    }

    pub async fn ids_in_files(&self, view: &View) -> Vec<String> {
        let mut found = Vec::new();
        for file in view.files() {
            let id = file.path.parts().next().unwrap().as_ref().parse().unwrap();
            let live = self.lake.table(id).unwrap();
            let bytes = live.warehouse().store().get(&file.path).await.unwrap().bytes().await.unwrap();
            assert_eq!(bytes.len() as u64, file.size);
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            let before = found.len();
            found.extend(reader.flat_map(|batch| ids(&batch.unwrap())));
            assert_eq!((found.len() - before) as u64, file.rows);
        }
        found
    }

    /// What is in each store, by its name.
    pub async fn contents(&self) -> BTreeMap<String, Vec<String>> {
        let mut all = BTreeMap::new();
        for store in self.stores.all() {
            all.insert(store.name.clone(), self.ids(store.id).await);
        }
        all
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

fn ids(batch: &RecordBatch) -> Vec<String> {
    let column = batch.column_by_name("eventID").unwrap();
    let column = arrow_cast_to_string(column);
    column.iter().map(|id| id.unwrap().to_owned()).collect()
}

/// Texts as they are in files and in tails.
fn arrow_cast_to_string(column: &arrow_array::ArrayRef) -> StringArray {
    match column.data_type() {
        arrow_schema::DataType::Utf8View => column.as_string_view().iter().collect(),
        arrow_schema::DataType::LargeUtf8 => column.as_string::<i64>().iter().collect(),
        _ => column.as_string::<i32>().clone(),
    }
}
