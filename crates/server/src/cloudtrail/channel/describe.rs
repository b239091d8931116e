//! GetChannel, ListChannels.

use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    permitted,
    shape::{ChannelShape, OneChannel},
};
use crate::{
    call::Call,
    cloudtrail::token,
    fault::{Common, Fault},
    operation::{Described, Permission, Read},
};

/// Most channels in an answer of ListChannels (AWS: MaxResults).
const MAX_RESULTS: usize = 1000;

/// GetChannel
pub(crate) struct GetChannel;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetOutput {
    #[serde(flatten)]
    channel: ChannelShape,
    ingestion_status: Status,
}

/// `IngestionStatus`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    latest_ingestion_success_time: Option<Timestamp>,
    #[serde(rename = "LatestIngestionSuccessEventID")]
    latest_ingestion_success_event_id: Option<String>,
    latest_ingestion_error_code: Option<String>,
    latest_ingestion_attempt_time: Option<Timestamp>,
    #[serde(rename = "LatestIngestionAttemptEventID")]
    latest_ingestion_attempt_event_id: Option<String>,
}

impl Described for GetChannel {
    type Input = OneChannel;
    type Output = GetOutput;
    const NAME: &'static str = "GetChannel";
    const PERMISSION: Permission = Permission::OwnRules;
}

impl Read for GetChannel {
    async fn act(input: OneChannel, call: &Call) -> Result<GetOutput, Fault> {
        let channel = permitted(Self::NAME, &input.channel, call)?;
        let status = call.rooms.channels.status(channel.id);
        let time = |of: &Option<(chrono::DateTime<chrono::Utc>, String)>| {
            of.as_ref().map(|(time, _)| Timestamp::from(*time))
        };
        Ok(GetOutput {
            channel: ChannelShape::from(&*channel),
            ingestion_status: Status {
                latest_ingestion_success_time: time(&status.success),
                latest_ingestion_attempt_time: time(&status.attempt),
                latest_ingestion_success_event_id: status.success.map(|(_, id)| id),
                latest_ingestion_attempt_event_id: status.attempt.map(|(_, id)| id),
                latest_ingestion_error_code: status.error_code,
            },
        })
    }
}

/// ListChannels: of the caller's account, in the region of the call.
pub(crate) struct ListChannels;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListInput {
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListOutput {
    channels: Vec<Listed>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    channel_arn: String,
    name: String,
}

impl Described for ListChannels {
    type Input = ListInput;
    type Output = ListOutput;
    const NAME: &'static str = "ListChannels";
}

impl Read for ListChannels {
    async fn act(input: ListInput, call: &Call) -> Result<ListOutput, Fault> {
        let limit = input.max_results.map_or(Some(MAX_RESULTS), |count| usize::try_from(count).ok());
        let limit = limit.filter(|count| (1..=MAX_RESULTS).contains(count)).ok_or_else(|| {
            call.fault(Common::Invalid, format!("MaxResults must be between 1 and {MAX_RESULTS}."))
        })?;
        let channels = call.rooms.channels.list(call.account, &call.region);
        let id = |arn: opentrail_lake::channel::ChannelArn| arn.to_string();
        let page = token::page(channels, input.next_token.as_deref(), limit, |channel| id(channel.arn()));
        let (channels, next_token) = page.ok_or_else(|| {
            let message = "The NextToken is not one that ListChannels gave.";
            Fault::declared("InvalidNextTokenException", message)
        })?;
        let listed = channels.iter();
        Ok(ListOutput {
            channels: listed
                .map(|channel| Listed { channel_arn: channel.arn().to_string(), name: channel.name.clone() })
                .collect(),
            next_token,
        })
    }
}
