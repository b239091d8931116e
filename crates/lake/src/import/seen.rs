//! Which events a store has, by day.
//!
//! An event that is there twice has the same `eventTime` both times, so its day is the only one to look at. The ids of a
//! day are read once, from the `eventID` column of its files and from the tail; then those of what is written are added.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use arrow_array::{Array, RecordBatch, cast::AsArray};
use bytes::{Buf, Bytes};
use chrono::{DateTime, NaiveDate, Utc};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use opentrail_event::{Event, EventId};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader},
        reader::{ChunkReader, Length},
    },
};

use crate::{error::LakeError, ingest::View, schema, table::DataFile};

/// Ids that are kept in memory, of the days that were used last. A set has 17 bytes for each of its places, of which between
/// 7/16 and 7/8 are used, so these are some 60 MB and at most 80. The days that are looked at together stay in
/// memory in any case, and those of batches that are on their way into the table.
const MAX_IDS: usize = 2_000_000;
/// Days that are looked at together, and ids of theirs that the store has: some 30 MB. A single day may have more.
const DAYS_AT_ONCE: usize = 64;
const IDS_AT_ONCE: u64 = 1_000_000;
/// Bytes of a file's end that are read at once; the metadata of most files is in them.
const FOOTER_BYTES: u64 = 64 << 10;
/// Rows that are decoded at once.
const ROWS_AT_ONCE: usize = 8192;
/// The column of ids.
const ID: &str = "eventID";

/// The ids of some days.
#[derive(Default)]
pub(crate) struct Seen {
    days: HashMap<NaiveDate, Day>,
    turn: u64,
}

#[derive(Default)]
struct Day {
    ids: HashSet<EventId>,
    /// Files whose ids are among them.
    files: HashSet<Path>,
    used: u64,
}

impl Seen {
    /// Makes sure that the ids which a view has of these days are known. Those of the `pinned` days stay known: they are
    /// of events that no view has yet.
    ///
    /// # Errors
    /// If a file can't be read.
    pub(crate) async fn learn(
        &mut self,
        days: &HashSet<NaiveDate>,
        pinned: &HashSet<NaiveDate>,
        view: &View,
        objects: &Arc<dyn ObjectStore>,
    ) -> Result<(), LakeError> {
        self.turn += 1;
        // Before others are read: no more than one share of days is in memory with what is to be read.
        self.forget(days, pinned);
        for &date in days {
            let day = self.days.entry(date).or_default();
            day.used = self.turn;
            let files: &[Arc<DataFile>] =
                view.snapshot.as_ref().map_or(&[], |snapshot| snapshot.files_of(date));
            for file in files {
                if !day.files.contains(&file.path) {
                    day.ids.extend(read_ids(objects, file).await?);
                    day.files.insert(file.path.clone());
                }
            }
            // What is no more was merged into others, which were read.
            day.files.retain(|path| files.iter().any(|file| file.path == *path));
        }
        for batch in &view.tail {
            self.learn_tail(days, batch);
        }
        self.forget(days, pinned);
        Ok(())
    }

    fn learn_tail(&mut self, days: &HashSet<NaiveDate>, batch: &RecordBatch) {
        let (Some(ids), Some(times)) = (batch.column_by_name(ID), batch.column_by_name(schema::TIME)) else {
            return;
        };
        let (Some(ids), Some(times)) = (
            ids.as_string_opt::<i32>(),
            times.as_primitive_opt::<arrow_array::types::TimestampMicrosecondType>(),
        ) else {
            return;
        };
        for row in 0..batch.num_rows() {
            let time = times.is_valid(row).then(|| DateTime::<Utc>::from_timestamp_micros(times.value(row)));
            if let Some(date) = time.flatten().map(|time| time.date_naive())
                && days.contains(&date)
                && ids.is_valid(row)
                && let Some(day) = self.days.get_mut(&date)
            {
                day.ids.insert(EventId::of(ids.value(row)));
            }
        }
    }

    /// Whether the event is new; then it is known from here on. Its day was [learned](Self::learn).
    pub(crate) fn admit(&mut self, event: &Event) -> bool {
        self.days.entry(event.time().date_naive()).or_default().ids.insert(event.key())
    }

    /// Forgets everything: what was admitted may not have been written.
    pub(crate) fn clear(&mut self) {
        self.days.clear();
    }

    /// Forgets days that were not used for long, down to the limit.
    fn forget(&mut self, needed: &HashSet<NaiveDate>, pinned: &HashSet<NaiveDate>) {
        let mut ids: usize = self.days.values().map(|day| day.ids.len()).sum();
        if ids <= MAX_IDS {
            return;
        }
        let mut others: Vec<(u64, NaiveDate)> = self
            .days
            .iter()
            .filter(|(date, _)| !needed.contains(date) && !pinned.contains(date))
            .map(|(date, day)| (day.used, *date))
            .collect();
        others.sort_unstable();
        for (_, date) in others {
            if ids <= MAX_IDS {
                return;
            }
            ids -= self.days.remove(&date).map_or(0, |day| day.ids.len());
        }
    }
}

/// The events that a view has of a day.
fn rows_of(view: &View, day: NaiveDate) -> u64 {
    let files = view.snapshot.as_ref().map_or(&[][..], |snapshot| snapshot.files_of(day));
    files.iter().map(|file| file.rows).sum()
}

/// Days in groups whose ids can be in memory together.
pub(crate) fn shares(days: &BTreeSet<NaiveDate>, view: &View) -> Vec<HashSet<NaiveDate>> {
    groups(days, |day| rows_of(view, day))
}

fn groups(days: &BTreeSet<NaiveDate>, rows: impl Fn(NaiveDate) -> u64) -> Vec<HashSet<NaiveDate>> {
    let mut shares: Vec<HashSet<NaiveDate>> = Vec::new();
    let mut ids = 0;
    for &day in days {
        let of_day = rows(day);
        ids += of_day;
        match shares.last_mut() {
            Some(share) if share.len() < DAYS_AT_ONCE && ids <= IDS_AT_ONCE => {
                share.insert(day);
            }
            _ => {
                shares.push(HashSet::from([day]));
                ids = of_day;
            }
        }
    }
    shares
}

/// The ids in a file. Only its `eventID` column is read.
async fn read_ids(objects: &Arc<dyn ObjectStore>, file: &DataFile) -> Result<Vec<EventId>, LakeError> {
    let damaged = |error: ParquetError| LakeError::Damaged {
        path: file.path.to_string().into(),
        reason: error.to_string(),
    };
    let footer = read_footer(objects, file).await?;
    let metadata =
        ArrowReaderMetadata::try_new(Arc::new(footer), ArrowReaderOptions::new()).map_err(damaged)?;
    let columns = metadata.metadata().file_metadata().schema_descr();
    let Some(column) = columns.columns().iter().position(|column| column.path().string() == ID) else {
        return Ok(Vec::new());
    };
    let ranges: Vec<Range<u64>> = metadata
        .metadata()
        .row_groups()
        .iter()
        .map(|group| {
            let (start, length) = group.column(column).byte_range();
            start..start + length
        })
        .collect();
    let parts = objects.get_ranges(&file.path, &ranges).await?;
    let mask = ProjectionMask::leaves(columns, [column]);
    let chunks =
        Chunks { size: file.size, parts: ranges.into_iter().map(|range| range.start).zip(parts).collect() };
    let rows = usize::try_from(file.rows).unwrap_or_default();
    tokio::task::spawn_blocking(move || {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata)
            .with_projection(mask)
            .with_batch_size(ROWS_AT_ONCE)
            .build()?;
        let mut ids = Vec::with_capacity(rows);
        for batch in reader {
            let batch = batch.map_err(|error| ParquetError::General(error.to_string()))?;
            let texts = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
            ids.extend(texts.into_iter().flatten().flatten().map(EventId::of));
        }
        Ok(ids)
    })
    .await
    .map_err(|_| LakeError::Interrupted)?
    .map_err(damaged)
}

async fn read_footer(objects: &Arc<dyn ObjectStore>, file: &DataFile) -> Result<ParquetMetaData, LakeError> {
    let damaged = |error: ParquetError| LakeError::Damaged {
        path: file.path.to_string().into(),
        reason: error.to_string(),
    };
    let mut wanted = FOOTER_BYTES.min(file.size);
    loop {
        let end = objects.get_range(&file.path, file.size - wanted..file.size).await?;
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&end, file.size) {
            Ok(()) => return reader.finish().map_err(damaged),
            Err(ParquetError::NeedMoreData(needed))
                if needed as u64 > wanted && needed as u64 <= file.size =>
            {
                wanted = needed as u64;
            }
            Err(error) => return Err(damaged(error)),
        }
    }
}

/// The parts of a file that were read.
struct Chunks {
    size: u64,
    parts: Vec<(u64, Bytes)>,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Chunks {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let (at, part) = self.part(start)?;
        Ok(part.slice(at..).reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let (at, part) = self.part(start)?;
        let end = at.checked_add(length).filter(|end| *end <= part.len());
        let end = end.ok_or_else(|| ParquetError::EOF(format!("{length} bytes at {start} were not read")))?;
        Ok(part.slice(at..end))
    }
}

impl Chunks {
    fn part(&self, at: u64) -> ParquetResult<(usize, &Bytes)> {
        let of = |(start, part): &(u64, Bytes)| {
            let offset = usize::try_from(at.checked_sub(*start)?).ok()?;
            (offset < part.len()).then_some(offset)
        };
        self.parts
            .iter()
            .find_map(|part| Some((of(part)?, &part.1)))
            .ok_or_else(|| ParquetError::EOF(format!("the byte {at} was not read")))
    }
}

#[cfg(test)]
mod tests {
    use chrono::Days;

    use super::*;

    #[test]
    fn days_are_looked_at_in_groups_of_bounded_size() {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        let days: BTreeSet<NaiveDate> = (0..200).map(|day| first + Days::new(day)).collect();
        let sizes = |rows: u64| -> Vec<usize> { groups(&days, |_| rows).iter().map(HashSet::len).collect() };
        assert_eq!(sizes(0), [64, 64, 64, 8]);
        assert_eq!(sizes(IDS_AT_ONCE / 2), [2; 100]);
        assert_eq!(sizes(IDS_AT_ONCE * 2), [1; 200]);
        let all: BTreeSet<NaiveDate> = groups(&days, |_| 1).into_iter().flatten().collect();
        assert_eq!(all, days);
        assert!(groups(&BTreeSet::new(), |_| 1).is_empty());
    }
}
