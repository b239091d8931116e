//! Reading one digest and verifying its signature.

use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::MultiGzDecoder;
use opentrail_keyring::verify;

use super::{keys::KeyCache, report::FindingKind};
use crate::{
    delivery::ChainLink,
    digest::{Digest, META_BACKFILL, META_SIGNATURE, string_to_sign},
    store::{LogReader, StoreError},
};

/// Largest digest in bytes before compression: some hundred thousand log files.
const MAX_DIGEST: u64 = 256 << 20;

/// A digest whose form is right and which is in its place; its signature is checked later, because a copy
/// without metadata has it only in the digest's successor.
#[derive(Debug, Clone)]
pub(crate) struct ReadDigest {
    pub(crate) digest: Digest,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    /// SHA-256 before compression, in hex.
    pub(crate) sha256: String,
    /// From the metadata.
    pub(crate) signature: Option<String>,
    /// When a backfill digest was made.
    made: Option<DateTime<Utc>>,
}

/// Why a digest is not valid.
pub(crate) struct Fault {
    pub(crate) kind: FindingKind,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(kind: FindingKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::NoSuchKey => Self::new(FindingKind::DigestMissing, "the digest does not exist"),
            other => Self::new(FindingKind::Unreadable, other.to_string()),
        }
    }
}

impl ReadDigest {
    /// How the digest's successor must refer to it.
    pub(crate) fn link(&self, signature: &str) -> ChainLink {
        ChainLink {
            bucket: self.digest.digest_s3_bucket.clone(),
            key: self.digest.digest_s3_object.clone(),
            sha256: self.sha256.clone(),
            signature: signature.to_owned(),
            end: self.end,
        }
    }

    /// Where the previous digest of the chain is.
    pub(crate) fn previous(&self) -> Option<(&str, &str)> {
        let bucket = self.digest.previous_digest_s3_bucket.as_deref()?;
        Some((bucket, self.digest.previous_digest_s3_object.as_deref()?))
    }
}

/// Reads a digest. `bucket` is empty for a copy, which may be of any bucket.
pub(crate) async fn read(
    reader: &dyn LogReader,
    bucket: &str,
    key: &str,
    backfill: bool,
) -> Result<ReadDigest, Fault> {
    let file = reader.get(bucket, key).await.map_err(|e| Fault::of_store(&e))?;
    let invalid = |detail: &str| Fault::new(FindingKind::DigestInvalid, detail);
    let mut text = Vec::new();
    MultiGzDecoder::new(&*file.body)
        .take(MAX_DIGEST)
        .read_to_end(&mut text)
        .map_err(|_| invalid("the digest is not a gzip file"))?;
    let digest: Digest =
        serde_json::from_slice(&text).map_err(|_| invalid("the digest is not JSON of the right form"))?;
    let time =
        |text: &str| text.parse::<DateTime<Utc>>().map_err(|_| invalid("the digest's period is not a time"));
    let (start, end) = (time(&digest.digest_start_time)?, time(&digest.digest_end_time)?);
    let moved = digest.digest_s3_object != key || (!bucket.is_empty() && digest.digest_s3_bucket != bucket);
    if moved {
        let place = format!("s3://{}/{}", digest.digest_s3_bucket, digest.digest_s3_object);
        return Err(Fault::new(FindingKind::DigestMoved, format!("it was written to {place}")));
    }
    let signature = file.metadata(META_SIGNATURE).map(str::to_owned);
    if signature.is_none() && reader.keeps_metadata() {
        return Err(Fault::new(FindingKind::DigestModified, "the digest's metadata has no signature"));
    }
    let made = file.metadata(META_BACKFILL).and_then(|text| text.parse().ok());
    if backfill && made.is_none() && reader.keeps_metadata() {
        return Err(invalid("the metadata of the backfill digest does not say when it was made"));
    }
    let sha256 = crate::delivery::sha256_hex(&text);
    Ok(ReadDigest { digest, start, end, sha256, signature, made })
}

/// Verifies a digest with the signature that is known for it.
pub(crate) async fn check(
    read: &ReadDigest,
    region: &str,
    signature: &str,
    keys: &KeyCache<'_>,
) -> Result<(), Fault> {
    let digest = &read.digest;
    let at = read.made.unwrap_or(read.end);
    let fingerprint = &digest.digest_public_key_fingerprint;
    let mut key = None;
    // A backfill digest in a copy does not say when it was made: it may have been much later than its period.
    for at in [at, at + TimeDelta::days(1), Utc::now()] {
        key = keys
            .get(region, fingerprint, at)
            .await
            .map_err(|e| Fault::new(FindingKind::Unreadable, e.to_string()))?;
        if key.is_some() {
            break;
        }
    }
    let Some(key) = key else {
        let detail = format!("no public key with fingerprint {fingerprint} in region {region}");
        return Err(Fault::new(FindingKind::DigestKeyUnknown, detail));
    };
    let message = string_to_sign(
        &digest.digest_end_time,
        &digest.digest_s3_bucket,
        &digest.digest_s3_object,
        &read.sha256,
        digest.previous_digest_signature.as_deref(),
    );
    match hex::decode(signature) {
        Ok(bytes) if verify(&key, message.as_bytes(), &bytes) => Ok(()),
        _ => Err(Fault::new(FindingKind::DigestModified, "the signature does not verify")),
    }
}
