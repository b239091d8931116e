//! The journal's metrics, by name and unit.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// Seconds that a sync of the active segment took.
pub const SYNC_SECONDS: &str = "opentrail_journal_sync_seconds";
/// Entries in a group commit.
pub const BATCH_ENTRIES: &str = "opentrail_journal_batch_entries";
/// Bytes in a group commit.
pub const BATCH_BYTES: &str = "opentrail_journal_batch_bytes";
/// Entries made durable.
pub const ENTRIES_TOTAL: &str = "opentrail_journal_entries_total";
/// Bytes made durable, frame headers included.
pub const BYTES_TOTAL: &str = "opentrail_journal_bytes_total";
/// Bytes that wait to be written.
pub const QUEUE_BYTES: &str = "opentrail_journal_queue_bytes";
/// Bytes of newest entries in memory.
pub const TAIL_BYTES: &str = "opentrail_journal_tail_bytes";
/// Bytes in all segments.
pub const SEGMENT_BYTES: &str = "opentrail_journal_segment_bytes";
/// Segments on the disk.
pub const SEGMENTS: &str = "opentrail_journal_segments";
/// Group commits refused because the disk was full.
pub const DISK_FULL_TOTAL: &str = "opentrail_journal_disk_full_total";
/// 1 after a failure that stopped the journal, else 0.
pub const POISONED: &str = "opentrail_journal_poisoned";

/// What one group commit did.
pub(crate) struct Committed {
    pub(crate) entries: usize,
    pub(crate) bytes: u64,
    pub(crate) sync: Duration,
    pub(crate) queue_bytes: usize,
    pub(crate) tail_bytes: usize,
}

pub(crate) fn committed(what: &Committed) {
    histogram!(SYNC_SECONDS).record(what.sync.as_secs_f64());
    histogram!(BATCH_ENTRIES).record(what.entries as f64);
    histogram!(BATCH_BYTES).record(what.bytes as f64);
    counter!(ENTRIES_TOTAL).increment(what.entries as u64);
    counter!(BYTES_TOTAL).increment(what.bytes);
    gauge!(QUEUE_BYTES).set(what.queue_bytes as f64);
    gauge!(TAIL_BYTES).set(what.tail_bytes as f64);
}

pub(crate) fn segments(count: usize, bytes: u64) {
    gauge!(SEGMENTS).set(count as f64);
    gauge!(SEGMENT_BYTES).set(bytes as f64);
}

pub(crate) fn disk_full() {
    counter!(DISK_FULL_TOTAL).increment(1);
}

pub(crate) fn poisoned(poisoned: bool) {
    gauge!(POISONED).set(f64::from(u8::from(poisoned)));
}
