//! Iceberg tables of events, one for each event data store.
//!
//! A table is a folder in the [`Warehouse`]: Parquet files, Iceberg's manifests, and `v{N}.metadata.json`, whose
//! creation is the commit. There is no catalog besides: the highest `N` is the table, and nothing that it doesn't
//! name is ever seen. How far the journal and imports have been taken in are properties of the table
//! ([`Marks`]), so rows and marks change in one step, and after a crash the marks say what is missing.
//!
//! What a commit takes out of the table stays readable for [`TableOptions::grace`]. When that was is noted beside
//! the manifests (`replaced-{time}-…json`), so that a restart knows it too.
//!
//! One process writes a table. Should two meet, the second one's commit fails with [`LakeError::Moved`].

mod append;
mod commit;
mod compact;
mod description;
mod expire;
mod keeping;
mod manifests;
mod names;
mod open;
mod options;
mod rows;
mod snapshot;
mod statistics;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};

pub use compact::Compacted;
pub use options::{Layout, Merge, Records, TableOptions};
pub use snapshot::{DataFile, Marks, Snapshot};

use crate::{LakeError, encode::EncodedFile, warehouse::Warehouse};

/// An Iceberg table. Clones are the same table.
#[derive(Debug, Clone)]
pub struct Table {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    warehouse: Warehouse,
    names: names::Names,
    layout: Layout,
    options: TableOptions,
    committing: tokio::sync::Mutex<commit::Committing>,
    /// Commits that turned out to be there, and were taken over.
    taken_over: AtomicU64,
    state: parking_lot::RwLock<Arc<commit::State>>,
    keeping: parking_lot::Mutex<keeping::Keeping>,
    /// When files of a day were last added.
    added: parking_lot::Mutex<BTreeMap<NaiveDate, DateTime<Utc>>>,
    /// When the folder was looked through for files that belong to nobody.
    swept_ms: AtomicI64,
    /// The first metadata file that may be there.
    metadata_from: tokio::sync::Mutex<u64>,
}

impl Inner {
    fn state(&self) -> Arc<commit::State> {
        self.state.read().clone()
    }
}

impl Table {
    /// Adds files and sets marks, in one step. Without files only the marks are set. Dropping the future doesn't
    /// interrupt it.
    ///
    /// # Errors
    /// [`LakeError::Warehouse`] where the object store failed, a full disk for example: the table is as it was and
    /// can be used. [`LakeError::Moved`] and [`LakeError::Unsettled`]: a commit may be there that this process
    /// doesn't know of. After any error, look at the marks before trying again.
    pub async fn append(
        &self,
        files: Vec<EncodedFile>,
        marks: Marks,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, LakeError> {
        let inner = self.inner.clone();
        unbroken(async move { inner.append(files, marks, None, now).await }).await
    }

    /// As [`Table::append`], for one who looked at the marks when [`Table::taken_over`] was `known`. Refused with
    /// [`LakeError::Moved`] if commits were taken over since, also by somebody else's attempt: the marks, and the rows
    /// that they stand for, may be others then.
    ///
    /// # Errors
    /// As [`Table::append`].
    pub async fn append_knowing(
        &self,
        known: u64,
        files: Vec<EncodedFile>,
        marks: Marks,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, LakeError> {
        let inner = self.inner.clone();
        unbroken(async move { inner.append(files, marks, Some(known), now).await }).await
    }

    /// How many commits turned out to be there, after an unknown outcome or of somebody else. To be read before the
    /// marks, for [`Table::append_knowing`].
    pub fn taken_over(&self) -> u64 {
        self.inner.taken_over.load(Ordering::Acquire)
    }

    /// The table as of its newest commit.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.state().snapshot.clone()
    }

    /// How far something has been taken in; `None` before it was begun.
    pub fn mark(&self, name: &str) -> Option<String> {
        self.inner.state().snapshot.marks.get(name).cloned()
    }

    /// Where the newest metadata is, as a URI, and what it says.
    pub fn metadata(&self) -> (String, Bytes) {
        let state = self.inner.state();
        let path = self.inner.names.metadata(state.version);
        (self.inner.warehouse.uri(&path), state.json.clone())
    }

    /// The object store that the table's files are in.
    pub fn warehouse(&self) -> &Warehouse {
        &self.inner.warehouse
    }

    /// The columns, and how files are written.
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Merges small files of one day, if there is a day that is worth it, or writes a file again that does not keep its
    /// records whole where [`TableOptions::records`] asks for that: one step of bounded size. Appends go on meanwhile. To
    /// be called until it answers `None`.
    ///
    /// # Errors
    /// As [`Table::append`]; where the files went meanwhile, nothing is done and that is no error.
    pub async fn compact(&self, now: DateTime<Utc>) -> Result<Option<Compacted>, LakeError> {
        let inner = self.inner.clone();
        unbroken(async move { inner.compact(now).await }).await
    }

    /// Takes all days before `day` out of the table. Answers the files that are out. No file is written again.
    ///
    /// # Errors
    /// As [`Table::append`].
    pub async fn drop_before(
        &self,
        day: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Vec<Arc<DataFile>>, LakeError> {
        let inner = self.inner.clone();
        unbroken(async move {
            let snapshot = inner.state().snapshot.clone();
            let removed: Vec<_> = snapshot.files().filter(|file| file.day < day).cloned().collect();
            if removed.is_empty() {
                return Ok(removed);
            }
            let change = commit::Change { removed: removed.clone(), ..commit::Change::default() };
            match inner.commit(change, Vec::new(), now).await {
                Ok(_) => Ok(removed),
                // Compaction came between. The next call finds what there is now.
                Err(LakeError::Outdated { .. }) => Ok(Vec::new()),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Removes the files of snapshots whose grace period has passed, and once a day those that belong to nobody.
    /// Answers how many.
    ///
    /// # Errors
    /// As [`Table::append`]. A file that can't be removed is no error; the next call tries again.
    pub async fn expire(&self, now: DateTime<Utc>) -> Result<usize, LakeError> {
        let inner = self.inner.clone();
        unbroken(async move { inner.expire(now).await }).await
    }

    /// Looks through the whole folder for files that belong to nobody, which failed appends may leave, and
    /// removes them. Opening does it too. Answers how many.
    ///
    /// # Errors
    /// As [`Table::append`].
    pub async fn sweep(&self, now: DateTime<Utc>) -> Result<usize, LakeError> {
        let inner = self.inner.clone();
        unbroken(async move { inner.sweep(now).await }).await
    }
}

/// Runs something to its end even where nobody waits for it any more: a commit that is left half-way would
/// leave its outcome unknown.
async fn unbroken<T: Send + 'static>(
    work: impl Future<Output = Result<T, LakeError>> + Send + 'static,
) -> Result<T, LakeError> {
    tokio::spawn(work).await.map_err(|_| LakeError::Interrupted)?
}
