//! Bytes on their way in: hashed as they pass, and on disk before anything refers to them.

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    ChecksumAlgorithm, Vault, VaultError,
    blob::{BlobStore, BlobWriter, PendingBlob},
    checksum::{Checksums, Expected, Hasher, crc32c},
    cipher::{BlobCipher, hidden_etag},
    encryption::{Encryption, ObjectKey},
    id::BlobId,
    limits::{self, CHUNK_BYTES},
    object::Body,
    packed::Packer,
    storage_class::StorageClass,
};

use std::sync::Arc;

/// Bytes that are durable (or travel with the fact) and that nothing refers to yet.
pub(crate) struct Staged {
    pub(crate) size: u64,
    /// The entity tag of these bytes.
    pub(crate) etag: String,
    pub(crate) checksums: Checksums,
    pub(crate) body: Body,
    pub(crate) inline: Bytes,
    pub(crate) pending: Option<PendingBlob>,
}

/// Where bytes go. Dropping it leaves nothing behind.
pub(crate) struct Sink {
    blobs: Arc<BlobStore>,
    buffer: BytesMut,
    received: u64,
    declared: Option<u64>,
    limit: u64,
    inline_bytes: usize,
    work: Work,
}

/// Hashing and writing happen on a thread that may block, one chunk at a time, while the next one arrives.
enum Work {
    Idle(Box<Progress>),
    Busy(JoinHandle<Result<Box<Progress>, VaultError>>),
    Failed,
}

/// The key that bytes are encrypted with.
pub(crate) struct ContentKey {
    key: ObjectKey,
    hides_md5: bool,
}

impl ContentKey {
    pub(crate) fn new(key: ObjectKey, how: &Encryption) -> Self {
        Self { key, hides_md5: how.hides_md5() }
    }
}

struct Progress {
    hasher: Hasher,
    /// Encrypts what is stored.
    key: Option<ContentKey>,
    writer: Option<BlobWriter>,
    /// Compresses what is stored.
    packer: Option<Packer>,
}

impl Progress {
    fn take(&mut self, blobs: &Arc<BlobStore>, chunk: &[u8]) -> Result<(), VaultError> {
        self.hasher.update(chunk);
        let Some(mut packer) = self.packer.take() else { return self.store(blobs, chunk) };
        packer.push(chunk)?;
        while let Some(piece) = packer.next_chunk() {
            self.store(blobs, &piece)?;
        }
        self.packer = Some(packer);
        Ok(())
    }

    fn store(&mut self, blobs: &Arc<BlobStore>, chunk: &[u8]) -> Result<(), VaultError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(blobs.create(self.key.as_ref().map(|of| &of.key))?),
        };
        writer.write_chunk(chunk)
    }
}

impl Sink {
    pub(crate) fn new(
        vault: &Vault,
        algorithms: &[ChecksumAlgorithm],
        declared: Option<u64>,
    ) -> Result<Self, VaultError> {
        let limit = limits::MAX_SINGLE_PUT_BYTES;
        if declared.is_some_and(|declared| declared > limit) {
            return Err(VaultError::EntityTooLarge { limit });
        }
        let progress = Progress { hasher: Hasher::new(algorithms), key: None, writer: None, packer: None };
        Ok(Self {
            blobs: Arc::clone(&vault.inner.blobs),
            buffer: BytesMut::new(),
            received: 0,
            declared,
            limit,
            inline_bytes: vault.inner.options.inline_bytes,
            work: Work::Idle(Box::new(progress)),
        })
    }

    /// Keeps the bytes compressed, if the storage class asks for it.
    pub(crate) fn in_class(mut self, storage_class: &str) -> Self {
        if let Work::Idle(progress) = &mut self.work
            && StorageClass::is_packed(storage_class)
        {
            progress.packer = Some(Packer::default());
        }
        self
    }

    /// Keeps the bytes encrypted, if there is a key.
    pub(crate) fn encrypted_with(mut self, key: Option<ContentKey>) -> Self {
        if let Work::Idle(progress) = &mut self.work {
            progress.key = key;
        }
        self
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.received += bytes.len() as u64;
        if self.received > self.limit {
            return Err(VaultError::EntityTooLarge { limit: self.limit });
        }
        if let Some(declared) = self.declared
            && self.received > declared
        {
            return Err(VaultError::IncompleteBody { declared, received: self.received });
        }
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= CHUNK_BYTES {
            let chunk = self.buffer.split_to(CHUNK_BYTES).freeze();
            let mut progress = self.progress().await?;
            let blobs = Arc::clone(&self.blobs);
            self.work = Work::Busy(spawn_blocking(move || {
                progress.take(&blobs, &chunk)?;
                Ok(progress)
            }));
        }
        Ok(())
    }

    async fn progress(&mut self) -> Result<Box<Progress>, VaultError> {
        match std::mem::replace(&mut self.work, Work::Failed) {
            Work::Idle(progress) => Ok(progress),
            Work::Busy(task) => task.await.unwrap_or(Err(VaultError::Closing)),
            Work::Failed => Err(VaultError::Closing),
        }
    }

    /// Ends the bytes: checks length and checksums, and makes them durable unless they are few.
    pub(crate) async fn finish(mut self, expected: &Expected) -> Result<Staged, VaultError> {
        if let Some(declared) = self.declared
            && self.received != declared
        {
            return Err(VaultError::IncompleteBody { declared, received: self.received });
        }
        let progress = self.progress().await?;
        let (size, rest) = (self.received, self.buffer.freeze());
        if progress.writer.is_none() && rest.len() as u64 == size && rest.len() <= self.inline_bytes {
            return finish_inline(*progress, rest, expected);
        }
        let (blobs, expected) = (self.blobs, expected.clone());
        crate::follow::blocking(move || finish_file(&blobs, *progress, &rest, size, &expected)).await
    }
}

/// The entity tag and checksums of what passed, held against what the caller says they are.
fn tag_of(
    hasher: Hasher,
    key: Option<&ContentKey>,
    expected: &Expected,
) -> Result<(String, Checksums), VaultError> {
    let hashes = hasher.finish();
    hashes.verify(expected)?;
    let etag = match key.filter(|of| of.hides_md5) {
        Some(of) => hidden_etag(&of.key, hashes.md5)?,
        None => hex::encode(hashes.md5),
    };
    Ok((etag, hashes.checksums))
}

fn finish_inline(progress: Progress, bytes: Bytes, expected: &Expected) -> Result<Staged, VaultError> {
    let Progress { mut hasher, key, packer, .. } = progress;
    hasher.update(&bytes);
    let (etag, checksums) = tag_of(hasher, key.as_ref(), expected)?;
    let size = bytes.len() as u64;
    let (frames, stored) = match packer {
        Some(packer) => packer.whole(bytes)?,
        None => (None, bytes),
    };
    if stored.is_empty() {
        return Ok(Staged { size, etag, checksums, body: Body::Empty, inline: stored, pending: None });
    }
    let (blob, sealed) = (BlobId::random(), key.is_some());
    let inline = match key {
        Some(of) => BlobCipher::new(&of.key, blob)?.seal(0, true, stored.to_vec())?.into(),
        None => stored,
    };
    let body = Body::Inline { blob, crc32c: crc32c(&inline), sealed };
    Ok(Staged { size, etag, checksums, body: body.in_frames(frames), inline, pending: None })
}

fn finish_file(
    blobs: &Arc<BlobStore>,
    mut progress: Progress,
    rest: &[u8],
    size: u64,
    expected: &Expected,
) -> Result<Staged, VaultError> {
    if !rest.is_empty() {
        progress.take(blobs, rest)?;
    }
    let frames = match progress.packer.take() {
        Some(mut packer) => {
            let last = packer.last_chunk();
            if !last.is_empty() {
                progress.store(blobs, &last)?;
            }
            packer.frames()
        }
        None => None,
    };
    let Progress { hasher, key, writer, .. } = progress;
    let (etag, checksums) = tag_of(hasher, key.as_ref(), expected)?;
    let inline = Bytes::new();
    let Some(writer) = writer else {
        return Ok(Staged { size, etag, checksums, body: Body::Empty, inline, pending: None });
    };
    let (blob, pending) = writer.finish()?;
    let body = Body::File(blob).in_frames(frames);
    Ok(Staged { size, etag, checksums, body, inline, pending: Some(pending) })
}
