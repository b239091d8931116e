//! When files are cut and digests decided, and the loop that does it.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use rand::distr::{Alphanumeric, SampleString};
use tokio::sync::OwnedMutexGuard;

use super::{
    Delivery, blocking,
    chain::follow_trails,
    digesting,
    error::DeliveryError,
    intake::{Cut, Intake, Sealed},
    later,
    ledger::{FileKind, LogFile, Outstanding},
    options::DeliveryOptions,
    retarget::retarget,
};
use crate::layout::{UNIQUE_LEN, log_file_key};

/// Entries that are read at once.
const BATCH_ITEMS: usize = 2_000;
/// Bytes of entries that are read at once.
const BATCH_BYTES: usize = 8 << 20;
/// How long a failed disk is left alone.
const DISK_RETRY: Duration = Duration::from_secs(1);

/// What is due next.
pub(super) struct Schedule {
    next_cut: DateTime<Utc>,
    /// The boundary whose digests were decided last.
    decided: Option<DateTime<Utc>>,
    /// The ledger in memory is newer than the one on disk.
    unsaved: bool,
}

impl Schedule {
    pub(super) fn new(now: DateTime<Utc>, options: &DeliveryOptions) -> Self {
        Self { next_cut: now + options.interval, decided: None, unsaved: false }
    }
}

impl Delivery {
    /// Reads until `stop`, and does what is due meanwhile.
    pub(super) async fn read_loop(
        &self,
        mut stop: tokio::sync::watch::Receiver<bool>,
    ) -> Result<(), DeliveryError> {
        // A run before this one may have ended between reading entries and applying them.
        self.begin_again().await;
        while !*stop.borrow() {
            let step = async {
                self.due_work().await?;
                self.read_some(&mut stop).await
            };
            match step.await {
                Ok(()) => {}
                Err(error) if is_passing(&error) => {
                    tracing::error!(%error, "the delivery pauses");
                    self.begin_again().await;
                    tokio::time::sleep(DISK_RETRY).await;
                }
                Err(DeliveryError::Journal(opentrail_journal::JournalError::Closed)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for entries, or until something else is due.
    async fn read_some(&self, stop: &mut tokio::sync::watch::Receiver<bool>) -> Result<(), DeliveryError> {
        let wait = self.until_due();
        let mut intake = self.inner.intake.clone().lock_owned().await;
        if !self.has_room(&intake) {
            drop(intake);
            tokio::select! {
                () = tokio::time::sleep(wait.min(Duration::from_millis(200))) => {}
                _ = stop.changed() => {}
            }
            return Ok(());
        }
        let items = tokio::select! {
            items = intake.reader.next_batch(BATCH_ITEMS, BATCH_BYTES) => items?,
            () = tokio::time::sleep(wait) => return Ok(()),
            _ = stop.changed() => return Ok(()),
        };
        let inner = self.inner.clone();
        blocking(move || intake.apply(&items, &inner.options, &inner.spool)).await
    }

    /// Reads all that is there now, as far as there is room.
    pub(super) async fn read_available(&self) -> Result<(), DeliveryError> {
        loop {
            let intake = self.inner.intake.clone().lock_owned().await;
            if !self.has_room(&intake) {
                return Ok(());
            }
            let inner = self.inner.clone();
            let read = blocking(move || {
                let mut intake = intake;
                let items = intake.reader.try_next_batch(BATCH_ITEMS, BATCH_BYTES)?;
                intake.apply(&items, &inner.options, &inner.spool)?;
                Ok(items.len())
            });
            match read.await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    self.begin_again().await;
                    return Err(error);
                }
            }
            if self.cut_is_due().await {
                self.cut_or_begin_again().await?;
            }
        }
    }

    fn has_room(&self, intake: &Intake) -> bool {
        let ledger = self.inner.ledger.lock();
        let options = &self.inner.options;
        ledger.files.len() < options.outstanding_files
            && ledger.spooled() + intake.sealed_bytes < options.spool_bytes
    }

    /// Cuts and decides digests if it is time.
    pub(super) async fn due_work(&self) -> Result<(), DeliveryError> {
        if self.cut_is_due().await {
            self.cut_or_begin_again().await?;
        }
        let boundary = self.inner.options.boundary(self.inner.clock.now());
        let decided = self.inner.schedule.lock().decided;
        if decided != Some(boundary) {
            self.decide_digests(boundary).await?;
            self.inner.schedule.lock().decided = Some(boundary);
        }
        if self.inner.schedule.lock().unsaved {
            self.save_or_remember().await?;
        }
        Ok(())
    }

    async fn cut_is_due(&self) -> bool {
        let read = self.inner.intake.lock().await.read_bytes;
        read >= self.inner.options.cut_bytes || self.inner.clock.now() >= self.next_cut()
    }

    /// When the next cut is due: never later than an interval from now, also after the clock was set back.
    fn next_cut(&self) -> DateTime<Utc> {
        let latest = self.inner.clock.now() + self.inner.options.interval;
        let mut schedule = self.inner.schedule.lock();
        schedule.next_cut = schedule.next_cut.min(latest);
        schedule.next_cut
    }

    fn until_due(&self) -> Duration {
        let now = self.inner.clock.now();
        let interval = chrono::TimeDelta::from_std(self.inner.options.digest_interval).unwrap_or_default();
        let boundary = self.inner.options.boundary(now) + interval;
        later(now, boundary.min(self.next_cut())).max(Duration::from_millis(1))
    }

    async fn cut_or_begin_again(&self) -> Result<(), DeliveryError> {
        let done = self.cut().await;
        if done.is_err() {
            self.begin_again().await;
        }
        done
    }

    /// Closes all open files at the position that was read, decides their names, and writes the ledger.
    pub(super) async fn cut(&self) -> Result<(), DeliveryError> {
        let now = self.inner.clock.now();
        let intake = self.inner.intake.clone().lock_owned().await;
        let inner = self.inner.clone();
        let (cut, intake) = blocking(move || cut_files(intake, &inner.spool)).await?;
        self.inner.schedule.lock().next_cut = now + self.inner.options.interval;
        let undecided = self.take_over(cut, now);
        drop(intake);
        if let Some(undecided) = undecided {
            self.save_or_remember().await?;
            for number in undecided {
                self.inner.spool.remove(number);
            }
        }
        Ok(())
    }

    /// Takes a cut into the ledger; none if it changes nothing.
    fn take_over(&self, cut: Cut, now: DateTime<Utc>) -> Option<Vec<u64>> {
        let boundary = self.inner.options.boundary(now);
        let mut ledger = self.inner.ledger.lock();
        if ledger.cursor == cut.position && cut.files.is_empty() {
            return None;
        }
        for (id, trail) in &ledger.trails.clone() {
            if !cut.trails.contains_key(id) {
                ledger.deleted.insert(trail.arn().to_string(), now);
            }
        }
        for trail in cut.trails.values() {
            ledger.deleted.remove(&trail.arn().to_string());
        }
        ledger.cursor = cut.position;
        ledger.trails = cut.trails;
        ledger.membership = cut.membership;
        for sealed in cut.files {
            let (number, file) = outstanding(sealed, now);
            ledger.files.insert(number, file);
        }
        let waiting: BTreeSet<String> = ledger.files.values().map(|file| file.trail_arn.clone()).collect();
        ledger.deleted.retain(|arn, _| waiting.contains(arn));
        follow_trails(&mut ledger, now, boundary);
        let lanes = self.inner.lanes.lock();
        Some(retarget(&mut ledger, &lanes, now))
    }

    /// Decides the digests of the periods that ended at `boundary`.
    async fn decide_digests(&self, boundary: DateTime<Utc>) -> Result<(), DeliveryError> {
        let now = self.inner.clock.now();
        let interval = chrono::TimeDelta::from_std(self.inner.options.digest_interval).unwrap_or_default();
        let plans = digesting::due(&self.inner.ledger.lock(), boundary, interval, now);
        if plans.is_empty() {
            return Ok(());
        }
        let mut decided = Vec::with_capacity(plans.len());
        for plan in plans {
            decided.push((self.inner.spool.number(), digesting::sign(plan, &self.inner.keyring).await?));
        }
        let inner = self.inner.clone();
        let decided = blocking(move || {
            for (number, signed) in &decided {
                inner.spool.write(*number, &signed.body)?;
            }
            inner.spool.sync()?;
            Ok(decided)
        })
        .await?;
        {
            let mut ledger = self.inner.ledger.lock();
            for (number, signed) in decided {
                digesting::adopt(&mut ledger, signed, number);
            }
        }
        self.save_or_remember().await
    }

    async fn save_or_remember(&self) -> Result<(), DeliveryError> {
        let saved = self.save().await;
        self.inner.schedule.lock().unsaved = saved.is_err();
        saved
    }

    /// After a failure in reading or cutting: forgets open files and reads again from the ledger's position.
    async fn begin_again(&self) {
        let mut intake = self.inner.intake.lock().await;
        let known: BTreeSet<u64> = {
            let ledger = self.inner.ledger.lock();
            let reader = self.inner.journal.reader(opentrail_journal::Seq(ledger.cursor));
            *intake = Intake::new(reader, &ledger);
            // The ledger on disk may still have files that have left the one in memory.
            ledger.files.keys().chain(&*self.inner.stored.lock()).copied().collect()
        };
        let inner = self.inner.clone();
        if let Err(error) = blocking(move || inner.spool.sweep(&known)).await {
            tracing::warn!(%error, "files that were not decided stay in the spool until the next start");
        }
    }
}

fn cut_files(
    mut intake: OwnedMutexGuard<Intake>,
    spool: &super::spool::Spool,
) -> Result<(Cut, OwnedMutexGuard<Intake>), DeliveryError> {
    let cut = intake.cut(spool)?;
    Ok((cut, intake))
}

/// A closed file with its name.
fn outstanding(sealed: Sealed, now: DateTime<Utc>) -> (u64, Outstanding) {
    let Sealed { number, size, body_sha256, finished } = sealed;
    let unique = Alphanumeric.sample_string(&mut rand::rng(), UNIQUE_LEN);
    let to = &finished.destination;
    let key = log_file_key(to.prefix.as_deref(), &to.whose, &finished.region, now, &unique);
    let file = Outstanding {
        trail_arn: to.trail_arn.clone(),
        whose: to.whose.clone(),
        bucket: to.bucket.clone(),
        key,
        size,
        body_sha256,
        kind: FileKind::Log(LogFile {
            region: finished.region.to_string(),
            sha256: finished.sha256,
            oldest: finished.oldest,
            newest: finished.newest,
            events: finished.events,
            validation: to.validation,
            prefix: to.prefix.clone(),
        }),
        kms_key: to.kms_key.clone(),
        durable: false,
        moves: 0,
        maybe_written: false,
        damaged: false,
    };
    (number, file)
}

/// Whether an error is one that passes: a full or failing disk, a key that could not be made.
fn is_passing(error: &DeliveryError) -> bool {
    matches!(error, DeliveryError::Disk { .. } | DeliveryError::Keyring(_))
}
