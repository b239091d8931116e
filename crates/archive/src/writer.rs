//! Writing a table: the Parquet file and its index.

use std::{
    io::{self, Write},
    path::Path,
};

use arrow_array::RecordBatch;
use opentrail_journal::disk::{Access, Disk, SequentialWriter};
use parquet::{
    arrow::ArrowWriter,
    basic::Encoding,
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    columns::{Places, RECORD, SCHEMA},
    error::{ArchiveError, Damage, corrupt, disk_error},
    index::IndexWriter,
    keys::Scope,
    layout::TablePaths,
    manifest::{FileFacts, TableFacts},
    pages::{TableFile, compression},
};

/// Rows in a row group: enough for dictionaries to pay and for scans to skip well, few enough that a group
/// being written is some ten megabytes.
const GROUP_ROWS: usize = 64 << 10;
/// Bytes in a page of records: what a lookup unpacks to read one record. Twice as many would save a tenth of
/// the file and make the lookup of scattered events take twice as long.
const RECORD_PAGE_BYTES: usize = 32 << 10;
/// Bytes in a page of any other column, and in a dictionary: a merge has one of each in memory for every table that
/// it reads.
const PAGE_BYTES: usize = 64 << 10;
const DICTIONARY_BYTES: usize = 256 << 10;
/// Values between two looks at the size of a page.
const WRITE_BATCH: usize = 16;

pub(crate) struct TableWriter {
    id: u64,
    paths: TablePaths,
    parquet: ArrowWriter<Hashing>,
    index: IndexWriter,
    rows: u32,
    newest: i64,
    oldest: i64,
    record_bytes: u64,
}

impl TableWriter {
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, id: u64) -> Result<Self, ArchiveError> {
        let paths = TablePaths::new(dir, id);
        let file = disk
            .create_new(&paths.parquet, Access::Private)
            .map_err(|error| disk_error("create", &paths.parquet, error))?;
        let parquet = ArrowWriter::try_new(Hashing::new(file), SCHEMA.clone(), Some(properties()))
            .map_err(|source| ArchiveError::Table { path: paths.parquet.clone(), source })?;
        let index = IndexWriter::create(disk, &paths.rows, &paths.keys)?;
        let (newest, oldest) = (i64::MIN, i64::MAX);
        Ok(Self { id, paths, parquet, index, rows: 0, newest, oldest, record_bytes: 0 })
    }

    pub(crate) fn table_error(&self, source: parquet::errors::ParquetError) -> ArchiveError {
        match full_disk(&source) {
            Some(error) => disk_error("write", &self.paths.parquet, error),
            None => ArchiveError::Table { path: self.paths.parquet.clone(), source },
        }
    }

    /// How many rows were written.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// The next rows; they come newest first.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArchiveError> {
        let places = Places::of(batch).ok_or_else(|| corrupt(&self.paths.parquet, Damage::Format))?;
        self.parquet.write(batch).map_err(|error| self.table_error(error))?;
        for row in 0..places.rows() {
            let place = places.place(row);
            let position = place.position;
            self.index.place(place)?;
            self.newest = self.newest.max(position.time);
            self.oldest = self.oldest.min(position.time);
            self.record_bytes += places.record(row).len() as u64;
            self.rows += 1;
        }
        Ok(())
    }

    /// Ends the rows; the lists of the index follow.
    pub(crate) fn begin_keys(&mut self) -> Result<(), ArchiveError> {
        self.index.begin_keys()
    }

    /// The next key, greater than the one before, and its rows, ascending.
    pub(crate) fn key(&mut self, key: u64, rows: &[u32]) -> Result<(), ArchiveError> {
        self.index.key(key, rows)
    }

    /// Ends the table and makes its contents durable; the names are, once the folder is synced.
    pub(crate) fn finish(
        mut self,
        disk: &dyn Disk,
        scopes: impl Iterator<Item = Result<Scope, ArchiveError>>,
    ) -> Result<TableFacts, ArchiveError> {
        self.parquet.finish().map_err(|error| self.table_error(error))?;
        let file = self.parquet.inner();
        file.out.sync().map_err(|error| disk_error("sync", &self.paths.parquet, error))?;
        let parquet = FileFacts { bytes: file.out.position(), checksum: file.hash.digest() };
        let pages = TableFile::open(disk, &self.paths.parquet)?.record_pages()?;
        let index = self.index.finish(&pages, scopes)?;
        Ok(TableFacts {
            id: self.id,
            rows: self.rows,
            newest: self.newest,
            oldest: self.oldest,
            record_bytes: self.record_bytes,
            parquet,
            row_index: index.rows.into(),
            key_index: index.keys.into(),
        })
    }
}

fn properties() -> WriterProperties {
    let record = || ColumnPath::from(RECORD);
    WriterProperties::builder()
        .set_created_by(concat!("opentrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(compression())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_write_batch_size(WRITE_BATCH)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_truncate_length(Some(64))
        .set_column_statistics_enabled(record(), EnabledStatistics::None)
        .set_column_dictionary_enabled(record(), false)
        .set_column_encoding(record(), Encoding::PLAIN)
        .set_column_data_page_size_limit(record(), RECORD_PAGE_BYTES)
        // Ids are all different: a dictionary of them is work for nothing.
        .set_column_dictionary_enabled(ColumnPath::from("event_id"), false)
        .build()
}

/// The full disk in an error of Parquet's, which wraps it.
fn full_disk(error: &parquet::errors::ParquetError) -> Option<io::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && opentrail_journal::disk::is_full(io)
        {
            return Some(io.kind().into());
        }
        cause = error.source();
    }
    None
}

/// A file and the checksum of what was written to it.
struct Hashing {
    out: SequentialWriter,
    hash: Xxh3,
}

impl Hashing {
    fn new(file: Box<dyn opentrail_journal::disk::DiskFile>) -> Self {
        Self { out: SequentialWriter::new(file, 0), hash: Xxh3::new() }
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
