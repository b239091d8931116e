//! What is known of an import beside its document: how far it is, and which files it could not take.
//!
//! How far it is stands in the store's table, in the same commit as the rows; the file here has a copy for those who
//! ask, and the failures. A file's failure is durable before the table's mark passes the file, so that none is lost: a
//! crash in between reads the file again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use opentrail_journal::disk::{Access, Disk};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::writer::{Done, Taken};
use crate::error::LakeError;

/// Failures that an import may have; it ends with the next.
pub const MAX_FAILURES: usize = 10_000;
/// Characters of a failure's message.
const MAX_MESSAGE: usize = 1000;

/// How far an import is: the value of its mark in the store's table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The last key that is done with, in the order of keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether there may be more files in its folder.
    #[serde(default)]
    pub open: bool,
    /// Folders whose files are all done.
    pub prefixes: u64,
    /// Files that were taken.
    pub files: u64,
    /// Events that were not in the store before.
    pub events: u64,
    /// Events that were.
    #[serde(default)]
    pub duplicates: u64,
    /// Events that were left out: they are older than the store keeps events.
    #[serde(default)]
    pub expired: u64,
}

impl Progress {
    /// Adds a file that is done.
    pub(crate) fn add(&mut self, done: &Done, taken: Taken) {
        if let Some(key) = &done.key {
            self.after = Some(key.clone());
            self.open = true;
        }
        if done.is_end {
            self.open = false;
        }
        self.prefixes += done.prefixes;
        self.files += done.files;
        self.expired += done.expired;
        self.events += taken.accepted;
        self.duplicates += taken.duplicates;
    }
}

/// What is wrong with a file, or with a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// `ErrorType`
    pub kind: String,
    /// `ErrorMessage`
    pub message: String,
}

impl Fault {
    pub(crate) fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self { kind: kind.into(), message: message.chars().take(MAX_MESSAGE).collect() }
    }
}

/// What became of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureStatus {
    /// The file could not be taken.
    Failed,
    /// It is to be tried again.
    Retry,
    /// It was taken after all.
    Succeeded,
}

impl FailureStatus {
    /// AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Retry => "RETRY",
            Self::Succeeded => "SUCCEEDED",
        }
    }
}

/// A file that could not be taken, or a listing that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What became of it.
    pub status: FailureStatus,
    /// What is, or was, wrong.
    pub fault: Fault,
    /// When that changed.
    pub updated: DateTime<Utc>,
}

/// What an import leaves on the disk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// The run that it is about.
    pub(crate) run: u32,
    /// Folders found.
    pub(crate) found: u64,
    pub(crate) progress: Progress,
    /// By key; the listing's own is under the location's prefix.
    pub(crate) failures: BTreeMap<String, Failure>,
}

impl Ledger {
    /// Notes that a file could not be taken.
    pub(crate) fn fail(&mut self, key: &str, fault: Fault, now: DateTime<Utc>) {
        self.failures.insert(key.to_owned(), Failure { status: FailureStatus::Failed, fault, updated: now });
    }

    /// Notes that a file was taken, should it have failed before; whether it had.
    pub(crate) fn succeed(&mut self, key: &str, now: DateTime<Utc>) -> bool {
        let before = self.failures.get_mut(key).filter(|failure| failure.status != FailureStatus::Succeeded);
        let Some(failure) = before else { return false };
        failure.status = FailureStatus::Succeeded;
        failure.updated = now;
        true
    }

    /// Begins another run: what failed is to be tried again.
    pub(crate) fn begin(&mut self, run: u32, now: DateTime<Utc>) {
        if self.run == run {
            return;
        }
        self.run = run;
        for failure in self.failures.values_mut().filter(|failure| failure.status == FailureStatus::Failed) {
            failure.status = FailureStatus::Retry;
            failure.updated = now;
        }
    }

    /// How many failures have not been made good.
    pub(crate) fn failed(&self) -> usize {
        self.failures.values().filter(|failure| failure.status != FailureStatus::Succeeded).count()
    }
}

/// The folder with a file for each import.
#[derive(Clone)]
pub(crate) struct Ledgers {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Ledgers {
    /// The ledgers in a folder, which is made if it is not there.
    pub(crate) fn open(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self, LakeError> {
        let failed = |source| LakeError::Disk { path: folder.to_owned(), source };
        disk.create_dir_all(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), disk })
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// The imports that left something.
    pub(crate) fn ids(&self) -> Result<Vec<Uuid>, LakeError> {
        let entries = self.disk.read_dir(&self.folder);
        let entries = entries.map_err(|source| LakeError::Disk { path: self.folder.clone(), source })?;
        let id = |name: &str| name.strip_suffix(".json").and_then(|id| Uuid::try_parse(id).ok());
        Ok(entries.iter().filter_map(|entry| id(&entry.name)).collect())
    }

    /// What an import left; the default where it left nothing.
    pub(crate) fn read(&self, id: Uuid) -> Result<Ledger, LakeError> {
        let path = self.path(id);
        let failed = |source| LakeError::Disk { path: path.clone(), source };
        if !self.disk.exists(&path).map_err(failed)? {
            return Ok(Ledger::default());
        }
        let bytes = self.disk.read(&path).map_err(failed)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| LakeError::Damaged { path: path.clone(), reason: error.to_string() })
    }

    /// Keeps it; it is durable once this returns.
    pub(crate) fn write(&self, id: Uuid, ledger: &Ledger) -> Result<(), LakeError> {
        let path = self.path(id);
        let bytes = serde_json::to_vec(ledger)
            .map_err(|error| LakeError::Damaged { path: path.clone(), reason: error.to_string() })?;
        self.disk
            .write_atomically(&path, &bytes, Access::Default)
            .map_err(|source| LakeError::Disk { path: path.clone(), source })
    }

    /// Removes what an import that is no more left.
    pub(crate) fn forget(&self, id: Uuid) -> Result<(), LakeError> {
        let path = self.path(id);
        match self.disk.exists(&path) {
            Ok(true) => self.disk.remove_file(&path),
            other => other.map(drop),
        }
        .map_err(|source| LakeError::Disk { path, source })
    }
}

#[cfg(test)]
mod tests {
    use opentrail_journal::disk::RealDisk;

    use super::*;

    #[test]
    fn failures_are_kept_and_tried_again_in_the_next_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledgers = Ledgers::open(folder.path(), Arc::new(RealDisk)).expect("a folder");
        let (id, now) = (Uuid::new_v4(), Utc::now());
        let mut ledger = ledgers.read(id).expect("nothing yet");
        ledger.begin(1, now);
        ledger.fail("b", Fault::new("InvalidFile", "x".repeat(5000)), now);
        ledger.fail("a", Fault::new("AccessDenied", "no"), now);
        assert!(!ledger.succeed("c", now) && ledger.succeed("a", now) && !ledger.succeed("a", now));
        ledgers.write(id, &ledger).expect("written");
        let mut ledger = ledgers.read(id).expect("read");
        assert_eq!((ledger.failed(), ledger.failures["b"].fault.message.len()), (1, MAX_MESSAGE));
        ledger.begin(1, now);
        assert_eq!(ledger.failures["b"].status, FailureStatus::Failed);
        ledger.begin(2, now);
        assert_eq!(ledger.failures["b"].status, FailureStatus::Retry);
        assert_eq!(ledger.failures["a"].status, FailureStatus::Succeeded);
        assert_eq!(ledgers.ids().expect("a list"), [id]);
        ledgers.forget(id).expect("gone");
        assert!(ledgers.ids().expect("a list").is_empty());
        ledgers.forget(id).expect("gone already");
        assert!(ledgers.read(id).expect("nothing").failures.is_empty());
    }
}
