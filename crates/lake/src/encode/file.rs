//! A file while it is written.

use std::sync::Arc;

use arrow_array::{RecordBatch, cast::AsArray, types::TimestampMicrosecondType};
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave_record_batch;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use parquet::arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions};

use super::{EncodedFile, properties};
use crate::{
    LakeError,
    record::{Keep, Stored},
    schema::{self, Shape},
};

const DAY_MICROS: i64 = 86_400_000_000;

/// Writes rows of one day, which come in their order.
pub(super) struct FileWriter {
    shape: Shape,
    keep: Keep,
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    /// The earliest and the latest `eventTime`, in microseconds since 1970.
    times: Option<(i64, i64)>,
}

impl FileWriter {
    /// `rows` is about how many there will be, `bytes` about how large the file.
    pub(super) fn new(shape: Shape, keep: Keep, rows: u64, bytes: usize) -> Result<Self, LakeError> {
        // Arrow's own copy of the schema would be a tenth of a small file and says nothing that Parquet's doesn't.
        let options = ArrowWriterOptions::new()
            .with_properties(properties::of(shape, rows))
            .with_skip_arrow_metadata(true);
        let file = Vec::with_capacity(bytes);
        let writer = ArrowWriter::try_new_with_options(file, shape.arrow(), options)?;
        Ok(Self { shape, keep, writer, rows: 0, times: None })
    }

    /// Writes the rows at `places`, each a batch and a row in it. The batches are without records, which `stored` has.
    pub(super) fn write(
        &mut self,
        slim: &[&RecordBatch],
        stored: &[Stored<'_>],
        places: &[(usize, usize)],
    ) -> Result<(), LakeError> {
        let ordered = interleave_record_batch(slim, places)?;
        let record = |row: usize| {
            let (batch, row) = *places.get(row)?;
            stored.get(batch)?.record(row)
        };
        for time in times(&ordered)? {
            let (first, last) = self.times.unwrap_or((*time, *time));
            self.times = Some((first.min(*time), last.max(*time)));
        }
        self.rows += places.len() as u64;
        self.writer.write(&self.keep.rows(self.shape, &ordered, record)?)?;
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// [`LakeError::Arrow`] if there are rows of several days, or none.
    pub(super) fn finish(mut self) -> Result<EncodedFile, LakeError> {
        let metadata = Arc::new(self.writer.finish()?);
        let Some((first, last)) = self.times.filter(|(first, last)| day_of(*first) == day_of(*last)) else {
            let reason = "a file is to have rows of one day".to_owned();
            return Err(ArrowError::InvalidArgumentError(reason).into());
        };
        Ok(EncodedFile {
            day: instant(first).date_naive(),
            // Finishing has flushed it; `into_inner` would finish it again, which fails.
            bytes: Bytes::from(std::mem::take(self.writer.inner_mut())),
            rows: self.rows,
            metadata,
            min_time: instant(first),
            max_time: instant(last),
        })
    }
}

/// The `eventTime` of rows, in microseconds since 1970.
pub(super) fn times(batch: &RecordBatch) -> Result<&[i64], LakeError> {
    let column = batch.column_by_name(schema::TIME);
    let times = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let missing = || ArrowError::SchemaError("a batch has no eventTime in microseconds".to_owned());
    Ok(times.ok_or_else(missing)?.values())
}

/// How many days after 1970 a time is.
pub(super) fn day_of(micros: i64) -> i64 {
    micros.div_euclid(DAY_MICROS)
}

fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}
