//! What can go wrong, by cause.

use std::{fmt, io, path::PathBuf, sync::Arc};

use crate::Seq;

/// Why the journal refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The payload is larger than [`crate::MAX_ENTRY_BYTES`]. Nothing was written.
    #[error("an entry of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes in the payload.
        bytes: usize,
        /// The most that an entry may have.
        limit: usize,
    },
    /// There is no room on the disk. The entry was not written and never will be: the caller may try again.
    #[error("no space left for the journal")]
    DiskFull(#[source] Arc<io::Error>),
    /// A write or sync failed in a way that leaves it unknown what is on the disk. Nothing is written any more
    /// until the journal is opened again. An append that ends so may or may not be there after that.
    #[error("the journal stopped after a failure: {0}")]
    Poisoned(#[source] Arc<PoisonCause>),
    /// The journal was closed. Nothing was written.
    #[error("the journal is closed")]
    Closed,
    /// Another process, or another journal of this process, has the folder.
    #[error("the journal in {} is in use", dir.display())]
    InUse {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// What is on the disk is not what was written.
    #[error("journal segment {segment} is damaged at byte {offset}, entry {seq}: {damage}")]
    Corrupt {
        /// The file, inside the journal's folder.
        segment: String,
        /// Where in the file the damaged part begins.
        offset: u64,
        /// The entry that should be there.
        seq: Seq,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The entries that the reader wants were dropped because no hold protected them.
    #[error("entries before {first} are gone")]
    Gone {
        /// The oldest entry that is kept.
        first: Seq,
    },
    /// The position is after the newest entry: it belongs to a journal that knew more than this one.
    #[error("position {position} is beyond the journal's end, {durable}")]
    Ahead {
        /// Where the reader says it is.
        position: Seq,
        /// The newest entry.
        durable: Seq,
    },
    /// An operation of the file system failed.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The file system's answer.
        #[source]
        source: Arc<io::Error>,
    },
}

impl JournalError {
    /// Whether the same call may succeed later without anybody's help to this process.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::DiskFull(_))
    }
}

/// Turns an error of the file system into ours: full is full, the rest names operation and path.
pub(crate) fn io_error(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> JournalError {
    if crate::disk::is_full(&source) {
        return JournalError::DiskFull(Arc::new(source));
    }
    JournalError::Io { operation, path: path.into(), source: Arc::new(source) }
}

/// What made the journal stop.
#[derive(Debug, thiserror::Error)]
pub enum PoisonCause {
    /// The file system failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The file system's answer.
        #[source]
        source: io::Error,
    },
    /// The writing thread ended by a mistake in the program.
    #[error("the journal's writer ended unexpectedly")]
    WriterEnded,
}

/// What is wrong with a damaged part of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The segment's header is not one.
    Header,
    /// The header says another format version than this program reads.
    Version {
        /// The version it says.
        found: u32,
    },
    /// The segment's header does not fit its name or the segment before it.
    Chain,
    /// The segment is absent.
    Missing,
    /// The file ends before the entry does.
    Truncated,
    /// The length that the entry gives is over the limit.
    Length {
        /// The length it says.
        found: u32,
    },
    /// The entry is whole, but is another one than should be here.
    Sequence {
        /// The entry that is here.
        found: Seq,
    },
    /// The checksum does not fit the bytes.
    Checksum,
    /// Entries that were durable, by the journal's own mark, are not there.
    LostEntries {
        /// The newest entry that was durable.
        durable: Seq,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the segment's header is unreadable"),
            Self::Version { found } => write!(f, "format version {found} is unknown"),
            Self::Chain => f.write_str("the segment does not continue the one before it"),
            Self::Missing => f.write_str("the segment is missing"),
            Self::Truncated => f.write_str("the file ends before the entry does"),
            Self::Length { found } => write!(f, "the entry's length, {found}, is impossible"),
            Self::Sequence { found } => write!(f, "entry {found} is in its place"),
            Self::Checksum => f.write_str("the checksum does not match"),
            Self::LostEntries { durable } => {
                write!(f, "entries up to {durable} were durable and are not there")
            }
        }
    }
}
