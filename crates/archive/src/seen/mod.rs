//! Which events are in the record already: what makes taking an event in twice harmless.
//!
//! A view of the journal, fed by the archive's reader and, a little earlier, by those who record. The newest
//! ids are in memory; now and then they become a sorted [run](run) on disk, and runs of like size are merged.
//! An id that is in no run costs one probe of each run's filter.

mod key;
mod reservation;
mod run;
mod store;
mod told;

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::Arc,
};

use opentrail_event::{AccountId, EventId};
use opentrail_journal::{Journal, Seq};
use opentrail_state::{Entry, Fact};
use parking_lot::Mutex;
use tokio::sync::watch;

use self::{key::Key, run::Run};
pub(crate) use self::{
    run::{RunFacts, check_run},
    store::{SeenStore, read_seen_manifest, seen_dir},
};
pub use reservation::{Reservation, Standing};

use crate::error::ArchiveError;

/// How many times the ids that make a run may be in memory before reserving is refused: only while the disk
/// refuses to take a run.
const OVERLOAD: usize = 8;

/// The view. Clones share it.
#[derive(Clone)]
pub struct SeenIds {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    memory_ids: usize,
    memory: Mutex<Memory>,
    /// The oldest open ticket, or the next if none is open.
    oldest_open: watch::Sender<u64>,
    /// Every id up to this entry of the journal is known.
    applied: watch::Sender<Seq>,
}

#[derive(Default)]
struct Memory {
    recent: HashSet<Key>,
    /// Ids that are becoming a run, and the entry up to which they reach.
    frozen: Option<(Arc<HashSet<Key>>, Seq)>,
    runs: Arc<Vec<Arc<Run>>>,
    pending: HashSet<Key>,
    open: BTreeSet<u64>,
    next_ticket: u64,
}

impl Memory {
    fn is_recent(&self, key: &Key) -> bool {
        self.recent.contains(key) || self.frozen.as_ref().is_some_and(|(frozen, _)| frozen.contains(key))
    }

    fn ids(&self) -> usize {
        self.recent.len() + self.pending.len() + self.frozen.as_ref().map_or(0, |(frozen, _)| frozen.len())
    }
}

/// What memory knows of the ids of a reservation.
struct Remembered {
    standings: Vec<Standing>,
    /// Those that are not in memory, and where they stand among the ids.
    unknown: Vec<(usize, Key)>,
    /// The reservation that they wait in; none where there are none.
    ticket: Option<u64>,
    /// Where else an id can be, as of then.
    runs: Arc<Vec<Arc<Run>>>,
}

impl SeenIds {
    fn new(journal: Journal, memory_ids: usize, runs: Vec<Arc<Run>>, position: Seq) -> Self {
        Self {
            inner: Arc::new(Inner {
                journal,
                memory_ids: memory_ids.max(1),
                memory: Mutex::new(Memory { runs: Arc::new(runs), ..Memory::default() }),
                oldest_open: watch::Sender::new(0),
                applied: watch::Sender::new(position),
            }),
        }
    }

    /// Takes the right to record the ids of these events of one account, as far as they are new.
    ///
    /// Blocks for a read of a page where an id may be known from long ago, which for a new id is rare.
    ///
    /// # Errors
    /// [`ArchiveError::Overloaded`] if too many ids wait for the disk; [`ArchiveError::Disk`] and
    /// [`ArchiveError::Corrupt`] if a page cannot be read. Nothing is reserved then.
    pub fn reserve(&self, owner: AccountId, ids: &[EventId]) -> Result<Reservation, ArchiveError> {
        let Remembered { mut standings, unknown, ticket, runs } = self.remember(owner, ids)?;
        let Some(ticket) = ticket else {
            return Ok(Reservation::new(self.clone(), None, standings, Vec::new()));
        };
        // Ids that leave memory while this looks at the runs it took were not unknown to it.
        let (mut fresh, mut known) = (Vec::with_capacity(unknown.len()), Vec::new());
        for (at, key) in &unknown {
            match is_in(&runs, *key) {
                Ok(true) => {
                    standings[*at] = Standing::Recorded;
                    known.push(*key);
                }
                Ok(false) => fresh.push(*key),
                Err(error) => {
                    let keys: Vec<Key> = unknown.iter().map(|(_, key)| *key).collect();
                    self.end(ticket, &keys, false);
                    return Err(error);
                }
            }
        }
        if !known.is_empty() {
            let known: HashSet<&Key> = known.iter().collect();
            for (standing, id) in standings.iter_mut().zip(ids) {
                if *standing == Standing::Pending && known.contains(&Key::new(&owner, *id)) {
                    *standing = Standing::Recorded;
                }
            }
        }
        if fresh.is_empty() {
            self.end(ticket, &known, false);
            return Ok(Reservation::new(self.clone(), None, standings, fresh));
        }
        if !known.is_empty() {
            let mut memory = self.inner.memory.lock();
            for key in &known {
                memory.pending.remove(key);
            }
        }
        Ok(Reservation::new(self.clone(), Some(ticket), standings, fresh))
    }

    /// What memory knows of the ids; those that it does not are pending from now on.
    fn remember(&self, owner: AccountId, ids: &[EventId]) -> Result<Remembered, ArchiveError> {
        let mut memory = self.inner.memory.lock();
        if memory.ids() > self.inner.memory_ids.saturating_mul(OVERLOAD) {
            return Err(ArchiveError::Overloaded);
        }
        let mut standings = Vec::with_capacity(ids.len());
        let mut unknown = Vec::with_capacity(ids.len());
        for (at, id) in ids.iter().enumerate() {
            let key = Key::new(&owner, *id);
            standings.push(if memory.is_recent(&key) {
                Standing::Recorded
            } else if memory.pending.insert(key) {
                unknown.push((at, key));
                Standing::Fresh
            } else {
                Standing::Pending
            });
        }
        let ticket = (!unknown.is_empty()).then(|| {
            let ticket = memory.next_ticket;
            memory.next_ticket += 1;
            memory.open.insert(ticket);
            ticket
        });
        Ok(Remembered { standings, unknown, ticket, runs: Arc::clone(&memory.runs) })
    }

    /// The fact by which the ids of events that are not among their entry's records are known after a start: it goes
    /// into the entry that makes them durable.
    pub fn fact(owner: AccountId, ids: &[EventId]) -> Fact {
        told::fact(owner, ids)
    }

    /// Waits until every reservation that is open now is committed or has given its ids free. One's own must
    /// have been before.
    pub async fn settled(&self) {
        let newest = self.inner.memory.lock().next_ticket;
        let mut oldest = self.inner.oldest_open.subscribe();
        // The sender lives as long as `self`.
        let _ = oldest.wait_for(|oldest| *oldest >= newest).await;
    }

    /// Ends a reservation; its keys are recorded, or as before.
    fn end(&self, ticket: u64, keys: &[Key], recorded: bool) {
        let mut memory = self.inner.memory.lock();
        for key in keys {
            memory.pending.remove(key);
            if recorded {
                memory.recent.insert(*key);
            }
        }
        memory.open.remove(&ticket);
        let oldest = memory.open.first().copied().unwrap_or(memory.next_ticket);
        self.inner.oldest_open.send_replace(oldest);
    }

    /// Waits until the journal has answered all appends that were under way, and those that succeeded are
    /// known here.
    async fn read_all_that_is_under_way(&self) {
        self.inner.journal.settled().await;
        let durable = self.inner.journal.durable();
        let mut applied = self.inner.applied.subscribe();
        // The sender lives as long as `self`.
        let _ = applied.wait_for(|applied| *applied >= durable).await;
    }

    /// Every id up to this entry of the journal is known.
    pub(crate) fn applied(&self) -> Seq {
        *self.inner.applied.borrow()
    }

    /// Takes over the ids of some entries, which follow those taken over before.
    pub(crate) fn learn(&self, entries: &[(Seq, Arc<Entry>)]) {
        let applied = self.applied();
        let Some((last, _)) = entries.last().filter(|(last, _)| *last > applied) else { return };
        {
            let mut memory = self.inner.memory.lock();
            for (_, entry) in entries.iter().filter(|(seq, _)| *seq > applied) {
                memory.recent.extend(entry.events.iter().map(|of| Key::new(&of.owner, of.event.key())));
                memory.recent.extend(told::keys(entry));
            }
            // With the lock held: a run that is frozen has all ids up to where it says it reaches.
            self.inner.applied.send_replace(*last);
        }
    }

    /// Whether the ids in memory should become a run.
    pub(crate) fn is_due(&self) -> bool {
        let memory = self.inner.memory.lock();
        memory.recent.len() >= self.inner.memory_ids || memory.frozen.is_some()
    }

    /// Whether so many ids are in memory that reading the journal should wait.
    pub(crate) fn is_crowded(&self) -> bool {
        self.inner.memory.lock().ids() > self.inner.memory_ids.saturating_mul(OVERLOAD / 2)
    }

    /// The ids in memory, as what is to become a run; a run that could not be written before comes again.
    fn freeze(&self) -> (Arc<HashSet<Key>>, Seq) {
        let mut memory = self.inner.memory.lock();
        if memory.frozen.is_none() {
            let recent = Arc::new(std::mem::take(&mut memory.recent));
            memory.frozen = Some((recent, self.applied()));
        }
        memory.frozen.clone().unwrap_or_default()
    }

    fn runs(&self) -> Arc<Vec<Arc<Run>>> {
        Arc::clone(&self.inner.memory.lock().runs)
    }

    /// The runs are these now; the frozen ids are in them if `thawed`.
    fn replace_runs(&self, runs: Vec<Arc<Run>>, thawed: bool) {
        let runs = Arc::new(runs);
        let mut memory = self.inner.memory.lock();
        let old = (std::mem::replace(&mut memory.runs, runs), thawed.then(|| memory.frozen.take()));
        drop(memory);
        drop(old);
    }
}

fn is_in(runs: &[Arc<Run>], key: Key) -> Result<bool, ArchiveError> {
    let hash = key.hash();
    for run in runs.iter().rev() {
        if run.contains(key, hash)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl fmt::Debug for SeenIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenIds").field("applied", &self.applied()).finish_non_exhaustive()
    }
}
