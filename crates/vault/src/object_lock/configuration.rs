//! Object Lock of a bucket: on for good once it is on, with or without a retention for new versions.

use chrono::{DateTime, Months, TimeDelta, Utc};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{LockMode, Retention};
use crate::{
    Vault, VaultError, Versioning,
    bucket::no_such_bucket,
    limits::{MAX_RETENTION_DAYS, MAX_RETENTION_YEARS},
};

/// The Object Lock configuration of a bucket that has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockConfiguration {
    /// What new versions get that name no retention of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_retention: Option<DefaultRetention>,
}

/// The retention of new versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// How firmly they are kept.
    pub mode: LockMode,
    /// How long.
    pub period: LockPeriod,
}

/// How long new versions are kept, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockPeriod {
    /// At most [`MAX_RETENTION_DAYS`].
    #[serde(rename = "days")]
    Days(u32),
    /// At most [`MAX_RETENTION_YEARS`].
    #[serde(rename = "years")]
    Years(u32),
}

impl LockPeriod {
    fn check(self) -> Result<(), VaultError> {
        let (count, most) = match self {
            Self::Days(days) => (days, MAX_RETENTION_DAYS),
            Self::Years(years) => (years, MAX_RETENTION_YEARS),
        };
        if (1..=most).contains(&count) { Ok(()) } else { Err(VaultError::InvalidRetentionPeriod) }
    }

    fn after(self, begin: DateTime<Utc>) -> DateTime<Utc> {
        let end = match self {
            Self::Days(days) => begin.checked_add_signed(TimeDelta::days(i64::from(days))),
            Self::Years(years) => begin.checked_add_months(Months::new(years.saturating_mul(12))),
        };
        end.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl DefaultRetention {
    /// The retention of a version that is made at this time.
    pub(crate) fn from(self, begin: DateTime<Utc>) -> Retention {
        Retention { mode: self.mode, until: self.period.after(begin) }
    }
}

impl Vault {
    /// Stages the Object Lock configuration of a bucket, which turns Object Lock on where it is off.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::LockNeedsVersioning`], [`VaultError::InvalidRetentionPeriod`].
    pub fn put_lock_configuration(
        &self,
        tx: &mut Transaction,
        name: &str,
        configuration: LockConfiguration,
    ) -> Result<(), VaultError> {
        if let Some(default) = configuration.default_retention {
            default.period.check()?;
        }
        let bucket = tx.try_get::<crate::Bucket>(name)?.ok_or_else(|| no_such_bucket(name))?;
        if bucket.versioning != Versioning::Enabled {
            return Err(VaultError::LockNeedsVersioning { bucket: name.to_owned() });
        }
        self.change(tx, name, |bucket| bucket.object_lock = Some(configuration))
    }

    /// The bucket's Object Lock configuration.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoLockConfiguration`].
    pub fn lock_configuration(&self, name: &str) -> Result<LockConfiguration, VaultError> {
        let configuration = self.bucket(name)?.object_lock;
        configuration.ok_or_else(|| VaultError::NoLockConfiguration { bucket: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeZone, Utc};

    use super::LockPeriod;

    #[test]
    fn a_year_is_a_year_of_the_calendar() {
        let at = |y, m, d| Utc.with_ymd_and_hms(y, m, d, 12, 0, 0).single().unwrap();
        assert_eq!(LockPeriod::Years(1).after(at(2024, 2, 29)), at(2025, 2, 28));
        assert_eq!(LockPeriod::Days(365).after(at(2024, 2, 28)), at(2025, 2, 27));
        assert_eq!(LockPeriod::Years(100).after(DateTime::<Utc>::MAX_UTC), DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn a_period_is_neither_nothing_nor_more_than_a_century() {
        for good in [LockPeriod::Days(1), LockPeriod::Days(36_500), LockPeriod::Years(100)] {
            assert!(good.check().is_ok(), "{good:?}");
        }
        for bad in
            [LockPeriod::Days(0), LockPeriod::Days(36_501), LockPeriod::Years(0), LockPeriod::Years(101)]
        {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
