//! Calls of the Iceberg REST catalog.

use axum::body::Body;
use http::{Method, Response};
use serde_json::Value;

use super::{
    Visit, answer, body,
    perform::{Request, perform},
};
use crate::{
    fault::{Common, Dialect, Fault},
    glue,
};

/// The largest body: nothing here takes one, and what is refused is recorded.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Answers a call of the catalog.
pub(super) async fn enter(visit: Visit) -> Response<Body> {
    let path = visit.parts.uri.path();
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(visit.parts.uri.query().unwrap_or("")).unwrap_or_default();
    let Some(routed) = glue::routed(&visit.parts.method, path, &query) else {
        let message = format!("{} {path} is nothing of the catalog.", visit.parts.method);
        let fault = Fault::common(Common::UnknownOperation, Dialect::Iceberg, message);
        return answer::of_fault(Dialect::Iceberg, "", &visit.arrival, &fault);
    };
    let (operation, input) = match routed {
        Ok(route) => (route.operation, Ok(Value::Object(route.input))),
        Err(operation) => (operation, Ok(Value::Null)),
    };
    let Visit { rooms, parts, body, arrival } = visit;
    let body = body::whole(&rooms, &parts, &arrival, body, MAX_BODY_BYTES).await;
    let request = Request { service: &glue::SERVICE, operation: operation.to_owned(), body, input };
    let mut response = perform(rooms, &parts, arrival, request).await;
    if parts.method == Method::HEAD {
        *response.body_mut() = Body::empty();
        if response.status().is_success() {
            *response.status_mut() = http::StatusCode::NO_CONTENT;
        }
    }
    response
}
