//! Reading an index.

use std::path::Path;

use opentrail_journal::disk::Disk;

use super::{FENCE_BYTES, KEY_BYTES, KEYS_MAGIC, ROW_BYTES, ROWS_MAGIC, sections};
use crate::{
    blocks::{BlockReader, Records, Section},
    error::{ArchiveError, Damage, corrupt},
    keys::Scope,
    pages::PageFacts,
    position::{Place, Position},
};

#[derive(Debug)]
pub(crate) struct Index {
    rows: BlockReader,
    keys: BlockReader,
    places: Section,
    postings: Section,
    entries: Section,
    scopes: Section,
    fence: Vec<u64>,
    /// The pages of records, by their rows.
    pub(crate) pages: Vec<PageFacts>,
}

impl Index {
    pub(crate) fn open(disk: &dyn Disk, rows: &Path, keys: &Path) -> Result<Self, ArchiveError> {
        let (rows, keys) = (BlockReader::open(disk, rows)?, BlockReader::open(disk, keys)?);
        let [places, postings, pages] =
            sections(&rows.footer()?, ROWS_MAGIC, [Place::BYTES, ROW_BYTES, PageFacts::BYTES])
                .ok_or_else(|| corrupt(rows.path(), Damage::Format))?;
        let [entries, scopes, fence] =
            sections(&keys.footer()?, KEYS_MAGIC, [KEY_BYTES, Scope::BYTES, FENCE_BYTES])
                .ok_or_else(|| corrupt(keys.path(), Damage::Format))?;
        if fence.count != entries.count.div_ceil(entries.per_block()) || fence.count > keys.blocks() {
            return Err(corrupt(keys.path(), Damage::Format));
        }
        let mut records = Records::in_order(&keys, fence);
        let fence = (0..fence.count)
            .map(|at| records.array(at).map(u64::from_le_bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let mut records = Records::in_order(&rows, pages);
        let pages = (0..pages.count)
            .map(|at| records.array(at).map(PageFacts::from_bytes))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rows, keys, places, postings, entries, scopes, fence, pages })
    }

    /// How many rows there are.
    pub(crate) fn row_count(&self) -> u64 {
        self.places.count
    }

    pub(crate) fn places(&self) -> Places<'_> {
        Places(Records::new(&self.rows, self.places))
    }

    /// The same for who reads them one after the other.
    pub(crate) fn places_in_order(&self) -> Places<'_> {
        Places(Records::in_order(&self.rows, self.places))
    }

    /// The first key of each block of keys, as it is in memory.
    pub(crate) fn fence(&self) -> &[u64] {
        &self.fence
    }

    /// How many keys a block has.
    pub(crate) fn keys_per_block(&self) -> u64 {
        self.entries.per_block()
    }

    /// The rows listed under a key.
    pub(crate) fn find(&self, key: u64) -> Result<Option<RowList<'_>>, ArchiveError> {
        let Some(block) = self.fence.partition_point(|first| *first <= key).checked_sub(1) else {
            return Ok(None);
        };
        let per_block = self.entries.per_block();
        let mut records = Records::new(&self.keys, self.entries);
        let mut low = block as u64 * per_block;
        let mut high = (low + per_block).min(self.entries.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = Entry::from_bytes(records.array(middle)?);
            match entry.key.cmp(&key) {
                std::cmp::Ordering::Equal => return Ok(Some(self.list(entry))),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// All keys and their lists, ascending.
    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries {
            keys: Records::in_order(&self.keys, self.entries),
            // Lists are stored in the order of their keys.
            postings: Records::in_order(&self.rows, self.postings),
            at: 0,
        }
    }

    fn list(&self, entry: Entry) -> RowList<'_> {
        match entry.count {
            1 => RowList::One(entry.start),
            count => RowList::Many {
                postings: Records::new(&self.rows, self.postings),
                start: u64::from(entry.start),
                count: u64::from(count),
            },
        }
    }

    /// All scopes, ascending.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = Result<Scope, ArchiveError>> + '_ {
        let mut records = Records::new(&self.keys, self.scopes);
        (0..self.scopes.count).map(move |at| records.array(at).map(Scope::from_bytes))
    }

    /// The scopes from `first` on that have its owner and category: all if there are at most `limit`.
    pub(crate) fn scopes_like(&self, first: Scope, limit: usize) -> Result<Option<Vec<Scope>>, ArchiveError> {
        let mut records = Records::new(&self.keys, self.scopes);
        let (mut low, mut high) = (0, records.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if Scope::from_bytes(records.array(middle)?) < first { low = middle + 1 } else { high = middle }
        }
        let mut found = Vec::new();
        for at in low..records.len() {
            let scope = Scope::from_bytes(records.array(at)?);
            if !scope.same_owner_and_category(&first) {
                break;
            }
            if found.len() == limit {
                return Ok(None);
            }
            found.push(scope);
        }
        Ok(Some(found))
    }
}

struct Entry {
    key: u64,
    start: u32,
    count: u32,
}

impl Entry {
    fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        Self {
            key: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            start: u32::from_le_bytes([i, j, k, l]),
            count: u32::from_le_bytes([m, n, o, p]),
        }
    }
}

/// Where the rows of a table stand in history.
#[derive(Debug)]
pub(crate) struct Places<'a>(Records<'a>);

impl Places<'_> {
    pub(crate) fn get(&mut self, row: u32) -> Result<Place, ArchiveError> {
        self.0.array(u64::from(row)).map(|bytes| Place::from_bytes(&bytes))
    }

    /// The first row for which `is_before` does not hold; it holds for the rows up to some row and for none
    /// after it.
    pub(crate) fn partition_point(
        &mut self,
        is_before: impl Fn(Position) -> bool,
    ) -> Result<u32, ArchiveError> {
        let (mut low, mut high) = (0, self.0.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(self.get(middle)?.position) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// Some rows of a table, ascending.
#[derive(Debug)]
pub(crate) enum RowList<'a> {
    /// One row.
    One(u32),
    /// A list in the postings.
    Many { postings: Records<'a>, start: u64, count: u64 },
}

impl RowList<'_> {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Many { count, .. } => *count,
        }
    }

    pub(crate) fn get(&mut self, at: u64) -> Result<u32, ArchiveError> {
        match self {
            Self::One(row) => Ok(*row),
            Self::Many { postings, start, .. } => postings.array(*start + at).map(u32::from_le_bytes),
        }
    }

    /// The first place from `from` on whose row is at least `row`: near places are tried first.
    pub(crate) fn seek(&mut self, from: u64, row: u32) -> Result<u64, ArchiveError> {
        let (mut low, mut step) = (from, 1);
        while low + step < self.len() && self.get(low + step)? < row {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle)? < row { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// All keys of an index, ascending.
pub(crate) struct Entries<'a> {
    keys: Records<'a>,
    postings: Records<'a>,
    at: u64,
}

impl Entries<'_> {
    /// The next key; its rows are put into `rows`.
    pub(crate) fn next(&mut self, rows: &mut Vec<u32>) -> Result<Option<u64>, ArchiveError> {
        if self.at == self.keys.len() {
            return Ok(None);
        }
        let entry = Entry::from_bytes(self.keys.array(self.at)?);
        self.at += 1;
        rows.clear();
        if entry.count == 1 {
            rows.push(entry.start);
            return Ok(Some(entry.key));
        }
        let start = u64::from(entry.start);
        for at in start..start + u64::from(entry.count) {
            rows.push(self.postings.array(at).map(u32::from_le_bytes)?);
        }
        Ok(Some(entry.key))
    }
}
