//! What can go wrong in the lake.

use std::{io, path::PathBuf};

use opentrail_journal::JournalError;
use opentrail_state::StateError;

use crate::warehouse::KeyRefused;

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
    /// The tables are elsewhere than asked for.
    #[error("the tables of this data folder's event data stores are at {kept}, not {asked}")]
    OtherWarehouse {
        /// Where they are.
        kept: String,
        /// The place asked for.
        asked: String,
    },
    /// Rows of an event data store were lost in memory. The journal still has them, and the next start reads them.
    #[error(
        "rows of the event data store could not be made columns; they are in the journal for the next start"
    )]
    Broken,
    /// The object store of the warehouse failed.
    #[error("the warehouse: {0}")]
    Warehouse(#[from] object_store::Error),
    /// This is no place for a warehouse.
    #[error("{location} can't be a warehouse: {reason}")]
    Location {
        /// What was asked for.
        location: String,
        /// Why not.
        reason: String,
    },
    /// No table is there.
    #[error("there is no table in {table}")]
    NoTable {
        /// The table's folder.
        table: String,
    },
    /// A table is there already.
    #[error("there is a table in {table}")]
    TableExists {
        /// The table's folder.
        table: String,
    },
    /// A table, or a file of one, is not what it should be.
    #[error("{table}: {reason}")]
    Table {
        /// The table or the file.
        table: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A table's metadata can't be read or written.
    #[error("the metadata of a table: {0}")]
    Iceberg(String),
    /// A file that was to be replaced is not in the table any more.
    #[error("{file} is not in the table any more")]
    Outdated {
        /// The file.
        file: String,
    },
    /// A commit that this process did not know of was there. It does now: the marks say what the table has.
    #[error("another commit of the table {table} was there; look at its marks before trying again")]
    Moved {
        /// The table's folder.
        table: String,
    },
    /// Whether the commit was made is not known; the next change finds out.
    #[error("whether a commit of the table {table} was made is not known: {source}")]
    Unsettled {
        /// The table's folder.
        table: String,
        /// What the object store said.
        source: object_store::Error,
    },
    /// The newest events of the journal did not come to the tables in time.
    #[error("the newest events are not in the event data stores yet; try again later")]
    Behind,
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
    /// That the key of a table was refused, where that is what went wrong.
    pub fn refused_key(&self) -> Option<&KeyRefused> {
        match self {
            Self::Warehouse(object_store::Error::Generic { source, .. })
            | Self::Unsettled { source: object_store::Error::Generic { source, .. }, .. } => {
                source.downcast_ref()
            }
            _ => None,
        }
    }

    /// Something that the disk would not do with this file or folder.
    pub(crate) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { path, source }
    }
}
