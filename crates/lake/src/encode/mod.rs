//! Rows become Parquet files.

mod order;
mod properties;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    file::metadata::ParquetMetaData,
};

use crate::{LakeError, schema::Shape};

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
/// The batches have the schema of `shape`, as [`crate::Columns::finish`] gives them. No rows make no files.
///
/// # Errors
/// [`LakeError::Arrow`] if a batch has another schema; [`LakeError::Parquet`] if a file can't be written.
pub fn encode(shape: Shape, batches: &[RecordBatch]) -> Result<Vec<EncodedFile>, LakeError> {
    let rows = order::sorted(shape, batches)?;
    rows.chunk_by(|one, other| one.day == other.day).map(|rows| encode_day(shape, batches, rows)).collect()
}

fn encode_day(shape: Shape, batches: &[RecordBatch], rows: &[order::Row]) -> Result<EncodedFile, LakeError> {
    let schema = shape.arrow();
    // Arrow's own copy of the schema would be a tenth of a small file and says nothing that Parquet's doesn't.
    let options = ArrowWriterOptions::new()
        .with_properties(properties::of(shape, rows.len()))
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    let sources: Vec<&RecordBatch> = batches.iter().collect();
    let mut places = Vec::with_capacity(CHUNK_ROWS.min(rows.len()));
    for chunk in rows.chunks(CHUNK_ROWS) {
        places.clear();
        places.extend(chunk.iter().map(|row| (row.batch as usize, row.row as usize)));
        writer.write(&interleave_record_batch(&sources, &places)?)?;
    }
    let metadata = Arc::new(writer.finish()?);
    let times = || rows.iter().map(|row| row.time);
    Ok(EncodedFile {
        day: rows.first().and_then(order::Row::date).unwrap_or_default(),
        // Finishing has flushed it; `into_inner` would finish it again, which fails.
        bytes: Bytes::from(std::mem::take(writer.inner_mut())),
        rows: rows.len() as u64,
        metadata,
        min_time: instant(times().min()),
        max_time: instant(times().max()),
    })
}

fn instant(micros: Option<i64>) -> DateTime<Utc> {
    micros.and_then(DateTime::from_timestamp_micros).unwrap_or_default()
}
