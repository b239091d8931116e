//! The archive's folder.
//!
//! ```text
//! MANIFEST                 which tables count, and up to which entry of the journal they reach
//! events-ID.parquet        a table
//! events-ID.rows, .keys    its index
//! seen/MANIFEST            which runs of ids count
//! seen/ids-ID.run          a run of ids
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};

use opentrail_journal::disk::{Access, Disk};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::Xxh3;

use crate::{
    error::{ArchiveError, Damage, corrupt, disk_error},
    keys::checksum,
    manifest::FileFacts,
};

const MANIFEST: &str = "MANIFEST";
const CHECKSUM_DIGITS: usize = 16;
/// Bytes of a file that are checked at once.
const BUFFER: usize = 1 << 20;

/// The files of a table.
#[derive(Debug, Clone)]
pub(crate) struct TablePaths {
    pub(crate) parquet: PathBuf,
    pub(crate) rows: PathBuf,
    pub(crate) keys: PathBuf,
}

impl TablePaths {
    pub(crate) fn new(dir: &Path, id: u64) -> Self {
        let path = |extension: &str| dir.join(format!("events-{id:010}.{extension}"));
        Self { parquet: path("parquet"), rows: path("rows"), keys: path("keys") }
    }

    /// Removes the files; those that are not there are fine.
    pub(crate) fn remove(&self, disk: &dyn Disk) -> io::Result<()> {
        [&self.parquet, &self.rows, &self.keys].into_iter().try_for_each(|path| remove_if_there(disk, path))
    }
}

/// The file of a run of ids.
pub(crate) fn run_path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("ids-{id:010}.run"))
}

pub(crate) fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The id in the name of a file of the archive: `PREFIX-ID.EXTENSION`.
fn id_in(name: &str) -> Option<u64> {
    let name = name.strip_prefix("events-").or_else(|| name.strip_prefix("ids-"))?;
    name.split_once('.')?.0.parse().ok()
}

/// Removes the files in a folder whose id the manifest does not know: a crash left them.
pub(crate) fn remove_orphans(
    disk: &dyn Disk,
    dir: &Path,
    is_known: impl Fn(u64) -> bool,
) -> Result<(), ArchiveError> {
    let entries = disk.read_dir(dir).map_err(|error| disk_error("list", dir, error))?;
    for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
        let orphan = id_in(&entry.name).is_some_and(|id| !is_known(id));
        if orphan || entry.name == format!(".{MANIFEST}.tmp") {
            let path = dir.join(&entry.name);
            remove_if_there(disk, &path).map_err(|error| disk_error("remove", path, error))?;
        }
    }
    Ok(())
}

/// Compares a file's length and checksum with what was written, unless it is stopped.
pub(crate) fn check_file(
    disk: &dyn Disk,
    path: &Path,
    facts: FileFacts,
    stop: &CancellationToken,
) -> Result<(), ArchiveError> {
    let file = disk.open_read(path).map_err(|error| disk_error("open", path, error))?;
    let len = file.len().map_err(|error| disk_error("read", path, error))?;
    if len != facts.bytes {
        return Err(corrupt(path, Damage::Truncated));
    }
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; BUFFER];
    let mut at = 0;
    while at < len {
        if stop.is_cancelled() {
            return Err(ArchiveError::Closed);
        }
        let part = &mut buffer[..usize::try_from(len - at).unwrap_or(BUFFER).min(BUFFER)];
        file.read_exact_at(part, at).map_err(|error| disk_error("read", path, error))?;
        hash.update(part);
        at += part.len() as u64;
    }
    if hash.digest() == facts.checksum { Ok(()) } else { Err(corrupt(path, Damage::Checksum)) }
}

/// The manifest in a folder, if there is one.
pub(crate) fn read_manifest<T: DeserializeOwned>(
    disk: &dyn Disk,
    dir: &Path,
) -> Result<Option<T>, ArchiveError> {
    let path = dir.join(MANIFEST);
    let bytes = match disk.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| disk_error("read", &path, error))?,
    };
    let Some((checked, body)) = bytes.split_at_checked(CHECKSUM_DIGITS + 1) else {
        return Err(corrupt(path, Damage::Truncated));
    };
    if checked != format!("{:016x}\n", checksum(body)).as_bytes() {
        return Err(corrupt(path, Damage::Checksum));
    }
    serde_json::from_slice(body).map(Some).map_err(|_| corrupt(path, Damage::Format))
}

/// Puts a manifest in the place of the one that is there, atomically and durably.
pub(crate) fn write_manifest<T: Serialize>(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &T,
) -> Result<(), ArchiveError> {
    let path = dir.join(MANIFEST);
    let body = serde_json::to_vec(manifest).map_err(|_| corrupt(&path, Damage::Format))?;
    let mut bytes = format!("{:016x}\n", checksum(&body)).into_bytes();
    bytes.extend(body);
    disk.write_atomically(&path, &bytes, Access::Private).map_err(|error| disk_error("write", path, error))
}
