//! Finding out that a full disk has room again while nobody appends.
//!
//! A server that says "not ready" because its journal is full gets no calls, so it must not need one to notice.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::disk::{Access, Disk};

/// How often a full disk is tried.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// There is room when so much can be written.
const PROBE_BYTES: usize = 1 << 20;

fn probe_path(dir: &Path) -> PathBuf {
    dir.join("probe")
}

/// Removes what an interrupted probe left.
pub(crate) fn remove_probe(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    match disk.remove_file(&probe_path(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file and removes it. An error says that there is no room, or that it cannot be told.
pub(crate) fn probe(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    remove_probe(disk, dir)?;
    let file = disk.create_new(&probe_path(dir), Access::Default)?;
    let written = file.write_all_at(&vec![0; PROBE_BYTES], 0);
    drop(file);
    remove_probe(disk, dir)?;
    written
}
