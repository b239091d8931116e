//! Files that are written again in place.

use std::io;

use aws_lc_rs::error::Unspecified;
use opentrail_journal::disk::{DiskFile, REWRITTEN_UNIT, read_up_to};
use parking_lot::RwLock;

use super::{
    header::{self, FileId, HEADER_BYTES, Kind, Page},
    keys::{Root, broken},
    xts::{BLOCK_BYTES, Xts},
};

const _: () = assert!(BLOCK_BYTES == REWRITTEN_UNIT, "a length that is allowed is one of whole blocks");

/// Bytes that are encrypted at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// A handle of such a file.
#[derive(Debug)]
pub(super) struct Rewritten {
    file: Box<dyn DiskFile>,
    xts: Xts,
    /// Taken for writing by a write that begins or ends inside of a block.
    blocks: RwLock<()>,
}

fn off_unit() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "an encrypted file that is written in place ends at a multiple of 16 bytes",
    )
}

impl Rewritten {
    /// Makes an empty file of this kind of one without bytes of its own. Its header is durable when this returns.
    pub(super) fn create(root: &Root, file: Box<dyn DiskFile>) -> io::Result<Self> {
        let id = header::new_id().ok_or_else(|| broken(Unspecified))?;
        let (tag, xts) = root.rewritten(&id)?;
        file.write_all_at(&header::encode(Kind::Rewritten, &id, &tag), 0)?;
        file.sync_all()?;
        Ok(Self { file, xts, blocks: RwLock::default() })
    }

    /// A file that is there; the file itself if the page is no header of this disk's.
    pub(super) fn open(
        root: &Root,
        (page, id): (&Page, FileId),
        file: Box<dyn DiskFile>,
    ) -> io::Result<Result<Self, Box<dyn DiskFile>>> {
        let (tag, xts) = root.rewritten(&id)?;
        if !header::is_authentic(page, &tag) {
            return Ok(Err(file));
        }
        Ok(Ok(Self { file, xts, blocks: RwLock::default() }))
    }

    /// Reads whole blocks from `start` on, up to the end of the file, and decrypts them.
    fn read_blocks(&self, bytes: &mut [u8], start: u64) -> io::Result<usize> {
        let read = read_up_to(&*self.file, bytes, HEADER_BYTES + start)?;
        let whole = read - read % BLOCK_BYTES as usize;
        let bytes = &mut bytes[..whole];
        let holes: Vec<usize> = bytes
            .chunks_exact(BLOCK_BYTES as usize)
            .enumerate()
            .filter_map(|(number, block)| block.iter().all(|byte| *byte == 0).then_some(number))
            .collect();
        self.xts.decrypt(start / BLOCK_BYTES, bytes)?;
        for hole in holes {
            bytes[hole * BLOCK_BYTES as usize..][..BLOCK_BYTES as usize].fill(0);
        }
        Ok(whole)
    }

    fn write_blocks(&self, bytes: &mut [u8], start: u64) -> io::Result<()> {
        self.xts.encrypt(start / BLOCK_BYTES, bytes)?;
        // A block that is half written is neither the old nor the new one.
        self.file.write_all_at(bytes, HEADER_BYTES + start)
    }
}

/// The whole blocks around a range.
fn around(offset: u64, len: usize) -> (u64, usize) {
    let start = offset - offset % BLOCK_BYTES;
    let end = (offset + len as u64).next_multiple_of(BLOCK_BYTES);
    (start, (end - start) as usize)
}

impl DiskFile for Rewritten {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(CHUNK_BYTES)];
        if bytes.is_empty() {
            return Ok(0);
        }
        let (start, len) = around(offset, bytes.len());
        if start == offset && len == bytes.len() {
            let _blocks = self.blocks.read();
            self.write_blocks(&mut bytes.to_vec(), start)?;
            return Ok(bytes.len());
        }
        let _blocks = self.blocks.write();
        let end = offset + bytes.len() as u64;
        if end > self.len()? && !end.is_multiple_of(BLOCK_BYTES) {
            return Err(off_unit());
        }
        let mut whole = vec![0; len];
        self.read_blocks(&mut whole, start)?;
        whole[(offset - start) as usize..][..bytes.len()].copy_from_slice(bytes);
        self.write_blocks(&mut whole, start)?;
        Ok(bytes.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let wanted = buffer.len().min(CHUNK_BYTES);
        let (start, len) = around(offset, wanted);
        if start == offset && len == wanted {
            return self.read_blocks(&mut buffer[..wanted], start);
        }
        let mut whole = vec![0; len];
        let skipped = (offset - start) as usize;
        let read = self.read_blocks(&mut whole, start)?.saturating_sub(skipped).min(wanted);
        buffer[..read].copy_from_slice(&whole[skipped..skipped + read]);
        Ok(read)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !len.is_multiple_of(BLOCK_BYTES) {
            return Err(off_unit());
        }
        self.file.set_len(HEADER_BYTES + len)
    }

    fn len(&self) -> io::Result<u64> {
        let len = self.file.len()?.saturating_sub(HEADER_BYTES);
        Ok(len - len % BLOCK_BYTES)
    }
}
