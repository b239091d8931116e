//! What the delivery has decided and not yet finished: the one durable file beside the spool.
//!
//! INVARIANT: a file is in the ledger only when its bytes are durable in the spool, and it is uploaded only
//! when the ledger that has it is durable. So a file's events, name and bytes never change after the first
//! attempt to write it into a bucket, and the cursor never passes an event that is in no file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_journal::disk::{Access, Disk};
use serde::{Deserialize, Serialize};

use super::{
    chain::{Chain, ChainLink, DeliveredFile},
    error::DeliveryError,
    status::DeliveryStatus,
};
use crate::{layout::Whose, membership::Membership, name::TrailArn, trail::Trail};

const FILE: &str = "ledger";
const VERSION: u32 = 1;

/// The delivery's durable state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    version: u32,
    /// The last journal entry whose events are in files.
    pub(crate) cursor: u64,
    /// The trails as of the cursor, by the id of their document.
    pub(crate) trails: BTreeMap<String, Trail>,
    /// The organizations as of the cursor.
    #[serde(default)]
    pub(crate) membership: Membership,
    /// Files that are not delivered yet, by number.
    pub(crate) files: BTreeMap<u64, Outstanding>,
    /// Above every number that was given to a file.
    pub(crate) next_number: u64,
    /// The digest chains, by trail ARN, account and region (see [`Chain::name`]).
    pub(crate) chains: BTreeMap<String, Chain>,
    /// What GetTrailStatus says, by trail ARN.
    pub(crate) statuses: BTreeMap<String, DeliveryStatus>,
    /// When trails with outstanding files were deleted, by ARN.
    pub(crate) deleted: BTreeMap<String, DateTime<Utc>>,
}

/// A file that waits for its bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outstanding {
    pub(crate) trail_arn: String,
    #[serde(flatten)]
    pub(crate) whose: Whose,
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// Bytes in the spool.
    pub(crate) size: u64,
    /// SHA-256 of the bytes in the spool, in hex.
    pub(crate) body_sha256: String,
    pub(crate) kind: FileKind,
    /// The ARN of the trail's KMS key when the file was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kms_key: Option<String>,
    /// Whether the ledger on disk has it.
    #[serde(skip)]
    pub(crate) durable: bool,
    /// How often it was given another name since the process began.
    #[serde(skip)]
    pub(crate) moves: u32,
    /// Whether a write may have happened without an answer.
    #[serde(skip)]
    pub(crate) maybe_written: bool,
    /// Whether the bytes in the spool are not those that were decided, or not there. It stays in the ledger, so that
    /// a check of the folder names it and a start tries it again.
    #[serde(skip)]
    pub(crate) damaged: bool,
}

/// The two kinds of files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum FileKind {
    /// A log file.
    Log(LogFile),
    /// A digest.
    Digest {
        /// The chain's name.
        chain: String,
        /// How its successor refers to it.
        link: ChainLink,
        /// The digest before it in its chain.
        previous: Option<ChainLink>,
        /// Where its period begins.
        period_start: DateTime<Utc>,
        /// The files that it lists.
        lists: Vec<DeliveredFile>,
        /// When a backfill digest was made; none for a regular one.
        backfill: Option<DateTime<Utc>>,
    },
}

/// What a digest says about a log file, and what is needed to find its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogFile {
    pub(crate) region: String,
    /// Of the JSON, in hex.
    pub(crate) sha256: String,
    pub(crate) oldest: DateTime<Utc>,
    pub(crate) newest: DateTime<Utc>,
    pub(crate) events: u64,
    /// Whether a digest lists it: log file validation was on when it was decided.
    pub(crate) validation: bool,
    /// The trail's prefix when it was decided.
    pub(crate) prefix: Option<String>,
}

impl Outstanding {
    /// The account that owns the trail.
    pub(crate) fn trail_account(&self) -> AccountId {
        TrailArn::parse(&self.trail_arn).map_or(self.whose.account, |arn| arn.account)
    }
}

impl Ledger {
    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// Reads the ledger; none where there never was one.
    pub(crate) fn load(dir: &Path, disk: &dyn Disk) -> Result<Option<Self>, DeliveryError> {
        let path = Self::path(dir);
        if !disk.exists(&path).map_err(DeliveryError::disk(&path))? {
            return Ok(None);
        }
        let bytes = disk.read(&path).map_err(DeliveryError::disk(&path))?;
        let Some((sum, text)) = bytes.split_at_checked(SUM_LEN) else {
            return Err(DeliveryError::LedgerDamaged { path });
        };
        if sum != checksum(text).as_bytes() {
            return Err(DeliveryError::LedgerDamaged { path });
        }
        let mut ledger: Self =
            serde_json::from_slice(text).map_err(|source| DeliveryError::Ledger { path, source })?;
        for file in ledger.files.values_mut() {
            file.durable = true;
            // An attempt may have been under way when the process ended.
            file.maybe_written = true;
        }
        Ok(Some(ledger))
    }

    /// The ledger's bytes and the files in them, each with its moves.
    pub(crate) fn image(&self) -> Result<(Vec<u8>, BTreeMap<u64, u32>), serde_json::Error> {
        let text = serde_json::to_vec(self)?;
        let mut bytes = checksum(&text).into_bytes();
        bytes.extend(text);
        Ok((bytes, self.files.iter().map(|(number, file)| (*number, file.moves)).collect()))
    }

    /// Writes an image so that after a crash it is there whole or not at all.
    pub(crate) fn store(dir: &Path, disk: &dyn Disk, image: &[u8]) -> Result<(), DeliveryError> {
        let path = Self::path(dir);
        disk.write_atomically(&path, image, Access::Default).map_err(DeliveryError::disk(path))
    }

    /// A new one that begins after the journal entry `cursor`.
    pub(crate) fn new(cursor: u64, trails: BTreeMap<String, Trail>) -> Self {
        Self { version: VERSION, cursor, trails, ..Self::default() }
    }

    /// Bytes in the spool.
    pub(crate) fn spooled(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    /// The status of a trail, to be changed.
    pub(crate) fn status_of(&mut self, trail_arn: &str) -> &mut DeliveryStatus {
        self.statuses.entry(trail_arn.to_owned()).or_default()
    }
}

/// Hex digits of the checksum and the line's end.
const SUM_LEN: usize = 65;

fn checksum(text: &[u8]) -> String {
    format!("{}\n", sha256_hex(text))
}

/// SHA-256 in hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}
