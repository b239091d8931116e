//! Limits and settings.

/// The most bytes in one entry. An HTTP body of the event door is far below it; it keeps one caller from
/// taking all memory, and a damaged length from asking for it.
pub const MAX_ENTRY_BYTES: usize = 64 << 20;

/// The most bytes that one group commit takes, unless a single entry is larger.
pub(crate) const MAX_BATCH_BYTES: usize = 8 << 20;

/// The most entries that one group commit takes.
pub(crate) const MAX_BATCH_ENTRIES: usize = 8192;

/// What an entry costs in memory beside its payload: its place in queue and tail, its channel.
pub(crate) const ENTRY_OVERHEAD_BYTES: usize = 256;

/// Settings of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    /// A segment that reached this size is sealed and the next begins. It can be over by one group commit
    /// (8 MiB, or one larger entry). Retention drops whole segments.
    pub segment_bytes: u64,
    /// Bytes that may wait to be written. When they are used up, appends wait. An entry that is larger than
    /// all of it takes all of it.
    pub queue_bytes: usize,
    /// Bytes of the newest entries that are kept in memory for readers. An attachment is reckoned to be as
    /// large as its payload.
    pub tail_bytes: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, queue_bytes: 32 << 20, tail_bytes: 40 << 20 }
    }
}
