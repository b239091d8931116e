//! Multipart uploads.
//!
//! A part is bytes of its own; completing an upload writes no bytes, the object refers to the parts. An upload
//! that is never completed is never visible as an object.

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use md5::{Digest, Md5};
use opentrail_state::OwnedEvent;
use redb::ReadTransaction;
use serde::{Deserialize, Serialize};

use crate::{
    ChecksumAlgorithm, ChecksumType, Checksums, Expected, PutOutcome, UploadId, Vault, VaultError,
    bucket::Bucket,
    checksum,
    condition::WriteConditions,
    fact::{BucketId, Carried, VaultFact},
    get::parts_of,
    limits::{MAX_LIST_ENTRIES, MAX_OBJECT_BYTES, MAX_PARTS, MIN_PART_BYTES},
    object::{Body, NewObject, Version, check_key},
    put::{Made, or_default},
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

/// A part as the caller names it on completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub part_number: u16,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its additional checksums, as far as the caller gives them.
    pub checksums: Checksums,
}

/// How an upload is completed.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// The parts, in ascending order.
    pub parts: Vec<CompletedPart>,
    /// Conditions on what the key has now.
    pub conditions: WriteConditions,
    /// The checksum that the object must have.
    pub checksums: Checksums,
    /// The type that the checksum must have.
    pub checksum_type: Option<ChecksumType>,
    /// The size that the object must have.
    pub size: Option<u64>,
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

fn no_such_upload(upload_id: &str) -> VaultError {
    VaultError::NoSuchUpload { upload_id: upload_id.to_owned() }
}

fn upload_record(
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
    /// [`VaultError::InvalidTag`], [`VaultError::ChecksumTypeNotAllowed`], and those of [`Vault::commit_put`].
    pub async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        options: UploadOptions,
        now: DateTime<Utc>,
        events: impl FnOnce(&UploadSummary) -> Vec<OwnedEvent>,
    ) -> Result<UploadSummary, VaultError> {
        check_key(key)?;
        options.object.check()?;
        let algorithm = options.algorithm.unwrap_or(ChecksumAlgorithm::Crc64Nvme);
        let checksum_type = options.checksum_type.unwrap_or(algorithm.default_type());
        if !algorithm.allows(checksum_type) {
            return Err(VaultError::ChecksumTypeNotAllowed { algorithm, kind: checksum_type });
        }
        let (bucket, open) = self.enter(bucket).await?;
        let upload = UploadId::new(now);
        let record = UploadRecord {
            initiated: now.trunc_subsecs(3),
            object: options.object,
            algorithm,
            checksum_type,
            algorithm_named: options.algorithm.is_some(),
        };
        let summary = record.clone().summary(key.to_owned(), upload);
        let fact = VaultFact::CreateUpload {
            bucket: bucket.id,
            key: key.to_owned(),
            upload,
            record: Box::new(record),
        };
        self.commit(vec![fact.into()], events(&summary), Vec::new(), open).await?;
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
    /// [`VaultError::EntityTooLarge`].
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
        let sink = Sink::new(self, &or_default(&algorithms), length)?;
        let target = PartTarget { bucket: bucket.to_owned(), key: key.to_owned(), upload, number };
        Ok(PartUpload { target, sink })
    }

    /// Makes the part one of the upload's, in place of an earlier one with its number.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`] if they went meanwhile, and those of
    /// [`Vault::commit_put`].
    pub async fn commit_part(
        &self,
        staged: StagedPart,
        now: DateTime<Utc>,
        events: impl FnOnce(&PartSummary) -> Vec<OwnedEvent>,
    ) -> Result<PartSummary, VaultError> {
        let StagedPart { target: PartTarget { bucket, key, upload, number }, staged } = staged;
        let (bucket, open) = self.enter(&bucket).await?;
        let shared = self.inner.uploads.read(upload).await;
        self.inner.index.read(|read| upload_record(read, bucket.id, &key, upload))?;
        let Staged { size, hashes, body, inline, pending } = staged;
        let part = PartRecord {
            size,
            md5: hex::encode(hashes.md5),
            last_modified: now.trunc_subsecs(3),
            checksums: hashes.checksums,
            body,
        };
        let summary = summary_of(number, &part);
        let fact = VaultFact::PutPart { bucket: bucket.id, key, upload, number, part };
        let events = events(&summary);
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

    /// Makes an object of the parts.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`], [`VaultError::NoParts`],
    /// [`VaultError::InvalidPart`], [`VaultError::InvalidPartOrder`], [`VaultError::EntityTooSmall`],
    /// [`VaultError::EntityTooLarge`], [`VaultError::ObjectSizeMismatch`], [`VaultError::ChecksumMismatch`],
    /// [`VaultError::PreconditionFailed`], and those of [`Vault::commit_put`].
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        completion: &Completion,
        now: DateTime<Utc>,
        events: impl FnOnce(&PutOutcome) -> Vec<OwnedEvent>,
    ) -> Result<PutOutcome, VaultError> {
        let upload: UploadId = upload_id.parse().map_err(|_| no_such_upload(upload_id))?;
        let (bucket, open) = self.enter(bucket).await?;
        let alone = self.inner.uploads.write(upload).await;
        let locked = self.inner.keys.lock((bucket.id, key)).await;
        let (record, stored) = self
            .inner
            .index
            .read(|read| Ok((upload_record(read, bucket.id, key, upload)?, parts_of(read, upload)?)))?;
        self.check_write(&bucket, key, &completion.conditions)?;
        let named = chosen_parts(&completion.parts, stored)?;
        let numbers: Vec<u16> = named.iter().map(|(number, _)| *number).collect();
        let outcome = assemble(&bucket, record, upload, &named, completion, now)?;
        let fact = VaultFact::CompleteUpload {
            bucket: bucket.id,
            key: key.to_owned(),
            upload,
            parts: numbers,
            version: Version::Object(Box::new(outcome.meta.clone())),
        };
        let events = events(&outcome);
        self.commit(vec![fact.into()], events, Vec::new(), (open, alone, locked)).await?;
        Ok(outcome)
    }

    /// Gives an upload up; its parts are removed.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`], and those of [`Vault::commit_put`].
    pub async fn abort_upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        events: impl FnOnce(&UploadSummary) -> Vec<OwnedEvent>,
    ) -> Result<(), VaultError> {
        let upload: UploadId = upload_id.parse().map_err(|_| no_such_upload(upload_id))?;
        let (bucket, open) = self.enter(bucket).await?;
        let alone = self.inner.uploads.write(upload).await;
        let record = self.inner.index.read(|read| upload_record(read, bucket.id, key, upload))?;
        let fact = VaultFact::AbortUpload { bucket: bucket.id, key: key.to_owned(), upload };
        let events = events(&record.summary(key.to_owned(), upload));
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

/// The stored parts that a completion names, checked.
fn chosen_parts(
    named: &[CompletedPart],
    stored: Vec<(u16, PartRecord)>,
) -> Result<Vec<(u16, PartRecord)>, VaultError> {
    let Some(last) = named.last() else { return Err(VaultError::NoParts) };
    if !named.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(VaultError::InvalidPartOrder);
    }
    let mut stored = stored.into_iter();
    let mut chosen = Vec::with_capacity(named.len());
    for part in named {
        let invalid = VaultError::InvalidPart { part_number: part.part_number };
        let Some((number, record)) = stored.find(|(number, _)| *number >= part.part_number) else {
            return Err(invalid);
        };
        let differs = part
            .checksums
            .iter()
            .any(|(algorithm, value)| record.checksums.get(algorithm).is_some_and(|known| known != value));
        if number != part.part_number || record.md5 != part.etag || differs {
            return Err(invalid);
        }
        if record.size < MIN_PART_BYTES && number != last.part_number {
            return Err(VaultError::EntityTooSmall { part_number: number, bytes: record.size });
        }
        chosen.push((number, record));
    }
    Ok(chosen)
}

fn assemble(
    bucket: &Bucket,
    record: UploadRecord,
    upload: UploadId,
    parts: &[(u16, PartRecord)],
    completion: &Completion,
    now: DateTime<Utc>,
) -> Result<PutOutcome, VaultError> {
    let size: u64 = parts.iter().map(|(_, part)| part.size).sum();
    if size > MAX_OBJECT_BYTES {
        return Err(VaultError::EntityTooLarge { limit: MAX_OBJECT_BYTES });
    }
    if let Some(declared) = completion.size.filter(|declared| *declared != size) {
        return Err(VaultError::ObjectSizeMismatch { declared, actual: size });
    }
    let UploadRecord { object, algorithm, checksum_type, .. } = record;
    if let Some(kind) = completion.checksum_type.filter(|kind| *kind != checksum_type) {
        return Err(VaultError::ChecksumTypeNotAllowed { algorithm, kind });
    }
    let of_parts =
        parts.iter().map(|(_, part)| (part.checksums.get(&algorithm).map(String::as_str), part.size));
    let mut checksums = Checksums::new();
    checksums.extend(checksum::of_parts(algorithm, checksum_type, of_parts).map(|value| (algorithm, value)));
    for (algorithm, expected) in &completion.checksums {
        let computed = checksums.get(algorithm).ok_or(VaultError::ChecksumNotAnnounced(*algorithm))?;
        if computed != expected {
            let (expected, computed) = (expected.clone(), computed.clone());
            return Err(VaultError::ChecksumMismatch { algorithm: *algorithm, expected, computed });
        }
    }
    let mut md5 = Md5::new();
    for (number, part) in parts {
        let part_md5 =
            hex::decode(&part.md5).map_err(|_| VaultError::InvalidPart { part_number: *number })?;
        md5.update(part_md5);
    }
    let etag = format!("{}-{}", hex::encode(md5.finalize()), parts.len());
    let count = u16::try_from(parts.len()).unwrap_or(MAX_PARTS);
    let made = Made { size, etag, checksums, checksum_type, body: Body::Parts { upload, count } };
    Ok(made.in_bucket(bucket, object, now))
}
