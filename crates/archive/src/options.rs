//! The numbers that an operator or a test may want to change.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

/// Where the time comes from that retention is reckoned by.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How the archive is kept.
#[derive(Clone)]
pub struct ArchiveOptions {
    /// How long an event is kept, by its `eventTime`; `None`: for ever. AWS: event history has 90 days.
    pub retention: Option<Duration>,
    /// When the tail has so many bytes, it becomes a table. Up to twice as many can be in memory while that is
    /// written; then reading of the journal waits.
    pub tail_bytes: usize,
    /// The tail also becomes a table when its oldest event has been in it for so long.
    pub flush_after: Duration,
    /// Tables are merged until they have half as many rows or more; what has that is left as it is.
    pub file_rows: usize,
    /// Ids that are kept in memory before they become a file. Four times as many can be there while that is
    /// written; then reading of the journal waits.
    pub seen_memory_ids: usize,
    /// The most ids in one file of ids; what bounds the memory for making its filter.
    pub seen_run_ids: usize,
    /// The clock.
    pub clock: Clock,
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        Self {
            retention: Some(Duration::from_secs(90 * 24 * 3600)),
            tail_bytes: 24 << 20,
            flush_after: Duration::from_secs(300),
            file_rows: 800_000,
            seen_memory_ids: 128 << 10,
            seen_run_ids: 2 << 20,
            clock: Arc::new(Utc::now),
        }
    }
}

impl fmt::Debug for ArchiveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveOptions")
            .field("retention", &self.retention)
            .field("tail_bytes", &self.tail_bytes)
            .field("flush_after", &self.flush_after)
            .field("file_rows", &self.file_rows)
            .field("seen_memory_ids", &self.seen_memory_ids)
            .field("seen_run_ids", &self.seen_run_ids)
            .finish_non_exhaustive()
    }
}
