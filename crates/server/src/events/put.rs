//! `POST /v1/events`: records from elsewhere, as `{"Records":[…]}`, an array, NDJSON or a single record;
//! plain or gzip.

use std::{io::Read, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use http::{Response, header::CONTENT_ENCODING, request::Parts};
use opentrail_event::{AccountId, Category, Event, RecordResource, Region};
use opentrail_identity::{Ask, Caller};
use opentrail_lake::import::MAX_AHEAD;
use opentrail_wire::value;
use serde_json::json;

use super::{
    SERVICE,
    admission::{self, Admitted, NotAdmitted, Part, Rejected},
    regions::Regions,
};
use crate::{
    call::Arrival,
    door::{self, Stranger, Visit, answer, body},
    fault::{Common, Dialect, Fault},
    recording::{Deed, Who},
    rooms::Rooms,
};

/// The operation's name.
pub(crate) const PUT_EVENTS: &str = "PutEvents";
/// The largest body as sent.
pub(super) const MAX_BODY_BYTES: usize = 16 << 20;
/// The largest body once it is unpacked.
const MAX_UNPACKED_BYTES: u64 = 64 << 20;
/// Bodies above this are unpacked and parsed away from the threads that serve.
const INLINE_BYTES: usize = 64 << 10;

/// Takes events in.
pub(crate) async fn put_events(visit: Visit) -> Response<Body> {
    let Visit { rooms, parts, body, arrival } = visit;
    let body = body::whole(&rooms, &parts, &arrival, body, MAX_BODY_BYTES).await;
    let known = match &body {
        Ok(body) => identify(&rooms, &parts, &arrival, &body.bytes).map(|known| (known, body.bytes.clone())),
        Err(fault) => Err(Stranger::nobody(body::fault(*fault, Dialect::Rest))),
    };
    let ((caller, region), bytes) = match known {
        Ok(known) => known,
        Err(stranger) => {
            let (who, account) = (stranger.who(), stranger.account(&rooms));
            let deed = deed(account, &arrival, who, &rooms.region, Err(&stranger.fault));
            let unrecorded = deed.keep(&rooms.recorder, Dialect::Rest).await.err();
            return answer::of_fault(Dialect::Rest, "", &arrival, &unrecorded.unwrap_or(stranger.fault));
        }
    };
    let outcome = match take(&rooms, &parts, &arrival, &region, &caller, bytes).await {
        Ok(admitted) => value::to_value(&admitted)
            .map_err(|error| Fault::common(Common::Internal, Dialect::Rest, error.to_string())),
        Err(fault) => {
            let account = caller.principal.account().unwrap_or(rooms.home);
            let deed = deed(account, &arrival, Who::Known(&caller), &region, Err(&fault));
            Err(deed.keep(&rooms.recorder, Dialect::Rest).await.err().unwrap_or(fault))
        }
    };
    answer::of_outcome(&SERVICE, PUT_EVENTS, &arrival, &outcome)
}

/// Who calls, in which region.
pub(super) fn identify(
    rooms: &Rooms,
    parts: &Parts,
    arrival: &Arrival,
    bytes: &Bytes,
) -> Result<(Caller, Region), Stranger> {
    let common = |kind, message| Stranger::nobody(Fault::common(kind, Dialect::Rest, message));
    let signed = door::signed(parts, Dialect::Rest)?
        .ok_or_else(|| common(Common::Unsigned, "Request is missing Authentication Token"))?;
    if signed.service() != SERVICE.name {
        return Err(common(
            Common::WrongScope,
            "Credential should be scoped to correct service: 'opentrail'.",
        ));
    }
    let region = signed
        .region()
        .parse()
        .map_err(|_| common(Common::WrongScope, "Credential should be scoped to a valid region."))?;
    if signed.payload().is_streaming() {
        return Err(common(Common::Malformed, "The body of this call may not be sent in signed chunks."));
    }
    let digest = door::sha256(bytes);
    let (caller, _) = door::authenticate(rooms, &signed, parts, arrival, Some(digest), Dialect::Rest)?;
    Ok((caller, region))
}

/// Whether the caller's policies let it bring events in.
pub(super) fn permit(
    rooms: &Rooms,
    caller: &Caller,
    region: &Region,
    arrival: &Arrival,
    action: &str,
    resource: &str,
) -> Result<(), Fault> {
    let ask = Ask { action, resource, context: arrival.context(region), ..Ask::default() };
    rooms.identity.authorize(caller, &ask).into_result().map_err(|denial| {
        let message = rooms.identity.authorization_message(caller, &ask, &denial);
        Fault::common(Common::AccessDenied, Dialect::Rest, denial.to_string())
            .with_authorization_message(message)
    })
}

/// Takes the events, and with them the call's record.
async fn take(
    rooms: &Rooms,
    parts: &Parts,
    arrival: &Arrival,
    region: &Region,
    caller: &Caller,
    bytes: Bytes,
) -> Result<Admitted, Fault> {
    let account = caller.principal.account().unwrap_or(rooms.home);
    let resource = format!("arn:aws:opentrail:{region}:{account}:events");
    permit(rooms, caller, region, arrival, "opentrail:PutEvents", &resource)?;
    let packed = is_packed(parts, &bytes);
    let unpacking = if packed { rooms.bodies.unpacking().await } else { None };
    let newest = arrival.at + MAX_AHEAD;
    let (events, rejected) = read(&rooms.regions, account, bytes, packed, newest).await?;
    let record = |part: &Part<'_>| {
        deed(account, arrival, Who::Known(caller), region, Ok(part)).events(&rooms.recorder)
    };
    let admitted = admission::admit(rooms, account, events, rejected, record).await;
    drop(unpacking);
    admitted.map_err(|error| match error {
        NotAdmitted::State(error) => Fault::of_state(error, Dialect::Rest),
        NotAdmitted::Seen(error) => {
            tracing::error!(%error, "events can't be told from those that are there");
            Fault::common(Common::Unavailable, Dialect::Rest, "Events can't be taken at the moment.")
        }
        NotAdmitted::Unsettled => Fault::common(Common::Unavailable, Dialect::Rest, error.to_string()),
        NotAdmitted::Record(error) => {
            tracing::error!(%error, "the record of PutEvents can't be written");
            Fault::common(Common::Internal, Dialect::Rest, "The call could not be recorded.")
        }
    })
}

/// Whether a body is gzip. A gzip file sent as it is, without the header that says so, is understood too.
pub(super) fn is_packed(parts: &Parts, bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
        || parts.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip")
}

/// The good records of a body and the others, among which are those that have a time after `newest`.
pub(super) async fn read(
    regions: &Arc<Regions>,
    account: AccountId,
    bytes: Bytes,
    packed: bool,
    newest: DateTime<Utc>,
) -> Result<(Vec<Event>, Vec<Rejected>), Fault> {
    if bytes.len() <= INLINE_BYTES && !packed {
        return sorted(bytes, account, regions, newest);
    }
    let regions = Arc::clone(regions);
    tokio::task::spawn_blocking(move || {
        let bytes = if packed { unpack(&bytes)? } else { bytes };
        sorted(bytes, account, &regions, newest)
    })
    .await
    .map_err(|_| Fault::common(Common::Internal, Dialect::Rest, "An internal error occurred."))?
}

fn sorted(
    bytes: Bytes,
    owner: AccountId,
    regions: &Regions,
    newest: DateTime<Utc>,
) -> Result<(Vec<Event>, Vec<Rejected>), Fault> {
    admission::sort(bytes, owner, regions, newest)
        .map_err(|error| Fault::common(Common::Malformed, Dialect::Rest, error.to_string()))
}

fn unpack(packed: &[u8]) -> Result<Bytes, Fault> {
    let expected = packed.len().saturating_mul(8).min(MAX_UNPACKED_BYTES as usize);
    let mut unpacked = Vec::with_capacity(expected);
    let read = MultiGzDecoder::new(packed).take(MAX_UNPACKED_BYTES + 1).read_to_end(&mut unpacked);
    if unpacked.len() as u64 > MAX_UNPACKED_BYTES {
        let message = format!("The body unpacks to more than {MAX_UNPACKED_BYTES} bytes.");
        return Err(Fault::common(Common::TooLarge, Dialect::Rest, message));
    }
    match read {
        Ok(_) => Ok(unpacked.into()),
        Err(error) => Err(Fault::common(
            Common::Malformed,
            Dialect::Rest,
            format!("The body is not whole gzip: {error}"),
        )),
    }
}

/// The call itself, or what one journal entry has of it: a data event, kept where a trail selects it.
fn deed<'a>(
    account: AccountId,
    arrival: &'a Arrival,
    who: Who<'a>,
    region: &Region,
    outcome: Result<&Part<'_>, &'a Fault>,
) -> Deed<'a> {
    let resource = format!("arn:aws:opentrail:{region}:{account}:events");
    Deed {
        event_source: SERVICE.event_source,
        event_name: PUT_EVENTS,
        region: region.clone(),
        arrival,
        who,
        accounts: vec![account],
        read_only: false,
        category: Category::Data,
        parameters: None,
        elements: outcome.ok().map(elements),
        additional: outcome.ok().and_then(|part| part.number).map(|number| json!({"part": number})),
        resources: vec![RecordResource::new("OpenTrail::History::Events", resource, Some(account))],
        fault: outcome.err(),
    }
}

fn elements(part: &Part<'_>) -> serde_json::Value {
    match part.whole {
        Some(whole) => json!({
            "accepted": part.accepted,
            "duplicates": whole.duplicates,
            "rejected": whole.rejected.len(),
        }),
        None => json!({"accepted": part.accepted}),
    }
}
