//! GetTrailStatus: whether a trail logs, and how its delivery goes.

use chrono::{DateTime, Utc};
use opentrail_trails::TrailStatus;
use opentrail_wire::value::Timestamp;
use serde::Serialize;

use super::{
    refused,
    shape::{OneTrail, trail_arn},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

pub(super) struct GetTrailStatus;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    is_logging: bool,
    latest_delivery_error: Option<String>,
    latest_delivery_time: Option<Timestamp>,
    start_logging_time: Option<Timestamp>,
    stop_logging_time: Option<Timestamp>,
    latest_digest_delivery_time: Option<Timestamp>,
    latest_digest_delivery_error: Option<String>,
    latest_delivery_attempt_time: String,
    latest_notification_attempt_time: String,
    latest_notification_attempt_succeeded: String,
    latest_delivery_attempt_succeeded: String,
    time_logging_started: String,
    time_logging_stopped: String,
}

impl From<TrailStatus> for Output {
    fn from(status: TrailStatus) -> Self {
        let time = |time: Option<DateTime<Utc>>| time.map(Timestamp);
        Self {
            is_logging: status.is_logging,
            latest_delivery_error: status.latest_delivery_error,
            latest_delivery_time: time(status.latest_delivery_time),
            start_logging_time: time(status.start_logging_time),
            stop_logging_time: time(status.stop_logging_time),
            latest_digest_delivery_time: time(status.latest_digest_delivery_time),
            latest_digest_delivery_error: status.latest_digest_delivery_error,
            latest_delivery_attempt_time: status.latest_delivery_attempt_time,
            latest_notification_attempt_time: status.latest_notification_attempt_time,
            latest_notification_attempt_succeeded: status.latest_notification_attempt_succeeded,
            latest_delivery_attempt_succeeded: status.latest_delivery_attempt_succeeded,
            time_logging_started: status.time_logging_started,
            time_logging_stopped: status.time_logging_stopped,
        }
    }
}

impl Described for GetTrailStatus {
    type Input = OneTrail;
    type Output = Output;
    const NAME: &'static str = "GetTrailStatus";

    fn resource(input: &OneTrail, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.name, call))
    }
}

impl Read for GetTrailStatus {
    async fn act(input: OneTrail, call: &Call) -> Result<Output, Fault> {
        let trail = call.rooms.trails.get(call.account, &call.region, &input.name).map_err(refused(call))?;
        let delivery = call.rooms.delivery.status(&trail);
        Ok(TrailStatus::of(&trail, &delivery).into())
    }
}
