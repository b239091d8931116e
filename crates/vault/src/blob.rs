//! Files that hold the bytes of objects and parts.
//!
//! A file is written once, synced with its name before the fact that refers to it is written, never changed,
//! and removed when the index stops referring to it. Each belongs to exactly one version or part.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use opentrail_journal::disk::{Access, Disk, DiskFile};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{VaultError, checksum::crc32c, error::Damage, id::BlobId, limits::CHUNK_BYTES};

/// A file, with the checksum of each of its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRef {
    pub(crate) id: BlobId,
    pub(crate) len: u64,
    /// Bytes of each chunk but the last.
    chunk: u32,
    /// CRC-32C of each chunk.
    sums: ChunkSums,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ChunkSums(Vec<u32>);

impl Serialize for ChunkSums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for ChunkSums {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        if bytes.len() % 4 != 0 {
            return Err(D::Error::custom("checksums have four bytes each"));
        }
        Ok(Self(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()))
    }
}

impl BlobRef {
    /// The number and the place of the chunk that holds `offset`.
    pub(crate) fn chunk_at(&self, offset: u64) -> (usize, std::ops::Range<u64>) {
        let size = u64::from(self.chunk.max(1));
        let number = offset / size;
        let start = number * size;
        (usize::try_from(number).unwrap_or(usize::MAX), start..(start + size).min(self.len))
    }

    fn corrupt(&self, offset: u64, damage: Damage) -> VaultError {
        metrics::counter!("opentrail_vault_corrupt_reads_total").increment(1);
        tracing::error!(blob = %self.id, offset, %damage, "stored bytes are damaged");
        VaultError::Corrupt { blob: self.id.to_string(), offset, damage }
    }
}

#[derive(Default)]
struct Uses {
    /// Written but not referred to by the index yet.
    pending: HashSet<BlobId>,
    /// Being read.
    pinned: HashMap<BlobId, Pinned>,
}

#[derive(Default)]
struct Pinned {
    readers: usize,
    /// Nothing refers to it any more: the last reader removes it.
    doomed: bool,
}

/// The folder of blobs.
pub(crate) struct BlobStore {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    uses: Mutex<Uses>,
    /// Files may be there that nothing refers to.
    orphans: AtomicBool,
}

impl BlobStore {
    /// Makes the folders that are missing. Blocks.
    pub(crate) fn open(dir: &Path, disk: Arc<dyn Disk>) -> Result<Self, VaultError> {
        let dir = dir.join("blobs");
        let mut made = false;
        for shard in 0..=u8::MAX {
            let path = dir.join(hex::encode([shard]));
            if !disk.exists(&path).map_err(|e| VaultError::io("look for", &path, e))? {
                disk.create_dir_all(&path).map_err(|e| VaultError::io("create", &path, e))?;
                made = true;
            }
        }
        if made {
            for path in [Some(dir.as_path()), dir.parent()].into_iter().flatten() {
                disk.sync_dir(path).map_err(|e| VaultError::io("sync", path, e))?;
            }
        }
        Ok(Self { disk, dir, uses: Mutex::default(), orphans: AtomicBool::new(false) })
    }

    fn shard(&self, id: BlobId) -> PathBuf {
        self.dir.join(&id.to_string()[..2])
    }

    pub(crate) fn path(&self, id: BlobId) -> PathBuf {
        self.shard(id).join(id.to_string())
    }

    /// Begins a new file. Blocks.
    pub(crate) fn create(self: &Arc<Self>) -> Result<BlobWriter, VaultError> {
        let id = BlobId::random();
        self.uses.lock().pending.insert(id);
        let pending = PendingBlob { store: Arc::clone(self), id, fate: Fate::Removed };
        let path = self.path(id);
        let file = self
            .disk
            .create_new(&path, Access::Private)
            .map_err(|error| VaultError::io("create", &path, error))?;
        Ok(BlobWriter { pending, file, len: 0, sums: Vec::new() })
    }

    /// Keeps a blob on disk for as long as the pin lives, even when nothing refers to it any more.
    pub(crate) fn pin(self: &Arc<Self>, id: BlobId) -> Pin {
        self.uses.lock().pinned.entry(id).or_default().readers += 1;
        Pin { store: Arc::clone(self), id }
    }

    /// Removes blobs that the index does not refer to any more, now or when their last reader is done. Blocks.
    pub(crate) fn doom(&self, ids: &[BlobId]) {
        for id in ids {
            let in_use = match self.uses.lock().pinned.get_mut(id) {
                Some(pinned) => {
                    pinned.doomed = true;
                    true
                }
                None => false,
            };
            if !in_use {
                self.remove(*id);
            }
        }
    }

    /// Whether a sweep would have something to look for if the process ended now.
    pub(crate) fn may_have_orphans(&self) -> bool {
        let uses = self.uses.lock();
        let unfinished = !uses.pending.is_empty() || uses.pinned.values().any(|pinned| pinned.doomed);
        unfinished || self.orphans.load(Ordering::Acquire)
    }

    pub(crate) fn set_orphans(&self, possible: bool) {
        self.orphans.store(possible, Ordering::Release);
    }

    /// Whether somebody writes or reads the blob now.
    pub(crate) fn is_in_use(&self, id: BlobId) -> bool {
        let uses = self.uses.lock();
        uses.pending.contains(&id) || uses.pinned.contains_key(&id)
    }

    /// The blobs in one of the 256 folders, and the names there that are not blobs'. Blocks.
    pub(crate) fn list(&self, shard: u8) -> Result<(Vec<BlobId>, Vec<PathBuf>), VaultError> {
        let dir = self.dir.join(hex::encode([shard]));
        let entries = self.disk.read_dir(&dir).map_err(|error| VaultError::io("list", &dir, error))?;
        let (mut blobs, mut strangers) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.name.parse::<BlobId>() {
                Ok(id) if !entry.is_dir && self.path(id).parent() == Some(&dir) => blobs.push(id),
                _ => strangers.push(dir.join(entry.name)),
            }
        }
        Ok((blobs, strangers))
    }

    /// Blocks.
    pub(crate) fn exists(&self, id: BlobId) -> Result<bool, VaultError> {
        let path = self.path(id);
        self.disk.exists(&path).map_err(|error| VaultError::io("look for", &path, error))
    }

    /// Blocks.
    pub(crate) fn remove(&self, id: BlobId) {
        let path = self.path(id);
        match self.disk.remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a file that nobody refers to was not removed");
                self.set_orphans(true);
            }
        }
    }

    /// Opens a file to read from. Blocks.
    pub(crate) fn open_blob(&self, blob: &BlobRef) -> Result<Box<dyn DiskFile>, VaultError> {
        let path = self.path(blob.id);
        self.disk.open_read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => blob.corrupt(0, Damage::Missing),
            _ => VaultError::io("open", &path, error),
        })
    }

    /// The chunk that holds `offset`, verified, and where it begins. Blocks.
    pub(crate) fn read_chunk(
        &self,
        file: &dyn DiskFile,
        blob: &BlobRef,
        offset: u64,
    ) -> Result<(u64, Bytes), VaultError> {
        let (number, place) = blob.chunk_at(offset);
        let len = usize::try_from(place.end.saturating_sub(place.start)).unwrap_or(0);
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, place.start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => blob.corrupt(place.start, Damage::Short),
            _ => VaultError::io("read", &self.path(blob.id), error),
        })?;
        if blob.sums.0.get(number) != Some(&crc32c(&bytes)) {
            return Err(blob.corrupt(place.start, Damage::Checksum));
        }
        Ok((place.start, Bytes::from(bytes)))
    }

    /// Reads all of a blob and says whether it is what was stored. Blocks.
    pub(crate) fn verify(&self, blob: &BlobRef) -> Result<(), VaultError> {
        let file = self.open_blob(blob)?;
        let len = file.len().map_err(|error| VaultError::io("measure", &self.path(blob.id), error))?;
        if len > blob.len {
            return Err(blob.corrupt(blob.len, Damage::Long));
        }
        let mut offset = 0;
        while offset < blob.len {
            let (start, bytes) = self.read_chunk(&*file, blob, offset)?;
            offset = start + bytes.len() as u64;
        }
        Ok(())
    }
}

/// A file being written. Dropping it removes the file.
pub(crate) struct BlobWriter {
    pending: PendingBlob,
    file: Box<dyn DiskFile>,
    len: u64,
    sums: Vec<u32>,
}

impl BlobWriter {
    /// Appends a chunk: [`CHUNK_BYTES`], or less for the last. Blocks.
    pub(crate) fn write_chunk(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.file
            .write_all_at(bytes, self.len)
            .map_err(|error| VaultError::io("write", &self.pending.path(), error))?;
        self.len += bytes.len() as u64;
        self.sums.push(crc32c(bytes));
        Ok(())
    }

    /// Makes the bytes and the name durable. Blocks.
    pub(crate) fn finish(self) -> Result<(BlobRef, PendingBlob), VaultError> {
        let Self { pending, file, len, sums } = self;
        file.sync_data().map_err(|error| VaultError::io("sync", &pending.path(), error))?;
        let shard = pending.store.shard(pending.id);
        pending.store.disk.sync_dir(&shard).map_err(|error| VaultError::io("sync", &shard, error))?;
        let blob = BlobRef { id: pending.id, len, chunk: CHUNK_BYTES as u32, sums: ChunkSums(sums) };
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

/// See [`BlobStore::pin`].
pub(crate) struct Pin {
    store: Arc<BlobStore>,
    id: BlobId,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let doomed = {
            let mut uses = self.store.uses.lock();
            let Some(pinned) = uses.pinned.get_mut(&self.id) else { return };
            pinned.readers -= 1;
            if pinned.readers > 0 {
                return;
            }
            let doomed = pinned.doomed;
            uses.pinned.remove(&self.id);
            doomed
        };
        if doomed {
            self.store.remove(self.id);
        }
    }
}
