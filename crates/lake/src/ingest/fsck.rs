//! Checking the tables of event data stores against themselves and the journal.

use std::{path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use object_store::ObjectStoreExt;
use opentrail_journal::{Seq, disk::Disk};
use opentrail_state::State;

use super::{
    checkpoint::Checkpoint,
    lake::shape_of,
    live::JOURNAL_MARK,
    sealing::{TableKeys, warehouse_of},
};
use crate::{
    error::LakeError,
    store::EventDataStore,
    table::{Table, TableOptions},
    warehouse::Warehouse,
};

/// What a check of the lake found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// How many event data stores there are.
    pub stores: usize,
    /// How many files their tables have.
    pub files: usize,
    /// How many rows these have.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What could not be looked at, and why that is no fault.
    pub notes: Vec<String>,
    /// What is not as it was written.
    pub problems: Vec<String>,
}

/// Checks the lake whose own files are in `dir`: that the checkpoint and each table's metadata can be read, that each
/// file is there with its length, and that nothing says it has more than the journal ever had.
///
/// `warehouse` gives the warehouse in the data folder. It opens the tables as a start does, which removes what a crash
/// left: whoever wants nothing changed gives a disk that keeps changes in memory. Tables elsewhere are not looked at,
/// nor are those whose keys `keys` doesn't open.
///
/// # Errors
/// [`LakeError`] where the folder can't be looked into at all.
pub async fn fsck(
    dir: &Path,
    state: &State,
    disk: Arc<dyn Disk>,
    warehouse: impl FnOnce() -> Result<Warehouse, LakeError>,
    keys: Arc<dyn TableKeys>,
    now: DateTime<Utc>,
) -> Result<FsckReport, LakeError> {
    let mut report = FsckReport::default();
    let checkpoint = match Checkpoint::load(dir, &*disk) {
        Ok(Some(checkpoint)) => checkpoint,
        // A folder of before there was a lake, or one that has not been started.
        Ok(None) => return Ok(report),
        Err(error) => {
            report.problems.push(error.to_string());
            return Ok(report);
        }
    };
    let (first, durable) = (state.journal().first(), state.journal().durable());
    if checkpoint.position > durable.0 {
        report.problems.push(format!(
            "tables are said to have everything up to entry {}, and the journal ends at {durable}",
            checkpoint.position
        ));
    }
    if checkpoint.position + 1 < first.0 {
        report.problems.push(format!(
            "tables have everything up to entry {}, and the journal begins at {first}",
            checkpoint.position
        ));
    }
    let warehouse = warehouse()?;
    if checkpoint.warehouse != warehouse.location() {
        report.notes.push(format!("the tables at {} were not looked at", checkpoint.warehouse));
        return Ok(report);
    }
    for (_, store) in state.list::<EventDataStore>("") {
        report.stores += 1;
        let warehouse = warehouse_of(&store, &warehouse, state, &keys);
        let checked = check(&store, &warehouse, durable, now, &mut report).await;
        if let Err(error) = checked {
            if error.refused_key().is_some() {
                report.notes.push(format!("event data store {} was not looked at: {error}", store.id));
                continue;
            }
            report.problems.push(format!("event data store {}: {error}", store.id));
        }
    }
    Ok(report)
}

async fn check(
    store: &EventDataStore,
    warehouse: &Warehouse,
    durable: Seq,
    now: DateTime<Utc>,
    report: &mut FsckReport,
) -> Result<(), LakeError> {
    let path = warehouse.table_path(&store.id.to_string());
    let table = match Table::open(warehouse, path, shape_of(store), TableOptions::default(), now).await {
        Ok(table) => table,
        Err(LakeError::NoTable { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let snapshot = table.snapshot();
    for file in snapshot.files() {
        report.files += 1;
        report.rows += file.rows;
        match warehouse.store().head(&file.path).await {
            Ok(found) if found.size == file.size => report.bytes += file.size,
            Ok(found) => report
                .problems
                .push(format!("{}: it has {} bytes and should have {}", file.path, found.size, file.size)),
            Err(error) => report.problems.push(format!("{}: {error}", file.path)),
        }
    }
    if let Some(mark) = snapshot.marks.get(JOURNAL_MARK) {
        match mark.parse::<u64>() {
            Ok(mark) if mark <= durable.0 => {}
            Ok(mark) => report.problems.push(format!(
                "event data store {}: it says that it has everything up to entry {mark}, and the journal ends at \
                 {durable}",
                store.id
            )),
            Err(_) => report.problems.push(format!("event data store {}: {mark:?} is no entry", store.id)),
        }
    }
    Ok(())
}
