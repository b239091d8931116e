//! What is known about an object besides its bytes.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use serde::{Deserialize, Serialize};

use crate::{
    VaultError,
    blob::BlobRef,
    checksum::{ChecksumType, Checksums},
    encryption::{Encryption, SealedKey},
    id::{BlobId, UploadId},
    limits,
    object_lock::ObjectLock,
    packed::Frames,
    replication::ReplicationProgress,
    tags::Tags,
};

/// The id of the version that objects have in a bucket without versioning, or with it suspended.
pub const NULL_VERSION: &str = "null";

/// Headers that a caller stores with an object and gets back as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHeaders {
    /// `Content-Type`; S3 answers `binary/octet-stream` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Cache-Control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Expires`, as text: S3 does not look into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_redirect_location: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl ObjectHeaders {
    pub(crate) fn check(&self) -> Result<(), VaultError> {
        let user: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if user > limits::MAX_USER_METADATA_BYTES {
            return Err(VaultError::MetadataTooLarge { bytes: user, limit: limits::MAX_USER_METADATA_BYTES });
        }
        let system: usize = [
            &self.content_type,
            &self.content_encoding,
            &self.content_disposition,
            &self.content_language,
            &self.cache_control,
            &self.expires,
            &self.website_redirect_location,
        ]
        .into_iter()
        .flatten()
        .map(String::len)
        .sum();
        if system > limits::MAX_SYSTEM_METADATA_BYTES {
            return Err(VaultError::MetadataTooLarge {
                bytes: system,
                limit: limits::MAX_SYSTEM_METADATA_BYTES,
            });
        }
        Ok(())
    }
}

/// What a caller decides about a new object, whichever way its bytes come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewObject {
    /// Whose object it is.
    pub owner: AccountId,
    /// Headers to keep.
    #[serde(default)]
    pub headers: ObjectHeaders,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
    /// Storage class as S3 names it; `STANDARD` where none is given. It decides whether the bytes are kept
    /// compressed and whether the object can be read before it is restored.
    #[serde(default = "standard")]
    pub storage_class: String,
    /// The canned ACL named on upload, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canned_acl: Option<String>,
    /// What holds it; a bucket's default retention is added where none is named.
    #[serde(default, skip_serializing_if = "ObjectLock::is_none")]
    pub lock: ObjectLock,
    /// How its bytes are encrypted on disk; not at all where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

/// Where S3 puts objects that name no class.
fn standard() -> String {
    "STANDARD".to_owned()
}

impl NewObject {
    /// An object of this owner with nothing else said.
    pub fn of(owner: AccountId) -> Self {
        Self {
            owner,
            headers: ObjectHeaders::default(),
            tags: Tags::new(),
            storage_class: standard(),
            canned_acl: None,
            lock: ObjectLock::default(),
            encryption: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), VaultError> {
        self.headers.check()?;
        crate::tags::check_tags(&self.tags, limits::MAX_OBJECT_TAGS)?;
        if self.storage_class.len() > limits::MAX_NAME_BYTES {
            return Err(VaultError::NameTooLong { what: "The storage class" });
        }
        if self.canned_acl.as_ref().is_some_and(|acl| acl.len() > limits::MAX_NAME_BYTES) {
            return Err(VaultError::NameTooLong { what: "The canned ACL" });
        }
        Ok(())
    }
}

/// Where an object's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// There are none.
    Empty,
    /// In the index, under this blob id, with this checksum.
    Inline {
        blob: BlobId,
        /// Of the bytes as they are stored.
        crc32c: u32,
        /// Whether they are encrypted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sealed: bool,
    },
    /// In a file.
    File(BlobRef),
    /// In the parts of a completed multipart upload.
    Parts { upload: UploadId, count: u16 },
    /// Compressed: `stored` (never parts, never packed itself) holds the frames one after the other.
    Packed { stored: Box<Body>, frames: Frames },
}

impl Body {
    /// Where the bytes are, if they are in one place.
    pub(crate) fn blob(&self) -> Option<BlobId> {
        match self {
            Self::Empty | Self::Parts { .. } => None,
            Self::Inline { blob, .. } => Some(*blob),
            Self::File(blob) => Some(blob.id),
            Self::Packed { stored, .. } => stored.blob(),
        }
    }
}

/// An object: one version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// The version's id; [`NULL_VERSION`] where the bucket had no versioning.
    pub version_id: String,
    /// Bytes in the object.
    pub size: u64,
    /// The entity tag without quotes: the MD5 in hex, or for a multipart upload the MD5 of the parts' MD5s
    /// and `-N`. With SSE-KMS it looks the same and says nothing of the bytes.
    pub etag: String,
    /// When it was stored, to the millisecond.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub last_modified: DateTime<Utc>,
    /// Additional checksums.
    #[serde(default, skip_serializing_if = "Checksums::is_empty")]
    pub checksums: Checksums,
    /// What the additional checksums were computed over.
    #[serde(default)]
    pub checksum_type: ChecksumType,
    /// What the caller decided about it.
    pub object: NewObject,
    /// The key that its bytes are encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed_key: Option<SealedKey>,
    /// Until when an archived object can be read, to the millisecond.
    #[serde(
        default,
        with = "chrono::serde::ts_milliseconds_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) restored_until: Option<DateTime<Utc>>,
    /// How far its copies in other buckets are, or that it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationProgress>,
    pub(crate) body: Body,
}

impl ObjectMeta {
    /// What holds this version.
    pub fn lock(&self) -> &ObjectLock {
        &self.object.lock
    }

    /// How its bytes are encrypted on disk, if they are.
    pub fn encryption(&self) -> Option<&Encryption> {
        self.object.encryption.as_ref()
    }

    /// How many parts the object was uploaded in; `None` if it was not a multipart upload.
    pub fn parts_count(&self) -> Option<u16> {
        match self.body {
            Body::Parts { count, .. } => Some(count),
            _ => None,
        }
    }
}

/// A version that says that its key was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteMarker {
    /// The marker's version id.
    pub version_id: String,
    /// When the key was deleted, to the millisecond.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub last_modified: DateTime<Utc>,
    /// Who owns the marker.
    pub owner: AccountId,
    /// How far its copies in other buckets are, or that it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationProgress>,
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// An object.
    #[serde(rename = "object")]
    Object(Box<ObjectMeta>),
    /// A delete marker.
    #[serde(rename = "marker")]
    DeleteMarker(DeleteMarker),
}

impl Version {
    /// The version's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Object(meta) => &meta.version_id,
            Self::DeleteMarker(marker) => &marker.version_id,
        }
    }

    /// How far its copies are, or that it is one.
    pub fn replication(&self) -> Option<&ReplicationProgress> {
        match self {
            Self::Object(meta) => meta.replication.as_ref(),
            Self::DeleteMarker(marker) => marker.replication.as_ref(),
        }
    }

    pub(crate) fn replication_mut(&mut self) -> Option<&mut ReplicationProgress> {
        match self {
            Self::Object(meta) => meta.replication.as_mut(),
            Self::DeleteMarker(marker) => marker.replication.as_mut(),
        }
    }

    /// When it was made.
    pub fn last_modified(&self) -> DateTime<Utc> {
        match self {
            Self::Object(meta) => meta.last_modified,
            Self::DeleteMarker(marker) => marker.last_modified,
        }
    }
}

/// One line of a listing of current objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSummary {
    /// The key.
    pub key: String,
    /// Bytes in the object.
    pub size: u64,
    /// The entity tag without quotes.
    pub etag: String,
    /// When it was stored.
    pub last_modified: DateTime<Utc>,
    /// Storage class as S3 names it.
    pub storage_class: String,
    /// Whose object it is.
    pub owner: AccountId,
    /// The algorithms of its additional checksums.
    pub checksum_algorithms: Vec<crate::ChecksumAlgorithm>,
    /// What they were computed over.
    pub checksum_type: ChecksumType,
}

/// A key is 1 to [`limits::MAX_KEY_BYTES`] bytes of UTF-8.
pub(crate) fn check_key(key: &str) -> Result<(), VaultError> {
    if key.is_empty() {
        return Err(VaultError::EmptyKey);
    }
    if key.len() > limits::MAX_KEY_BYTES {
        return Err(VaultError::KeyTooLong { bytes: key.len() });
    }
    Ok(())
}

/// A version id that nobody can guess: 24 random bytes in 32 of the characters that S3's ids have. There is no
/// hyphen among them: command lines would take an id that begins with one for an option.
pub(crate) fn new_version_id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>()).replace('-', ".")
}

#[cfg(test)]
mod tests {
    use super::{check_key, new_version_id};
    use crate::VaultError;

    #[test]
    fn a_key_is_measured_in_bytes() {
        assert!(check_key(&"é".repeat(512)).is_ok());
        assert!(matches!(check_key(&"é".repeat(513)), Err(VaultError::KeyTooLong { bytes: 1026 })));
        assert!(matches!(check_key(""), Err(VaultError::EmptyKey)));
    }

    #[test]
    fn version_ids_look_like_those_of_s3() {
        for _ in 0..1000 {
            let id = new_version_id();
            assert_eq!(id.len(), 32);
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte)), "{id}");
            assert_ne!(id, new_version_id());
        }
    }
}
