//! Answers and faults as HTTP responses.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use opentrail_wire::{
    answer::{self, Blame},
    awsjson::TARGET,
};

use super::{Visit, route::Route};
use crate::{
    call::Arrival,
    fault::{Common, Dialect, Fault},
    operation::Outcome,
    service::Service,
};

/// The XML namespace of answers that are no service's.
pub(super) const NO_SERVICE: &str = "https://opentrail/";

/// The header of a denial that has what `DecodeAuthorizationMessage` takes. The services of AWS that give such messages
/// have them in their error's text; none of those is served here.
pub(crate) const AUTHORIZATION_MESSAGE: &str = "x-opentrail-encoded-authorization-message";

/// The response to a call of an operation.
pub(crate) fn of_outcome(
    service: &Service,
    operation: &str,
    arrival: &Arrival,
    outcome: &Outcome,
) -> Response<Body> {
    match outcome {
        Ok(output) => {
            let body = match service.dialect {
                Dialect::Query => answer::query(operation, service.namespace, output, &arrival.request_id),
                _ => answer::json(output),
            };
            respond(StatusCode::OK, service.dialect, arrival, body, None)
        }
        Err(fault) => of_fault(service.dialect, service.namespace, arrival, fault),
    }
}

/// The response to a call that failed.
pub(crate) fn of_fault(
    dialect: Dialect,
    namespace: &str,
    arrival: &Arrival,
    fault: &Fault,
) -> Response<Body> {
    let body = match dialect {
        Dialect::Query => {
            let blame = if fault.is_senders() { Blame::Sender } else { Blame::Receiver };
            answer::query_error(blame, fault.code(), fault.message(), namespace, &arrival.request_id)
        }
        Dialect::Iceberg => answer::iceberg_error(fault.code(), fault.message(), fault.status().as_u16()),
        _ => match fault.reason() {
            Some(reason) => answer::json_error_with_reason(fault.code(), fault.message(), reason),
            None => answer::json_error(fault.code(), fault.message()),
        },
    };
    respond(fault.status(), dialect, arrival, body, Some(fault))
}

fn respond(
    status: StatusCode,
    dialect: Dialect,
    arrival: &Arrival,
    body: String,
    fault: Option<&Fault>,
) -> Response<Body> {
    let kind = match dialect {
        Dialect::Query => answer::QUERY_XML,
        Dialect::Json => answer::AWS_JSON,
        Dialect::Rest | Dialect::S3 | Dialect::Iceberg => answer::JSON,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(&arrival.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(fault) = fault {
        if let Ok(code) = HeaderValue::from_str(fault.code()) {
            headers.insert("x-amzn-errortype", code);
        }
        if let Some(Ok(message)) = fault.authorization_message().map(HeaderValue::from_str) {
            headers.insert(AUTHORIZATION_MESSAGE, message);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert("retry-after", HeaderValue::from_static("1"));
        }
    }
    response
}

/// The response to whoever comes before the rooms are open.
pub(super) fn not_yet(route: &Route, arrival: &Arrival, path: &str) -> Response<Body> {
    const WHY: &str = "The server is starting; try again later.";
    let (dialect, namespace) = match route {
        Route::S3 => {
            // S3's own word for it; `SlowDown` is for who sends too much.
            let fault = Fault::exact("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE, WHY);
            let body = answer::s3_error(fault.code(), fault.message(), path, &arrival.request_id, "");
            let mut response = respond(fault.status(), Dialect::S3, arrival, body, Some(&fault));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer::S3_XML));
            return response;
        }
        Route::Opentrail | Route::AuditEvents => (Dialect::Rest, ""),
        Route::Iceberg => (Dialect::Iceberg, ""),
        Route::AwsJson(_) => (Dialect::Json, ""),
        Route::Query(service) => (Dialect::Query, service.map_or(NO_SERVICE, |service| service.namespace)),
        Route::UnknownService(_) => (Dialect::Query, NO_SERVICE),
    };
    of_fault(dialect, namespace, arrival, &Fault::common(Common::Unavailable, dialect, WHY))
}

/// The response to a call of a service that is not served here, in the protocol its caller seems to speak.
pub(super) fn unknown_service(visit: &Visit, name: &str) -> Response<Body> {
    let dialect = if visit.parts.headers.contains_key(TARGET) { Dialect::Json } else { Dialect::Query };
    let fault = Fault::common(Common::UnknownOperation, dialect, format!("opentrail does not serve {name}."));
    tracing::debug!(service = name, "a call for a service that is not served");
    of_fault(dialect, NO_SERVICE, &visit.arrival, &fault)
}
