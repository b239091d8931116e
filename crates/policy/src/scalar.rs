//! The values that conditions compare other than as text.

use std::cmp::Ordering;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// A number: an integer kept exactly, else a finite fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    Fraction(f64),
}

impl Number {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(integer) = text.parse() {
            return Some(Self::Integer(integer));
        }
        // `f64` would also read "inf", "nan" and the like.
        let decimal =
            text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
        text.parse().ok().filter(|value: &f64| decimal && value.is_finite()).map(Self::Fraction)
    }

    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(&right)),
            (left, right) => left.approximate().partial_cmp(&right.approximate()),
        }
    }

    fn approximate(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Fraction(value) => value,
        }
    }
}

/// Reads a date in the forms AWS takes: the W3C profile of ISO 8601 (a year down to fractions of a second,
/// UTC where no offset is given) or seconds since the epoch. Four digits are a year.
pub(crate) fn parse_date(text: &str) -> Option<DateTime<Utc>> {
    if text.len() != 4
        && let Ok(seconds) = text.parse::<i64>()
    {
        return DateTime::from_timestamp(seconds, 0);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z") {
        return Some(time.to_utc());
    }
    let local = text.strip_suffix('Z').unwrap_or(text);
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(local, form) {
            return Some(time.and_utc());
        }
    }
    let day = match local.len() {
        4 => format!("{local}-01-01"),
        7 => format!("{local}-01"),
        _ => local.to_owned(),
    };
    let day = NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

/// Reads `true` or `false` in any case.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Reads the base64 form in which policies and contexts write bytes.
pub(crate) fn parse_binary(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::{Number, parse_date};

    fn compare(left: &str, right: &str) -> Option<Ordering> {
        Number::parse(left)?.compare(Number::parse(right)?)
    }

    #[test]
    fn integers_are_compared_exactly_and_fractions_too() {
        assert_eq!(compare("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
        assert_eq!(compare("10", "10.0"), Some(Ordering::Equal));
        assert_eq!(compare("-1.5", "1e2"), Some(Ordering::Less));
        for text in ["", "inf", "nan", "1e999", "0x10", "ten", "1 "] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_read_in_every_documented_form() {
        let expected = parse_date("2020-02-01T00:00:00Z");
        assert!(expected.is_some());
        for text in [
            "2020-02",
            "2020-02-01",
            "2020-02-01Z",
            "2020-02-01T00:00Z",
            "2020-02-01T01:00:00+01:00",
            "2020-02-01T01:00+01:00",
            "2020-02-01T00:00:00.000Z",
            "2020-02-01T00:00:00",
            "1580515200",
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
        assert_eq!(parse_date("2020"), parse_date("2020-01-01"));
        for text in ["", "Z", "yesterday", "2020-13-01", "2020-02-30", "99999999999999999"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in "[0-9TZ:+.e-]{0,24}") {
            let _ = parse_date(&text);
            let _ = Number::parse(&text);
        }
    }
}
