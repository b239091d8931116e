//! Snapshots: when they are due, and the task that writes them.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use opentrail_journal::Seq;
use tokio::sync::Notify;

use crate::{
    error::StateError,
    measure,
    state::{Inner, State},
};

/// How long to wait after a snapshot could not be written. The journal is kept until one can.
const RETRY: Duration = Duration::from_secs(10);

/// A snapshot is due only after the entries since the last take this many times its own bytes.
const ENTRIES_PER_SNAPSHOT_BYTE: u64 = 4;

pub(crate) fn start(state: &State) {
    let wanted = Arc::clone(&state.inner.snapshot_wanted);
    if state.snapshot_is_due(state.applied()) {
        wanted.notify_one();
    }
    tokio::spawn(run(Arc::downgrade(&state.inner), wanted));
}

async fn run(state: Weak<Inner>, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        let Some(inner) = state.upgrade() else { return };
        let state = State { inner };
        if !state.snapshot_is_due(state.journal().durable()) {
            continue;
        }
        if let Err(error) = state.snapshot_now().await {
            tracing::warn!(%error, "a snapshot cannot be written; the journal grows until one can");
            drop(state);
            tokio::time::sleep(RETRY).await;
            wanted.notify_one();
        }
    }
}

impl State {
    pub(crate) fn snapshot_is_due(&self, newest: Seq) -> bool {
        let Inner { options, since_snapshot, .. } = &*self.inner;
        let entries = newest.0.saturating_sub(since_snapshot.seq.load(Ordering::Relaxed));
        let size = since_snapshot.size.load(Ordering::Relaxed);
        let bytes = options.snapshot_bytes.max(size.saturating_mul(ENTRIES_PER_SNAPSHOT_BYTE));
        entries >= options.snapshot_entries || since_snapshot.bytes.load(Ordering::Relaxed) >= bytes
    }

    /// Writes a snapshot of the documents as they are, unless the last one still holds for the newest entry.
    /// Changes wait only while the documents are listed, not while they are written.
    ///
    /// # Errors
    /// [`StateError::Disk`] if it cannot be written: the snapshots before it and the journal stay as they were.
    pub async fn snapshot_now(&self) -> Result<(), StateError> {
        let mut shelf = Arc::clone(&self.inner.shelf).lock_owned().await;
        let bytes = self.inner.since_snapshot.bytes.load(Ordering::Relaxed);
        let documents = self.consistent().await?;
        if shelf.newest().unwrap_or(Seq(0)) == documents.applied {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        // In a task of its own, so that a caller that goes away does not leave the shelf behind the disk.
        let task = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let size = shelf
                .add(&*inner.disk, &inner.dir, &documents)
                .inspect_err(|_| measure::snapshot_failed())
                .map_err(|cause| StateError::Disk { path: inner.dir.clone(), cause })?;
            inner.since_snapshot.seq.store(documents.applied.0, Ordering::Relaxed);
            inner.since_snapshot.size.store(size, Ordering::Relaxed);
            inner.since_snapshot.bytes.fetch_sub(bytes, Ordering::Relaxed);
            inner.hold.lock().advance(shelf.needed_after());
            let (seq, count) = (documents.applied, documents.len());
            measure::snapshot(seq.0, count, size, began.elapsed());
            tracing::debug!(%seq, documents = count, size, "snapshot written");
            Ok(())
        });
        task.await.map_err(|_| StateError::Interrupted)?
    }

    /// Waits for the commit in progress and writes a last snapshot, so that the next start has nothing to
    /// replay. The journal is closed by whoever opened it, afterwards.
    ///
    /// # Errors
    /// As [`snapshot_now`](Self::snapshot_now); nothing is lost then.
    pub async fn close(&self) -> Result<(), StateError> {
        self.snapshot_now().await
    }
}
