//! The days that rules count.

use chrono::{DateTime, TimeDelta, Utc};

/// How long a day is, and so when days begin. A day of 24 hours begins at midnight UTC; tests have shorter ones,
/// which begin at whole multiples of themselves since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    day_ms: i64,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { day_ms: TimeDelta::days(1).num_milliseconds() }
    }
}

impl Calendar {
    /// A calendar with days of this length; a millisecond at least.
    pub fn with_day(day: std::time::Duration) -> Self {
        Self { day_ms: i64::try_from(day.as_millis()).unwrap_or(i64::MAX).max(1) }
    }

    /// The beginning of the first day that begins when `days` days have passed since `from`: S3 adds the days and
    /// rounds up to the next midnight.
    pub fn after(&self, from: DateTime<Utc>, days: i32) -> DateTime<Utc> {
        let passed = self.day_ms.saturating_mul(i64::from(days));
        let exact = from.timestamp_millis().saturating_add(passed);
        let begun = exact.div_euclid(self.day_ms).saturating_mul(self.day_ms);
        let next = if begun == exact { exact } else { begun.saturating_add(self.day_ms) };
        DateTime::from_timestamp_millis(next).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, Utc};

    use super::Calendar;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn days_end_at_midnight() {
        // The example of the S3 user guide: stored 1/15/2014 10:30 UTC, 3 days, acted on at 1/19/2014 00:00.
        let calendar = Calendar::default();
        assert_eq!(calendar.after(at("2014-01-15T10:30:00Z"), 3), at("2014-01-19T00:00:00Z"));
        assert_eq!(calendar.after(at("2014-01-15T00:00:00Z"), 1), at("2014-01-16T00:00:00Z"));
        assert_eq!(calendar.after(at("2014-01-15T10:30:00Z"), 0), at("2014-01-16T00:00:00Z"));
    }

    #[test]
    fn short_days_are_for_tests() {
        let calendar = Calendar::with_day(Duration::from_secs(2));
        assert_eq!(calendar.after(at("2026-01-01T00:00:01Z"), 3), at("2026-01-01T00:00:08Z"));
    }

    #[test]
    fn far_times_are_no_overflow() {
        let calendar = Calendar::with_day(Duration::MAX);
        assert!(calendar.after(at("2026-01-01T00:00:00Z"), i32::MAX) > at("2200-01-01T00:00:00Z"));
        assert!(Calendar::default().after(at("2026-01-01T00:00:00Z"), i32::MAX) > at("9999-01-01T00:00:00Z"));
    }
}
