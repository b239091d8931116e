//! The order of rows in a file.

use std::collections::HashMap;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, cast::AsArray};
use arrow_schema::{DataType, TimeUnit};

use super::file;
use crate::{
    LakeError,
    schema::{self, Shape},
};

/// The most columns of texts that rows are sorted by.
const RANKS: usize = 4;

/// A row and where it stands. The fields are in the order in which they are compared.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// Days since 1970.
    pub(super) day: i64,
    /// For each column of texts that is sorted by, the text's place among the texts; 0 for null.
    ranks: [u32; RANKS],
    /// Microseconds since 1970.
    time: i64,
    pub(super) batch: u32,
    pub(super) row: u32,
}

/// All rows in order, the days one after the other.
pub(super) fn sorted(shape: Shape, batches: &[RecordBatch]) -> Result<Vec<Row>, LakeError> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in (0u32..).zip(batches) {
        rows.extend((0u32..).zip(file::times(batch)?).map(|(row, time)| Row {
            day: file::day_of(*time),
            ranks: [0; RANKS],
            time: *time,
            batch: number,
            row,
        }));
    }
    let texts = shape.sorted_by().iter().filter(|path| kind(path) == DataType::Utf8);
    for (place, path) in texts.enumerate().take(RANKS) {
        rank(batches, path, |row, rank| {
            if let Some(row) = rows.get_mut(row) {
                row.ranks[place] = rank;
            }
        });
    }
    rows.sort_unstable();
    Ok(rows)
}

/// Tells the rank of each row's text, rows counted through all batches. Texts that are sorted by repeat a
/// lot, so that their order is found once for each text and not for each row.
fn rank(batches: &[RecordBatch], path: &[&str], mut tell: impl FnMut(usize, u32)) {
    let texts = |batch| column(batch, path)?.as_string_opt::<i32>().cloned();
    let columns: Vec<Option<StringArray>> = batches.iter().map(texts).collect();
    let mut numbers: HashMap<&str, u32, xxhash_rust::xxh3::Xxh3DefaultBuilder> = HashMap::default();
    let mut found: Vec<Option<u32>> = Vec::new();
    for (batch, column) in batches.iter().zip(&columns) {
        let mut last: Option<(&str, u32)> = None;
        for row in 0..batch.num_rows() {
            let text = column.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row));
            found.push(text.map(|text| match last {
                Some((known, number)) if known == text => number,
                _ => {
                    let next = numbers.len() as u32;
                    let number = *numbers.entry(text).or_insert(next);
                    last = Some((text, number));
                    number
                }
            }));
        }
    }
    let mut texts: Vec<(&str, u32)> = numbers.into_iter().collect();
    texts.sort_unstable();
    let mut ranks = vec![0u32; texts.len()];
    for (rank, (_, number)) in (1u32..).zip(texts) {
        if let Some(place) = ranks.get_mut(number as usize) {
            *place = rank;
        }
    }
    for (row, number) in found.into_iter().enumerate() {
        tell(row, number.and_then(|number| ranks.get(number as usize).copied()).unwrap_or_default());
    }
}

/// A column that rows are sorted by, or a member of a struct that is one. A struct that is null has no member.
pub(super) fn column(batch: &RecordBatch, path: &[&str]) -> Option<ArrayRef> {
    let (name, rest) = path.split_first()?;
    let mut column = batch.column_by_name(name)?.clone();
    for name in rest {
        column = column.as_struct_opt()?.column_by_name(name)?.clone();
    }
    Some(column).filter(|column| *column.data_type() == kind(path))
}

/// What is in a column that rows are sorted by.
pub(super) fn kind(path: &[&str]) -> DataType {
    match path {
        [schema::TIME] => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => DataType::Utf8,
    }
}
