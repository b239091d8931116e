//! Checks what is on disk against itself.

use std::path::Path;

use opentrail_journal::disk::Disk;

use crate::error::ArchiveError;

/// What a check found.
#[derive(Debug, Default)]
pub struct ArchiveReport {
    /// Tables.
    pub tables: usize,
    /// Events in them.
    pub rows: u64,
    /// Runs of ids.
    pub seen_runs: usize,
    /// Ids in them; an id can be in several.
    pub seen_ids: u64,
    /// What does not agree; empty if all is well.
    pub problems: Vec<Problem>,
}

/// Something that does not agree.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Problem(#[from] ArchiveError);

/// Checks.
pub fn fsck(dir: &Path, disk: &dyn Disk) -> Result<ArchiveReport, ArchiveError> {
    let _ = (dir, disk);
    Ok(ArchiveReport::default())
}
