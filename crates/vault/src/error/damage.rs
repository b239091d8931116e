//! What is wrong with the store itself: bytes on disk, entries of the index.

use super::VaultError;

/// What is wrong with bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file is not there.
    #[error("the file is missing")]
    Missing,
    /// The file ends too early.
    #[error("the file is too short")]
    Short,
    /// The file is longer than what was stored.
    #[error("the file is too long")]
    Long,
    /// The checksum is another.
    #[error("the checksum does not match")]
    Checksum,
    /// The bytes do not decrypt in the place where they are.
    #[error("the bytes are not those that were encrypted here")]
    Forged,
}

/// Why a fact or an index entry cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexEntryError {
    /// It ends too early.
    #[error("it is cut off")]
    Truncated,
    /// It was written by a version that we do not know.
    #[error("it has format {0}, which is not known")]
    UnknownFormat(u8),
    /// Its members are not what they should be.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A key is not UTF-8.
    #[error("a key is not text")]
    NotText,
    /// A compressed frame cannot be packed or unpacked.
    #[error("a compressed frame cannot be read")]
    Frame,
    /// One entry refers to another that is not there.
    #[error("it refers to a {0} that is not there")]
    Dangling(&'static str),
}

impl From<redb::Error> for VaultError {
    fn from(error: redb::Error) -> Self {
        Self::Index(Box::new(error))
    }
}

macro_rules! from_redb {
    ($($kind:ident),+) => {$(
        impl From<redb::$kind> for VaultError {
            fn from(error: redb::$kind) -> Self {
                Self::Index(Box::new(redb::Error::from(error)))
            }
        }
    )+};
}

from_redb!(DatabaseError, TransactionError, TableError, StorageError, CommitError, SetDurabilityError);
