//! The task that brings the index after the journal.

use std::{sync::Arc, time::Duration};

use opentrail_journal::{Hold, Item, Journal, Seq};
use opentrail_state::StateError;
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    VaultError,
    blob::BlobStore,
    id::BlobId,
    index::{Applied, Index, apply},
};

/// Entries applied in one write, and their bytes, at most.
const BATCH_ITEMS: usize = 1024;
const BATCH_BYTES: usize = 8 << 20;

/// How long the cursor may stay behind when entries pass that hold nothing for the vault: it only keeps the
/// journal from being trimmed.
const IDLE_CHECKPOINT: Duration = Duration::from_secs(10);

/// Pause before the index is opened again after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// Asks the follower to end and to say whether the index is closed in good order.
pub(crate) type Stop = oneshot::Sender<Result<(), VaultError>>;

/// Where the index is after it was opened.
pub(crate) struct CaughtUp {
    /// The last entry applied.
    pub(crate) position: Seq,
    /// The last entry applied durably.
    pub(crate) durable: Seq,
    /// The last close was in good order.
    pub(crate) clean: bool,
    /// Keeps the journal from there on.
    pub(crate) hold: Hold,
    /// Blobs that facts applied meanwhile set free.
    pub(crate) freed: Vec<BlobId>,
}

/// Opens the index and brings it up to the end of the journal; nobody sees it before. Blocks.
pub(crate) fn catch_up(index: &Index, journal: &Journal) -> Result<CaughtUp, VaultError> {
    let (database, found) = index.load()?;
    let hold = journal.hold("vault", found.cursor);
    let (first, durable) = (journal.first(), journal.durable());
    if found.cursor > durable {
        return Err(VaultError::IndexAheadOfJournal { cursor: found.cursor.0, durable: durable.0 });
    }
    if found.cursor.0 + 1 < first.0 {
        return Err(VaultError::JournalGap { cursor: found.cursor.0, first: first.0 });
    }
    let mut reader = journal.reader(found.cursor);
    let (mut position, mut freed) = (found.cursor, Vec::new());
    loop {
        let batch = reader.try_next_batch(BATCH_ITEMS, BATCH_BYTES).map_err(StateError::from)?;
        let Some(last) = batch.last() else { break };
        position = last.seq;
        freed.extend(apply(&database, &batch, false)?.freed);
    }
    index.install(database, position);
    Ok(CaughtUp { position, durable: found.cursor, clean: found.clean, hold, freed })
}

/// The only writer of the index.
pub(crate) struct Follower {
    index: Arc<Index>,
    blobs: Arc<BlobStore>,
    journal: Journal,
    interval: Duration,
    hold: Hold,
    position: Seq,
    durable: Seq,
    checkpointed: Instant,
    /// Facts were applied since the last checkpoint.
    dirty: bool,
    doomed: mpsc::UnboundedSender<Vec<BlobId>>,
}

impl Follower {
    /// Starts to follow the journal from where `caught_up` says, until the answer's receiver gets a [`Stop`]
    /// or its sender is dropped.
    pub(crate) fn start(
        index: Arc<Index>,
        blobs: Arc<BlobStore>,
        journal: Journal,
        interval: Duration,
        caught_up: CaughtUp,
    ) -> mpsc::Sender<Stop> {
        let (stop, stopped) = mpsc::channel(1);
        let (doomed, dooms) = mpsc::unbounded_channel();
        let remover = tokio::spawn(remove_blobs(Arc::clone(&blobs), dooms));
        let _ = doomed.send(caught_up.freed);
        let follower = Self {
            index,
            blobs,
            journal,
            interval,
            hold: caught_up.hold,
            position: caught_up.position,
            durable: caught_up.durable,
            checkpointed: Instant::now(),
            dirty: caught_up.position > caught_up.durable,
            doomed,
        };
        tokio::spawn(follower.run(stopped, remover));
        stop
    }

    async fn run(mut self, mut stop: mpsc::Receiver<Stop>, remover: tokio::task::JoinHandle<()>) {
        let answer = 'stopped: loop {
            let mut reader = self.journal.reader(self.position);
            let failure = loop {
                let due = self.checkpointed + if self.dirty { self.interval } else { IDLE_CHECKPOINT };
                let batch = tokio::select! {
                    biased;
                    answer = stop.recv() => break 'stopped answer,
                    () = sleep_until(due), if self.position > self.durable => None,
                    batch = reader.next_batch(BATCH_ITEMS, BATCH_BYTES) => Some(batch),
                };
                let done = match batch {
                    Some(Ok(batch)) => self.apply(batch).await,
                    Some(Err(error)) => Err(StateError::from(error).into()),
                    None => {
                        // The wait that was given up may have taken entries with it.
                        reader = self.journal.reader(self.position);
                        self.checkpoint().await
                    }
                };
                if let Err(error) = done {
                    break error;
                }
            };
            tracing::error!(error = %failure, "the index of objects failed and is opened again");
            metrics::counter!("opentrail_vault_index_failures_total").increment(1);
            tokio::select! {
                answer = stop.recv() => break answer,
                () = self.recover() => {}
            }
        };
        let closed = self.close(remover).await;
        if let Some(answer) = answer {
            let _ = answer.send(closed);
        }
    }

    async fn apply(&mut self, batch: Vec<Item>) -> Result<(), VaultError> {
        let Some(last) = batch.last().map(|item| item.seq) else { return Ok(()) };
        let index = Arc::clone(&self.index);
        let Applied { facts, freed } = blocking(move || index.advance(&batch, false)).await?;
        self.position = last;
        self.dirty |= facts > 0;
        if !freed.is_empty() {
            let _ = self.doomed.send(freed);
        }
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<(), VaultError> {
        let (index, position) = (Arc::clone(&self.index), self.position);
        blocking(move || index.checkpoint(position, false)).await?;
        self.durable = position;
        self.hold.advance(position);
        self.checkpointed = Instant::now();
        self.dirty = false;
        Ok(())
    }

    /// Opens the index again until that works.
    async fn recover(&mut self) {
        loop {
            let (index, journal) = (Arc::clone(&self.index), self.journal.clone());
            let opened = blocking(move || {
                index.unload();
                catch_up(&index, &journal)
            });
            match opened.await {
                Ok(caught_up) => {
                    self.position = caught_up.position;
                    self.durable = caught_up.durable;
                    self.hold = caught_up.hold;
                    self.dirty = true;
                    self.checkpointed = Instant::now();
                    let _ = self.doomed.send(caught_up.freed);
                    tracing::info!(entry = self.position.0, "the index of objects works again");
                    return;
                }
                Err(error) => tracing::error!(%error, "the index of objects cannot be opened"),
            }
            sleep(RETRY).await;
        }
    }

    async fn close(self, remover: tokio::task::JoinHandle<()>) -> Result<(), VaultError> {
        let Self { index, blobs, position, doomed, hold, .. } = self;
        index.end();
        drop(doomed);
        let removed = remover.await.is_ok();
        blocking(move || {
            let clean = removed && !blobs.may_have_orphans();
            let closed = index.checkpoint(position, clean);
            index.unload();
            closed
        })
        .await?;
        hold.advance(position);
        Ok(())
    }
}

async fn remove_blobs(blobs: Arc<BlobStore>, mut dooms: mpsc::UnboundedReceiver<Vec<BlobId>>) {
    while let Some(ids) = dooms.recv().await {
        let blobs = Arc::clone(&blobs);
        if spawn_blocking(move || blobs.doom(&ids)).await.is_err() {
            return;
        }
    }
}

/// Runs blocking work; it is not cancelled when the caller's future is dropped.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, VaultError> + Send + 'static,
) -> Result<R, VaultError> {
    spawn_blocking(work).await.unwrap_or(Err(VaultError::Closing))
}
