//! Checks what is on disk against itself.

use std::{path::Path, sync::Arc};

use opentrail_journal::{Journal, Seq, disk::Disk};

use crate::{
    codec::EncodedEntry,
    documents::Documents,
    error::StateError,
    recovery::{belongs_to, replay},
    shelf::{RejectedSnapshot, positions},
    snapshot,
    state::State,
};

/// What a check found when nothing contradicted.
#[derive(Debug)]
pub struct StateReport {
    /// The usable snapshots. Where the journal reaches back far enough, it gives the same documents.
    pub snapshots: Vec<Seq>,
    /// Snapshots that cannot be used.
    pub rejected: Vec<RejectedSnapshot>,
    /// How many entries were read and decoded in full, records included.
    pub entries: u64,
    /// How many records they hold.
    pub records: u64,
    /// How many documents there are at the end.
    pub documents: usize,
}

/// Checks every snapshot in `dir`, decodes every entry that the journal has, and compares each snapshot with
/// what the entries before it give. Blocks.
///
/// # Errors
/// [`StateError::Differs`], [`StateError::Entry`], [`StateError::Gap`] or [`StateError::Lost`] for what does not
/// agree; [`StateError::Journal`] and [`StateError::Disk`] if it cannot be read.
pub fn fsck(journal: &Journal, dir: &Path, disk: &dyn Disk) -> Result<StateReport, StateError> {
    check(journal, dir, disk, journal.durable()).map(|(report, _)| report)
}

fn check(
    journal: &Journal,
    dir: &Path,
    disk: &dyn Disk,
    until: Seq,
) -> Result<(StateReport, Documents), StateError> {
    let hold = journal.hold("state-fsck", Seq::ZERO);
    let checked = check_held(journal, dir, disk, until);
    hold.release();
    checked
}

fn check_held(
    journal: &Journal,
    dir: &Path,
    disk: &dyn Disk,
    until: Seq,
) -> Result<(StateReport, Documents), StateError> {
    let positions = positions(disk, dir).map_err(|cause| StateError::Disk { path: dir.to_owned(), cause })?;
    let mut report =
        StateReport { snapshots: Vec::new(), rejected: Vec::new(), entries: 0, records: 0, documents: 0 };
    let mut documents: Option<Documents> = (journal.first() <= Seq(1)).then(Documents::default);
    for seq in positions {
        let durable = journal.durable();
        if seq > durable {
            return Err(StateError::Lost { snapshot: seq, durable });
        }
        let (snapshot, _) = match snapshot::read(disk, dir, seq) {
            Ok(read) => read,
            Err(cause) => {
                report.rejected.push(RejectedSnapshot { path: snapshot::path(dir, seq), cause });
                continue;
            }
        };
        if let Some(replayed) = &mut documents {
            step(journal, replayed, seq, &mut report)?;
            if let Some((kind, id)) = replayed.difference(&snapshot) {
                return Err(StateError::Differs { seq, kind, id });
            }
        } else if belongs_to(journal, seq).is_ok() {
            documents = Some(snapshot);
        }
        report.snapshots.push(seq);
    }
    let mut documents = documents.ok_or(StateError::Gap { needed: Seq(0), first: journal.first() })?;
    step(journal, &mut documents, until, &mut report)?;
    report.documents = documents.len();
    Ok((report, documents))
}

fn step(
    journal: &Journal,
    documents: &mut Documents,
    until: Seq,
    report: &mut StateReport,
) -> Result<(), StateError> {
    let replayed = replay(journal, documents, until, |item| {
        let entry = EncodedEntry::new(item.payload.clone()).and_then(|encoded| encoded.decode());
        let entry = entry.map_err(|cause| StateError::Entry { seq: item.seq, cause })?;
        report.records += entry.events.len() as u64;
        Ok(())
    })?;
    report.entries += replayed.entries;
    Ok(())
}

impl State {
    /// As [`fsck`], while the state is in use, and compares the documents in memory with those on disk as well.
    ///
    /// # Errors
    /// As [`fsck`].
    pub async fn verify(&self) -> Result<StateReport, StateError> {
        // With the shelf locked no snapshot is written or removed meanwhile, so the journal keeps what is read.
        let shelf = Arc::clone(&self.inner.shelf).lock_owned().await;
        let live = self.consistent().await?;
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            let _shelf = shelf;
            let (report, documents) = check(&inner.journal, &inner.dir, &*inner.disk, live.applied)?;
            match documents.difference(&live) {
                Some((kind, id)) => Err(StateError::Differs { seq: live.applied, kind, id }),
                None => Ok(report),
            }
        });
        task.await.map_err(|_| StateError::Interrupted)?
    }
}
