//! The tables of the index and what their rows hold.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_journal::Seq;
use redb::TableDefinition;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    ChecksumAlgorithm, ChecksumType,
    error::IndexEntryError,
    fact::BucketId,
    object::{ObjectMeta, ObjectSummary},
};

/// (bucket, key, age) → version. The newest version of a key comes first.
pub(crate) const VERSIONS: TableDefinition<'_, (BucketId, &[u8], u64), &[u8]> =
    TableDefinition::new("versions");
/// (bucket, key, version id) → age.
pub(crate) const IDS: TableDefinition<'_, (BucketId, &[u8], &[u8]), u64> = TableDefinition::new("ids");
/// (bucket, key) → what a listing shows; only keys whose newest version is an object.
pub(crate) const CURRENT: TableDefinition<'_, (BucketId, &[u8]), &[u8]> = TableDefinition::new("current");
/// (bucket, key, upload) → upload in progress.
pub(crate) const UPLOADS: TableDefinition<'_, (BucketId, &[u8], u128), &[u8]> =
    TableDefinition::new("uploads");
/// (upload, part number) → part, of uploads in progress and of completed ones.
pub(crate) const PARTS: TableDefinition<'_, (u128, u16), &[u8]> = TableDefinition::new("parts");
/// blob → small bytes.
pub(crate) const INLINE: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("inline");
/// Blobs that are files and are referred to.
pub(crate) const FILES: TableDefinition<'_, u128, ()> = TableDefinition::new("files");
/// (bucket, refused last time, destination, key, order of making).
pub(crate) type OpenCopyKey = (BucketId, u8, &'static [u8], &'static [u8], u64);
/// [`OpenCopyKey`] → version id, of versions that are to be copied.
pub(crate) const OPEN_COPIES: TableDefinition<'_, OpenCopyKey, &[u8]> = TableDefinition::new("open copies");
/// Numbers about the index itself.
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// In [`META`]: the last journal entry that is applied.
pub(crate) const CURSOR: &str = "cursor";
/// In [`META`]: the bytes of the copies that are to be made.
pub(crate) const OPEN_COPY_BYTES: &str = "open copy bytes";
/// In [`META`]: the form of the rows.
pub(crate) const FORMAT: &str = "format";
/// In [`META`]: 1 after a close in good order, when no file can be without a reference.
pub(crate) const CLEAN: &str = "clean";
/// The form of the rows that this version writes and reads.
pub(crate) const CURRENT_FORMAT: u64 = 1;

/// Facts of one entry, at most; far above what any operation writes.
const FACTS_OF_ENTRY: u64 = 1 << 12;

/// The age of what a fact makes: less for newer, so that the newest comes first.
pub(crate) fn age_of(seq: Seq, number: usize) -> u64 {
    u64::MAX - (seq.0 * FACTS_OF_ENTRY + (number as u64).min(FACTS_OF_ENTRY - 1))
}

/// A row: one byte of format and JSON.
const ROW_FORMAT: u8 = 1;

pub(crate) fn encode_row<T: Serialize>(row: &T) -> Result<Vec<u8>, IndexEntryError> {
    let mut bytes = vec![ROW_FORMAT];
    serde_json::to_writer(&mut bytes, row)?;
    Ok(bytes)
}

pub(crate) fn decode_row<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, IndexEntryError> {
    match bytes.split_first() {
        Some((&ROW_FORMAT, json)) => Ok(serde_json::from_slice(json)?),
        Some((other, _)) => Err(IndexEntryError::UnknownFormat(*other)),
        None => Err(IndexEntryError::Truncated),
    }
}

/// The row of [`CURRENT`], with short names because listings read many.
#[derive(Serialize, Deserialize)]
pub(crate) struct CurrentRow {
    #[serde(rename = "s")]
    size: u64,
    #[serde(rename = "e")]
    etag: String,
    #[serde(rename = "m", with = "chrono::serde::ts_milliseconds")]
    last_modified: DateTime<Utc>,
    #[serde(rename = "c")]
    storage_class: String,
    #[serde(rename = "o")]
    owner: AccountId,
    #[serde(rename = "a")]
    checksum_algorithms: Vec<ChecksumAlgorithm>,
    #[serde(rename = "t")]
    checksum_type: ChecksumType,
}

impl CurrentRow {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self {
            size: meta.size,
            etag: meta.etag.clone(),
            last_modified: meta.last_modified,
            storage_class: meta.object.storage_class.clone(),
            owner: meta.object.owner,
            checksum_algorithms: meta.checksums.keys().copied().collect(),
            checksum_type: meta.checksum_type,
        }
    }

    pub(crate) fn summary(self, key: String) -> ObjectSummary {
        ObjectSummary {
            key,
            size: self.size,
            etag: self.etag,
            last_modified: self.last_modified,
            storage_class: self.storage_class,
            owner: self.owner,
            checksum_algorithms: self.checksum_algorithms,
            checksum_type: self.checksum_type,
        }
    }
}
