//! The services behind the one port, and the table of each one's operations.

use opentrail_state::Transaction;
use opentrail_wire::value::RecordTimes;

use crate::{call::Call, fault::Dialect, operation::Operation};

/// An AWS service as the door, the policies and the records know it.
pub(crate) struct Service {
    /// The name in the credential scope, and the prefix of its permissions.
    pub(crate) name: &'static str,
    /// `eventSource` of its records.
    pub(crate) event_source: &'static str,
    /// The protocol its answers are written in.
    pub(crate) dialect: Dialect,
    /// The XML namespace of its answers; empty where answers are JSON.
    pub(crate) namespace: &'static str,
    /// Recorded in us-east-1 whatever region the caller signed for.
    pub(crate) global: bool,
    /// The style of times in its records.
    pub(crate) record_times: RecordTimes,
    /// What has to follow each of its writes, staged in the same transaction.
    pub(crate) follow: Option<fn(&Call, &mut Transaction)>,
    /// Everything it can do.
    pub(crate) operations: &'static [Operation],
    /// Operations of the AWS service that are answered as unsupported.
    pub(crate) unsupported: &'static [&'static str],
}

impl Service {
    /// The operation of this name.
    pub(crate) fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}

/// Every service that speaks awsJson or awsQuery.
pub(crate) static SERVICES: &[&Service] = &[
    &crate::cloudtrail::SERVICE,
    &crate::iam::SERVICE,
    &crate::kms::SERVICE,
    &crate::organizations::SERVICE,
    &crate::sts::SERVICE,
];

/// The service with this name in the credential scope.
pub(crate) fn named(name: &str) -> Option<&'static Service> {
    SERVICES.iter().copied().find(|service| service.name == name)
}
