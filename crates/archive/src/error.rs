//! What can go wrong, by cause.

use std::{fmt, io, path::PathBuf, sync::Arc};

use opentrail_journal::{JournalError, disk::is_full};
use opentrail_state::StateError;
use parquet::errors::ParquetError;

use crate::token::InvalidTokenError;

/// Why the archive refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The page token is not one, or belongs to another query.
    #[error(transparent)]
    InvalidToken(#[from] InvalidTokenError),
    /// The end of the time range is before its start.
    #[error("the end of the time range is before its start")]
    InvalidRange,
    /// More ids wait to be written than memory allows: the disk is slow or refuses. Try again later.
    #[error("too many event ids wait to be written")]
    Overloaded,
    /// There is no room on the disk. What is in the journal stays there until there is.
    #[error("no space left for the archive")]
    DiskFull(#[source] Arc<io::Error>),
    /// An operation of the file system failed.
    #[error("cannot {operation} {}", path.display())]
    Disk {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The file system's answer.
        #[source]
        source: Arc<io::Error>,
    },
    /// What is on the disk is not what was written.
    #[error("{} is damaged: {damage}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A table cannot be read or written.
    #[error("the table {} cannot be read or written", path.display())]
    Table {
        /// The Parquet file.
        path: PathBuf,
        /// What Parquet says.
        #[source]
        source: ParquetError,
    },
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An entry of the journal cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The archive is stopping.
    #[error("the archive is stopping")]
    Closed,
}

impl ArchiveError {
    /// Whether the caller asked for something that cannot be, so that the same call will always fail.
    pub fn is_caller_fault(&self) -> bool {
        matches!(self, Self::InvalidToken(_) | Self::InvalidRange)
    }
}

/// What is wrong with a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The checksum of a block does not match.
    Block {
        /// The block, counted from 0.
        block: u64,
    },
    /// The checksum of the whole does not match.
    Checksum,
    /// It ends before its contents do.
    Truncated,
    /// It is not what its name says, or of a version that this program does not read.
    Format,
    /// A table's page is not laid out as the archive writes it.
    Page,
    /// A record in it cannot be parsed.
    Record,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block { block } => write!(f, "the checksum of block {block} does not match"),
            Self::Checksum => f.write_str("its checksum does not match"),
            Self::Truncated => f.write_str("it ends too early"),
            Self::Format => f.write_str("its format is unknown"),
            Self::Page => f.write_str("a page has another layout than was written"),
            Self::Record => f.write_str("a record in it cannot be parsed"),
        }
    }
}

/// Turns an error of the file system into ours: full is full, the rest names operation and path.
pub(crate) fn disk_error(
    operation: &'static str,
    path: impl Into<PathBuf>,
    source: io::Error,
) -> ArchiveError {
    if is_full(&source) {
        return ArchiveError::DiskFull(Arc::new(source));
    }
    ArchiveError::Disk { operation, path: path.into(), source: Arc::new(source) }
}

pub(crate) fn corrupt(path: impl Into<PathBuf>, damage: Damage) -> ArchiveError {
    ArchiveError::Corrupt { path: path.into(), damage }
}
