//! `cast` and `try_cast` with Trino's meaning: between scalars, and into and out of arrays, maps, rows and JSON.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, RecordBatchOptions,
    StringArray, StructArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, Field, Float32Type, Float64Type, Int64Type, Schema};
use arrow::util::display::FormatOptions;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, Volatility};

use super::call::{Call, Function, Kind, Overload, Types, failed, map_types};
use super::column::{TextBuilder, Texts, list_array, map_array};
use super::types::{parse_type, type_name};
use super::{ip, json_values, time};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        name: "$cast",
        aliases: &[],
        overloads: &[Overload {
            parameters: &[Kind::Any, Kind::Text],
            repeats: false,
            returns: wanted,
            body: strict,
        }],
        volatility: Volatility::Immutable,
        simplify: Some(simplify),
        picks: false,
    },
    Function {
        name: "$try_cast",
        aliases: &[],
        overloads: &[Overload {
            parameters: &[Kind::Any, Kind::Text],
            repeats: false,
            returns: wanted,
            body: lenient,
        }],
        volatility: Volatility::Immutable,
        simplify: None,
        picks: false,
    },
];

fn wanted(types: &Types<'_>) -> Result<DataType> {
    Ok(parse_type(&types.literal_text(1, "the type of a cast")?)?.kind)
}

/// A cast that Arrow does just so is left to Arrow, so that the optimizer sees through it.
fn simplify(arguments: &[Expr], context: &SimplifyContext) -> Result<Option<Expr>> {
    let [value, Expr::Literal(text, _)] = arguments else { return Ok(None) };
    let Some(Some(text)) = text.try_as_str() else { return Ok(None) };
    let wanted = parse_type(text)?;
    let from = value.get_type(context.schema().as_ref())?;
    if wanted.length.is_some() || from == DataType::LargeUtf8 {
        return Ok(None);
    }
    if from == wanted.kind {
        return Ok(Some(value.clone()));
    }
    let same = matches!(
        (&from, &wanted.kind),
        (DataType::Int8 | DataType::Int16 | DataType::Int32, DataType::Int64)
            | (DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64, DataType::Float64)
            | (DataType::Date32, DataType::Timestamp(_, None))
            | (DataType::Timestamp(_, None), DataType::Date32)
    );
    Ok(same.then(|| Expr::Cast(datafusion::logical_expr::Cast::new(Box::new(value.clone()), wanted.kind))))
}

fn limit(call: &Call, array: ArrayRef) -> Result<ArrayRef> {
    let texts = call.texts(1)?;
    let Some(length) = texts.get(0).map(parse_type).transpose()?.and_then(|wanted| wanted.length) else {
        return Ok(array);
    };
    let Some(values) = Texts::of(&array, false) else { return Ok(array) };
    let mut result = TextBuilder::new(array.len());
    for row in 0..array.len() {
        result.push(
            values.get(row).map(|text| text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])),
        )?;
    }
    Ok(result.finish())
}

fn strict(call: &Call) -> Result<ArrayRef> {
    let argument = call.arguments[0].expanded(call.rows)?;
    limit(call, cast(&argument, &call.result)?)
}

fn lenient(call: &Call) -> Result<ArrayRef> {
    let argument = call.arguments[0].expanded(call.rows)?;
    let plain = Texts::of(&argument, false).is_some() && *argument.data_type() != DataType::LargeUtf8;
    if plain && (call.result.is_integer() || call.result.is_floating()) {
        return Ok(arrow::compute::cast(&argument, &call.result)?);
    }
    let schema = Arc::new(Schema::new(vec![Field::new("value", argument.data_type().clone(), true)]));
    let options = RecordBatchOptions::new().with_row_count(Some(call.rows));
    let rows = RecordBatch::try_new_with_options(schema, vec![argument], &options)?;
    let mut parts = Vec::new();
    super::lambda::attempt(&|rows| cast(rows.column(0), &call.result), &rows, &call.result, &mut parts)?;
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    limit(call, arrow::compute::concat(&parts)?)
}

/// Values as another type.
///
/// # Errors
/// `Cannot cast …`, with the value or the types.
pub(crate) fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = array.data_type().clone();
    if from == *to {
        return Ok(array.clone());
    }
    match (&from, to) {
        (DataType::Null, _) => Ok(arrow::array::new_null_array(to, array.len())),
        (_, DataType::LargeUtf8) => json_values::to_json(array),
        (DataType::LargeUtf8, _) => json_values::from_json(array, to),
        (DataType::List(_), DataType::List(field)) => {
            let list = array.as_list::<i32>();
            let values = cast(list.values(), field.data_type())?;
            let valid = (0..list.len()).map(|row| list.is_valid(row)).collect();
            list_array(list.value_offsets().to_vec(), valid, values, to)
        }
        (DataType::Map(_, _), DataType::Map(_, _)) => {
            let map = array.as_map();
            let (key, value) = map_types(to);
            let valid = (0..map.len()).map(|row| map.is_valid(row)).collect();
            let (keys, values) = (cast(map.keys(), &key)?, cast(map.values(), &value)?);
            map_array(map.value_offsets().to_vec(), valid, keys, values, to)
        }
        (DataType::Struct(given), DataType::Struct(fields)) if given.len() == fields.len() => {
            let row = array.as_struct();
            let columns = row
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| cast(column, field.data_type()))
                .collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                row.nulls().cloned(),
                row.len(),
            )?))
        }
        _ if from.is_nested() || to.is_nested() => Err(impossible(&from, to)),
        _ => scalar(array, &from, to),
    }
}

fn impossible(from: &DataType, to: &DataType) -> DataFusionError {
    DataFusionError::Plan(format!("Cannot cast {} to {}", type_name(from), type_name(to)))
}

fn scalar(array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let is_text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::Utf8View);
    match (from, to) {
        (DataType::Float64 | DataType::Float32, to) if is_text(to) => double_texts(array),
        (DataType::Timestamp(_, _), to) if is_text(to) => time::texts(array),
        (DataType::FixedSizeBinary(16), to) if is_text(to) => ip::texts(array),
        (from, DataType::FixedSizeBinary(16)) if is_text(from) => addresses(array),
        (from, DataType::Boolean) if is_text(from) => truths(array),
        (from, DataType::Timestamp(_, _)) if is_text(from) => time::parse_all(array, to),
        (from, DataType::Date32) if is_text(from) => dates(array),
        (from, DataType::Binary) if is_text(from) => Err(impossible(from, to)),
        (DataType::Timestamp(_, _), DataType::Timestamp(_, _) | DataType::Date32) => time::convert(array, to),
        (DataType::Float64 | DataType::Float32, to) if to.is_integer() => rounded(array, to),
        (DataType::Decimal128(precision, scale), to) if to.is_integer() && *scale > 0 => {
            // Arrow cuts a fraction off on the way to a whole number, and rounds it on the way to another scale.
            plain(&plain(array, &DataType::Decimal128(*precision, 0))?, to)
        }
        _ => plain(array, to),
    }
}

/// Arrow's own cast; a value that it cannot do is an error.
fn plain(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if !arrow::compute::can_cast_types(array.data_type(), to) {
        return Err(impossible(array.data_type(), to));
    }
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(array, to, &options).map_err(|_| {
        // Which value it was: the first that the lenient cast makes NULL.
        let lenient = arrow::compute::cast(array, to).ok();
        let bad =
            lenient.and_then(|done| (0..array.len()).find(|row| done.is_null(*row) && array.is_valid(*row)));
        let value = bad.and_then(|row| {
            let text = arrow::compute::cast(&array.slice(row, 1), &DataType::Utf8).ok()?;
            Some(text.as_string::<i32>().value(0).chars().take(100).collect::<String>())
        });
        failed(format!("Cannot cast '{}' to {}", value.unwrap_or_default(), type_name(to)))
    })
}

fn map_texts<T>(array: &ArrayRef, convert: impl Fn(&str) -> Result<T>) -> Result<Vec<Option<T>>> {
    let texts = Texts::of(array, false).ok_or_else(|| failed("a varchar is wanted"))?;
    (0..array.len()).map(|row| texts.get(row).map(&convert).transpose()).collect()
}

/// A truth value's text.
pub(crate) fn boolean(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(failed(format!("Cannot cast '{text}' to boolean"))),
    }
}

fn truths(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::from(map_texts(array, boolean)?)))
}

fn dates(array: &ArrayRef) -> Result<ArrayRef> {
    let parse = |text: &str| {
        let date = chrono::NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
            .map_err(|_| failed(format!("Value cannot be cast to date: {text}")))?;
        Ok(Date32Type::from_naive_date(date))
    };
    Ok(Arc::new(arrow::array::Date32Array::from(map_texts(array, parse)?)))
}

fn addresses(array: &ArrayRef) -> Result<ArrayRef> {
    let addresses = map_texts(array, ip::parse)?;
    Ok(Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(addresses.into_iter(), 16)?))
}

/// A double as Trino writes it into a varchar: `1.5E0`.
pub(crate) fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

fn double_texts(array: &ArrayRef) -> Result<ArrayRef> {
    let texts: StringArray = match array.data_type() {
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .iter()
            .map(|value| {
                value.map(|value| double_text(value.to_string().parse().unwrap_or(f64::from(value))))
            })
            .collect(),
        _ => array.as_primitive::<Float64Type>().iter().map(|value| value.map(double_text)).collect(),
    };
    Ok(Arc::new(texts))
}

fn rounded(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let doubles = arrow::compute::cast(array, &DataType::Float64)?;
    let longs = doubles
        .as_primitive::<Float64Type>()
        .iter()
        .map(|value| {
            let Some(value) = value else { return Ok(None) };
            let whole = value.round();
            // The largest bigint is no double; the first double above it is out of range.
            if whole.is_nan() || whole < i64::MIN as f64 || whole >= i64::MAX as f64 {
                return Err(failed(format!("Cannot cast {} to {}", double_text(value), type_name(to))));
            }
            Ok(Some(whole as i64))
        })
        .collect::<Result<arrow::array::PrimitiveArray<Int64Type>>>()?;
    let longs: ArrayRef = Arc::new(longs);
    if *to == DataType::Int64 { Ok(longs) } else { plain(&longs, to) }
}
