//! Server access logs: which bucket's calls are written where, and in what form
//! (S3 user guide, "Logging requests with server access logging").

mod line;
mod place;

use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

pub use line::AccessLogLine;
pub use place::LogFileName;

use crate::{Bucket, Vault, VaultError, limits::MAX_KEY_BYTES};

/// How the names of log files begin, after the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LogKeyFormat {
    /// `SimplePrefix`: with the time of delivery.
    #[default]
    Simple,
    /// `PartitionedPrefix` by `EventTime`: with account, region, bucket and the day of the calls.
    ByEventTime,
    /// `PartitionedPrefix` by `DeliveryTime`: with account, region, bucket and the day of delivery.
    ByDeliveryTime,
}

/// Where the calls of a bucket are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLogging {
    /// The bucket that log files are written to.
    pub target_bucket: String,
    /// What their names begin with.
    pub target_prefix: String,
    /// How their names go on; as it was written, `None` where the caller said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<LogKeyFormat>,
}

/// Why a bucket can't take another's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogTargetProblem {
    /// There is no such bucket.
    #[error("The target bucket for logging does not exist")]
    Missing,
    /// It belongs to another account.
    #[error("The owner for the bucket to be logged and the target bucket must be the same.")]
    OtherOwner,
    /// It is in another region.
    #[error(
        "S3 Log Delivery is not allowed to write to a bucket in another region. Cross S3 location logging not allowed."
    )]
    OtherRegion,
    /// The prefix leaves no room for a name.
    #[error("The target prefix is too long")]
    LongPrefix,
}

impl LogTargetProblem {
    /// What keeps the logs of `source` from going into `target`, whoever asks. It is asked at each delivery too: the
    /// name may by then be that of another account's bucket.
    ///
    /// # Errors
    /// [`Self::OtherOwner`], [`Self::OtherRegion`].
    pub fn between(source: &Bucket, target: &Bucket) -> Result<(), Self> {
        if target.owner != source.owner {
            return Err(Self::OtherOwner);
        }
        if target.region != source.region {
            return Err(Self::OtherRegion);
        }
        Ok(())
    }

    /// S3's error code for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing | Self::OtherOwner => "InvalidTargetBucketForLogging",
            Self::OtherRegion => "CrossLocationLoggingProhibited",
            Self::LongPrefix => "InvalidArgument",
        }
    }
}

/// Room that a log file's name needs after its prefix, at most: account, region, bucket, day and time.
const NAME_BYTES: usize = 160;

impl Vault {
    /// Stages where a bucket's calls are logged; `None` to log them no more.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::LogTarget`].
    pub fn put_access_logging(
        &self,
        tx: &mut Transaction,
        bucket: &str,
        logging: Option<AccessLogging>,
    ) -> Result<(), VaultError> {
        if let Some(AccessLogging { target_bucket, target_prefix, .. }) = &logging {
            let of = self.bucket(bucket)?;
            let target = tx.try_get::<Bucket>(target_bucket)?.ok_or(LogTargetProblem::Missing)?;
            LogTargetProblem::between(&of, &target)?;
            if target_prefix.len() > MAX_KEY_BYTES - NAME_BYTES {
                return Err(LogTargetProblem::LongPrefix.into());
            }
        }
        self.change(tx, bucket, |bucket| bucket.logging = logging)
    }
}
