//! S3.

use axum::body::Body;
use http::Response;

use crate::{
    door::{Visit, answer},
    fault::{Common, Dialect, Fault},
};

pub(crate) async fn enter(visit: Visit) -> Response<Body> {
    let fault = Fault::common(Common::Unsupported, Dialect::S3, "not yet");
    answer::of_fault(Dialect::S3, "", &visit.arrival, &fault)
}
