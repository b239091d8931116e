//! Checks what is on disk against itself.

use std::{fmt, path::Path};

use opentrail_event::{AccountId, Event};
use opentrail_journal::disk::Disk;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use tokio_util::sync::CancellationToken;

use crate::{
    columns::Places,
    error::{ArchiveError, Damage, corrupt},
    keys::{EVERY, Scope, value_hashes},
    layout::{TablePaths, check_file, read_manifest, run_path},
    manifest::{Manifest, TableFacts},
    position::Position,
    seen::{check_run, read_seen_manifest, seen_dir},
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
/// index, every id against its run's order and filter. Blocks; reads everything.
///
/// # Errors
/// [`ArchiveError`] if a manifest cannot be read; what else is wrong is in the report.
pub fn fsck(dir: &Path, disk: &dyn Disk) -> Result<ArchiveReport, ArchiveError> {
    let mut report = ArchiveReport::default();
    let manifest: Manifest = read_manifest(disk, dir)?.unwrap_or_default();
    for facts in manifest.tables {
        report.tables += 1;
        report.rows += u64::from(facts.rows);
        check_table(dir, disk, facts, &mut report.problems)
            .unwrap_or_else(|error| report.problems.push(Problem::Unreadable(error)));
    }
    let dir = seen_dir(dir);
    for facts in read_seen_manifest(disk, &dir)?.runs {
        report.seen_runs += 1;
        report.seen_ids += facts.ids;
        let checked = check_file(disk, &run_path(&dir, facts.id), facts.file, &CancellationToken::new())
            .and_then(|()| check_run(disk, &dir, facts));
        match checked {
            Ok(true) => {}
            Ok(false) => report.problems.push(Problem::Run { run: facts.id }),
            Err(error) => report.problems.push(Problem::Unreadable(error)),
        }
    }
    Ok(report)
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
    TableCheck { table: &table, before: None, entries: 0, newest: i64::MIN, oldest: i64::MAX, row: 0 }
        .run(problems)
}

struct TableCheck<'a> {
    table: &'a Table,
    before: Option<Position>,
    /// How many entries the lists should have.
    entries: u64,
    newest: i64,
    oldest: i64,
    row: u32,
}

impl TableCheck<'_> {
    fn run(mut self, problems: &mut Vec<Problem>) -> Result<(), ArchiveError> {
        let file = &self.table.file;
        let batches = ParquetRecordBatchReaderBuilder::try_new(file.clone())
            .and_then(|builder| builder.with_batch_size(READ_ROWS).build())
            .map_err(|error| file.error(error))?;
        for batch in batches {
            let batch = batch.map_err(|error| file.error(ParquetError::from(error)))?;
            let places = Places::of(&batch).ok_or_else(|| corrupt(file.path(), Damage::Format))?;
            for at in 0..places.rows() {
                self.row(&places, at, problems)?;
                self.row += 1;
            }
        }
        let facts = &self.table.facts;
        if (facts.rows, facts.newest, facts.oldest) != (self.row, self.newest, self.oldest) {
            problems.push(Problem::Facts { table: facts.id });
        }
        let (mut listed, mut rows) = (0, Vec::new());
        let mut entries = self.table.index.entries();
        while entries.next(&mut rows)?.is_some() {
            listed += rows.len() as u64;
        }
        if listed != self.entries {
            problems.push(Problem::Overlisted { table: facts.id, listed, expected: self.entries });
        }
        Ok(())
    }

    fn row(&mut self, places: &Places, at: usize, problems: &mut Vec<Problem>) -> Result<(), ArchiveError> {
        let (table, row) = (self.table.facts.id, self.row);
        let place = places.place(at);
        let in_order = self.before.is_none_or(|before| before > place.position);
        if !in_order || self.table.index.places().get(row)? != place {
            problems.push(Problem::Order { table, row });
        }
        self.before = Some(place.position);
        self.newest = self.newest.max(place.position.time);
        self.oldest = self.oldest.min(place.position.time);
        let damaged = || corrupt(self.table.file.path(), Damage::Record);
        let record = bytes::Bytes::copy_from_slice(places.record(at).as_bytes());
        let event = Event::parse(record).map_err(|_| damaged())?;
        let owner: AccountId = places.owner(at).parse().map_err(|_| damaged())?;
        if event.time().timestamp_millis() != place.position.time {
            problems.push(Problem::Order { table, row });
        }
        let scope = Scope::new(&owner, event.category(), event.region());
        let mut keys = Vec::new();
        value_hashes(&event, &event.resources(), &mut keys);
        keys.push(EVERY);
        keys.iter_mut().for_each(|value| *value = scope.key(*value));
        keys.push(scope.without_region().key(EVERY));
        keys.sort_unstable();
        keys.dedup();
        self.entries += keys.len() as u64;
        for key in keys {
            if !self.is_listed(key, row)? {
                problems.push(Problem::Unlisted { table, row });
                break;
            }
        }
        Ok(())
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
