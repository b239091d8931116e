//! The door: every request of every service comes in here.
//!
//! What a request is for is read from its credential scope, or, where it carries none, from its form.
//! Then it goes to the service's own protocol; nothing passes without leaving a record.

pub(crate) mod answer;
mod arrival;
mod audit_events;
mod authenticate;
mod awsjson;
pub(crate) mod body;
mod iceberg;
mod perform;
mod query;
mod rest;
mod route;

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Request, response::Response};

use self::route::Route;
use crate::{call::Arrival, rooms::Rooms, s3};

pub(crate) use authenticate::{Stranger, authenticate, sha256, signed};

/// A request and what the door knows about it.
pub(crate) struct Visit {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) parts: http::request::Parts,
    pub(crate) body: Body,
    pub(crate) arrival: Arrival,
}

/// The answer to a request that comes before the rooms are open.
pub(crate) fn not_yet(request: &Request<Body>) -> Response {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.headers = request.headers().clone();
    parts.extensions = request.extensions().clone();
    let arrival = arrival::of(&parts);
    answer::not_yet(&route::of(&parts), &arrival, parts.uri.path())
}

/// Lets a request in.
pub(crate) async fn enter(State(rooms): State<Arc<Rooms>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let arrival = arrival::of(&parts);
    let route = route::of(&parts);
    let visit = Visit { rooms, parts, body, arrival };
    match route {
        Route::S3 => s3::enter(visit).await,
        Route::AwsJson(target) => awsjson::enter(visit, target).await,
        Route::Query(service) => query::enter(visit, service).await,
        Route::Opentrail => rest::enter(visit).await,
        Route::Iceberg => iceberg::enter(visit).await,
        Route::AuditEvents => audit_events::enter(visit).await,
        Route::UnknownService(name) => answer::unknown_service(&visit, &name),
    }
}
