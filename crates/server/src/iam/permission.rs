//! Permissions that an operation needs beside the one of its own name.

use opentrail_policy::Context;

use super::{conditions, shape::TagShape};
use crate::{call::Call, fault::Fault};

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
    call.permit(&action, resource, context)
}

/// Creating something with tags needs the permission to tag it too.
pub(super) fn tagging(call: &Call, operation: &str, resource: &str, tags: &[TagShape]) -> Result<(), Fault> {
    if tags.is_empty() {
        return Ok(());
    }
    also(call, operation, resource, |context| conditions::new_tags(context, tags))
}
