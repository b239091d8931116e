//! What works without credentials: `/healthz`, `/readyz`, `/metrics`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use opentrail_journal::Health;

use crate::rooms::Rooms;

/// What a process that answers says.
pub(crate) const HEALTHY: &str = "ok\n";

/// The process answers.
pub(crate) async fn healthz() -> &'static str {
    HEALTHY
}

/// New calls can be recorded; otherwise 503 and the reason.
pub(crate) async fn readyz(State(rooms): State<Arc<Rooms>>) -> Response {
    match rooms.state.journal().status().health {
        Health::Healthy => ready(&rooms).into_response(),
        Health::Full => {
            (StatusCode::SERVICE_UNAVAILABLE, "the journal's disk is full\n".to_owned()).into_response()
        }
        Health::Poisoned(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("the journal failed: {reason}\n")).into_response()
        }
    }
}

/// Ready; and how many event data stores have tables that can't be written, whose events wait in the journal meanwhile.
/// Which, and why, is in the log: whoever asks here is a stranger.
fn ready(rooms: &Rooms) -> String {
    match rooms.lake.status().troubles.len() {
        0 => "ready\n".to_owned(),
        stores => format!("ready\n{stores} event data stores can't be written; their events wait\n"),
    }
}

/// All metrics, in Prometheus's text format.
pub(crate) async fn metrics(State(rooms): State<Arc<Rooms>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], rooms.metrics.render()).into_response()
}
