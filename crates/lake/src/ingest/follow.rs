//! Following the journal: reading, writing files and tidying, each at its own pace.

use std::{
    collections::HashSet,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use opentrail_journal::{Item, JournalError, Reader};
use opentrail_state::{Entry, StateError};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    follower::Gathered,
    lake::{Lake, READ_BYTES, READ_ITEMS},
    live::Live,
    measure,
};
use crate::{channel::ChannelEvents, error::LakeError, store::StoreId, table::Table};

/// Payloads up to this size are taken over where they are read; larger ones on a thread that may block.
const INLINE_BYTES: usize = 16 << 10;
/// How long to wait after a failure: at first, and at most.
const BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// How often a checkpoint is written at most.
const SAVE_EVERY: Duration = Duration::from_secs(1);

impl Lake {
    /// Keeps the lake up to date until `stop`. After a failure it waits and tries again; it never ends by itself. What
    /// is in memory at the end is in the journal, and read from there at the next start.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.read(&stop), self.write(&stop), self.keep_tidy(&stop));
    }

    /// Takes in what the journal has, as far as tables can be written.
    pub(crate) async fn catch_up(&self) -> Result<(), LakeError> {
        let mut reader = self.inner.journal.reader(self.covered());
        loop {
            if self.is_full()
                && let Err(error) = self.flush().await
            {
                self.failed("cannot write event data stores at the start", &error);
                return Ok(());
            }
            let durable = self.inner.journal.durable();
            if self.covered() >= durable {
                return Ok(());
            }
            self.read_batch(&mut reader).await?;
        }
    }

    /// Reads the journal into the tails.
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
                    self.inner.failing.store(false, Ordering::Relaxed);
                    if self.tail_bytes() >= self.inner.options.flush_bytes {
                        self.inner.flush_wanted.notify_one();
                    }
                }
                Err(LakeError::Journal(JournalError::Closed)) => return stop.cancelled().await,
                Err(error) => {
                    self.failed("cannot follow the journal", &error);
                    pause(&mut backoff, stop).await;
                    reader = self.inner.journal.reader(self.covered());
                }
            }
        }
    }

    async fn read_batch(&self, reader: &mut Reader) -> Result<(), LakeError> {
        let items = reader.next_batch(READ_ITEMS, READ_BYTES).await?;
        if items.iter().map(|item| item.payload.len()).sum::<usize>() <= INLINE_BYTES {
            return self.take(&items);
        }
        let lake = self.clone();
        let taking = tokio::task::spawn_blocking(move || lake.take(&items));
        taking.await.map_err(|_| LakeError::Interrupted)?
    }

    /// Takes entries over.
    fn take(&self, items: &[Item]) -> Result<(), LakeError> {
        let read = |item: &Item| {
            let entry = Entry::of(item)?;
            Ok((item.seq, ChannelEvents::of_entry(&entry), entry))
        };
        let entries = items.iter().map(read).collect::<Result<Vec<_>, StateError>>()?;
        let now = self.now();
        let mut gathered = Gathered::default();
        let mut follower = self.inner.follower.lock();
        let mut outcome = Ok(());
        for (seq, channels, entry) in &entries {
            // A future that was dropped may have been taking them over.
            if *seq > follower.position {
                outcome = follower.follow(*seq, entry, channels, now, &mut gathered);
                if outcome.is_err() {
                    break;
                }
            }
        }
        let mut taken = 0;
        for (store, rows) in gathered.rows.values() {
            if rows.last().is_some_and(|row| !self.is_gone(store, row.seq)) {
                taken += rows.len();
                outcome = self.table_of(store).push(rows).and(outcome);
            }
        }
        gathered.removed.iter().for_each(|id| self.forget(*id));
        // With the follower locked: a checkpoint knows of every row up to where it says it reaches.
        self.inner.visible.send_replace(follower.position);
        drop(follower);
        measure::taken(taken);
        outcome
    }

    /// Whether so much waits to be written that reading should wait.
    fn is_full(&self) -> bool {
        self.tail_bytes() >= self.inner.options.memory_bytes
    }

    /// Makes files of tails.
    async fn write(&self, stop: &CancellationToken) {
        let after = self.inner.options.flush_after;
        let look = (after / 4).clamp(Duration::from_millis(20), Duration::from_secs(5));
        let mut writing: JoinSet<StoreId> = JoinSet::new();
        let mut busy = HashSet::new();
        let (mut saved, mut told) = (Instant::now(), Instant::now());
        let mut backoff = BACKOFF;
        loop {
            let mut wrote = false;
            tokio::select! {
                () = self.inner.flush_wanted.notified() => {}
                () = sleep(look) => {}
                Some(ended) = writing.join_next() => {
                    wrote = true;
                    match ended {
                        Ok(id) => { busy.remove(&id); }
                        // Which one it was nobody knows; it is due again when none is under way.
                        Err(error) => tracing::error!(%error, "writing an event data store ended badly"),
                    }
                    if writing.is_empty() {
                        busy.clear();
                    }
                }
                () = stop.cancelled() => return,
            }
            if self.park_locked() {
                self.inner.room.notify_waiters();
            }
            for live in self.parked(&busy) {
                if writing.len() >= self.inner.options.writers.max(1) {
                    break;
                }
                busy.insert(live.id());
                let lake = self.clone();
                writing.spawn(async move { lake.bring(live).await });
            }
            for live in self.due(&busy) {
                if writing.len() >= self.inner.options.writers.max(1) {
                    break;
                }
                busy.insert(live.id());
                let lake = self.clone();
                writing.spawn(async move { lake.write_one(live).await });
            }
            if (wrote && saved.elapsed() >= SAVE_EVERY) || saved.elapsed() >= after {
                match self.save().await {
                    Ok(()) => {
                        saved = Instant::now();
                        backoff = BACKOFF;
                    }
                    Err(error) => {
                        self.failed("cannot write down how far event data stores are", &error);
                        pause(&mut backoff, stop).await;
                    }
                }
            }
            if told.elapsed() >= SAVE_EVERY {
                measure::status(&self.status());
                told = Instant::now();
            }
        }
    }

    /// The parked tables whose keys should be tried again.
    fn parked(&self, busy: &HashSet<StoreId>) -> Vec<Live> {
        let is_due = |live: &Live| live.is_parked() && !busy.contains(&live.id()) && !live.is_resting();
        self.tables().into_iter().filter(is_due).collect()
    }

    /// The tables whose tails should become files, the most urgent first.
    fn due(&self, busy: &HashSet<StoreId>) -> Vec<Live> {
        let options = &self.inner.options;
        let crowded = self.tail_bytes() >= options.memory_bytes / 2;
        let waiting =
            self.tables().into_iter().filter(|live| !busy.contains(&live.id()) && !live.is_resting());
        let mut waiting: Vec<_> = waiting.map(|live| (live.waiting(), live)).collect();
        waiting.sort_by_key(|(waiting, _)| std::cmp::Reverse(waiting.bytes));
        let mut is_largest = true;
        waiting.retain(|(waiting, _)| {
            let crowds = crowded && std::mem::take(&mut is_largest);
            let aged = waiting.age.is_some_and(|age| age >= options.flush_after);
            waiting.rows > 0 && (crowds || aged || waiting.bytes >= options.flush_bytes)
        });
        waiting.into_iter().map(|(_, live)| live).collect()
    }

    async fn write_one(&self, live: Live) -> StoreId {
        let began = Instant::now();
        match live.flush(self.inner.options.flush_bytes, self.now()).await {
            Ok(rows) => {
                live.note(Ok(()));
                measure::flush(began.elapsed());
                tracing::debug!(store = %live.id(), rows, took = ?began.elapsed(), "a tail became files");
                self.inner.room.notify_waiters();
            }
            Err(error) => {
                let is_news = live.trouble().is_none();
                self.after_failure(&live, &error);
                measure::failure();
                let error = &error as &dyn std::error::Error;
                if is_news {
                    tracing::warn!(store = %live.id(), error, "cannot write an event data store; its events wait");
                } else {
                    tracing::debug!(store = %live.id(), error, "still cannot write an event data store");
                }
            }
        }
        live.id()
    }

    fn failed(&self, what: &'static str, error: &LakeError) {
        self.inner.failing.store(true, Ordering::Relaxed);
        measure::failure();
        tracing::warn!(error = error as &dyn std::error::Error, "{what}; trying again");
    }

    /// Merges small files, drops what is out of retention, and removes the tables of stores that are no more.
    async fn keep_tidy(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = sleep(self.inner.options.tidy_every) => {}
                () = stop.cancelled() => return,
            }
            let tidied = tokio::select! {
                tidied = self.tidy() => tidied,
                () = stop.cancelled() => return,
            };
            if let Err(error) = tidied {
                self.failed("cannot tidy event data stores", &error);
            }
        }
    }

    /// Merges small files, drops what is out of retention and what nobody reads any more, and removes the tables of
    /// stores that are no more, once. [`Lake::run`] does it from time to time.
    ///
    /// # Errors
    /// The first table that can't be tidied; the others are all the same.
    pub async fn tidy(&self) -> Result<(), LakeError> {
        let now = self.now();
        let mut outcome = Ok(());
        for live in self.tables() {
            let retention = self.inner.follower.lock().retention(live.id());
            match live.tidy(retention, now).await {
                Err(error) if error.refused_key().is_some() => {
                    tracing::debug!(store = %live.id(), %error, "an event data store waits to be tidied");
                }
                tidied => outcome = outcome.and(tidied),
            }
        }
        let doomed = self.inner.follower.lock().doomed.clone();
        for id in doomed {
            match self.remove(id).await {
                Ok(0) => drop(self.inner.follower.lock().doomed.remove(&id)),
                // What was being written while it was removed is found the next time.
                Ok(files) => {
                    tracing::info!(store = %id, files, "the table of a deleted event data store is removed");
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome.and(self.save().await)
    }

    async fn remove(&self, id: StoreId) -> Result<usize, LakeError> {
        let warehouse = self.warehouse();
        Table::remove(warehouse, &warehouse.table_path(&id.to_string())).await
    }
}

async fn pause(backoff: &mut Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(*backoff) => {}
        () = stop.cancelled() => {}
    }
    *backoff = (*backoff * 2).min(MAX_BACKOFF);
}
