//! Functions of timestamps and dates: their parts, arithmetic, zones, and conversions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{Datelike, Days, Duration, Months, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Volatility};

use super::call::{Call, Function, Kind, Overload, Types, failed, function, returns};
use super::time::{self, DAY, Times, micros, naive, to_local, to_utc};
use super::time_format::{self, Format};

macro_rules! moments {
    ($($name:literal $(alias $alias:literal)?),* => $simplify:expr, $returns:expr) => { [$(Function {
        name: $name,
        aliases: &[$($alias)?],
        overloads: &[
            Overload { parameters: &[], repeats: false, returns: $returns, body: unplanned },
            Overload { parameters: &[Kind::Bigint], repeats: false, returns: $returns, body: unplanned },
        ],
        volatility: Volatility::Stable,
        simplify: Some($simplify),
        picks: false,
    }),*] };
}

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("year", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.year()))),
    function!("quarter", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.month0() / 3 + 1))),
    function!("month", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.month()))),
    function!("week", alias "week_of_year", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.iso_week().week()))),
    function!("year_of_week", alias "yow", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.iso_week().year()))),
    function!("day", alias "day_of_month", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.day()))),
    function!("day_of_week", alias "dow",
        (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.weekday().number_from_monday()))),
    function!("day_of_year", alias "doy", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.ordinal()))),
    function!("hour", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.hour()))),
    function!("minute", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.minute()))),
    function!("second", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.second()))),
    function!("millisecond", (Time) -> returns::bigint => |call| field(call, |t| i64::from(t.nanosecond() / 1_000_000))),
    function!("timezone_hour", (Time) -> returns::bigint => |call| offset(call, 3_600, 24)),
    function!("timezone_minute", (Time) -> returns::bigint => |call| offset(call, 60, 60)),
    function!("last_day_of_month", (Time) -> returns::date => last_day),
    function!("date_trunc", (Text, Time) -> returns::second => date_trunc),
    function!("date_add", (Text, Bigint, Time) -> returns::third => date_add),
    function!("date_diff", (Text, Time, Time) -> returns::bigint => date_diff),
    function!("at_timezone", (Time, Text) -> at_zone => at_timezone),
    function!("with_timezone", (Time, Text) -> at_zone => with_timezone),
    function!("from_unixtime",
        (Double) -> returns::zoned => from_unixtime,
        (Double, Text) -> at_zone => from_unixtime),
    function!("from_unixtime_nanos", (Bigint) -> nanos_zoned => from_unixtime_nanos),
    function!("to_unixtime", (Time) -> returns::double => to_unixtime),
    function!("from_iso8601_timestamp", (Text) -> returns::zoned => |call| from_iso(call, true)),
    function!("from_iso8601_date", (Text) -> returns::date => |call| from_iso(call, false)),
    function!("to_iso8601", (Time) -> returns::text => to_iso),
    function!("date_format", (Time, Text) -> returns::text => |call| format(call, time_format::mysql)),
    function!("date_parse", (Text, Text) -> returns::timestamp => |call| parse(call, time_format::mysql)),
    function!("format_datetime", (Time, Text) -> returns::text => |call| format(call, time_format::joda)),
    function!("parse_datetime", (Text, Text) -> returns::zoned => |call| parse(call, time_format::joda)),
    function!("human_readable_seconds", (Double) -> returns::text => human_readable_seconds),
    function!("current_timezone", () -> returns::text => |_| Ok(Arc::new(StringArray::from(vec!["UTC"])))),
];

/// The functions of the moment at which the query started.
pub(crate) static NOW: &[Function] = &moments!("now" alias "current_timestamp" => now, returns::zoned);

/// The same, without zone.
pub(crate) static LOCAL_NOW: &[Function] = &moments!("localtimestamp" => local_now, returns::timestamp);

fn nanos_zoned(_: &Types<'_>) -> Result<DataType> {
    Ok(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))
}

fn at_zone(types: &Types<'_>) -> Result<DataType> {
    let name = types.literal_text(1, "a time zone")?;
    time::zone(&name).map_err(|error| DataFusionError::Plan(error.to_string()))?;
    let unit = match types.types.first() {
        Some(DataType::Timestamp(unit, _)) => *unit,
        _ => TimeUnit::Millisecond,
    };
    Ok(DataType::Timestamp(unit, Some(name.trim().into())))
}

fn now(_: &[Expr], context: &SimplifyContext) -> Result<Option<Expr>> {
    moment(context, Some("UTC".into()))
}

fn local_now(_: &[Expr], context: &SimplifyContext) -> Result<Option<Expr>> {
    moment(context, None)
}

fn moment(context: &SimplifyContext, zone: Option<Arc<str>>) -> Result<Option<Expr>> {
    let started = context.query_execution_start_time().map(|start| start.timestamp_millis());
    Ok(started.map(|millis| Expr::Literal(ScalarValue::TimestampMillisecond(Some(millis), zone), None)))
}

/// The moment is put in when the query is planned; a body that is not has no start to tell.
fn unplanned(call: &Call) -> Result<ArrayRef> {
    time::array(vec![Some(chrono::Utc::now().timestamp_micros()); call.rows], &call.result)
}

impl Call {
    fn times(&self, index: usize) -> Result<Times> {
        let argument = self.arguments.get(index).ok_or_else(|| failed("an argument is missing"))?;
        Times::of(&argument.array, argument.constant)
    }
}

fn field(call: &Call, read: impl Fn(&NaiveDateTime) -> i64) -> Result<ArrayRef> {
    let times = call.times(0)?;
    let fields: Int64Array = (0..call.rows).map(|row| times.local(row).map(|moment| read(&moment))).collect();
    Ok(Arc::new(fields))
}

fn offset(call: &Call, divisor: i64, modulus: i64) -> Result<ArrayRef> {
    let times = call.times(0)?;
    let fields: Int64Array = (0..call.rows)
        .map(|row| {
            let utc = naive(times.instant(row)?)?;
            let seconds =
                times.zone().map_or(0, |zone| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
            Some(i64::from(seconds) / divisor % modulus)
        })
        .collect();
    Ok(Arc::new(fields))
}

fn last_day(call: &Call) -> Result<ArrayRef> {
    let times = call.times(0)?;
    let days = (0..call.rows)
        .map(|row| times.local(row).and_then(|moment| time::last_day(moment.date())))
        .map(|day| day.map(|day| micros(day.and_time(NaiveTime::MIN))))
        .collect();
    time::array(days, &DataType::Date32)
}

/// Units of time, in the order of their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "millisecond" => Self::Millisecond,
            "second" => Self::Second,
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => return Err(failed(format!("'{name}' is not a valid Timestamp field"))),
        })
    }

    /// Microseconds of a unit that is always as long.
    fn micros(self) -> Option<i64> {
        match self {
            Self::Millisecond => Some(1_000),
            Self::Second => Some(1_000_000),
            Self::Minute => Some(60_000_000),
            Self::Hour => Some(3_600_000_000),
            Self::Day => Some(DAY),
            Self::Week => Some(7 * DAY),
            _ => None,
        }
    }

    fn months(self) -> i64 {
        match self {
            Self::Year => 12,
            Self::Quarter => 3,
            _ => 1,
        }
    }

    fn truncate(self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            // 1970-01-01 was a Thursday; weeks begin on Mondays.
            Self::Week => {
                let back = u64::from(local.weekday().num_days_from_monday());
                Some(local.date().checked_sub_days(Days::new(back))?.and_time(NaiveTime::MIN))
            }
            Self::Month => Some(local.date().with_day(1)?.and_time(NaiveTime::MIN)),
            Self::Quarter => {
                let first = local.date().with_day(1)?.with_month(local.month0() / 3 * 3 + 1)?;
                Some(first.and_time(NaiveTime::MIN))
            }
            Self::Year => Some(local.date().with_ordinal(1)?.and_time(NaiveTime::MIN)),
            _ => {
                let length = self.micros()?;
                naive(micros(local).div_euclid(length) * length)
            }
        }
    }
}

/// Units as rows name them.
fn unit(call: &Call, row: usize, dates: bool) -> Result<Option<Unit>> {
    let texts = call.texts(0)?;
    let Some(name) = texts.get(row) else { return Ok(None) };
    let unit = Unit::parse(name)?;
    if dates && unit < Unit::Day {
        return Err(failed(format!("'{name}' is not a valid DATE field")));
    }
    Ok(Some(unit))
}

fn out_of_range() -> DataFusionError {
    failed("a timestamp is out of range")
}

fn date_trunc(call: &Call) -> Result<ArrayRef> {
    let times = call.times(1)?;
    let constant = call.texts(0)?.constant();
    let fixed = if constant { unit(call, 0, times.dates())? } else { None };
    let length = fixed.filter(|unit| *unit != Unit::Week).and_then(Unit::micros);
    if let (Some(length), Some(instants)) = (length, times.instants())
        && call.result == DataType::Timestamp(TimeUnit::Microsecond, None)
    {
        return Ok(arrow::compute::cast(&cut(instants, length), &call.result)?);
    }
    let values = (0..call.rows)
        .map(|row| {
            let unit = if constant { fixed } else { unit(call, row, times.dates())? };
            let (Some(unit), Some(instant)) = (unit, times.instant(row)) else { return Ok(None) };
            if let (None, Some(length)) = (times.zone(), unit.micros().filter(|_| unit != Unit::Week)) {
                return Ok(Some(instant.div_euclid(length) * length));
            }
            let local =
                naive(instant).map(|moment| to_local(moment, times.zone())).ok_or_else(out_of_range)?;
            let cut = unit.truncate(local).ok_or_else(out_of_range)?;
            Ok(Some(micros(to_utc(cut, times.zone()))))
        })
        .collect::<Result<Vec<_>>>()?;
    time::array(values, &call.result)
}

/// Instants at the beginning of what is so long. Neighbours mostly begin with the same.
fn cut(instants: &Int64Array, length: i64) -> Int64Array {
    let mut start = 0_i64;
    let starts = instants.values().iter().map(|instant| {
        if !(0..length).contains(&instant.wrapping_sub(start)) {
            start = instant.div_euclid(length).wrapping_mul(length);
        }
        start
    });
    Int64Array::new(starts.collect(), instants.nulls().cloned())
}

fn add(unit: Unit, count: i64, local: NaiveDateTime) -> Option<NaiveDateTime> {
    match unit.micros() {
        Some(length) => local.checked_add_signed(Duration::microseconds(count.checked_mul(length)?)),
        None => {
            let months = count.checked_mul(unit.months())?;
            let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            if months < 0 { local.checked_sub_months(by) } else { local.checked_add_months(by) }
        }
    }
}

fn date_add(call: &Call) -> Result<ArrayRef> {
    let (counts, times) = (call.longs(1)?, call.times(2)?);
    let values = (0..call.rows)
        .map(|row| {
            let Some(unit) = unit(call, row, times.dates())? else { return Ok(None) };
            let (Some(count), Some(instant)) = (counts.get(row), times.instant(row)) else { return Ok(None) };
            let utc = naive(instant).ok_or_else(out_of_range)?;
            // Hours pass on the instant, days on the clock.
            let moved = if unit < Unit::Day {
                add(unit, count, utc)
            } else {
                add(unit, count, to_local(utc, times.zone())).map(|local| to_utc(local, times.zone()))
            };
            moved.map(|moment| Some(micros(moment))).ok_or_else(out_of_range)
        })
        .collect::<Result<Vec<_>>>()?;
    time::array(values, &call.result)
}

/// Whole months from one moment to another.
fn months_between(from: NaiveDateTime, to: NaiveDateTime) -> Option<i64> {
    let rough = i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
    let reached = add(Unit::Month, rough, from)?;
    Some(match rough {
        1.. if reached > to => rough - 1,
        ..=-1 if reached < to => rough + 1,
        _ => rough,
    })
}

fn date_diff(call: &Call) -> Result<ArrayRef> {
    let (from, to) = (call.times(1)?, call.times(2)?);
    let values = (0..call.rows)
        .map(|row| {
            let Some(unit) = unit(call, row, from.dates() && to.dates())? else { return Ok(None) };
            let (Some(a), Some(b)) = (from.instant(row), to.instant(row)) else { return Ok(None) };
            if unit < Unit::Day {
                let span = b.checked_sub(a).ok_or_else(out_of_range)?;
                return Ok(unit.micros().map(|length| span / length));
            }
            let zone = from.zone().or(to.zone());
            let (Some(a), Some(b)) = (naive(a), naive(b)) else { return Err(out_of_range()) };
            let (a, b) = (to_local(a, zone), to_local(b, zone));
            match unit.micros() {
                Some(length) => Ok(Some((b - a).num_microseconds().ok_or_else(out_of_range)? / length)),
                None => {
                    let months = months_between(a, b).ok_or_else(out_of_range)?;
                    Ok(Some(months / unit.months()))
                }
            }
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(values))
}

fn at_timezone(call: &Call) -> Result<ArrayRef> {
    let times = call.times(0)?;
    time::array((0..call.rows).map(|row| times.instant(row)).collect(), &call.result)
}

fn with_timezone(call: &Call) -> Result<ArrayRef> {
    let (times, zones) = (call.times(0)?, call.texts(1)?);
    let zone = zones.get(0).map(time::zone).transpose()?;
    let values =
        (0..call.rows).map(|row| times.local(row).map(|local| micros(to_utc(local, zone)))).collect();
    time::array(values, &call.result)
}

fn from_unixtime(call: &Call) -> Result<ArrayRef> {
    let seconds = call.doubles(0)?;
    let values = (0..call.rows)
        .map(|row| {
            let Some(seconds) = seconds.get(row) else { return Ok(None) };
            // Trino rounds to milliseconds.
            let millis = (seconds * 1_000.0).round();
            if millis.is_nan() || millis.abs() >= 9.0e15 {
                return Err(out_of_range());
            }
            naive(millis as i64 * 1_000).map(|moment| Some(micros(moment))).ok_or_else(out_of_range)
        })
        .collect::<Result<Vec<_>>>()?;
    time::array(values, &call.result)
}

fn from_unixtime_nanos(call: &Call) -> Result<ArrayRef> {
    let nanos = call.longs(0)?;
    time::array(
        (0..call.rows).map(|row| nanos.get(row).map(|nanos| nanos.div_euclid(1_000))).collect(),
        &call.result,
    )
}

fn to_unixtime(call: &Call) -> Result<ArrayRef> {
    let times = call.times(0)?;
    let seconds: Float64Array =
        (0..call.rows).map(|row| times.instant(row).map(|micros| micros as f64 / 1_000_000.0)).collect();
    Ok(Arc::new(seconds))
}

fn from_iso(call: &Call, timestamp: bool) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let values = (0..call.rows)
        .map(|row| {
            let Some(text) = texts.get(row) else { return Ok(None) };
            let written = time::read(text).filter(|_| !text.trim().contains(' '));
            written.map(|written| Some(written.instant())).ok_or_else(|| {
                let kind = if timestamp { "timestamp" } else { "date" };
                failed(format!("Invalid format: \"{text}\" is no ISO 8601 {kind}"))
            })
        })
        .collect::<Result<Vec<_>>>()?;
    time::array(values, &call.result)
}

fn to_iso(call: &Call) -> Result<ArrayRef> {
    let times = call.times(0)?;
    let texts: StringArray = (0..call.rows)
        .map(|row| {
            let local = times.local(row)?;
            Some(if times.dates() { local.date().to_string() } else { time::iso(local, times.zone()) })
        })
        .collect();
    Ok(Arc::new(texts))
}

/// Formats as rows want them: one that is constant is read once, another when it changes.
struct Formats<'a> {
    texts: super::column::Texts<'a>,
    read: fn(&str) -> Result<Format>,
    last: Option<(&'a str, Format)>,
}

impl Formats<'_> {
    fn get(&mut self, row: usize) -> Result<Option<&Format>> {
        let Some(text) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(known, _)| *known != text) {
            self.last = Some((text, (self.read)(text)?));
        }
        Ok(self.last.as_ref().map(|(_, format)| format))
    }
}

fn format(call: &Call, read: fn(&str) -> Result<Format>) -> Result<ArrayRef> {
    let times = call.times(0)?;
    let mut formats = Formats { texts: call.texts(1)?, read, last: None };
    let mut result = super::column::TextBuilder::new(call.rows);
    for row in 0..call.rows {
        match (times.local(row), formats.get(row)?) {
            (Some(local), Some(format)) => result.push(Some(&format.write(local, times.zone())))?,
            _ => result.push(None)?,
        }
    }
    Ok(result.finish())
}

fn parse(call: &Call, read: fn(&str) -> Result<Format>) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let mut formats = Formats { texts: call.texts(1)?, read, last: None };
    let values = (0..call.rows)
        .map(|row| {
            let (Some(text), Some(format)) = (texts.get(row), formats.get(row)?) else { return Ok(None) };
            Ok(Some(format.read(text)?.instant()))
        })
        .collect::<Result<Vec<_>>>()?;
    time::array(values, &call.result)
}

fn human_readable_seconds(call: &Call) -> Result<ArrayRef> {
    let seconds = call.doubles(0)?;
    let texts = (0..call.rows)
        .map(|row| {
            let Some(seconds) = seconds.get(row) else { return Ok(None) };
            if !(0.0..=9.0e15).contains(&seconds) {
                return Err(failed("human_readable_seconds takes a number of seconds that is not negative"));
            }
            let mut rest = seconds.round() as i64;
            let mut parts = Vec::new();
            for (name, length) in
                [("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)]
            {
                let count = rest / length;
                rest %= length;
                if count > 0 {
                    parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
                }
            }
            Ok(Some(if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(", ") }))
        })
        .collect::<Result<StringArray>>()?;
    Ok(Arc::new(texts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_begin_with_what_they_are_in() {
        for unit in [Unit::Millisecond, Unit::Second, Unit::Minute, Unit::Hour, Unit::Day] {
            let length = unit.micros().expect("a length");
            let instants: Vec<i64> = (-40..40)
                .flat_map(|count| [count * length - 1, count * length, count * length + length / 3])
                .chain([-1_700_000_000_123_456, 1_700_000_000_123_456, 0, -1])
                .collect();
            let expected = instants.iter().map(|instant| Some(micros(unit.truncate(naive(*instant)?)?)));
            let expected: Int64Array = expected.chain([None]).collect();
            let instants: Int64Array = instants.iter().copied().map(Some).chain([None]).collect();
            assert_eq!(cut(&instants, length), expected, "{unit:?}");
        }
    }
}
