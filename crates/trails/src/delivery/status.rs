//! What GetTrailStatus says.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{store::StoreError, trail::Trail};

/// How the delivery of one trail goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStatus {
    /// When a log file was last delivered.
    pub latest_delivery_time: Option<DateTime<Utc>>,
    /// S3's error code, as long as the last attempt at a log file failed.
    pub latest_delivery_error: Option<String>,
    /// When a log file was last tried.
    pub latest_delivery_attempt_time: Option<DateTime<Utc>>,
    /// When a log file was last tried and delivered.
    pub latest_delivery_attempt_succeeded: Option<DateTime<Utc>>,
    /// When a digest was last delivered.
    pub latest_digest_delivery_time: Option<DateTime<Utc>>,
    /// S3's error code, as long as the last attempt at a digest failed.
    pub latest_digest_delivery_error: Option<String>,
    /// Files that wait for the bucket. Only in answers, not kept.
    #[serde(skip)]
    pub outstanding_files: u64,
    /// Their compressed bytes. Only in answers, not kept.
    #[serde(skip)]
    pub outstanding_bytes: u64,
}

impl DeliveryStatus {
    pub(crate) fn tried(&mut self, digest: bool, outcome: Result<(), &StoreError>, now: DateTime<Utc>) {
        if digest {
            match outcome {
                Ok(()) => {
                    self.latest_digest_delivery_time = Some(now);
                    self.latest_digest_delivery_error = None;
                }
                Err(error) => self.latest_digest_delivery_error = Some(error.code().to_owned()),
            }
            return;
        }
        self.latest_delivery_attempt_time = Some(now);
        match outcome {
            Ok(()) => {
                self.latest_delivery_time = Some(now);
                self.latest_delivery_attempt_succeeded = Some(now);
                self.latest_delivery_error = None;
            }
            Err(error) => self.latest_delivery_error = Some(error.code().to_owned()),
        }
    }
}

/// The members of GetTrailStatus's answer, times as times where the API has times and as text where it has
/// text. Members about notifications and log groups are absent because trails have none here.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TrailStatus {
    /// Whether the trail is logging.
    pub is_logging: bool,
    /// See [`DeliveryStatus`].
    pub latest_delivery_error: Option<String>,
    /// See [`DeliveryStatus`].
    pub latest_delivery_time: Option<DateTime<Utc>>,
    /// When StartLogging was last called.
    pub start_logging_time: Option<DateTime<Utc>>,
    /// When StopLogging was last called.
    pub stop_logging_time: Option<DateTime<Utc>>,
    /// See [`DeliveryStatus`].
    pub latest_digest_delivery_time: Option<DateTime<Utc>>,
    /// See [`DeliveryStatus`].
    pub latest_digest_delivery_error: Option<String>,
    /// Text as `2015-08-17T15:01:31Z`, empty where there was none.
    pub latest_delivery_attempt_time: String,
    /// Text; always empty: trails have no notifications here.
    pub latest_notification_attempt_time: String,
    /// Text; always empty: trails have no notifications here.
    pub latest_notification_attempt_succeeded: String,
    /// Text: when an attempt last succeeded.
    pub latest_delivery_attempt_succeeded: String,
    /// Text: when logging was last started.
    pub time_logging_started: String,
    /// Text: when logging was last stopped.
    pub time_logging_stopped: String,
}

impl TrailStatus {
    /// The status of a trail.
    pub fn of(trail: &Trail, delivery: &DeliveryStatus) -> Self {
        let text = |time: Option<DateTime<Utc>>| time.map(crate::layout::long_time).unwrap_or_default();
        Self {
            is_logging: trail.logging,
            latest_delivery_error: delivery.latest_delivery_error.clone(),
            latest_delivery_time: delivery.latest_delivery_time,
            start_logging_time: trail.start_logging_time,
            stop_logging_time: trail.stop_logging_time,
            latest_digest_delivery_time: delivery.latest_digest_delivery_time,
            latest_digest_delivery_error: delivery.latest_digest_delivery_error.clone(),
            latest_delivery_attempt_time: text(delivery.latest_delivery_attempt_time),
            latest_notification_attempt_time: String::new(),
            latest_notification_attempt_succeeded: String::new(),
            latest_delivery_attempt_succeeded: text(delivery.latest_delivery_attempt_succeeded),
            time_logging_started: text(trail.start_logging_time),
            time_logging_stopped: text(trail.stop_logging_time),
        }
    }
}
