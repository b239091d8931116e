//! Writing an index: places in the order of the rows, then lists in the order of their keys.

use std::path::Path;

use opentrail_journal::disk::Disk;

use super::{FENCE_BYTES, KEY_BYTES, KEYS_MAGIC, ROW_BYTES, ROWS_MAGIC, footer};
use crate::{
    blocks::{BlockWriter, Section},
    error::ArchiveError,
    keys::Scope,
    pages::PageFacts,
    position::Place,
};

/// Length and checksum of the files of an index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexFiles {
    pub(crate) rows: (u64, u64),
    pub(crate) keys: (u64, u64),
}

pub(crate) struct IndexWriter {
    rows: BlockWriter,
    keys: BlockWriter,
    places: Section,
    fence: Vec<u64>,
}

impl IndexWriter {
    pub(crate) fn create(disk: &dyn Disk, rows: &Path, keys: &Path) -> Result<Self, ArchiveError> {
        let mut rows = BlockWriter::create(disk, rows)?;
        rows.begin(Place::BYTES)?;
        let keys = BlockWriter::create(disk, keys)?;
        Ok(Self { places: rows.section(), rows, keys, fence: Vec::new() })
    }

    /// The place of the next row.
    pub(crate) fn place(&mut self, place: Place) -> Result<(), ArchiveError> {
        self.rows.record(&place.to_bytes())
    }

    /// Ends the places; the keys follow.
    pub(crate) fn begin_keys(&mut self) -> Result<(), ArchiveError> {
        self.places = self.rows.section();
        self.rows.begin(ROW_BYTES)?;
        self.keys.begin(KEY_BYTES)
    }

    /// The next key, greater than the one before, and its rows, ascending.
    pub(crate) fn key(&mut self, key: u64, rows: &[u32]) -> Result<(), ArchiveError> {
        let start = match rows {
            [] => return Ok(()),
            [row] => *row,
            _ => {
                // A table has at most a few million rows, each in at most a few hundred lists.
                let start = u32::try_from(self.rows.section().count).unwrap_or(u32::MAX);
                for row in rows {
                    self.rows.record(&row.to_le_bytes())?;
                }
                start
            }
        };
        let section = self.keys.section();
        if section.count.is_multiple_of(section.per_block()) {
            self.fence.push(key);
        }
        let mut record = [0; KEY_BYTES];
        record[..8].copy_from_slice(&key.to_le_bytes());
        record[8..12].copy_from_slice(&start.to_le_bytes());
        record[12..].copy_from_slice(&(rows.len() as u32).to_le_bytes());
        self.keys.record(&record)
    }

    /// Ends the index and makes it durable. The scopes come in ascending order.
    pub(crate) fn finish(
        mut self,
        pages: &[PageFacts],
        scopes: impl Iterator<Item = Result<Scope, ArchiveError>>,
    ) -> Result<IndexFiles, ArchiveError> {
        let keys = self.keys.section();
        self.keys.begin(Scope::BYTES)?;
        for scope in scopes {
            self.keys.record(scope?.as_bytes())?;
        }
        let scopes = self.keys.section();
        self.keys.begin(FENCE_BYTES)?;
        for key in &self.fence {
            self.keys.record(&key.to_le_bytes())?;
        }
        let fence = self.keys.section();
        let postings = self.rows.section();
        self.rows.begin(PageFacts::BYTES)?;
        for page in pages {
            self.rows.record(&page.to_bytes())?;
        }
        let pages = self.rows.section();
        Ok(IndexFiles {
            rows: self.rows.finish(&footer(ROWS_MAGIC, &[self.places, postings, pages]))?,
            keys: self.keys.finish(&footer(KEYS_MAGIC, &[keys, scopes, fence]))?,
        })
    }
}
