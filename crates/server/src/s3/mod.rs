//! S3: <https://docs.aws.amazon.com/AmazonS3/latest/API/>.
//!
//! A call comes in through [`enter`], which checks the signature over the request as it was sent, then takes off
//! what only the signature needs and hands the rest to `s3s`, which finds the operation, reads its input and
//! writes its answer as S3's XML and headers. The [`access::Gate`] stands between routing and the operation;
//! the operations themselves are the small functions of the table in [`table`]. Whatever becomes of the call,
//! its [`scene::Scene`] ends in exactly one record: with the change, in its journal entry, or here.

mod access;
mod acl;
mod address;
mod answer;
mod attributes;
mod bucket;
mod catalog;
mod configuration;
mod context;
mod copy;
mod delete;
mod document;
mod encryption;
mod encryption_bucket;
pub(crate) mod encryption_kms;
mod get;
mod headers;
mod incoming;
mod lake_files;
mod lifecycle;
mod list;
mod list_versions;
mod logging;
mod mfa;
mod multipart;
mod notification;
mod object_lock;
mod object_tagging;
mod parts;
mod policy;
mod public_access;
mod put;
mod record;
mod refusal;
mod region;
mod replication;
mod restore;
mod scene;
mod shape;
mod table;
mod unbuilt;
mod url_encoding;

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use http::{HeaderMap, Method, Response, header::CONTENT_TYPE};
use http_body::Body as _;
use opentrail_event::{EventError, Region};
use opentrail_identity::Caller;
use opentrail_state::OwnedEvent;
use opentrail_wire::{
    body::{PayloadBody, Trailers},
    request_id,
    sigv4::{SignedRequest, Verified},
};
use parking_lot::Mutex;

pub(crate) use self::{access::is_rescue, shape::canonical_id as canonical_user};
use self::{
    address::Addressed,
    incoming::{Incoming, Intake},
    refusal::Refusal,
    scene::{Progress, Proof, Scene},
};
use crate::{
    door::{self, Stranger, Visit},
    fault::{Common, Dialect, Fault},
    recording::unwritable,
};

/// Answers an S3 call. It runs to its end, and to its record, even if the client goes away.
pub(crate) async fn enter(visit: Visit) -> Response<Body> {
    let has_body = !visit.body.is_end_stream();
    let (scene, request) = open(visit);
    let room = if has_body { scene.rooms.bodies.stream(scene.is_known()).await } else { None };
    let running = scene.clone();
    let whole = async move {
        let response = run(&running, request).await;
        drop(room);
        response
    };
    match tokio::spawn(whole).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "an S3 call ended badly");
            let fault = Fault::common(
                Common::Internal,
                Dialect::S3,
                "We encountered an internal error. Please try again.",
            );
            answer::of_refusal(&scene, &fault.into())
        }
    }
}

/// What the sender's signature says.
struct Sender {
    caller: Result<Caller, Stranger>,
    verified: Option<Verified>,
    proof: Proof,
    region: Option<Region>,
}

/// Sets the scene: who calls, and the request for the protocol layer; no request where its URI is not one.
fn open(visit: Visit) -> (Arc<Scene>, Option<s3s::HttpRequest>) {
    let Visit { rooms, parts, body, mut arrival } = visit;
    arrival.request_id = request_id::s3_form(rand::random());
    let sender = match door::signed(&parts, Dialect::S3) {
        Ok(None) => {
            Sender { caller: Ok(Caller::anonymous()), verified: None, proof: Proof::None, region: None }
        }
        Ok(Some(signed)) => verify(&rooms, &signed, &parts, &arrival),
        Err(stranger) => Sender { caller: Err(stranger), verified: None, proof: Proof::None, region: None },
    };
    let addressed = address::read(&parts);
    let is_readable = addressed.is_some();
    let Addressed { query, signing, headers, uri } = addressed.unwrap_or_else(|| Addressed {
        query: Vec::new(),
        signing: Vec::new(),
        headers: parts.headers.clone(),
        uri: parts.uri.clone(),
    });
    let unwrapped = unwrap(body, sender.verified.as_ref(), &headers);
    let mut request = http::Request::new(unwrapped.body);
    *request.method_mut() = parts.method.clone();
    *request.headers_mut() = address::plain_headers(&headers, unwrapped.length);
    *request.uri_mut() = uri;
    let scene = Arc::new(Scene {
        region: sender.region.unwrap_or_else(|| rooms.region.clone()),
        rooms,
        arrival,
        host_id: request_id::s3_host_id(std::array::from_fn(|_| rand::random())),
        sender: sender.caller,
        proof: sender.proof,
        method: parts.method,
        path: request.uri().path().to_owned(),
        query,
        signing,
        headers,
        length: unwrapped.length,
        intake: unwrapped.intake,
        trailers: unwrapped.trailers,
        objection: unwrapped.objection,
        subject: OnceLock::new(),
        progress: Mutex::default(),
    });
    request.extensions_mut().insert(scene.clone());
    (scene, is_readable.then_some(request))
}

/// A body as its content, whatever the signature made of it.
struct Unwrapped {
    body: s3s::Body,
    length: Option<u64>,
    trailers: Trailers,
    intake: Arc<Intake>,
    /// Why the body can't be read.
    objection: Option<Refusal>,
}

fn unwrap(body: Body, verified: Option<&Verified>, headers: &HeaderMap) -> Unwrapped {
    let intake = Arc::new(Intake::default());
    match PayloadBody::new(body, verified, headers) {
        Ok(body) => Unwrapped {
            length: body.decoded_length(),
            trailers: body.trailers(),
            body: s3s::Body::http_body_unsync(Incoming::new(body, intake.clone(), headers)),
            intake,
            objection: None,
        },
        Err(error) => Unwrapped {
            length: None,
            trailers: Trailers::default(),
            body: s3s::Body::empty(),
            intake,
            objection: Some(incoming::fault_of(&error).into()),
        },
    }
}

fn verify(
    rooms: &crate::rooms::Rooms,
    signed: &SignedRequest,
    parts: &http::request::Parts,
    arrival: &crate::call::Arrival,
) -> Sender {
    let proof = if signed.is_presigned() {
        Proof::Query { age: (arrival.at - signed.date()).num_milliseconds().max(0) }
    } else {
        Proof::Header
    };
    let region = signed.region().parse::<Region>().ok();
    let (caller, verified) = match door::authenticate(rooms, signed, parts, arrival, None, Dialect::S3) {
        Ok(_) if region.is_none() => {
            let message = "The authorization header is malformed; the region is not one.";
            (Err(Stranger::nobody(Fault::common(Common::WrongScope, Dialect::S3, message))), None)
        }
        Ok((caller, verified)) => (Ok(caller), Some(verified)),
        Err(stranger) => (Err(stranger), None),
    };
    Sender { caller, verified, proof, region }
}

/// Runs the call and leaves its record.
async fn run(scene: &Arc<Scene>, request: Option<s3s::HttpRequest>) -> Response<Body> {
    let outcome = match request {
        Some(request) if is_form_upload(&request) => Err(form_upload(scene)),
        Some(request) if public_access::is_of_control(request.uri().path(), &scene.headers) => {
            public_access::perform(scene, request).await
        }
        Some(request) => match lake_files::key_of(request.uri().path()) {
            Some(key) => lake_files::perform(scene, &key).await,
            None => perform(scene, request).await,
        },
        None => Err(Refusal::of("InvalidURI", "Couldn't parse the specified URI.")),
    };
    let of_keys = scene.events_of_keys();
    let Progress { is_staged, status, content, .. } = scene.ended();
    let mut outcome = outcome.map(|mut response| {
        if let Some(content) = content {
            *response.body_mut() = content;
        }
        if let Some(status) = status {
            *response.status_mut() = status;
        }
        response
    });
    if outcome.is_err() && !scene.is_routed() {
        outcome = outcome.map_err(|refusal| scene.sender.as_ref().err().map_or(refusal, Refusal::from));
    }
    let sent = outcome.as_ref().map_or(0, answer::length);
    let (is_recorded, fault) = match &outcome {
        Ok(_) => (is_staged, None),
        Err(refusal) => (is_staged && refusal.is_recorded, Some(refusal.fault.clone())),
    };
    let recorded = if is_recorded { Ok(()) } else { keep(scene, fault.as_ref(), sent, of_keys).await };
    let response = match (recorded, outcome) {
        (Err(unrecorded), _) => answer::of_refusal(scene, &unrecorded.into()),
        (Ok(()), Ok(response)) => answer::of_success(scene, response),
        (Ok(()), Err(refusal)) => answer::of_refusal(scene, &refusal),
    };
    logging::note(scene, response.status(), fault.as_ref(), answer::length(&response));
    response
}

async fn keep(
    scene: &Scene,
    fault: Option<&Fault>,
    sent: u64,
    of_keys: Result<Vec<OwnedEvent>, EventError>,
) -> Result<(), Fault> {
    let of_keys = of_keys.map_err(|error| unwritable(&error, Dialect::S3))?;
    record::of(scene, None, fault, sent).keep_with(of_keys, &scene.rooms.recorder, Dialect::S3).await
}

/// Hands the request to the protocol layer; an error document of its comes back as a refusal.
async fn perform(scene: &Scene, request: s3s::HttpRequest) -> Result<Response<Body>, Refusal> {
    let response = table::service().call(request).await.map_err(|error| {
        let error: Box<dyn std::error::Error + Send + Sync> = error.into();
        tracing::error!(%error, "an S3 answer can't be written");
        Refusal::from(Fault::common(
            Common::Internal,
            Dialect::S3,
            "We encountered an internal error. Please try again.",
        ))
    })?;
    let refused = scene.progress.lock().refusal.clone();
    match refused {
        Some(refusal) => Err(refusal),
        None if response.status().is_success() => Ok(response.map(Body::new)),
        None => match scene.intake.fault() {
            Some(fault) => Err(fault.into()),
            None => Err(answer::read_refusal(response).await),
        },
    }
}

/// Whether this is an upload through a form in a browser.
fn is_form_upload(request: &s3s::HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
    request.method() == Method::POST && kind.is_some_and(|kind| kind.starts_with(b"multipart/form-data"))
}

fn form_upload(scene: &Scene) -> Refusal {
    if let Some(operation) = catalog::named("PostObject") {
        let bucket = scene.path.trim_matches('/').split('/').next().filter(|name| !name.is_empty());
        scene.is_about(operation, bucket, None);
    }
    match &scene.sender {
        Err(stranger) => stranger.into(),
        Ok(_) => Refusal::not_built("uploads through HTML forms"),
    }
}
