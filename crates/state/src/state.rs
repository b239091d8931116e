//! The documents of the control plane, and the door through which every entry reaches the journal.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use opentrail_journal::{Hold, Journal, Seq, disk::Disk};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, OwnedMutexGuard, Semaphore};

use crate::{
    background,
    documents::{Document, Documents},
    entry::{Entry, Fact, OwnedEvent},
    error::StateError,
    options::StateOptions,
    recovery::{self, Recovered, StateRecovery},
    resource::Resource,
    shelf::Shelf,
    transaction::{Staged, Transaction},
};

/// The documents, in memory, as of the newest committed change. Clones share them.
#[derive(Clone)]
pub struct State {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) journal: Journal,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) options: StateOptions,
    recovery: StateRecovery,
    view: RwLock<Documents>,
    writer: Arc<tokio::sync::Mutex<()>>,
    /// A commit was torn down between the journal and the view (the runtime is going down), so the view may
    /// lack a durable change.
    torn: AtomicBool,
    in_flight: Arc<Semaphore>,
    /// The snapshots on disk; locked while one is written.
    pub(crate) shelf: Arc<tokio::sync::Mutex<Shelf>>,
    pub(crate) hold: Mutex<Hold>,
    pub(crate) since_snapshot: SinceSnapshot,
    pub(crate) snapshot_wanted: Arc<Notify>,
}

/// How far the journal has gone since the last snapshot.
pub(crate) struct SinceSnapshot {
    /// Where the last snapshot is.
    pub(crate) seq: AtomicU64,
    /// How many bytes the last snapshot has.
    pub(crate) size: AtomicU64,
    /// How many bytes of entries came after it.
    pub(crate) bytes: AtomicU64,
}

/// A permit is this many bytes, since a semaphore of the runtime counts in 32 bits.
const PERMIT_BYTES: usize = 1024;

impl State {
    /// Opens the state kept in `dir`: the newest usable snapshot and the entries after it. From here on the
    /// journal keeps what the older of the two kept snapshots needs, and snapshots are written in the
    /// background.
    ///
    /// # Errors
    /// [`StateError::Gap`] and [`StateError::Lost`] if snapshots and journal do not belong together,
    /// [`StateError::Entry`] if an entry cannot be read, [`StateError::Disk`] and [`StateError::Journal`] if the
    /// disk fails.
    pub async fn open(
        journal: Journal,
        dir: &Path,
        disk: Arc<dyn Disk>,
        options: StateOptions,
    ) -> Result<State, StateError> {
        let (on_disk, of_dir, from_journal) = (Arc::clone(&disk), dir.to_owned(), journal.clone());
        let recovered =
            tokio::task::spawn_blocking(move || recovery::recover(&from_journal, &of_dir, &*on_disk))
                .await
                .map_err(|_| StateError::Interrupted)??;
        let Recovered { documents, shelf, hold, report, size, replayed_bytes } = recovered;
        let inner = Inner {
            in_flight: Arc::new(Semaphore::new(options.in_flight_bytes / PERMIT_BYTES + 1)),
            journal,
            disk,
            dir: dir.to_owned(),
            options,
            view: RwLock::new(documents),
            writer: Arc::default(),
            torn: AtomicBool::new(false),
            shelf: Arc::new(tokio::sync::Mutex::new(shelf)),
            hold: Mutex::new(hold),
            since_snapshot: SinceSnapshot {
                seq: AtomicU64::new(report.snapshot.map_or(0, |seq| seq.0)),
                size: AtomicU64::new(size),
                bytes: AtomicU64::new(replayed_bytes),
            },
            recovery: report,
            snapshot_wanted: Arc::new(Notify::new()),
        };
        let state = State { inner: Arc::new(inner) };
        background::start(&state);
        Ok(state)
    }

    /// What was found when the state was opened.
    pub fn recovery(&self) -> &StateRecovery {
        &self.inner.recovery
    }

    /// The document with this id, or none. One that `T` cannot be read from is reported in the log and given
    /// as none; [`check`](Self::check) finds such documents before anybody relies on them.
    pub fn get<T: Resource>(&self, id: &str) -> Option<Arc<T>> {
        logged(T::KIND, self.try_get(id)).flatten()
    }

    /// As [`get`](Self::get), but a document that `T` cannot be read from is an error instead of none.
    ///
    /// # Errors
    /// [`StateError::Document`].
    pub fn try_get<T: Resource>(&self, id: &str) -> Result<Option<Arc<T>>, StateError> {
        self.document(T::KIND, id).map(|document| document.value(id)).transpose()
    }

    /// Whether there is a document with this id.
    pub fn contains<T: Resource>(&self, id: &str) -> bool {
        self.inner.view.read().get(T::KIND, id).is_some()
    }

    /// The revision of the document with this id: 1 for the first since it was created.
    pub fn revision<T: Resource>(&self, id: &str) -> Option<u64> {
        self.inner.view.read().get(T::KIND, id).map(|document| document.revision)
    }

    /// All documents whose id starts with `prefix`, in the order of their ids.
    pub fn list<T: Resource>(&self, prefix: &str) -> Vec<(String, Arc<T>)> {
        self.scan(prefix, None, usize::MAX)
    }

    /// At most `limit` documents whose id starts with `prefix` and is greater than `after`, in the order of
    /// their ids.
    pub fn scan<T: Resource>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(String, Arc<T>)> {
        decoded(self.documents(T::KIND, prefix, after, limit).into_iter())
    }

    /// Shows the documents whose id starts with `prefix` and is greater than `after`, in the order of their ids, until
    /// `look` breaks. Nothing is copied, but nothing becomes visible meanwhile either: `look` must be quick, and must
    /// not ask the state for anything.
    pub fn visit<T: Resource>(
        &self,
        prefix: &str,
        after: Option<&str>,
        mut look: impl FnMut(&str, &Arc<T>) -> ControlFlow<()>,
    ) {
        let view = self.inner.view.read();
        for (id, document) in view.range(T::KIND, prefix, after) {
            let Some(value) = logged(T::KIND, document.value(id)) else { continue };
            if look(id, &value).is_break() {
                return;
            }
        }
    }

    /// Reads every document of a kind, so that one that does not fit its type stops the start of the process
    /// rather than being absent from a decision later.
    ///
    /// # Errors
    /// [`StateError::Document`] for the first that does not fit.
    pub fn check<T: Resource>(&self) -> Result<usize, StateError> {
        let documents = self.documents(T::KIND, "", None, usize::MAX);
        for (id, document) in &documents {
            document.value::<T>(id)?;
        }
        Ok(documents.len())
    }

    /// The newest entry whose changes are visible.
    pub fn applied(&self) -> Seq {
        self.inner.view.read().applied
    }

    /// A number that grows with every visible change of any document: what was derived from documents is
    /// current while it stays the same.
    pub fn generation(&self) -> u64 {
        self.applied().0
    }

    /// As [`generation`](Self::generation), for the documents of one kind.
    pub fn generation_of<T: Resource>(&self) -> u64 {
        self.inner.view.read().changed(T::KIND).0
    }

    /// Waits for the right to change documents. Waiters get it in the order of their calls.
    pub async fn begin(&self) -> Transaction {
        let writer = Arc::clone(&self.inner.writer).lock_owned().await;
        Transaction::new(self.clone(), writer)
    }

    /// Makes facts and records durable as one entry. Nothing is written if there are none.
    ///
    /// If the caller's future is dropped, the entry may or may not become durable.
    ///
    /// # Errors
    /// [`StateError::Journal`] if the entry could not be made durable, [`StateError::TooLong`] if it is too
    /// large.
    pub async fn append(&self, facts: Vec<Fact>, events: Vec<OwnedEvent>) -> Result<Seq, StateError> {
        if facts.is_empty() && events.is_empty() {
            return Ok(self.inner.journal.durable());
        }
        self.write(Entry { at: self.now(), changes: Vec::new(), facts, events }).await
    }

    /// As [`append`](Self::append), and calls `then` with the outcome. Once this call has begun to wait for
    /// the journal, both happen even if the caller's future is dropped. `then` must not block; the closures of
    /// different calls run in any order.
    ///
    /// # Errors
    /// [`StateError::Interrupted`] if the runtime is shutting down or `then` panicked. All other outcomes are
    /// given to `then`, and what it makes of them is returned.
    pub async fn append_then<R, F>(
        &self,
        facts: Vec<Fact>,
        events: Vec<OwnedEvent>,
        then: F,
    ) -> Result<R, StateError>
    where
        R: Send + 'static,
        F: FnOnce(Result<Seq, StateError>) -> R + Send + 'static,
    {
        let entry = Entry { at: self.now(), changes: Vec::new(), facts, events };
        let bytes = match entry.encoded_bytes() {
            Ok(bytes) => bytes.min(self.inner.options.in_flight_bytes),
            Err(cause) => return Ok(then(Err(StateError::TooLong(cause)))),
        };
        let permits = u32::try_from(bytes / PERMIT_BYTES + 1).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.inner.in_flight).acquire_many_owned(permits).await else {
            return Err(StateError::Interrupted);
        };
        let state = self.clone();
        let task = tokio::spawn(async move {
            let result = if entry.facts.is_empty() && entry.events.is_empty() {
                Ok(state.inner.journal.durable())
            } else {
                state.write(entry).await
            };
            drop(permit);
            then(result)
        });
        task.await.map_err(|_| StateError::Interrupted)
    }

    /// The journal that the state is a view of.
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// The file system that the state is kept on.
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.inner.disk)
    }

    /// The time by the clock that stamps entries.
    pub fn now(&self) -> DateTime<Utc> {
        (self.inner.options.clock)()
    }

    /// Encodes an entry and waits until it is durable.
    pub(crate) async fn write(&self, entry: Entry) -> Result<Seq, StateError> {
        let payload = entry.encode().map_err(StateError::TooLong)?;
        let bytes = payload.len() as u64;
        let seq = self.inner.journal.append(payload, Some(Arc::new(entry))).await?;
        self.inner.since_snapshot.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.snapshot_is_due(seq) {
            self.inner.snapshot_wanted.notify_one();
        }
        Ok(seq)
    }

    /// As [`write`](Self::write) for an entry with changes, and makes the changes visible. Whoever calls it has
    /// the writer lock.
    pub(crate) async fn write_and_apply(
        &self,
        entry: Entry,
        staged: Staged,
        _writer: &OwnedMutexGuard<()>,
    ) -> Result<Seq, StateError> {
        if self.inner.torn.swap(true, Ordering::AcqRel) {
            return Err(StateError::Interrupted);
        }
        let written = self.write(entry).await;
        if let Ok(seq) = written {
            let mut view = self.inner.view.write();
            for (kind, documents) in staged {
                for (id, document) in documents {
                    match document {
                        Some(document) => view.put(seq, kind, &id, document),
                        None => view.remove(seq, kind, &id),
                    }
                }
            }
            view.applied = seq;
        }
        self.inner.torn.store(false, Ordering::Release);
        written
    }

    /// All documents as of one entry, which is the newest durable one.
    pub(crate) async fn consistent(&self) -> Result<Documents, StateError> {
        let _writer = self.inner.writer.lock().await;
        if self.inner.torn.load(Ordering::Acquire) {
            return Err(StateError::Interrupted);
        }
        // Entries with changes are enqueued under the writer lock only, so with the lock held every durable
        // change is visible, and what is durable after the visible ones has none.
        let mut documents = self.inner.view.read().clone();
        documents.applied = documents.applied.max(self.inner.journal.durable());
        Ok(documents)
    }

    pub(crate) fn document(&self, kind: &str, id: &str) -> Option<Arc<Document>> {
        self.inner.view.read().get(kind, id).map(Arc::clone)
    }

    pub(crate) fn documents(
        &self,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(String, Arc<Document>)> {
        let view = self.inner.view.read();
        let found = view.range(kind, prefix, after).take(limit);
        found.map(|(id, document)| (id.to_string(), Arc::clone(document))).collect()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The background task wakes, finds the state gone, and ends.
        self.snapshot_wanted.notify_one();
    }
}

/// The values of documents; one that does not fit its type is reported and left out.
pub(crate) fn decoded<T: Resource>(
    documents: impl Iterator<Item = (String, Arc<Document>)>,
) -> Vec<(String, Arc<T>)> {
    documents
        .filter_map(|(id, document)| {
            let value = logged(T::KIND, document.value(&id))?;
            Some((id, value))
        })
        .collect()
}

pub(crate) fn logged<T>(kind: &'static str, result: Result<T, StateError>) -> Option<T> {
    result.inspect_err(|error| tracing::error!(kind, %error, "a document cannot be read")).ok()
}
