//! Tables whose key can't be opened.
//!
//! What such a table has waiting stays in its tail while there is room. Then the tail is given up and the table parked:
//! the journal keeps its events from the first that is in no file. When the key can be opened again, a follower of the
//! table's own reads the journal from the last checkpoint, with the configuration as it was there, makes files on the way
//! so that no more than a tail is in memory, and ends where the lake's own follower is. Until then views of the table
//! lack what it has not brought yet, and say so ([`Live::is_whole`]).
//!
//! Where a key is gone for good nothing is kept any more.

use opentrail_journal::{Item, Seq};
use opentrail_state::{Entry, StateError};

use super::{
    follower::{Follower, Gathered},
    lake::{Lake, READ_BYTES, READ_ITEMS},
    live::Live,
    tail::Intake,
};
use crate::{channel::ChannelEvents, error::LakeError, store::StoreId, warehouse::KeyRefused};

/// A locked table is parked when its tail has so much of what makes a tail large.
const PARKED_AT: usize = 4;

impl Lake {
    /// Parks tables that wait for their keys and have much in memory. Answers whether there is more room now.
    pub(crate) fn park_locked(&self) -> bool {
        let options = &self.inner.options;
        let crowded = self.tail_bytes() >= options.memory_bytes / 2;
        let is_due = |live: &Live| crowded || live.waiting().bytes >= options.flush_bytes / PARKED_AT;
        let mut parked = false;
        for live in self.tables().iter().filter(|live| live.is_locked() && is_due(live)) {
            if live.park() {
                tracing::warn!(store = %live.id(), "an event data store waits for its key; the journal keeps its events");
                parked = true;
            }
        }
        parked
    }

    /// What becomes of a table whose events could not be written.
    pub(crate) fn after_failure(&self, live: &Live, error: &LakeError) {
        live.note(Err(error));
        if let Some(KeyRefused::Gone(reason)) = error.refused_key() {
            tracing::error!(store = %live.id(), reason, "the key of an event data store is gone; it takes no more events");
            live.give_up(Intake::Closed);
            self.inner.room.notify_waiters();
        }
    }

    /// Brings a parked table what it has not.
    pub(crate) async fn bring(&self, live: Live) -> StoreId {
        match self.bring_all(&live).await {
            Ok(()) => {
                live.note(Ok(()));
                tracing::info!(store = %live.id(), "an event data store has everything again");
            }
            Err(error) => {
                // The next attempt brings everything again that is in no file.
                live.park_again();
                self.after_failure(&live, &error);
                let error = &error as &dyn std::error::Error;
                tracing::debug!(store = %live.id(), error, "an event data store still waits");
            }
        }
        live.id()
    }

    async fn bring_all(&self, live: &Live) -> Result<(), LakeError> {
        live.table(self.now()).await?;
        let mut follower = Follower::new(self.inner.follower.lock().saved_checkpoint());
        while !live.is_retired() {
            let upto = self.inner.follower.lock().position;
            if follower.position < upto {
                let mut reader = self.inner.journal.reader(follower.position);
                let items = reader.next_batch(READ_ITEMS, READ_BYTES).await?;
                let (lake, to) = (self.clone(), live.clone());
                let bringing =
                    tokio::task::spawn_blocking(move || lake.bring_some(&to, follower, &items, upto));
                follower = bringing.await.map_err(|_| LakeError::Interrupted)??;
                let bytes = self.inner.options.flush_bytes;
                while live.waiting().bytes >= bytes && live.flush(bytes, self.now()).await? > 0 {}
                continue;
            }
            // Locked, so that nothing comes between the last that was brought and the first that comes by itself.
            let main = self.inner.follower.lock();
            if main.position == follower.position {
                live.resume();
                break;
            }
        }
        Ok(())
    }

    /// Takes over the entries up to one, for one table.
    fn bring_some(
        &self,
        live: &Live,
        mut follower: Follower,
        items: &[Item],
        upto: Seq,
    ) -> Result<Follower, LakeError> {
        let read = |item: &Item| {
            let entry = Entry::of(item)?;
            Ok((item.seq, ChannelEvents::of_entry(&entry), entry))
        };
        let entries = items.iter().filter(|item| item.seq <= upto).map(read);
        let entries = entries.collect::<Result<Vec<_>, StateError>>()?;
        let mut gathered = Gathered::default();
        for (seq, channels, entry) in &entries {
            follower.follow(*seq, entry, channels, self.now(), &mut gathered)?;
        }
        if let Some((_, rows)) = gathered.rows.get(&live.id()) {
            live.push_brought(rows)?;
        }
        Ok(follower)
    }
}
