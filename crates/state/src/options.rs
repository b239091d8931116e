//! The numbers that an operator or a test may want to change.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};

/// Where the time of an entry comes from.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How the state is kept.
#[derive(Clone)]
pub struct StateOptions {
    /// A snapshot is written after this many entries. A restart reads at most about as many: 250,000 are
    /// read in a second or two.
    pub snapshot_entries: u64,
    /// A snapshot is also written after this many bytes of entries, or after four times the size of the
    /// last snapshot if that is more, so that snapshots cost a fraction of what the journal costs.
    pub snapshot_bytes: u64,
    /// How many bytes of entries may wait for the journal after their caller has gone
    /// ([`append_then`](crate::State::append_then)). More callers wait before their entry is encoded.
    pub in_flight_bytes: usize,
    /// The clock that stamps entries.
    pub clock: Clock,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self {
            snapshot_entries: 250_000,
            snapshot_bytes: 512 << 20,
            in_flight_bytes: 64 << 20,
            clock: Arc::new(Utc::now),
        }
    }
}

impl fmt::Debug for StateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateOptions")
            .field("snapshot_entries", &self.snapshot_entries)
            .field("snapshot_bytes", &self.snapshot_bytes)
            .field("in_flight_bytes", &self.in_flight_bytes)
            .finish_non_exhaustive()
    }
}
