//! Whether a data folder is encrypted, and the disk for it.
//!
//! That is decided at the first start and never changes: the note in the folder says so. A start that asks for the
//! other, or has another master key, is refused before anything else is read.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use opentrail_journal::disk::Disk;
use opentrail_keyring::{EncryptedDisk, FolderKey, KeyringError, MasterKeySource};

use crate::master_key::{Folder, MasterKeyError, MasterKeyFrom};

/// Taken while the first start decides, so that of two at once one decides.
const LOCK_NAME: &str = "encryption.lock";

/// Why a folder can't be opened with what was said about its encryption.
#[derive(Debug, thiserror::Error)]
pub enum AtRestError {
    /// The folder is encrypted, and that was not asked for.
    #[error("{} is encrypted: start with --encrypt-data and its master key", .0.display())]
    IsEncrypted(PathBuf),
    /// The folder is in the clear.
    #[error(
        "{} is not encrypted, and stays so: a folder is encrypted from its first start on. Start without \
         --encrypt-data, or with a new folder and `opentrail import`",
        .0.display()
    )]
    IsClear(PathBuf),
    /// No master key was given for an encrypted folder.
    #[error("--encrypt-data needs --master-key: a key in the data folder would lie beside what it locks")]
    NoMasterKey,
    /// A file with a secret would be inside of the folder.
    #[error("{} is in the data folder: it would lie in the clear beside what is encrypted", .0.display())]
    Inside(PathBuf),
    /// The master key is not the folder's.
    #[error("this is not the master key that {} is encrypted with", .0.display())]
    WrongMasterKey(PathBuf),
    /// Another start is deciding.
    #[error("{} is being set up by another start", .0.display())]
    Busy(PathBuf),
    /// The master key can't be had.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The folder can't be read or written.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// How a data folder is read and written.
pub(crate) struct Opened {
    /// The disk for every room.
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) master: MasterKeySource,
}

/// A data folder below any encryption.
pub(crate) struct AtRest<'a> {
    pub(crate) below: &'a Arc<dyn Disk>,
    pub(crate) data: &'a Path,
    pub(crate) master_key: Option<&'a MasterKeyFrom>,
}

impl AtRest<'_> {
    fn there(&self, name: &str) -> Result<bool, AtRestError> {
        let path = self.data.join(name);
        self.below.exists(&path).map_err(|cause| AtRestError::Disk { path, cause })
    }

    /// Whether the folder's note says that it is encrypted.
    pub(crate) fn is_encrypted(&self) -> Result<bool, AtRestError> {
        FolderKey::is_kept(&**self.below, self.data).map_err(|error| self.told(error))
    }

    /// Opens the folder for a server that was asked to encrypt or not to; a folder without anything in it becomes
    /// what was asked for.
    pub(crate) async fn open(&self, encrypt: bool) -> Result<Opened, AtRestError> {
        let is_encrypted = self.is_encrypted()?;
        let started = is_encrypted || self.there("account")? || self.there("journal")?;
        match (encrypt, is_encrypted) {
            (false, true) => Err(AtRestError::IsEncrypted(self.data.to_owned())),
            (true, false) if started => Err(AtRestError::IsClear(self.data.to_owned())),
            (false, false) => self.clear(started).await,
            (true, _) => self.encrypted(started).await,
        }
    }

    /// Opens the folder as it is, to look at it.
    pub(crate) async fn open_as_it_is(&self) -> Result<Opened, AtRestError> {
        if self.is_encrypted()? { self.encrypted(true).await } else { self.clear(true).await }
    }

    fn folder(&self, started: bool) -> Folder<'_> {
        Folder { disk: self.below, data: self.data, started }
    }

    async fn clear(&self, started: bool) -> Result<Opened, AtRestError> {
        let master = self.folder(started).source(self.master_key).await?;
        Ok(Opened { disk: Arc::clone(self.below), master })
    }

    async fn encrypted(&self, started: bool) -> Result<Opened, AtRestError> {
        let from = self.master_key.ok_or(AtRestError::NoMasterKey)?;
        if let MasterKeyFrom::File(path) = from {
            refuse_inside(self.data, path)?;
        }
        let lock = self.data.join(LOCK_NAME);
        let deciding = if started {
            None
        } else {
            Some(self.below.lock(&lock).map_err(|cause| match cause.kind() {
                io::ErrorKind::WouldBlock => AtRestError::Busy(self.data.to_owned()),
                _ => AtRestError::Disk { path: lock, cause },
            })?)
        };
        let master = self.folder(started).key(from).await?;
        let kept = self.is_encrypted()?;
        let key = if kept {
            FolderKey::open(&**self.below, self.data, &master)
        } else {
            FolderKey::create(&**self.below, self.data, &master)
        };
        drop(deciding);
        let key = key.map_err(|error| self.told(error))?;
        let disk = Arc::new(EncryptedDisk::new(Arc::clone(self.below), &key));
        Ok(Opened { disk, master: MasterKeySource::Bytes(master.to_vec().into()) })
    }

    fn told(&self, error: KeyringError) -> AtRestError {
        match error {
            KeyringError::WrongMasterKey => AtRestError::WrongMasterKey(self.data.to_owned()),
            other => AtRestError::MasterKey(other.into()),
        }
    }
}

/// Refuses a file with a secret that would be in the folder.
pub(crate) fn refuse_inside(data: &Path, file: &Path) -> Result<(), AtRestError> {
    let resolved = |path: &Path| std::path::absolute(path).and_then(std::fs::canonicalize);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A folder that is not there yet is not in one that is.
    match (resolved(data), resolved(folder)) {
        (Ok(data), Ok(folder)) if folder.starts_with(&data) => Err(AtRestError::Inside(file.to_owned())),
        _ => Ok(()),
    }
}
