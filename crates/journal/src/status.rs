//! How the journal is.

use std::sync::Arc;

use crate::{PoisonCause, Seq};

/// Whether appends work.
#[derive(Debug, Clone)]
pub enum Health {
    /// They do.
    Healthy,
    /// The last group commit found no room. Appends are still tried, and meanwhile the disk is: the journal is
    /// healthy again by itself within about a second after there is room.
    Full,
    /// The journal stopped; it must be opened again.
    Poisoned(Arc<PoisonCause>),
}

impl Health {
    /// Whether appends work.
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy)
    }
}

/// How the journal is.
#[derive(Debug, Clone)]
pub struct JournalStatus {
    /// Whether appends work.
    pub health: Health,
    /// The oldest entry that is kept.
    pub first: Seq,
    /// The newest durable entry.
    pub durable: Seq,
    /// Segments on the disk.
    pub segments: usize,
    /// Durable bytes in them.
    pub bytes: u64,
    /// Bytes that wait to be written, or are being written.
    pub queue_bytes: usize,
    /// Bytes of newest entries in memory.
    pub tail_bytes: usize,
    /// Every hold with its position, by name.
    pub holds: Vec<(&'static str, Seq)>,
}
