//! What time it is for locks.
//!
//! A lock ends by the machine's clock, which whoever owns the machine can set. Two times keep that from being
//! the easy way around a lock. *Beginnings* (the default retention of a new version, whether a date lies in the
//! future) are never earlier than the newest entry of the journal: with the clock set back, locks do not end
//! sooner. *Ends* are never later than the first time that was asked about plus what the monotonic clock has
//! counted since and the leap that is allowed ([`crate::limits::CLOCK_LEAP`], 15 minutes, in the server): a clock
//! set forward under a running server opens nothing that had more than that to go. What is left is starting the server
//! with a wrong clock, which only another machine's clock could tell.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_journal::{Journal, Seq};
use opentrail_state::Entry;
use parking_lot::Mutex;

pub(crate) struct LockClock {
    /// How far the clock may run ahead of the monotonic one; `None` to believe it whatever it says.
    leap: Option<Duration>,
    /// The time of the newest entry of the journal when the vault was opened.
    floor: Option<DateTime<Utc>>,
    /// The first time that was asked about, and when that was.
    anchor: Mutex<Option<Anchor>>,
}

#[derive(Clone, Copy)]
struct Anchor {
    at: DateTime<Utc>,
    then: Instant,
    warned: bool,
}

impl LockClock {
    /// A clock for a vault over this journal. Blocks while it reads one entry.
    pub(crate) fn open(journal: &Journal, leap: Option<Duration>) -> Self {
        Self { leap, floor: newest_entry(journal), anchor: Mutex::new(None) }
    }

    /// From when on a lock that is made now counts.
    pub(crate) fn begins(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let counted = self.leap.map(|_| self.counted(now, false));
        [counted, self.floor].into_iter().flatten().fold(now, DateTime::max)
    }

    /// The time against which locks are held to see whether they are over.
    pub(crate) fn ends(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let Some(leap) = self.leap else { return now };
        let latest = self.counted(now, true) + TimeDelta::from_std(leap).unwrap_or(TimeDelta::zero());
        now.min(latest)
    }

    /// The time of the first call, and what the monotonic clock has counted since.
    fn counted(&self, now: DateTime<Utc>, warns: bool) -> DateTime<Utc> {
        let mut anchor = self.anchor.lock();
        let anchor = anchor.get_or_insert(Anchor { at: now, then: Instant::now(), warned: false });
        let counted = anchor.at + TimeDelta::from_std(anchor.then.elapsed()).unwrap_or(TimeDelta::zero());
        let leap = self.leap.and_then(|leap| TimeDelta::from_std(leap).ok()).unwrap_or(TimeDelta::zero());
        if warns && now > counted + leap && !anchor.warned {
            anchor.warned = true;
            tracing::warn!(
                clock = %now, counted = %counted,
                "the clock was set forward: locks of objects end by the time counted since the start, until a restart"
            );
        }
        counted
    }
}

/// When the newest entry was written; none in an empty journal.
fn newest_entry(journal: &Journal) -> Option<DateTime<Utc>> {
    let last = journal.durable();
    if last < journal.first() {
        return None;
    }
    let item = journal.reader(Seq(last.0.checked_sub(1)?)).try_next_batch(1, usize::MAX).ok()?.pop()?;
    Entry::of(&item).ok().map(|entry| entry.at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta, Utc};
    use parking_lot::Mutex;

    use super::LockClock;

    fn clock(leap: Option<Duration>, floor: Option<DateTime<Utc>>) -> LockClock {
        LockClock { leap, floor, anchor: Mutex::new(None) }
    }

    #[test]
    fn a_clock_set_forward_ends_no_lock() {
        let (clock, now) = (clock(Some(Duration::from_secs(300)), None), Utc::now());
        assert_eq!(clock.ends(now), now);
        let year = now + TimeDelta::days(365);
        assert!(clock.ends(year) < now + TimeDelta::seconds(400));
        assert_eq!(clock.ends(now + TimeDelta::seconds(30)), now + TimeDelta::seconds(30));
    }

    #[test]
    fn a_clock_set_back_makes_no_lock_begin_sooner() {
        let now = Utc::now();
        let year_ago = now - TimeDelta::days(365);
        let started_late = clock(None, Some(now));
        assert_eq!(started_late.begins(year_ago), now);
        assert_eq!(started_late.ends(year_ago), year_ago);
        let running = clock(Some(Duration::from_secs(300)), None);
        assert!(running.begins(now) >= now);
        assert!(running.begins(year_ago) >= now);
    }
}
