//! Files that hold the bytes of objects and parts.
//!
//! A file is written once, synced with its name before the fact that refers to it is written, never changed,
//! and removed when the index stops referring to it. Each belongs to exactly one version or part.

mod writer;

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

pub(crate) use self::writer::{BlobWriter, PendingBlob};
use crate::{
    VaultError,
    checksum::crc32c,
    cipher::{BlobCipher, TAG_BYTES},
    encryption::ObjectKey,
    error::Damage,
    id::BlobId,
};

/// A file, with the checksum of each of its chunks.
///
/// `len` and `chunk` are those of the content; where the file is encrypted, each chunk is [`TAG_BYTES`] longer in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRef {
    pub(crate) id: BlobId,
    pub(crate) len: u64,
    /// Bytes of each chunk but the last.
    chunk: u32,
    /// CRC-32C of each chunk as it is stored.
    sums: ChunkSums,
    /// Whether the chunks are encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sealed: bool,
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
    /// The chunk that holds `offset`.
    fn chunk_at(&self, offset: u64) -> ChunkPlace {
        let size = u64::from(self.chunk.max(1));
        let number = offset / size;
        let start = number * size;
        let end = (start + size).min(self.len);
        let tag = if self.sealed { TAG_BYTES as u64 } else { 0 };
        let stored = start + number * tag;
        let len = if end > start { end - start + tag } else { 0 };
        ChunkPlace { number, start, stored: stored..stored + len, is_last: end == self.len }
    }

    /// Bytes that the file has on disk.
    fn stored_len(&self) -> u64 {
        self.len.checked_sub(1).map_or(0, |last| self.chunk_at(last).stored.end)
    }

    /// Bytes that a chunk has on disk, at most.
    pub(crate) fn stored_chunk_len(&self) -> usize {
        let content = u64::from(self.chunk).min(self.len);
        usize::try_from(content).unwrap_or(0) + if self.sealed { TAG_BYTES } else { 0 }
    }

    fn corrupt(&self, offset: u64, damage: Damage) -> VaultError {
        metrics::counter!("opentrail_vault_corrupt_reads_total").increment(1);
        tracing::error!(blob = %self.id, offset, %damage, "stored bytes are damaged");
        VaultError::Corrupt { blob: self.id.to_string(), offset, damage }
    }
}

/// Where a chunk is.
struct ChunkPlace {
    number: u64,
    /// Where it begins in the content.
    start: u64,
    /// Where it is in the file.
    stored: std::ops::Range<u64>,
    is_last: bool,
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

    /// Begins a new file, encrypted where there is a key. Blocks.
    pub(crate) fn create(self: &Arc<Self>, key: Option<&ObjectKey>) -> Result<BlobWriter, VaultError> {
        let id = BlobId::random();
        let cipher = key.map(|key| BlobCipher::new(key, id)).transpose()?;
        let pending = PendingBlob::new(self, id);
        let path = self.path(id);
        let file = self
            .disk
            .create_new(&path, Access::Private)
            .map_err(|error| VaultError::io("create", &path, error))?;
        Ok(BlobWriter::new(pending, file, cipher))
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

    /// The chunk that holds `offset`, verified and decrypted, and where it begins in the content. Blocks.
    pub(crate) fn read_chunk(
        &self,
        file: &dyn DiskFile,
        blob: &BlobRef,
        cipher: Option<&BlobCipher>,
        offset: u64,
        room: Vec<u8>,
    ) -> Result<(u64, Bytes), VaultError> {
        let place = blob.chunk_at(offset);
        let stored = self.read_stored(file, blob, &place, room)?;
        // An object with a key has no bytes in the clear, nor can one without have others.
        let content = match (blob.sealed, cipher) {
            (false, None) => Some(stored),
            (true, Some(cipher)) => cipher.open(place.number, place.is_last, stored),
            _ => None,
        };
        match content {
            Some(content) => Ok((place.start, Bytes::from(content))),
            None => Err(blob.corrupt(place.start, Damage::Forged)),
        }
    }

    /// A chunk as it is stored, held against its checksum.
    fn read_stored(
        &self,
        file: &dyn DiskFile,
        blob: &BlobRef,
        place: &ChunkPlace,
        mut bytes: Vec<u8>,
    ) -> Result<Vec<u8>, VaultError> {
        let len = usize::try_from(place.stored.end - place.stored.start).unwrap_or(0);
        bytes.clear();
        bytes.resize(len, 0);
        file.read_exact_at(&mut bytes, place.stored.start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => blob.corrupt(place.start, Damage::Short),
            _ => VaultError::io("read", &self.path(blob.id), error),
        })?;
        let number = usize::try_from(place.number).unwrap_or(usize::MAX);
        if blob.sums.0.get(number) != Some(&crc32c(&bytes)) {
            return Err(blob.corrupt(place.start, Damage::Checksum));
        }
        Ok(bytes)
    }

    /// Reads all of a blob and says whether it is what was stored; what is encrypted needs no key for that. Blocks.
    pub(crate) fn verify(&self, blob: &BlobRef) -> Result<(), VaultError> {
        let file = self.open_blob(blob)?;
        let len = file.len().map_err(|error| VaultError::io("measure", &self.path(blob.id), error))?;
        if len > blob.stored_len() {
            return Err(blob.corrupt(blob.len, Damage::Long));
        }
        let (mut offset, mut room) = (0, Vec::new());
        while offset < blob.len {
            room = self.read_stored(&*file, blob, &blob.chunk_at(offset), room)?;
            offset += u64::from(blob.chunk.max(1));
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use opentrail_journal::disk::RealDisk;
    use tempfile::TempDir;

    use super::{BlobCipher, BlobRef, BlobStore, ChunkSums, TAG_BYTES};
    use crate::{VaultError, checksum::crc32c, encryption::ObjectKey, error::Damage, limits::CHUNK_BYTES};

    const STORED: usize = CHUNK_BYTES + TAG_BYTES;

    fn store(dir: &Path) -> Arc<BlobStore> {
        Arc::new(BlobStore::open(dir, Arc::new(RealDisk)).expect("a store"))
    }

    fn key() -> ObjectKey {
        ObjectKey::new([7; 32].into())
    }

    /// A blob of two whole chunks and a short one, each of one letter.
    fn write(store: &Arc<BlobStore>) -> BlobRef {
        let mut writer = store.create(Some(&key())).expect("a writer");
        for (letter, len) in [(b'a', CHUNK_BYTES), (b'b', CHUNK_BYTES), (b'c', 10)] {
            writer.write_chunk(&vec![letter; len]).expect("written");
        }
        let (blob, pending) = writer.finish().expect("finished");
        pending.keep();
        blob
    }

    /// What someone who knows the format, and can write into the index, but has no key, makes of the file.
    fn forge(store: &BlobStore, blob: &BlobRef, stored: Vec<u8>, len: u64) -> BlobRef {
        let sums = stored.chunks(STORED).map(crc32c).collect();
        std::fs::write(store.path(blob.id), stored).expect("written");
        BlobRef { len, sums: ChunkSums(sums), ..blob.clone() }
    }

    fn read(store: &BlobStore, blob: &BlobRef, offset: u64) -> Result<u8, VaultError> {
        let cipher = BlobCipher::new(&key(), blob.id)?;
        let file = store.open_blob(blob)?;
        store.read_chunk(&*file, blob, Some(&cipher), offset, Vec::new()).map(|(_, bytes)| bytes[0])
    }

    fn is_forged(read: Result<u8, VaultError>) -> bool {
        matches!(read, Err(VaultError::Corrupt { damage: Damage::Forged, .. }))
    }

    #[test]
    fn chunks_that_changed_places_are_not_read() {
        let dir = TempDir::new().expect("a folder");
        let store = store(dir.path());
        let blob = write(&store);
        assert_eq!(read(&store, &blob, CHUNK_BYTES as u64).ok(), Some(b'b'));
        let stored = std::fs::read(store.path(blob.id)).expect("the file");
        let exchanged = [&stored[STORED..2 * STORED], &stored[..STORED], &stored[2 * STORED..]].concat();
        let forged = forge(&store, &blob, exchanged, blob.len);
        store.verify(&forged).expect("the checksums are right");
        assert!(is_forged(read(&store, &forged, 0)));
        assert!(is_forged(read(&store, &forged, CHUNK_BYTES as u64)));
        assert_eq!(read(&store, &forged, 2 * CHUNK_BYTES as u64).ok(), Some(b'c'));
    }

    #[test]
    fn a_blob_that_lost_its_end_is_noticed_there() {
        let dir = TempDir::new().expect("a folder");
        let store = store(dir.path());
        let blob = write(&store);
        let stored = std::fs::read(store.path(blob.id)).expect("the file");
        let forged = forge(&store, &blob, stored[..2 * STORED].to_vec(), 2 * CHUNK_BYTES as u64);
        store.verify(&forged).expect("the checksums are right");
        assert_eq!(read(&store, &forged, 0).ok(), Some(b'a'));
        assert!(is_forged(read(&store, &forged, CHUNK_BYTES as u64)));
    }

    #[test]
    fn another_blob_of_the_same_key_is_not_read_in_its_place() {
        let dir = TempDir::new().expect("a folder");
        let store = store(dir.path());
        let (one, other) = (write(&store), write(&store));
        let stored = std::fs::read(store.path(other.id)).expect("the file");
        let forged = forge(&store, &one, stored, one.len);
        assert!(is_forged(read(&store, &forged, 0)));
    }

    #[test]
    fn bytes_in_the_clear_are_not_taken_for_encrypted_ones() {
        let dir = TempDir::new().expect("a folder");
        let store = store(dir.path());
        let blob = write(&store);
        let clear = BlobRef { sealed: false, ..blob.clone() };
        let content = vec![b'x'; 2 * CHUNK_BYTES + 10];
        let sums = content.chunks(CHUNK_BYTES).map(crc32c).collect();
        std::fs::write(store.path(blob.id), &content).expect("written");
        let forged = BlobRef { sums: ChunkSums(sums), ..clear };
        assert!(is_forged(read(&store, &forged, 0)));
    }
}
