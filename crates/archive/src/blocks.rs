//! Files of records in blocks, each block with its own checksum.
//!
//! A block has 4,096 bytes: 4,088 of contents, then the XXH3-64 of them, seeded with the block's number. A
//! section is a run of records of one size; it begins with a block, and no record crosses a block's end, so
//! that any record is read and checked by reading one block.

use std::{
    io,
    path::{Path, PathBuf},
};

use opentrail_journal::disk::{Access, Disk, DiskFile, SYNC_STRIDE};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::error::{ArchiveError, Damage, corrupt, disk_error};

/// Bytes in a block.
pub(crate) const BLOCK: usize = 4096;
/// Bytes of contents in a block.
pub(crate) const CONTENTS: usize = BLOCK - 8;
/// Blocks that are written with one call.
const BATCH: usize = 64;
/// Blocks that are read with one call by who reads them one after the other.
const READ_AHEAD: u64 = 16;

/// Records of one size, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    /// The block of the first record.
    pub(crate) first_block: u64,
    /// Bytes in a record.
    pub(crate) record: usize,
    /// How many there are.
    pub(crate) count: u64,
}

impl Section {
    /// Bytes of a section's description.
    pub(crate) const BYTES: usize = 8 + 4 + 8;

    pub(crate) fn per_block(&self) -> u64 {
        (CONTENTS / self.record) as u64
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.first_block.to_le_bytes());
        bytes[8..12].copy_from_slice(&(self.record as u32).to_le_bytes());
        bytes[12..].copy_from_slice(&self.count.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let record = u32::from_le_bytes(bytes[8..12].try_into().ok()?) as usize;
        (1..=CONTENTS).contains(&record).then_some(Self {
            first_block: u64::from_le_bytes(bytes[..8].try_into().ok()?),
            record,
            count: u64::from_le_bytes(bytes[12..].try_into().ok()?),
        })
    }
}

/// Writes such a file from its beginning to its end.
pub(crate) struct BlockWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// Finished blocks that are not yet written, then the open one.
    buffer: Vec<u8>,
    /// Bytes in the open block.
    open: usize,
    /// Blocks finished.
    blocks: u64,
    written: u64,
    hash: Xxh3,
    section: Option<Section>,
}

impl BlockWriter {
    pub(crate) fn create(disk: &dyn Disk, path: &Path) -> Result<Self, ArchiveError> {
        let file =
            disk.create_new(path, Access::Private).map_err(|error| disk_error("create", path, error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            buffer: Vec::with_capacity(BATCH * BLOCK),
            open: 0,
            blocks: 0,
            written: 0,
            hash: Xxh3::new(),
            section: None,
        })
    }

    /// Begins a section of records of this size.
    pub(crate) fn begin(&mut self, record: usize) -> Result<(), ArchiveError> {
        self.end_block()?;
        self.section = Some(Section { first_block: self.blocks, record, count: 0 });
        Ok(())
    }

    /// Adds a record to the open section.
    pub(crate) fn record(&mut self, record: &[u8]) -> Result<(), ArchiveError> {
        if self.open + record.len() > CONTENTS {
            self.end_block()?;
        }
        self.buffer.extend_from_slice(record);
        self.open += record.len();
        if let Some(section) = &mut self.section {
            section.count += 1;
        }
        Ok(())
    }

    /// Adds bytes to the open section, whose records are single bytes.
    pub(crate) fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), ArchiveError> {
        while !bytes.is_empty() {
            if self.open == CONTENTS {
                self.end_block()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CONTENTS - self.open));
            self.buffer.extend_from_slice(now);
            self.open += now.len();
            if let Some(section) = &mut self.section {
                section.count += now.len() as u64;
            }
            bytes = later;
        }
        Ok(())
    }

    /// The section begun last, as it is now.
    pub(crate) fn section(&self) -> Section {
        self.section.unwrap_or(Section { first_block: 0, record: 1, count: 0 })
    }

    fn end_block(&mut self) -> Result<(), ArchiveError> {
        if self.open == 0 {
            return Ok(());
        }
        let start = self.buffer.len() - self.open;
        self.buffer.resize(start + CONTENTS, 0);
        let checksum = xxh3_64_with_seed(&self.buffer[start..], self.blocks);
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        self.open = 0;
        self.blocks += 1;
        if self.buffer.len() >= BATCH * BLOCK { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), ArchiveError> {
        self.file
            .write_all_at(&self.buffer, self.written)
            .map_err(|error| disk_error("write", &self.path, error))?;
        self.hash.update(&self.buffer);
        let before = self.written;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        if before / SYNC_STRIDE != self.written / SYNC_STRIDE {
            self.file.sync_data().map_err(|error| disk_error("sync", &self.path, error))?;
        }
        Ok(())
    }

    /// Writes `footer` as the last block and makes all of it durable; length and checksum of the file.
    pub(crate) fn finish(mut self, footer: &[u8]) -> Result<(u64, u64), ArchiveError> {
        self.begin(footer.len())?;
        self.record(footer)?;
        self.end_block()?;
        self.write()?;
        self.file.sync_all().map_err(|error| disk_error("sync", &self.path, error))?;
        Ok((self.written, self.hash.digest()))
    }
}

/// Reads such a file.
#[derive(Debug)]
pub(crate) struct BlockReader {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    blocks: u64,
}

impl BlockReader {
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, ArchiveError> {
        let file = disk.open_read(path).map_err(|error| disk_error("open", path, error))?;
        let len = file.len().map_err(|error| disk_error("read", path, error))?;
        if len == 0 || len % BLOCK as u64 != 0 {
            return Err(corrupt(path, Damage::Truncated));
        }
        Ok(Self { file, path: path.to_owned(), blocks: len / BLOCK as u64 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The contents of a block, checked.
    pub(crate) fn block(&self, block: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = vec![0; BLOCK];
        self.read(block, &mut bytes)?;
        bytes.truncate(CONTENTS);
        Ok(bytes)
    }

    /// Fills the buffer with whole blocks from `block` on, and checks each.
    fn read(&self, block: u64, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        self.file.read_exact_at(buffer, block * BLOCK as u64).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => corrupt(&self.path, Damage::Truncated),
            _ => disk_error("read", &self.path, error),
        })?;
        for (number, bytes) in (block..).zip(buffer.chunks_exact(BLOCK)) {
            let (contents, expected) = bytes.split_at(CONTENTS);
            if xxh3_64_with_seed(contents, number).to_le_bytes() != expected {
                return Err(corrupt(&self.path, Damage::Block { block: number }));
            }
        }
        Ok(())
    }

    /// The last block, which begins with the footer.
    pub(crate) fn footer(&self) -> Result<Vec<u8>, ArchiveError> {
        self.block(self.blocks - 1)
    }

    /// The whole blocks of a section of bytes (records of one byte), joined.
    pub(crate) fn bytes(&self, section: Section) -> Result<Vec<u8>, ArchiveError> {
        let blocks = section.count.div_ceil(CONTENTS as u64);
        if section.record != 1 || section.first_block + blocks > self.blocks {
            return Err(corrupt(&self.path, Damage::Format));
        }
        let count = section.count as usize;
        let mut bytes = Vec::with_capacity(count);
        for block in 0..blocks {
            let contents = self.block(section.first_block + block)?;
            bytes.extend_from_slice(&contents[..CONTENTS.min(count - bytes.len())]);
        }
        Ok(bytes)
    }
}

/// Reads records of a section, keeping the blocks read last.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    reader: &'a BlockReader,
    section: Section,
    /// Blocks that are read at once.
    at_once: u64,
    /// Whole blocks, and the number of the first; none if there are no bytes.
    held: Vec<u8>,
    first_held: u64,
}

impl<'a> Records<'a> {
    pub(crate) fn new(reader: &'a BlockReader, section: Section) -> Self {
        Self { reader, section, at_once: 1, held: Vec::new(), first_held: 0 }
    }

    /// For who reads the records one after the other.
    pub(crate) fn in_order(reader: &'a BlockReader, section: Section) -> Self {
        Self { at_once: READ_AHEAD, ..Self::new(reader, section) }
    }

    pub(crate) fn len(&self) -> u64 {
        self.section.count
    }

    pub(crate) fn get(&mut self, at: u64) -> Result<&[u8], ArchiveError> {
        if at >= self.section.count {
            return Err(corrupt(&self.reader.path, Damage::Format));
        }
        let per_block = self.section.per_block();
        let block = self.section.first_block + at / per_block;
        let start = self.hold(block)? + (at % per_block) as usize * self.section.record;
        self.held
            .get(start..start + self.section.record)
            .ok_or_else(|| corrupt(&self.reader.path, Damage::Format))
    }

    /// Where in what is held the block begins; it is read if it is not there.
    fn hold(&mut self, block: u64) -> Result<usize, ArchiveError> {
        let blocks = (self.held.len() / BLOCK) as u64;
        if !(self.first_held..self.first_held + blocks).contains(&block) {
            let end = self.section.first_block + self.section.count.div_ceil(self.section.per_block());
            let wanted = self.at_once.min(end.saturating_sub(block)).max(1);
            self.held.resize(wanted as usize * BLOCK, 0);
            if let Err(error) = self.reader.read(block, &mut self.held) {
                self.held.clear();
                return Err(error);
            }
            self.first_held = block;
        }
        Ok((block - self.first_held) as usize * BLOCK)
    }

    pub(crate) fn array<const N: usize>(&mut self, at: u64) -> Result<[u8; N], ArchiveError> {
        let reader = self.reader;
        self.get(at)?.try_into().map_err(|_| corrupt(&reader.path, Damage::Format))
    }
}
