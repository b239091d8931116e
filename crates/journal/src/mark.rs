//! The mark: the newest entry that is known to be durable.
//!
//! It is written after each group commit and not synced, so it is never ahead of the truth, survives the end
//! of the process, and after a power cut is a little behind. Recovery uses it to tell damage from a torn tail:
//! an entry up to the mark was durable, so if it is bad or absent, that is damage.

use std::{io, path::Path};

use crate::{
    Seq,
    disk::{Access, Disk, DiskFile, REWRITTEN_UNIT},
};

/// The mark's file name inside the journal's folder.
pub(crate) const MARK_NAME: &str = "durable";

/// What is read: the entry's number and its checksum.
const MARK_BYTES: usize = 12;

/// What is written: a file that is written again in place comes in whole units.
const WRITTEN_BYTES: usize = REWRITTEN_UNIT as usize;

/// The mark's open file. A mark that cannot be written is given up: it sharpens recovery, nothing depends on it.
#[derive(Debug)]
pub(crate) struct Mark {
    file: Option<Box<dyn DiskFile>>,
}

impl Mark {
    /// Opens or makes the mark in `dir`.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> Self {
        let file = disk.open_rewritten(&dir.join(MARK_NAME), Access::Default);
        Self { file: file.inspect_err(give_up).ok() }
    }

    /// Moves the mark.
    pub(crate) fn set(&mut self, durable: Seq) {
        let mut bytes = [0; WRITTEN_BYTES];
        bytes[..8].copy_from_slice(&durable.0.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..8]);
        bytes[8..MARK_BYTES].copy_from_slice(&crc.to_le_bytes());
        let written = self.file.as_ref().map_or(Ok(()), |file| file.write_all_at(&bytes, 0));
        if let Err(error) = written {
            give_up(&error);
            self.file = None;
        }
    }

    /// Makes the mark durable, at the journal's orderly end.
    pub(crate) fn sync(&self) {
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.sync_data()) {
            give_up(&error);
        }
    }
}

fn give_up(error: &io::Error) {
    tracing::warn!(%error, "the journal goes on without its mark of what is durable");
}

/// The mark in `dir`; `None` if there is none or it is unreadable.
pub(crate) fn read_mark(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Seq>> {
    let path = dir.join(MARK_NAME);
    let file = match disk.open_read(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; MARK_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (seq, crc) = bytes.split_at(8);
    let good = crc32c::crc32c(seq).to_le_bytes() == crc;
    Ok(good.then(|| Seq(u64::from_le_bytes(std::array::from_fn(|at| seq[at])))))
}
