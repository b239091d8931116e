//! The service `opentrail`: what AWS has no API for. Events come in from elsewhere, history answers
//! more than LookupEvents can ask, and the heads of digest chains are told to validators.
//!
//! Routes: `POST /v1/events`, `POST /v1/import`, `POST /v1/lookup`, `GET /v1/chains`, `POST /v1/who-can`. Permissions:
//! `opentrail:PutEvents`, `opentrail:ImportEvents`, `opentrail:LookupEvents`, `opentrail:GetChainHeads`, `opentrail:WhoCan`.

mod admission;
mod chains;
mod import;
mod lookup;
mod put;
mod regions;
mod who_can;

use http::Method;

use opentrail_wire::value::RecordTimes;

use crate::{operation::read, service::Service};

pub(crate) use import::{IMPORT_EVENTS, import_events};
pub(crate) use put::{PUT_EVENTS, put_events};
pub(crate) use regions::Regions;

/// Operations that take and give JSON; PutEvents takes a stream of records and stands apart.
pub(crate) static SERVICE: Service = Service {
    name: "opentrail",
    event_source: "opentrail.amazonaws.com",
    dialect: crate::fault::Dialect::Rest,
    namespace: "",
    global: false,
    record_times: RecordTimes::Iso,
    follow: None,
    operations: &[read::<chains::GetChainHeads>(), read::<lookup::LookupEvents>(), read::<who_can::WhoCan>()],
    unsupported: &[],
};

/// The operation behind a route.
pub(crate) fn routed(method: &Method, path: &str) -> Option<&'static str> {
    match (method, path) {
        (&Method::POST, "/v1/events") => Some(PUT_EVENTS),
        (&Method::POST, "/v1/import") => Some(IMPORT_EVENTS),
        (&Method::POST, "/v1/lookup") => Some("LookupEvents"),
        (&Method::GET, "/v1/chains") => Some("GetChainHeads"),
        (&Method::POST, "/v1/who-can") => Some("WhoCan"),
        _ => None,
    }
}
