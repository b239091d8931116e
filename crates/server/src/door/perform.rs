//! What awsJson, awsQuery and restJson calls have in common: authenticate, find the operation, run it.

use std::sync::Arc;

use axum::body::Body;
use http::{Response, request::Parts};
use opentrail_event::{Category, Region};
use opentrail_identity::{Caller, CredentialError, Principal};
use serde_json::Value;

use super::{
    answer,
    authenticate::{Stranger, authenticate, sha256, signed},
    body::{self, BodyFault, Whole},
};
use crate::{
    call::{Arrival, Call},
    fault::{Common, Fault},
    iam,
    operation::Outcome,
    recording::Deed,
    rooms::Rooms,
    service::Service,
    sts,
};

/// A call as its protocol read it.
pub(super) struct Request {
    pub(super) service: &'static Service,
    /// The operation's name, as sent.
    pub(super) operation: String,
    /// The body, or why it was not read.
    pub(super) body: Result<Whole, BodyFault>,
    /// The input, or why there is none.
    pub(super) input: Result<Value, Fault>,
}

/// Runs a call and answers it.
pub(super) async fn perform(
    rooms: Arc<Rooms>,
    parts: &Parts,
    arrival: Arrival,
    request: Request,
) -> Response<Body> {
    let service = request.service;
    let (caller, region) = match identify(&rooms, parts, &arrival, &request) {
        Ok(known) => known,
        Err(stranger) => {
            let fault = refuse(&rooms, &arrival, &request, &stranger).await;
            return answer::of_fault(service.dialect, service.namespace, &arrival, &fault);
        }
    };
    let account = caller.principal.account().unwrap_or(rooms.home);
    let call = Call { rooms, service, region, caller, account, arrival };
    let operation = request.operation.clone();
    let outcome = run(&call, request).await;
    answer::of_outcome(service, &operation, &call.arrival, &outcome)
}

fn identify(
    rooms: &Rooms,
    parts: &Parts,
    arrival: &Arrival,
    request: &Request,
) -> Result<(Caller, Region), Stranger> {
    let dialect = request.service.dialect;
    let body = request.body.as_ref().map_err(|fault| Stranger::nobody(body::fault(*fault, dialect)))?;
    if request.service.name == sts::SERVICE.name && sts::is_unsigned(&request.operation) {
        return Ok((Caller::anonymous(), rooms.region.clone()));
    }
    let common = |kind, message: &str| Stranger::nobody(Fault::common(kind, dialect, message));
    let signed = signed(parts, dialect)?
        .ok_or_else(|| common(Common::Unsigned, "Request is missing Authentication Token"))?;
    if signed.service() != request.service.name {
        let message = format!("Credential should be scoped to correct service: '{}'.", request.service.name);
        return Err(common(Common::WrongScope, &message));
    }
    let region: Region = signed
        .region()
        .parse()
        .map_err(|_| common(Common::WrongScope, "Credential should be scoped to a valid region."))?;
    if signed.payload().is_streaming() {
        return Err(common(Common::Malformed, "The body of this call may not be sent in signed chunks."));
    }
    let digest = sha256(&body.bytes);
    let (caller, _) = authenticate(rooms, &signed, parts, arrival, Some(digest), dialect)?;
    Ok((caller, region))
}

async fn run(call: &Call, request: Request) -> Outcome {
    if let Some(fault) = kept_out(call, &request.operation) {
        return Err(unrun(call, &request.operation, fault).await);
    }
    let Some(operation) = call.service.operation(&request.operation) else {
        let known = call.service.unsupported.contains(&request.operation.as_str());
        let fault = if known {
            call.fault(Common::Unsupported, format!("opentrail does not support {}.", request.operation))
        } else {
            call.fault(
                Common::UnknownOperation,
                format!("Could not find operation {}.", shown(&request.operation)),
            )
        };
        return Err(unrun(call, &request.operation, fault).await);
    };
    match request.input {
        Ok(input) => (operation.run)(call, input).await,
        Err(fault) => Err(unrun(call, &request.operation, fault).await),
    }
}

/// IAM takes no session that GetSessionToken gave without a code of an MFA device, and none of a federated user; AWS
/// says of them what it says of a token that is not one. Of STS a federated user has GetCallerIdentity (STS API
/// reference, GetSessionToken and GetFederationToken).
fn kept_out(call: &Call, operation: &str) -> Option<Fault> {
    let principal = &call.caller.principal;
    let is_own = matches!(principal, Principal::Root { .. } | Principal::User { .. });
    let is_plain = call.caller.session.as_ref().is_some_and(|session| session.mfa_authenticated_at.is_none());
    let is_federated = matches!(principal, Principal::FederatedUser { .. });
    if call.service.name == iam::SERVICE.name && (is_own && is_plain || is_federated) {
        return Some(Fault::of_credential(CredentialError::InvalidSessionToken, call.dialect()));
    }
    if call.service.name == sts::SERVICE.name && is_federated && !sts::is_for_federated_users(operation) {
        let who = principal.arn().map(|arn| arn.to_string()).unwrap_or_default();
        let message = format!("User: {who} is not authorized to perform: sts:{}", shown(operation));
        return Some(call.fault(Common::AccessDenied, message));
    }
    None
}

/// Records a call of a known caller that reached no operation.
async fn unrun(call: &Call, operation: &str, fault: Fault) -> Fault {
    let deed = Deed {
        event_source: call.service.event_source,
        event_name: shown(operation),
        region: call.recorded_region(),
        arrival: &call.arrival,
        who: call.who(),
        accounts: vec![call.account],
        read_only: call.service.operation(operation).is_some_and(|operation| operation.read_only),
        category: Category::Management,
        parameters: None,
        elements: None,
        additional: None,
        resources: Vec::new(),
        fault: Some(&fault),
    };
    deed.keep(&call.rooms.recorder, call.dialect()).await.err().unwrap_or(fault)
}

/// Records a call of a caller nobody knows, and answers why it is refused.
async fn refuse(rooms: &Rooms, arrival: &Arrival, request: &Request, stranger: &Stranger) -> Fault {
    let service = request.service;
    let deed = Deed {
        event_source: service.event_source,
        event_name: shown(&request.operation),
        region: if service.global { Region::us_east_1() } else { rooms.region.clone() },
        arrival,
        who: stranger.who(),
        accounts: vec![stranger.account(rooms)],
        read_only: service.operation(&request.operation).is_some_and(|operation| operation.read_only),
        category: Category::Management,
        parameters: None,
        elements: None,
        additional: None,
        resources: Vec::new(),
        fault: Some(&stranger.fault),
    };
    deed.keep(&rooms.recorder, service.dialect).await.err().unwrap_or_else(|| stranger.fault.clone())
}

/// An operation's name fit for a record: what a stranger sent may be anything.
fn shown(operation: &str) -> &str {
    let of_form = !operation.is_empty()
        && operation.len() <= 128
        && operation.bytes().all(|b| b.is_ascii_alphanumeric());
    if of_form { operation } else { "UnknownOperation" }
}
