//! Multipart uploads.
//!
//! A part is bytes of its own; completing an upload writes no bytes, the object refers to the parts. An upload
//! that is never completed is never visible as an object.

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use redb::ReadTransaction;
use serde::{Deserialize, Serialize};

use crate::{
    ChecksumAlgorithm, ChecksumType, Checksums, Expected, UploadId, Vault, VaultError,
    encryption::{Encryption, SealedKey},
    fact::{BucketId, Carried, VaultFact},
    limits::{MAX_LIST_ENTRIES, MAX_PARTS},
    object::{Body, NewObject, check_key},
    object_lock::may_be_locked,
    put::or_default,
    records::Records,
    tables::{PARTS, UPLOADS, decode_row},
    upload::{Sink, Staged},
};

/// An upload in progress, as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadRecord {
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub(crate) initiated: DateTime<Utc>,
    pub(crate) object: NewObject,
    pub(crate) algorithm: ChecksumAlgorithm,
    pub(crate) checksum_type: ChecksumType,
    /// The caller named the algorithm; else it is the default.
    pub(crate) algorithm_named: bool,
    /// The key of all its parts, and of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed_key: Option<SealedKey>,
}

impl UploadRecord {
    pub(crate) fn summary(self, key: String, upload_id: UploadId) -> UploadSummary {
        UploadSummary {
            key,
            upload_id,
            initiated: self.initiated,
            object: self.object,
            algorithm: if self.algorithm_named { Some(self.algorithm) } else { None },
            checksum_type: self.checksum_type,
        }
    }
}

/// A part, as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRecord {
    pub(crate) size: u64,
    /// The entity tag: the MD5 in hex, or with SSE-KMS another value of that form.
    pub(crate) md5: String,
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub(crate) last_modified: DateTime<Utc>,
    #[serde(default)]
    pub(crate) checksums: Checksums,
    pub(crate) body: Body,
}

/// An upload in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadSummary {
    /// The key it is for.
    pub key: String,
    /// Its id.
    pub upload_id: UploadId,
    /// When it began.
    pub initiated: DateTime<Utc>,
    /// What the object will have.
    pub object: NewObject,
    /// The additional checksum that the caller named.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// What it will be computed over.
    pub checksum_type: ChecksumType,
}

/// A part of an upload or of a completed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSummary {
    /// Its number.
    pub part_number: u16,
    /// Bytes in it.
    pub size: u64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// When it was stored.
    pub last_modified: DateTime<Utc>,
    /// Its additional checksums.
    pub checksums: Checksums,
    /// How it is encrypted on disk, as far as that was asked: listings do not say.
    pub encryption: Option<Encryption>,
}

/// One page of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartPage {
    /// Parts, by number.
    pub parts: Vec<PartSummary>,
    /// The number after which the next page begins, if there is one.
    pub next: Option<u16>,
}

/// What the caller decides when an upload begins.
#[derive(Debug, Clone)]
pub struct UploadOptions {
    /// What the object will have.
    pub object: NewObject,
    /// The additional checksum; CRC-64/NVME over the full object where `None`.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// What it is computed over; the algorithm's default where `None`.
    pub checksum_type: Option<ChecksumType>,
}

/// A part whose bytes are arriving. Dropping it leaves nothing behind.
pub struct PartUpload {
    target: PartTarget,
    sink: Sink,
}

struct PartTarget {
    bucket: String,
    key: String,
    upload: UploadId,
    number: u16,
}

/// A part whose bytes are safe and that is not part of the upload yet. Dropping it leaves nothing behind.
pub struct StagedPart {
    target: PartTarget,
    staged: Staged,
}

impl PartUpload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// As [`crate::Upload::write`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), VaultError> {
        self.sink.write(&bytes).await
    }

    /// Ends the bytes.
    ///
    /// # Errors
    /// As [`crate::Upload::finish`].
    pub async fn finish(self, expected: &Expected) -> Result<StagedPart, VaultError> {
        Ok(StagedPart { target: self.target, staged: self.sink.finish(expected).await? })
    }
}

fn number_of(part_number: i64) -> Result<u16, VaultError> {
    let number = u16::try_from(part_number).ok().filter(|number| (1..=MAX_PARTS).contains(number));
    number.ok_or(VaultError::PartNumberOutOfRange { part_number })
}

pub(crate) fn no_such_upload(upload_id: &str) -> VaultError {
    VaultError::NoSuchUpload { upload_id: upload_id.to_owned() }
}

pub(crate) fn upload_record(
    read: &ReadTransaction,
    bucket: BucketId,
    key: &str,
    upload: UploadId,
) -> Result<UploadRecord, VaultError> {
    match read.open_table(UPLOADS)?.get((bucket, key.as_bytes(), upload.0))? {
        Some(row) => Ok(decode_row(row.value())?),
        None => Err(no_such_upload(&upload.to_string())),
    }
}

impl Vault {
    /// Begins a multipart upload.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::KeyTooLong`], [`VaultError::MetadataTooLarge`],
    /// [`VaultError::InvalidTag`], [`VaultError::ChecksumTypeNotAllowed`], [`VaultError::Key`], and those of [`Vault::commit_put`].
    pub async fn create_upload<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        options: UploadOptions,
        now: DateTime<Utc>,
        events: impl FnOnce(&UploadSummary) -> R,
    ) -> Result<UploadSummary, VaultError> {
        check_key(key)?;
        options.object.check()?;
        let algorithm = options.algorithm.unwrap_or(ChecksumAlgorithm::Crc64Nvme);
        let checksum_type = options.checksum_type.unwrap_or(algorithm.default_type());
        if !algorithm.allows(checksum_type) {
            return Err(VaultError::ChecksumTypeNotAllowed { algorithm, kind: checksum_type });
        }
        let (bucket, open) = self.enter(bucket).await?;
        may_be_locked(&bucket, &options.object.lock)?;
        let upload = UploadId::new(now);
        let made = self.make_content_key(&options.object, &bucket, key)?;
        let record = UploadRecord {
            initiated: now.trunc_subsecs(3),
            object: options.object,
            algorithm,
            checksum_type,
            algorithm_named: options.algorithm.is_some(),
            sealed_key: made.map(|(_, sealed)| sealed),
        };
        let summary = record.clone().summary(key.to_owned(), upload);
        let fact = VaultFact::CreateUpload {
            bucket: bucket.id,
            key: key.to_owned(),
            upload,
            record: Box::new(record),
        };
        let events = events(&summary).written()?;
        self.commit(vec![fact.into()], events, Vec::new(), open).await?;
        Ok(summary)
    }

    /// An upload in progress.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`].
    pub fn upload(&self, bucket: &str, key: &str, upload_id: &str) -> Result<UploadSummary, VaultError> {
        let upload: UploadId = upload_id.parse().map_err(|_| no_such_upload(upload_id))?;
        let bucket = self.bucket(bucket)?;
        let record = self.inner.index.read(|read| upload_record(read, bucket.id, key, upload))?;
        Ok(record.summary(key.to_owned(), upload))
    }

    /// Begins a part. `algorithms` are computed besides the upload's own.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`], [`VaultError::PartNumberOutOfRange`],
    /// [`VaultError::EntityTooLarge`], [`VaultError::Key`].
    pub fn begin_part(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        part_number: i64,
        algorithms: &[ChecksumAlgorithm],
        length: Option<u64>,
    ) -> Result<PartUpload, VaultError> {
        let number = number_of(part_number)?;
        let upload: UploadId = upload_id.parse().map_err(|_| no_such_upload(upload_id))?;
        let of = self.bucket(bucket)?;
        let record = self.inner.index.read(|read| upload_record(read, of.id, key, upload))?;
        let mut algorithms = algorithms.to_vec();
        algorithms.push(record.algorithm);
        let content_key = self.open_content_key(&record.object, record.sealed_key.as_ref(), &of, key)?;
        let sink = Sink::new(self, &or_default(&algorithms), length)?
            .in_class(&record.object.storage_class)
            .encrypted_with(content_key);
        let target = PartTarget { bucket: bucket.to_owned(), key: key.to_owned(), upload, number };
        Ok(PartUpload { target, sink })
    }

    /// Makes the part one of the upload's, in place of an earlier one with its number.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`] if they went meanwhile, and those of
    /// [`Vault::commit_put`].
    pub async fn commit_part<R: Records>(
        &self,
        staged: StagedPart,
        now: DateTime<Utc>,
        events: impl FnOnce(&PartSummary) -> R,
    ) -> Result<PartSummary, VaultError> {
        let StagedPart { target: PartTarget { bucket, key, upload, number }, staged } = staged;
        let (bucket, open) = self.enter(&bucket).await?;
        let shared = self.inner.uploads.read(upload).await?;
        let record = self.inner.index.read(|read| upload_record(read, bucket.id, &key, upload))?;
        let encryption = record.object.encryption;
        let Staged { size, etag, checksums, body, inline, pending } = staged;
        let part = PartRecord { size, md5: etag, last_modified: now.trunc_subsecs(3), checksums, body };
        let summary = PartSummary { encryption, ..summary_of(number, &part) };
        let fact = VaultFact::PutPart { bucket: bucket.id, key, upload, number, part };
        let events = events(&summary).written()?;
        self.commit(vec![Carried { fact, inline }], events, pending.into_iter().collect(), (open, shared))
            .await?;
        Ok(summary)
    }

    /// The parts of an upload in progress after the number `after`, at most `max`.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`].
    pub fn list_parts(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        after: Option<u16>,
        max: Option<usize>,
    ) -> Result<(UploadSummary, PartPage), VaultError> {
        let summary = self.upload(bucket, key, upload_id)?;
        let page = self.inner.index.read(|read| page_of_parts(read, summary.upload_id, after, max))?;
        Ok((summary, page))
    }

    /// The parts that an object was put together from (`GetObjectAttributes`); none for other objects.
    ///
    /// # Errors
    /// As [`Vault::head`].
    pub fn object_parts(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        after: Option<u16>,
        max: Option<usize>,
    ) -> Result<PartPage, VaultError> {
        let of = self.bucket(bucket)?;
        self.inner.index.read(|read| match crate::lookup::object(read, of.id, key, version_id)?.body {
            Body::Parts { upload, .. } => page_of_parts(read, upload, after, max),
            _ => Ok(PartPage { parts: Vec::new(), next: None }),
        })
    }

    /// Gives an upload up; its parts are removed.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`], and those of [`Vault::commit_put`].
    pub async fn abort_upload<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        events: impl FnOnce(&UploadSummary) -> R,
    ) -> Result<(), VaultError> {
        let upload: UploadId = upload_id.parse().map_err(|_| no_such_upload(upload_id))?;
        let (bucket, open) = self.enter(bucket).await?;
        let alone = self.inner.uploads.write(upload).await?;
        let record = self.inner.index.read(|read| upload_record(read, bucket.id, key, upload))?;
        let fact = VaultFact::AbortUpload { bucket: bucket.id, key: key.to_owned(), upload };
        let events = events(&record.summary(key.to_owned(), upload)).written()?;
        self.commit(vec![fact.into()], events, Vec::new(), (open, alone)).await
    }
}

fn summary_of(part_number: u16, part: &PartRecord) -> PartSummary {
    PartSummary {
        part_number,
        size: part.size,
        etag: part.md5.clone(),
        last_modified: part.last_modified,
        checksums: part.checksums.clone(),
        encryption: None,
    }
}

fn page_of_parts(
    read: &ReadTransaction,
    upload: UploadId,
    after: Option<u16>,
    max: Option<usize>,
) -> Result<PartPage, VaultError> {
    let max = max.unwrap_or(MAX_LIST_ENTRIES).min(MAX_LIST_ENTRIES);
    let first = after.unwrap_or(0).saturating_add(1);
    let mut page = PartPage { parts: Vec::new(), next: None };
    for row in read.open_table(PARTS)?.range((upload.0, first)..=(upload.0, u16::MAX))? {
        let (place, value) = row?;
        if page.parts.len() == max {
            page.next = page.parts.last().map(|part| part.part_number);
            break;
        }
        page.parts.push(summary_of(place.value().1, &decode_row::<PartRecord>(value.value())?));
    }
    Ok(page)
}
