//! The state's metrics, by name and unit.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// Documents of all kinds.
pub const DOCUMENTS: &str = "opentrail_state_documents";
/// The entry that the newest snapshot holds.
pub const SNAPSHOT_SEQ: &str = "opentrail_state_snapshot_seq";
/// Bytes in the newest snapshot.
pub const SNAPSHOT_BYTES: &str = "opentrail_state_snapshot_bytes";
/// Seconds that writing a snapshot took.
pub const SNAPSHOT_SECONDS: &str = "opentrail_state_snapshot_seconds";
/// Snapshots that could not be written, or not be read at a start.
pub const SNAPSHOT_FAILURES_TOTAL: &str = "opentrail_state_snapshot_failures_total";

pub(crate) fn snapshot(seq: u64, documents: usize, bytes: u64, took: Duration) {
    gauge!(DOCUMENTS).set(documents as f64);
    gauge!(SNAPSHOT_SEQ).set(seq as f64);
    gauge!(SNAPSHOT_BYTES).set(bytes as f64);
    histogram!(SNAPSHOT_SECONDS).record(took.as_secs_f64());
}

pub(crate) fn recovered(snapshot: u64, documents: usize, rejected: usize) {
    gauge!(DOCUMENTS).set(documents as f64);
    gauge!(SNAPSHOT_SEQ).set(snapshot as f64);
    counter!(SNAPSHOT_FAILURES_TOTAL).increment(rejected as u64);
}

pub(crate) fn snapshot_failed() {
    counter!(SNAPSHOT_FAILURES_TOTAL).increment(1);
}
