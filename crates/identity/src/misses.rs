//! How often in a row something may be wrong that a guesser could try.
//!
//! After [`FREE_MISSES`](crate::limits::FREE_MISSES) wrong tries in a row none is looked at for a minute, and with every
//! further wrong one for twice as long, up to a day: a guesser has some 380 tries a year. Tries during the lock do not
//! prolong it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::limits;

/// Wrong tries in a row, and when the last of them came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Misses {
    count: u32,
    last: Option<DateTime<Utc>>,
}

impl Misses {
    /// Until when nothing is looked at; none if one may try.
    pub(crate) fn closed_until(self) -> Option<DateTime<Utc>> {
        let beyond = self.count.checked_sub(limits::FREE_MISSES)?;
        let doubled = 1_u64.checked_shl(beyond).unwrap_or(u64::MAX);
        let seconds = doubled.saturating_mul(limits::FIRST_LOCK_SECONDS).min(limits::LONGEST_LOCK_SECONDS);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.last?.checked_add_signed(TimeDelta::seconds(seconds))
    }

    pub(crate) fn with_another(self, now: DateTime<Utc>) -> Self {
        Self { count: self.count.saturating_add(1), last: Some(now) }
    }

    /// Whichever knows of more.
    pub(crate) fn or_more(self, other: Self) -> Self {
        if other.count > self.count { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(count: u32) -> Option<i64> {
        let last: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        let closed = Misses { count, last: Some(last) }.closed_until();
        closed.map(|until| (until - last).num_seconds())
    }

    #[test]
    fn the_lock_doubles_from_a_minute_to_a_day() {
        assert_eq!([after(0), after(4)], [None, None]);
        assert_eq!([after(5), after(6), after(7)], [Some(60), Some(120), Some(240)]);
        assert_eq!(
            [after(15), after(16), after(40), after(u32::MAX)].map(Option::unwrap),
            [61_440, 86_400, 86_400, 86_400]
        );
    }
}
