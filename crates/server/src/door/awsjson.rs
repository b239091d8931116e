//! awsJson calls.

use axum::body::Body;
use http::Response;
use opentrail_wire::awsjson::{AwsJsonError, Target, check_content_type, read_input};
use serde_json::Value;

use super::{
    Visit, answer, body,
    perform::{Request, perform},
};
use crate::{
    fault::{Common, Dialect, Fault},
    service::{self, Service},
};

/// The largest body; CloudTrail's largest inputs (500 selector values of 2,048 characters) fit.
const MAX_BODY_BYTES: usize = 2 << 20;

/// Answers an awsJson call.
pub(super) async fn enter(visit: Visit, target: Result<Target, AwsJsonError>) -> Response<Body> {
    let Visit { rooms, parts, body, arrival } = visit;
    let json = |kind, message: String| Fault::common(kind, Dialect::Json, message);
    let target = match target {
        Ok(target) => target,
        Err(error) => {
            let fault = json(Common::UnknownOperation, error.to_string());
            return answer::of_fault(Dialect::Json, "", &arrival, &fault);
        }
    };
    let Some(service) = targeted(&target.service) else {
        let fault = json(Common::UnknownOperation, format!("opentrail does not serve {}.", target.service));
        return answer::of_fault(Dialect::Json, "", &arrival, &fault);
    };
    let body = body::whole(&rooms, &parts, &arrival, body, MAX_BODY_BYTES).await;
    let input = match &body {
        Ok(body) => read(&parts, &body.bytes),
        Err(fault) => Err(body::fault(*fault, Dialect::Json)),
    };
    perform(rooms, &parts, arrival, Request { service, operation: target.operation, body, input }).await
}

fn read(parts: &http::request::Parts, bytes: &[u8]) -> Result<Value, Fault> {
    check_content_type(&parts.headers)
        .and_then(|()| read_input(bytes))
        .map_err(|error| Fault::common(Common::Malformed, Dialect::Json, error.to_string()))
}

/// Targets that are called otherwise than their services: KMS has the name it was built under.
const TARGETS: &[(&str, &str)] = &[("AWSOrganizationsV20161128", "organizations"), ("TrentService", "kms")];

/// The service whose target this is: `com.amazonaws.….CloudTrail_20131101`, or the last part alone.
fn targeted(name: &str) -> Option<&'static Service> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let prefix = last.split('_').next().unwrap_or(last);
    let named =
        TARGETS.iter().find(|(target, _)| *target == prefix).map(|(_, service)| service::named(service));
    named
        .unwrap_or_else(|| service::named(&prefix.to_ascii_lowercase()))
        .filter(|service| service.dialect == Dialect::Json)
}
