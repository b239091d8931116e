//! Why a server does not start or does not go on.

use std::{io, path::PathBuf};

/// What stops a server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data folder can't be used.
    #[error("can't use the data folder {folder}: {source}", folder = folder.display())]
    DataFolder {
        /// Which one.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Which one.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificate or its key can't be used.
    #[error("can't use the TLS certificate {file}: {reason}", file = file.display())]
    Tls {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Another account was asked for than the one the data folder belongs to.
    #[error("the data folder belongs to account {kept}, not {asked}")]
    OtherAccount {
        /// The account in the folder.
        kept: opentrail_event::AccountId,
        /// The account asked for.
        asked: opentrail_event::AccountId,
    },
    /// The journal can't be opened or read.
    #[error(transparent)]
    Journal(#[from] opentrail_journal::JournalError),
    /// The documents can't be read or written.
    #[error(transparent)]
    State(#[from] opentrail_state::StateError),
    /// The keys can't be opened.
    #[error(transparent)]
    Keyring(#[from] opentrail_keyring::KeyringError),
    /// The accounts can't be opened.
    #[error(transparent)]
    Identity(#[from] opentrail_identity::IdentityError),
    /// The object store can't be opened.
    #[error(transparent)]
    Vault(#[from] opentrail_vault::VaultError),
    /// Trails or their delivery can't be opened.
    #[error(transparent)]
    Trails(#[from] opentrail_trails::DeliveryError),
    /// Event history can't be opened.
    #[error(transparent)]
    Archive(#[from] opentrail_archive::ArchiveError),
    /// Event data stores can't be opened.
    #[error(transparent)]
    Lake(#[from] opentrail_lake::LakeError),
    /// What runs queries can't be started.
    #[error(transparent)]
    Queries(#[from] opentrail_sql::SqlError),
    /// The operator's credentials can't be written.
    #[error("can't write {path}: {source}", path = path.display())]
    ClientEnv {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder's encryption, or its master key, is not as asked for.
    #[error(transparent)]
    AtRest(#[from] crate::at_rest::AtRestError),
    /// An endpoint for copies elsewhere is not one.
    #[error("can't replicate elsewhere: {reason}")]
    ReplicaTarget {
        /// What is wrong with it.
        reason: String,
    },
    /// The process is shutting down.
    #[error("interrupted while starting")]
    Interrupted,
}
