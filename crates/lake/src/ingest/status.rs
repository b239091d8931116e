//! How the lake is.

use opentrail_journal::Seq;

use crate::store::StoreId;

/// How the lake is, for metrics and health.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LakeStatus {
    /// Events up to this entry of the journal are in views.
    pub visible: Seq,
    /// Events up to this entry are in tables, and the journal may drop it.
    pub stored: Seq,
    /// How many stores there are.
    pub stores: usize,
    /// How many files their tables have.
    pub files: usize,
    /// How many rows are in files.
    pub rows: u64,
    /// How many bytes the files have.
    pub bytes: u64,
    /// How many rows are in tails.
    pub tail_rows: usize,
    /// Bytes of the tails, in memory.
    pub tail_bytes: usize,
    /// The stores whose tables could not be written at the last attempt; another follows.
    pub troubles: Vec<StoreTrouble>,
    /// The journal could not be read, or the lake's own files not be written, at the last attempt.
    pub failing: bool,
}

/// A store whose table can't be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreTrouble {
    /// Which.
    pub store: StoreId,
    /// Why not.
    pub reason: String,
}
