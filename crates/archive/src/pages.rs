//! Reading single records out of a Parquet file: only the page that a record is in.

use std::{
    io::{self, BufReader},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use opentrail_journal::disk::{Disk, DiskFile, SequentialReader};
use parquet::{
    basic::Encoding,
    column::page::{Page, PageReader},
    errors::ParquetError,
    file::{
        metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
        reader::{ChunkReader, Length},
        serialized_reader::SerializedPageReader,
    },
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    columns::RECORD_LEAF,
    error::{ArchiveError, Damage, corrupt, disk_error},
};

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

    /// The file's metadata, whose bytes, from `start` to the end, must have this checksum.
    pub(crate) fn metadata(&self, start: u64, checksum: u64) -> Result<ParquetMetaData, ArchiveError> {
        let len = self.len.checked_sub(start).and_then(|len| usize::try_from(len).ok());
        let mut bytes = vec![0; len.ok_or_else(|| corrupt(&self.path, Damage::Truncated))?];
        self.file
            .read_exact_at(&mut bytes, start)
            .map_err(|error| disk_error("read", &self.path, error))?;
        if xxh3_64(&bytes) != checksum {
            return Err(corrupt(&self.path, Damage::Checksum));
        }
        let reader = ParquetMetaDataReader::new().with_offset_index_policy(PageIndexPolicy::Required);
        reader.parse_and_finish(self).map_err(|error| self.error(error))
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

    /// Reads the page with this row.
    pub(crate) fn read(
        file: &Arc<TableFile>,
        metadata: &ParquetMetaData,
        row: u32,
    ) -> Result<Self, ArchiveError> {
        let damaged = || corrupt(&file.path, Damage::Page);
        let mut first_row = 0i64;
        let group = metadata
            .row_groups()
            .iter()
            .position(|group| {
                let inside = i64::from(row) < first_row + group.num_rows();
                first_row += if inside { 0 } else { group.num_rows() };
                inside
            })
            .ok_or_else(damaged)?;
        let locations = metadata
            .offset_index()
            .and_then(|index| index.get(group)?.get(RECORD_LEAF))
            .ok_or_else(damaged)?
            .page_locations();
        let in_group = i64::from(row) - first_row;
        let page = locations.partition_point(|page| page.first_row_index <= in_group);
        let location = page.checked_sub(1).and_then(|page| locations.get(page)).ok_or_else(damaged)?;
        let rows_in_group = metadata.row_group(group).num_rows();
        // The reader takes what lies between a chunk's begin and its first page for a dictionary, so the chunk
        // is made to begin with the page.
        let chunk = metadata
            .row_group(group)
            .columns()
            .get(RECORD_LEAF)
            .ok_or_else(damaged)?
            .clone()
            .into_builder()
            .set_data_page_offset(location.offset)
            .build()
            .map_err(|error| file.error(error))?;
        let mut reader = SerializedPageReader::new(
            file.clone(),
            &chunk,
            usize::try_from(rows_in_group).map_err(|_| damaged())?,
            Some(vec![location.clone()]),
        )
        .map_err(|error| file.error(error))?;
        let page = reader.get_next_page().map_err(|error| file.error(error))?;
        let Some(Page::DataPage { buf, num_values, encoding: Encoding::PLAIN, .. }) = page else {
            return Err(damaged());
        };
        let spans = plain_spans(&buf, num_values as usize).ok_or_else(damaged)?;
        let start = u32::try_from(first_row + location.first_row_index).map_err(|_| damaged())?;
        Ok(Self { rows: start..start + num_values, contents: buf, spans })
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
