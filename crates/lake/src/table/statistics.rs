//! What a manifest says of a file's columns, so that engines can leave files out.

use std::collections::HashMap;

use chrono::NaiveDate;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, Literal, PrimitiveType, Schema,
    Struct, Type,
};
use parquet::file::{
    metadata::{ParquetMetaData, RowGroupMetaData},
    statistics::Statistics,
};

use super::options::Layout;
use crate::{LakeError, encode::EncodedFile};

/// How many characters of a text are kept as a bound, as Iceberg's `truncate(16)` does by default.
const BOUND_CHARS: usize = 16;

/// A file as Iceberg's manifests describe it.
pub(super) fn described(
    layout: &Layout,
    file: &EncodedFile,
    uri: String,
    spec_id: i32,
    order_id: i32,
) -> Result<DataFile, LakeError> {
    let mut columns = Columns::default();
    for group in file.metadata.row_groups() {
        columns.add(&layout.schema, group);
    }
    let mut builder = DataFileBuilder::default();
    builder
        .content(DataContentType::Data)
        .file_path(uri)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::from_iter([Some(Literal::date(days_since_1970(file.day)))]))
        .partition_spec_id(spec_id)
        .record_count(file.rows)
        .file_size_in_bytes(file.bytes.len() as u64)
        .sort_order_id(order_id)
        .split_offsets(Some(offsets(&file.metadata)))
        .column_sizes(columns.sizes)
        .value_counts(columns.values)
        .null_value_counts(columns.nulls)
        .lower_bounds(columns.bounds.iter().filter_map(|(id, bound)| Some((*id, bound.lower()?))).collect())
        .upper_bounds(columns.bounds.iter().filter_map(|(id, bound)| Some((*id, bound.upper()?))).collect());
    builder.build().map_err(|error| LakeError::Iceberg(error.to_string()))
}

pub(super) fn days_since_1970(day: NaiveDate) -> i32 {
    i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}

pub(super) fn day_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(chrono::Duration::days(i64::from(days)))
}

/// Where a reader may split the file: at its row groups.
fn offsets(metadata: &ParquetMetaData) -> Vec<i64> {
    let first_page = |group: &RowGroupMetaData| {
        let first = group.columns().first()?;
        Some(first.dictionary_page_offset().unwrap_or_else(|| first.data_page_offset()))
    };
    metadata.row_groups().iter().filter_map(first_page).collect()
}

#[derive(Debug, Default)]
struct Columns {
    sizes: HashMap<i32, u64>,
    values: HashMap<i32, u64>,
    nulls: HashMap<i32, u64>,
    bounds: HashMap<i32, Bound>,
}

impl Columns {
    fn add(&mut self, schema: &Schema, group: &RowGroupMetaData) {
        for chunk in group.columns() {
            let info = chunk.column_descr().self_type().get_basic_info();
            if !info.has_id() {
                continue;
            }
            let id = info.id();
            *self.sizes.entry(id).or_default() += u64::try_from(chunk.compressed_size()).unwrap_or(0);
            // In lists and maps the counts are of elements, and engines compare them with rows.
            if chunk.column_descr().max_rep_level() > 0 {
                continue;
            }
            *self.values.entry(id).or_default() += u64::try_from(chunk.num_values()).unwrap_or(0);
            let kind = schema.field_by_id(id).map(|field| field.field_type.as_ref());
            let bound = self.bounds.entry(id).or_default();
            match chunk.statistics() {
                Some(statistics) => {
                    match statistics.null_count_opt() {
                        Some(nulls) => *self.nulls.entry(id).or_default() += nulls,
                        None => bound.unknown = true,
                    }
                    let all_null = statistics.null_count_opt() == u64::try_from(chunk.num_values()).ok();
                    bound.add(kind, statistics, all_null);
                }
                None => bound.unknown = true,
            }
        }
    }
}

/// The least and the greatest value of a column, as far as they are known.
#[derive(Debug, Default)]
struct Bound {
    range: Option<(Value, Value)>,
    /// Whether a row group doesn't say.
    unknown: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Flag(bool),
    Integer(i32),
    Time(i64),
    Text(String),
}

impl Bound {
    fn add(&mut self, kind: Option<&Type>, statistics: &Statistics, all_null: bool) {
        if all_null {
            return;
        }
        match (values(kind, statistics), self.range.take()) {
            (Some(new), None) => self.range = Some(new),
            (Some((min, max)), Some((least, greatest))) => {
                self.range = Some((least.min(min), greatest.max(max)));
            }
            (None, _) => self.unknown = true,
        }
    }

    fn lower(&self) -> Option<Datum> {
        let (least, _) = self.range.as_ref().filter(|_| !self.unknown)?;
        Some(match least {
            Value::Text(text) => Datum::string(text.chars().take(BOUND_CHARS).collect::<String>()),
            other => other.datum(),
        })
    }

    fn upper(&self) -> Option<Datum> {
        let (_, greatest) = self.range.as_ref().filter(|_| !self.unknown)?;
        Some(match greatest {
            Value::Text(text) => Datum::string(at_most(text)?),
            other => other.datum(),
        })
    }
}

impl Value {
    fn datum(&self) -> Datum {
        match self {
            Self::Flag(value) => Datum::bool(*value),
            Self::Integer(value) => Datum::int(*value),
            Self::Time(value) => Datum::timestamp_micros(*value),
            Self::Text(value) => Datum::string(value),
        }
    }
}

/// A short text that no text of which this is the greatest is above; `None` where there is none.
fn at_most(text: &str) -> Option<String> {
    let mut kept: Vec<char> = text.chars().take(BOUND_CHARS).collect();
    if kept.len() == text.chars().count() {
        return Some(text.to_owned());
    }
    while let Some(last) = kept.pop() {
        let above = match u32::from(last) + 1 {
            // No characters are there.
            0xD800 => char::from_u32(0xE000),
            next => char::from_u32(next),
        };
        if let Some(above) = above {
            kept.push(above);
            return Some(kept.into_iter().collect());
        }
    }
    None
}

fn values(kind: Option<&Type>, statistics: &Statistics) -> Option<(Value, Value)> {
    let Some(Type::Primitive(kind)) = kind else { return None };
    match (kind, statistics) {
        (PrimitiveType::Boolean, Statistics::Boolean(found)) => {
            Some((Value::Flag(*found.min_opt()?), Value::Flag(*found.max_opt()?)))
        }
        (PrimitiveType::Int, Statistics::Int32(found)) => {
            Some((Value::Integer(*found.min_opt()?), Value::Integer(*found.max_opt()?)))
        }
        (PrimitiveType::Timestamp, Statistics::Int64(found)) => {
            Some((Value::Time(*found.min_opt()?), Value::Time(*found.max_opt()?)))
        }
        // Parquet may have cut texts already: the least is then a prefix, which is below; the greatest was
        // raised, which is above.
        (PrimitiveType::String, Statistics::ByteArray(found)) => Some((
            Value::Text(found.min_opt()?.as_utf8().ok()?.to_owned()),
            Value::Text(found.max_opt()?.as_utf8().ok()?.to_owned()),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_upper_bound_is_above_the_text() {
        for text in [
            "",
            "short",
            "exactly16chars!!",
            "arn:aws:iam::123456789012:user/alice",
            "\u{10ffff}".repeat(9).as_str(),
        ] {
            assert!(at_most(text).unwrap().as_str() >= text, "{text}");
        }
        let cut = at_most(&format!("{}zz", "\u{d7ff}".repeat(16))).unwrap();
        assert_eq!(cut.chars().last(), Some('\u{e000}'));
        assert_eq!(at_most(&"\u{10ffff}".repeat(17)), None);
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days_since_1970(NaiveDate::from_ymd_opt(1970, 1, 2).unwrap()), 1);
        assert_eq!(day_of(-1), NaiveDate::from_ymd_opt(1969, 12, 31));
    }
}
