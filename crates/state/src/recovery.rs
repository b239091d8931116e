//! From what is on disk to the documents in memory.

use std::path::Path;

use opentrail_journal::{Hold, Journal, Seq, disk::Disk};

use crate::{
    documents::Documents,
    entry::Entry,
    error::StateError,
    measure,
    shelf::{Opened, RejectedSnapshot, Shelf},
};

/// How much of the journal is in memory at once while it is replayed.
const BATCH_ITEMS: usize = 4096;
const BATCH_BYTES: usize = 8 << 20;

/// What was found when the state was opened.
#[derive(Debug)]
pub struct StateRecovery {
    /// The snapshot that was used, if any.
    pub snapshot: Option<Seq>,
    /// How many entries after it were read.
    pub replayed: u64,
    /// How many documents there are.
    pub documents: usize,
    /// Snapshots that could not be used. The next snapshot removes them.
    pub rejected: Vec<RejectedSnapshot>,
}

pub(crate) struct Recovered {
    pub(crate) documents: Documents,
    pub(crate) shelf: Shelf,
    pub(crate) hold: Hold,
    pub(crate) report: StateRecovery,
    /// The size of the snapshot that was used.
    pub(crate) size: u64,
    /// How many bytes of entries were read.
    pub(crate) replayed_bytes: u64,
}

pub(crate) fn recover(journal: &Journal, dir: &Path, disk: &dyn Disk) -> Result<Recovered, StateError> {
    let opened = Shelf::open(disk, dir).map_err(|cause| StateError::Disk { path: dir.to_owned(), cause })?;
    let Opened { shelf, mut documents, size, rejected } = opened;
    let hold = journal.hold("state", shelf.needed_after());
    belongs_to(journal, documents.applied)?;
    let Replayed { entries, bytes } = replay(journal, &mut documents, journal.durable(), |_| Ok(()))?;
    let report =
        StateRecovery { snapshot: shelf.newest(), replayed: entries, documents: documents.len(), rejected };
    let from = report.snapshot.unwrap_or_default();
    measure::recovered(from.0, report.documents, report.rejected.len());
    tracing::info!(snapshot = %from, replayed = entries, documents = report.documents, "state recovered");
    Ok(Recovered { documents, shelf, hold, report, size, replayed_bytes: bytes })
}

/// Whether the journal continues at `snapshot`.
pub(crate) fn belongs_to(journal: &Journal, snapshot: Seq) -> Result<(), StateError> {
    let (first, durable) = (journal.first(), journal.durable());
    if durable < snapshot {
        return Err(StateError::Lost { snapshot, durable });
    }
    if snapshot < durable && first.0 > snapshot.0 + 1 {
        return Err(StateError::Gap { needed: snapshot, first });
    }
    Ok(())
}

/// How much [`replay`] read.
pub(crate) struct Replayed {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// Applies the entries after the documents' position up to and including `until`, each after `visit` has seen it.
pub(crate) fn replay(
    journal: &Journal,
    documents: &mut Documents,
    until: Seq,
    mut visit: impl FnMut(&opentrail_journal::Item) -> Result<(), StateError>,
) -> Result<Replayed, StateError> {
    let mut replayed = Replayed { entries: 0, bytes: 0 };
    let mut reader = journal.reader(documents.applied);
    while documents.applied < until {
        let batch = reader.try_next_batch(BATCH_ITEMS, BATCH_BYTES)?;
        if batch.is_empty() {
            break;
        }
        for item in batch.into_iter().take_while(|item| item.seq <= until) {
            visit(&item)?;
            documents.apply(item.seq, &Entry::changes_of(&item)?);
            replayed.entries += 1;
            replayed.bytes += item.payload.len() as u64;
        }
    }
    Ok(replayed)
}
