//! Where files of trails go and are read from.
//!
//! Three implementations: the embedded vault (in the server), any S3-compatible endpoint ([`external`]), and
//! a local folder that was copied from a bucket ([`folder`], for reading only).

pub mod external;
pub mod folder;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use serde::{Deserialize, Serialize};

use crate::layout::{Whose, key_start};

/// The content type of log files and digests.
pub const CONTENT_TYPE: &str = "application/json";
/// The content encoding of log files and digests.
pub const CONTENT_ENCODING: &str = "gzip";

/// One file to be written as the service `cloudtrail.amazonaws.com`, with the ACL
/// `bucket-owner-full-control`, as AWS's bucket policies ask for.
#[derive(Debug, Clone)]
pub struct PutFile<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The bytes. A retry has the same bytes.
    pub body: Bytes,
    /// User metadata, names without `x-amz-meta-`.
    pub metadata: &'a [(String, String)],
    /// The content type.
    pub content_type: &'a str,
    /// The content encoding; empty for none.
    pub content_encoding: &'a str,
    /// The trail, or event data store, for which it is written: `aws:SourceArn`.
    pub trail_arn: &'a str,
    /// The trail's account: `aws:SourceAccount`.
    pub account: AccountId,
    /// The ARN of the KMS key that the trail had when the file was decided. A store that knows the trail goes by
    /// what it says now, so that another key, or none, lets files through that wait for one that can't be used.
    pub kms_key: Option<&'a str>,
}

/// A bucket that a trail is to have, to be asked whether it lets CloudTrail write.
#[derive(Debug, Clone, Copy)]
pub struct BucketCheck<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// What stands before `AWSLogs/` in the keys.
    pub prefix: Option<&'a str>,
    /// The trail: `aws:SourceArn`.
    pub trail_arn: &'a str,
    /// The trail's account: `aws:SourceAccount`.
    pub account: AccountId,
    /// Whose files it is to take: of an organization trail those of every account of the organization.
    pub whose: &'a [Whose],
}

impl BucketCheck<'_> {
    /// The folders that it is to let CloudTrail write into, without a slash at the end.
    pub fn folders(&self) -> impl Iterator<Item = String> {
        let start = key_start(self.prefix.filter(|prefix| !prefix.is_empty()));
        self.whose.iter().map(move |whose| format!("{start}{}CloudTrail", whose.folder()))
    }
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// The bytes.
    pub body: Bytes,
    /// User metadata, names in lower case without `x-amz-meta-`; empty where the store keeps none.
    pub metadata: Vec<(String, String)>,
}

impl StoredFile {
    /// One member of the metadata.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A file in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, where the store knows.
    pub modified: Option<DateTime<Utc>>,
}

/// A part of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// The files, in the order of their keys' bytes.
    pub files: Vec<ListedFile>,
    /// Whether there are more after the last.
    pub more: bool,
}

/// Reading a bucket: what the validator needs.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// Reads a whole file.
    async fn get(&self, bucket: &str, key: &str) -> Result<StoredFile, StoreError>;

    /// Lists the files whose key starts with `prefix`, after the key `after`, ordered by key. A page may have
    /// any size; an implementation must make progress in each page that says `more`.
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError>;

    /// Whether the store keeps the metadata in which digests have their signature. A folder does not.
    fn keeps_metadata(&self) -> bool {
        true
    }
}

/// Writing into a bucket: what the delivery needs.
#[async_trait]
pub trait LogStore: LogReader {
    /// Writes a file so that it is durable, in place of one that has the key.
    async fn put(&self, file: PutFile<'_>) -> Result<(), StoreError>;

    /// Whether the bucket exists and its policy lets CloudTrail read the bucket's ACL and write the trail's
    /// files (the check of CreateTrail and UpdateTrail).
    async fn check(&self, ask: BucketCheck<'_>) -> Result<(), StoreError>;
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum StoreError {
    /// The bucket does not exist.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// The key does not exist.
    #[error("the key does not exist")]
    NoSuchKey,
    /// The bucket refuses.
    #[error("access denied")]
    AccessDenied,
    /// The bucket's policy does not name CloudTrail.
    #[error("the bucket's policy does not let CloudTrail write")]
    InsufficientPolicy,
    /// The KMS key can't be used as it is.
    #[error("the KMS key can't be used: {code}")]
    Key {
        /// S3's error code, such as `KMS.DisabledException`.
        code: String,
    },
    /// The key cannot be expressed in this store.
    #[error("the store cannot have this key")]
    InvalidKey,
    /// The store has no room.
    #[error("the store is full")]
    Full,
    /// The store could not be reached, or failed; whether a write happened is not known.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// What it said.
        reason: String,
    },
}

impl StoreError {
    /// The word for `LatestDeliveryError` of GetTrailStatus: S3's error code.
    pub fn code(&self) -> &str {
        match self {
            Self::NoSuchBucket => "NoSuchBucket",
            Self::NoSuchKey => "NoSuchKey",
            Self::AccessDenied | Self::InsufficientPolicy => "AccessDenied",
            Self::Key { code } => code,
            Self::InvalidKey => "InvalidArgument",
            Self::Full => "InternalError",
            Self::Unavailable { .. } => "ServiceUnavailable",
        }
    }
}

/// All files under a prefix, page after page.
///
/// # Errors
/// What the reader says.
pub async fn list_all(
    reader: &dyn LogReader,
    bucket: &str,
    prefix: &str,
    after: Option<&str>,
) -> Result<Vec<ListedFile>, StoreError> {
    let mut files: Vec<ListedFile> = Vec::new();
    let mut after = after.map(str::to_owned);
    loop {
        let page = reader.list(bucket, prefix, after.as_deref()).await?;
        let last = page.files.last().map(|file| file.key.clone());
        files.extend(page.files);
        match last {
            Some(key) if page.more => after = Some(key),
            _ => return Ok(files),
        }
    }
}
