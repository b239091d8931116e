//! Finding a version.

use redb::ReadTransaction;

use crate::{
    Vault, VaultError,
    error::IndexEntryError,
    fact::BucketId,
    object::{ObjectMeta, Version},
    tables::{IDS, VERSIONS, decode_row},
};

/// The newest version of a key.
pub(crate) fn newest(
    transaction: &ReadTransaction,
    bucket: BucketId,
    key: &str,
) -> Result<Option<Version>, VaultError> {
    let key = key.as_bytes();
    let versions = transaction.open_table(VERSIONS)?;
    let first = versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))?.next();
    match first.transpose()? {
        Some((_, row)) => Ok(Some(decode_row(row.value())?)),
        None => Ok(None),
    }
}

/// The version with this id.
pub(crate) fn by_id(
    transaction: &ReadTransaction,
    bucket: BucketId,
    key: &str,
    id: &str,
) -> Result<Option<Version>, VaultError> {
    let key = key.as_bytes();
    let Some(age) = transaction.open_table(IDS)?.get((bucket, key, id.as_bytes()))? else { return Ok(None) };
    let versions = transaction.open_table(VERSIONS)?;
    match versions.get((bucket, key, age.value()))? {
        Some(row) => Ok(Some(decode_row(row.value())?)),
        None => Err(IndexEntryError::Dangling("version").into()),
    }
}

/// The object that a read names: the newest version, or the one with this id.
pub(crate) fn object(
    transaction: &ReadTransaction,
    bucket: BucketId,
    key: &str,
    id: Option<&str>,
) -> Result<ObjectMeta, VaultError> {
    match id {
        None => match newest(transaction, bucket, key)? {
            Some(Version::Object(meta)) => Ok(*meta),
            Some(Version::DeleteMarker(marker)) => {
                Err(VaultError::NoSuchKey { key: key.to_owned(), delete_marker: Some(marker.version_id) })
            }
            None => Err(VaultError::NoSuchKey { key: key.to_owned(), delete_marker: None }),
        },
        Some(id) => match by_id(transaction, bucket, key, id)? {
            Some(Version::Object(meta)) => Ok(*meta),
            Some(Version::DeleteMarker(marker)) => Err(VaultError::VersionIsDeleteMarker {
                key: key.to_owned(),
                version_id: marker.version_id,
                last_modified: marker.last_modified,
            }),
            None => Err(VaultError::NoSuchVersion { key: key.to_owned(), version_id: id.to_owned() }),
        },
    }
}

impl Vault {
    pub(crate) fn newest(&self, bucket: BucketId, key: &str) -> Result<Option<Version>, VaultError> {
        self.inner.index.read(|transaction| newest(transaction, bucket, key))
    }
}
