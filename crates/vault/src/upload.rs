//! Bytes on their way in: hashed as they pass, and on disk before anything refers to them.

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    ChecksumAlgorithm, Vault, VaultError,
    blob::{BlobStore, BlobWriter, PendingBlob},
    checksum::{Expected, Hasher, Hashes, crc32c},
    id::BlobId,
    limits::{self, CHUNK_BYTES},
    object::Body,
};

use std::sync::Arc;

/// Bytes that are durable (or travel with the fact) and that nothing refers to yet.
pub(crate) struct Staged {
    pub(crate) size: u64,
    pub(crate) hashes: Hashes,
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

struct Progress {
    hasher: Hasher,
    writer: Option<BlobWriter>,
}

impl Progress {
    fn take(&mut self, blobs: &Arc<BlobStore>, chunk: &[u8]) -> Result<(), VaultError> {
        self.hasher.update(chunk);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(blobs.create()?),
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
        let progress = Progress { hasher: Hasher::new(algorithms), writer: None };
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
        if progress.writer.is_none() && rest.len() <= self.inline_bytes {
            return finish_inline(*progress, rest, expected);
        }
        let (blobs, expected) = (self.blobs, expected.clone());
        crate::follow::blocking(move || finish_file(&blobs, *progress, &rest, size, &expected)).await
    }
}

fn finish_inline(progress: Progress, bytes: Bytes, expected: &Expected) -> Result<Staged, VaultError> {
    let Progress { mut hasher, .. } = progress;
    hasher.update(&bytes);
    let hashes = hasher.finish();
    hashes.verify(expected)?;
    let body = match bytes.is_empty() {
        true => Body::Empty,
        false => Body::Inline { blob: BlobId::random(), crc32c: crc32c(&bytes) },
    };
    Ok(Staged { size: bytes.len() as u64, hashes, body, inline: bytes, pending: None })
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
    let Progress { hasher, writer } = progress;
    let hashes = hasher.finish();
    hashes.verify(expected)?;
    let Some(writer) = writer else {
        return Ok(Staged { size, hashes, body: Body::Empty, inline: Bytes::new(), pending: None });
    };
    let (blob, pending) = writer.finish()?;
    Ok(Staged { size, hashes, body: Body::File(blob), inline: Bytes::new(), pending: Some(pending) })
}
