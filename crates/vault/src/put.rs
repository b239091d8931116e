//! Storing an object.

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};

use crate::{
    ChecksumAlgorithm, ChecksumType, Checksums, Expected, Vault, VaultError,
    bucket::{Bucket, Versioning},
    condition::WriteConditions,
    encryption::SealedKey,
    fact::{Carried, VaultFact},
    object::{Body, NULL_VERSION, NewObject, ObjectMeta, Version, check_key, new_version_id},
    object_lock::may_be_locked,
    records::Records,
    replication,
    upload::{Sink, Staged},
};

/// What is known about an object before its bytes arrive.
#[derive(Debug, Clone)]
pub struct PutOptions {
    /// What the caller decides about the object.
    pub object: NewObject,
    /// Additional checksums to compute; CRC-64/NVME where none is asked for, as S3 does.
    pub algorithms: Vec<ChecksumAlgorithm>,
    /// How many bytes will come, where that is known.
    pub length: Option<u64>,
}

impl PutOptions {
    /// An object with nothing said about its bytes.
    pub fn new(object: NewObject) -> Self {
        Self { object, algorithms: Vec::new(), length: None }
    }
}

/// An object whose bytes are arriving. Dropping it leaves nothing behind.
pub struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) object: NewObject,
    pub(crate) sealed_key: Option<SealedKey>,
    pub(crate) sink: Sink,
}

impl Upload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`VaultError::EntityTooLarge`], [`VaultError::IncompleteBody`] (more bytes than announced),
    /// [`VaultError::DiskFull`], [`VaultError::Io`]. After an error the upload cannot go on.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), VaultError> {
        self.sink.write(&bytes).await
    }

    /// Bytes taken so far.
    pub fn received(&self) -> u64 {
        self.sink.received()
    }

    /// Ends the bytes. They are on disk and synced afterwards (few bytes will be, with the commit).
    ///
    /// # Errors
    /// [`VaultError::IncompleteBody`], [`VaultError::BadDigest`], [`VaultError::ChecksumMismatch`],
    /// [`VaultError::ChecksumNotAnnounced`], [`VaultError::DiskFull`], [`VaultError::Io`].
    pub async fn finish(self, expected: &Expected) -> Result<StagedObject, VaultError> {
        let Self { bucket, key, object, sealed_key, sink } = self;
        Ok(StagedObject { bucket, key, object, sealed_key, staged: sink.finish(expected).await? })
    }
}

/// An object whose bytes are safe and that nobody sees yet. Dropping it leaves nothing behind.
pub struct StagedObject {
    bucket: String,
    key: String,
    object: NewObject,
    sealed_key: Option<SealedKey>,
    staged: Staged,
}

impl StagedObject {
    /// Bytes in the object.
    pub fn size(&self) -> u64 {
        self.staged.size
    }

    /// The entity tag it will have, without quotes.
    pub fn etag(&self) -> String {
        self.staged.etag.clone()
    }

    /// The additional checksums it will have.
    pub fn checksums(&self) -> &Checksums {
        &self.staged.checksums
    }
}

/// What storing an object did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutOutcome {
    /// The version's id, where the bucket has (or had) versioning: [`NULL_VERSION`] while suspended.
    pub version_id: Option<String>,
    /// The object as it is stored.
    pub meta: ObjectMeta,
}

impl Vault {
    /// Begins to store an object.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::KeyTooLong`], [`VaultError::EmptyKey`],
    /// [`VaultError::MetadataTooLarge`], [`VaultError::InvalidTag`], [`VaultError::NameTooLong`],
    /// [`VaultError::EntityTooLarge`], [`VaultError::Key`].
    pub fn begin_put(&self, bucket: &str, key: &str, options: PutOptions) -> Result<Upload, VaultError> {
        check_key(key)?;
        options.object.check()?;
        let into = self.bucket(bucket)?;
        may_be_locked(&into, &options.object.lock)?;
        let algorithms = or_default(&options.algorithms);
        let (content_key, sealed_key) = self.make_content_key(&options.object, &into, key)?.unzip();
        let sink = Sink::new(self, &algorithms, options.length)?
            .in_class(&options.object.storage_class)
            .encrypted_with(content_key);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Ok(Upload { bucket, key, object: options.object, sealed_key, sink })
    }

    /// Stores the object: one journal entry with the fact and the records that `events` makes of the outcome.
    /// It is durable and visible when this returns. If the caller's future is dropped, it is stored or it is
    /// not, with its records either way.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`] if the bucket went meanwhile, [`VaultError::PreconditionFailed`],
    /// [`VaultError::NoSuchKey`] (`If-Match` where there is no object), [`VaultError::Locked`] and
    /// [`VaultError::MfaRequired`] (it would take the place of a `null` version), [`VaultError::DiskFull`],
    /// [`VaultError::State`], [`VaultError::IndexUnavailable`], [`VaultError::NotAppliedYet`].
    pub async fn commit_put<R: Records>(
        &self,
        staged: StagedObject,
        conditions: &WriteConditions,
        now: DateTime<Utc>,
        events: impl FnOnce(&PutOutcome) -> R,
    ) -> Result<PutOutcome, VaultError> {
        let StagedObject { bucket: name, key, object, sealed_key, staged } = staged;
        let (bucket, open) = self.enter(&name).await?;
        let locked = self.inner.keys.lock((bucket.id, &key)).await?;
        self.check_write(&bucket, &key, conditions)?;
        let Staged { size, etag, checksums, body, inline, pending } = staged;
        let made = Made { size, etag, checksums, checksum_type: ChecksumType::FullObject, sealed_key, body };
        let object = NewObject { lock: self.lock_of_new(&bucket, object.lock, now)?, ..object };
        let mut outcome = made.in_bucket(&bucket, object, now);
        outcome.meta.replication = replication::of_new_object(&bucket, &key, &outcome.meta);
        self.may_take_place(&bucket, &key, &outcome.meta.version_id, now)?;
        let version = Version::Object(Box::new(outcome.meta.clone()));
        let fact = Carried { fact: VaultFact::PutVersion { bucket: bucket.id, key, version }, inline };
        let events = events(&outcome).written()?;
        self.commit(vec![fact], events, pending.into_iter().collect(), (open, locked)).await?;
        Ok(outcome)
    }

    /// Holds the conditions of a write against what the key has now. The caller holds the key's lock.
    pub(crate) fn check_write(
        &self,
        bucket: &Bucket,
        key: &str,
        conditions: &WriteConditions,
    ) -> Result<(), VaultError> {
        if *conditions == WriteConditions::default() {
            return Ok(());
        }
        conditions.check(key, self.newest(bucket.id, key)?.as_ref())
    }
}

/// What the bytes of a new version are.
pub(crate) struct Made {
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) checksums: Checksums,
    pub(crate) checksum_type: ChecksumType,
    pub(crate) sealed_key: Option<SealedKey>,
    pub(crate) body: Body,
}

impl Made {
    pub(crate) fn in_bucket(self, bucket: &Bucket, object: NewObject, now: DateTime<Utc>) -> PutOutcome {
        let (version_id, shown) = new_version(bucket.versioning);
        let Self { size, etag, checksums, checksum_type, sealed_key, body } = self;
        let last_modified = now.trunc_subsecs(3);
        let meta = ObjectMeta {
            version_id,
            size,
            etag,
            last_modified,
            checksums,
            checksum_type,
            object,
            sealed_key,
            restored_until: None,
            replication: None,
            body,
        };
        PutOutcome { version_id: shown, meta }
    }
}

/// The id of a new version, and what the caller is told of it.
pub(crate) fn new_version(versioning: Versioning) -> (String, Option<String>) {
    match versioning {
        Versioning::Off => (NULL_VERSION.to_owned(), None),
        Versioning::Suspended => (NULL_VERSION.to_owned(), Some(NULL_VERSION.to_owned())),
        Versioning::Enabled => {
            let id = new_version_id();
            (id.clone(), Some(id))
        }
    }
}

pub(crate) fn or_default(algorithms: &[ChecksumAlgorithm]) -> Vec<ChecksumAlgorithm> {
    if algorithms.is_empty() { vec![ChecksumAlgorithm::Crc64Nvme] } else { algorithms.to_vec() }
}
