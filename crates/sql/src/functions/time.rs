//! Moments: reading and writing timestamps and dates, with and without zone, whatever unit they are kept in.
//!
//! A timestamp with time zone is an instant in a column whose type names the zone; one without zone is taken as UTC where an
//! instant is needed, as CloudTrail's times are.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike};
use datafusion::common::{DataFusionError, Result};

use super::call::failed;
use super::column::Texts;

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;

/// The zone of a name or an offset.
pub(crate) fn zone(name: &str) -> Result<Tz> {
    let name = name.trim();
    let wanted = if name.eq_ignore_ascii_case("z") { "UTC" } else { name };
    Tz::from_str(wanted).map_err(|_| failed(format!("'{name}' is not a valid time zone")))
}

/// A column of timestamps or dates, read as microseconds since 1970.
pub(crate) struct Times {
    raw: Int64Array,
    constant: bool,
    unit: Unit,
    zone: Option<Tz>,
}

#[derive(Clone, Copy)]
enum Unit {
    Date,
    Time(TimeUnit),
}

impl Times {
    /// The moments of an array.
    pub(crate) fn of(array: &ArrayRef, constant: bool) -> Result<Self> {
        let (unit, zone) = match array.data_type() {
            DataType::Date32 => (Unit::Date, None),
            DataType::Timestamp(unit, name) => (Unit::Time(*unit), name.as_deref().map(zone).transpose()?),
            _ => return Err(failed("a timestamp or a date is wanted")),
        };
        let whole = if matches!(unit, Unit::Date) {
            arrow::compute::cast(array, &DataType::Int32)?
        } else {
            array.clone()
        };
        let raw = arrow::compute::cast(&whole, &DataType::Int64)?;
        Ok(Self { raw: raw.as_primitive::<Int64Type>().clone(), constant, unit, zone })
    }

    /// The instant of a row.
    pub(crate) fn instant(&self, row: usize) -> Option<i64> {
        let row = if self.constant { 0 } else { row };
        if self.raw.is_null(row) {
            return None;
        }
        let value = self.raw.value(row);
        match self.unit {
            Unit::Date => value.checked_mul(DAY),
            Unit::Time(TimeUnit::Second) => value.checked_mul(1_000_000),
            Unit::Time(TimeUnit::Millisecond) => value.checked_mul(1_000),
            Unit::Time(TimeUnit::Microsecond) => Some(value),
            Unit::Time(TimeUnit::Nanosecond) => Some(value.div_euclid(1_000)),
        }
    }

    /// The instants, if that is what the column has: one for each row, in microseconds.
    pub(crate) fn instants(&self) -> Option<&Int64Array> {
        let is_plain = matches!(self.unit, Unit::Time(TimeUnit::Microsecond)) && self.zone.is_none();
        (is_plain && !self.constant).then_some(&self.raw)
    }

    /// What a clock in the column's zone shows at the moment of a row.
    pub(crate) fn local(&self, row: usize) -> Option<NaiveDateTime> {
        naive(self.instant(row)?).map(|moment| to_local(moment, self.zone))
    }

    /// The column's zone.
    pub(crate) fn zone(&self) -> Option<Tz> {
        self.zone
    }

    /// Whether the column has dates.
    pub(crate) fn dates(&self) -> bool {
        matches!(self.unit, Unit::Date)
    }
}

/// Microseconds as a date and a time.
pub(crate) fn naive(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
}

/// A date and a time as microseconds.
pub(crate) fn micros(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

/// UTC as a zone's clock shows it.
pub(crate) fn to_local(moment: NaiveDateTime, zone: Option<Tz>) -> NaiveDateTime {
    zone.map_or(moment, |zone| zone.from_utc_datetime(&moment).naive_local())
}

/// What a zone's clock shows as UTC. A time that the clock skips is taken with the offset before the gap.
pub(crate) fn to_utc(local: NaiveDateTime, zone: Option<Tz>) -> NaiveDateTime {
    let Some(zone) = zone else { return local };
    match zone.from_local_datetime(&local).earliest() {
        Some(moment) => moment.naive_utc(),
        None => {
            let before = local - chrono::Duration::hours(3);
            local - zone.offset_from_utc_datetime(&before).fix_duration()
        }
    }
}

trait FixDuration {
    fn fix_duration(&self) -> chrono::Duration;
}

impl<O: Offset> FixDuration for O {
    fn fix_duration(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.fix().local_minus_utc()))
    }
}

/// Microseconds as an array of a timestamp or date type.
pub(crate) fn array(values: Vec<Option<i64>>, to: &DataType) -> Result<ArrayRef> {
    let scaled: Int64Array = match to {
        DataType::Timestamp(TimeUnit::Second, _) => {
            values.iter().map(|v| v.map(|v| v.div_euclid(1_000_000))).collect()
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            values.iter().map(|v| v.map(|v| v.div_euclid(1_000))).collect()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => values
            .iter()
            .map(|v| {
                v.map(|v| v.checked_mul(1_000).ok_or_else(|| failed("a timestamp is out of range")))
                    .transpose()
            })
            .collect::<Result<_>>()?,
        DataType::Date32 => values.iter().map(|v| v.map(|v| v.div_euclid(DAY))).collect(),
        _ => values.into_iter().collect(),
    };
    let scaled: ArrayRef = Arc::new(scaled);
    if *to == DataType::Date32 {
        let days = arrow::compute::cast(&scaled, &DataType::Int32)?;
        return Ok(arrow::compute::cast(&days, to)?);
    }
    // The wall clock doesn't move: the number is an instant already.
    let data = scaled.to_data().into_builder().data_type(to.clone());
    Ok(arrow::array::make_array(data.build()?))
}

/// Timestamps as another timestamp type or as dates.
pub(crate) fn convert(from: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let times = Times::of(from, false)?;
    let zone_of = |kind: &DataType| match kind {
        DataType::Timestamp(_, Some(name)) => zone(name).map(Some),
        _ => Ok(None),
    };
    let target = zone_of(to)?;
    let values = (0..from.len())
        .map(|row| {
            // Without zone a timestamp is what the clock shows; with one it is the instant.
            if target.is_some() { times.instant(row) } else { times.local(row).map(micros) }
        })
        .collect();
    array(values, to)
}

/// A timestamp's text: `2021-07-29 23:55:00.000`, and the zone after it if it has one.
pub(crate) fn texts(from: &ArrayRef) -> Result<ArrayRef> {
    let times = Times::of(from, false)?;
    let digits = match from.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => 0,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 6,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 9,
        _ => 3,
    };
    let name = match from.data_type() {
        DataType::Timestamp(_, Some(name)) => format!(" {name}"),
        _ => String::new(),
    };
    let texts: StringArray = (0..from.len())
        .map(|row| {
            let moment = times.local(row)?;
            let fraction = match digits {
                0 => String::new(),
                // CloudTrail's times have seconds; what finer units keep beyond milliseconds is shown if it is there.
                _ if moment.nanosecond() % 1_000_000 == 0 => {
                    format!(".{:03}", moment.nanosecond() / 1_000_000)
                }
                digits => {
                    format!(".{:0digits$}", u64::from(moment.nanosecond()) / 10u64.pow(9 - digits as u32))
                }
            };
            Some(format!("{}{fraction}{name}", moment.format("%Y-%m-%d %H:%M:%S")))
        })
        .collect();
    Ok(Arc::new(texts))
}

/// A timestamp as text has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// What the clock shows.
    pub local: NaiveDateTime,
    /// The zone that the text names.
    pub zone: Option<Tz>,
}

impl Written {
    /// The instant in microseconds, UTC if no zone is named.
    pub(crate) fn instant(&self) -> i64 {
        micros(to_utc(self.local, self.zone))
    }
}

/// Whether the text of a timestamp ends with a zone.
pub fn has_zone(text: &str) -> bool {
    read(text).is_some_and(|written| written.zone.is_some())
}

/// Reads `2021-07-29`, `2021-07-29 23:55[:00[.000]]`, with a `T` for the space, and a zone after it.
pub(crate) fn read(text: &str) -> Option<Written> {
    let text = text.trim();
    let (day, rest) = text.split_at_checked(text.find(['T', 't', ' ']).unwrap_or(text.len()))?;
    let day = date(day)?;
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    let end =
        rest.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.' || c == ',')).unwrap_or(rest.len());
    let (clock, name) = rest.split_at(end);
    let time = if clock.is_empty() { NaiveTime::MIN } else { self::clock(clock)? };
    let name = name.trim();
    let zone = if name.is_empty() { None } else { Some(zone(name).ok()?) };
    Some(Written { local: day.and_time(time), zone })
}

/// `2021-07-29`, `20210729`, `2021-210` (day of year), `2021-W30-4` (week), `2021-07`, `2021`.
fn date(text: &str) -> Option<NaiveDate> {
    if let Some((year, week)) = text.split_once("-W") {
        let (week, day) = week.split_once('-').unwrap_or((week, "1"));
        let day: u8 = day.parse().ok().filter(|day| (1..=7).contains(day))?;
        let weekday = chrono::Weekday::try_from(day - 1).ok()?;
        return NaiveDate::from_isoywd_opt(year.parse().ok()?, week.parse().ok()?, weekday);
    }
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [whole] if whole.len() == 8 && whole.bytes().all(|byte| byte.is_ascii_digit()) => {
            NaiveDate::parse_from_str(whole, "%Y%m%d").ok()
        }
        [year] if year.len() == 4 => NaiveDate::from_ymd_opt(year.parse().ok()?, 1, 1),
        [year, day] if year.len() == 4 && day.len() == 3 => {
            NaiveDate::from_yo_opt(year.parse().ok()?, day.parse().ok()?)
        }
        [year, month] if year.len() == 4 => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
        }
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        }
        _ => None,
    }
}

fn clock(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let mut parts = whole.split(':').map(str::parse::<u32>);
    let hour = parts.next()?.ok()?;
    let minute = parts.next().transpose().ok()?.unwrap_or(0);
    let second = parts.next().transpose().ok()?.unwrap_or(0);
    if parts.next().is_some() {
        return None;
    }
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos(fraction)?)
}

/// A fraction's digits as nanoseconds.
pub(crate) fn nanos(digits: &str) -> Option<u32> {
    if digits.is_empty() {
        return Some(0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
    nine.parse().ok()
}

/// Texts as timestamps.
pub(crate) fn parse_all(from: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let texts = Texts::of(from, false).ok_or_else(|| failed("a varchar is wanted"))?;
    let values = (0..from.len())
        .map(|row| {
            let Some(text) = texts.get(row) else { return Ok(None) };
            match read(text) {
                Some(written) => Ok(Some(written.instant())),
                None => Err(refusal(text)),
            }
        })
        .collect::<Result<Vec<_>>>()?;
    array(values, to)
}

fn refusal(text: &str) -> DataFusionError {
    let start: String = text.chars().take(100).collect();
    failed(format!("Value cannot be cast to timestamp: {start}"))
}

/// ISO 8601 of a moment in a zone: `2021-07-29T23:55:00.000Z`.
pub(crate) fn iso(local: NaiveDateTime, zone: Option<Tz>) -> String {
    let mut text = local.format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
    if let Some(zone) = zone {
        let utc = to_utc(local, Some(zone));
        match zone.offset_from_utc_datetime(&utc).fix().local_minus_utc() {
            0 => text.push('Z'),
            seconds => text.push_str(&offset_text(seconds, true)),
        }
    }
    text
}

/// `+05:30`.
pub(crate) fn offset_text(seconds: i32, colon: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60)
}

/// The last day of a month.
pub(crate) fn last_day(day: NaiveDate) -> Option<NaiveDate> {
    day.with_day(1)?.checked_add_months(chrono::Months::new(1))?.pred_opt()
}
