//! The names of log files.

use chrono::{DateTime, Utc};

use super::{AccessLogging, LogKeyFormat};
use crate::Bucket;

/// What a log file's name is made of.
#[derive(Debug, Clone)]
pub struct LogFileName<'a> {
    /// The bucket whose calls are in it.
    pub source: &'a Bucket,
    /// How that bucket is logged.
    pub logging: &'a AccessLogging,
    /// When its first call was.
    pub event: DateTime<Utc>,
    /// When it is delivered.
    pub delivery: DateTime<Utc>,
    /// Tells it from the others.
    pub unique: u64,
}

impl LogFileName<'_> {
    /// The object's key (S3 user guide, "Log object key format").
    pub fn key(&self) -> String {
        let Self { source, logging, event, delivery, unique } = self;
        let prefix = &logging.target_prefix;
        let partition = |at: &DateTime<Utc>| {
            let (owner, region, name) = (source.owner, source.region.as_str(), &source.name);
            format!("{owner}/{region}/{name}/{}/", at.format("%Y/%m/%d"))
        };
        match logging.format.unwrap_or_default() {
            LogKeyFormat::Simple => {
                format!("{prefix}{}-{unique:016X}", delivery.format("%Y-%m-%d-%H-%M-%S"))
            }
            LogKeyFormat::ByDeliveryTime => {
                let time = delivery.format("%Y-%m-%d-%H-%M-%S");
                format!("{prefix}{}{time}-{unique:016X}", partition(delivery))
            }
            // S3 leaves the time out where files are sorted by the day of the calls.
            LogKeyFormat::ByEventTime => {
                format!("{prefix}{}{}-00-00-00-{unique:016X}", partition(event), event.format("%Y-%m-%d"))
            }
        }
    }
}
