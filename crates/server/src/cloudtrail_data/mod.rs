//! CloudTrail's data plane: <https://docs.aws.amazon.com/awscloudtraildata/latest/APIReference/>. Its one operation
//! brings events from outside AWS through a channel into event data stores.

mod entries;
mod put;

use http::Method;
use opentrail_wire::value::RecordTimes;

use crate::{fault::Dialect, operation::Operation, service::Service};

/// The service, as the door knows it.
pub(crate) static SERVICE: Service = Service {
    name: "cloudtrail-data",
    event_source: "cloudtrail-data.amazonaws.com",
    dialect: Dialect::Rest,
    namespace: "",
    global: false,
    record_times: RecordTimes::Iso,
    follow: None,
    operations: &[Operation {
        name: put::PUT_AUDIT_EVENTS,
        read_only: false,
        run: |call, input| Box::pin(put::run(call, input)),
    }],
    unsupported: &[],
};

/// The operation behind a route.
pub(crate) fn routed(method: &Method, path: &str) -> Option<&'static str> {
    (method == Method::POST && path == "/PutAuditEvents").then_some(put::PUT_AUDIT_EVENTS)
}
