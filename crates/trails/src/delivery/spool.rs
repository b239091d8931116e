//! Files on disk that were closed and wait for their bucket.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use opentrail_journal::disk::{Access, Disk};

use super::error::DeliveryError;

const FOLDER: &str = "spool";
const SUFFIX: &str = ".gz";

/// The spool's folder; a file's name is its number.
pub(crate) struct Spool {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    next: AtomicU64,
}

impl Spool {
    /// Opens the spool and removes what the ledger does not know.
    pub(crate) fn open(
        dir: &Path,
        disk: Arc<dyn Disk>,
        known: &BTreeSet<u64>,
        next: u64,
    ) -> Result<Self, DeliveryError> {
        let dir = dir.join(FOLDER);
        disk.create_dir_all(&dir).map_err(DeliveryError::disk(&dir))?;
        let spool = Self { dir, disk, next: AtomicU64::new(next) };
        spool.sweep(known)?;
        Ok(spool)
    }

    /// Removes files that were closed but not decided when the process ended or a disk failed: their events are
    /// read again from the journal.
    pub(crate) fn sweep(&self, known: &BTreeSet<u64>) -> Result<(), DeliveryError> {
        for entry in self.disk.read_dir(&self.dir).map_err(DeliveryError::disk(&self.dir))? {
            let is_known = number_of(&entry.name).is_some_and(|number| known.contains(&number));
            if is_known || entry.is_dir {
                continue;
            }
            let path = self.dir.join(&entry.name);
            match self.disk.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(DeliveryError::Disk { path, source: error });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A number that no file has.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that the next file gets.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Writes a file so that its bytes are durable; its name is so after [`Spool::sync`].
    pub(crate) fn write(&self, number: u64, body: &[u8]) -> Result<(), DeliveryError> {
        let path = self.path(number);
        self.write_at(&path, body).map_err(DeliveryError::disk(path))
    }

    fn write_at(&self, path: &Path, body: &[u8]) -> io::Result<()> {
        let file = self.disk.create_new(path, Access::Default)?;
        file.write_all_at(body, 0)?;
        file.sync_data()
    }

    /// Makes the names of all files written so far durable.
    pub(crate) fn sync(&self) -> Result<(), DeliveryError> {
        self.disk.sync_dir(&self.dir).map_err(DeliveryError::disk(&self.dir))
    }

    pub(crate) fn read(&self, number: u64) -> Result<Vec<u8>, DeliveryError> {
        let path = self.path(number);
        self.disk.read(&path).map_err(DeliveryError::disk(path))
    }

    /// Removes a file that is no longer in the ledger. What cannot be removed now is removed at the next start.
    pub(crate) fn remove(&self, number: u64) {
        let path = self.path(number);
        if let Err(error) = self.disk.remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "a delivered file stays in the spool until the next start");
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        path_of(&self.dir, number)
    }
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}{SUFFIX}"))
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

/// Where the file with this number is below the delivery's folder.
pub(crate) fn spooled_path(dir: &Path, number: u64) -> PathBuf {
    path_of(&dir.join(FOLDER), number)
}
