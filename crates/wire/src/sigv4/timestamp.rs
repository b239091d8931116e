//! The dates that signatures use: ISO 8601 basic form, and HTTP's `Date` header.

use chrono::{DateTime, NaiveDate, Timelike, Utc};

/// `YYYYMMDDTHHMMSSZ`.
pub(super) fn format(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads `YYYYMMDDTHHMMSSZ` and nothing else.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to]
            .iter()
            .try_fold(0u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(4, 6)?, number(6, 8)?)?;
    Some(day.and_hms_opt(number(9, 11)?, number(11, 13)?, number(13, 15)?)?.and_utc())
}

/// Reads the `Date` header: RFC 9110's form, or ISO 8601 basic form as some signers write it.
/// Parts of a second are dropped, since the signed form has none.
pub(super) fn parse_http(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Some(at) = parse(text) {
        return Some(at);
    }
    DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc).with_nanosecond(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let at = parse("20130524T000000Z").unwrap();
        assert_eq!(format(at), "20130524T000000Z");
        assert_eq!(parse_http("Fri, 24 May 2013 00:00:00 GMT"), Some(at));
        assert_eq!(parse_http("Fri, 24 May 2013 00:00:00 -0000"), Some(at));
    }

    #[test]
    fn refuses_other_forms() {
        for text in [
            "",
            "20130524",
            "2013-05-24T00:00:00Z",
            "20131324T000000Z",
            "20130524T250000Z",
            "2013052éT000000",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
