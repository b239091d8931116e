//! Permissions that an operation needs beside the one of its own name.

use opentrail_identity::Ask;
use opentrail_policy::Context;

use super::{conditions, shape::TagShape};
use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// Asks for one more permission: of this operation, on this resource.
pub(super) fn also(
    call: &Call,
    operation: &str,
    resource: &str,
    describe: impl FnOnce(&mut Context),
) -> Result<(), Fault> {
    let action = format!("{}:{operation}", call.service.name);
    let mut context = call.arrival.context(&call.region);
    describe(&mut context);
    let verdict = call
        .rooms
        .identity
        .authorize(&call.caller, &Ask { action: &action, resource, context, ..Ask::default() });
    verdict.into_result().map_err(|denial| call.fault(Common::AccessDenied, denial.to_string()))
}

/// Creating something with tags needs the permission to tag it too.
pub(super) fn tagging(call: &Call, operation: &str, resource: &str, tags: &[TagShape]) -> Result<(), Fault> {
    if tags.is_empty() {
        return Ok(());
    }
    also(call, operation, resource, |context| conditions::new_tags(context, tags))
}
