//! The table of one store and its tail: together what its queries see.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use chrono::{DateTime, Days, NaiveDate, Utc};
use opentrail_journal::Seq;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, watch};

use super::tail::{Intake, Row, Tail};
use crate::{
    encode::{EncodedFile, encode_keeping},
    error::LakeError,
    record::Keep,
    schema::Shape,
    store::StoreId,
    table::{DataFile, Marks, Snapshot, Table, TableOptions},
    warehouse::Warehouse,
};

/// The mark of a table up to which entry of the journal it has all that its store takes.
pub const JOURNAL_MARK: &str = "journal";

/// How long to wait after a failure: at first, and at most.
const BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// What a query sees of a store. Taken together: a row is in one of the two, and never in both.
#[derive(Debug, Clone)]
pub struct View {
    /// Which columns it has.
    pub shape: Shape,
    /// The files; none before the first were written.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The rows that are in no file yet, with the columns of [`Shape::arrow`].
    pub tail: Vec<RecordBatch>,
}

impl View {
    /// The files of the snapshot.
    pub fn files(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.snapshot.iter().flat_map(|snapshot| snapshot.files())
    }
}

/// The table of an event data store with its tail. Clones are the same one. Whoever writes the table does it here.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    id: StoreId,
    shape: Shape,
    warehouse: Warehouse,
    options: TableOptions,
    /// Made when first written to.
    table: OnceCell<Table>,
    tail: Mutex<Tail>,
    /// Held while the tail is written.
    flushing: tokio::sync::Mutex<()>,
    trouble: Mutex<Option<Trouble>>,
    /// Whether the tail takes what comes, so that views have everything.
    is_whole: watch::Sender<bool>,
    /// Whether all files are known to be sealed that should be.
    is_sealed: AtomicBool,
    /// The store is no more.
    retired: AtomicBool,
}

/// That the last attempt to write failed.
#[derive(Debug, Clone)]
struct Trouble {
    reason: String,
    /// Whether it is the table's key that was refused.
    of_key: bool,
    again: Instant,
    backoff: Duration,
}

impl Live {
    /// The table of a store, opened if it was ever written.
    pub(crate) async fn open(
        id: StoreId,
        shape: Shape,
        warehouse: Warehouse,
        options: TableOptions,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        let path = warehouse.table_path(&id.to_string());
        let opened = Table::open(&warehouse, path, shape, options.clone(), now).await;
        let live = Self::new(id, shape, warehouse, options);
        match opened {
            // Nobody else has it yet.
            Ok(table) => drop(live.inner.table.set(table)),
            Err(LakeError::NoTable { .. }) => {}
            Err(error) if error.refused_key().is_some() => {
                tracing::warn!(store = %id, %error, "the table of an event data store can't be opened");
                // What the table has is not known, so nothing is taken until it is.
                live.give_up(Intake::Parked { first: None });
                live.note(Err(&error));
            }
            Err(error) => return Err(error),
        }
        Ok(live)
    }

    /// The table of a store, which nobody looked for yet.
    pub(crate) fn new(id: StoreId, shape: Shape, warehouse: Warehouse, options: TableOptions) -> Self {
        let inner = Inner {
            id,
            shape,
            warehouse,
            options,
            table: OnceCell::new(),
            tail: Mutex::new(Tail::new(shape)),
            flushing: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
            is_whole: watch::Sender::new(true),
            is_sealed: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whose table it is.
    pub fn id(&self) -> StoreId {
        self.inner.id
    }

    /// Which columns it has.
    pub fn shape(&self) -> Shape {
        self.inner.shape
    }

    /// The warehouse as this table sees it: what is read of it is opened with the table's key.
    pub fn warehouse(&self) -> &Warehouse {
        &self.inner.warehouse
    }

    /// How a file that is written now keeps records.
    pub(crate) fn keep(&self) -> Keep {
        self.inner.options.records.now()
    }

    /// What a query sees now.
    pub fn view(&self) -> View {
        let mut tail = self.inner.tail.lock();
        // With the tail locked nothing leaves it; what files have of it already is known by their mark.
        let snapshot = self.snapshot();
        let stored = snapshot.as_deref().map_or(Seq::ZERO, |snapshot| stored(&snapshot.marks));
        View { shape: self.inner.shape, tail: tail.after(stored), snapshot }
    }

    /// The files as of now; `None` where none were ever written.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.inner.table.get().map(Table::snapshot)
    }

    /// The table; made if this is the first that is asked of it.
    ///
    /// # Errors
    /// If the warehouse can't be written to. Another attempt may succeed.
    pub async fn table(&self, now: DateTime<Utc>) -> Result<&Table, LakeError> {
        let Inner { id, table, warehouse, options, shape, .. } = &*self.inner;
        let path = warehouse.table_path(&id.to_string());
        // One may be there: an attempt to make it whose answer was lost.
        let making = || Table::open_or_create(warehouse, path, *shape, options.clone(), now);
        table.get_or_try_init(making).await
    }

    /// What was set with the last rows that came with a mark of this name.
    pub fn mark(&self, name: &str) -> Option<String> {
        self.snapshot().and_then(|snapshot| snapshot.marks.get(name).cloned())
    }

    /// Adds files and sets marks, in one step: after a crash the table has both or neither.
    ///
    /// # Errors
    /// If the warehouse can't be written to: whether the step was taken, the marks say at the next attempt.
    /// [`LakeError::NoTable`] if the store is no more.
    pub async fn append(
        &self,
        files: Vec<EncodedFile>,
        marks: Marks,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, LakeError> {
        self.check_there()?;
        let appended = self.table(now).await?.append(files, marks, now).await;
        self.leave_nothing().await;
        appended
    }

    fn check_there(&self) -> Result<(), LakeError> {
        let table = || self.inner.warehouse.table_path(&self.inner.id.to_string()).to_string();
        if self.is_retired() { Err(LakeError::NoTable { table: table() }) } else { Ok(()) }
    }

    /// As [`Live::append`], but refused with [`LakeError::Moved`] if commits were taken over since
    /// [`Live::taken_over`] was `known`: what the caller knows of marks and rows may not be true any more.
    pub(crate) async fn append_knowing(
        &self,
        known: u64,
        files: Vec<EncodedFile>,
        marks: Marks,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, LakeError> {
        self.check_there()?;
        let appended = self.table(now).await?.append_knowing(known, files, marks, now).await;
        self.leave_nothing().await;
        appended
    }

    /// Removes what was just written, should the store have gone meanwhile: who removes its table may have been there
    /// before.
    async fn leave_nothing(&self) {
        let Inner { id, warehouse, .. } = &*self.inner;
        if !self.is_retired() {
            return;
        }
        let removed = Table::remove(warehouse, &warehouse.table_path(&id.to_string())).await;
        if let Err(error) = removed {
            tracing::warn!(store = %id, %error, "files of a deleted event data store can't be removed");
        }
    }

    /// How many commits of the table turned out to be there. To be read before marks and rows.
    pub(crate) fn taken_over(&self) -> u64 {
        self.inner.table.get().map_or(0, Table::taken_over)
    }

    /// Takes rows of whole entries; those that the table has already are left out.
    pub(crate) fn push(&self, rows: &[Row<'_>]) -> Result<(), LakeError> {
        let stored = self.stored();
        let new = rows.partition_point(|row| row.seq <= stored);
        self.inner.tail.lock().take_in(&rows[new..])
    }

    /// The entry up to which the table says that it has everything.
    fn stored(&self) -> Seq {
        self.snapshot().map_or(Seq::ZERO, |snapshot| stored(&snapshot.marks))
    }

    /// Makes files of the oldest rows in the tail, some `bytes` of them. Answers how many rows these were.
    pub(crate) async fn flush(&self, bytes: usize, now: DateTime<Utc>) -> Result<usize, LakeError> {
        let _one_at_a_time = self.inner.flushing.lock().await;
        if self.is_retired() {
            return Ok(0);
        }
        if self.inner.tail.lock().rows() == 0 {
            return Ok(0);
        }
        let table = self.table(now).await?;
        let known = table.taken_over();
        // An attempt whose answer was lost may have done it.
        self.let_go();
        let Some(taken) = self.inner.tail.lock().take(bytes)? else { return Ok(0) };
        let (shape, keep, batches) = (self.inner.shape, self.keep(), taken.batches);
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let encoding = tokio::task::spawn_blocking(move || encode_keeping(shape, &batches, keep));
        let files = encoding.await.map_err(|_| LakeError::Interrupted)??;
        let marks = Marks::from([(JOURNAL_MARK.to_owned(), taken.upto.0.to_string())]);
        let appended = table.append_knowing(known, files, marks, now).await;
        self.leave_nothing().await;
        appended?;
        self.let_go();
        Ok(rows)
    }

    /// Forgets what files have.
    fn let_go(&self) {
        let stored = self.stored();
        let freed = self.inner.tail.lock().drop_through(stored);
        drop(freed);
    }

    /// Drops what is out of retention, merges small files, and removes what nobody reads any more.
    pub(crate) async fn tidy(
        &self,
        retention_days: Option<u32>,
        now: DateTime<Utc>,
    ) -> Result<(), LakeError> {
        let Some(table) = self.inner.table.get() else { return Ok(()) };
        let sealed = self.seal_older().await;
        let dropped = match retention_days.and_then(|days| first_day(now, days)) {
            Some(first_kept) => table.drop_before(first_kept, now).await.map(drop),
            None => Ok(()),
        };
        let merged = loop {
            match table.compact(now).await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // Each whatever became of the others: it is expiry that makes room on a full disk.
        let expired = table.expire(now).await.map(drop);
        sealed.and(dropped).and(merged).and(expired)
    }

    /// Seals the files that are older than the table's key. A file may be on its way that was begun before there was a
    /// key, so they are looked through until nothing is found.
    async fn seal_older(&self) -> Result<(), LakeError> {
        let Inner { id, warehouse, is_sealed, .. } = &*self.inner;
        if !warehouse.seals() || is_sealed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let sealed = warehouse.reseal(&warehouse.table_path(&id.to_string())).await?;
        if sealed > 0 {
            tracing::info!(store = %id, files = sealed, "files that are older than the table's key are sealed");
        }
        is_sealed.store(sealed == 0, Ordering::Relaxed);
        Ok(())
    }

    /// Gives up what is in memory, and from now on takes what comes as `intake` says.
    pub(crate) fn give_up(&self, intake: Intake) {
        self.inner.tail.lock().give_up(self.inner.shape, intake);
        self.inner.is_whole.send_replace(false);
    }

    /// Gives up what is in memory and takes nothing for now, unless it is being written; whether it did.
    pub(crate) fn park(&self) -> bool {
        let Ok(_flushing) = self.inner.flushing.try_lock() else { return false };
        let mut tail = self.inner.tail.lock();
        if self.is_retired() || tail.intake() != Intake::Open {
            return false;
        }
        let first = tail.first();
        tail.give_up(self.inner.shape, Intake::Parked { first });
        self.inner.is_whole.send_replace(false);
        true
    }

    /// Gives up again what was brought to a parked table.
    pub(crate) fn park_again(&self) {
        let mut tail = self.inner.tail.lock();
        if let parked @ Intake::Parked { .. } = tail.intake() {
            tail.give_up(self.inner.shape, parked);
        }
    }

    /// Takes rows that a parked table had not; those that the table has already are left out.
    pub(crate) fn push_brought(&self, rows: &[Row<'_>]) -> Result<(), LakeError> {
        let stored = self.stored();
        let new = rows.partition_point(|row| row.seq <= stored);
        self.inner.tail.lock().push(&rows[new..])
    }

    /// A parked table has everything that came until now.
    pub(crate) fn resume(&self) {
        self.inner.tail.lock().resume();
        self.inner.is_whole.send_replace(true);
    }

    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.inner.tail.lock().intake(), Intake::Parked { .. })
    }

    /// Whether views have everything that the store took. They lack something while the table's key can't be opened and
    /// for some time after.
    pub fn is_whole(&self) -> bool {
        *self.inner.is_whole.borrow()
    }

    /// Waits until views have everything. They never do if the key is gone.
    pub async fn whole(&self) {
        let mut is_whole = self.inner.is_whole.subscribe();
        // The sender lives as long as `self`.
        let _ = is_whole.wait_for(|is_whole| *is_whole).await;
    }

    /// Whether the last attempt to write failed because of the table's key.
    pub(crate) fn is_locked(&self) -> bool {
        self.inner.trouble.lock().as_ref().is_some_and(|trouble| trouble.of_key)
    }

    /// Notes how an attempt to write went.
    pub(crate) fn note(&self, outcome: Result<(), &LakeError>) {
        let mut trouble = self.inner.trouble.lock();
        *trouble = outcome.err().map(|error| {
            let backoff = trouble.as_ref().map_or(BACKOFF, |last| (last.backoff * 2).min(MAX_BACKOFF));
            let (reason, of_key) = (error.to_string(), error.refused_key().is_some());
            Trouble { reason, of_key, again: Instant::now() + backoff, backoff }
        });
    }

    /// Why the last attempt to write failed, if it did.
    pub fn trouble(&self) -> Option<String> {
        self.inner.trouble.lock().as_ref().map(|trouble| trouble.reason.clone())
    }

    /// Whether an attempt to write failed so recently that the next one has to wait.
    pub(crate) fn is_resting(&self) -> bool {
        self.inner.trouble.lock().as_ref().is_some_and(|trouble| Instant::now() < trouble.again)
    }

    /// The store is no more: nothing is written any more, and what waits is forgotten.
    pub(crate) fn retire(&self) {
        self.inner.retired.store(true, Ordering::Release);
        *self.inner.tail.lock() = Tail::new(self.inner.shape);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.inner.retired.load(Ordering::Acquire)
    }

    /// The entry of the oldest row in the tail.
    pub(crate) fn first_waiting(&self) -> Option<Seq> {
        self.inner.tail.lock().first()
    }

    /// Rows and bytes in the tail, and how long the oldest has been there.
    pub(crate) fn waiting(&self) -> Waiting {
        let tail = self.inner.tail.lock();
        Waiting { rows: tail.rows(), bytes: tail.bytes(), age: tail.age() }
    }
}

/// How much waits to become files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Option<Duration>,
}

fn stored(marks: &Marks) -> Seq {
    marks.get(JOURNAL_MARK).and_then(|mark| mark.parse().ok()).map_or(Seq::ZERO, Seq)
}

/// The first day of which something is kept.
pub(crate) fn first_day(now: DateTime<Utc>, retention_days: u32) -> Option<NaiveDate> {
    now.checked_sub_days(Days::new(u64::from(retention_days))).map(|time| time.date_naive())
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("id", &self.inner.id)
            .field("shape", &self.inner.shape)
            .finish_non_exhaustive()
    }
}
