//! From the refusals of Organizations to AWS's codes.

use opentrail_identity::organization::OrganizationRefusal;

use super::Fault;

impl Fault {
    /// An operation on an organization was refused.
    pub(crate) fn of_organization(refusal: &OrganizationRefusal) -> Self {
        let fault = Self::declared(refusal.code(), refusal.to_string());
        match refusal.reason() {
            Some(reason) => fault.with_reason(reason),
            None => fault,
        }
    }
}
