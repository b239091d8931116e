//! The lake's metrics, by name and unit.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::status::LakeStatus;

/// The entry of the journal up to which events are in views.
pub const VISIBLE_SEQ: &str = "opentrail_lake_visible_seq";
/// The entry up to which they are in tables.
pub const STORED_SEQ: &str = "opentrail_lake_stored_seq";
/// Event data stores.
pub const STORES: &str = "opentrail_lake_stores";
/// Event data stores whose tables can't be written.
pub const STORES_FAILING: &str = "opentrail_lake_stores_failing";
/// Files of tables.
pub const FILES: &str = "opentrail_lake_files";
/// Rows in files.
pub const ROWS: &str = "opentrail_lake_rows";
/// Bytes of files.
pub const BYTES: &str = "opentrail_lake_bytes";
/// Rows in tails.
pub const TAIL_ROWS: &str = "opentrail_lake_tail_rows";
/// Bytes of tails.
pub const TAIL_BYTES: &str = "opentrail_lake_tail_bytes";
/// Rows that stores took from the journal.
pub const TAKEN_TOTAL: &str = "opentrail_lake_taken_rows_total";
/// Seconds that making files of a tail took.
pub const FLUSH_SECONDS: &str = "opentrail_lake_flush_seconds";
/// Attempts to read, write or tidy that failed.
pub const FAILURES_TOTAL: &str = "opentrail_lake_failures_total";

pub(crate) fn status(status: &LakeStatus) {
    gauge!(VISIBLE_SEQ).set(status.visible.0 as f64);
    gauge!(STORED_SEQ).set(status.stored.0 as f64);
    gauge!(STORES).set(status.stores as f64);
    gauge!(STORES_FAILING).set(status.troubles.len() as f64);
    gauge!(FILES).set(status.files as f64);
    gauge!(ROWS).set(status.rows as f64);
    gauge!(BYTES).set(status.bytes as f64);
    gauge!(TAIL_ROWS).set(status.tail_rows as f64);
    gauge!(TAIL_BYTES).set(status.tail_bytes as f64);
}

pub(crate) fn taken(rows: usize) {
    counter!(TAKEN_TOTAL).increment(rows as u64);
}

pub(crate) fn flush(took: Duration) {
    histogram!(FLUSH_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn failure() {
    counter!(FAILURES_TOTAL).increment(1);
}
