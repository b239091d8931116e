//! Completing a multipart upload: its parts become an object without being written again.

use chrono::{DateTime, Utc};
use md5::{Digest, Md5};

use crate::{
    ChecksumType, Checksums, PutOutcome, UploadId, Vault, VaultError,
    bucket::Bucket,
    checksum,
    condition::WriteConditions,
    fact::VaultFact,
    get::parts_of,
    limits::{MAX_OBJECT_BYTES, MAX_PARTS, MIN_PART_BYTES},
    multipart::{PartRecord, UploadRecord, no_such_upload, upload_record},
    object::{Body, Version},
    put::Made,
    records::Records,
    replication,
};

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

impl Vault {
    /// Makes an object of the parts.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchUpload`], [`VaultError::NoParts`],
    /// [`VaultError::InvalidPart`], [`VaultError::InvalidPartOrder`], [`VaultError::EntityTooSmall`],
    /// [`VaultError::EntityTooLarge`], [`VaultError::ObjectSizeMismatch`], [`VaultError::ChecksumMismatch`],
    /// [`VaultError::PreconditionFailed`], and those of [`Vault::commit_put`].
    pub async fn complete_upload<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        completion: &Completion,
        now: DateTime<Utc>,
        events: impl FnOnce(&PutOutcome) -> R,
    ) -> Result<PutOutcome, VaultError> {
        let upload: UploadId = upload_id.parse().map_err(|_| no_such_upload(upload_id))?;
        let (bucket, open) = self.enter(bucket).await?;
        let alone = self.inner.uploads.write(upload).await?;
        let locked = self.inner.keys.lock((bucket.id, key)).await?;
        let (record, stored) = self
            .inner
            .index
            .read(|read| Ok((upload_record(read, bucket.id, key, upload)?, parts_of(read, upload)?)))?;
        self.check_write(&bucket, key, &completion.conditions)?;
        let named = chosen_parts(&completion.parts, stored)?;
        let numbers: Vec<u16> = named.iter().map(|(number, _)| *number).collect();
        let mut record = record;
        record.object.lock = self.lock_of_new(&bucket, record.object.lock, now)?;
        let mut outcome = assemble(&bucket, record, upload, &named, completion, now)?;
        outcome.meta.replication = replication::of_new_object(&bucket, key, &outcome.meta);
        self.may_take_place(&bucket, key, &outcome.meta.version_id, now)?;
        let fact = VaultFact::CompleteUpload {
            bucket: bucket.id,
            key: key.to_owned(),
            upload,
            parts: numbers,
            version: Version::Object(Box::new(outcome.meta.clone())),
        };
        let events = events(&outcome).written()?;
        self.commit(vec![fact.into()], events, Vec::new(), (open, alone, locked)).await?;
        Ok(outcome)
    }
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
    let UploadRecord { object, algorithm, checksum_type, sealed_key, .. } = record;
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
    let made = Made { size, etag, checksums, checksum_type, sealed_key, body: Body::Parts { upload, count } };
    Ok(made.in_bucket(bucket, object, now))
}
