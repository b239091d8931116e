//! Checks the delivery's files against each other.

use std::path::{Path, PathBuf};

use opentrail_journal::disk::Disk;
use serde::Serialize;

use super::{
    error::DeliveryError,
    ledger::{Ledger, sha256_hex},
    spool::spooled_path,
};

/// What a check of the delivery's files found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FsckReport {
    /// The journal entry up to which events are in files; none if nothing was ever delivered.
    pub cursor: Option<u64>,
    /// Files that wait for their bucket.
    pub outstanding: usize,
    /// Files of the ledger that the spool does not have.
    pub missing: Vec<PathBuf>,
    /// Files whose bytes are not those that were decided.
    pub damaged: Vec<PathBuf>,
}

impl FsckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty()
    }
}

/// Checks the ledger and the spool in `dir`. Nothing is changed. Files in the spool that the ledger does not
/// know are no fault: they are removed at the next start.
///
/// # Errors
/// A ledger that is damaged, and a disk that fails.
pub fn fsck(dir: &Path, disk: &dyn Disk) -> Result<FsckReport, DeliveryError> {
    let Some(ledger) = Ledger::load(dir, disk)? else { return Ok(FsckReport::default()) };
    let mut report =
        FsckReport { cursor: Some(ledger.cursor), outstanding: ledger.files.len(), ..FsckReport::default() };
    for (number, file) in &ledger.files {
        let path = spooled_path(dir, *number);
        if !disk.exists(&path).map_err(DeliveryError::disk(&path))? {
            report.missing.push(path);
            continue;
        }
        let body = disk.read(&path).map_err(DeliveryError::disk(&path))?;
        if body.len() as u64 != file.size || sha256_hex(&body) != file.body_sha256 {
            report.damaged.push(path);
        }
    }
    Ok(report)
}
