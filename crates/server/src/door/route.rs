//! Which service a request is for.

use http::{Method, header::CONTENT_TYPE, request::Parts};
use opentrail_wire::{
    awsjson::{AwsJsonError, Target},
    sigv4::SignedRequest,
};

use crate::{
    cloudtrail_data, events,
    fault::Dialect,
    glue,
    service::{self, Service},
};

/// Where a request goes.
pub(crate) enum Route {
    /// awsJson, with its target.
    AwsJson(Result<Target, AwsJsonError>),
    /// awsQuery: the service signed for; `None` where the form itself must tell.
    Query(Option<&'static Service>),
    /// The service `opentrail`.
    Opentrail,
    /// The service `cloudtrail-data`.
    AuditEvents,
    /// The Iceberg REST catalog.
    Iceberg,
    /// S3.
    S3,
    /// Signed for a service that is not served here.
    UnknownService(String),
}

/// Reads where a request goes. The credential scope decides, unverified: a request that lies about it
/// fails its signature later. A request without one is known by its form.
pub(super) fn of(parts: &Parts) -> Route {
    let target = Target::read(&parts.headers);
    let signed = SignedRequest::read(parts).ok().flatten();
    match signed.as_ref().map(SignedRequest::service) {
        Some("s3") => Route::S3,
        Some(name) if name == events::SERVICE.name => Route::Opentrail,
        Some(name) if name == cloudtrail_data::SERVICE.name => Route::AuditEvents,
        Some(name) if name == glue::SERVICE.name && glue::is_below(parts.uri.path()) => Route::Iceberg,
        Some(name) => match (service::named(name), target) {
            (Some(service), _) if service.dialect == Dialect::Query => Route::Query(Some(service)),
            (Some(_), Some(target)) => Route::AwsJson(target),
            (Some(_), None) => Route::AwsJson(Err(AwsJsonError::BadTarget)),
            (None, _) => Route::UnknownService(name.to_owned()),
        },
        None => match target {
            Some(target) => Route::AwsJson(target),
            None if events::routed(&parts.method, parts.uri.path()).is_some() => Route::Opentrail,
            None if cloudtrail_data::routed(&parts.method, parts.uri.path()).is_some() => Route::AuditEvents,
            None if glue::is_below(parts.uri.path()) => Route::Iceberg,
            None if is_form(parts) => Route::Query(None),
            None => Route::S3,
        },
    }
}

fn is_form(parts: &Parts) -> bool {
    let form = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let asks =
        parts.uri.query().is_some_and(|query| query.starts_with("Action=") || query.contains("&Action="));
    parts.uri.path() == "/" && ((parts.method == Method::POST && form) || asks)
}
