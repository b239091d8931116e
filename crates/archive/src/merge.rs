//! Several tables become one.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    path::Path,
    sync::Arc,
};

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;
use opentrail_journal::disk::Disk;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use tokio_util::sync::CancellationToken;

use crate::{
    columns::Places,
    error::{ArchiveError, Damage, corrupt},
    flush::BATCH_BYTES,
    index::Entries,
    keys::Scope,
    layout::check_file,
    manifest::TableFacts,
    position::Position,
    table::Table,
    writer::TableWriter,
};

/// Rows that are read from a table at once, at most.
const READ_ROWS: u64 = 512;
/// Bytes of records that are read from all tables at once, about.
const READ_BYTES: u64 = 12 << 20;
/// Rows that are handed to Parquet at once.
const WRITE_ROWS: usize = 2048;
/// Tables below this size are small: they come from little traffic.
const SMALL_ROWS: u32 = 4096;
/// So many small tables are merged.
const SMALL_FAN_IN: usize = 24;
/// So many others, if they do not have the rows for a whole table before. Each merge packs its events anew, which
/// costs far more than a lookup in some more tables: under load an event is merged once. Each table that is read
/// takes some 2 MB of memory, most of it Zstandard's, for each of its columns.
const FAN_IN: usize = 24;
/// Fewer than this do not pay.
const LEAST_FAN_IN: usize = 4;
/// Bytes of records that a row of a merged table has on average, at most: larger records make for fewer rows.
const ROW_BYTES: u64 = 4096;

/// The tables to merge next, if any. Those that have half the rows of a whole table are left alone.
pub(crate) fn choose(tables: &[Arc<Table>], file_rows: usize) -> Option<Vec<Arc<Table>>> {
    let enough = file_rows / 2;
    let rows_of = |table: &Table| table.facts.rows as usize;
    let open = || tables.iter().filter(|table| rows_of(table) < enough).cloned();
    let small_rows = (SMALL_ROWS as usize).min(enough / SMALL_FAN_IN);
    let (small, others): (Vec<_>, Vec<_>) = open().partition(|table| rows_of(table) < small_rows);
    if small.len() >= SMALL_FAN_IN {
        return fitting(small, file_rows);
    }
    let whole = others.iter().map(|table| rows_of(table)).sum::<usize>() >= enough;
    if others.len() >= FAN_IN || (whole && others.len() >= LEAST_FAN_IN) {
        return fitting(others, file_rows);
    }
    None
}

/// As many of them as fit into one table, the smallest first.
fn fitting(mut tables: Vec<Arc<Table>>, file_rows: usize) -> Option<Vec<Arc<Table>>> {
    tables.sort_unstable_by_key(|table| (table.facts.rows, table.facts.id));
    let (mut rows, mut bytes) = (0, 0);
    let count = tables.iter().take_while(|table| {
        rows += table.facts.rows as usize;
        bytes += table.facts.record_bytes;
        rows <= file_rows && bytes <= file_rows as u64 * ROW_BYTES
    });
    let count = count.count().min(FAN_IN);
    tables.truncate(count);
    (count >= LEAST_FAN_IN).then_some(tables)
}

/// Writes one table of the events of several that are not older than `cutoff`; `None` if there are none.
pub(crate) fn merge(
    disk: &dyn Disk,
    dir: &Path,
    id: u64,
    tables: &[Arc<Table>],
    cutoff: Option<i64>,
    stop: &CancellationToken,
) -> Result<Option<TableFacts>, ArchiveError> {
    for table in tables {
        // Parquet has no checksums: a flipped bit would become part of the new table.
        check_file(disk, table.file.path(), table.facts.parquet, stop)?;
    }
    let mut writer = TableWriter::create(disk, dir, id)?;
    let new_rows = merge_rows(&mut writer, tables, cutoff, stop)?;
    if writer.rows() == 0 {
        return Ok(None);
    }
    writer.begin_keys()?;
    merge_keys(&mut writer, tables, &new_rows, stop)?;
    let mut scopes = BTreeSet::new();
    for table in tables {
        for scope in table.index.scopes() {
            scopes.insert(scope?);
        }
    }
    writer.finish(disk, scopes.into_iter().map(Ok::<Scope, _>)).map(Some)
}

/// A row that was not taken over.
const DROPPED: u32 = u32::MAX;

/// A table being read row by row.
struct Input<'a> {
    table: &'a Table,
    batches: ParquetRecordBatchReader,
    /// The current batch's number among those of the output being gathered.
    number: Option<usize>,
    batch: RecordBatch,
    places: Places,
    at: usize,
}

impl<'a> Input<'a> {
    /// `bytes` is how much of its records may be in memory, about.
    fn open(table: &'a Table, bytes: u64) -> Result<Option<Self>, ArchiveError> {
        let facts = &table.facts;
        let row_bytes = facts.record_bytes / u64::from(facts.rows.max(1)) + 1;
        let rows = (bytes / row_bytes).clamp(1, READ_ROWS);
        let batches = ParquetRecordBatchReaderBuilder::try_new(table.file.clone())
            .and_then(|builder| builder.with_batch_size(rows as usize).build())
            .map_err(|error| table.file.error(error))?;
        let batch = RecordBatch::new_empty(crate::columns::SCHEMA.clone());
        let places = Places::of(&batch).ok_or_else(|| corrupt(table.file.path(), Damage::Format))?;
        let mut input = Self { table, batches, number: None, batch, places, at: 0 };
        Ok(input.next_batch()?.then_some(input))
    }

    /// Goes to the next batch that has rows.
    fn next_batch(&mut self) -> Result<bool, ArchiveError> {
        let error = |error| self.table.file.error(ParquetError::from(error));
        for batch in self.batches.by_ref() {
            let batch = batch.map_err(error)?;
            if batch.num_rows() > 0 {
                self.places =
                    Places::of(&batch).ok_or_else(|| corrupt(self.table.file.path(), Damage::Format))?;
                (self.batch, self.number, self.at) = (batch, None, 0);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn position(&self) -> Position {
        self.places.position(self.at)
    }
}

/// Merges the rows; for each table the new number of each of its rows.
fn merge_rows(
    writer: &mut TableWriter,
    tables: &[Arc<Table>],
    cutoff: Option<i64>,
    stop: &CancellationToken,
) -> Result<Vec<Vec<u32>>, ArchiveError> {
    let mut inputs = Vec::with_capacity(tables.len());
    let mut heap = BinaryHeap::new();
    let mut new_rows = Vec::with_capacity(tables.len());
    for (number, table) in tables.iter().enumerate() {
        let input = Input::open(table, READ_BYTES / tables.len() as u64)?;
        heap.extend(input.as_ref().map(|input| (input.position(), number)));
        inputs.push(input);
        new_rows.push(Vec::with_capacity(table.facts.rows as usize));
    }
    let mut output = Output::default();
    let mut written = 0;
    while let Some((position, number)) = heap.pop() {
        let Some(input) = &mut inputs[number] else { continue };
        if cutoff.is_none_or(|cutoff| position.time >= cutoff) {
            output.take(input);
            new_rows[number].push(written);
            written += 1;
        } else {
            new_rows[number].push(DROPPED);
        }
        input.at += 1;
        if input.at < input.places.rows() || input.next_batch()? {
            heap.push((input.position(), number));
        } else {
            inputs[number] = None;
        }
        if output.rows.len() >= WRITE_ROWS || output.bytes >= BATCH_BYTES {
            if stop.is_cancelled() {
                return Err(ArchiveError::Closed);
            }
            output.write(writer)?;
            inputs.iter_mut().flatten().for_each(|input| input.number = None);
        }
    }
    output.write(writer)?;
    Ok(new_rows)
}

/// Rows gathered from several batches.
#[derive(Default)]
struct Output {
    batches: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
    bytes: usize,
}

impl Output {
    fn take(&mut self, input: &mut Input<'_>) {
        let number = *input.number.get_or_insert_with(|| {
            self.batches.push(input.batch.clone());
            self.batches.len() - 1
        });
        self.rows.push((number, input.at));
        self.bytes += input.places.record(input.at).len();
    }

    fn write(&mut self, writer: &mut TableWriter) -> Result<(), ArchiveError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let merged = interleave_record_batch(&batches, &self.rows)
            .map_err(|error| writer.table_error(ParquetError::from(error)))?;
        *self = Self::default();
        writer.write(&merged)
    }
}

/// Merges the lists: nothing is hashed again, rows only get their new numbers.
fn merge_keys(
    writer: &mut TableWriter,
    tables: &[Arc<Table>],
    new_rows: &[Vec<u32>],
    stop: &CancellationToken,
) -> Result<(), ArchiveError> {
    let mut inputs: Vec<(Entries<'_>, Vec<u32>)> =
        tables.iter().map(|table| (table.index.entries(), Vec::new())).collect();
    let mut heap = BinaryHeap::new();
    for (number, (entries, rows)) in inputs.iter_mut().enumerate() {
        heap.extend(entries.next(rows)?.map(|key| Reverse((key, number))));
    }
    let mut merged: Vec<u32> = Vec::new();
    let mut keys = 0u64;
    while let Some(Reverse((key, _))) = heap.peek().copied() {
        merged.clear();
        while let Some(Reverse((same, number))) = heap.peek().copied()
            && same == key
        {
            heap.pop();
            let (entries, rows) = &mut inputs[number];
            let renumbered = rows.iter().map(|row| new_rows[number].get(*row as usize).copied());
            merged.extend(renumbered.flatten().filter(|row| *row != DROPPED));
            heap.extend(entries.next(rows)?.map(|key| Reverse((key, number))));
        }
        merged.sort_unstable();
        writer.key(key, &merged)?;
        keys += 1;
        if keys.is_multiple_of(4096) && stop.is_cancelled() {
            return Err(ArchiveError::Closed);
        }
    }
    Ok(())
}
