//! The form of a sealed file: eight bytes that say what it is, its id, then chunks.
//!
//! Each chunk has [`CHUNK`] bytes, the last one what is left, and each is [`TAG_BYTES`] longer. The file's key is derived
//! from the table's, its id and its path, so that no chunk opens in another place of the file, another file of this path,
//! or a file of another path.

use std::ops::Range;

use bytes::Bytes;
use object_store::path::Path;
use opentrail_cipher::{ChunkCipher, CipherFailed, ID_BYTES, TAG_BYTES};
use uuid::Uuid;

use super::DataKey;

/// How a sealed file begins. Parquet, Avro and JSON begin otherwise.
const MAGIC: [u8; 8] = *b"OTLSEAL1";
/// Bytes before the first chunk.
pub(super) const HEADER: u64 = (MAGIC.len() + ID_BYTES) as u64;
/// Bytes of a chunk before it is sealed: small enough that a page of a column costs little more than itself.
const CHUNK: u64 = 64 << 10;
const TAG: u64 = TAG_BYTES as u64;
/// Names what derived keys are for.
const OF_FILE: &[u8] = b"opentrail lake file 1";

/// A file's id, random: a path may be written more than once.
pub(super) type FileId = [u8; ID_BYTES];

/// The id in a file's first bytes; `None` for one that is not sealed.
pub(super) fn id_in(header: &[u8]) -> Option<FileId> {
    header.strip_prefix(&MAGIC)?.first_chunk().copied()
}

/// A sealed file whose key is there.
#[derive(Debug)]
pub(super) struct SealedFile {
    cipher: ChunkCipher,
    /// Bytes before it was sealed.
    pub(super) len: u64,
}

fn cipher(key: &DataKey, path: &Path, id: FileId) -> Result<ChunkCipher, CipherFailed> {
    ChunkCipher::new(key.bytes(), &[OF_FILE, &id, path.as_ref().as_bytes()], id)
}

/// How many chunks so many bytes are: no bytes are one too, so that their end is known.
fn chunks_of(len: u64) -> u64 {
    len.div_ceil(CHUNK).max(1)
}

/// Bytes of a file before it was sealed; `None` where no sealed file has this length.
fn plain_len(stored: u64) -> Option<u64> {
    let body = stored.checked_sub(HEADER).filter(|body| *body >= TAG)?;
    let chunks = body.div_ceil(CHUNK + TAG);
    let last = body - (chunks - 1) * (CHUNK + TAG);
    (last >= TAG).then(|| body - chunks * TAG)
}

/// A file as it is stored, sealed under an id that is drawn for it.
pub(super) fn seal(key: &DataKey, path: &Path, plain: &[Bytes]) -> Result<Vec<u8>, CipherFailed> {
    let id = Uuid::new_v4().into_bytes();
    let cipher = cipher(key, path, id)?;
    let len: u64 = plain.iter().map(|part| part.len() as u64).sum();
    let chunks = chunks_of(len);
    let size = usize::try_from(HEADER + len + chunks * TAG).unwrap_or(0);
    let mut stored = Vec::with_capacity(size);
    stored.extend_from_slice(&MAGIC);
    stored.extend_from_slice(&id);
    let mut parts = plain.iter().cloned();
    let mut part = Bytes::new();
    for number in 0..chunks {
        let mut chunk = Vec::with_capacity((CHUNK + TAG) as usize);
        while chunk.len() < CHUNK as usize {
            if part.is_empty() {
                let Some(next) = parts.next() else { break };
                part = next;
                continue;
            }
            let taken = part.split_to(part.len().min(CHUNK as usize - chunk.len()));
            chunk.extend_from_slice(&taken);
        }
        stored.extend(cipher.seal(number, number + 1 == chunks, chunk)?);
    }
    Ok(stored)
}

impl SealedFile {
    /// A file of so many bytes as it is stored; `None` where that can't be one.
    pub(super) fn new(
        key: &DataKey,
        path: &Path,
        id: FileId,
        stored: u64,
    ) -> Result<Option<Self>, CipherFailed> {
        let Some(len) = plain_len(stored) else { return Ok(None) };
        Ok(Some(Self { cipher: cipher(key, path, id)?, len }))
    }

    /// The chunks that have these bytes of the plain file.
    pub(super) fn chunks(&self, plain: &Range<u64>) -> Range<u64> {
        let last = plain.end.min(self.len).div_ceil(CHUNK);
        (plain.start / CHUNK).min(last)..last
    }

    /// Where the first of some chunks begins in the plain file.
    pub(super) fn start(&self, first: u64) -> u64 {
        first * CHUNK
    }

    /// Where chunks are in the stored file.
    pub(super) fn stored(&self, chunks: &Range<u64>) -> Range<u64> {
        let end = HEADER + chunks.end * (CHUNK + TAG);
        let most = HEADER + self.len + chunks_of(self.len) * TAG;
        HEADER + chunks.start * (CHUNK + TAG)..end.min(most)
    }

    /// Opens chunks that follow each other, of which `first` is the first; `None` if one is not as it was sealed.
    pub(super) fn open(&self, first: u64, stored: &[u8]) -> Option<Bytes> {
        let mut plain = Vec::with_capacity(stored.len());
        for (number, chunk) in (first..).zip(stored.chunks((CHUNK + TAG) as usize)) {
            let is_last = number + 1 == chunks_of(self.len);
            plain.extend(self.cipher.open(number, is_last, chunk.to_vec())?);
        }
        Some(plain.into())
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn key(byte: u8) -> DataKey {
        DataKey::new(Zeroizing::new([byte; 32]))
    }

    fn opened(stored: &[u8], path: &str, key: &DataKey) -> Option<Bytes> {
        let id = id_in(stored)?;
        let file = SealedFile::new(key, &Path::from(path), id, stored.len() as u64).unwrap()?;
        let chunks = 0..chunks_of(file.len);
        assert_eq!(file.stored(&chunks), HEADER..stored.len() as u64);
        file.open(0, &stored[HEADER as usize..])
    }

    #[test]
    fn files_of_all_lengths_come_back() {
        let chunk = CHUNK as usize;
        for len in [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3 * chunk + 7] {
            let plain: Bytes = (0..len).map(|at| (at % 251) as u8).collect();
            let parts = [plain.slice(..len / 3), Bytes::new(), plain.slice(len / 3..)];
            let stored = seal(&key(1), &Path::from("a/b"), &parts).unwrap();
            assert_eq!(plain_len(stored.len() as u64), Some(len as u64));
            assert_eq!(opened(&stored, "a/b", &key(1)).unwrap(), plain, "{len}");
            assert!(opened(&stored, "a/c", &key(1)).is_none());
            assert!(opened(&stored, "a/b", &key(2)).is_none());
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let plain = [Bytes::from(vec![7; 3 * CHUNK as usize])];
        let path = Path::from("t/data/x.parquet");
        let stored = seal(&key(1), &path, &plain).unwrap();
        let (chunk, header) = ((CHUNK + TAG) as usize, HEADER as usize);
        for at in [8, 20, header, header + 5, header + chunk, stored.len() - 1] {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, "t/data/x.parquet", &key(1)).is_none(), "a bit at {at}");
        }
        for len in [stored.len() - 1, header + 2 * chunk, header + chunk, header + 3, header] {
            assert!(opened(&stored[..len], "t/data/x.parquet", &key(1)).is_none(), "cut at {len}");
        }
        let mut swapped = stored[..header].to_vec();
        swapped.extend_from_slice(&stored[header + chunk..header + 2 * chunk]);
        swapped.extend_from_slice(&stored[header..header + chunk]);
        swapped.extend_from_slice(&stored[header + 2 * chunk..]);
        assert!(opened(&swapped, "t/data/x.parquet", &key(1)).is_none());
        // Chunks of another file of the same name.
        let other = seal(&key(1), &path, &plain).unwrap();
        let mut mixed = stored.clone();
        mixed[header..header + chunk].copy_from_slice(&other[header..header + chunk]);
        assert!(opened(&mixed, "t/data/x.parquet", &key(1)).is_none());
    }
}
