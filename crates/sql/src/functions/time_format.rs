//! Patterns of dates and times: MySQL's (`%Y-%m-%d`) and Joda's (`yyyy-MM-dd`), for writing and for reading.

use arrow::array::timezone::Tz;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike};
use datafusion::common::Result;

use super::call::failed;
use super::time::{Written, nanos, offset_text, to_utc, zone};

/// Characters that a pattern may have.
const MAX_PATTERN: usize = 1_000;

/// A pattern, read.
#[derive(Debug)]
pub(crate) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Field(Field, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Era,
    Year,
    YearOfCentury,
    WeekYear,
    Month,
    MonthShort,
    MonthName,
    Week,
    Day,
    DayOfYear,
    /// 1 is Monday.
    DayOfWeek,
    DayShort,
    DayName,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    HourFrom1,
    /// 1 to 12.
    HalfHour,
    /// 0 to 11.
    HalfHourFrom0,
    HalfDay,
    Minute,
    Second,
    Fraction,
    /// `+0530`
    Offset,
    /// `+05:30`
    OffsetColon,
    ZoneName,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Reads one of MySQL's patterns.
///
/// # Errors
/// `%D`, `%U`, `%u`, `%V`, `%w` and `%X`, which Trino refuses too.
pub(crate) fn mysql(pattern: &str) -> Result<Format> {
    use Field::*;
    bounded(pattern)?;
    let mut pieces = Pieces::default();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            pieces.text(c);
            continue;
        }
        let Some(specifier) = chars.next() else {
            return Err(failed(format!("Invalid date format: {pattern}")));
        };
        match specifier {
            'a' => pieces.field(DayShort, 1),
            'b' => pieces.field(MonthShort, 1),
            'c' => pieces.field(Month, 1),
            'd' => pieces.field(Day, 2),
            'e' => pieces.field(Day, 1),
            'f' => pieces.field(Fraction, 6),
            'H' => pieces.field(Hour, 2),
            'h' | 'I' => pieces.field(HalfHour, 2),
            'i' => pieces.field(Minute, 2),
            'j' => pieces.field(DayOfYear, 3),
            'k' => pieces.field(Hour, 1),
            'l' => pieces.field(HalfHour, 1),
            'M' => pieces.field(MonthName, 1),
            'm' => pieces.field(Month, 2),
            'p' => pieces.field(HalfDay, 1),
            'r' => {
                pieces.clock(HalfHour);
                pieces.text(' ');
                pieces.field(HalfDay, 1);
            }
            'S' | 's' => pieces.field(Second, 2),
            'T' => pieces.clock(Hour),
            'v' => pieces.field(Week, 2),
            'W' => pieces.field(DayName, 1),
            'x' => pieces.field(WeekYear, 4),
            'Y' => pieces.field(Year, 4),
            'y' => pieces.field(YearOfCentury, 2),
            'D' | 'U' | 'u' | 'V' | 'w' | 'X' => {
                return Err(failed(format!("%{specifier} not supported in date format string")));
            }
            other => pieces.text(other),
        }
    }
    Ok(Format { pieces: pieces.all })
}

/// Reads one of Joda's patterns.
///
/// # Errors
/// Letters that Joda doesn't know.
pub(crate) fn joda(pattern: &str) -> Result<Format> {
    use Field::*;
    bounded(pattern)?;
    let mut pieces = Pieces::default();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            if chars.next_if_eq(&'\'').is_some() {
                pieces.text('\'');
                continue;
            }
            while let Some(c) = chars.next() {
                if c != '\'' {
                    pieces.text(c);
                } else if chars.next_if_eq(&'\'').is_some() {
                    pieces.text('\'');
                } else {
                    break;
                }
            }
            continue;
        }
        if !c.is_ascii_alphabetic() {
            pieces.text(c);
            continue;
        }
        let mut width = 1;
        while chars.next_if_eq(&c).is_some() {
            width += 1;
        }
        let field = match c {
            'G' => Era,
            'y' | 'Y' if width == 2 => YearOfCentury,
            'y' | 'Y' => Year,
            'x' => WeekYear,
            'w' => Week,
            'e' => DayOfWeek,
            'E' if width > 3 => DayName,
            'E' => DayShort,
            'D' => DayOfYear,
            'M' if width > 3 => MonthName,
            'M' if width == 3 => MonthShort,
            'M' => Month,
            'd' => Day,
            'a' => HalfDay,
            'K' => HalfHourFrom0,
            'h' => HalfHour,
            'H' => Hour,
            'k' => HourFrom1,
            'm' => Minute,
            's' => Second,
            'S' => Fraction,
            'Z' if width == 1 => Offset,
            'Z' if width == 2 => OffsetColon,
            'z' | 'Z' => ZoneName,
            _ => return Err(failed(format!("Illegal pattern component: {c}"))),
        };
        pieces.field(field, width);
    }
    Ok(Format { pieces: pieces.all })
}

fn bounded(pattern: &str) -> Result<()> {
    if pattern.len() > MAX_PATTERN {
        return Err(failed("a date format is too long"));
    }
    Ok(())
}

#[derive(Default)]
struct Pieces {
    all: Vec<Piece>,
}

impl Pieces {
    fn text(&mut self, c: char) {
        match self.all.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            _ => self.all.push(Piece::Text(c.to_string())),
        }
    }

    fn field(&mut self, field: Field, width: usize) {
        self.all.push(Piece::Field(field, width));
    }

    fn clock(&mut self, hour: Field) {
        self.field(hour, 2);
        self.text(':');
        self.field(Field::Minute, 2);
        self.text(':');
        self.field(Field::Second, 2);
    }
}

impl Format {
    /// A moment as the pattern writes it.
    pub(crate) fn write(&self, local: NaiveDateTime, zone: Option<Tz>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Field(field, width) => text.push_str(&field.write(*width, local, zone)),
            }
        }
        text
    }

    /// Reads a moment that the pattern wrote.
    ///
    /// # Errors
    /// What the pattern could not have written.
    pub(crate) fn read(&self, text: &str) -> Result<Written> {
        let refused = || {
            let start: String = text.chars().take(100).collect();
            failed(format!("Invalid format: \"{start}\""))
        };
        let mut parsed = Parsed::default();
        let mut rest = text;
        for (index, piece) in self.pieces.iter().enumerate() {
            rest = match piece {
                Piece::Text(part) => rest.strip_prefix(part.as_str()).ok_or_else(refused)?,
                Piece::Field(field, width) => {
                    // A field takes its own width where digits of the next follow without a sign between.
                    let adjacent = matches!(self.pieces.get(index + 1), Some(Piece::Field(_, _)));
                    parsed.take(*field, *width, adjacent, rest).ok_or_else(refused)?
                }
            };
        }
        if !rest.is_empty() {
            return Err(refused());
        }
        parsed.finish().ok_or_else(refused)
    }
}

impl Field {
    fn write(self, width: usize, local: NaiveDateTime, zone: Option<Tz>) -> String {
        let number = |value: i64| format!("{value:0width$}");
        let short = |name: &str| name.chars().take(3).collect::<String>();
        let month = MONTHS[local.month0() as usize % 12];
        let day = DAYS[local.weekday().num_days_from_monday() as usize % 7];
        match self {
            Self::Era => if local.year() > 0 { "AD" } else { "BC" }.to_owned(),
            Self::Year => number(i64::from(local.year())),
            Self::YearOfCentury => format!("{:02}", local.year().rem_euclid(100)),
            Self::WeekYear => number(i64::from(local.iso_week().year())),
            Self::Month => number(i64::from(local.month())),
            Self::MonthShort => short(month),
            Self::MonthName => month.to_owned(),
            Self::Week => number(i64::from(local.iso_week().week())),
            Self::Day => number(i64::from(local.day())),
            Self::DayOfYear => number(i64::from(local.ordinal())),
            Self::DayOfWeek => number(i64::from(local.weekday().number_from_monday())),
            Self::DayShort => short(day),
            Self::DayName => day.to_owned(),
            Self::Hour => number(i64::from(local.hour())),
            Self::HourFrom1 => number(if local.hour() == 0 { 24 } else { i64::from(local.hour()) }),
            Self::HalfHour => number(i64::from(local.hour12().1)),
            Self::HalfHourFrom0 => number(i64::from(local.hour() % 12)),
            Self::HalfDay => if local.hour() < 12 { "AM" } else { "PM" }.to_owned(),
            Self::Minute => number(i64::from(local.minute())),
            Self::Second => number(i64::from(local.second())),
            Self::Fraction => format!("{:09}", local.nanosecond())
                .chars()
                .chain(std::iter::repeat('0'))
                .take(width)
                .collect(),
            Self::Offset | Self::OffsetColon | Self::ZoneName => {
                let utc = to_utc(local, zone);
                let seconds =
                    zone.map_or(0, |zone| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
                match (self, zone) {
                    (Self::ZoneName, None) => "UTC".to_owned(),
                    (Self::ZoneName, Some(zone)) => zone.from_utc_datetime(&utc).format("%Z").to_string(),
                    _ => offset_text(seconds, self == Self::OffsetColon),
                }
            }
        }
    }
}

/// What has been read of a moment.
#[derive(Default)]
struct Parsed {
    year: Option<i32>,
    week_year: Option<i32>,
    week: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    day_of_week: Option<u32>,
    hour: Option<u32>,
    half_hour: Option<u32>,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    nanos: u32,
    zone: Option<Tz>,
}

fn digits(text: &str, most: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if end == 0 {
        return None;
    }
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The index of the name that a text starts with, and what follows it.
fn named<'a>(text: &'a str, names: &[&str]) -> Option<(u32, &'a str)> {
    for (index, name) in names.iter().enumerate() {
        for name in [*name, &name[..name.len().min(3)]] {
            if let Some((start, rest)) = text.split_at_checked(name.len())
                && start.eq_ignore_ascii_case(name)
            {
                return Some((index as u32, rest));
            }
        }
    }
    None
}

impl Parsed {
    fn take<'a>(&mut self, field: Field, width: usize, adjacent: bool, text: &'a str) -> Option<&'a str> {
        let most = |usual: usize| if adjacent { width.max(usual.min(width)) } else { usual.max(width) };
        let two = most(2);
        let (value, rest) = match field {
            Field::MonthShort | Field::MonthName => named(text, &MONTHS)?,
            Field::DayShort | Field::DayName => named(text, &DAYS)?,
            Field::HalfDay => named(text, &["AM", "PM"])?,
            Field::Era => named(text, &["AD", "BC"])?,
            Field::Offset | Field::OffsetColon | Field::ZoneName => return self.take_zone(text),
            Field::Fraction => {
                let end = text.bytes().take(9).take_while(u8::is_ascii_digit).count();
                self.nanos = nanos(text.get(..end).filter(|digits| !digits.is_empty())?)?;
                return text.get(end..);
            }
            Field::Year | Field::WeekYear => digits(text, most(4).max(4))?,
            Field::DayOfYear => digits(text, 3)?,
            Field::DayOfWeek => digits(text, 1)?,
            _ => digits(text, if adjacent && width > 1 { width } else { two })?,
        };
        match field {
            Field::Year => self.year = Some(value as i32),
            // As MySQL and Joda do: 70 to 99 are of the last century.
            Field::YearOfCentury => self.year = Some(value as i32 + if value < 70 { 2000 } else { 1900 }),
            Field::WeekYear => self.week_year = Some(value as i32),
            Field::Month => self.month = Some(value),
            Field::MonthShort | Field::MonthName => self.month = Some(value + 1),
            Field::Week => self.week = Some(value),
            Field::Day => self.day = Some(value),
            Field::DayOfYear => self.day_of_year = Some(value),
            Field::DayOfWeek => self.day_of_week = Some(value),
            Field::Hour => self.hour = Some(value),
            Field::HourFrom1 => self.hour = Some(if value == 24 { 0 } else { value }),
            Field::HalfHour => self.half_hour = Some(if value == 12 { 0 } else { value }),
            Field::HalfHourFrom0 => self.half_hour = Some(value),
            Field::HalfDay => self.afternoon = Some(value == 1),
            Field::Minute => self.minute = value,
            Field::Second => self.second = value,
            Field::Era if value == 1 => return None,
            _ => {}
        }
        Some(rest)
    }

    fn take_zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let end =
            text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-:/_".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        self.zone = Some(zone(name).ok()?);
        Some(rest)
    }

    fn finish(self) -> Option<Written> {
        let year = self.year.unwrap_or(1970);
        let date = match (self.day_of_year, self.week) {
            (Some(day), _) => NaiveDate::from_yo_opt(year, day)?,
            (None, Some(week)) => {
                let weekday = u8::try_from(self.day_of_week.unwrap_or(1).checked_sub(1)?).ok()?;
                let weekday = chrono::Weekday::try_from(weekday).ok()?;
                NaiveDate::from_isoywd_opt(self.week_year.unwrap_or(year), week, weekday)?
            }
            (None, None) => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour + if self.afternoon == Some(true) { 12 } else { 0 },
            (None, None) => 0,
        };
        let time = NaiveTime::from_hms_nano_opt(hour, self.minute, self.second, self.nanos)?;
        Some(Written { local: date.and_time(time), zone: self.zone })
    }
}
