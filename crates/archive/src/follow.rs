//! Following the journal: reading, storing and tidying, each at its own pace.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use opentrail_journal::{Item, JournalError, Reader};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    archive::{Archive, READ_BYTES, READ_ITEMS},
    error::ArchiveError,
    measure,
};

/// Payloads up to this size are taken over where they are read; larger ones on a thread that may block.
const INLINE_BYTES: usize = 64 << 10;
/// How long to wait after a failure: at first, and at most.
const BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// How often to look whether retention has something to drop.
const TIDY_EVERY: Duration = Duration::from_secs(600);

impl Archive {
    /// Keeps the archive up to date until `stop`. After a failure it waits and tries again; it never ends by
    /// itself. What is in memory at the end is in the journal, and read from there at the next start.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.read(&stop), self.store(&stop), self.keep_tidy(&stop));
    }

    /// Reads the journal into the tail.
    async fn read(&self, stop: &CancellationToken) {
        let mut backoff = BACKOFF;
        let mut reader = self.inner.journal.reader(self.covered());
        while !stop.is_cancelled() {
            if self.is_full() {
                // The notification may have come before this waits for it.
                tokio::select! {
                    () = self.inner.room.notified() => {}
                    () = sleep(BACKOFF) => {}
                    () = stop.cancelled() => return,
                }
                continue;
            }
            let read = tokio::select! {
                read = self.read_batch(&mut reader) => read,
                () = stop.cancelled() => return,
            };
            match read {
                Ok(()) => {
                    backoff = BACKOFF;
                    self.wake_store();
                }
                Err(ArchiveError::Journal(JournalError::Closed)) => return stop.cancelled().await,
                Err(error) => {
                    self.failed("cannot read the journal", &error);
                    pause(&mut backoff, stop).await;
                    reader = self.inner.journal.reader(self.covered());
                }
            }
        }
    }

    async fn read_batch(&self, reader: &mut Reader) -> Result<(), ArchiveError> {
        let items = reader.next_batch(READ_ITEMS, READ_BYTES).await?;
        if items.iter().map(|item| item.payload.len()).sum::<usize>() <= INLINE_BYTES {
            return self.take(&items);
        }
        let archive = self.clone();
        let take = move |items: Vec<Item>| archive.take(&items);
        tokio::task::spawn_blocking(move || take(items)).await.map_err(|_| ArchiveError::Closed)?
    }

    /// Whether so much waits to be stored that reading should wait.
    fn is_full(&self) -> bool {
        self.tail_bytes() >= self.inner.options.tail_bytes.saturating_mul(2)
            || self.inner.seen.seen().is_crowded()
    }

    fn wake_store(&self) {
        if self.tail_bytes() >= self.inner.options.tail_bytes || self.inner.seen.seen().is_due() {
            self.inner.flush_wanted.notify_one();
        }
    }

    /// Makes tables of the tail.
    async fn store(&self, stop: &CancellationToken) {
        let mut backoff = BACKOFF;
        let after = self.inner.options.flush_after;
        let look = (after / 4).clamp(Duration::from_millis(20), Duration::from_secs(30));
        let mut stored = Instant::now();
        loop {
            tokio::select! {
                () = self.inner.flush_wanted.notified() => {}
                () = sleep(look) => {}
                () = stop.cancelled() => return,
            }
            let aged = self.tail_since().is_some_and(|since| since.elapsed() >= after);
            // Entries without events, too, must not keep the journal for ever.
            let all = aged || stored.elapsed() >= after;
            let result = if all { self.flush().await } else { self.flush_due().await };
            match result {
                Ok(()) => {
                    backoff = BACKOFF;
                    self.inner.failing.store(false, Ordering::Relaxed);
                    if all {
                        stored = Instant::now();
                    }
                    self.wake_store();
                }
                Err(error) => {
                    self.failed("cannot store events", &error);
                    pause(&mut backoff, stop).await;
                    self.inner.flush_wanted.notify_one();
                }
            }
        }
    }

    async fn flush_due(&self) -> Result<(), ArchiveError> {
        let archive = self.clone();
        let task = tokio::task::spawn_blocking(move || archive.flush_what_is_due());
        task.await.map_err(|_| ArchiveError::Closed)?
    }

    /// Merges tables and drops old ones.
    async fn keep_tidy(&self, stop: &CancellationToken) {
        let mut backoff = BACKOFF;
        while !stop.is_cancelled() {
            let (archive, until) = (self.clone(), stop.clone());
            let tidied = tokio::task::spawn_blocking(move || archive.tidy(&until)).await;
            match tidied.unwrap_or(Err(ArchiveError::Closed)) {
                Ok(()) => backoff = BACKOFF,
                Err(_) if stop.is_cancelled() => return,
                Err(error) => {
                    self.failed("cannot merge tables", &error);
                    pause(&mut backoff, stop).await;
                    continue;
                }
            }
            tokio::select! {
                () = self.inner.merge_wanted.notified() => {}
                () = sleep(TIDY_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn failed(&self, what: &'static str, error: &ArchiveError) {
        self.inner.failing.store(true, Ordering::Relaxed);
        measure::failure();
        tracing::warn!(error = error as &dyn std::error::Error, "{what}; trying again");
    }
}

async fn pause(backoff: &mut Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(*backoff) => {}
        () = stop.cancelled() => {}
    }
    *backoff = (*backoff * 2).min(MAX_BACKOFF);
}
