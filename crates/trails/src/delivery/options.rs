//! How often and how large.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::delivery::DeliveryError;

/// Settings of the delivery. All sizes of log files are of the JSON before compression.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// How long events wait before their file is written. AWS: about five minutes; here 60 s.
    pub interval: Duration,
    /// The period of digests; whole seconds. AWS: one hour.
    pub digest_interval: Duration,
    /// A log file that reaches this size is closed and another one begun. 50 MiB of records compress to 3 to
    /// 5 MiB, about the largest that AWS delivers.
    pub file_bytes: u64,
    /// Files are decided before the interval is over when this much has been read, so that a restart
    /// never reads more than this again.
    pub cut_bytes: u64,
    /// Compressed bytes of open files that are held in memory; above it the largest are closed and go to the spool.
    pub memory_bytes: u64,
    /// Compressed bytes of files that wait for their bucket. Above it the delivery stops reading and events
    /// wait in the journal, those of all trails.
    pub spool_bytes: u64,
    /// Files that wait for their bucket; above it as with `spool_bytes`.
    pub outstanding_files: usize,
    /// Uploads at once for one trail.
    pub uploads: usize,
    /// Compressed bytes of the files that are uploaded at once for one trail; a larger file is uploaded alone.
    pub upload_bytes: u32,
    /// Longest wait for one upload.
    pub upload_timeout: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            digest_interval: Duration::from_secs(3600),
            file_bytes: 50 << 20,
            cut_bytes: 1 << 30,
            memory_bytes: 40 << 20,
            spool_bytes: 4 << 30,
            outstanding_files: 20_000,
            uploads: 8,
            upload_bytes: 16 << 20,
            upload_timeout: Duration::from_secs(60),
        }
    }
}

impl DeliveryOptions {
    /// Longest wait between two attempts at a bucket that refuses or is away.
    pub(crate) const LONGEST_RETRY: Duration = Duration::from_secs(60);
    /// First wait after a failure.
    const FIRST_RETRY: Duration = Duration::from_millis(500);

    pub(crate) fn check(&self) -> Result<(), DeliveryError> {
        let whole = self.digest_interval.subsec_nanos() == 0 && self.digest_interval.as_secs() > 0;
        if !whole {
            return Err(DeliveryError::Options("the digest interval must be a whole number of seconds"));
        }
        if self.interval.is_zero() {
            return Err(DeliveryError::Options("the delivery interval must be longer than zero"));
        }
        if self.uploads == 0 || self.outstanding_files == 0 || self.file_bytes == 0 {
            return Err(DeliveryError::Options("uploads, outstanding files and file bytes must be positive"));
        }
        Ok(())
    }

    /// How long a bucket is left alone after this many failures: half a second, then twice as long each time
    /// up to the delivery interval, which is never taken as shorter than a second or longer than a minute.
    pub(crate) fn retry_after(&self, failures: u32) -> Duration {
        let most = self.interval.clamp(Duration::from_secs(1), Self::LONGEST_RETRY);
        let doubled = Self::FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(most)
    }

    /// The newest boundary of digest periods that is not after `now`: multiples of the interval since 1970,
    /// which for the hour are the hours of UTC.
    pub(crate) fn boundary(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = i64::try_from(self.digest_interval.as_secs()).unwrap_or(3600).max(1);
        let floor = now.timestamp().div_euclid(seconds) * seconds;
        DateTime::from_timestamp(floor, 0).unwrap_or(now)
    }
}

/// Where the delivery takes the time from.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
