//! How far the copies of a version are: a part of what is known about it.

use serde::{Deserialize, Serialize};

/// How far a version's copies are, or that it is one itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationProgress {
    /// It is a copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replica: bool,
    /// Its copies, one for each destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyProgress>,
}

/// How far one copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyProgress {
    /// The destination's name.
    pub bucket: String,
    /// What is left to do.
    pub state: CopyState,
    /// The copy is there; what is left to do is to give it the version's tags and locks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
    /// The copy's version id, where it is another than the version's: at an endpoint elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

/// What is left to do for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyState {
    /// It is to be made, or to be given what changed.
    Pending,
    /// Nothing.
    Completed,
    /// The same as while pending; it was refused last time.
    Failed,
}

/// What S3 tells of a version (`x-amz-replication-status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicationStatus {
    /// Some copy is to be made yet.
    Pending,
    /// All copies are made.
    Completed,
    /// Some copy was refused.
    Failed,
    /// It is a copy.
    Replica,
}

impl ReplicationStatus {
    /// As S3 writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Replica => "REPLICA",
        }
    }
}

impl CopyProgress {
    /// A copy that is to be made.
    pub(super) fn pending(bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), state: CopyState::Pending, made: false, version_id: None }
    }
}

impl ReplicationProgress {
    /// What a copy says of itself.
    pub(super) fn of_replica() -> Self {
        Self { replica: true, copies: Vec::new() }
    }

    /// What S3 tells of the version. With several destinations, one that failed decides, then one that is pending.
    pub fn status(&self) -> ReplicationStatus {
        let any = |state| self.copies.iter().any(|copy| copy.state == state);
        match self.replica {
            true => ReplicationStatus::Replica,
            false if any(CopyState::Failed) => ReplicationStatus::Failed,
            false if any(CopyState::Pending) => ReplicationStatus::Pending,
            false => ReplicationStatus::Completed,
        }
    }

    /// The copies that something is left to do for.
    pub(crate) fn open(&self) -> impl Iterator<Item = &CopyProgress> {
        self.copies.iter().filter(|copy| copy.state != CopyState::Completed)
    }

    /// The copy at this destination.
    pub fn copy_in(&self, bucket: &str) -> Option<&CopyProgress> {
        self.copies.iter().find(|copy| copy.bucket == bucket)
    }
}
