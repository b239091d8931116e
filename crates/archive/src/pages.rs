//! Reading single records out of a Parquet file: only the page that a record is in.

use std::{
    io::{self, BufReader},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use opentrail_journal::disk::{Disk, DiskFile, SequentialReader};
use parquet::{
    arrow::ArrowSchemaConverter,
    basic::{Compression, Encoding, ZstdLevel},
    column::page::{Page, PageReader},
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaDataReader},
        page_index::offset_index::PageLocation,
        reader::{ChunkReader, Length},
        serialized_reader::SerializedPageReader,
    },
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    columns::{RECORD_LEAF, SCHEMA},
    error::{ArchiveError, Damage, corrupt, disk_error},
};

/// How all columns of a table are compressed: the records decide the size, and level 1 has most of the gain.
pub(crate) fn compression() -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default())
}

/// A Parquet file behind the seam of the disk.
#[derive(Debug, Clone)]
pub(crate) struct TableFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    len: u64,
}

impl TableFile {
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, ArchiveError> {
        let file: Arc<dyn DiskFile> =
            disk.open_read(path).map_err(|error| disk_error("open", path, error))?.into();
        let len = file.len().map_err(|error| disk_error("read", path, error))?;
        Ok(Self { file, path: path.to_owned(), len })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn error(&self, source: ParquetError) -> ArchiveError {
        ArchiveError::Table { path: self.path.clone(), source }
    }

    fn read(&self, offset: u64, len: usize) -> Result<Bytes, ArchiveError> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(corrupt(&self.path, Damage::Truncated));
        }
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| disk_error("read", &self.path, error))?;
        Ok(bytes.into())
    }

    /// The pages of records, as Parquet's own index tells them.
    pub(crate) fn record_pages(&self) -> Result<Vec<PageFacts>, ArchiveError> {
        let damaged = || corrupt(&self.path, Damage::Page);
        let reader = ParquetMetaDataReader::new().with_offset_index_policy(PageIndexPolicy::Required);
        let metadata = reader.parse_and_finish(self).map_err(|error| self.error(error))?;
        let groups = metadata.offset_index().ok_or_else(damaged)?;
        let mut pages = Vec::new();
        let mut first = 0;
        for (group, index) in metadata.row_groups().iter().zip(groups) {
            for location in index.get(RECORD_LEAF).ok_or_else(damaged)?.page_locations() {
                let (Ok(row), Ok(offset), Ok(bytes)) = (
                    u32::try_from(first + location.first_row_index),
                    u64::try_from(location.offset),
                    u32::try_from(location.compressed_page_size),
                ) else {
                    return Err(damaged());
                };
                let checksum = xxh3_64(&self.read(offset, bytes as usize)?);
                pages.push(PageFacts { row, offset, bytes, checksum });
            }
            first += group.num_rows();
        }
        Ok(pages)
    }
}

impl Length for TableFile {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for TableFile {
    type T = BufReader<SequentialReader>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(SequentialReader::new(self.file.clone(), start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            return Err(ParquetError::from(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A page of records: what is kept of it in memory, so that a record is reached with one read, and checked,
/// which Parquet's writer does not provide for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageFacts {
    /// Its first row.
    pub(crate) row: u32,
    /// Where it is.
    offset: u64,
    /// How long it is, header and all.
    bytes: u32,
    /// The XXH3-64 of that.
    checksum: u64,
}

impl PageFacts {
    /// Bytes on disk.
    pub(crate) const BYTES: usize = 4 + 8 + 4 + 8;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.row.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.offset.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[16..].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let number = |range: Range<usize>| {
            bytes[range].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        // Each range is as long as its integer.
        Self {
            row: number(0..4) as u32,
            offset: number(4..12),
            bytes: number(12..16) as u32,
            checksum: number(16..24),
        }
    }
}

/// What the page reader needs to know of the records' column: how it is compressed, and that a page begins
/// where the bytes that it is given begin.
static RECORD_CHUNK: LazyLock<Option<ColumnChunkMetaData>> = LazyLock::new(|| {
    let schema = ArrowSchemaConverter::new().convert(&SCHEMA).ok()?;
    let column = schema.columns().get(RECORD_LEAF)?.clone();
    ColumnChunkMetaData::builder(column).set_compression(compression()).set_data_page_offset(0).build().ok()
});

/// The records of one page.
#[derive(Debug)]
pub(crate) struct RecordPage {
    /// The rows of the table that it has.
    pub(crate) rows: Range<u32>,
    contents: Bytes,
    /// Where in the contents each record is.
    spans: Vec<Range<usize>>,
}

impl RecordPage {
    pub(crate) fn record(&self, row: u32) -> Option<&[u8]> {
        let at = row.checked_sub(self.rows.start)?;
        self.contents.get(self.spans.get(at as usize)?.clone())
    }

    /// Reads and checks a page.
    pub(crate) fn read(file: &TableFile, facts: &PageFacts) -> Result<Self, ArchiveError> {
        let damaged = || corrupt(&file.path, Damage::Page);
        let bytes = file.read(facts.offset, facts.bytes as usize)?;
        if xxh3_64(&bytes) != facts.checksum {
            return Err(corrupt(&file.path, Damage::Checksum));
        }
        let chunk = RECORD_CHUNK.as_ref().ok_or_else(damaged)?;
        let size = i32::try_from(facts.bytes).map_err(|_| damaged())?;
        let location = PageLocation { offset: 0, compressed_page_size: size, first_row_index: 0 };
        // The number of rows matters only to who skips pages.
        let page = SerializedPageReader::new(Arc::new(bytes), chunk, 0, Some(vec![location]))
            .and_then(|mut reader| reader.get_next_page())
            .map_err(|error| file.error(error))?;
        let Some(Page::DataPage { buf, num_values, encoding: Encoding::PLAIN, .. }) = page else {
            return Err(damaged());
        };
        let spans = plain_spans(&buf, num_values as usize).ok_or_else(damaged)?;
        let end = facts.row.checked_add(num_values).ok_or_else(damaged)?;
        Ok(Self { rows: facts.row..end, contents: buf, spans })
    }
}

/// Where the values are in a page in plain encoding: each has its length, 32 bits, before it.
fn plain_spans(contents: &[u8], values: usize) -> Option<Vec<Range<usize>>> {
    let mut spans = Vec::with_capacity(values.min(contents.len() / 4 + 1));
    let mut at = 0usize;
    for _ in 0..values {
        let len = contents.get(at..)?.first_chunk::<4>()?;
        let start = at + 4;
        at = start.checked_add(u32::from_le_bytes(*len) as usize)?;
        if at > contents.len() {
            return None;
        }
        spans.push(start..at);
    }
    Some(spans)
}
