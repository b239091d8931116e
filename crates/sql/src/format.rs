//! Types and values as text, as CloudTrail Lake shows them in results, which is as Trino and Athena do.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, NaiveDateTime, TimeDelta};

use crate::{SqlError, functions};

/// The type of a column in Trino's words: as `typeof` names it, with the fields of rows in lower case.
pub(crate) fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Timestamp(unit, zone) => {
            let digits = digits(*unit);
            match zone {
                None => format!("timestamp({digits})"),
                Some(_) => format!("timestamp({digits}) with time zone"),
            }
        }
        DataType::Interval(IntervalUnit::YearMonth) => "interval year to month".to_owned(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => format!("array({})", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{} {}", field.name().to_lowercase(), type_name(field.data_type())))
                .collect();
            format!("row({})", fields.join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let kinds: Vec<String> = fields.iter().map(|field| type_name(field.data_type())).collect();
                format!("map({})", kinds.join(", "))
            }
            other => type_name(other),
        },
        DataType::Dictionary(_, values) => type_name(values),
        DataType::RunEndEncoded(_, values) => type_name(values.data_type()),
        DataType::Union(_, _) => "unknown".to_owned(),
        plain => functions::type_name(plain),
    }
}

fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second | TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// The value in a row, `None` for NULL.
pub(crate) fn value(array: &ArrayRef, row: usize) -> Result<Option<String>, SqlError> {
    if array.is_null(row) || matches!(array.data_type(), DataType::Null) {
        return Ok(None);
    }
    let mut text = String::new();
    write_value(&mut text, array, row)?;
    Ok(Some(text))
}

/// Writes a value that may stand in another, where NULL is a word.
fn write_nested(text: &mut String, array: &ArrayRef, row: usize) -> Result<(), SqlError> {
    if array.is_null(row) || matches!(array.data_type(), DataType::Null) {
        text.push_str("null");
        return Ok(());
    }
    write_value(text, array, row)
}

macro_rules! integer {
    ($text:expr, $array:expr, $row:expr, $kind:ty) => {
        write!($text, "{}", $array.as_primitive::<$kind>().value($row)).map_err(unwritten)
    };
}

fn write_value(text: &mut String, array: &ArrayRef, row: usize) -> Result<(), SqlError> {
    match array.data_type() {
        DataType::Boolean => text.push_str(if array.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Int8 => integer!(text, array, row, Int8Type)?,
        DataType::Int16 => integer!(text, array, row, Int16Type)?,
        DataType::Int32 => integer!(text, array, row, Int32Type)?,
        DataType::Int64 => integer!(text, array, row, Int64Type)?,
        DataType::UInt8 => integer!(text, array, row, UInt8Type)?,
        DataType::UInt16 => integer!(text, array, row, UInt16Type)?,
        DataType::UInt32 => integer!(text, array, row, UInt32Type)?,
        DataType::UInt64 => integer!(text, array, row, UInt64Type)?,
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            write_float(text, f64::from(value), &format!("{value:e}"));
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            write_float(text, value, &format!("{value:e}"));
        }
        DataType::Decimal128(_, _) => {
            text.push_str(&array.as_primitive::<Decimal128Type>().value_as_string(row));
        }
        DataType::Decimal256(_, _) => {
            text.push_str(&array.as_primitive::<Decimal256Type>().value_as_string(row));
        }
        DataType::Utf8 => text.push_str(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text.push_str(array.as_string::<i64>().value(row)),
        DataType::Utf8View => text.push_str(array.as_string_view().value(row)),
        DataType::Binary => write_binary(text, array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => write_binary(text, array.as_binary::<i64>().value(row)),
        DataType::BinaryView => write_binary(text, array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(16) => {
            let address = crate::functions::ip::text(array.as_fixed_size_binary().value(row));
            text.push_str(&address.unwrap_or_default());
        }
        DataType::Date32 => {
            let day = array.as_primitive::<Date32Type>().value_as_date(row);
            write!(text, "{}", day.ok_or_else(out_of_range)?).map_err(unwritten)?;
        }
        DataType::Timestamp(unit, zone) => write_timestamp(text, array, row, *unit, zone.as_deref())?,
        DataType::Time32(_) | DataType::Time64(_) => write_time(text, array, row)?,
        DataType::Interval(_) | DataType::Duration(_) => write_interval(text, array, row)?,
        DataType::Dictionary(_, values) => {
            let plain = arrow::compute::cast(&array.slice(row, 1), values).map_err(unformatted)?;
            write_nested(text, &plain, 0)?;
        }
        _ => write_container(text, array, row)?,
    }
    Ok(())
}

/// Arrays as `[a, b]`, maps as `{k=v}`, rows as `{field=value}`.
fn write_container(text: &mut String, array: &ArrayRef, row: usize) -> Result<(), SqlError> {
    match array.data_type() {
        DataType::List(_) => write_list(text, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => write_list(text, &array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => write_list(text, &array.as_fixed_size_list().value(row)),
        DataType::Map(_, _) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            text.push('{');
            for index in 0..entries.len() {
                if index > 0 {
                    text.push_str(", ");
                }
                write_nested(text, keys, index)?;
                text.push('=');
                write_nested(text, values, index)?;
            }
            text.push('}');
            Ok(())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            text.push('{');
            for (index, (field, column)) in fields.iter().zip(columns).enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(&field.name().to_lowercase());
                text.push('=');
                write_nested(text, column, row)?;
            }
            text.push('}');
            Ok(())
        }
        other => {
            Err(SqlError::mistake(format!("A result can't have a column of type {}.", type_name(other))))
        }
    }
}

fn write_list(text: &mut String, items: &ArrayRef) -> Result<(), SqlError> {
    text.push('[');
    for index in 0..items.len() {
        if index > 0 {
            text.push_str(", ");
        }
        write_nested(text, items, index)?;
    }
    text.push(']');
    Ok(())
}

/// As Java writes a double: `1.0`, `1.0E7`, `1.0E-4`, `NaN`, `Infinity`. `scientific` is its shortest form with an exponent.
fn write_float(text: &mut String, value: f64, scientific: &str) {
    if value.is_nan() {
        text.push_str("NaN");
    } else if value.is_infinite() {
        text.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if value == 0.0 {
        text.push_str(if value.is_sign_negative() { "-0.0" } else { "0.0" });
    } else {
        let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
        let digits: String = digits.chars().filter(|digit| *digit != '.').collect();
        text.push_str(sign);
        if (-3..7).contains(&exponent) {
            write_plain(text, &digits, exponent);
        } else {
            let (first, rest) = digits.split_at(1);
            let rest = if rest.is_empty() { "0" } else { rest };
            text.push_str(&format!("{first}.{rest}E{exponent}"));
        }
    }
}

/// Digits with a point `exponent` places behind the first.
fn write_plain(text: &mut String, digits: &str, exponent: i32) {
    let point = exponent + 1;
    if point <= 0 {
        text.push_str("0.");
        text.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
        text.push_str(digits);
        return;
    }
    let point = point.unsigned_abs() as usize;
    for (index, digit) in digits.chars().enumerate() {
        if index == point {
            text.push('.');
        }
        text.push(digit);
    }
    if digits.len() <= point {
        text.extend(std::iter::repeat_n('0', point - digits.len()));
        text.push_str(".0");
    }
}

fn write_binary(text: &mut String, bytes: &[u8]) {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push_str(&pairs.join(" "));
}

fn write_timestamp(
    text: &mut String,
    array: &ArrayRef,
    row: usize,
    unit: TimeUnit,
    zone: Option<&str>,
) -> Result<(), SqlError> {
    let utc = match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value_as_datetime(row),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value_as_datetime(row),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value_as_datetime(row),
    };
    let utc = utc.ok_or_else(out_of_range)?;
    let Some(zone) = zone else {
        text.push_str(&wall_clock(utc, unit));
        return Ok(());
    };
    let local = zone.parse::<arrow::array::timezone::Tz>().map_err(unformatted)?;
    let local = DateTime::<chrono::Utc>::from_naive_utc_and_offset(utc, chrono::Utc).with_timezone(&local);
    let zone = if matches!(zone, "+00:00" | "Z" | "UTC") { "UTC" } else { zone };
    text.push_str(&format!("{} {zone}", wall_clock(local.naive_local(), unit)));
    Ok(())
}

/// A time of day with milliseconds, and with more digits if it has more.
fn wall_clock(time: NaiveDateTime, unit: TimeUnit) -> String {
    use chrono::Timelike;
    let fine = !time.nanosecond().is_multiple_of(1_000_000);
    let format = match unit {
        TimeUnit::Nanosecond if fine => "%Y-%m-%d %H:%M:%S%.9f",
        TimeUnit::Microsecond if fine => "%Y-%m-%d %H:%M:%S%.6f",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    time.format(format).to_string()
}

fn write_time(text: &mut String, array: &ArrayRef, row: usize) -> Result<(), SqlError> {
    let time = match array.data_type() {
        DataType::Time32(TimeUnit::Second) => array.as_primitive::<Time32SecondType>().value_as_time(row),
        DataType::Time32(_) => array.as_primitive::<Time32MillisecondType>().value_as_time(row),
        DataType::Time64(TimeUnit::Microsecond) => {
            array.as_primitive::<Time64MicrosecondType>().value_as_time(row)
        }
        _ => array.as_primitive::<Time64NanosecondType>().value_as_time(row),
    };
    text.push_str(&time.ok_or_else(out_of_range)?.format("%H:%M:%S%.3f").to_string());
    Ok(())
}

/// `1 02:03:04.005` for days and seconds, `1-2` for years and months.
fn write_interval(text: &mut String, array: &ArrayRef, row: usize) -> Result<(), SqlError> {
    let (months, span) = match array.data_type() {
        DataType::Interval(IntervalUnit::YearMonth) => {
            (array.as_primitive::<IntervalYearMonthType>().value(row), None)
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = array.as_primitive::<IntervalDayTimeType>().value(row);
            let span =
                TimeDelta::days(value.days.into()) + TimeDelta::milliseconds(value.milliseconds.into());
            (0, Some(span))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            let span = TimeDelta::days(value.days.into()) + TimeDelta::nanoseconds(value.nanoseconds);
            (value.months, (value.months == 0 || !span.is_zero()).then_some(span))
        }
        DataType::Duration(unit) => (
            0,
            Some(match unit {
                TimeUnit::Second => {
                    TimeDelta::try_seconds(array.as_primitive::<DurationSecondType>().value(row))
                        .ok_or_else(out_of_range)?
                }
                TimeUnit::Millisecond => {
                    TimeDelta::try_milliseconds(array.as_primitive::<DurationMillisecondType>().value(row))
                        .ok_or_else(out_of_range)?
                }
                TimeUnit::Microsecond => {
                    TimeDelta::microseconds(array.as_primitive::<DurationMicrosecondType>().value(row))
                }
                TimeUnit::Nanosecond => {
                    TimeDelta::nanoseconds(array.as_primitive::<DurationNanosecondType>().value(row))
                }
            }),
        ),
        _ => return Err(out_of_range()),
    };
    if months != 0 || span.is_none() {
        let sign = if months < 0 { "-" } else { "" };
        let months = months.unsigned_abs();
        text.push_str(&format!("{sign}{}-{}", months / 12, months % 12));
    }
    if let Some(span) = span {
        if months != 0 {
            text.push(' ');
        }
        let sign = if span < TimeDelta::zero() { "-" } else { "" };
        let ms = span.num_milliseconds().unsigned_abs();
        let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
        let (hours, rest) = (rest / 3_600_000, rest % 3_600_000);
        let (minutes, rest) = (rest / 60_000, rest % 60_000);
        text.push_str(&format!("{sign}{days} {hours:02}:{minutes:02}:{:02}.{:03}", rest / 1000, rest % 1000));
    }
    Ok(())
}

fn out_of_range() -> SqlError {
    SqlError::Value("a time is out of range".to_owned())
}

fn unwritten(_: std::fmt::Error) -> SqlError {
    SqlError::Internal("a value could not be written".to_owned())
}

fn unformatted(error: impl std::fmt::Display) -> SqlError {
    SqlError::Internal(format!("a value could not be written: {error}"))
}
