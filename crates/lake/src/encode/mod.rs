//! Rows become Parquet files.

mod file;
mod merge;
mod order;
mod properties;

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use parquet::file::metadata::ParquetMetaData;

use self::file::FileWriter;
pub use self::merge::{Expected, Run, merge};
use crate::{
    LakeError,
    record::{Keep, Stored, without_records},
    schema::Shape,
};

/// How many rows are brought into order at a time.
const CHUNK_ROWS: usize = 8192;

/// A Parquet file with events of one UTC day.
#[derive(Debug, Clone)]
pub struct EncodedFile {
    /// The day of every event's `eventTime`.
    pub day: NaiveDate,
    /// The file.
    pub bytes: Bytes,
    /// How many events.
    pub rows: u64,
    /// What the file's footer says.
    pub metadata: Arc<ParquetMetaData>,
    /// The earliest `eventTime`.
    pub min_time: DateTime<Utc>,
    /// The latest `eventTime`.
    pub max_time: DateTime<Utc>,
}

/// Makes files of rows: one for each UTC day of `eventTime`, in the days' order. All rows and one file are in
/// memory at once; give it no more than should be in one file.
///
/// Rows are sorted by [`Shape::sort_order`]: by service, action, outcome and caller, and then by time. So a
/// query for any of these reads few pages, and records that look alike stand together, which is what makes
/// files small. Rows that are equal in all of these keep their order.
///
/// The batches have the schema of `shape`, as [`crate::Columns::finish`] gives them, or as files do. Records that the
/// columns give back are not written; see [`crate::records`]. No rows make no files.
///
/// # Errors
/// [`LakeError::Arrow`] if a batch has another schema, or a row without a record; [`LakeError::Parquet`] if a file can't
/// be written.
pub fn encode(shape: Shape, batches: &[RecordBatch]) -> Result<Vec<EncodedFile>, LakeError> {
    encode_keeping(shape, batches, Keep::Forms)
}

/// As [`encode()`], records being kept as `keep` says.
///
/// # Errors
/// Those of [`encode()`].
pub fn encode_keeping(
    shape: Shape,
    batches: &[RecordBatch],
    keep: Keep,
) -> Result<Vec<EncodedFile>, LakeError> {
    let rows = order::sorted(shape, batches)?;
    let stored = batches.iter().map(Stored::of).collect::<Result<Vec<_>, _>>()?;
    // Records are the most bytes of a row, and need not be brought into order to be taken apart.
    let slim = batches.iter().map(without_records).collect::<Result<Vec<_>, _>>()?;
    let batches = Batches { slim: slim.iter().collect(), stored };
    let days = rows.chunk_by(|one, other| one.day == other.day);
    days.map(|rows| encode_day(shape, &batches, rows, keep)).collect()
}

struct Batches<'a> {
    slim: Vec<&'a RecordBatch>,
    stored: Vec<Stored<'a>>,
}

fn encode_day(
    shape: Shape,
    batches: &Batches<'_>,
    rows: &[order::Row],
    keep: Keep,
) -> Result<EncodedFile, LakeError> {
    let mut file = FileWriter::new(shape, keep, rows.len() as u64, 0)?;
    let mut places = Vec::with_capacity(CHUNK_ROWS.min(rows.len()));
    for chunk in rows.chunks(CHUNK_ROWS) {
        places.clear();
        places.extend(chunk.iter().map(|row| (row.batch as usize, row.row as usize)));
        file.write(&batches.slim, &batches.stored, &places)?;
    }
    file.finish()
}
