//! Which tables count.

use serde::{Deserialize, Serialize};

/// A table as the manifest knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableFacts {
    /// In the names of its files; never used twice.
    pub(crate) id: u64,
    /// How many events it has.
    pub(crate) rows: u32,
    /// The newest `eventTime`, in milliseconds since 1970.
    pub(crate) newest: i64,
    /// The oldest.
    pub(crate) oldest: i64,
    /// Bytes of the records, not compressed.
    pub(crate) record_bytes: u64,
    /// The Parquet file.
    pub(crate) parquet: FileFacts,
    /// The file of places, lists and pages.
    pub(crate) row_index: FileFacts,
    /// The file of keys.
    pub(crate) key_index: FileFacts,
}

impl TableFacts {
    /// Bytes of all its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.parquet.bytes + self.row_index.bytes + self.key_index.bytes
    }
}

/// A file as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileFacts {
    /// Its length.
    pub(crate) bytes: u64,
    /// The XXH3-64 of its contents.
    pub(crate) checksum: u64,
}

impl From<(u64, u64)> for FileFacts {
    fn from((bytes, checksum): (u64, u64)) -> Self {
        Self { bytes, checksum }
    }
}

/// What the archive consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// All events up to this entry of the journal are in the tables, or were too old to be kept.
    pub(crate) stored: u64,
    /// The id for the next table.
    pub(crate) next_id: u64,
    /// The tables.
    pub(crate) tables: Vec<TableFacts>,
}
