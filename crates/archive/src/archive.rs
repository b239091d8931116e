//! The archive, open: its tail, its tables, and how one becomes the other.

use std::{
    collections::HashSet,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use chrono::DateTime;
use opentrail_journal::{Hold, Item, Journal, Seq, disk::Disk};
use opentrail_state::{Entry, State};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{ArchiveError, disk_error},
    flush, layout,
    layout::TablePaths,
    lookup,
    manifest::{Manifest, TableFacts},
    measure, merge,
    options::ArchiveOptions,
    query::{LookupQuery, Page},
    seen::{SeenIds, SeenStore, seen_dir},
    status::ArchiveStatus,
    table::Table,
    tail::{Tail, TailBatch},
};

/// The name of the archive's hold on the journal.
const HOLD: &str = "archive";
/// Lookups at once; each has a page of some megabytes in memory, and more wait.
const LOOKUPS_AT_ONCE: usize = 12;
/// Entries and bytes that are taken from the journal at once.
pub(crate) const READ_ITEMS: usize = 4096;
pub(crate) const READ_BYTES: usize = 4 << 20;

/// The archive. Clones share it.
#[derive(Clone)]
pub struct Archive {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) journal: Journal,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    pub(crate) options: ArchiveOptions,
    view: RwLock<View>,
    manifest: Mutex<Manifest>,
    pub(crate) seen: SeenStore,
    visible: watch::Sender<Seq>,
    hold: Hold,
    /// Held while the tail becomes a table.
    flushing: Mutex<()>,
    /// Held while tables are merged: two merges of one table would put its events in twice.
    tidying: Mutex<()>,
    pub(crate) failing: AtomicBool,
    pub(crate) flush_wanted: Notify,
    pub(crate) merge_wanted: Notify,
    /// The tail became smaller.
    pub(crate) room: Notify,
    /// Seats of lookups.
    lookups: Arc<Semaphore>,
}

/// What lookups see: each event once, in the tail or in a table.
struct View {
    tail: Tail,
    tables: Arc<Vec<Arc<Table>>>,
}

impl Archive {
    /// Opens the archive kept in `dir` and reads what the journal has beyond it, so that history is complete as
    /// of now. From here on the journal keeps what the archive has not stored. [`Archive::run`] keeps it up to
    /// date.
    ///
    /// # Errors
    /// [`ArchiveError::Corrupt`] naming the damaged file; [`ArchiveError::Disk`], [`ArchiveError::Journal`] and
    /// [`ArchiveError::State`] if something cannot be read.
    pub async fn open(
        dir: &Path,
        state: &State,
        disk: Arc<dyn Disk>,
        options: ArchiveOptions,
    ) -> Result<Self, ArchiveError> {
        let (dir, journal) = (dir.to_owned(), state.journal().clone());
        let task = tokio::task::spawn_blocking(move || Self::recover(dir, journal, disk, options));
        task.await.map_err(|_| ArchiveError::Closed)?
    }

    fn recover(
        dir: PathBuf,
        journal: Journal,
        disk: Arc<dyn Disk>,
        options: ArchiveOptions,
    ) -> Result<Self, ArchiveError> {
        disk.create_dir_all(&dir).map_err(|error| disk_error("make", &dir, error))?;
        let manifest: Manifest = layout::read_manifest(&*disk, &dir)?.unwrap_or_default();
        let known: HashSet<u64> = manifest.tables.iter().map(|table| table.id).collect();
        layout::remove_orphans(&*disk, &dir, |id| known.contains(&id))?;
        let tables =
            manifest.tables.iter().map(|facts| Table::open(&*disk, &dir, facts.clone()).map(Arc::new));
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        let seen = SeenStore::open(journal.clone(), seen_dir(&dir), Arc::clone(&disk), &options)?;
        let start = Seq(manifest.stored).min(seen.position());
        let hold = journal.hold(HOLD, start);
        let inner = Inner {
            visible: watch::Sender::new(Seq(manifest.stored)),
            view: RwLock::new(View { tail: Tail::default(), tables: Arc::new(tables) }),
            manifest: Mutex::new(manifest),
            journal,
            disk,
            dir,
            options,
            seen,
            hold,
            flushing: Mutex::new(()),
            tidying: Mutex::new(()),
            failing: AtomicBool::new(false),
            flush_wanted: Notify::new(),
            merge_wanted: Notify::new(),
            room: Notify::new(),
            lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)),
        };
        let archive = Self { inner: Arc::new(inner) };
        let mut reader = archive.inner.journal.reader(start);
        loop {
            let items = reader.try_next_batch(READ_ITEMS, READ_BYTES)?;
            if items.is_empty() {
                break;
            }
            archive.take(&items)?;
            archive.flush_what_is_due()?;
        }
        measure::status(&archive.status());
        Ok(archive)
    }

    /// Which events are in the record already: the same view in every clone.
    pub fn seen(&self) -> SeenIds {
        self.inner.seen.seen().clone()
    }

    /// Answers a question to history.
    ///
    /// # Errors
    /// [`ArchiveError::InvalidToken`] and [`ArchiveError::InvalidRange`] for a question that cannot be answered;
    /// the others if a table cannot be read.
    pub async fn lookup(&self, query: LookupQuery) -> Result<Page, ArchiveError> {
        let archive = self.clone();
        let seat = self.inner.lookups.clone().acquire_owned().await.map_err(|_| ArchiveError::Closed)?;
        let task = tokio::task::spawn_blocking(move || {
            let _seat = seat;
            let began = Instant::now();
            let page = archive.lookup_blocking(&query);
            measure::lookup(began.elapsed());
            page
        });
        task.await.map_err(|_| ArchiveError::Closed)?
    }

    fn lookup_blocking(&self, query: &LookupQuery) -> Result<Page, ArchiveError> {
        let search = lookup::Search::new(query, self.inner.options.retention)?;
        let (tables, tail) = {
            // Under one lock, so that an event that moves from the tail to a table is seen once.
            let view = self.inner.view.read();
            (Arc::clone(&view.tables), search.in_tail(view.tail.batches()))
        };
        search.run(&tables, tail)
    }

    /// Waits until the events up to this entry of the journal are found by lookups. Without
    /// [`Archive::run`] they never are.
    pub async fn caught_up(&self, seq: Seq) {
        let mut visible = self.inner.visible.subscribe();
        // The sender lives as long as `self`.
        let _ = visible.wait_for(|visible| *visible >= seq).await;
    }

    /// Events up to this entry of the journal are found by lookups.
    pub fn covered(&self) -> Seq {
        *self.inner.visible.borrow()
    }

    /// Makes a table of the tail, and a run of the ids in memory, now.
    ///
    /// # Errors
    /// [`ArchiveError::DiskFull`], [`ArchiveError::Disk`]: nothing is lost, the next attempt takes the same.
    pub async fn flush(&self) -> Result<(), ArchiveError> {
        let archive = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            archive.flush_tail()?;
            archive.inner.seen.flush()?;
            archive.let_go();
            Ok(())
        });
        task.await.map_err(|_| ArchiveError::Closed)?
    }

    /// Merges tables and runs of ids until there is nothing to merge, and drops tables that are out of
    /// retention. [`Archive::run`] does it as needed.
    ///
    /// # Errors
    /// As [`Archive::flush`].
    pub async fn compact(&self) -> Result<(), ArchiveError> {
        let archive = self.clone();
        let stop = CancellationToken::new();
        let task = tokio::task::spawn_blocking(move || archive.tidy(&stop));
        task.await.map_err(|_| ArchiveError::Closed)?
    }

    /// How the archive is.
    pub fn status(&self) -> ArchiveStatus {
        let stored = Seq(self.inner.manifest.lock().stored);
        let (_, seen_ids, seen_bytes) = self.inner.seen.size();
        let view = self.inner.view.read();
        let facts = || view.tables.iter().map(|table| &table.facts);
        ArchiveStatus {
            visible: self.covered(),
            stored,
            tables: view.tables.len(),
            rows: facts().map(|facts| u64::from(facts.rows)).sum(),
            bytes: facts().map(TableFacts::bytes).sum(),
            tail_rows: view.tail.rows(),
            tail_bytes: view.tail.bytes(),
            oldest: facts().map(|facts| facts.oldest).min().and_then(DateTime::from_timestamp_millis),
            seen_ids,
            seen_bytes,
            failing: self.inner.failing.load(Ordering::Relaxed),
        }
    }

    /// Takes entries over: their ids, and those that are not yet in a table into the tail.
    pub(crate) fn take(&self, items: &[Item]) -> Result<(), ArchiveError> {
        let entries = items.iter().map(|item| Entry::of(item).map(|entry| (item.seq, entry)));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        self.inner.seen.seen().learn(&entries);
        let visible = self.covered();
        let new = entries.partition_point(|(seq, _)| *seq <= visible);
        let Some((last, _)) = entries[new..].last() else { return Ok(()) };
        let batch = TailBatch::of(&entries[new..]);
        let mut view = self.inner.view.write();
        if let Some(batch) = batch {
            view.tail.push(batch);
        }
        // With the lock held: a table that is made of the tail has all events up to where it says it reaches.
        self.inner.visible.send_replace(*last);
        Ok(())
    }

    pub(crate) fn tail_bytes(&self) -> usize {
        self.inner.view.read().tail.bytes()
    }

    pub(crate) fn tail_since(&self) -> Option<Instant> {
        self.inner.view.read().tail.since()
    }

    /// Whether the tail and the ids in memory should be written.
    pub(crate) fn flush_what_is_due(&self) -> Result<(), ArchiveError> {
        if self.tail_bytes() >= self.inner.options.tail_bytes {
            self.flush_tail()?;
        }
        if self.inner.seen.seen().is_due() {
            self.inner.seen.flush()?;
        }
        self.let_go();
        Ok(())
    }

    /// Lets the journal drop what tables and runs have.
    pub(crate) fn let_go(&self) {
        let stored = Seq(self.inner.manifest.lock().stored);
        self.inner.hold.advance(stored.min(self.inner.seen.position()));
    }

    /// Makes a table of all that is in the tail now.
    pub(crate) fn flush_tail(&self) -> Result<(), ArchiveError> {
        let _one_at_a_time = self.inner.flushing.lock();
        let (batches, reaches) = {
            let view = self.inner.view.read();
            let batches: Vec<Arc<TailBatch>> = view.tail.batches().iter().cloned().collect();
            (batches, self.covered())
        };
        if batches.is_empty() && self.inner.manifest.lock().stored == reaches.0 {
            return Ok(());
        }
        let began = Instant::now();
        let added =
            self.new_table(|disk, dir, id| flush::write_table(disk, dir, id, &batches, self.cutoff()))?;
        let rows = added.as_ref().map_or(0, |table| table.facts.rows);
        self.commit(added, &[], Some((reaches, batches.len())))?;
        self.inner.room.notify_waiters();
        self.inner.merge_wanted.notify_one();
        measure::flush(began.elapsed());
        measure::status(&self.status());
        tracing::debug!(rows, %reaches, took = ?began.elapsed(), "the tail became a table");
        Ok(())
    }

    /// Merges what pays, and drops what is out of retention.
    pub(crate) fn tidy(&self, stop: &CancellationToken) -> Result<(), ArchiveError> {
        let _one_at_a_time = self.inner.tidying.lock();
        if let Some(cutoff) = self.cutoff() {
            let tables = self.tables();
            let expired: Vec<_> =
                tables.iter().filter(|table| table.facts.newest < cutoff).cloned().collect();
            if !expired.is_empty() {
                self.commit(None, &expired, None)?;
            }
        }
        while let Some(chosen) = merge::choose(&self.tables(), self.inner.options.file_rows) {
            let began = Instant::now();
            let merged =
                self.new_table(|disk, dir, id| merge::merge(disk, dir, id, &chosen, self.cutoff(), stop))?;
            let rows = merged.as_ref().map_or(0, |table| table.facts.rows);
            self.commit(merged, &chosen, None)?;
            measure::merge(began.elapsed());
            tracing::debug!(rows, tables = chosen.len(), took = ?began.elapsed(), "tables merged");
        }
        while !stop.is_cancelled() && self.inner.seen.merge()? {}
        measure::status(&self.status());
        Ok(())
    }

    fn tables(&self) -> Arc<Vec<Arc<Table>>> {
        Arc::clone(&self.inner.view.read().tables)
    }

    /// What is older is out of retention, in milliseconds since 1970.
    fn cutoff(&self) -> Option<i64> {
        lookup::cutoff((self.inner.options.clock)(), self.inner.options.retention)
    }

    /// Writes and opens a table; what a failure leaves of its files is removed.
    fn new_table(
        &self,
        write: impl FnOnce(&dyn Disk, &Path, u64) -> Result<Option<TableFacts>, ArchiveError>,
    ) -> Result<Option<Arc<Table>>, ArchiveError> {
        let Inner { disk, dir, manifest, .. } = &*self.inner;
        let id = {
            let mut manifest = manifest.lock();
            manifest.next_id += 1;
            manifest.next_id
        };
        let written = write(&**disk, dir, id).and_then(|facts| {
            let Some(facts) = facts else { return Ok(None) };
            disk.sync_dir(dir).map_err(|error| disk_error("sync", dir, error))?;
            Table::open(&**disk, dir, facts).map(|table| Some(Arc::new(table)))
        });
        if !matches!(written, Ok(Some(_))) {
            // The first error is the one to report; half a table may be what fills the disk.
            let _ = TablePaths::new(dir, id).remove(&**disk);
        }
        written
    }

    /// Puts a table in the place of others, or in that of the first batches of the tail, durably and at once.
    ///
    /// If the manifest cannot be written, the old one or the new one may count at the next start: the files of
    /// both stay.
    fn commit(
        &self,
        added: Option<Arc<Table>>,
        removed: &[Arc<Table>],
        stored: Option<(Seq, usize)>,
    ) -> Result<(), ArchiveError> {
        let Inner { disk, dir, manifest, view, .. } = &*self.inner;
        let gone = |id: u64| removed.iter().any(|table| table.facts.id == id);
        let mut manifest = manifest.lock();
        let mut next = manifest.clone();
        next.tables.retain(|table| !gone(table.id));
        debug_assert_eq!(next.tables.len() + removed.len(), manifest.tables.len(), "a table is merged once");
        next.tables.extend(added.as_ref().map(|table| table.facts.clone()));
        if let Some((stored, _)) = stored {
            next.stored = stored.0;
        }
        layout::write_manifest(&**disk, dir, &next)?;
        *manifest = next;
        let freed = {
            let mut view = view.write();
            let mut tables = view.tables.to_vec();
            tables.retain(|table| !gone(table.facts.id));
            tables.extend(added);
            view.tables = Arc::new(tables);
            stored.map(|(_, batches)| view.tail.drop_first(batches))
        };
        drop(manifest);
        drop(freed);
        for table in removed {
            if let Err(error) = TablePaths::new(dir, table.facts.id).remove(&**disk) {
                // The next start removes it.
                tracing::warn!(id = table.facts.id, %error, "a table that counts no longer cannot be removed");
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}
