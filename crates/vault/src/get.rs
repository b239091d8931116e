//! Reading an object.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream};
use opentrail_journal::disk::DiskFile;
use redb::ReadTransaction;

use crate::{
    Bucket, ByteRange, Vault, VaultError,
    blob::{BlobRef, BlobStore, Pin},
    checksum::crc32c,
    cipher::BlobCipher,
    encryption::{Encryption, ObjectKey, SealedKey},
    error::{Damage, IndexEntryError},
    follow::blocking,
    id::{BlobId, UploadId},
    limits::READ_PIECE_BYTES,
    lookup,
    multipart::PartRecord,
    object::{Body, ObjectMeta, check_key},
    packed::Frames,
    tables::{INLINE, PARTS, decode_row},
    upload::Staged,
};

/// How often an object that is replaced at the very moment of reading is looked up again.
const LOOKUPS: usize = 16;

/// One stretch of an object's bytes.
#[derive(Debug, Clone)]
enum Source {
    /// Bytes in the clear.
    Memory(Bytes),
    /// Few bytes, encrypted.
    Sealed(BlobId, Bytes),
    File(BlobRef),
}

#[derive(Debug, Clone)]
struct Segment {
    start: u64,
    len: u64,
    part_number: u16,
    source: Source,
    /// What the source holds is compressed.
    frames: Option<Frames>,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// An object found, its bytes ready to be read. They stay readable even if the object is replaced or deleted.
pub struct ObjectReader {
    meta: ObjectMeta,
    segments: Arc<Vec<Segment>>,
    blobs: Arc<BlobStore>,
    pins: Arc<Vec<Pin>>,
    keeper: Arc<KeyKeeper>,
}

/// What an encrypted object is opened with, and its key once that was done.
struct KeyKeeper {
    vault: Vault,
    bucket: Arc<Bucket>,
    key: String,
    sealed: Option<(Encryption, SealedKey)>,
    opened: OnceLock<ObjectKey>,
}

impl KeyKeeper {
    /// The object's key; none for an object in the clear.
    fn key(&self) -> Result<Option<ObjectKey>, VaultError> {
        let Some((how, sealed)) = &self.sealed else { return Ok(None) };
        if let Some(key) = self.opened.get() {
            return Ok(Some(key.clone()));
        }
        let key = self.vault.open_key(how, sealed, &self.bucket, &self.key)?;
        Ok(Some(self.opened.get_or_init(|| key).clone()))
    }
}

impl Vault {
    /// What is known about an object: the current one, or the version with this id.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchKey`], [`VaultError::NoSuchVersion`],
    /// [`VaultError::VersionIsDeleteMarker`], [`VaultError::IndexUnavailable`].
    pub fn head(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<ObjectMeta, VaultError> {
        check_key(key)?;
        let bucket = self.bucket(bucket)?;
        self.inner.index.read(|read| lookup::object(read, bucket.id, key, version_id))
    }

    /// Opens an object to read from.
    ///
    /// # Errors
    /// As [`Vault::head`].
    pub fn get(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<ObjectReader, VaultError> {
        check_key(key)?;
        let bucket = self.bucket(bucket)?;
        for _ in 0..LOOKUPS {
            let find = |read: &ReadTransaction| lookup::object(read, bucket.id, key, version_id);
            let (meta, segments) = self.inner.index.read(|read| {
                let meta = find(read)?;
                let segments = segments_of(read, &meta)?;
                Ok((meta, segments))
            })?;
            let blobs = &self.inner.blobs;
            let pins: Vec<_> = files_of(&segments).map(|id| blobs.pin(id)).collect();
            // A blob that the index still refers to after it was pinned cannot go away any more.
            let stands = pins.is_empty()
                || self.inner.index.read(|read| still_in(read, &find(read)?, &meta, &segments))?;
            if stands {
                let (segments, pins) = (Arc::new(segments), Arc::new(pins));
                let keeper = Arc::new(KeyKeeper {
                    vault: self.clone(),
                    bucket,
                    key: key.to_owned(),
                    sealed: meta.object.encryption.clone().zip(meta.sealed_key.clone()),
                    opened: OnceLock::new(),
                });
                return Ok(ObjectReader { meta, segments, blobs: Arc::clone(blobs), pins, keeper });
            }
        }
        Err(VaultError::IndexUnavailable)
    }
}

/// Whether an object that was found still has the body it had, down to the files of its parts.
fn still_in(
    read: &ReadTransaction,
    found: &ObjectMeta,
    meta: &ObjectMeta,
    segments: &[Segment],
) -> Result<bool, VaultError> {
    if found.body != meta.body {
        return Ok(false);
    }
    let Body::Parts { .. } = meta.body else { return Ok(true) };
    Ok(files_of(&segments_of(read, found)?).eq(files_of(segments)))
}

fn files_of(segments: &[Segment]) -> impl Iterator<Item = BlobId> {
    segments.iter().filter_map(|segment| match &segment.source {
        Source::File(blob) => Some(blob.id),
        Source::Memory(_) | Source::Sealed(..) => None,
    })
}

fn segments_of(read: &ReadTransaction, meta: &ObjectMeta) -> Result<Vec<Segment>, VaultError> {
    let mut segments = Vec::new();
    match &meta.body {
        Body::Parts { upload, .. } => {
            let mut start = 0;
            for (number, part) in parts_of(read, *upload)? {
                let (source, frames) = indexed(read, &part.body)?;
                segments.push(Segment { start, len: part.size, part_number: number, source, frames });
                start += part.size;
            }
            if start != meta.size {
                return Err(IndexEntryError::Dangling("part").into());
            }
        }
        body => {
            let (source, frames) = indexed(read, body)?;
            segments.push(Segment { start: 0, len: meta.size, part_number: 1, source, frames });
        }
    }
    Ok(segments)
}

pub(crate) fn parts_of(
    read: &ReadTransaction,
    upload: UploadId,
) -> Result<Vec<(u16, PartRecord)>, VaultError> {
    let mut parts = Vec::new();
    for row in read.open_table(PARTS)?.range((upload.0, 0)..=(upload.0, u16::MAX))? {
        let (key, value) = row?;
        parts.push((key.value().1, decode_row::<PartRecord>(value.value())?));
    }
    Ok(parts)
}

/// Where a body's bytes are that the index refers to.
fn indexed(read: &ReadTransaction, body: &Body) -> Result<(Source, Option<Frames>), VaultError> {
    source_of(body, &|blob, expected| inline_bytes(read, blob, expected))
}

/// Where a body's bytes are; those of a small one are told by `inline`.
fn source_of(
    body: &Body,
    inline: &dyn Fn(BlobId, u32) -> Result<Bytes, VaultError>,
) -> Result<(Source, Option<Frames>), VaultError> {
    match body {
        Body::Empty => Ok((Source::Memory(Bytes::new()), None)),
        Body::File(blob) => Ok((Source::File(blob.clone()), None)),
        Body::Inline { blob, crc32c: expected, sealed } => {
            let bytes = inline(*blob, *expected)?;
            Ok((if *sealed { Source::Sealed(*blob, bytes) } else { Source::Memory(bytes) }, None))
        }
        Body::Packed { stored, frames } => Ok((source_of(stored, inline)?.0, Some(frames.clone()))),
        Body::Parts { .. } => Err(IndexEntryError::Dangling("body").into()),
    }
}

/// The small bytes kept in the index, verified.
pub(crate) fn inline_bytes(read: &ReadTransaction, blob: BlobId, expected: u32) -> Result<Bytes, VaultError> {
    let corrupt = |damage| VaultError::Corrupt { blob: blob.to_string(), offset: 0, damage };
    let Some(row) = read.open_table(INLINE)?.get(blob.0)? else { return Err(corrupt(Damage::Missing)) };
    let bytes = Bytes::copy_from_slice(row.value());
    if crc32c(&bytes) != expected {
        metrics::counter!("opentrail_vault_corrupt_reads_total").increment(1);
        return Err(corrupt(Damage::Checksum));
    }
    Ok(bytes)
}

impl ObjectReader {
    /// What is known about the object.
    pub fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    /// The bucket that the object was found in.
    pub fn bucket(&self) -> &Bucket {
        &self.keeper.bucket
    }

    /// Opens the object's key, so that a caller who can't have it hears so before the first byte; reading does it
    /// by itself otherwise. Nothing happens to an object that is not encrypted.
    ///
    /// # Errors
    /// [`VaultError::Key`].
    pub fn open_key(&self) -> Result<(), VaultError> {
        self.keeper.key().map(drop)
    }

    /// Reads bytes that were staged with this object's key and that nothing refers to yet, as they would be read
    /// once something does. They are there as long as `staged` is.
    pub(crate) fn of_staged(&self, staged: &Staged) -> Result<Self, VaultError> {
        let (source, frames) = source_of(&staged.body, &|blob, expected| {
            if crc32c(&staged.inline) == expected { Ok(staged.inline.clone()) } else { Err(altered(blob)) }
        })?;
        let segment = Segment { start: 0, len: staged.size, part_number: 1, source, frames };
        Ok(Self {
            meta: ObjectMeta { size: staged.size, ..self.meta.clone() },
            segments: Arc::new(vec![segment]),
            blobs: Arc::clone(&self.blobs),
            pins: Arc::default(),
            keeper: Arc::clone(&self.keeper),
        })
    }

    /// The bytes that a range names.
    ///
    /// # Errors
    /// [`VaultError::InvalidRange`].
    pub fn resolve(&self, range: ByteRange) -> Result<Range<u64>, VaultError> {
        range.within(self.meta.size)
    }

    /// The bytes of one part; part 1 of an object that was not a multipart upload is all of it.
    ///
    /// # Errors
    /// [`VaultError::InvalidPartNumber`].
    pub fn part(&self, part_number: u16) -> Result<Range<u64>, VaultError> {
        let found = self.segments.iter().find(|segment| segment.part_number == part_number);
        let parts = self.meta.parts_count().unwrap_or(1);
        found
            .map(|segment| segment.start..segment.end())
            .ok_or(VaultError::InvalidPartNumber { part_number, parts })
    }

    /// Streams bytes of the object in pieces of at most [`READ_PIECE_BYTES`]. Each piece was verified against its
    /// checksum; damaged bytes are an error and never handed out.
    pub fn stream(
        &self,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, VaultError>> + Send + 'static {
        let end = range.end.min(self.meta.size);
        let state = Reading {
            segments: Arc::clone(&self.segments),
            blobs: Arc::clone(&self.blobs),
            _pins: Arc::clone(&self.pins),
            keeper: Arc::clone(&self.keeper),
            at: range.start,
            end,
            file: None,
            ready: Bytes::new(),
        };
        stream::try_unfold(state, Reading::next)
    }

    /// All of the object, or of a range, in memory. For objects whose size the caller bounds.
    ///
    /// # Errors
    /// As the stream: [`VaultError::Corrupt`], [`VaultError::Io`].
    pub async fn bytes(&self, range: Range<u64>) -> Result<Bytes, VaultError> {
        use futures::TryStreamExt;
        let capacity = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        let whole = bytes::BytesMut::with_capacity(capacity.min(READ_PIECE_BYTES));
        let whole = self.stream(range).try_fold(whole, |mut whole, piece| async move {
            whole.extend_from_slice(&piece);
            Ok(whole)
        });
        Ok(whole.await?.freeze())
    }
}

/// A file being read, and what decrypts it.
struct OpenFile {
    blob: BlobId,
    file: Box<dyn DiskFile>,
    cipher: Option<BlobCipher>,
}

struct Reading {
    segments: Arc<Vec<Segment>>,
    blobs: Arc<BlobStore>,
    _pins: Arc<Vec<Pin>>,
    keeper: Arc<KeyKeeper>,
    at: u64,
    end: u64,
    file: Option<OpenFile>,
    /// Verified bytes from `at` on.
    ready: Bytes,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, VaultError> {
        if self.at >= self.end {
            return Ok(None);
        }
        if self.ready.is_empty() {
            self.ready = self.load().await?;
        }
        let piece = self.ready.split_to(self.ready.len().min(READ_PIECE_BYTES));
        self.at += piece.len() as u64;
        Ok(Some((piece, self)))
    }

    /// The bytes from `at` to the end of what is read and verified as one.
    async fn load(&mut self) -> Result<Bytes, VaultError> {
        let next = self.segments.partition_point(|segment| segment.end() <= self.at);
        let segments = Arc::clone(&self.segments);
        let segment = segments.get(next).ok_or(IndexEntryError::Dangling("segment"))?;
        let (offset, wanted) = (self.at - segment.start, self.end - self.at);
        let bytes = match &segment.frames {
            Some(frames) => self.unpacked(&segment.source, frames, offset).await?,
            None => self.stored(&segment.source, offset).await?,
        };
        if bytes.is_empty() {
            return Err(IndexEntryError::Dangling("segment").into());
        }
        Ok(bytes.slice(..bytes.len().min(to_len(wanted))))
    }

    /// The bytes of the frame that holds `offset`, from there on.
    async fn unpacked(&mut self, source: &Source, frames: &Frames, offset: u64) -> Result<Bytes, VaultError> {
        let frame = frames.holding(offset).ok_or(IndexEntryError::Dangling("frame"))?;
        let mut stored = BytesMut::with_capacity(to_len(frame.stored.end - frame.stored.start));
        while frame.stored.start + (stored.len() as u64) < frame.stored.end {
            let at = frame.stored.start + stored.len() as u64;
            let piece = self.stored(source, at).await?;
            if piece.is_empty() {
                return Err(IndexEntryError::Dangling("frame").into());
            }
            stored.extend_from_slice(&piece[..piece.len().min(to_len(frame.stored.end - at))]);
        }
        let (stored, skip) = (stored.freeze(), to_len(offset - frame.start));
        let bytes = blocking(move || frame.unpack(stored)).await?;
        Ok(bytes.slice(skip.min(bytes.len())..))
    }

    /// The bytes of a source from `offset` to the end of what is read and verified as one.
    async fn stored(&mut self, source: &Source, offset: u64) -> Result<Bytes, VaultError> {
        Ok(match source {
            Source::Memory(bytes) if self.keeper.sealed.is_some() && !bytes.is_empty() => {
                return Err(forged("inline".to_owned()));
            }
            Source::Memory(bytes) => bytes.slice(to_len(offset).min(bytes.len())..),
            Source::Sealed(blob, stored) => {
                let bytes = unseal(self.keeper.key()?.as_ref(), *blob, stored)?;
                bytes.slice(to_len(offset).min(bytes.len())..)
            }
            Source::File(blob) => {
                let blob = blob.clone();
                let open = self.file.take().filter(|open| open.blob == blob.id);
                let (blobs, key) = (Arc::clone(&self.blobs), self.keeper.key()?);
                // Made where it is freed: a thread for blocking work would keep what others free until it works
                // again.
                let room = Vec::with_capacity(blob.stored_chunk_len());
                let (file, bytes) =
                    blocking(move || read_file(&blobs, open, key.as_ref(), &blob, offset, room)).await?;
                self.file = Some(file);
                bytes
            }
        })
    }
}

fn read_file(
    blobs: &BlobStore,
    open: Option<OpenFile>,
    key: Option<&ObjectKey>,
    blob: &BlobRef,
    offset: u64,
    room: Vec<u8>,
) -> Result<(OpenFile, Bytes), VaultError> {
    let open = match open {
        Some(open) => open,
        None => OpenFile {
            blob: blob.id,
            file: blobs.open_blob(blob)?,
            cipher: key.map(|key| BlobCipher::new(key, blob.id)).transpose()?,
        },
    };
    let (start, chunk) = blobs.read_chunk(&*open.file, blob, open.cipher.as_ref(), offset, room)?;
    let bytes = chunk.slice(to_len(offset - start).min(chunk.len())..);
    Ok((open, bytes))
}

fn unseal(key: Option<&ObjectKey>, blob: BlobId, stored: &Bytes) -> Result<Bytes, VaultError> {
    let Some(key) = key else { return Err(forged(blob.to_string())) };
    let opened = BlobCipher::new(key, blob)?.open(0, true, stored.to_vec());
    opened.map(Bytes::from).ok_or_else(|| forged(blob.to_string()))
}

fn forged(blob: String) -> VaultError {
    metrics::counter!("opentrail_vault_corrupt_reads_total").increment(1);
    let damage = Damage::Forged;
    tracing::error!(blob, %damage, "stored bytes are damaged");
    VaultError::Corrupt { blob, offset: 0, damage }
}

/// The damage of bytes that were written and read back as others.
pub(crate) fn altered(blob: BlobId) -> VaultError {
    let (blob, damage) = (blob.to_string(), Damage::Checksum);
    metrics::counter!("opentrail_vault_corrupt_reads_total").increment(1);
    tracing::error!(blob, %damage, "bytes do not read as they were written: the old ones stay");
    VaultError::Corrupt { blob, offset: 0, damage }
}

fn to_len(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
