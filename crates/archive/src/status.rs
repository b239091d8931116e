//! How the archive is.

use chrono::{DateTime, Utc};
use opentrail_journal::Seq;

/// How the archive is, for metrics and health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveStatus {
    /// Events up to this entry of the journal are found by lookups.
    pub visible: Seq,
    /// Events up to this entry are in tables.
    pub stored: Seq,
    /// How many tables there are.
    pub tables: usize,
    /// How many events are in tables.
    pub rows: u64,
    /// Bytes of all tables and their indexes.
    pub bytes: u64,
    /// How many events are in the tail.
    pub tail_rows: usize,
    /// Bytes of the tail, in memory.
    pub tail_bytes: usize,
    /// The oldest `eventTime` in a table.
    pub oldest: Option<DateTime<Utc>>,
    /// Ids known to [`crate::SeenIds`] that are on disk.
    pub seen_ids: u64,
    /// Bytes in memory that are needed to find them.
    pub seen_bytes: usize,
    /// The last attempt to read, store or merge failed; another is under way.
    pub failing: bool,
}
