//! A table, open.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use opentrail_journal::disk::Disk;
use parquet::{file::metadata::ParquetMetaData, file::reader::Length};

use crate::{
    error::{ArchiveError, Damage, corrupt},
    index::Index,
    layout::TablePaths,
    manifest::TableFacts,
    pages::{RecordPage, TableFile},
};

/// A table's files, open. They stay readable when they are removed.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) facts: TableFacts,
    pub(crate) index: Index,
    pub(crate) file: Arc<TableFile>,
    /// Read when a record is first wanted.
    metadata: OnceLock<ParquetMetaData>,
}

impl Table {
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, facts: TableFacts) -> Result<Self, ArchiveError> {
        let paths = TablePaths::new(dir, facts.id);
        let file = TableFile::open(disk, &paths.parquet)?;
        if file.len() != facts.parquet.bytes {
            return Err(corrupt(paths.parquet, Damage::Truncated));
        }
        let index = Index::open(disk, &paths.rows, &paths.keys)?;
        if index.row_count() != u64::from(facts.rows) {
            return Err(corrupt(paths.rows, Damage::Format));
        }
        Ok(Self { facts, index, file: Arc::new(file), metadata: OnceLock::new() })
    }

    pub(crate) fn metadata(&self) -> Result<&ParquetMetaData, ArchiveError> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(metadata);
        }
        let read = self.file.metadata(self.facts.metadata_start, self.facts.metadata_checksum)?;
        Ok(self.metadata.get_or_init(|| read))
    }

    /// The page of records with this row.
    pub(crate) fn page(&self, row: u32) -> Result<RecordPage, ArchiveError> {
        RecordPage::read(&self.file, self.metadata()?, row)
    }
}
