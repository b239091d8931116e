//! The tail becomes a table.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use opentrail_event::Event;
use opentrail_journal::disk::Disk;

use crate::{
    columns::Columns,
    error::{ArchiveError, Damage, corrupt},
    keys::{EVERY, Scope},
    layout::TablePaths,
    manifest::TableFacts,
    position::Position,
    tail::TailBatch,
    writer::TableWriter,
};

/// Rows that are handed to Parquet at once.
const BATCH_ROWS: usize = 2048;
/// The same in bytes of records, which can be large.
pub(crate) const BATCH_BYTES: usize = 8 << 20;

/// Writes a table of the events that are not older than `cutoff` (milliseconds since 1970); `None` if there
/// are none. What a failure leaves of its files nobody needs.
pub(crate) fn write_table(
    disk: &dyn Disk,
    dir: &Path,
    id: u64,
    batches: &[Arc<TailBatch>],
    cutoff: Option<i64>,
) -> Result<Option<TableFacts>, ArchiveError> {
    let mut order: Vec<(Position, u32, u32)> = Vec::new();
    for (batch, of) in (0u32..).zip(batches) {
        let rows = (0u32..).zip(&of.rows);
        let kept = rows.filter(|(_, row)| cutoff.is_none_or(|cutoff| row.position.time >= cutoff));
        order.extend(kept.map(|(row, of)| (of.position, batch, row)));
    }
    if order.is_empty() {
        return Ok(None);
    }
    order.sort_unstable_by(|a, b| b.cmp(a));
    let mut writer = TableWriter::create(disk, dir, id)?;
    let mut columns = Columns::new();
    let mut postings: Vec<(u64, u32)> = Vec::with_capacity(order.len() * 10);
    let mut scopes = BTreeSet::new();
    for (number, (position, batch, row)) in (0u32..).zip(order) {
        let batch = &batches[batch as usize];
        let row = &batch.rows[row as usize];
        let (scope, owner) = &batch.scopes[row.scope as usize];
        let damaged = |_| corrupt(TablePaths::new(dir, id).parquet, Damage::Record);
        let event = Event::parse(batch.record(row)).map_err(damaged)?;
        columns.push(owner, position, &event, &event.resources());
        let hashes = batch.hashes(row).iter().chain(&[EVERY]);
        postings.extend(hashes.map(|value| (scope.key(*value), number)));
        postings.push((scope.without_region().key(EVERY), number));
        scopes.insert(*scope);
        if columns.rows() >= BATCH_ROWS || columns.record_bytes() >= BATCH_BYTES {
            write_columns(&mut writer, &mut columns, dir, id)?;
        }
    }
    write_columns(&mut writer, &mut columns, dir, id)?;
    write_keys(&mut writer, postings)?;
    writer.finish(disk, scopes.into_iter().map(Ok::<Scope, _>)).map(Some)
}

fn write_columns(
    writer: &mut TableWriter,
    columns: &mut Columns,
    dir: &Path,
    id: u64,
) -> Result<(), ArchiveError> {
    let table_error = |source| ArchiveError::Table { path: TablePaths::new(dir, id).parquet, source };
    writer.write(&columns.take().map_err(table_error)?)
}

fn write_keys(writer: &mut TableWriter, mut postings: Vec<(u64, u32)>) -> Result<(), ArchiveError> {
    postings.sort_unstable();
    postings.dedup();
    writer.begin_keys()?;
    let mut rows = Vec::new();
    for group in postings.chunk_by(|a, b| a.0 == b.0) {
        rows.clear();
        rows.extend(group.iter().map(|(_, row)| *row));
        writer.key(group[0].0, &rows)?;
    }
    Ok(())
}
