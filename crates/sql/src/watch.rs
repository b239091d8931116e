//! Ending queries when all together use more memory than they may, whoever in them uses it.
//!
//! Operators that hold rows ask a pool for memory and spill when it has none. But some of DataFusion's ask nobody (windows,
//! unnesting), nor do results of functions, pages that are decompressed, footers and texts of rows. So a thread looks at
//! what the engine's threads have allocated. Above the limit it ends the query that started last, and if that does not
//! help, the one before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::SqlError;
use crate::cancel::Cancel;

/// Between two looks while queries run. Memory that is not yet used is got at some GB a second: what a query may be above
/// the limit before it is told to end is a hundred MB.
const LOOK: Duration = Duration::from_millis(20);

/// How many looks a query that was told to end has to give back its memory before the next one is told: it may be in the
/// midst of a batch.
const PATIENCE: u32 = 250;

/// How much memory may grow meanwhile, in bytes: more is another query's doing.
const GROWTH: usize = 64 << 20;

/// What the engine's threads say of the memory that they use. How that is found out is the caller's affair.
pub trait MemoryGauge: fmt::Debug + Send + Sync {
    /// Called on each thread of the engine before it works: what it allocates from now on is counted.
    fn enter(&self);

    /// Bytes that these threads have allocated and that nobody has freed.
    fn allocated(&self) -> usize;
}

/// The thread that looks. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    gauge: Arc<dyn MemoryGauge>,
    watched: Mutex<Watched>,
    changed: Condvar,
}

#[derive(Debug)]
struct Watched {
    limit: usize,
    /// By when they started.
    queries: BTreeMap<u64, Cancel>,
    next: u64,
    /// What was allocated when a query was told to end, and the looks that it still has.
    patience: Option<(usize, u32)>,
    is_over: bool,
}

/// That a query is watched, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shared.watched.lock().queries.remove(&self.number);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.watched.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

impl Watch {
    /// Starts the thread. `limit` is in bytes.
    pub(crate) fn start(gauge: Arc<dyn MemoryGauge>, limit: usize) -> Result<Self, SqlError> {
        let shared =
            Arc::new(Shared { gauge, watched: Mutex::new(Watched::new(limit)), changed: Condvar::new() });
        let own = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("sql-memory".to_owned())
            .spawn(move || own.look_until_over())
            .map_err(|error| SqlError::Internal(format!("no thread that watches queries: {error}")))?;
        Ok(Watch { shared })
    }

    /// Watches a query.
    pub(crate) fn over(&self, cancel: &Cancel) -> Watching {
        let number = self.shared.watched.lock().add(cancel.clone());
        self.shared.changed.notify_all();
        Watching { shared: Arc::clone(&self.shared), number }
    }
}

impl Shared {
    fn look_until_over(&self) {
        let mut watched = self.watched.lock();
        while !watched.is_over {
            if watched.queries.is_empty() {
                self.changed.wait(&mut watched);
                continue;
            }
            parking_lot::MutexGuard::unlocked(&mut watched, || std::thread::sleep(LOOK));
            watched.look(self.gauge.allocated());
        }
    }
}

impl Watched {
    fn new(limit: usize) -> Self {
        Watched { limit, queries: BTreeMap::new(), next: 0, patience: None, is_over: false }
    }

    fn add(&mut self, cancel: Cancel) -> u64 {
        let number = self.next;
        self.next += 1;
        self.queries.insert(number, cancel);
        number
    }

    fn look(&mut self, allocated: usize) {
        if allocated <= self.limit {
            self.patience = None;
            return;
        }
        if let Some((then, looks)) = &mut self.patience
            && *looks > 0
            && allocated < *then + GROWTH
        {
            *looks -= 1;
            return;
        }
        let Some(last) = self.queries.values().rev().find(|query| !query.is_ended()) else { return };
        tracing::info!(allocated, limit = self.limit, "a query used too much memory and was ended");
        last.end(SqlError::ExceededMemory(self.limit));
        self.patience = Some((allocated, PATIENCE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 30;

    fn watched(count: usize) -> (Watched, Vec<Cancel>) {
        let mut watched = Watched::new(LIMIT);
        let queries: Vec<Cancel> = (0..count).map(|_| Cancel::default()).collect();
        for query in &queries {
            watched.add(query.clone());
        }
        (watched, queries)
    }

    fn ended(queries: &[Cancel]) -> Vec<bool> {
        queries.iter().map(Cancel::is_ended).collect()
    }

    #[test]
    fn queries_within_the_limit_go_on() {
        let (mut watched, queries) = watched(2);
        watched.look(LIMIT);
        assert_eq!(ended(&queries), [false, false]);
    }

    #[test]
    fn the_one_that_started_last_goes_first() {
        let (mut watched, queries) = watched(3);
        watched.look(LIMIT + 1);
        assert_eq!(ended(&queries), [false, false, true]);
        watched.look(LIMIT);
        watched.look(LIMIT + 1);
        assert_eq!(ended(&queries), [false, true, true]);
    }

    #[test]
    fn one_has_time_to_give_its_memory_back() {
        let (mut watched, queries) = watched(2);
        for _ in 0..=PATIENCE {
            watched.look(LIMIT + 1);
            assert_eq!(ended(&queries), [false, true]);
        }
        watched.look(LIMIT + 1);
        assert_eq!(ended(&queries), [true, true]);
        watched.look(LIMIT + 1);
    }

    #[test]
    fn but_not_if_memory_goes_on_growing() {
        let (mut watched, queries) = watched(2);
        watched.look(LIMIT + 1);
        watched.look(LIMIT + 1 + GROWTH);
        assert_eq!(ended(&queries), [true, true]);
    }
}
