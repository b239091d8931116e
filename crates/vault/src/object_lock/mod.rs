//! Object Lock: versions that nobody can remove before their time
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>).
//!
//! What a version is held by is part of what is known about it ([`ObjectLock`]); whether it may be removed,
//! replaced or held for less is decided here and asked under the key's lock by everything that would: deletes,
//! puts that take the place of the `null` version, changes of the lock itself. Expiration goes through the same
//! functions, without [`crate::DeleteRequest::bypass_governance`].

mod change;
mod clock;
mod configuration;
mod door;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    change::RetentionChange,
    configuration::{DefaultRetention, LockConfiguration, LockPeriod},
};
pub(crate) use self::{change::may_be_locked, clock::LockClock, door::Powers};
use crate::VaultError;

/// How firmly a version is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockMode {
    /// Until its date, except from who may bypass that and says so.
    #[serde(rename = "GOVERNANCE")]
    Governance,
    /// Until its date, from everyone; the date can only move away.
    #[serde(rename = "COMPLIANCE")]
    Compliance,
}

impl LockMode {
    /// As S3 writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    /// Reads it as S3 writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance].into_iter().find(|mode| mode.name() == name)
    }
}

/// Until when a version is kept, and how firmly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How firmly.
    pub mode: LockMode,
    /// Until when, to the millisecond.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub until: DateTime<Utc>,
}

/// What holds a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// Its retention, also one that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Its legal hold: on, off, or never spoken of (S3 tells the two apart).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
}

impl ObjectLock {
    /// Whether nothing was ever said about holding the version.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a legal hold is on.
    pub fn is_held(&self) -> bool {
        self.legal_hold == Some(true)
    }

    /// Whether anything holds the version at this time, and nobody bypasses it.
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        !self.may_go(at, false)
    }

    /// Whether the version may be removed at this time.
    pub(crate) fn may_go(&self, at: DateTime<Utc>, bypass_governance: bool) -> bool {
        if self.is_held() {
            return false;
        }
        match self.retention.filter(|retention| retention.until > at) {
            None => true,
            Some(retention) => retention.mode == LockMode::Governance && bypass_governance,
        }
    }

    /// Whether this retention may take the place of the one there is.
    pub(crate) fn may_become(
        &self,
        new: Option<Retention>,
        at: DateTime<Utc>,
        bypass_governance: bool,
    ) -> bool {
        let Some(old) = self.retention.filter(|retention| retention.until > at) else { return true };
        let keeps = new.is_some_and(|new| new.mode == old.mode && new.until >= old.until);
        keeps || (old.mode == LockMode::Governance && bypass_governance)
    }

    /// Whether the retention that holds at `at` would end earlier, or could be lifted more easily, with this one in its
    /// place.
    pub(crate) fn is_weakened_by(&self, new: Retention, at: DateTime<Utc>) -> bool {
        self.retention.filter(|retention| retention.until > at).is_some_and(|old| {
            new.until < old.until || (old.mode == LockMode::Compliance && new.mode != old.mode)
        })
    }
}

pub(crate) fn locked(key: &str, version_id: &str) -> VaultError {
    VaultError::Locked { key: key.to_owned(), version_id: version_id.to_owned() }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{LockMode, ObjectLock, Retention};

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn kept(mode: LockMode, day: i64) -> Option<Retention> {
        Some(Retention { mode, until: at(day) })
    }

    #[test]
    fn what_holds_a_version_and_what_does_not() {
        use LockMode::{Compliance, Governance};
        let lock = |retention, legal_hold| ObjectLock { retention, legal_hold };
        for (lock, goes, goes_with_bypass) in [
            (lock(None, None), true, true),
            (lock(None, Some(false)), true, true),
            (lock(None, Some(true)), false, false),
            (lock(kept(Governance, 2), None), false, true),
            (lock(kept(Governance, 1), None), true, true),
            (lock(kept(Compliance, 2), None), false, false),
            (lock(kept(Compliance, 1), None), true, true),
            (lock(kept(Governance, 2), Some(true)), false, false),
        ] {
            assert_eq!(lock.may_go(at(1), false), goes, "{lock:?}");
            assert_eq!(lock.may_go(at(1), true), goes_with_bypass, "{lock:?}");
        }
    }

    #[test]
    fn a_retention_may_get_longer_and_only_governance_shorter() {
        use LockMode::{Compliance, Governance};
        for (old, new, plain, bypassed) in [
            (None, kept(Governance, 3), true, true),
            (kept(Governance, 3), kept(Governance, 4), true, true),
            (kept(Governance, 3), kept(Governance, 2), false, true),
            (kept(Governance, 3), kept(Compliance, 4), false, true),
            (kept(Governance, 3), None, false, true),
            (kept(Compliance, 3), kept(Compliance, 4), true, true),
            (kept(Compliance, 3), kept(Compliance, 2), false, false),
            (kept(Compliance, 3), kept(Governance, 4), false, false),
            (kept(Compliance, 3), None, false, false),
            (kept(Compliance, 1), None, true, true),
        ] {
            let lock = ObjectLock { retention: old, legal_hold: None };
            assert_eq!(lock.may_become(new, at(1), false), plain, "{old:?} {new:?}");
            assert_eq!(lock.may_become(new, at(1), true), bypassed, "{old:?} {new:?}");
        }
    }
}
