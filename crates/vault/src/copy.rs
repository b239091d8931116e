//! Copying an object, or a part of one into an upload.
//!
//! The bytes are read, verified and written again: a copy shares nothing with its source, so damage to one
//! never reaches the other.

use std::ops::Range;

use chrono::{DateTime, Utc};
use futures::{StreamExt, pin_mut};
use opentrail_event::AccountId;

use crate::{
    ByteRange, ChecksumAlgorithm, Encryption, Expected, PartSummary, PutOptions, PutOutcome, Vault,
    VaultError,
    condition::{ReadConditions, WriteConditions},
    get::ObjectReader,
    limits::MAX_SINGLE_PUT_BYTES,
    object::{NewObject, ObjectHeaders, ObjectMeta},
    object_lock::ObjectLock,
    records::Records,
    tags::Tags,
};

/// What to copy.
#[derive(Debug, Clone)]
pub struct CopySource<'a> {
    /// Its bucket.
    pub bucket: &'a str,
    /// Its key.
    pub key: &'a str,
    /// The version; the current one where `None`.
    pub version_id: Option<&'a str>,
    /// Conditions on it.
    pub conditions: ReadConditions,
}

/// How to copy an object.
#[derive(Debug, Clone)]
pub struct CopyRequest<'a> {
    /// From where.
    pub source: CopySource<'a>,
    /// Into which bucket.
    pub bucket: &'a str,
    /// To which key.
    pub key: &'a str,
    /// Conditions on what the key has now.
    pub conditions: WriteConditions,
    /// Who owns the copy.
    pub owner: AccountId,
    /// New headers; those of the source where `None` (`x-amz-metadata-directive`).
    pub headers: Option<ObjectHeaders>,
    /// New tags; those of the source where `None` (`x-amz-tagging-directive`).
    pub tags: Option<Tags>,
    /// Storage class; `STANDARD` where `None`, as S3 does.
    pub storage_class: Option<String>,
    /// The canned ACL named, as text.
    pub canned_acl: Option<String>,
    /// What holds the copy; the source's locks are not copied, as S3 does.
    pub lock: ObjectLock,
    /// How the copy is encrypted on disk; the source's encryption does not matter.
    pub encryption: Option<Encryption>,
    /// Whether the caller named the encryption, which makes a copy onto itself a change.
    pub names_encryption: bool,
    /// The additional checksum; the source's algorithms where `None`.
    pub algorithm: Option<ChecksumAlgorithm>,
}

/// What copying did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOutcome {
    /// The version that was copied, where its bucket has versioning.
    pub source_version_id: Option<String>,
    /// The copy.
    pub put: PutOutcome,
}

impl Vault {
    /// Copies an object.
    ///
    /// # Errors
    /// Those of [`Vault::get`] for the source, [`VaultError::PreconditionFailed`], [`VaultError::CopyToItself`],
    /// [`VaultError::CopySourceTooLarge`], [`VaultError::SourceArchived`], [`VaultError::Corrupt`], and those of
    /// [`Vault::begin_put`] and [`Vault::commit_put`].
    pub async fn copy<R: Records>(
        &self,
        request: CopyRequest<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(&CopyOutcome) -> R,
    ) -> Result<CopyOutcome, VaultError> {
        let source = &request.source;
        let reader = self.get(source.bucket, source.key, source.version_id)?;
        self.copy_from(&reader, request, now, events).await
    }

    /// As [`Vault::copy`], from a reader that was opened for the request's source. Who has decided on what the
    /// reader found whether the caller may have it copies that and nothing else, whatever the key has by now.
    ///
    /// # Errors
    /// As [`Vault::copy`].
    pub async fn copy_from<R: Records>(
        &self,
        reader: &ObjectReader,
        request: CopyRequest<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(&CopyOutcome) -> R,
    ) -> Result<CopyOutcome, VaultError> {
        may_be_copied(reader, &request.source.conditions, now)?;
        let meta = reader.meta();
        if meta.size > MAX_SINGLE_PUT_BYTES {
            return Err(VaultError::CopySourceTooLarge { bytes: meta.size });
        }
        let source_version_id = self.shown_version(&reader.bucket().name, meta)?;
        if changes_nothing(&request, meta) {
            return Err(VaultError::CopyToItself);
        }
        let CopyRequest {
            bucket,
            key,
            conditions,
            owner,
            headers,
            tags,
            storage_class,
            canned_acl,
            lock,
            encryption,
            algorithm,
            ..
        } = request;
        let object = NewObject {
            headers: headers.unwrap_or_else(|| meta.object.headers.clone()),
            tags: tags.unwrap_or_else(|| meta.object.tags.clone()),
            storage_class: storage_class.unwrap_or_else(|| NewObject::of(owner).storage_class),
            canned_acl,
            lock,
            encryption,
            owner,
        };
        let algorithms = match algorithm {
            Some(algorithm) => vec![algorithm],
            None => meta.checksums.keys().copied().collect(),
        };
        let options = PutOptions { object, algorithms, length: Some(meta.size) };
        let mut upload = self.begin_put(bucket, key, options)?;
        let pieces = reader.stream(0..meta.size);
        pin_mut!(pieces);
        while let Some(piece) = pieces.next().await {
            upload.write(piece?).await?;
        }
        let staged = upload.finish(&Expected::default()).await?;
        let shown = source_version_id.clone();
        let events = |put: &PutOutcome| events(&CopyOutcome { source_version_id: shown, put: put.clone() });
        let put = self.commit_put(staged, &conditions, now, events).await?;
        Ok(CopyOutcome { source_version_id, put })
    }

    /// Copies an object, or a range of it, into a part of an upload. Answers the part and the source's version.
    ///
    /// # Errors
    /// Those of [`Vault::get`] for the source, [`VaultError::PreconditionFailed`], [`VaultError::InvalidRange`],
    /// [`VaultError::EntityTooLarge`], and those of [`Vault::begin_part`] and [`Vault::commit_part`].
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the members of UploadPartCopy, each of its own type"
    )]
    pub async fn copy_part<R: Records>(
        &self,
        source: &CopySource<'_>,
        range: Option<ByteRange>,
        bucket: &str,
        key: &str,
        upload_id: &str,
        part_number: i64,
        now: DateTime<Utc>,
        events: impl FnOnce(&PartSummary) -> R,
    ) -> Result<(PartSummary, Option<String>), VaultError> {
        let reader = self.get(source.bucket, source.key, source.version_id)?;
        let conditions = &source.conditions;
        self.copy_part_from(&reader, conditions, range, bucket, key, upload_id, part_number, now, events)
            .await
    }

    /// As [`Vault::copy_part`], from a reader that was opened before: see [`Vault::copy_from`].
    ///
    /// # Errors
    /// As [`Vault::copy_part`].
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the members of UploadPartCopy, each of its own type"
    )]
    pub async fn copy_part_from<R: Records>(
        &self,
        reader: &ObjectReader,
        conditions: &ReadConditions,
        range: Option<ByteRange>,
        bucket: &str,
        key: &str,
        upload_id: &str,
        part_number: i64,
        now: DateTime<Utc>,
        events: impl FnOnce(&PartSummary) -> R,
    ) -> Result<(PartSummary, Option<String>), VaultError> {
        may_be_copied(reader, conditions, now)?;
        let source_version_id = self.shown_version(&reader.bucket().name, reader.meta())?;
        let range: Range<u64> = match range {
            Some(range) => reader.resolve(range)?,
            None => 0..reader.meta().size,
        };
        let length = Some(range.end - range.start);
        let mut part = self.begin_part(bucket, key, upload_id, part_number, &[], length)?;
        let pieces = reader.stream(range);
        pin_mut!(pieces);
        while let Some(piece) = pieces.next().await {
            part.write(piece?).await?;
        }
        let staged = part.finish(&Expected::default()).await?;
        Ok((self.commit_part(staged, now, events).await?, source_version_id))
    }

    /// The version id as callers see it: none in a bucket that never had versioning.
    pub fn shown_version(&self, bucket: &str, meta: &ObjectMeta) -> Result<Option<String>, VaultError> {
        let versioned = self.bucket(bucket)?.versioning != crate::Versioning::Off;
        Ok(if versioned { Some(meta.version_id.clone()) } else { None })
    }
}

fn may_be_copied(
    reader: &ObjectReader,
    conditions: &ReadConditions,
    now: DateTime<Utc>,
) -> Result<(), VaultError> {
    conditions.check_copy_source(reader.meta())?;
    if reader.meta().archived(now).is_some() { Err(VaultError::SourceArchived) } else { Ok(()) }
}

fn changes_nothing(request: &CopyRequest<'_>, meta: &ObjectMeta) -> bool {
    let same_place = request.source.bucket == request.bucket
        && request.source.key == request.key
        && request.source.version_id.is_none();
    let class = request.storage_class.as_ref().unwrap_or(&meta.object.storage_class);
    let same_encryption = !request.names_encryption && request.encryption == meta.object.encryption;
    same_place && request.headers.is_none() && *class == meta.object.storage_class && same_encryption
}
