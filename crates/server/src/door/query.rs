//! awsQuery calls.

use axum::body::Body;
use http::{Method, Response};
use opentrail_wire::query::Form;

use super::{
    Visit, answer, body,
    perform::{Request, perform},
};
use crate::{
    fault::{Common, Dialect, Fault},
    service::{self, Service},
};

/// The largest form; IAM's largest inputs (a policy of 131,072 characters, escaped) fit.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Answers an awsQuery call.
pub(super) async fn enter(visit: Visit, service: Option<&'static Service>) -> Response<Body> {
    let Visit { rooms, parts, body, arrival } = visit;
    let body = body::whole(&rooms, &parts, &arrival, body, MAX_BODY_BYTES).await;
    let form = match &body {
        Ok(body) => read(&parts, &body.bytes),
        Err(fault) => Err(body::fault(*fault, Dialect::Query)),
    };
    let version = form.as_ref().ok().and_then(|form| form.version.as_deref());
    let Some(service) = service.or_else(|| of_version(version)) else {
        let fault = form.err().unwrap_or_else(|| {
            Fault::common(
                Common::UnknownOperation,
                Dialect::Query,
                "The Version names no service of opentrail.",
            )
        });
        return answer::of_fault(Dialect::Query, answer::NO_SERVICE, &arrival, &fault);
    };
    let (operation, input) = match form {
        Ok(form) => (form.action, Ok(form.parameters)),
        Err(fault) => (String::new(), Err(fault)),
    };
    perform(rooms, &parts, arrival, Request { service, operation, body, input }).await
}

fn read(parts: &http::request::Parts, body: &[u8]) -> Result<Form, Fault> {
    let in_query = parts.method == Method::GET || body.is_empty();
    let form = if in_query { parts.uri.query().unwrap_or("").as_bytes() } else { body };
    Form::parse(form).map_err(|error| Fault::common(Common::Malformed, Dialect::Query, error.to_string()))
}

/// An unsigned form tells its service by the API version.
fn of_version(version: Option<&str>) -> Option<&'static Service> {
    service::SERVICES
        .iter()
        .copied()
        .find(|service| version.is_some_and(|version| service.namespace.ends_with(&format!("/{version}/"))))
}
