//! PutAuditEvents.
//!
//! An event is known by its channel and the id that its source gave it: our id for it follows from the two, and an
//! event that came before is told as taken and not written again. What a call brings, its ids and its own record are
//! one entry of the journal.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD};
use opentrail_archive::{ArchiveError, SeenIds, Standing};
use opentrail_event::{Category, EventId, RecordResource};
use opentrail_identity::Ask;
use opentrail_lake::channel::{
    AuditEvent, Channel, ChannelArn, ChannelEvents, ChannelRefusal, Passage, Rejection,
};
use opentrail_wire::value;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::entries::{Entry, Failed, Input, Output, Successful};
use crate::{
    call::Call,
    cloudtrail::policy_in_force,
    fault::{Common, Fault},
    operation::Outcome,
    recording::{Deed, unwritable},
};

/// The operation's name.
pub(super) const PUT_AUDIT_EVENTS: &str = "PutAuditEvents";
/// How long to wait for another call that brings the same events.
const SETTLING: Duration = Duration::from_secs(10);

/// Runs a call.
pub(super) async fn run(call: &Call, params: Value) -> Outcome {
    match take(call, params).await {
        Ok(output) => value::to_value(&output).map_err(|error| internal(call, &error)),
        Err(failure) => {
            let Failure { fault, channel } = *failure;
            let deed = deed(call, channel.as_deref(), Err(&fault));
            Err(deed.keep(&call.rooms.recorder, call.dialect()).await.err().unwrap_or(fault))
        }
    }
}

/// A call that failed, and the channel of its own account that it was about.
struct Failure {
    fault: Fault,
    channel: Option<Arc<Channel>>,
}

impl From<Fault> for Box<Failure> {
    fn from(fault: Fault) -> Self {
        Self::new(Failure { fault, channel: None })
    }
}

/// An event that can be taken, and our id for it.
struct Good {
    id: Uuid,
    of_source: String,
    record: Box<RawValue>,
}

async fn take(call: &Call, params: Value) -> Result<Output, Box<Failure>> {
    let input: Input =
        serde_json::from_value(params).map_err(|error| call.fault(Common::Invalid, error.to_string()))?;
    let channel = permitted(&input, call)?;
    let own = Some(Arc::clone(&channel)).filter(|channel| channel.account == call.account);
    let failed = |fault| Box::new(Failure { fault, channel: own.clone() });
    input.check(call).map_err(failed)?;
    input.check_ids().map_err(failed)?;
    let (good, mut output) = sort(&channel, input.audit_events, call).map_err(failed)?;
    for Good { id, of_source, .. } in &good {
        output.successful.push(Successful { event_id: id.to_string(), id: of_source.clone() });
    }
    admit(&channel, good, &output, call).await.map_err(failed)?;
    tell(&channel, &output, call);
    Ok(output)
}

/// The channel, if the caller may send events through it: the owner's callers by their policies, those of other accounts
/// by the channel's policy too.
fn permitted(input: &Input, call: &Call) -> Result<Arc<Channel>, Fault> {
    let arn = ChannelArn::meant(&input.channel_arn, call.account, &call.region)
        .map_err(|refusal| Fault::declared("InvalidChannelARN", refusal.to_string()))?;
    let text = arn.to_string();
    let mut context = call.arrival.context(&call.region);
    if let Some(id) = &input.external_id {
        context.set("cloudtrail:ExternalId", id.as_str());
    }
    let policy = policy_in_force(&text, call)?;
    let ask = Ask {
        action: "cloudtrail-data:PutAuditEvents",
        resource: &text,
        context,
        resource_policy: policy.as_ref(),
        resource_account: Some(arn.account),
        resource_must_allow: false,
    };
    let verdict = call.rooms.identity.authorize(&call.caller, &ask);
    verdict.into_result().map_err(|denial| {
        if arn.account == call.account {
            call.denied(&ask, &denial)
        } else {
            Fault::declared("ChannelInsufficientPermission", denial.to_string())
        }
    })?;
    let found = call.rooms.channels.by_arn(&arn).filter(|channel| channel.region == call.region);
    found.ok_or_else(|| {
        let refusal = ChannelRefusal::NotFound { named: text };
        Fault::declared("ChannelNotFound", refusal.to_string())
    })
}

/// The good events with their records, and why the others are not among them.
fn sort(channel: &Channel, entries: Vec<Entry>, call: &Call) -> Result<(Vec<Good>, Output), Fault> {
    let arn = channel.arn().to_string();
    let (region, at) = (&call.region, call.arrival.at);
    let passage = Passage { channel: &arn, account: channel.account, region, at };
    let (mut good, mut output) = (Vec::with_capacity(entries.len()), Output::default());
    for entry in entries {
        match read(&entry, channel) {
            Ok(event) => {
                let id = event_id(&arn, &entry.id);
                let record =
                    event.record(&id.to_string(), passage).map_err(|error| internal(call, &error))?;
                good.push(Good { id, of_source: entry.id, record });
            }
            Err(rejection) => output.failed.push(Failed {
                error_code: rejection.code(),
                error_message: rejection.to_string(),
                id: entry.id,
            }),
        }
    }
    Ok((good, output))
}

fn read(entry: &Entry, channel: &Channel) -> Result<AuditEvent, Rejection> {
    if let Some(checksum) = &entry.event_data_checksum {
        let digest = digest::digest(&digest::SHA256, entry.event_data.as_bytes());
        if BASE64_STANDARD.encode(digest) != *checksum {
            return Err(Rejection::InvalidChecksum);
        }
    }
    AuditEvent::read(&entry.event_data, channel.account)
}

/// Our id for an event: who sends it again gets the same.
fn event_id(channel: &str, id: &str) -> Uuid {
    let digest = digest::digest(&digest::SHA256, format!("{channel}\n{id}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Makes the events that did not come before durable, with the call's record.
async fn admit(channel: &Channel, good: Vec<Good>, output: &Output, call: &Call) -> Result<(), Fault> {
    let (rooms, owner) = (&call.rooms, channel.account);
    let mut waiting = good;
    loop {
        let ids: Vec<EventId> = waiting.iter().map(|good| EventId::from_value(good.id.as_u128())).collect();
        let (seen, asked) = (rooms.seen.clone(), ids.clone());
        let reserving = tokio::task::spawn_blocking(move || seen.reserve(owner, &asked));
        let reserved = reserving.await.unwrap_or(Err(ArchiveError::Closed));
        let reservation = reserved.map_err(|error| unavailable(call, &error))?;
        let standings: Vec<Standing> = reservation.standings().to_vec();
        let (mut fresh, mut fresh_ids, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        for ((good, id), standing) in waiting.into_iter().zip(ids).zip(standings) {
            match standing {
                Standing::Fresh => {
                    fresh.push(good.record);
                    fresh_ids.push(id);
                }
                Standing::Recorded => {}
                Standing::Pending => pending.push(good),
            }
        }
        let events = if pending.is_empty() {
            deed(call, Some(channel), Ok(output))
                .events(&rooms.recorder)
                .map_err(|error| unwritable(&error, call.dialect()))?
        } else {
            Vec::new()
        };
        let mut facts = Vec::new();
        if !fresh.is_empty() {
            let (arn, stores) = (channel.arn().to_string(), channel.destinations.clone());
            let brought = ChannelEvents { channel: arn, stores, records: fresh };
            facts.push(brought.fact().map_err(|error| internal(call, &error))?);
            facts.push(SeenIds::fact(owner, &fresh_ids));
        }
        if !facts.is_empty() || !events.is_empty() {
            rooms
                .state
                .append(facts, events)
                .await
                .map_err(|error| Fault::of_state(error, call.dialect()))?;
        }
        reservation.commit();
        if pending.is_empty() {
            return Ok(());
        }
        tokio::time::timeout(SETTLING, rooms.seen.settled()).await.map_err(|_| {
            call.fault(Common::Unavailable, "Another call with the same events has not come to its end.")
        })?;
        waiting = pending;
    }
}

/// Remembers what GetChannel says of the last events.
fn tell(channel: &Channel, output: &Output, call: &Call) {
    let at = call.arrival.at;
    call.rooms.channels.tell(channel.id, |status| {
        if let Some(last) = output.successful.last() {
            status.success = Some((at, last.event_id.clone()));
            status.attempt = status.success.clone();
        }
        if let Some(last) = output.failed.last() {
            let id = event_id(&channel.arn().to_string(), &last.id).to_string();
            status.attempt = Some((at, id));
            status.error_code = Some(last.error_code.to_owned());
        }
    });
}

/// The call itself: a data event of the channel, kept where a trail or an event data store selects it.
fn deed<'a>(call: &'a Call, channel: Option<&Channel>, outcome: Result<&Output, &'a Fault>) -> Deed<'a> {
    let mut accounts = vec![call.account];
    if let (Some(channel), Ok(_)) = (channel, &outcome)
        && channel.account != call.account
    {
        accounts.push(channel.account);
    }
    let arn = channel.map(|channel| channel.arn().to_string());
    let of_channel = |arn: &String| {
        let owner = channel.map(|channel| channel.account);
        RecordResource::new("AWS::CloudTrail::Channel", arn.as_str(), owner)
    };
    Deed {
        event_source: call.service.event_source,
        event_name: PUT_AUDIT_EVENTS,
        region: call.recorded_region(),
        arrival: &call.arrival,
        who: call.who(),
        accounts,
        read_only: false,
        category: Category::Data,
        resources: arn.iter().map(of_channel).collect(),
        parameters: arn.map(|arn| json!({ "channelArn": arn })),
        elements: outcome.ok().and_then(|output| serde_json::to_value(output).ok()),
        additional: None,
        fault: outcome.err(),
    }
}

fn internal(call: &Call, error: &dyn std::fmt::Display) -> Fault {
    tracing::error!(%error, "events of a channel can't be written");
    call.fault(Common::Internal, "An internal error occurred.")
}

fn unavailable(call: &Call, error: &ArchiveError) -> Fault {
    tracing::error!(%error, "events can't be told from those that are there");
    call.fault(Common::Unavailable, "Events can't be taken at the moment.")
}

#[cfg(test)]
mod tests {
    use super::event_id;

    #[test]
    fn an_id_follows_from_channel_and_source() {
        let channel = "arn:aws:cloudtrail:us-east-1:123456789012:channel/1";
        assert_eq!(event_id(channel, "a"), event_id(channel, "a"));
        assert_ne!(event_id(channel, "a"), event_id(channel, "b"));
        assert_ne!(event_id(channel, "a"), event_id("another", "a"));
        assert_eq!(event_id(channel, "a").to_string().len(), 36);
    }
}
