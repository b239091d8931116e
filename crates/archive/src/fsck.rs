//! Checks what is on disk against itself.

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use opentrail_event::{AccountId, Event};
use opentrail_journal::disk::Disk;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    columns,
    error::{ArchiveError, Damage, corrupt},
    index::Places,
    keys::{EVERY, Scope, value_hashes},
    layout::{TablePaths, check_file, read_manifest, run_path},
    manifest::{Manifest, TableFacts},
    position::Position,
    seen::{RunFacts, check_run, read_seen_manifest, seen_dir},
    table::Table,
};

/// Rows that are read at once.
const READ_ROWS: usize = 256;

/// What a check found.
#[derive(Debug, Default)]
pub struct ArchiveReport {
    /// Tables.
    pub tables: usize,
    /// Events in them.
    pub rows: u64,
    /// Runs of ids.
    pub seen_runs: usize,
    /// Ids in them; an id can be in several.
    pub seen_ids: u64,
    /// What does not agree; empty if all is well.
    pub problems: Vec<Problem>,
}

/// Something that does not agree.
#[derive(Debug)]
pub enum Problem {
    /// A file cannot be read, or is not what was written.
    Unreadable(ArchiveError),
    /// A row of a table is not newer than the row after it, or the index places it elsewhere.
    Order {
        /// The table.
        table: u64,
        /// The row.
        row: u32,
    },
    /// The index does not list a row under one of its values.
    Unlisted {
        /// The table.
        table: u64,
        /// The row.
        row: u32,
    },
    /// The index lists more rows than the table's values account for.
    Overlisted {
        /// The table.
        table: u64,
        /// How many entries its lists have.
        listed: u64,
        /// How many its rows account for.
        expected: u64,
    },
    /// What the manifest says of a table is not so.
    Facts {
        /// The table.
        table: u64,
    },
    /// The ids of a run are not ascending, or their filter or number is wrong.
    Run {
        /// The run.
        run: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Order { table, row } => write!(f, "row {row} of table {table} is out of order"),
            Self::Unlisted { table, row } => {
                write!(f, "the index of table {table} does not lead to row {row} by all its values")
            }
            Self::Overlisted { table, listed, expected } => {
                write!(f, "the index of table {table} lists {listed} entries, its rows have {expected}")
            }
            Self::Facts { table } => write!(f, "the manifest is wrong about table {table}"),
            Self::Run { run } => write!(f, "the ids of run {run} are not as they should be"),
        }
    }
}

/// Checks the archive in `dir`: every file against its checksum, every record against its table's columns and
/// index, every id against its run's order and filter. Blocks; reads everything, with a thread for each processor.
///
/// # Errors
/// [`ArchiveError`] if a manifest cannot be read; what else is wrong is in the report.
pub fn fsck(dir: &Path, disk: &dyn Disk) -> Result<ArchiveReport, ArchiveError> {
    let manifest: Manifest = read_manifest(disk, dir)?.unwrap_or_default();
    let runs = read_seen_manifest(disk, &seen_dir(dir))?.runs;
    let mut report = ArchiveReport {
        tables: manifest.tables.len(),
        rows: manifest.tables.iter().map(|facts| u64::from(facts.rows)).sum(),
        seen_runs: runs.len(),
        seen_ids: runs.iter().map(|facts| facts.ids).sum(),
        problems: Vec::new(),
    };
    let tables = manifest.tables.into_iter().map(Part::Table);
    let parts: Vec<Part> = tables.chain(runs.into_iter().map(Part::Run)).collect();
    report.problems = in_parallel(&parts, |part| part.check(dir, disk));
    Ok(report)
}

/// What is checked by itself.
enum Part {
    Table(TableFacts),
    Run(RunFacts),
}

impl Part {
    fn check(&self, dir: &Path, disk: &dyn Disk) -> Vec<Problem> {
        match self {
            Self::Table(facts) => {
                let mut problems = Vec::new();
                check_table(dir, disk, facts.clone(), &mut problems)
                    .unwrap_or_else(|error| problems.push(Problem::Unreadable(error)));
                problems
            }
            Self::Run(facts) => {
                let dir = seen_dir(dir);
                let path = run_path(&dir, facts.id);
                let checked = check_file(disk, &path, facts.file, &CancellationToken::new())
                    .and_then(|()| check_run(disk, &dir, *facts));
                match checked {
                    Ok(true) => Vec::new(),
                    Ok(false) => vec![Problem::Run { run: facts.id }],
                    Err(error) => vec![Problem::Unreadable(error)],
                }
            }
        }
    }
}

/// The problems of all parts, in the parts' order.
fn in_parallel(parts: &[Part], check: impl Fn(&Part) -> Vec<Problem> + Sync) -> Vec<Problem> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some((at, part)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            parts.get(at).map(|part| (at, part))
        } {
            let problems = check(part);
            found.lock().insert(at, problems);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(parts.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    found.into_inner().into_values().flatten().collect()
}

fn check_table(
    dir: &Path,
    disk: &dyn Disk,
    facts: TableFacts,
    problems: &mut Vec<Problem>,
) -> Result<(), ArchiveError> {
    let paths = TablePaths::new(dir, facts.id);
    check_file(disk, &paths.parquet, facts.parquet, &CancellationToken::new())?;
    check_file(disk, &paths.rows, facts.row_index, &CancellationToken::new())?;
    check_file(disk, &paths.keys, facts.key_index, &CancellationToken::new())?;
    let table = Table::open(disk, dir, facts)?;
    if table.index.pages != table.file.record_pages()? {
        problems.push(Problem::Facts { table: table.facts.id });
    }
    let (expected, before) = (TableCheck::new(&table, false).run(problems)?, problems.len());
    let (listed, in_order) = listed(&table)?;
    if in_order && listed == expected {
        return Ok(());
    }
    // The sums say that something is wrong. What it is takes a search for every value of every row.
    TableCheck::new(&table, true).run(problems)?;
    if listed.entries != expected.entries || problems.len() == before {
        let (listed, expected) = (listed.entries, expected.entries);
        problems.push(Problem::Overlisted { table: table.facts.id, listed, expected });
    }
    Ok(())
}

/// Some entries of lists, each a key and a row: how many there are, and the sum of their hashes, which does not
/// depend on their order. Two sets with the same sum are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Listing {
    entries: u64,
    sum: u128,
}

impl Listing {
    fn add(&mut self, key: u64, row: u32) {
        self.entries += 1;
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&key.to_le_bytes());
        bytes[8..].copy_from_slice(&row.to_le_bytes());
        self.sum = self.sum.wrapping_add(xxh3_128(&bytes));
    }
}

/// What the index lists, and whether keys and rows are in the order in which they are searched.
fn listed(table: &Table) -> Result<(Listing, bool), ArchiveError> {
    let (mut listing, mut in_order) = (Listing::default(), true);
    let mut entries = table.index.entries();
    let (mut before, mut keys) = (None, 0u64);
    let (per_block, fence) = (table.index.keys_per_block(), table.index.fence());
    let mut rows = Vec::new();
    while let Some(key) = entries.next(&mut rows)? {
        in_order &= before < Some(key) && rows.is_sorted_by(|a, b| a < b);
        if keys.is_multiple_of(per_block) {
            in_order &= fence.get((keys / per_block) as usize) == Some(&key);
        }
        (before, keys) = (Some(key), keys + 1);
        rows.iter().for_each(|row| listing.add(key, *row));
    }
    Ok((listing, in_order))
}

struct TableCheck<'a> {
    table: &'a Table,
    /// Whether each value of each row is searched for, and what is found wrong besides is known.
    searches: bool,
    places: Places<'a>,
    before: Option<Position>,
    /// What the lists should have.
    listing: Listing,
    keys: Vec<u64>,
    newest: i64,
    oldest: i64,
    row: u32,
}

impl<'a> TableCheck<'a> {
    fn new(table: &'a Table, searches: bool) -> Self {
        Self {
            table,
            searches,
            places: table.index.places_in_order(),
            before: None,
            listing: Listing::default(),
            keys: Vec::new(),
            newest: i64::MIN,
            oldest: i64::MAX,
            row: 0,
        }
    }

    /// Goes over all rows; answers what the lists should have.
    fn run(mut self, problems: &mut Vec<Problem>) -> Result<Listing, ArchiveError> {
        let file = &self.table.file;
        let batches = ParquetRecordBatchReaderBuilder::try_new(file.clone())
            .and_then(|builder| builder.with_batch_size(READ_ROWS).build())
            .map_err(|error| file.error(error))?;
        for batch in batches {
            let batch = batch.map_err(|error| file.error(ParquetError::from(error)))?;
            let columns = columns::Places::of(&batch).ok_or_else(|| corrupt(file.path(), Damage::Format))?;
            for at in 0..columns.rows() {
                let unlisted = self.row(&columns, at, problems)?;
                if unlisted {
                    problems.push(Problem::Unlisted { table: self.table.facts.id, row: self.row });
                }
                self.row += 1;
            }
        }
        let facts = &self.table.facts;
        if !self.searches && (facts.rows, facts.newest, facts.oldest) != (self.row, self.newest, self.oldest)
        {
            problems.push(Problem::Facts { table: facts.id });
        }
        Ok(self.listing)
    }

    /// Whether a row was searched for in vain.
    fn row(
        &mut self,
        columns: &columns::Places,
        at: usize,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, ArchiveError> {
        let row = self.row;
        let damaged = || corrupt(self.table.file.path(), Damage::Record);
        let record = bytes::Bytes::copy_from_slice(columns.record(at).as_bytes());
        let event = Event::parse(record).map_err(|_| damaged())?;
        let owner: AccountId = columns.owner(at).parse().map_err(|_| damaged())?;
        if !self.searches {
            let place = columns.place(at);
            let in_order = self.before.is_none_or(|before| before > place.position);
            let of_record = event.time().timestamp_millis() == place.position.time;
            if !in_order || !of_record || self.places.get(row)? != place {
                problems.push(Problem::Order { table: self.table.facts.id, row });
            }
            self.before = Some(place.position);
            self.newest = self.newest.max(place.position.time);
            self.oldest = self.oldest.min(place.position.time);
        }
        let scope = Scope::new(&owner, event.category(), event.region());
        self.keys.clear();
        value_hashes(&event, &event.resources(), &mut self.keys);
        self.keys.push(EVERY);
        self.keys.iter_mut().for_each(|value| *value = scope.key(*value));
        self.keys.push(scope.without_region().key(EVERY));
        self.keys.sort_unstable();
        self.keys.dedup();
        for key in &self.keys {
            self.listing.add(*key, row);
            if self.searches && !self.is_listed(*key, row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_listed(&self, key: u64, row: u32) -> Result<bool, ArchiveError> {
        let Some(mut list) = self.table.index.find(key)? else { return Ok(false) };
        let (mut low, mut high) = (0, list.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if list.get(middle)? < row { low = middle + 1 } else { high = middle }
        }
        Ok(low < list.len() && list.get(low)? == row)
    }
}
