//! Channels: CreateChannel and its kin, over `opentrail_lake::channel`.

pub(super) mod change;
pub(super) mod describe;
mod shape;

use std::sync::Arc;

use opentrail_identity::{Ask, Tag, set_resource_tags};
use opentrail_lake::channel::{Channel, ChannelArn, ChannelRefusal};
use opentrail_policy::Context;

use super::resource_policy;
use crate::{call::Call, fault::Fault};

/// The refusal of a channel, as the caller sees it.
pub(super) fn refused(call: &Call) -> impl Fn(ChannelRefusal) -> Fault {
    let dialect = call.dialect();
    move |refusal| Fault::of_channel(refusal, dialect)
}

/// The channel that a call of its own account names, if the caller may do this with it; `operation` is AWS's name of
/// it.
pub(super) fn permitted(operation: &str, named: &str, call: &Call) -> Result<Arc<Channel>, Fault> {
    permitted_with(operation, named, &Context::new(), call)
}

/// As [`permitted`], with more condition keys.
pub(super) fn permitted_with(
    operation: &str,
    named: &str,
    keys: &Context,
    call: &Call,
) -> Result<Arc<Channel>, Fault> {
    let arn = ChannelArn::meant(named, call.account, &call.region).map_err(refused(call))?;
    let channels = &call.rooms.channels;
    let mut context = call.arrival.context(&call.region);
    context.extend(keys);
    if let Some(channel) = channels.by_arn(&arn) {
        let tags: Vec<Tag> = channel.tags.iter().map(|(key, value)| Tag::new(key, value)).collect();
        set_resource_tags(&mut context, "cloudtrail", &tags);
    }
    let text = arn.to_string();
    let policy = resource_policy::in_force(&text, call)?;
    let ask = Ask {
        action: &format!("cloudtrail:{operation}"),
        resource: &text,
        context,
        resource_policy: policy.as_ref(),
        resource_account: Some(arn.account),
        resource_must_allow: false,
    };
    let verdict = call.rooms.identity.authorize(&call.caller, &ask);
    verdict.into_result().map_err(|denial| call.denied(&ask, &denial))?;
    channels.get(call.account, &call.region, named).map_err(refused(call))
}
