//! What waits to be copied, as the index lists it.

use std::{ops::Bound, sync::Arc};

use redb::{ReadTransaction, ReadableTableMetadata, TableError};

use super::{CopyProgress, CopyState};
use crate::{
    Bucket, Vault, VaultError,
    error::IndexEntryError,
    fact::BucketId,
    follow::blocking,
    limits::REPLICATION_ROWS,
    lookup,
    object::Version,
    tables::{META, OPEN_COPIES, OPEN_COPY_BYTES, OpenCopyKey},
};

/// A row of the list: the state is part of its key, so that what is tried again later stands apart; then comes the
/// destination, and within it each key's versions stand in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenCopy {
    pub(crate) failed: u8,
    pub(crate) destination: Vec<u8>,
    pub(crate) order: u64,
    pub(crate) value: Vec<u8>,
    pub(crate) bytes: u64,
}

impl OpenCopy {
    /// The rows of a version of this age.
    pub(crate) fn of(version: &Version, age: u64) -> Vec<Self> {
        let Some(progress) = version.replication() else { return Vec::new() };
        let row = |copy: &CopyProgress| {
            let bytes = match version {
                Version::Object(meta) if !copy.made => meta.size,
                _ => 0,
            };
            Self {
                failed: u8::from(copy.state == CopyState::Failed),
                destination: copy.bucket.as_bytes().to_vec(),
                order: u64::MAX - age,
                value: version.id().as_bytes().to_vec(),
                bytes,
            }
        };
        progress.open().map(row).collect()
    }
}

/// Copies that wait: of one bucket's versions, for one destination.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The destination's name.
    pub destination: String,
    /// Some were never tried, or could not be.
    pub has_pending: bool,
    /// Some were refused.
    pub has_failed: bool,
}

/// A place in the list of one pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    key: Vec<u8>,
    order: u64,
}

/// A version that is to be copied.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its bucket, as it was when it was looked at.
    pub bucket: Arc<Bucket>,
    /// Its key.
    pub key: String,
    /// The version.
    pub version: Version,
    /// The destination's name.
    pub destination: String,
    /// An older version of the key waited for the same destination.
    pub is_behind: bool,
    order: u64,
}

impl Waiting {
    /// How far the copy is.
    pub fn progress(&self) -> Option<&CopyProgress> {
        self.version.replication().and_then(|progress| progress.copy_in(&self.destination))
    }
}

type Table = redb::ReadOnlyTable<OpenCopyKey, &'static [u8]>;

/// The list; an index that was never written since there is one has none.
fn table(read: &ReadTransaction) -> Result<Option<Table>, VaultError> {
    match read.open_table(OPEN_COPIES) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How many copies wait, and the bytes of those that are to be made.
pub(crate) fn backlog(read: &ReadTransaction) -> Result<(u64, u64), VaultError> {
    let Some(table) = table(read)? else { return Ok((0, 0)) };
    let bytes = read.open_table(META)?.get(OPEN_COPY_BYTES)?.map_or(0, |bytes| bytes.value());
    Ok((table.len()?, bytes))
}

impl Vault {
    /// How many copies wait, and the bytes of those that are to be made.
    ///
    /// # Errors
    /// [`VaultError::IndexUnavailable`], [`VaultError::Index`].
    pub fn replication_backlog(&self) -> Result<(u64, u64), VaultError> {
        self.inner.index.read(backlog)
    }

    /// The buckets and destinations for which copies wait. Costs two lookups for each.
    ///
    /// # Errors
    /// [`VaultError::IndexUnavailable`], [`VaultError::Index`].
    pub async fn replication_pairs(&self) -> Result<Vec<Pair>, VaultError> {
        let (index, state) = (Arc::clone(&self.inner.index), self.inner.state.clone());
        blocking(move || {
            let found = index.read(pairs)?;
            if found.is_empty() {
                return Ok(Vec::new());
            }
            let buckets = state.list::<Bucket>("");
            let mut known: Vec<Pair> = Vec::new();
            for (id, failed, destination) in found {
                // Those of a bucket that is gone were removed with its versions.
                let Some((_, bucket)) = buckets.iter().find(|(_, bucket)| bucket.id == id) else { continue };
                let same = |pair: &&mut Pair| pair.bucket.id == id && pair.destination == destination;
                match known.iter_mut().find(same) {
                    Some(pair) => pair.has_failed |= failed,
                    None => known.push(Pair {
                        bucket: Arc::clone(bucket),
                        destination,
                        has_pending: !failed,
                        has_failed: failed,
                    }),
                }
            }
            Ok(known)
        })
        .await
    }

    /// Whether an older version of the key waits for the same destination now.
    ///
    /// # Errors
    /// [`VaultError::IndexUnavailable`], [`VaultError::Index`].
    pub fn is_behind(&self, waiting: &Waiting) -> Result<bool, VaultError> {
        let (id, to, key) = (waiting.bucket.id, waiting.destination.as_bytes(), waiting.key.as_bytes());
        self.inner.index.read(|read| match table(read)? {
            Some(table) => older_waits(&table, id, to, key, waiting.order),
            None => Ok(false),
        })
    }

    /// The next [`REPLICATION_ROWS`] versions that wait for a destination, each key's oldest first, and where to go on.
    /// `failed`: those that were refused.
    ///
    /// # Errors
    /// [`VaultError::IndexUnavailable`], [`VaultError::Index`].
    pub async fn replication_step(
        &self,
        pair: &Pair,
        failed: bool,
        from: Option<Place>,
    ) -> Result<(Vec<Waiting>, Option<Place>), VaultError> {
        let (index, pair) = (Arc::clone(&self.inner.index), pair.clone());
        blocking(move || index.read(|read| step(read, &pair, u8::from(failed), from))).await
    }
}

fn older_waits(
    table: &Table,
    bucket: BucketId,
    destination: &[u8],
    key: &[u8],
    order: u64,
) -> Result<bool, VaultError> {
    for failed in [0, 1] {
        let before = (bucket, failed, destination, key, 0)..(bucket, failed, destination, key, order);
        if table.range(before)?.next().transpose()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn pairs(read: &ReadTransaction) -> Result<Vec<(BucketId, bool, String)>, VaultError> {
    let Some(table) = table(read)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut from: (BucketId, u8, Vec<u8>) = (0, 0, Vec::new());
    loop {
        let start = (from.0, from.1, from.2.as_slice(), &[][..], 0);
        let Some(row) = table.range(start..)?.next() else { break };
        let row = row?;
        let (bucket, failed, destination, _, _) = row.0.value();
        let name = String::from_utf8(destination.to_vec()).map_err(|_| IndexEntryError::NotText)?;
        found.push((bucket, failed == 1, name));
        // The next possible destination after this one.
        from = (bucket, failed, [destination, &[0]].concat());
    }
    Ok(found)
}

fn step(
    read: &ReadTransaction,
    pair: &Pair,
    failed: u8,
    from: Option<Place>,
) -> Result<(Vec<Waiting>, Option<Place>), VaultError> {
    let Some(table) = table(read)? else { return Ok((Vec::new(), None)) };
    let (id, destination) = (pair.bucket.id, pair.destination.as_bytes());
    let start = match &from {
        Some(place) => Bound::Excluded((id, failed, destination, place.key.as_slice(), place.order)),
        None => Bound::Included((id, failed, destination, &[][..], 0)),
    };
    let mut waiting = Vec::new();
    for row in table.range::<(BucketId, u8, &[u8], &[u8], u64)>((start, Bound::Unbounded))? {
        let (place, value) = row?;
        let (bucket, state, of, key, order) = place.value();
        if (bucket, state, of) != (id, failed, destination) {
            return Ok((waiting, None));
        }
        let text = std::str::from_utf8(key).map_err(|_| IndexEntryError::NotText)?;
        let version_id = std::str::from_utf8(value.value()).map_err(|_| IndexEntryError::NotText)?;
        let version = lookup::by_id(read, id, text, version_id)?;
        let version = version.ok_or(IndexEntryError::Dangling("version"))?;
        waiting.push(Waiting {
            bucket: Arc::clone(&pair.bucket),
            key: text.to_owned(),
            version,
            destination: pair.destination.clone(),
            is_behind: older_waits(&table, id, destination, key, order)?,
            order,
        });
        if waiting.len() == REPLICATION_ROWS {
            return Ok((waiting, Some(Place { key: key.to_vec(), order })));
        }
    }
    Ok((waiting, None))
}
