//! The snapshots on disk: which are usable, which are dropped, and how far back the journal is needed.

use std::{
    io,
    path::{Path, PathBuf},
};

use opentrail_journal::{Seq, disk::Disk};

use crate::{documents::Documents, error::SnapshotError, snapshot};

/// How many snapshots are kept. Two: should the newest turn out bad, the one before and the journal after it
/// give the same documents.
const KEPT: usize = 2;

/// The usable snapshots, oldest first.
#[derive(Debug)]
pub(crate) struct Shelf {
    usable: Vec<Seq>,
}

/// A snapshot that was passed over.
#[derive(Debug)]
pub struct RejectedSnapshot {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: SnapshotError,
}

/// What [`Shelf::open`] finds.
pub(crate) struct Opened {
    pub(crate) shelf: Shelf,
    /// The newest usable snapshot's documents; empty without one.
    pub(crate) documents: Documents,
    /// Its size in bytes.
    pub(crate) size: u64,
    pub(crate) rejected: Vec<RejectedSnapshot>,
}

impl Shelf {
    /// Reads the newest usable snapshot and checks the others.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> io::Result<Opened> {
        disk.create_dir_all(dir)?;
        remove_leftovers(disk, dir)?;
        let mut usable = Vec::new();
        let mut newest = None;
        let mut rejected = Vec::new();
        for seq in positions(disk, dir)?.into_iter().rev() {
            let checked = if newest.is_none() {
                snapshot::read(disk, dir, seq).map(|found| newest = Some(found))
            } else {
                snapshot::verified(disk, dir, seq).map(drop)
            };
            match checked {
                Ok(()) => usable.push(seq),
                Err(cause) => {
                    let path = snapshot::path(dir, seq);
                    tracing::warn!(path = %path.display(), %cause, "a snapshot cannot be used");
                    rejected.push(RejectedSnapshot { path, cause });
                }
            }
        }
        usable.reverse();
        let (documents, size) = newest.unwrap_or_default();
        Ok(Opened { shelf: Self { usable }, documents, size, rejected })
    }

    /// Where the newest usable snapshot is.
    pub(crate) fn newest(&self) -> Option<Seq> {
        self.usable.last().copied()
    }

    /// The entries after this one are needed to use any kept snapshot.
    pub(crate) fn needed_after(&self) -> Seq {
        match self.usable.len().checked_sub(KEPT) {
            Some(oldest) => self.usable[oldest],
            None => Seq(0),
        }
    }

    /// Writes a snapshot of these documents and drops those that it makes superfluous; its size in bytes.
    pub(crate) fn add(&mut self, disk: &dyn Disk, dir: &Path, documents: &Documents) -> io::Result<u64> {
        let size = snapshot::write(disk, dir, documents)?;
        self.usable.retain(|seq| *seq < documents.applied);
        self.usable.push(documents.applied);
        self.usable.drain(..self.usable.len().saturating_sub(KEPT));
        let dropped = positions(disk, dir).and_then(|positions| {
            positions
                .into_iter()
                .filter(|seq| !self.usable.contains(seq))
                .try_for_each(|seq| disk.remove_file(&snapshot::path(dir, seq)))
        });
        if let Err(error) = dropped {
            // It costs room and nothing else; the next snapshot tries again.
            tracing::warn!(dir = %dir.display(), %error, "an old snapshot cannot be removed");
        }
        Ok(size)
    }
}

/// Removes snapshots that a crash left half-written.
fn remove_leftovers(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let entries = disk.read_dir(dir)?;
    let leftovers = entries.iter().filter(|entry| {
        let inner = entry.name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
        inner.and_then(snapshot::position).is_some()
    });
    leftovers.map(|entry| dir.join(&entry.name)).try_for_each(|path| disk.remove_file(&path))
}

/// The positions of all snapshots in the directory, usable or not, ascending.
pub(crate) fn positions(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<Seq>> {
    let entries = disk.read_dir(dir)?;
    let mut positions: Vec<Seq> =
        entries.iter().filter_map(|entry| snapshot::position(&entry.name)).collect();
    positions.sort_unstable();
    Ok(positions)
}
