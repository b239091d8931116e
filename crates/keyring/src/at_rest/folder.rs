//! The data key of a folder, and the note that says that the folder is encrypted.

use std::{io, path::Path};

use aws_lc_rs::rand;
use opentrail_journal::disk::{Access, Disk};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    KeyringError,
    master::MasterKey,
    seal::{Sealed, SealingKey},
};

/// The file in a data folder that says that everything else in it is encrypted, and has the data key, sealed.
pub const NOTE_NAME: &str = "encryption.json";

const FORMAT: u32 = 1;
const CONTEXT: &str = "at rest: data key/1";

/// The key that the files of one folder are encrypted with.
#[derive(Clone)]
pub struct FolderKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for FolderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FolderKey")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    format: u32,
    cipher: String,
    /// The data key, sealed with the master key.
    data_key: Sealed,
}

impl FolderKey {
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the folder was encrypted from its first start on.
    ///
    /// # Errors
    /// [`KeyringError::Disk`] if the disk fails.
    pub fn is_kept(disk: &dyn Disk, folder: &Path) -> Result<bool, KeyringError> {
        let path = folder.join(NOTE_NAME);
        disk.exists(&path).map_err(|cause| KeyringError::Disk { path, cause })
    }

    /// Opens the key that is kept in an encrypted folder. `disk` is the one below the encryption.
    ///
    /// # Errors
    /// [`KeyringError::WrongMasterKey`] if it was sealed with another master key; [`KeyringError::Disk`] if the note
    /// cannot be read or is none.
    pub fn open(disk: &dyn Disk, folder: &Path, master: &MasterKey) -> Result<Self, KeyringError> {
        let path = folder.join(NOTE_NAME);
        let failed = |cause| KeyringError::Disk { path: path.clone(), cause };
        let text = disk.read(&path).map_err(failed)?;
        let note: Note = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
        if note.format != FORMAT {
            let what = format!("it is of format {}, which a newer opentrail writes", note.format);
            return Err(failed(io::Error::new(io::ErrorKind::Unsupported, what)));
        }
        let opened = SealingKey::new(master)?.unseal(CONTEXT, &note.data_key);
        let opened = opened.map_err(|_| KeyringError::WrongMasterKey)?;
        let bytes: [u8; 32] = opened.as_slice().try_into().map_err(|_| KeyringError::WrongMasterKey)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// Draws a key for a new folder and keeps it there, durably.
    ///
    /// # Errors
    /// [`KeyringError::Disk`] if the disk fails, [`KeyringError::Generation`] without random numbers.
    pub fn create(disk: &dyn Disk, folder: &Path, master: &MasterKey) -> Result<Self, KeyringError> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut *key).map_err(|_| KeyringError::Generation)?;
        Self::keep(disk, folder, master, &key)?;
        Ok(Self(key))
    }

    fn keep(disk: &dyn Disk, folder: &Path, master: &MasterKey, key: &[u8; 32]) -> Result<(), KeyringError> {
        let path = folder.join(NOTE_NAME);
        let data_key = SealingKey::new(master)?.seal(CONTEXT, key);
        let note = Note { format: FORMAT, cipher: "AES-256-CTR, AES-256-XTS".to_owned(), data_key };
        serde_json::to_vec_pretty(&note)
            .map_err(io::Error::from)
            .and_then(|text| disk.write_atomically(&path, &text, Access::Private))
            .map_err(|cause| KeyringError::Disk { path, cause })
    }
}
