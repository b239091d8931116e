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
use tokio::sync::OnceCell;

use super::tail::{Row, Tail};
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
    /// The store is no more.
    retired: AtomicBool,
}

/// That the last attempt to write failed.
#[derive(Debug, Clone)]
struct Trouble {
    reason: String,
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
    /// If the warehouse can't be written to. Whether the step was taken, the marks say at the next attempt.
    pub async fn append(
        &self,
        files: Vec<EncodedFile>,
        marks: Marks,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, LakeError> {
        self.table(now).await?.append(files, marks, now).await
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
        self.table(now).await?.append_knowing(known, files, marks, now).await
    }

    /// How many commits of the table turned out to be there. To be read before marks and rows.
    pub(crate) fn taken_over(&self) -> u64 {
        self.inner.table.get().map_or(0, Table::taken_over)
    }

    /// Takes rows of whole entries; those that the table has already are left out.
    pub(crate) fn push(&self, rows: &[Row<'_>]) -> Result<(), LakeError> {
        let stored = self.stored();
        let new = rows.partition_point(|row| row.seq <= stored);
        self.inner.tail.lock().push(&rows[new..])
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
        if self.inner.tail.lock().first().is_none() {
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
        table.append_knowing(known, files, marks, now).await?;
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
        dropped.and(merged).and(expired)
    }

    /// Notes how an attempt to write went; answers the reason if it is news that it failed.
    pub(crate) fn note(&self, outcome: Result<(), String>) {
        let mut trouble = self.inner.trouble.lock();
        *trouble = outcome.err().map(|reason| {
            let backoff = trouble.as_ref().map_or(BACKOFF, |last| (last.backoff * 2).min(MAX_BACKOFF));
            Trouble { reason, again: Instant::now() + backoff, backoff }
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
