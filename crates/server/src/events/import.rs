//! `POST /v1/import?event-data-store=ARN|ID|NAME`: records from files, into an event data store of the caller's and
//! nowhere else. The body is as PutEvents takes it. The records keep whose they are, and none has to be of the caller's
//! account; what the store takes by itself is not asked, as with StartImport. An event that the store has is left out,
//! so that sending an upload again is safe. An upload that is taken has two records of one `requestID`: before its first
//! event is in the store, and when all are.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, request::Parts};
use opentrail_event::{AccountId, Category, RecordResource, Region};
use opentrail_identity::Caller;
use opentrail_lake::{import::MAX_AHEAD, store::EventDataStore};
use opentrail_wire::value;
use serde::Serialize;
use serde_json::json;

use super::{
    SERVICE,
    admission::Rejected,
    put::{MAX_BODY_BYTES, identify, is_packed, permit, read},
};
use crate::{
    call::Arrival,
    door::{Stranger, Visit, answer, body},
    fault::{Common, Dialect, Fault},
    recording::{Deed, Who},
    rooms::Rooms,
};

/// The operation's name.
pub(crate) const IMPORT_EVENTS: &str = "ImportEvents";

/// What became of an upload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    /// Records that are in the store now and were not before.
    accepted: u64,
    /// Records that were.
    duplicates: u64,
    /// Records that are older than the store keeps them.
    expired: u64,
    /// Records that are no events, or none that happened yet.
    rejected: Vec<Rejected>,
}

/// Takes records into an event data store.
pub(crate) async fn import_events(visit: Visit) -> Response<Body> {
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
            let deed = deed(account, &arrival, who, &rooms.region, None, Stage::Refused(&stranger.fault));
            let unrecorded = deed.keep(&rooms.recorder, Dialect::Rest).await.err();
            return answer::of_fault(Dialect::Rest, "", &arrival, &unrecorded.unwrap_or(stranger.fault));
        }
    };
    let account = caller.principal.account().unwrap_or(rooms.home);
    let store = find(&rooms, &parts, account, &region);
    let arn = store.as_ref().ok().map(|store| store.arn().to_string());
    let outcome = match store {
        Ok(store) => {
            let upload = Upload { rooms: &rooms, arrival: &arrival, caller: &caller, region: &region, store };
            upload.take(&parts, account, bytes).await
        }
        Err(fault) => Err(fault),
    };
    let told = deed(account, &arrival, Who::Known(&caller), &region, arn, Stage::of(&outcome));
    let kept = told.keep(&rooms.recorder, Dialect::Rest).await;
    let outcome = match (outcome, kept) {
        (_, Err(unrecorded)) => Err(unrecorded),
        (Err(fault), Ok(())) => Err(fault),
        (Ok(taken), Ok(())) => value::to_value(&taken)
            .map_err(|error| Fault::common(Common::Internal, Dialect::Rest, error.to_string())),
    };
    answer::of_outcome(&SERVICE, IMPORT_EVENTS, &arrival, &outcome)
}

/// The store that the query names, by its ARN, its id or its name.
fn find(
    rooms: &Rooms,
    parts: &Parts,
    account: AccountId,
    region: &Region,
) -> Result<Arc<EventDataStore>, Fault> {
    let invalid = |message: &str| Fault::common(Common::Invalid, Dialect::Rest, message);
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(parts.uri.query().unwrap_or(""))
        .map_err(|_| invalid("The query string is not well-formed."))?;
    let named = pairs.into_iter().find(|(name, _)| name == "event-data-store").map(|(_, named)| named);
    let named = named.ok_or_else(|| invalid("event-data-store must name an event data store."))?;
    let stores = rooms.event_data_stores.list(account, region);
    let arn = match stores.iter().find(|store| store.name == named) {
        Some(store) => store.arn().to_string(),
        None => match rooms.event_data_stores.get(account, region, &named) {
            Ok(store) => store.arn().to_string(),
            Err(refusal) => return Err(Fault::declared(refusal.code(), refusal.to_string())),
        },
    };
    let rules = rooms.imports.rules();
    rules
        .destination(account, region, &arn)
        .map_err(|refusal| Fault::declared(refusal.code(), refusal.to_string()))
}

/// Records on their way into a store.
struct Upload<'a> {
    rooms: &'a Rooms,
    arrival: &'a Arrival,
    caller: &'a Caller,
    region: &'a Region,
    store: Arc<EventDataStore>,
}

impl Upload<'_> {
    /// The records go into the store's table, which is no part of the journal: that they are about to come in is recorded
    /// before any of them is there, so that nothing comes in that is not recorded. What came of it is told by a record
    /// after it.
    async fn take(&self, parts: &Parts, account: AccountId, bytes: Bytes) -> Result<Answer, Fault> {
        let Self { rooms, arrival, caller, region, store } = self;
        let arn = store.arn().to_string();
        permit(rooms, caller, region, arrival, "opentrail:ImportEvents", &arn)?;
        let packed = is_packed(parts, &bytes);
        let unpacking = if packed { rooms.bodies.unpacking().await } else { None };
        let newest = arrival.at + MAX_AHEAD;
        // Regions are counted for digest chains, and nothing of this is delivered.
        let (events, rejected) = read(&Arc::default(), store.account, bytes, packed, newest).await?;
        let stage = Stage::Begins { records: events.len(), rejected: rejected.len() };
        let begins = deed(account, arrival, Who::Known(caller), region, Some(arn), stage);
        begins.keep(&rooms.recorder, Dialect::Rest).await?;
        let uploaded = rooms.imports.upload(store, events, arrival.at).await;
        drop(unpacking);
        let uploaded = uploaded.map_err(|error| {
            tracing::error!(%error, "an upload can't be written");
            Fault::common(Common::Unavailable, Dialect::Rest, "Events can't be imported at the moment.")
        })?;
        let (taken, expired) = (uploaded.taken, uploaded.expired);
        Ok(Answer { accepted: taken.accepted, duplicates: taken.duplicates, expired, rejected })
    }
}

/// What a record of the call tells of.
enum Stage<'a> {
    /// So many records are about to come in; others were no events.
    Begins { records: usize, rejected: usize },
    /// They are in.
    Ends(&'a Answer),
    /// The call failed. Where it had begun, some records may be in.
    Refused(&'a Fault),
}

impl<'a> Stage<'a> {
    fn of(outcome: &'a Result<Answer, Fault>) -> Self {
        match outcome {
            Ok(answer) => Self::Ends(answer),
            Err(fault) => Self::Refused(fault),
        }
    }

    /// `responseElements`
    fn elements(&self) -> Option<serde_json::Value> {
        let Self::Ends(answer) = self else { return None };
        Some(json!({
            "accepted": answer.accepted,
            "duplicates": answer.duplicates,
            "expired": answer.expired,
            "rejected": answer.rejected.len(),
        }))
    }

    /// `additionalEventData`
    fn additional(&self) -> Option<serde_json::Value> {
        match self {
            Self::Begins { records, rejected } => {
                Some(json!({"stage": "begins", "records": records, "rejected": rejected}))
            }
            Self::Ends(_) => Some(json!({"stage": "ends"})),
            Self::Refused(_) => None,
        }
    }

    fn fault(&self) -> Option<&'a Fault> {
        if let Self::Refused(fault) = self { Some(fault) } else { None }
    }
}

/// The call: a data event, kept where a trail or an event data store selects it.
fn deed<'a>(
    account: AccountId,
    arrival: &'a Arrival,
    who: Who<'a>,
    region: &Region,
    store: Option<String>,
    stage: Stage<'a>,
) -> Deed<'a> {
    let resource = |arn: String| RecordResource::new("AWS::CloudTrail::EventDataStore", arn, Some(account));
    Deed {
        event_source: SERVICE.event_source,
        event_name: IMPORT_EVENTS,
        region: region.clone(),
        arrival,
        who,
        accounts: vec![account],
        read_only: false,
        category: Category::Data,
        parameters: store.as_ref().map(|arn| json!({"eventDataStore": arn})),
        elements: stage.elements(),
        additional: stage.additional(),
        resources: store.map(resource).into_iter().collect(),
        fault: stage.fault(),
    }
}
