//! What runs the imports.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::{DateTime, Days, Utc};
use opentrail_event::Event;
use opentrail_journal::disk::Disk;
use opentrail_state::{OwnedEvent, State};
use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    crew::Crew,
    document::{Import, ImportStatus},
    fetch::Fetcher,
    ledger::{Failure, FailureStatus, Fault, Ledger, Ledgers, Progress},
    location::Location,
    room::{Room, bytes_of, portions_with},
    rules::ImportRules,
    run::{LEFT_OUT, LISTING, MAX_AHEAD, Run, RunError, Shown, kept},
    source::{Source, SourceError},
    writer::{NotWritten, Piece, Taken, Writer},
};
use crate::{
    LakeError,
    ingest::Lake,
    store::{EventDataStore, StoreId, StoreStatus, Stores},
};

/// Imports that run at the same time; others wait for their turn.
const AT_ONCE: usize = 2;
/// How often it is looked for what is to be done, at least.
const LOOK: Duration = Duration::from_millis(200);
/// A writer that nobody used for so long is let go, with the ids that it knows.
const IDLE: Duration = Duration::from_secs(60);
/// The first pause after a run that could not write, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What the work needs of the server.
#[async_trait]
pub trait Buckets: Send + Sync + 'static {
    /// The bucket of an import, to be read with the rights of its role.
    ///
    /// # Errors
    /// [`SourceError`] where the role can't be taken on, or there is no such bucket.
    async fn source(&self, import: &Import) -> Result<Arc<dyn Source>, SourceError>;

    /// The records that an import has ended, for the entry that says so.
    fn ended(&self, import: &Import, statistics: &Statistics) -> Vec<OwnedEvent>;
}

/// How far an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Folders that were found.
    pub prefixes_found: u64,
    /// Folders whose files are all done.
    pub prefixes_completed: u64,
    /// Files that were taken.
    pub files_completed: u64,
    /// Events that were not in the store before.
    pub events_completed: u64,
    /// Files, and listings, that could not be taken.
    pub failed_entries: u64,
    /// Events that were left out, being older than the store keeps events.
    pub events_expired: u64,
}

impl Statistics {
    fn of(found: u64, failed: u64, progress: &Progress) -> Self {
        Self {
            prefixes_found: found.max(progress.prefixes),
            prefixes_completed: progress.prefixes,
            files_completed: progress.files,
            events_completed: progress.events,
            failed_entries: failed,
            events_expired: progress.expired,
        }
    }
}

/// Failures, each with the digest of its key and its location; and whether there are more.
pub type FailurePage = (Vec<(String, String, Failure)>, bool);

/// What became of an upload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// What was taken.
    pub taken: Taken,
    /// Events that are older than the store keeps them.
    pub expired: u64,
}

/// The imports at work. Clones are the same.
#[derive(Clone)]
pub struct Imports {
    inner: Arc<Inner>,
}

struct Inner {
    lake: Lake,
    state: State,
    stores: Stores,
    rules: ImportRules,
    ledgers: Ledgers,
    crew: Crew,
    room: Arc<Room>,
    writers: Mutex<HashMap<StoreId, (Writer, Instant)>>,
    running: Mutex<HashMap<Uuid, Running>>,
    /// Imports whose documents are about to go; what they left goes after them.
    leaving: Mutex<HashSet<Uuid>>,
    wake: Notify,
}

struct Running {
    runs: u32,
    shown: Arc<Shown>,
    stop: CancellationToken,
}

impl Imports {
    /// The imports into a lake's stores, with their ledgers in `folder`. [`Imports::run`] does the work.
    ///
    /// # Errors
    /// [`LakeError::Disk`] if the folder can't be made or threads not be started.
    pub fn open(folder: &Path, state: &State, disk: Arc<dyn Disk>, lake: Lake) -> Result<Self, LakeError> {
        let stores = Stores::new(state.clone());
        let inner = Inner {
            rules: ImportRules::new(state.clone(), stores.clone()),
            ledgers: Ledgers::open(folder, disk)?,
            crew: Crew::new().map_err(LakeError::disk(folder))?,
            room: Arc::new(Room::new()),
            lake,
            state: state.clone(),
            stores,
            writers: Mutex::default(),
            running: Mutex::default(),
            leaving: Mutex::default(),
            wake: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The operations on imports.
    pub fn rules(&self) -> &ImportRules {
        &self.inner.rules
    }

    /// Something is to be done: an import was started or stopped.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// How an import stands.
    pub fn status(&self, import: &Import) -> ImportStatus {
        let runs = |running: &Running| running.runs == import.runs;
        let is_running = self.inner.running.lock().get(&import.id).is_some_and(runs);
        if is_running && import.status == ImportStatus::Initializing {
            ImportStatus::InProgress
        } else {
            import.status
        }
    }

    /// How an import stands and how far it is.
    ///
    /// # Errors
    /// If what it left can't be read.
    pub fn statistics(&self, import: &Import) -> Result<(ImportStatus, Statistics), LakeError> {
        if let Some(running) = self.inner.running.lock().get(&import.id).filter(|it| it.runs == import.runs) {
            let shown = &running.shown;
            let (found, failed) = (shown.found.load(Ordering::Relaxed), shown.failed.load(Ordering::Relaxed));
            let statistics = Statistics::of(found, failed, &shown.progress.lock());
            let is_waiting = import.status == ImportStatus::Initializing;
            let status = if is_waiting { ImportStatus::InProgress } else { import.status };
            return Ok((status, statistics));
        }
        let ledger = self.inner.ledgers.read(import.id)?;
        let progress = self.progress(import, &ledger);
        Ok((import.status, Statistics::of(ledger.found, ledger.failed() as u64, &progress)))
    }

    /// How far an import is that nobody works on: what the store's table says, or else the ledger's copy of it.
    fn progress(&self, import: &Import, ledger: &Ledger) -> Progress {
        let store = import.store().and_then(|arn| self.inner.stores.by_arn(&arn));
        let live = store.and_then(|it| self.inner.lake.table(it.id));
        let mark = live.and_then(|live| live.mark(&import.mark()));
        mark.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(ledger.progress.clone())
    }

    /// At most `limit` of the failures of an import, ordered by key, after the one whose key has the digest `after`, and
    /// whether there are more. That events were left out is the last of them, though no file failed for it. Each comes with its key's digest and its location. `None` where no key has that digest.
    ///
    /// # Errors
    /// If what the import left can't be read.
    pub fn failures(
        &self,
        import: &Import,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<FailurePage>, LakeError> {
        let digest = |key: &str| format!("{:032x}", xxh3_128(key.as_bytes()));
        let mut ledger = self.inner.ledgers.read(import.id)?;
        let expired = self.progress(import, &ledger).expired;
        if expired > 0 {
            ledger.failures.insert(LEFT_OUT.to_owned(), left_out(import, expired));
        }
        let uri_of = |key: &str| match Location::parse(&import.source.location_uri) {
            Ok(location) if key != LISTING && key != LEFT_OUT => location.uri_of(key),
            _ => import.source.location_uri.clone(),
        };
        let mut rest = ledger.failures.into_iter();
        if let Some(after) = after
            && !rest.any(|(key, _)| digest(&key) == after)
        {
            return Ok(None);
        }
        let page =
            rest.by_ref().take(limit).map(|(key, failure)| (digest(&key), uri_of(&key), failure)).collect();
        Ok(Some((page, rest.next().is_some())))
    }

    /// What an import left is removed as soon as its document is gone: the change that removes it may fail yet.
    pub fn forget_once_gone(&self, id: Uuid) {
        self.inner.leaving.lock().insert(id);
    }

    /// Writes events into a store, those that it does not have; they are durable when this returns. Uploads that come
    /// at the same time are one commit.
    ///
    /// # Errors
    /// [`NotWritten`]: sending the same events again is safe.
    pub async fn upload(
        &self,
        store: &EventDataStore,
        events: Vec<Event>,
        now: DateTime<Utc>,
    ) -> Result<Uploaded, NotWritten> {
        let (events, expired) = kept(events, oldest_kept(store, now));
        let writer = self.inner.writer(store);
        let room = self.inner.room.texts(bytes_of(&events) as u64).await;
        let mut answers = Vec::new();
        // What is handed over is written in its order.
        for (events, room) in portions_with(events, room) {
            answers.push(writer.write(Piece { events, step: None, room }).await?);
        }
        let mut uploaded = Uploaded { taken: Taken::default(), expired };
        for answer in answers {
            let taken = answer.await.unwrap_or_else(|_| Err(NotWritten::interrupted()))?;
            uploaded.taken.accepted += taken.accepted;
            uploaded.taken.duplicates += taken.duplicates;
        }
        Ok(uploaded)
    }

    /// Works until `stop`.
    pub async fn run(self, buckets: Arc<dyn Buckets>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        // A process that ended may have had no time for it.
        match self.inner.ledgers.ids() {
            Ok(ids) => drop(self.inner.forget_what_is_gone(ids.into_iter().collect())),
            Err(error) => tracing::warn!(%error, "what imports left can't be listed"),
        }
        loop {
            self.inner.forget_those_that_left();
            self.inner.stop_what_is_not_wanted();
            self.inner.start_what_is(&buckets, &mut tasks);
            self.inner.let_writers_go();
            tokio::select! {
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "an import ended badly; it is tried again");
                        self.inner.forget_dead();
                    }
                }
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => break,
            }
        }
        self.inner.running.lock().values().for_each(|running| running.stop.cancel());
        while tasks.join_next().await.is_some() {}
    }
}

impl Inner {
    fn stop_what_is_not_wanted(&self) {
        for (id, running) in &*self.running.lock() {
            let wanted =
                self.rules.ongoing().iter().any(|import| import.id == *id && import.runs == running.runs);
            if !wanted {
                running.stop.cancel();
            }
        }
    }

    fn start_what_is(self: &Arc<Self>, buckets: &Arc<dyn Buckets>, tasks: &mut JoinSet<()>) {
        for import in self.rules.ongoing() {
            let mut running = self.running.lock();
            if running.len() >= AT_ONCE {
                return;
            }
            if running.contains_key(&import.id) {
                continue;
            }
            let (shown, stop) = (Arc::<Shown>::default(), CancellationToken::new());
            let it = Running { runs: import.runs, shown: shown.clone(), stop: stop.clone() };
            running.insert(import.id, it);
            let (inner, buckets) = (self.clone(), buckets.clone());
            tasks.spawn(async move {
                let id = import.id;
                tokio::select! {
                    () = inner.work(&import, &*buckets, &shown) => {}
                    () = stop.cancelled() => {}
                }
                inner.running.lock().remove(&id);
                inner.wake.notify_one();
            });
        }
    }

    fn forget_those_that_left(&self) {
        let mut leaving = self.leaving.lock();
        if !leaving.is_empty() {
            *leaving = self.forget_what_is_gone(std::mem::take(&mut leaving));
        }
    }

    /// Removes what those of these imports left that have no document; the others are the answer.
    fn forget_what_is_gone(&self, ids: HashSet<Uuid>) -> HashSet<Uuid> {
        let there: HashSet<Uuid> = self.rules.ids().collect();
        let (stay, gone): (HashSet<Uuid>, HashSet<Uuid>) = ids.into_iter().partition(|id| there.contains(id));
        for id in gone {
            if let Err(error) = self.ledgers.forget(id) {
                tracing::warn!(%error, "what an import left can't be removed; it is tried at the next start");
            }
        }
        stay
    }

    /// A task that panicked did not say that it ended.
    fn forget_dead(&self) {
        self.running.lock().retain(|_, running| Arc::strong_count(&running.shown) > 1);
    }

    /// Runs an import until it has come to its end.
    async fn work(&self, import: &Arc<Import>, buckets: &dyn Buckets, shown: &Arc<Shown>) {
        let mut pause = PAUSES.0;
        loop {
            let done = match self.prepare(import, buckets, shown).await {
                Ok(run) => run.run().await,
                Err(error) => self.refuse(import, shown, error).await.map_err(RunError::from),
            };
            let ended = match done {
                Ok(status) => self.end(import, status, buckets).await,
                Err(error) => Err(error.to_string()),
            };
            let Err(error) = ended else { return };
            tracing::warn!(import = %import.id, error, ?pause, "an import waits; it goes on from where it was");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn prepare(
        &self,
        import: &Arc<Import>,
        buckets: &dyn Buckets,
        shown: &Arc<Shown>,
    ) -> Result<Run, SourceError> {
        let store = import.store().and_then(|arn| self.stores.by_arn(&arn));
        let store = store.filter(|store| store.status != StoreStatus::PendingDeletion).ok_or_else(|| {
            let message = format!("The event data store {} is inactive.", import.destination);
            SourceError::refused("InactiveEventDataStore", message)
        })?;
        let location = Location::parse(&import.source.location_uri)
            .map_err(|error| SourceError::refused("InvalidImportSource", error.to_string()))?;
        self.check_key(&store).await?;
        let source = buckets.source(import).await?;
        Ok(Run {
            import: import.clone(),
            location,
            fetcher: Fetcher { source, crew: self.crew.clone(), room: self.room.clone() },
            writer: self.writer(&store),
            ledgers: self.ledgers.clone(),
            shown: shown.clone(),
            oldest: oldest_kept(&store, self.lake.now()),
            newest: self.lake.now() + MAX_AHEAD,
        })
    }

    /// What is imported is sealed with the store's key. Without it an import would wait for as long as the key is closed.
    async fn check_key(&self, store: &EventDataStore) -> Result<(), SourceError> {
        let Some(key) = &store.kms_key else { return Ok(()) };
        let opened = self.lake.inner.options.keys.open(store, key).await;
        opened.map(drop).map_err(|refused| {
            let message = format!("The KMS key {} of the event data store can't be used: {refused}", key.arn);
            SourceError::refused("InsufficientEncryptionPolicy", message)
        })
    }

    /// Notes why an import could not begin, or not go on.
    async fn refuse(
        &self,
        import: &Import,
        shown: &Shown,
        error: SourceError,
    ) -> Result<ImportStatus, LakeError> {
        let (ledgers, id, runs) = (self.ledgers.clone(), import.id, import.runs);
        let noting = move || {
            let (mut ledger, now) = (ledgers.read(id)?, Utc::now());
            ledger.begin(runs, now);
            ledger.fail(LISTING, Fault::new(error.kind, error.message), now);
            ledgers.write(id, &ledger).map(|()| ledger.failed() as u64)
        };
        let failed = tokio::task::spawn_blocking(noting).await.map_err(|_| LakeError::Interrupted)??;
        shown.failed.store(failed, Ordering::Relaxed);
        Ok(ImportStatus::Failed)
    }

    /// Says in its document that an import has ended, unless somebody stopped it meanwhile.
    async fn end(&self, import: &Import, status: ImportStatus, buckets: &dyn Buckets) -> Result<(), String> {
        let mut tx = self.state.begin().await;
        let document = tx.get::<Import>(&import.document());
        let Some(now) = document.filter(|now| now.runs == import.runs && now.status.is_ongoing()) else {
            return Ok(());
        };
        let ended = Import { status, updated: Utc::now(), ..Import::clone(&now) };
        let statistics = self.running.lock().get(&import.id).map(|it| {
            let (found, failed) = (&it.shown.found, &it.shown.failed);
            Statistics::of(
                found.load(Ordering::Relaxed),
                failed.load(Ordering::Relaxed),
                &it.shown.progress.lock(),
            )
        });
        tx.put(&ended.document(), &ended);
        let statistics = statistics.unwrap_or_default();
        if statistics.events_expired > 0 {
            let (store, events) = (&import.destination, statistics.events_expired);
            tracing::warn!(import = %import.id, store, events, "events older than the store keeps were left out");
        }
        let records = buckets.ended(&ended, &statistics);
        tx.commit(records).await.map(drop).map_err(|error| error.to_string())
    }

    fn writer(&self, store: &EventDataStore) -> Writer {
        let mut writers = self.writers.lock();
        let start = || {
            let live = self.lake.table_of(store);
            let writer = Writer::start(self.lake.clone(), live, self.crew.clone(), self.room.clone());
            (writer, Instant::now())
        };
        let (writer, used) = writers.entry(store.id).or_insert_with(start);
        *used = Instant::now();
        writer.clone()
    }

    fn let_writers_go(&self) {
        self.writers.lock().retain(|_, (writer, used)| used.elapsed() < IDLE || writer.is_used());
    }
}

/// What is said of events that were left out.
fn left_out(import: &Import, events: u64) -> Failure {
    let message = format!(
        "{events} events are older than the event data store keeps events, and were left out. Give it a longer \
         retention period and import them again."
    );
    let fault = Fault::new("EventsOutsideRetentionPeriod", message);
    Failure { status: FailureStatus::Failed, fault, updated: import.updated }
}

fn oldest_kept(store: &EventDataStore, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    now.checked_sub_days(Days::new(u64::from(store.retention_days)))
}
