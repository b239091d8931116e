//! Calls of the service `opentrail`.

use axum::body::Body;
use http::{Method, Response};
use opentrail_wire::awsjson::read_input;
use serde_json::{Map, Value};

use super::{
    Visit, answer, body,
    perform::{Request, perform},
};
use crate::{
    events,
    fault::{Common, Dialect, Fault},
};

/// The largest body of a call that is not PutEvents.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Answers a call of the service `opentrail`.
pub(super) async fn enter(visit: Visit) -> Response<Body> {
    let Some(operation) = events::routed(&visit.parts.method, visit.parts.uri.path()) else {
        let message =
            format!("{} {} is no operation of opentrail.", visit.parts.method, visit.parts.uri.path());
        let fault = Fault::common(Common::UnknownOperation, Dialect::Rest, message);
        return answer::of_fault(Dialect::Rest, "", &visit.arrival, &fault);
    };
    if operation == events::PUT_EVENTS {
        return events::put_events(visit).await;
    }
    if operation == events::IMPORT_EVENTS {
        return events::import_events(visit).await;
    }
    let Visit { rooms, parts, body, arrival } = visit;
    let body = body::whole(&rooms, &parts, &arrival, body, MAX_BODY_BYTES).await;
    let input = match &body {
        Ok(_) if parts.method == Method::GET => in_query(&parts),
        Ok(body) => in_body(&body.bytes),
        Err(fault) => Err(body::fault(*fault, Dialect::Rest)),
    };
    let request = Request { service: &events::SERVICE, operation: operation.to_owned(), body, input };
    perform(rooms, &parts, arrival, request).await
}

fn in_body(bytes: &[u8]) -> Result<Value, Fault> {
    read_input(bytes).map_err(|error| Fault::common(Common::Malformed, Dialect::Rest, error.to_string()))
}

fn in_query(parts: &http::request::Parts) -> Result<Value, Fault> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(parts.uri.query().unwrap_or("")).map_err(|_| {
            Fault::common(Common::Malformed, Dialect::Rest, "The query string is not well-formed.")
        })?;
    Ok(Value::Object(
        pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<Map<_, _>>(),
    ))
}
