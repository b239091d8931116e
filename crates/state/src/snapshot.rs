//! The file of one snapshot: all documents as of one entry.
//!
//! All integers are little-endian.
//! ```text
//! magic    "OTSTATE", version u8 = 1
//! seq      u64
//! count    u64
//! document kind u8 + bytes, id u16 + bytes, revision u64, body u32 + bytes; in the order of kind and id
//! checksum u64: XXH3-64 of everything before it
//! ```

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use opentrail_journal::{
    Seq,
    disk::{Access, Disk, SequentialWriter, temporary_path},
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{
    codec::Input,
    documents::{Document, Documents},
    entry::MAX_BODY_BYTES,
    error::{CodecError, SnapshotError},
};

const MAGIC: &[u8; 8] = b"OTSTATE\x01";
const CHECKSUM_BYTES: usize = 8;
const PREFIX: &str = "snapshot-";
const SUFFIX: &str = ".state";
/// Large enough that writing is bound by the disk, small enough not to be noticed.
const BUFFER_BYTES: usize = 256 << 10;

/// Where the snapshot at `seq` is. Names sort as their positions do.
pub(crate) fn path(dir: &Path, seq: Seq) -> PathBuf {
    dir.join(format!("{PREFIX}{:020}{SUFFIX}", seq.0))
}

/// The position that a file's name gives, or none if it is no snapshot's name.
pub(crate) fn position(name: &str) -> Option<Seq> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    (digits.len() == 20).then(|| digits.parse().ok().map(Seq)).flatten()
}

/// Writes the snapshot so that after a crash it is there whole or not at all; its size in bytes.
pub(crate) fn write(disk: &dyn Disk, dir: &Path, documents: &Documents) -> io::Result<u64> {
    let target = path(dir, documents.applied);
    let temporary = temporary_path(&target);
    remove_if_there(disk, &temporary)?;
    let written = write_file(disk, &temporary, documents)
        .and_then(|size| disk.rename(&temporary, &target).map(|()| size));
    if written.is_err() {
        // Half a snapshot is of no use, and may be what fills the disk. The first error is the one to report.
        let _ = disk.remove_file(&temporary);
    }
    let size = written?;
    disk.sync_dir(dir)?;
    Ok(size)
}

fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_file(disk: &dyn Disk, path: &Path, documents: &Documents) -> io::Result<u64> {
    // Documents hold sealed secrets and policies: nobody else needs to read them.
    let file = SequentialWriter::new(disk.create_new(path, Access::Private)?, 0);
    let mut out = Hashing { out: BufWriter::with_capacity(BUFFER_BYTES, file), hash: Xxh3::new() };
    out.write_all(MAGIC)?;
    out.write_all(&documents.applied.0.to_le_bytes())?;
    out.write_all(&(documents.len() as u64).to_le_bytes())?;
    for (kind, id, document) in documents.flat() {
        // The limits of a put keep each of these lengths within its integer.
        out.write_all(&[kind.len() as u8])?;
        out.write_all(kind.as_bytes())?;
        out.write_all(&(id.len() as u16).to_le_bytes())?;
        out.write_all(id.as_bytes())?;
        out.write_all(&document.revision.to_le_bytes())?;
        out.write_all(&(document.body.len() as u32).to_le_bytes())?;
        out.write_all(&document.body)?;
    }
    let Hashing { mut out, hash } = out;
    out.write_all(&hash.digest().to_le_bytes())?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync()?;
    Ok(file.position())
}

struct Hashing {
    out: BufWriter<SequentialWriter>,
    hash: Xxh3,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads the snapshot at `seq` and checks all of it; also its size in bytes.
pub(crate) fn read(disk: &dyn Disk, dir: &Path, seq: Seq) -> Result<(Documents, u64), SnapshotError> {
    let content = verified(disk, dir, seq)?;
    let size = content.len() as u64;
    let documents = decode(content)?;
    if documents.applied != seq {
        return Err(SnapshotError::Position { name: seq, content: documents.applied });
    }
    Ok((documents, size))
}

/// The snapshot's bytes, if its checksum matches.
pub(crate) fn verified(disk: &dyn Disk, dir: &Path, seq: Seq) -> Result<Bytes, SnapshotError> {
    let content = Bytes::from(disk.read(&path(dir, seq))?);
    let Some((body, checksum)) = content.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(SnapshotError::Format);
    };
    if !body.starts_with(MAGIC) {
        return Err(SnapshotError::Format);
    }
    if xxh3_64(body) != u64::from_le_bytes(*checksum) {
        return Err(SnapshotError::Checksum);
    }
    Ok(content)
}

fn decode(content: Bytes) -> Result<Documents, CodecError> {
    let mut input = Input(content.slice(MAGIC.len()..content.len() - CHECKSUM_BYTES));
    let mut documents = Documents { applied: Seq(input.u64()?), ..Documents::default() };
    for _ in 0..input.u64()? {
        let kind = input.u8()? as usize;
        let kind = input.text(kind)?;
        let id = input.u16()? as usize;
        let id = input.text(id)?;
        let revision = input.u64()?;
        // A copy, so that the file's bytes are freed when all documents are read.
        let body = Bytes::copy_from_slice(&input.body(MAX_BODY_BYTES)?);
        documents.put(documents.applied, &kind, &id, Arc::new(Document::new(revision, body)));
    }
    input.finish()?;
    Ok(documents)
}
