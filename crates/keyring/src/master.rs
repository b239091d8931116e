//! The master key: the one secret that is not kept sealed.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use opentrail_journal::disk::{Access, Disk};
use zeroize::Zeroizing;

use crate::error::KeyringError;

/// The length of the master key: 256 bits.
pub const MASTER_KEY_BYTES: usize = 32;

/// Where the master key comes from.
pub enum MasterKeySource {
    /// A file of exactly [`MASTER_KEY_BYTES`] bytes, or as many in hexadecimal digits and perhaps a line's end. If it
    /// is absent and nothing was sealed yet, it is created, readable by its owner only.
    File(PathBuf),
    /// The key itself, from wherever the operator keeps it. It must have exactly [`MASTER_KEY_BYTES`] bytes.
    Bytes(Zeroizing<Vec<u8>>),
}

/// The master key itself; overwritten when it is dropped.
pub type MasterKey = Zeroizing<[u8; MASTER_KEY_BYTES]>;

/// Reads the master key, or makes one where that is right: `in_use` says whether something is sealed already.
/// Blocks.
///
/// # Errors
/// [`KeyringError::MasterKeyMissing`], [`KeyringError::MasterKeyLength`], [`KeyringError::Disk`].
pub fn load(source: MasterKeySource, disk: &dyn Disk, in_use: bool) -> Result<MasterKey, KeyringError> {
    match source {
        MasterKeySource::Bytes(bytes) => of_length(&bytes),
        MasterKeySource::File(path) => {
            let failed = |cause| KeyringError::Disk { path: path.clone(), cause };
            if disk.exists(&path).map_err(failed)? {
                warn_if_others_can_read(&path);
                return of_file(&Zeroizing::new(disk.read(&path).map_err(failed)?));
            }
            if in_use {
                return Err(KeyringError::MasterKeyMissing { path });
            }
            let key = generate()?;
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                disk.create_dir_all(folder).map_err(failed)?;
            }
            disk.write_atomically(&path, &*key, Access::Private).map_err(failed)?;
            tracing::info!(path = %path.display(), "a master key was created; without it no secret can be read: keep a copy");
            Ok(key)
        }
    }
}

/// Draws a master key.
///
/// # Errors
/// [`KeyringError::Generation`] without random numbers.
pub fn generate() -> Result<MasterKey, KeyringError> {
    let mut key = MasterKey::default();
    rand::fill(&mut *key).map_err(|_| KeyringError::Generation)?;
    Ok(key)
}

fn of_file(contents: &[u8]) -> Result<MasterKey, KeyringError> {
    let mut key = MasterKey::default();
    match hex::decode_to_slice(contents.trim_ascii_end(), &mut *key) {
        Ok(()) => Ok(key),
        Err(_) => of_length(contents),
    }
}

fn of_length(bytes: &[u8]) -> Result<MasterKey, KeyringError> {
    let key: [u8; MASTER_KEY_BYTES] =
        bytes.try_into().map_err(|_| KeyringError::MasterKeyLength { len: bytes.len() })?;
    Ok(Zeroizing::new(key))
}

fn warn_if_others_can_read(path: &Path) {
    // Best effort: a file system without modes has nothing to warn about.
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "the master key can be read by others than its owner: chmod 600");
    }
}
