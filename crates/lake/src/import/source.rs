//! What an import reads from.

use async_trait::async_trait;
use bytes::Bytes;

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceObject {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
}

/// A part of a listing.
#[derive(Debug, Clone, Default)]
pub struct SourcePage {
    /// The objects, in the order of their keys' bytes.
    pub objects: Vec<SourceObject>,
    /// Whether there are more after the last.
    pub more: bool,
}

/// A bucket, read with the rights of an import's role.
#[async_trait]
pub trait Source: Send + Sync {
    /// Lists objects whose key starts with `prefix`, after the key `after`, ordered by key.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<SourcePage, SourceError>;

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn get(&self, key: &str) -> Result<Bytes, SourceError>;
}

/// Why a bucket was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What kind of failure it is: the `ErrorType` of ListImportFailures, S3's error code where it has one.
    pub kind: String,
    /// What is wrong.
    pub message: String,
    /// Whether trying again soon may help.
    pub is_passing: bool,
}

impl SourceError {
    /// The bucket, its key or the role says no.
    pub fn refused(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), is_passing: false }
    }

    /// The bucket does not answer, or has no time.
    pub fn passing(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), is_passing: true }
    }
}
