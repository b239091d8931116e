//! CreateChannel, UpdateChannel, DeleteChannel.

use opentrail_lake::channel::{self, ChannelRefusal};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    permitted, refused,
    shape::{ChannelShape, Destination, OneChannel, locations},
};
use crate::{
    call::Call,
    cloudtrail::shape::{TagShape, pairs, set_request_tags},
    fault::Fault,
    operation::{Described, Permission, Write},
};

/// CreateChannel
pub(crate) struct CreateChannel;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateInput {
    name: String,
    source: String,
    destinations: Vec<Destination>,
    tags: Option<Vec<TagShape>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateOutput {
    #[serde(flatten)]
    channel: ChannelShape,
    tags: Vec<TagShape>,
}

impl Described for CreateChannel {
    type Input = CreateInput;
    type Output = CreateOutput;
    const NAME: &'static str = "CreateChannel";

    fn resource(_: &CreateInput, call: &Call) -> Result<String, Fault> {
        Ok(format!("arn:aws:cloudtrail:{}:{}:channel/*", call.region, call.account))
    }

    fn context(input: &CreateInput, _: &Call, context: &mut Context) {
        set_request_tags(context, input.tags.as_deref().unwrap_or_default());
    }
}

impl Write for CreateChannel {
    fn act(input: CreateInput, call: &Call, tx: &mut Transaction) -> Result<CreateOutput, Fault> {
        let ask = channel::CreateChannel {
            name: input.name,
            source: input.source,
            destinations: locations(&input.destinations)?,
            tags: pairs(input.tags.as_deref().unwrap_or_default()),
        };
        let channels = &call.rooms.channels;
        let made = channels.create(tx, call.account, &call.region, &ask, call.arrival.at);
        let channel = made.map_err(refused(call))?;
        let tags = channel.tags.iter();
        Ok(CreateOutput {
            tags: tags
                .map(|(key, value)| TagShape { key: key.clone(), value: Some(value.clone()) })
                .collect(),
            channel: ChannelShape::from(&channel),
        })
    }
}

/// UpdateChannel: the source stays.
pub(crate) struct UpdateChannel;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateInput {
    channel: String,
    destinations: Option<Vec<Destination>>,
    name: Option<String>,
}

impl Described for UpdateChannel {
    type Input = UpdateInput;
    type Output = ChannelShape;
    const NAME: &'static str = "UpdateChannel";
    const PERMISSION: Permission = Permission::OwnRules;
}

impl Write for UpdateChannel {
    fn act(input: UpdateInput, call: &Call, tx: &mut Transaction) -> Result<ChannelShape, Fault> {
        permitted(Self::NAME, &input.channel, call)?;
        if input.name.is_none() && input.destinations.is_none() {
            let message = "Specify at least one parameter to update.".to_owned();
            return Err(refused(call)(ChannelRefusal::InvalidParameter(message)));
        }
        let ask = channel::UpdateChannel {
            named: input.channel,
            name: input.name,
            destinations: input.destinations.as_deref().map(locations).transpose()?,
        };
        let channels = &call.rooms.channels;
        let channel = channels.update(tx, call.account, &call.region, &ask).map_err(refused(call))?;
        Ok(ChannelShape::from(&channel))
    }
}

/// DeleteChannel: what came through it stays in its stores.
pub(crate) struct DeleteChannel;

impl Described for DeleteChannel {
    type Input = OneChannel;
    type Output = ();
    const NAME: &'static str = "DeleteChannel";
    const PERMISSION: Permission = Permission::OwnRules;
}

impl Write for DeleteChannel {
    fn act(input: OneChannel, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        permitted(Self::NAME, &input.channel, call)?;
        let channels = &call.rooms.channels;
        channels.delete(tx, call.account, &call.region, &input.channel).map_err(refused(call))?;
        Ok(())
    }
}
