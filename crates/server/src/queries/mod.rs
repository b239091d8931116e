//! Queries over event data stores: those that wait, those that run, and what came of the others.
//!
//! A query is a document from StartQuery on; the worker here ([`Queries::run`]) sees it when its entry is durable, waits
//! for a place among those that run, and hands the engine the stores' tables as they are then. The rows go to the shelf
//! while they come, so that a large result takes no memory; when the last is durable, what came of the query is kept
//! beside them and the document goes. Events come in by other threads than queries run on.

mod carry_out;
mod csv;
mod delivery;
mod sign_file;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_journal::disk::Disk;
use opentrail_keyring::Keyring;
use opentrail_lake::{
    LakeError,
    ingest::{Lake, TableKeys},
    query::{
        DEFAULT_KEPT_BYTES, DeliveryStatus, Listing, Outcome, Query, QueryId, QueryStatus, Record,
        ResultSeal, Shelf, open,
    },
    store::{StoreArn, Stores as EventDataStores},
    warehouse::KeyRefused,
};
use opentrail_sql::{Engine, EngineOptions, MemoryGauge, SqlError, Statement};
use opentrail_state::{State, Transaction};
use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{error::ServerError, lake_keys::LakeKeys, store::Stores, worker::clock::SteadyClock};

/// How often queries that are over their seven days are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);
/// Why a query is [`QueryStatus::Failed`] that the server's end interrupted.
const INTERRUPTED: &str = "The server ended while the query ran. Start the query again.";
/// Texts of queries that are read at a time; others wait.
const READ_AT_ONCE: usize = 4;

/// What queries may use.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// Memory of all queries together, in bytes; what needs more is spilled to disk.
    pub memory: usize,
    /// Bytes that may be spilled. None are where the data folder is encrypted: what is spilled is in the clear.
    pub spill: u64,
    /// How long a query may run.
    pub time: Duration,
    /// Bytes on the disk that results of all queries may take; those of the oldest go before their seven days are over.
    pub results: u64,
    /// How many run at a time; others wait.
    pub concurrent: usize,
    /// Says how much memory queries use; `None`: only what holds rows on purpose is bounded.
    pub gauge: Option<Arc<dyn MemoryGauge>>,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            spill: 20 << 30,
            time: Duration::from_secs(3600),
            results: DEFAULT_KEPT_BYTES,
            concurrent: 2,
            gauge: None,
        }
    }
}

/// What queries work with.
pub(crate) struct Parts {
    pub(crate) state: State,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) keyring: Keyring,
    pub(crate) lake: Lake,
    pub(crate) lake_keys: Arc<LakeKeys>,
    pub(crate) event_data_stores: EventDataStores,
    pub(crate) buckets: Arc<Stores>,
    /// Where results are kept.
    pub(crate) folder: PathBuf,
    /// Where queries spill to. It is emptied at each start.
    pub(crate) spill_folder: PathBuf,
}

/// The queries of all accounts. Clones are the same.
#[derive(Clone)]
pub(crate) struct Queries {
    inner: Arc<Inner>,
}

struct Inner {
    state: State,
    keyring: Keyring,
    lake: Lake,
    lake_keys: Arc<LakeKeys>,
    event_data_stores: EventDataStores,
    buckets: Arc<Stores>,
    engine: Engine,
    shelf: Shelf,
    time: Duration,
    results: u64,
    places: Semaphore,
    reading: Semaphore,
    active: RwLock<HashMap<QueryId, Arc<Active>>>,
    begun: Notify,
}

/// A query that waits or runs.
struct Active {
    query: Arc<Query>,
    cancel: CancellationToken,
    is_running: AtomicBool,
    /// How it ended is decided: it can't be cancelled any more. Set and read by whoever holds a transaction.
    is_decided: AtomicBool,
    began: Mutex<Option<Instant>>,
    events: AtomicU64,
    bytes: AtomicU64,
}

/// A query as its callers see it.
pub(crate) struct Seen {
    pub(crate) query: Arc<Query>,
    pub(crate) outcome: Outcome,
}

impl Queries {
    /// Opens the shelf and the engine. Queries that the last end of the server interrupted have failed.
    pub(crate) async fn open(parts: Parts, options: &QueryOptions) -> Result<Self, ServerError> {
        let Parts { state, disk, keyring, lake, lake_keys, event_data_stores, buckets, folder, spill_folder } =
            parts;
        let shelf = blocking(move || Shelf::open(folder, disk)).await?;
        let engine = Engine::new(EngineOptions {
            memory: options.memory,
            spill_folder,
            spill: options.spill,
            threads: threads(),
            concurrent: options.concurrent,
            gauge: options.gauge.clone(),
        })?;
        let inner = Inner {
            state,
            keyring,
            lake,
            lake_keys,
            event_data_stores,
            buckets,
            engine,
            shelf,
            time: options.time,
            results: options.results,
            places: Semaphore::new(options.concurrent),
            reading: Semaphore::new(READ_AT_ONCE),
            active: RwLock::default(),
            begun: Notify::new(),
        };
        let queries = Self { inner: Arc::new(inner) };
        queries.settle_interrupted().await?;
        Ok(queries)
    }

    async fn settle_interrupted(&self) -> Result<(), ServerError> {
        for query in open::all(&self.inner.state) {
            if self.inner.shelf.brief(query.id).is_none() {
                let (status, error) = if query.is_cancelled {
                    (QueryStatus::Cancelled, None)
                } else {
                    (QueryStatus::Failed, Some(INTERRUPTED.to_owned()))
                };
                let mut outcome = Outcome::without_rows(status, Utc::now(), error);
                outcome.delivery = query.destination.is_some().then_some(DeliveryStatus::Cancelled);
                self.keep(Record { query: (*query).clone(), outcome }).await?;
            }
            self.close(&query).await?;
        }
        Ok(())
    }

    /// What plans and runs queries.
    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Reads a query's text, on a thread that may be kept busy.
    ///
    /// # Errors
    /// What [`Statement::parse`] says.
    pub(crate) async fn read(&self, text: String) -> Result<Statement, SqlError> {
        let _turn = self.inner.reading.acquire().await;
        let read = tokio::task::spawn_blocking(move || Statement::parse(&text)).await;
        read.unwrap_or_else(|error| Err(SqlError::Internal(format!("a query was not read: {error}"))))
    }

    /// Those of some stores, by their ARNs, that have keys: the rows of a query over them are sealed.
    fn with_keys(&self, stores: &[String]) -> Vec<String> {
        let has_key = |arn: &&String| {
            let store = StoreArn::parse(arn).ok().and_then(|arn| self.inner.event_data_stores.by_arn(&arn));
            store.is_some_and(|store| store.kms_key.is_some())
        };
        stores.iter().filter(has_key).cloned().collect()
    }

    /// What the rows of a query are sealed with that is sealed under the keys of these stores.
    ///
    /// # Errors
    /// [`KeyRefused`] where one of the keys can't be opened now, or its store is gone.
    pub(crate) async fn seal(&self, sealed: &[String]) -> Result<Option<ResultSeal>, KeyRefused> {
        let mut keys = Vec::with_capacity(sealed.len());
        for arn in sealed {
            let store = StoreArn::parse(arn).ok().and_then(|arn| self.inner.event_data_stores.by_arn(&arn));
            let gone = || KeyRefused::Gone(format!("the event data store {arn} is gone"));
            let store = store.ok_or_else(gone)?;
            let key = store.kms_key.as_ref().ok_or_else(gone)?;
            keys.push(self.inner.lake_keys.open(&store, key).await?);
        }
        ResultSeal::of(&keys).map_err(|error| KeyRefused::Closed(error.to_string()))
    }

    /// What keeps those that ended.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.inner.shelf
    }

    /// Says that a query was started or cancelled, by whoever holds a transaction in which it is: it is looked for when
    /// that has ended.
    pub(crate) fn something_began(&self) {
        self.inner.begun.notify_one();
    }

    /// Whether it is too late to cancel a query: how it ended is decided, though it may not be kept yet. Asked within a
    /// transaction, so that what is told then holds until it is durable.
    pub(crate) fn is_decided(&self, _: &Transaction, id: QueryId) -> bool {
        let active = self.inner.active.read().get(&id).cloned();
        self.inner.shelf.brief(id).is_some()
            || active.is_some_and(|active| active.is_decided.load(Ordering::Acquire))
    }

    /// Decides how a query ended, unless somebody was told that it is cancelled: then that is how.
    async fn decide(&self, active: &Active) -> bool {
        let tx = self.inner.state.begin().await;
        let now = open::find(&tx, active.query.id);
        if now.is_some_and(|query| query.is_cancelled) {
            return false;
        }
        active.is_decided.store(true, Ordering::Release);
        true
    }

    /// The ARNs of the event data stores that a query reads.
    pub(crate) fn stores_of(&self, id: QueryId) -> Option<Vec<String>> {
        let ended = self.inner.shelf.brief(id).map(|brief| brief.stores.clone());
        ended.or_else(|| {
            let open = open::all(&self.inner.state);
            let open = open.iter().find(|query| query.id == id).map(|query| query.stores.clone());
            // It may have ended between the two.
            open.or_else(|| self.inner.shelf.brief(id).map(|brief| brief.stores.clone()))
        })
    }

    /// A query of any account.
    ///
    /// # Errors
    /// What the shelf says.
    pub(crate) async fn get(&self, id: QueryId) -> Result<Option<Seen>, LakeError> {
        if self.inner.shelf.brief(id).is_none() {
            if let Some(seen) = self.open_one(id) {
                return Ok(Some(seen));
            }
            // It may have ended between the two.
            if self.inner.shelf.brief(id).is_none() {
                return Ok(None);
            }
        }
        let shelf = self.inner.shelf.clone();
        let record = blocking(move || shelf.read(id)).await?;
        Ok(record.map(|Record { query, outcome }| Seen { query: Arc::new(query), outcome }))
    }

    /// The last query that an account started by an alias in the region of a call.
    pub(crate) fn last_of_alias(
        &self,
        account: AccountId,
        region: &opentrail_event::Region,
        alias: &str,
    ) -> Option<QueryId> {
        let open = open::of_account(&self.inner.state, account);
        let of_alias = open
            .iter()
            .filter(|query| query.region == *region && query.alias.as_deref() == Some(alias))
            .max_by_key(|query| query.created)
            .map(|query| query.id);
        let ended = || self.inner.shelf.last_of_alias(account, region, alias).map(|brief| brief.id);
        of_alias.or_else(ended)
    }

    /// At most `limit` queries that a listing has, the newest first, older than one: id, status, time.
    pub(crate) fn list(
        &self,
        listing: &Listing<'_>,
        before: Option<(DateTime<Utc>, QueryId)>,
        limit: usize,
    ) -> Vec<(DateTime<Utc>, QueryId, QueryStatus)> {
        let mut found: Vec<_> = open::all(&self.inner.state)
            .into_iter()
            .map(|query| (query.created, query.id, self.status_of(&query), query))
            .filter(|(at, id, status, query)| {
                before.is_none_or(|before| (*at, *id) < before) && listing.has(&query.stores, *status, *at)
            })
            .map(|(at, id, status, _)| (at, id, status))
            .collect();
        let ended = self.inner.shelf.list(listing, before, limit);
        found.extend(ended.iter().map(|brief| (brief.created, brief.id, brief.status)));
        found.sort_unstable_by_key(|(at, id, _)| std::cmp::Reverse((*at, *id)));
        found.dedup_by_key(|(_, id, _)| *id);
        found.truncate(limit);
        found
    }

    fn open_one(&self, id: QueryId) -> Option<Seen> {
        let active = self.inner.active.read().get(&id).cloned();
        let query = match &active {
            Some(active) => active.query.clone(),
            None => open::all(&self.inner.state).into_iter().find(|query| query.id == id)?,
        };
        // The document says whether it was cancelled since.
        let query = open::get(&self.inner.state, query.account, id).unwrap_or(query);
        let mut outcome = Outcome::without_rows(self.status_of(&query), query.created, None);
        if let Some(active) = active {
            outcome.events_scanned = active.events.load(Ordering::Relaxed);
            outcome.bytes_scanned = active.bytes.load(Ordering::Relaxed);
            let began = *active.began.lock();
            outcome.execution_ms = began.map_or(0, milliseconds_since);
        }
        outcome.delivery = query.destination.is_some().then_some(DeliveryStatus::Pending);
        Some(Seen { query, outcome })
    }

    fn status_of(&self, query: &Query) -> QueryStatus {
        if query.is_cancelled {
            return QueryStatus::Cancelled;
        }
        let active = self.inner.active.read();
        match active.get(&query.id) {
            Some(active) if active.is_running.load(Ordering::Relaxed) => QueryStatus::Running,
            _ => QueryStatus::Queued,
        }
    }

    /// Runs queries until `stop`. Those that run then are interrupted.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut running = JoinSet::new();
        let mut expiry = tokio::time::interval(EXPIRY_INTERVAL);
        loop {
            tokio::select! {
                () = self.inner.begun.notified() => self.take_up(&mut running).await,
                _ = expiry.tick() => self.expire().await,
                Some(_) = running.join_next() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Starts what was started since the last time, and cancels what was cancelled.
    async fn take_up(&self, running: &mut JoinSet<()>) {
        // Who said that something began may still be about to make it durable.
        drop(self.inner.state.begin().await);
        for query in open::all(&self.inner.state) {
            let known = self.inner.active.read().get(&query.id).cloned();
            match known {
                Some(active) if query.is_cancelled => active.cancel.cancel(),
                Some(_) => {}
                None if self.inner.shelf.brief(query.id).is_some() => {
                    if let Err(error) = self.close(&query).await {
                        tracing::warn!(%error, "a query's document can't be removed");
                    }
                }
                None => {
                    let active = Arc::new(Active::new(query));
                    self.inner.active.write().insert(active.query.id, active.clone());
                    running.spawn(carry_out::carry_out(self.clone(), active));
                }
            }
        }
    }

    async fn expire(&self) {
        let shelf = self.inner.shelf.clone();
        match blocking(move || shelf.expire(SteadyClock::new().now())).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "queries are over their seven days"),
            Err(error) => tracing::warn!(%error, "old queries can't be removed"),
        }
    }

    /// Keeps what came of a query.
    async fn keep(&self, record: Record) -> Result<(), LakeError> {
        let shelf = self.inner.shelf.clone();
        let limit = self.inner.results;
        let keep = move || {
            shelf.put(&record)?;
            match shelf.trim(limit) {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "results of queries went early: there were too many"),
                Err(error) => tracing::warn!(%error, "old results of queries can't be removed"),
            }
            Ok(())
        };
        blocking(keep).await
    }

    /// Removes the document of a query of which is kept what came of it. That is no change of the control plane, and has
    /// no record.
    async fn close(&self, query: &Query) -> Result<(), LakeError> {
        let mut tx = self.inner.state.begin().await;
        if open::end(&mut tx, query) {
            tx.commit(Vec::new()).await?;
        }
        Ok(())
    }
}

impl Active {
    fn new(query: Arc<Query>) -> Self {
        let cancel = CancellationToken::new();
        if query.is_cancelled {
            cancel.cancel();
        }
        Self {
            query,
            cancel,
            is_running: AtomicBool::default(),
            is_decided: AtomicBool::default(),
            began: Mutex::default(),
            events: AtomicU64::default(),
            bytes: AtomicU64::default(),
        }
    }
}

fn milliseconds_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Threads that run queries: one for each core. They stand back behind the others.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Does what blocks where that is no harm.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LakeError::Interrupted)?
}
