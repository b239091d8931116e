//! The store as a whole: opening, closing, and how a change becomes durable and visible.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use opentrail_journal::{JournalError, disk::Disk};
use opentrail_state::{OwnedEvent, State, StateError};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    VaultError,
    blob::{BlobStore, PendingBlob},
    bucket::{Bucket, no_such_bucket},
    bucket_policy::PolicyCache,
    encryption::ObjectKeys,
    fact::Carried,
    follow::{Follower, Stop, blocking, catch_up},
    index::Index,
    limits,
    locks::{ExclusiveLocks, SharedLocks},
    object_lock::LockClock,
};

/// How a vault works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultOptions {
    /// Objects up to this size have no file of their own: their bytes go into the journal entry and the
    /// index, which makes the journal's group commit their only sync.
    pub inline_bytes: usize,
    /// Memory for the index's pages.
    pub index_cache_bytes: usize,
    /// How much of the journal is applied again after a crash, at most, in time.
    pub checkpoint_interval: Duration,
    /// How far the clock (every `now`) may run ahead of the monotonic one before locks of objects stop
    /// believing it ([`limits::CLOCK_LEAP`]); `None` believes it always, for tests that move time.
    pub clock_leap: Option<Duration>,
    /// How long a change that is durable is waited for to become visible, before its caller hears
    /// [`VaultError::NotAppliedYet`].
    pub apply_timeout: Duration,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            inline_bytes: limits::DEFAULT_INLINE_BYTES,
            index_cache_bytes: 32 << 20,
            checkpoint_interval: Duration::from_secs(1),
            apply_timeout: Duration::from_secs(30),
            clock_leap: None,
        }
    }
}

/// The object store. Clones share it.
#[derive(Clone)]
pub struct Vault {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) dir: PathBuf,
    pub(crate) options: VaultOptions,
    pub(crate) index: Arc<Index>,
    pub(crate) blobs: Arc<BlobStore>,
    pub(crate) buckets: SharedLocks,
    pub(crate) uploads: SharedLocks,
    pub(crate) keys: ExclusiveLocks,
    pub(crate) policies: PolicyCache,
    pub(crate) lock_clock: LockClock,
    /// The keys of encrypted objects.
    pub(crate) keys_of_objects: Option<Arc<dyn ObjectKeys>>,
    /// Held while blobs are swept or checked.
    pub(crate) sweeping: Arc<tokio::sync::Mutex<()>>,
    stop: mpsc::Sender<Stop>,
}

impl Vault {
    /// Opens the store in `dir`: the index as it was last synced, and the facts of the journal after that. After
    /// a crash, blobs that nobody refers to are removed in the background. There are no keys: objects that are
    /// encrypted can be checked, not read.
    ///
    /// # Errors
    /// [`VaultError::IndexAheadOfJournal`] and [`VaultError::JournalGap`] if index and journal do not belong
    /// together, [`VaultError::Index`], [`VaultError::IndexEntry`] and [`VaultError::Io`] if the index cannot be
    /// read.
    pub async fn open(
        dir: &Path,
        state: State,
        disk: Arc<dyn Disk>,
        options: VaultOptions,
    ) -> Result<Self, VaultError> {
        Self::open_with(dir, state, disk, options, None).await
    }

    /// Opens the store with keys, so that objects can be encrypted, and encrypted ones read.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_with_keys(
        dir: &Path,
        state: State,
        disk: Arc<dyn Disk>,
        options: VaultOptions,
        keys: Arc<dyn ObjectKeys>,
    ) -> Result<Self, VaultError> {
        Self::open_with(dir, state, disk, options, Some(keys)).await
    }

    async fn open_with(
        dir: &Path,
        state: State,
        disk: Arc<dyn Disk>,
        options: VaultOptions,
        keys: Option<Arc<dyn ObjectKeys>>,
    ) -> Result<Self, VaultError> {
        let (path, journal, cache_bytes) =
            (dir.to_owned(), state.journal().clone(), options.index_cache_bytes);
        let (index, blobs, caught_up) = blocking(move || {
            let blobs = Arc::new(BlobStore::open(&path, Arc::clone(&disk))?);
            let index = Arc::new(Index::new(&path, disk, cache_bytes));
            let caught_up = catch_up(&index, &journal)?;
            Ok((index, blobs, caught_up))
        })
        .await?;
        let clean = caught_up.clean;
        blobs.set_orphans(!clean);
        let stop = Follower::start(
            Arc::clone(&index),
            Arc::clone(&blobs),
            state.journal().clone(),
            options.checkpoint_interval,
            caught_up,
        );
        let patience = options.apply_timeout;
        let (journal, leap) = (state.journal().clone(), options.clock_leap);
        let lock_clock = blocking(move || Ok(LockClock::open(&journal, leap))).await?;
        let inner = Inner {
            state,
            dir: dir.to_owned(),
            options,
            index,
            blobs,
            buckets: SharedLocks::new(patience),
            uploads: SharedLocks::new(patience),
            keys: ExclusiveLocks::new(patience),
            policies: PolicyCache::default(),
            lock_clock,
            keys_of_objects: keys,
            sweeping: Arc::default(),
            stop,
        };
        let vault = Self { inner: Arc::new(inner) };
        if !clean {
            vault.sweep_in_background().await;
        }
        Ok(vault)
    }

    /// Syncs the index and stops following the journal. Changes that are under way may end with
    /// [`VaultError::NotAppliedYet`] or [`VaultError::IndexUnavailable`]; what was acknowledged stays.
    ///
    /// # Errors
    /// Those of the last write of the index; the next opening makes up for it.
    pub async fn close(&self) -> Result<(), VaultError> {
        let (answer, answered) = oneshot::channel();
        if self.inner.stop.send(answer).await.is_err() {
            return Ok(());
        }
        answered.await.unwrap_or(Err(VaultError::Closing))
    }

    /// The folder of the store.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The state that the buckets are documents of.
    pub fn state(&self) -> &State {
        &self.inner.state
    }

    /// The newest journal entry whose facts are visible.
    pub fn applied(&self) -> opentrail_journal::Seq {
        self.inner.index.applied()
    }

    /// Lets nobody delete the bucket until the guard is dropped.
    pub(crate) async fn enter(
        &self,
        bucket: &str,
    ) -> Result<(Arc<Bucket>, tokio::sync::OwnedRwLockReadGuard<()>), VaultError> {
        let open = self.inner.buckets.read(bucket).await?;
        let bucket = self.inner.state.try_get::<Bucket>(bucket)?.ok_or_else(|| no_such_bucket(bucket))?;
        Ok((bucket, open))
    }

    /// Makes facts and records durable as one journal entry and waits until the facts are visible. `guards` are
    /// held until then, also if the caller's future is dropped; `pending` are the files the facts refer to.
    pub(crate) async fn commit<G: Send + 'static>(
        &self,
        facts: Vec<Carried>,
        events: Vec<OwnedEvent>,
        mut pending: Vec<PendingBlob>,
        guards: G,
    ) -> Result<(), VaultError> {
        if facts.is_empty() && events.is_empty() {
            return Ok(());
        }
        let waits = !facts.is_empty();
        let facts = facts.iter().map(Carried::encode).collect::<Result<Vec<_>, _>>()?;
        let (state, index) = (self.inner.state.clone(), Arc::clone(&self.inner.index));
        let tail = tokio::spawn(async move {
            pending.iter_mut().for_each(PendingBlob::submit);
            let appended = state.append(facts, events).await;
            let seq = match appended {
                Ok(seq) => seq,
                Err(error) => {
                    if is_without_effect(&error) {
                        pending.into_iter().for_each(PendingBlob::refuse);
                    }
                    return Err(refused(error));
                }
            };
            let reached = if waits { index.reached(seq).await } else { Ok(()) };
            if reached.is_ok() {
                pending.into_iter().for_each(PendingBlob::keep);
            }
            drop(guards);
            reached
        });
        match timeout(self.inner.options.apply_timeout, tail).await {
            Ok(joined) => joined.unwrap_or(Err(VaultError::Closing)),
            Err(_) => Err(VaultError::NotAppliedYet),
        }
    }
}

/// Whether the entry is certainly not in the journal.
fn is_without_effect(error: &StateError) -> bool {
    match error {
        StateError::Journal(cause) => {
            matches!(cause, JournalError::DiskFull(_) | JournalError::TooLarge { .. } | JournalError::Closed)
        }
        StateError::TooLong(_) | StateError::Refused { .. } => true,
        _ => false,
    }
}

pub(crate) fn refused(error: StateError) -> VaultError {
    if error.is_retryable() { VaultError::DiskFull } else { error.into() }
}
