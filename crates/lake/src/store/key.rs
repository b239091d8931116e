//! The key of KMS that a store's files are encrypted under.

use std::fmt;

use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Which key of KMS a store has, and the key that its files are sealed with, which only KMS can open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreKey {
    /// The ARN of the key of KMS.
    pub arn: String,
    /// The key of the files, as KMS gave it. It stays the same: what KMS rotates is the key that it is wrapped with.
    pub wrapped: WrappedKey,
    /// Whether the store has had it from the beginning, so that no file of its table is without it.
    pub since_creation: bool,
}

/// A data key as KMS wrapped it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WrappedKey(pub Vec<u8>);

impl TryFrom<String> for WrappedKey {
    type Error = DecodeError;

    fn try_from(text: String) -> Result<Self, DecodeError> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<WrappedKey> for String {
    fn from(key: WrappedKey) -> Self {
        STANDARD.encode(key.0)
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} bytes)", self.0.len())
    }
}
