//! The archive's metrics, by name and unit.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::status::ArchiveStatus;

/// The entry of the journal up to which events are found.
pub const VISIBLE_SEQ: &str = "opentrail_archive_visible_seq";
/// The entry up to which they are in tables.
pub const STORED_SEQ: &str = "opentrail_archive_stored_seq";
/// Tables.
pub const TABLES: &str = "opentrail_archive_tables";
/// Events in tables.
pub const TABLE_ROWS: &str = "opentrail_archive_table_rows";
/// Bytes of tables and their indexes.
pub const TABLE_BYTES: &str = "opentrail_archive_table_bytes";
/// Events in the tail.
pub const TAIL_ROWS: &str = "opentrail_archive_tail_rows";
/// Bytes of the tail.
pub const TAIL_BYTES: &str = "opentrail_archive_tail_bytes";
/// Ids of events on disk.
pub const SEEN_IDS: &str = "opentrail_archive_seen_ids";
/// Seconds that a lookup took.
pub const LOOKUP_SECONDS: &str = "opentrail_archive_lookup_seconds";
/// Seconds that writing a table from the tail took.
pub const FLUSH_SECONDS: &str = "opentrail_archive_flush_seconds";
/// Seconds that a merge of tables took.
pub const MERGE_SECONDS: &str = "opentrail_archive_merge_seconds";
/// Attempts to read, store or merge that failed.
pub const FAILURES_TOTAL: &str = "opentrail_archive_failures_total";

pub(crate) fn status(status: &ArchiveStatus) {
    gauge!(VISIBLE_SEQ).set(status.visible.0 as f64);
    gauge!(STORED_SEQ).set(status.stored.0 as f64);
    gauge!(TABLES).set(status.tables as f64);
    gauge!(TABLE_ROWS).set(status.rows as f64);
    gauge!(TABLE_BYTES).set(status.bytes as f64);
    gauge!(TAIL_ROWS).set(status.tail_rows as f64);
    gauge!(TAIL_BYTES).set(status.tail_bytes as f64);
    gauge!(SEEN_IDS).set(status.seen_ids as f64);
}

pub(crate) fn lookup(took: Duration) {
    histogram!(LOOKUP_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn flush(took: Duration) {
    histogram!(FLUSH_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn merge(took: Duration) {
    histogram!(MERGE_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn failure() {
    counter!(FAILURES_TOTAL).increment(1);
}
