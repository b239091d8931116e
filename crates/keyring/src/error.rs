//! What can go wrong with keys.

use std::path::PathBuf;

use opentrail_event::EventError;
use opentrail_state::StateError;

use crate::{customer::KeyRefusal, master::MASTER_KEY_BYTES};

/// Why a key cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The master key has the wrong length.
    #[error("the master key has {len} bytes; it must have exactly {MASTER_KEY_BYTES}")]
    MasterKeyLength {
        /// How long it is.
        len: usize,
    },
    /// The master key's file is not there, but secrets are: a new key could not open them.
    #[error("{} is missing, and the secrets kept here were sealed with it: restore it from a backup", path.display())]
    MasterKeyMissing {
        /// Where the file should be.
        path: PathBuf,
    },
    /// The master key is not the one that the secrets were sealed with.
    #[error("this is not the master key that the secrets kept here were sealed with")]
    WrongMasterKey,
    /// The master key's file could not be read or written.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Sealed bytes do not open: they were changed, are from another context, or were sealed with another key.
    #[error("the sealed secret does not open: it was changed, or belongs elsewhere")]
    Unsealable,
    /// No key could be generated.
    #[error("the cryptographic library could not generate a key")]
    Generation,
    /// A kept signing key is not a key.
    #[error("the signing key {fingerprint} cannot be read")]
    Damaged {
        /// Which.
        fingerprint: String,
    },
    /// The cryptographic library could not sign.
    #[error("the cryptographic library could not sign")]
    Signing,
    /// An operation on a customer key was refused.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The record of a new key could not be made.
    #[error("the record of a new key cannot be made: {0}")]
    Record(#[from] EventError),
    /// The state could not be read or changed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The process is shutting down.
    #[error("the process is shutting down")]
    Interrupted,
}

impl KeyringError {
    /// Whether nothing was changed and the same call can succeed later: the disk is full.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::State(cause) if cause.is_retryable())
    }
}
