//! Which files a predicate on the time column excludes.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics, ToDFSchema};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicate;

use crate::{DataFile, TableData};

/// The files, by their place in the table, that may have rows for which all filters hold.
pub(super) fn kept(
    state: &dyn Session,
    schema: &SchemaRef,
    data: &TableData,
    filters: &[Expr],
) -> Result<Vec<usize>> {
    if data.files.is_empty() {
        // DataFusion warns of statistics that are of no file.
        return Ok(Vec::new());
    }
    let all = || (0..data.files.len()).collect();
    let on_time: Vec<Expr> = filters
        .iter()
        .filter(|filter| filter.column_refs().iter().any(|column| column.name == data.time_column))
        .cloned()
        .collect();
    let Some(filter) = conjunction(on_time) else { return Ok(all()) };
    let frame = Arc::clone(schema).to_dfschema()?;
    let predicate = state.create_physical_expr(filter, &frame)?;
    let Ok(predicate) = PruningPredicate::try_new(predicate, Arc::clone(schema)) else { return Ok(all()) };
    let known = data.files.iter().map(|file| Arc::new(statistics(file, &data.time_column, schema))).collect();
    let keep = predicate.prune(&PrunableStatistics::new(known, Arc::clone(schema)))?;
    Ok(keep.iter().enumerate().filter_map(|(index, keep)| keep.then_some(index)).collect())
}

/// What is known of a file without opening it. The maximum is the end of its millisecond.
pub(super) fn statistics(file: &DataFile, time_column: &str, schema: &SchemaRef) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    if let Ok(rows) = usize::try_from(file.rows) {
        statistics.num_rows = Precision::Exact(rows);
    }
    let Some((index, field)) = schema.column_with_name(time_column) else { return statistics };
    let (Some(min), Some(max)) =
        (time(file.min_time, 0, field.data_type()), time(file.max_time, 1, field.data_type()))
    else {
        return statistics;
    };
    if let Some(column) = statistics.column_statistics.get_mut(index) {
        *column = ColumnStatistics {
            min_value: Precision::Exact(min),
            max_value: Precision::Exact(max),
            ..ColumnStatistics::new_unknown()
        };
    }
    statistics
}

/// Milliseconds since 1970 as a value of the column; with `end`, the last one in that millisecond.
fn time(ms: i64, end: i64, kind: &DataType) -> Option<ScalarValue> {
    let DataType::Timestamp(unit, zone) = kind else { return None };
    let within = |parts: i64| ms.checked_mul(parts)?.checked_add(end * (parts - 1));
    Some(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(ms.div_euclid(1000)), zone.clone()),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(ms), zone.clone()),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(within(1_000)?), zone.clone()),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(within(1_000_000)?), zone.clone()),
    })
}
