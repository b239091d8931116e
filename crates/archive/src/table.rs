//! A table, open.

use std::path::Path;

use opentrail_journal::disk::Disk;
use parquet::file::reader::Length;

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
    pub(crate) file: TableFile,
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
        Ok(Self { facts, index, file })
    }

    /// The page of records with this row.
    pub(crate) fn page(&self, row: u32) -> Result<RecordPage, ArchiveError> {
        let pages = &self.index.pages;
        let page = pages.partition_point(|page| page.row <= row).checked_sub(1);
        let page = page.and_then(|page| pages.get(page));
        RecordPage::read(&self.file, page.ok_or_else(|| corrupt(self.file.path(), Damage::Page))?)
    }
}
