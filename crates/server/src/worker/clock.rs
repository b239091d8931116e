//! What time it is for what a worker does for good: destroying a key's material, removing an object.
//!
//! The machine's clock can be set ahead, by whoever owns it or by a time server's mistake. Nothing becomes due by
//! that: the time is never later than the clock's when the first worker started plus what the monotonic clock has
//! counted since. Being late is safe: it ends with a restart of the process.

use std::{sync::LazyLock, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// How far the clock may run ahead of the monotonic one: corrections of this size are those of time servers.
const LEAP: TimeDelta = TimeDelta::minutes(15);

/// What all clocks count from: a worker that is started again does not believe the machine's clock again.
static START: LazyLock<(DateTime<Utc>, Instant)> = LazyLock::new(|| (Utc::now(), Instant::now()));

/// A clock that can't be set ahead while the server runs.
pub(crate) struct SteadyClock {
    started: DateTime<Utc>,
    counted: Instant,
}

impl SteadyClock {
    /// Counts from the first clock's making, when the machine's was believed.
    pub(crate) fn new() -> Self {
        let (started, counted) = *START;
        Self { started, counted }
    }

    /// The machine's time, where it is not too far ahead of the one counted.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.at_most(Utc::now())
    }

    fn at_most(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.counted.elapsed()).unwrap_or(TimeDelta::zero());
        now.min(self.started + elapsed + LEAP)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::SteadyClock;

    #[test]
    fn a_clock_set_ahead_makes_nothing_due() {
        let (clock, now) = (SteadyClock::new(), Utc::now());
        assert!(clock.at_most(now + TimeDelta::days(30)) < now + TimeDelta::minutes(16));
        let corrected = now + TimeDelta::minutes(10);
        assert_eq!(clock.at_most(corrected), corrected);
        let set_back = now - TimeDelta::days(1);
        assert_eq!(clock.at_most(set_back), set_back);
    }
}
