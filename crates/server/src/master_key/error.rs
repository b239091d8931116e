//! Why there is no master key.

use std::{io, path::PathBuf};

/// Why the master key can't be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The key or its file is not right.
    #[error(transparent)]
    Keyring(#[from] opentrail_keyring::KeyringError),
    /// The wrapped key is missing in a folder that is in use.
    #[error(
        "{} is missing, and the folder is in use: it was started with another master key, or the file was lost",
        path.display()
    )]
    NotWrapped {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file can't be read or written.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The address of the service can't be used.
    #[error("the address of the key service, {address}, can't be used: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The certificates or the token for the service can't be used.
    #[error("can't use {}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The service refused: trying again gives the same answer.
    #[error("the key service refused to {action} with the key {key} ({status}): {reason}")]
    Refused {
        /// What was asked.
        action: &'static str,
        /// Which key.
        key: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The service could not be reached, or is sealed, for as long as a start waits.
    #[error("the key service at {address} is not there ({reason}); tried for {seconds} s")]
    Unavailable {
        /// Where it should be.
        address: String,
        /// The last thing that went wrong.
        reason: String,
        /// How long it was tried.
        seconds: u64,
    },
    /// The service answered something that is no answer.
    #[error("the key service gave no {what}")]
    Answer {
        /// What is missing.
        what: &'static str,
    },
    /// The process is shutting down.
    #[error("interrupted while starting")]
    Interrupted,
}
