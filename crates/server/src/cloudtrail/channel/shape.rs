//! The shapes of channels.

use opentrail_lake::{channel::Channel, store::StoreArn};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// `Destination`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Destination {
    r#type: String,
    location: String,
}

/// The one type of destination that callers can ask for.
const EVENT_DATA_STORE: &str = "EVENT_DATA_STORE";

/// The stores that destinations name.
pub(super) fn locations(destinations: &[Destination]) -> Result<Vec<String>, Fault> {
    if let Some(other) = destinations.iter().find(|destination| destination.r#type != EVENT_DATA_STORE) {
        let kind: String = other.r#type.chars().take(64).collect();
        let message = format!("The type of a destination must be {EVENT_DATA_STORE}, not {kind}.");
        return Err(Fault::declared("InvalidParameterException", message));
    }
    Ok(destinations.iter().map(|destination| destination.location.clone()).collect())
}

/// The stores of a channel.
pub(super) fn destinations(channel: &Channel) -> Vec<Destination> {
    let destination = |id| {
        let arn = StoreArn { region: channel.region.clone(), account: channel.account, id };
        Destination { r#type: EVENT_DATA_STORE.to_owned(), location: arn.to_string() }
    };
    channel.destinations.iter().copied().map(destination).collect()
}

/// What every answer about one channel has.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChannelShape {
    channel_arn: String,
    name: String,
    source: String,
    destinations: Vec<Destination>,
}

impl From<&Channel> for ChannelShape {
    fn from(channel: &Channel) -> Self {
        Self {
            channel_arn: channel.arn().to_string(),
            name: channel.name.clone(),
            source: channel.source.clone(),
            destinations: destinations(channel),
        }
    }
}

/// The input of operations that take a channel's ARN or id and nothing else.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OneChannel {
    pub(super) channel: String,
}
