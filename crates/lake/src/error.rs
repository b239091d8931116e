//! What can go wrong in the lake.

use std::{io, path::PathBuf};

use opentrail_journal::JournalError;
use opentrail_state::StateError;

/// Why the lake did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A file or folder can't be used.
    #[error("{}: {source}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is not as it was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal or the documents failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A document in the journal is not what this program writes.
    #[error("the document {id} in the journal cannot be read: {source}")]
    Document {
        /// The document.
        id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A record is no JSON object with an id and a time.
    #[error("the record can't be kept: {reason}")]
    Record {
        /// Why not.
        reason: String,
    },
    /// Columns don't fit their schema, or are too large.
    #[error(transparent)]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A Parquet file can't be written or read.
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Rows of an event data store were lost in memory. The journal still has them, and the next start reads them.
    #[error("rows of the event data store could not be made columns; they are in the journal for the next start")]
    Broken,
    /// The process is shutting down.
    #[error("interrupted")]
    Interrupted,
    /// A query found more than is kept of one.
    #[error("the query's result is larger than {limit} bytes; ask for fewer rows or columns")]
    ResultTooLarge {
        /// How many bytes are kept.
        limit: u64,
    },
}

impl LakeError {
    /// Something that the disk would not do with this file or folder.
    pub(crate) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { path, source }
    }
}
