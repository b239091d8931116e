//! Writing a blob, and what becomes of it if its commit fails.

use std::{path::PathBuf, sync::Arc};

use opentrail_journal::disk::DiskFile;

use super::{BlobRef, BlobStore, ChunkSums};
use crate::{VaultError, checksum::crc32c, cipher::BlobCipher, id::BlobId, limits::CHUNK_BYTES};

/// A file being written. Dropping it removes the file.
pub(crate) struct BlobWriter {
    pending: PendingBlob,
    file: Box<dyn DiskFile>,
    cipher: Option<BlobCipher>,
    /// The chunk that came last, where there is a cipher: whether it is the last is known only at the end.
    held: Option<Vec<u8>>,
    /// Bytes of content so far.
    len: u64,
    /// Bytes in the file so far.
    stored: u64,
    sums: Vec<u32>,
}

impl BlobWriter {
    /// Writes into this file, which is new.
    pub(super) fn new(pending: PendingBlob, file: Box<dyn DiskFile>, cipher: Option<BlobCipher>) -> Self {
        Self { pending, file, cipher, held: None, len: 0, stored: 0, sums: Vec::new() }
    }

    /// Appends a chunk: [`CHUNK_BYTES`], or less for the last. Blocks.
    pub(crate) fn write_chunk(&mut self, content: &[u8]) -> Result<(), VaultError> {
        self.len += content.len() as u64;
        if self.cipher.is_none() {
            return self.append(content);
        }
        match self.held.replace(content.to_vec()) {
            Some(before) => self.append_sealed(before, false),
            None => Ok(()),
        }
    }

    fn append_sealed(&mut self, content: Vec<u8>, last: bool) -> Result<(), VaultError> {
        let number = self.sums.len() as u64;
        let stored = match &self.cipher {
            Some(cipher) => cipher.seal(number, last, content)?,
            None => content,
        };
        self.append(&stored)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.file
            .write_all_at(bytes, self.stored)
            .map_err(|error| VaultError::io("write", &self.pending.path(), error))?;
        self.stored += bytes.len() as u64;
        self.sums.push(crc32c(bytes));
        Ok(())
    }

    /// Makes the bytes and the name durable. Blocks.
    pub(crate) fn finish(mut self) -> Result<(BlobRef, PendingBlob), VaultError> {
        if let Some(last) = self.held.take() {
            self.append_sealed(last, true)?;
        }
        let Self { pending, file, cipher, len, sums, .. } = self;
        file.sync_data().map_err(|error| VaultError::io("sync", &pending.path(), error))?;
        let shard = pending.store.shard(pending.id);
        pending.store.disk.sync_dir(&shard).map_err(|error| VaultError::io("sync", &shard, error))?;
        let (id, sealed) = (pending.id, cipher.is_some());
        let blob = BlobRef { id, len, chunk: CHUNK_BYTES as u32, sums: ChunkSums(sums), sealed };
        Ok((blob, pending))
    }
}

/// What becomes of a file when its [`PendingBlob`] is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing can refer to it: it is removed.
    Removed,
    /// A fact that refers to it may be in the journal: it stays, and a sweep decides.
    Unknown,
    /// The index refers to it.
    Kept,
}

/// A file that the index does not refer to yet.
pub(crate) struct PendingBlob {
    store: Arc<BlobStore>,
    id: BlobId,
    fate: Fate,
}

impl PendingBlob {
    /// A file that is about to be made.
    pub(super) fn new(store: &Arc<BlobStore>, id: BlobId) -> Self {
        store.uses.lock().pending.insert(id);
        Self { store: Arc::clone(store), id, fate: Fate::Removed }
    }

    fn path(&self) -> PathBuf {
        self.store.path(self.id)
    }

    /// A fact that refers to it is given to the journal now.
    pub(crate) fn submit(&mut self) {
        self.fate = Fate::Unknown;
    }

    /// The journal certainly did not take the fact.
    pub(crate) fn refuse(mut self) {
        self.fate = Fate::Removed;
    }

    /// The index refers to it now.
    pub(crate) fn keep(mut self) {
        self.fate = Fate::Kept;
    }
}

impl Drop for PendingBlob {
    fn drop(&mut self) {
        match self.fate {
            Fate::Removed => self.store.remove(self.id),
            Fate::Unknown => self.store.set_orphans(true),
            Fate::Kept => {}
        }
        self.store.uses.lock().pending.remove(&self.id);
    }
}
