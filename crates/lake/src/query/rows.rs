//! The rows of one query on disk: compressed blocks, and where each begins.
//!
//! `rows` has the blocks one after the other, each a gzip stream of a JSON array of rows. `index` has 16 bytes for each
//! block, and 16 more at its end: the number of rows, and of bytes in `rows`, before it. So a page is found with a few
//! small reads, however many rows there are. Blocks may be sealed, each bound to its query and its number.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
    sync::Arc,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use opentrail_cipher::ChunkCipher;
use opentrail_journal::disk::{Access, Disk, DiskFile, SequentialWriter};

use super::MAX_RESULT_BYTES;
use crate::error::LakeError;

/// A row: a text for each column, none for NULL.
pub type Row = Vec<Option<String>>;

/// Rows of a block, at most.
const BLOCK_ROWS: usize = 1000;
/// Bytes of text after which a block is written.
const BLOCK_BYTES: usize = 256 << 10;
/// Bytes of an entry of the index.
const ENTRY: u64 = 16;

/// Some of a query's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// The number of the row after them; none if they are the last.
    pub next: Option<u64>,
}

/// Writes the rows of a query. All calls block. Dropped before it is finished, it removes what it wrote: room that the
/// disk may need for what came of the query.
#[derive(Debug)]
pub struct RowWriter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    file: SequentialWriter,
    cipher: Option<ChunkCipher>,
    blocks: u64,
    index: Vec<u8>,
    pending: Vec<Row>,
    pending_bytes: usize,
    rows: u64,
    bytes: u64,
    is_finished: bool,
}

impl Drop for RowWriter {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        for name in ["rows", "index"] {
            let path = self.folder.join(name);
            // Mostly there is no index. What stays goes with the query.
            if self.disk.exists(&path).unwrap_or(false)
                && let Err(error) = self.disk.remove_file(&path)
            {
                tracing::debug!(%error, path = %path.display(), "rows of a query could not be removed");
            }
        }
    }
}

impl RowWriter {
    /// Begins the files in a folder that has none.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        cipher: Option<ChunkCipher>,
    ) -> Result<Self, LakeError> {
        let path = folder.join("rows");
        let file = disk.create_new(&path, Access::Default).map_err(LakeError::disk(&path))?;
        let file = SequentialWriter::new(file, 0);
        let (index, pending) = (Vec::new(), Vec::new());
        Ok(Self {
            disk,
            folder,
            file,
            cipher,
            blocks: 0,
            index,
            pending,
            pending_bytes: 0,
            rows: 0,
            bytes: 0,
            is_finished: false,
        })
    }

    /// Takes rows.
    ///
    /// # Errors
    /// [`LakeError::Disk`] if there is no room; [`LakeError::ResultTooLarge`] beyond [`MAX_RESULT_BYTES`].
    pub fn push(&mut self, rows: Vec<Row>) -> Result<(), LakeError> {
        for row in rows {
            let len: usize = row.iter().map(|value| value.as_ref().map_or(0, String::len) + 1).sum();
            self.bytes += len as u64;
            if self.bytes > MAX_RESULT_BYTES {
                return Err(LakeError::ResultTooLarge { limit: MAX_RESULT_BYTES });
            }
            self.pending_bytes += len;
            self.pending.push(row);
            if self.pending.len() >= BLOCK_ROWS || self.pending_bytes >= BLOCK_BYTES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.rows + self.pending.len() as u64
    }

    /// Makes all rows durable; how many there are.
    ///
    /// # Errors
    /// [`LakeError::Disk`].
    pub fn finish(mut self) -> Result<u64, LakeError> {
        self.write_block()?;
        self.note_place();
        let path = self.folder.join("rows");
        self.file.sync().map_err(LakeError::disk(&path))?;
        let path = self.folder.join("index");
        self.disk.write_atomically(&path, &self.index, Access::Default).map_err(LakeError::disk(&path))?;
        self.is_finished = true;
        Ok(self.rows)
    }

    fn note_place(&mut self) {
        self.index.extend_from_slice(&self.rows.to_le_bytes());
        self.index.extend_from_slice(&self.file.position().to_le_bytes());
    }

    fn write_block(&mut self) -> Result<(), LakeError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.note_place();
        let rows = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let mut block = GzEncoder::new(Vec::new(), Compression::fast());
        let written = serde_json::to_writer(&mut block, &rows).map_err(io::Error::from);
        let written = written.and_then(|()| block.finish()).and_then(|block| match &self.cipher {
            Some(cipher) => cipher.seal(self.blocks, false, block).map_err(io::Error::other),
            None => Ok(block),
        });
        let written = written.and_then(|block| self.file.write_all(&block));
        self.blocks += 1;
        written.map_err(LakeError::disk(&self.folder.join("rows")))?;
        self.rows += rows.len() as u64;
        Ok(())
    }
}

/// Reads the rows of a query that ended. All calls block.
#[derive(Debug)]
pub struct RowReader {
    folder: PathBuf,
    rows: Box<dyn DiskFile>,
    index: Box<dyn DiskFile>,
    cipher: Option<ChunkCipher>,
    blocks: u64,
}

impl RowReader {
    pub(super) fn open(
        disk: &dyn Disk,
        folder: PathBuf,
        cipher: Option<ChunkCipher>,
    ) -> Result<Self, LakeError> {
        let open = |name: &str| {
            let path = folder.join(name);
            disk.open_read(&path).map_err(LakeError::disk(&path))
        };
        let (rows, index) = (open("rows")?, open("index")?);
        let len = index.len().map_err(LakeError::disk(&folder.join("index")))?;
        let blocks = (len / ENTRY).saturating_sub(1);
        Ok(Self { rows, index, cipher, blocks, folder })
    }

    /// Blocks there are.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The rows of a block, of which each is small enough to be held in memory.
    ///
    /// # Errors
    /// [`LakeError::Disk`]; [`LakeError::Damaged`] if it is not as it was written.
    pub fn block(&self, number: u64) -> Result<Vec<Row>, LakeError> {
        let path = self.folder.join("rows");
        let ((_, start), (_, end)) = (self.place(number)?, self.place(number + 1)?);
        let len = end.checked_sub(start).and_then(|len| usize::try_from(len).ok());
        let mut block = vec![0; len.ok_or_else(|| self.damaged("its index is out of order"))?];
        self.rows.read_exact_at(&mut block, start).map_err(LakeError::disk(&path))?;
        if let Some(cipher) = &self.cipher {
            let opened = cipher.open(number, false, block);
            block = opened.ok_or_else(|| self.damaged("a block is not as it was sealed"))?;
        }
        let mut text = Vec::new();
        GzDecoder::new(block.as_slice()).read_to_end(&mut text).map_err(|error| self.damaged(&error))?;
        serde_json::from_slice(&text).map_err(|error| self.damaged(&error))
    }

    /// The rows from number `from` on: at most `rows`, and only the first beyond `bytes` of text.
    ///
    /// # Errors
    /// As [`RowReader::block`].
    pub fn page(&self, from: u64, rows: usize, bytes: usize) -> Result<Page, LakeError> {
        let (total, _) = self.place(self.blocks)?;
        let mut page = Page { rows: Vec::new(), next: None };
        let (mut row, mut taken) = (from, 0);
        let mut number = self.block_of(from)?;
        while row < total && number < self.blocks {
            let (first, _) = self.place(number)?;
            let skip = usize::try_from(row.saturating_sub(first)).unwrap_or(usize::MAX);
            for found in self.block(number)?.into_iter().skip(skip) {
                let len: usize = found.iter().map(|value| value.as_ref().map_or(0, String::len)).sum();
                if page.rows.len() >= rows || (taken + len > bytes && !page.rows.is_empty()) {
                    page.next = Some(row);
                    return Ok(page);
                }
                taken += len;
                page.rows.push(found);
                row += 1;
            }
            number += 1;
        }
        Ok(page)
    }

    /// The last block that begins at or before a row.
    fn block_of(&self, row: u64) -> Result<u64, LakeError> {
        let (mut low, mut high) = (0, self.blocks);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if self.place(middle)?.0 <= row { low = middle } else { high = middle }
        }
        Ok(low)
    }

    /// Rows and bytes before a block.
    fn place(&self, number: u64) -> Result<(u64, u64), LakeError> {
        let mut entry = [0; ENTRY as usize];
        let read = self.index.read_exact_at(&mut entry, number.saturating_mul(ENTRY));
        read.map_err(LakeError::disk(&self.folder.join("index")))?;
        let [mut rows, mut bytes] = [[0; 8]; 2];
        rows.copy_from_slice(&entry[..8]);
        bytes.copy_from_slice(&entry[8..]);
        Ok((u64::from_le_bytes(rows), u64::from_le_bytes(bytes)))
    }

    fn damaged(&self, reason: &(impl ToString + ?Sized)) -> LakeError {
        LakeError::Damaged { path: self.folder.join("rows"), reason: reason.to_string() }
    }
}
