//! The journal's entries against the rules that every writer keeps.

use std::collections::HashSet;

use opentrail_event::{AccountId, EventId};
use opentrail_journal::{Journal, Seq};
use opentrail_lake::query::Query;
use opentrail_state::{Change, Entry, Resource};

use super::RoomReport;

/// Entries read at a time.
const BATCH_ITEMS: usize = 4096;
/// Bytes read at a time.
const BATCH_BYTES: usize = 16 << 20;

/// Reads every entry that is kept: a change has its record in the same entry, and no event is there twice.
/// Blocks.
pub(super) fn check(journal: &Journal) -> RoomReport {
    let mut report = RoomReport::new("records");
    let mut seen: HashSet<(AccountId, EventId)> = HashSet::new();
    let (mut entries, mut changes) = (0_u64, 0_u64);
    let mut reader = journal.reader(journal.first().previous());
    loop {
        let items = match reader.try_next_batch(BATCH_ITEMS, BATCH_BYTES) {
            Ok(items) if items.is_empty() => break,
            Ok(items) => items,
            Err(error) => {
                report.problems.push(error.to_string());
                break;
            }
        };
        for item in items {
            entries += 1;
            match Entry::of(&item) {
                Ok(entry) => {
                    changes += entry.changes.len() as u64;
                    check_entry(item.seq, &entry, &mut seen, &mut report);
                }
                Err(error) => report.problems.push(error.to_string()),
            }
        }
    }
    report.count("entries", entries);
    report.count("changes", changes);
    report.count("events", seen.len() as u64);
    report
}

/// That a query is over is nobody's call: what became of it is in the files that it leaves.
fn ends_a_query(change: &Change) -> bool {
    matches!(change, Change::Delete { kind, .. } if kind == Query::KIND)
}

fn check_entry(seq: Seq, entry: &Entry, seen: &mut HashSet<(AccountId, EventId)>, report: &mut RoomReport) {
    if entry.events.is_empty()
        && let Some(change) = entry.changes.iter().find(|change| !ends_a_query(change))
    {
        let (what, kind, id) = match change {
            Change::Put { kind, id, .. } => ("changes", kind, id),
            Change::Delete { kind, id } => ("deletes", kind, id),
        };
        report.problems.push(format!("entry {seq} {what} {kind} {id} without a record"));
    }
    for owned in &entry.events {
        if !seen.insert((owned.owner, owned.event.key())) {
            let id = owned.event.id();
            report
                .problems
                .push(format!("entry {seq} has event {id} of account {} a second time", owned.owner));
        }
    }
}
