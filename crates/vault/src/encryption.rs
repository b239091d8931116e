//! Encryption of objects at rest: which kinds there are, and who has the keys.
//!
//! Each object (or multipart upload) has a key of its own. The vault encrypts with it and keeps it sealed beside
//! the object; whoever opened the vault gives it [`ObjectKeys`], which make, seal and open such keys. Who may use
//! which key is decided above.

use std::{collections::BTreeMap, fmt};

use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Bucket, NewObject, Vault, VaultError, limits::OBJECT_KEY_BYTES, upload::ContentKey};

/// How an object's bytes are encrypted on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// SSE-S3 (`AES256`): with a key that the store has.
    S3,
    /// SSE-KMS (`aws:kms`): with a key of KMS.
    Kms(KmsEncryption),
}

/// With which key of KMS, and what is said to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsEncryption {
    /// The key's ARN.
    pub key_arn: String,
    /// What the caller adds to the encryption context; `aws:s3:arn` is always in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    /// Whether the object's key comes from a key of the bucket that is asked of KMS only from time to time (S3
    /// user guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys").
    #[serde(default)]
    pub bucket_key: bool,
}

impl Encryption {
    /// The ARN of the KMS key, where one is used.
    pub fn kms_key(&self) -> Option<&str> {
        match self {
            Self::S3 => None,
            Self::Kms(kms) => Some(&kms.key_arn),
        }
    }

    /// Whether the entity tag must not be the MD5 of the bytes (S3 API reference, "Object").
    pub(crate) fn hides_md5(&self) -> bool {
        matches!(self, Self::Kms(_))
    }
}

/// What a bucket does with objects whose writer does not say how they are to be encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BucketEncryption {
    /// The kind.
    pub default: DefaultEncryption,
    /// `BucketKeyEnabled`, for SSE-KMS.
    #[serde(default)]
    pub bucket_key: bool,
}

/// The kinds of [`BucketEncryption`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DefaultEncryption {
    /// SSE-S3, which every bucket has that was not told otherwise (since January 2023).
    #[default]
    S3,
    /// SSE-KMS with this key as the caller named it; with `alias/aws/s3` where it named none.
    Kms {
        /// The key's id, ARN, alias or alias ARN.
        key: Option<String>,
    },
}

/// A key that encrypts one object, or the parts of one upload. It is overwritten when it is dropped.
#[derive(Clone)]
pub struct ObjectKey(Zeroizing<[u8; OBJECT_KEY_BYTES]>);

impl ObjectKey {
    /// These bytes as a key.
    pub fn new(bytes: Zeroizing<[u8; OBJECT_KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectKey")
    }
}

/// An object's key in the form in which it is kept: only [`ObjectKeys::open`] can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealedKey(pub Vec<u8>);

impl TryFrom<String> for SealedKey {
    type Error = DecodeError;

    fn try_from(text: String) -> Result<Self, DecodeError> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<SealedKey> for String {
    fn from(sealed: SealedKey) -> Self {
        STANDARD.encode(sealed.0)
    }
}

/// Whose key it is. A sealed key opens only for the object that it was made for.
#[derive(Debug, Clone, Copy)]
pub struct ObjectPlace<'a> {
    /// The object's bucket.
    pub bucket: &'a Bucket,
    /// The object's key in it.
    pub key: &'a str,
}

impl ObjectPlace<'_> {
    /// The object's ARN: `aws:s3:arn` of the encryption context where there is no bucket key.
    pub fn arn(&self) -> String {
        format!("arn:aws:s3:::{}/{}", self.bucket.name, self.key)
    }

    /// The bucket's ARN: `aws:s3:arn` of a bucket key.
    pub fn bucket_arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.bucket.name)
    }
}

/// Makes and opens the keys of objects. Neither may take long: both are called between other work.
pub trait ObjectKeys: Send + Sync {
    /// A new key, and its sealed form.
    ///
    /// # Errors
    /// [`KeyFailure`].
    fn make(&self, how: &Encryption, place: &ObjectPlace<'_>) -> Result<(ObjectKey, SealedKey), KeyFailure>;

    /// The key that was made for this place and sealed so.
    ///
    /// # Errors
    /// [`KeyFailure`].
    fn open(
        &self,
        how: &Encryption,
        sealed: &SealedKey,
        place: &ObjectPlace<'_>,
    ) -> Result<ObjectKey, KeyFailure>;
}

/// Why an object's key can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFailure {
    /// KMS has no such key.
    #[error("{message}")]
    NotFound {
        /// What KMS says of the name.
        message: String,
    },
    /// The key is disabled.
    #[error("{key} is disabled.")]
    Disabled {
        /// Its ARN.
        key: String,
    },
    /// The key waits for its deletion, or can't be used for another reason of its state.
    #[error("{key} is {state}.")]
    InvalidState {
        /// Its ARN.
        key: String,
        /// The state in words, such as `pending deletion`.
        state: String,
    },
    /// The key is not of the kind that encrypts.
    #[error("{key} is not a key for symmetric encryption.")]
    InvalidUsage {
        /// Its ARN.
        key: String,
    },
    /// The sealed key is not one that was made for this place: it was changed, or belongs elsewhere.
    #[error("the object's key does not open")]
    Unopenable,
    /// The vault was opened without [`ObjectKeys`].
    #[error("the vault was opened without keys")]
    NoKeys,
    /// Keys can't be had at the moment.
    #[error("keys are not available: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

impl KeyFailure {
    /// S3's error code: KMS's with `KMS.` before it where the caller can do something about it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "KMS.NotFoundException",
            Self::Disabled { .. } => "KMS.DisabledException",
            Self::InvalidState { .. } => "KMS.KMSInvalidStateException",
            Self::InvalidUsage { .. } => "KMS.InvalidKeyUsageException",
            Self::Unopenable | Self::NoKeys | Self::Unavailable { .. } => "InternalError",
        }
    }
}

impl Vault {
    /// Stages how the bucket encrypts what comes without a word on it; `None` for SSE-S3.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn put_bucket_encryption(
        &self,
        tx: &mut Transaction,
        name: &str,
        encryption: Option<BucketEncryption>,
    ) -> Result<(), VaultError> {
        self.change(tx, name, |bucket| bucket.encryption = encryption)
    }

    /// How the bucket encrypts what comes without a word on it.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn bucket_encryption(&self, name: &str) -> Result<BucketEncryption, VaultError> {
        Ok(self.bucket(name)?.encryption.clone().unwrap_or_default())
    }

    /// The key for the bytes of an object that is to be encrypted; none for one in the clear.
    pub(crate) fn make_content_key(
        &self,
        object: &NewObject,
        bucket: &Bucket,
        key: &str,
    ) -> Result<Option<(ContentKey, SealedKey)>, VaultError> {
        let Some(how) = &object.encryption else { return Ok(None) };
        let (opened, sealed) = self.make_key(how, bucket, key)?;
        Ok(Some((ContentKey::new(opened, how), sealed)))
    }

    pub(crate) fn make_key(
        &self,
        how: &Encryption,
        bucket: &Bucket,
        key: &str,
    ) -> Result<(ObjectKey, SealedKey), VaultError> {
        let keys = self.inner.keys_of_objects.as_ref().ok_or(KeyFailure::NoKeys)?;
        Ok(keys.make(how, &ObjectPlace { bucket, key })?)
    }

    /// The key for more bytes of an object that has one: of a part, or of the same content stored anew.
    pub(crate) fn open_content_key(
        &self,
        object: &NewObject,
        sealed: Option<&SealedKey>,
        bucket: &Bucket,
        key: &str,
    ) -> Result<Option<ContentKey>, VaultError> {
        let (Some(how), Some(sealed)) = (&object.encryption, sealed) else { return Ok(None) };
        Ok(Some(ContentKey::new(self.open_key(how, sealed, bucket, key)?, how)))
    }

    pub(crate) fn open_key(
        &self,
        how: &Encryption,
        sealed: &SealedKey,
        bucket: &Bucket,
        key: &str,
    ) -> Result<ObjectKey, VaultError> {
        let keys = self.inner.keys_of_objects.as_ref().ok_or(KeyFailure::NoKeys)?;
        Ok(keys.open(how, sealed, &ObjectPlace { bucket, key })?)
    }
}
