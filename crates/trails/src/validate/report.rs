//! What a validation found.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Most findings that a report names; the rest is only counted.
pub const MAX_FINDINGS: usize = 100_000;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Everything that should be there is there, unchanged.
    Valid,
    /// Nothing wrong was found, but not everything could be checked.
    Incomplete,
    /// Something was changed, deleted, moved or added.
    Invalid,
}

/// Files that were checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Files as they were written.
    pub valid: u64,
    /// Files with a finding, and files that are missing.
    pub invalid: u64,
}

/// What is wrong with one file, or with a chain at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FindingKind {
    /// A digest to which its successor, or the server, refers does not exist.
    DigestMissing,
    /// A digest's signature does not verify.
    DigestModified,
    /// A digest is not a compressed JSON document of the right form.
    DigestInvalid,
    /// A digest says that it was written to another place.
    DigestMoved,
    /// Nobody knows the public key that a digest names.
    DigestKeyUnknown,
    /// The signature of a digest is not known, because its metadata was not copied and it has no successor.
    DigestUnsigned,
    /// A digest says another hash or signature of the one before it than that one has.
    ChainBroken,
    /// Digests between two others are missing.
    ChainGap,
    /// A chain begins anew after older digests, and the server is not there to say that it did.
    ChainRestarted,
    /// A chain begins with a digest that the server does not know as a beginning.
    ChainForged,
    /// The newest digests that the server delivered do not exist.
    NewestDigestsMissing,
    /// The server delivered digests, and none exists.
    AllDigestsMissing,
    /// There are no digests.
    NoDigests,
    /// A log file does not exist.
    LogMissing,
    /// A log file's hash is not the one in its digest.
    LogModified,
    /// A log file is not a gzip file.
    LogInvalid,
    /// A log file has bytes after its compressed stream.
    LogTrailingData,
    /// A log file is not where it was written but elsewhere.
    LogMoved,
    /// A log file is in no digest, though digests cover its time.
    LogUnlisted,
    /// A file or folder could not be read.
    Unreadable,
}

impl FindingKind {
    /// What one such finding makes of the whole.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::DigestUnsigned | Self::ChainRestarted | Self::NoDigests | Self::Unreadable => {
                Verdict::Incomplete
            }
            _ => Verdict::Invalid,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// In which region's files.
    pub region: String,
    /// The file's bucket.
    pub bucket: String,
    /// The file's key, or the folder's.
    pub key: String,
    /// In words.
    pub detail: String,
}

/// The result of a validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Digests.
    pub digests: Counts,
    /// Backfill digests.
    pub backfill_digests: Counts,
    /// Log files that digests list.
    pub log_files: Counts,
    /// Log files that no digest covers yet, or that are older than the first.
    pub uncovered_log_files: u64,
    /// Bytes of JSON that were hashed.
    pub bytes: u64,
    /// The regions that have digests.
    pub regions: Vec<String>,
    /// Chains that began after an older one had ended, as the server knows.
    pub restarts: u64,
    /// Whether the server's knowledge of the chains was used.
    pub heads_known: bool,
    /// The beginning of the oldest valid digest's period.
    pub found_from: Option<DateTime<Utc>>,
    /// The end of the newest valid digest's period.
    pub found_to: Option<DateTime<Utc>>,
    /// Everything that is wrong, ordered by kind and place.
    pub findings: Vec<Finding>,
    /// Findings beyond [`MAX_FINDINGS`].
    pub findings_left_off: u64,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            verdict: Verdict::Valid,
            digests: Counts::default(),
            backfill_digests: Counts::default(),
            log_files: Counts::default(),
            uncovered_log_files: 0,
            bytes: 0,
            regions: Vec::new(),
            restarts: 0,
            heads_known: false,
            found_from: None,
            found_to: None,
            findings: Vec::new(),
            findings_left_off: 0,
        }
    }
}

impl Report {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.verdict = self.verdict.max(finding.kind.verdict());
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.findings_left_off += 1;
        }
    }
}

/// How far a validation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Digests that were checked.
    pub digests: u64,
    /// Digests known so far.
    pub digests_total: u64,
    /// Log files that were checked.
    pub log_files: u64,
    /// Log files known so far.
    pub log_files_total: u64,
}
