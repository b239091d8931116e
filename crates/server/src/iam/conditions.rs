//! The condition keys that IAM's operations set beside the global ones:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>.

use opentrail_identity::{set_request_tags, set_resource_tags};
use opentrail_policy::Context;

use super::{
    shape::{TagShape, tags},
    subject::Marks,
};

const BOUNDARY: &str = "iam:PermissionsBoundary";

/// The tags and the boundary of a thing as it is.
pub(super) fn existing(context: &mut Context, marks: &Marks) {
    set_resource_tags(context, "iam", &marks.tags);
    new_boundary(context, marks.boundary.as_deref());
}

/// The boundary that a thing is to get.
pub(super) fn new_boundary(context: &mut Context, arn: Option<&str>) {
    if let Some(arn) = arn {
        context.set(BOUNDARY, arn);
    }
}

/// The managed policy that is to be attached or detached.
pub(super) fn policy(context: &mut Context, arn: &str) {
    context.set("iam:PolicyARN", arn);
}

/// The tags that a thing is to get.
pub(super) fn new_tags(context: &mut Context, new: &[TagShape]) {
    set_request_tags(context, &tags(new));
}

/// The keys of the tags that a thing is to lose.
pub(super) fn tag_keys(context: &mut Context, keys: &[String]) {
    if !keys.is_empty() {
        context.set_many("aws:TagKeys", keys.iter().map(String::as_str));
    }
}
