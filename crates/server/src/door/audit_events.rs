//! Calls of the service `cloudtrail-data`: restJson, with some members in the query string.

use axum::body::Body;
use http::Response;
use opentrail_wire::awsjson::read_input;
use serde_json::Value;

use super::{
    Visit, answer, body,
    perform::{Request, perform},
};
use crate::{
    cloudtrail_data,
    fault::{Common, Dialect, Fault},
};

/// The largest body: 1 MB of events, whose quotes are escaped in the worst case.
const MAX_BODY_BYTES: usize = 4 << 20;

/// Answers a call of the service `cloudtrail-data`.
pub(super) async fn enter(visit: Visit) -> Response<Body> {
    let Visit { rooms, parts, body, arrival } = visit;
    let Some(operation) = cloudtrail_data::routed(&parts.method, parts.uri.path()) else {
        let message = format!("{} {} is no operation of cloudtrail-data.", parts.method, parts.uri.path());
        let fault = Fault::common(Common::UnknownOperation, Dialect::Rest, message);
        return answer::of_fault(Dialect::Rest, "", &arrival, &fault);
    };
    let body = body::whole(&rooms, &parts, &arrival, body, MAX_BODY_BYTES).await;
    let input = match &body {
        Ok(body) => read(&parts, &body.bytes),
        Err(fault) => Err(body::fault(*fault, Dialect::Rest)),
    };
    let service = &cloudtrail_data::SERVICE;
    let request = Request { service, operation: operation.to_owned(), body, input };
    perform(rooms, &parts, arrival, request).await
}

/// The body's members with those of the query string.
fn read(parts: &http::request::Parts, bytes: &[u8]) -> Result<Value, Fault> {
    let malformed = |message: String| Fault::common(Common::Malformed, Dialect::Rest, message);
    let mut input = read_input(bytes).map_err(|error| malformed(error.to_string()))?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(parts.uri.query().unwrap_or(""))
        .map_err(|_| malformed("The query string is not well-formed.".to_owned()))?;
    let Some(members) = input.as_object_mut() else {
        return Err(malformed("The body is no JSON object.".to_owned()));
    };
    for (name, value) in pairs {
        members.insert(name, Value::String(value));
    }
    Ok(input)
}
