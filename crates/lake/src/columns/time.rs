//! Times as texts of records.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// The microseconds since 1970 in UTC of a time in RFC 3339, or in the same form without a zone, which is
/// UTC then: AWS documents both. `None` for any other text.
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    seconds(text).map(|seconds| seconds * 1_000_000).or_else(|| any(std::str::from_utf8(text).ok()?))
}

/// `2021-07-29T23:53:37Z`, the form of nearly all.
fn seconds(text: &[u8]) -> Option<i64> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'Z'] = text
    else {
        return None;
    };
    let number = |digits: &[&u8]| {
        digits
            .iter()
            .try_fold(0u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(**digit - b'0')))
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let time = day.and_hms_opt(number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?)?;
    Some(time.and_utc().timestamp())
}

fn any(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| time.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn times_with_and_without_zone_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("1970-01-01T00:00:01", Some(1_000_000)),
            ("1970-01-01 00:00:01.25", Some(1_250_000)),
            ("1970-01-01T01:00:01.000002+01:00", Some(1_000_002)),
            ("1969-12-31T23:59:59Z", Some(-1_000_000)),
            ("2021-13-01T00:00:00Z", None),
            ("2021-02-01T0a:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(micros(text.as_bytes()), expected, "{text}");
        }
    }
}
