//! The delivery: one reader of the journal that writes log files and digests into buckets.
//!
//! The way of an event: journal → an open file of its trail and region ([`batch`], in memory, compressed) →
//! the *cut*, which closes all open files at one position of the journal, writes them into the spool and
//! then the ledger with that position ([`ledger`]) → upload until the bucket has it → the digest of the period in
//! which it was delivered ([`chain`], [`digesting`]).
//!
//! Exactly once: open files are only in memory. After a crash the journal is read again from the ledger's
//! position, and the files of the ledger are uploaded again with the same names and bytes.
//!
//! Limits: when `spool_bytes` or `outstanding_files` wait for their buckets, reading stops, and the events of
//! all trails wait in the journal. Before that a bucket that is away holds up only its own trail.
//!
//! A deleted trail's files are still delivered; those that its bucket does not take are given up after 24
//! hours. A trail that gets another bucket because the old one is gone takes its waiting files along
//! ([`retarget`]).

mod batch;
pub(crate) mod chain;
mod digesting;
mod error;
mod fsck;
mod gzip;
mod intake;
mod lane;
mod ledger;
mod options;
mod retarget;
mod schedule;
mod spool;
mod status;
mod upload;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_journal::{Hold, Journal, Seq, disk::Disk};
use opentrail_keyring::Keyring;
use opentrail_state::State;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) use self::ledger::sha256_hex;
pub use self::{
    chain::{ChainHead, ChainLink},
    error::DeliveryError,
    fsck::{FsckReport, fsck},
    options::{Clock, DeliveryOptions, SystemClock},
    status::{DeliveryStatus, TrailStatus},
};
use self::{
    intake::Intake,
    lane::{Lane, LaneKey},
    ledger::Ledger,
    spool::Spool,
};
use crate::{store::LogStore, trail::Trail};

/// The delivery; clones are the same one.
#[derive(Clone)]
pub struct Delivery {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    journal: Journal,
    keyring: Keyring,
    store: Arc<dyn LogStore>,
    clock: Arc<dyn Clock>,
    options: DeliveryOptions,
    spool: Spool,
    hold: Hold,
    ledger: Mutex<Ledger>,
    /// The files of the ledger on disk; while it is being written, or if that failed, those of both.
    stored: Mutex<BTreeSet<u64>>,
    lanes: Mutex<HashMap<LaneKey, Lane>>,
    /// Taken for writing the ledger, so that an older image never replaces a newer one.
    saving: tokio::sync::Mutex<()>,
    intake: Arc<tokio::sync::Mutex<Intake>>,
    schedule: Mutex<schedule::Schedule>,
    /// Something may be uploaded, or room was made.
    changed: Notify,
}

/// What waits for its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Files.
    pub files: usize,
    /// Their compressed bytes.
    pub bytes: u64,
}

impl Delivery {
    /// Opens the delivery whose ledger and spool are in `dir`, or begins one there at the journal's first
    /// entry. From here on the journal keeps what was not delivered.
    ///
    /// # Errors
    /// [`DeliveryError::JournalGap`] if the journal no longer has what was not delivered; damaged or
    /// unreadable files; options that make no sense.
    pub async fn open(
        dir: &Path,
        state: State,
        keyring: Keyring,
        store: Arc<dyn LogStore>,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        options.check()?;
        let (folder, files) = (dir.to_owned(), disk.clone());
        let (ledger, spool) = blocking(move || open_files(&folder, files)).await?;
        let journal = state.journal().clone();
        let first = journal.first().0;
        if ledger.cursor + 1 < first {
            return Err(DeliveryError::JournalGap { first, cursor: ledger.cursor });
        }
        let cursor = Seq(ledger.cursor);
        let hold = journal.hold("trails", cursor);
        let intake = Intake::new(journal.reader(cursor), &ledger);
        let schedule = schedule::Schedule::new(clock.now(), &options);
        let inner = Inner {
            dir: dir.to_owned(),
            disk,
            journal,
            keyring,
            store,
            clock,
            options,
            spool,
            hold,
            stored: Mutex::new(ledger.files.keys().copied().collect()),
            ledger: Mutex::new(ledger),
            lanes: Mutex::default(),
            saving: tokio::sync::Mutex::default(),
            intake: Arc::new(tokio::sync::Mutex::new(intake)),
            schedule: Mutex::new(schedule),
            changed: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Delivers until `shutdown`. A full or failing disk is waited for. It ends early only if the journal can
    /// no longer be read.
    ///
    /// # Errors
    /// What ended it.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) -> Result<(), DeliveryError> {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let reading = async {
            let ended = self.read_loop(stopped.clone()).await;
            stop.send_replace(true);
            ended
        };
        let uploading = self.upload_loop(stopped.clone());
        let stopping = async {
            let mut ended = stopped.clone();
            tokio::select! {
                () = shutdown => { stop.send_replace(true); }
                _ = ended.wait_for(|stopped| *stopped) => {}
            }
        };
        let (read, uploaded, ()) = tokio::join!(reading, uploading, stopping);
        read.and(uploaded)
    }

    /// Does what is due by the clock, once: reads all that the journal has, cuts, decides digests, and uploads
    /// what the buckets take. For tests, in place of [`Delivery::run`].
    ///
    /// # Errors
    /// A disk or journal that failed. The delivery can go on; what failed is done again.
    pub async fn tick(&self) -> Result<(), DeliveryError> {
        self.read_available().await?;
        self.due_work().await?;
        self.upload_all().await
    }

    /// How the delivery of a trail goes; with the trail it gives [`TrailStatus`].
    pub fn status(&self, trail: &Trail) -> DeliveryStatus {
        let arn = trail.arn().to_string();
        let ledger = self.inner.ledger.lock();
        let mut status = ledger.statuses.get(&arn).cloned().unwrap_or_default();
        for file in ledger.files.values().filter(|file| file.trail_arn == arn) {
            status.outstanding_files += 1;
            status.outstanding_bytes += file.size;
        }
        status
    }

    /// What a validator needs to know about a trail's chains, by account and region; of an organization trail's only
    /// those of one account, if `account` says so.
    pub fn chain_heads(&self, trail_arn: &str, account: Option<AccountId>) -> Vec<ChainHead> {
        chain::heads(&self.inner.ledger.lock(), trail_arn, account, self.inner.clock.now())
    }

    /// The last journal entry whose events are in files.
    pub fn cursor(&self) -> Seq {
        Seq(self.inner.ledger.lock().cursor)
    }

    /// What waits for its bucket.
    pub fn backlog(&self) -> Backlog {
        let ledger = self.inner.ledger.lock();
        Backlog { files: ledger.files.len(), bytes: ledger.spooled() }
    }

    /// Writes the ledger as it is now; then the files in it may be uploaded and the journal may forget what
    /// they hold.
    async fn save(&self) -> Result<(), DeliveryError> {
        let _turn = self.inner.saving.lock().await;
        let (image, cursor) = {
            let mut ledger = self.inner.ledger.lock();
            ledger.next_number = self.inner.spool.next();
            let path = Ledger::path(&self.inner.dir);
            let image = ledger.image().map_err(|source| DeliveryError::Ledger { path, source })?;
            (image, ledger.cursor)
        };
        let (bytes, files): (Vec<u8>, BTreeMap<u64, u32>) = image;
        let inner = self.inner.clone();
        self.inner.stored.lock().extend(files.keys());
        blocking(move || Ledger::store(&inner.dir, &*inner.disk, &bytes)).await?;
        *self.inner.stored.lock() = files.keys().copied().collect();
        {
            let mut ledger = self.inner.ledger.lock();
            for (number, moves) in files {
                if let Some(file) = ledger.files.get_mut(&number).filter(|file| file.moves == moves) {
                    file.durable = true;
                }
            }
            metrics::gauge!("opentrail_trails_outstanding_files").set(ledger.files.len() as f64);
            metrics::gauge!("opentrail_trails_outstanding_bytes").set(ledger.spooled() as f64);
        }
        self.inner.hold.advance(Seq(cursor));
        self.inner.changed.notify_one();
        Ok(())
    }
}

fn open_files(dir: &Path, disk: Arc<dyn Disk>) -> Result<(Ledger, Spool), DeliveryError> {
    disk.create_dir_all(dir).map_err(DeliveryError::disk(dir))?;
    let ledger = match Ledger::load(dir, &*disk)? {
        Some(ledger) => ledger,
        None => Ledger::new(0, BTreeMap::new()),
    };
    let known: BTreeSet<u64> = ledger.files.keys().copied().collect();
    let spool = Spool::open(dir, disk, &known, ledger.next_number)?;
    Ok((ledger, spool))
}

/// Runs what blocks on the disk or the processor where that disturbs nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeliveryError> + Send + 'static,
) -> Result<T, DeliveryError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DeliveryError::Interrupted)?
}

/// The next moment after `now` at which something is due.
fn later(now: DateTime<Utc>, at: DateTime<Utc>) -> std::time::Duration {
    (at - now).to_std().unwrap_or_default()
}
