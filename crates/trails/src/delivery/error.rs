//! What stops the delivery.

use std::{io, path::PathBuf};

use opentrail_journal::JournalError;
use opentrail_keyring::KeyringError;
use opentrail_state::StateError;

use crate::membership::UnreadableDocument;

/// Why the delivery cannot go on. What a bucket says is not among them: that is retried and shown in the
/// trail's status.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A setting that makes no sense.
    #[error("{0}")]
    Options(&'static str),
    /// The delivery's own files could not be read or written.
    #[error("{path}: {source}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger is not what this program wrote.
    #[error("the delivery's ledger {path} cannot be read: {source}")]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The ledger's checksum does not match.
    #[error("the delivery's ledger {path} is damaged")]
    LedgerDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The journal no longer has entries that were not delivered yet.
    #[error("the journal begins at {first}, but the delivery has read only up to {cursor}")]
    JournalGap {
        /// The oldest entry kept.
        first: u64,
        /// The last one that the delivery has read.
        cursor: u64,
    },
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An entry of the journal could not be decoded.
    #[error(transparent)]
    State(#[from] StateError),
    /// The document of a trail or of an organization in the journal could not be read.
    #[error("the document {id} in the journal cannot be read: {source}")]
    Document {
        /// The document.
        id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A digest could not be signed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The process is shutting down.
    #[error("the delivery was interrupted")]
    Interrupted,
}

impl From<UnreadableDocument> for DeliveryError {
    fn from(UnreadableDocument { id, source }: UnreadableDocument) -> Self {
        Self::Document { id, source }
    }
}

impl DeliveryError {
    /// Whether a file is not there, and reading it again would not help.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { path, source }
    }
}
