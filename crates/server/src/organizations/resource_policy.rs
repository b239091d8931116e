//! PutResourcePolicy, DescribeResourcePolicy, DeleteResourcePolicy.

use opentrail_identity::organization::{Organization, ResourcePolicy, resource_policy};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    access,
    organization::Nothing,
    refused,
    shape::{TagShape, tags},
    tagging,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// `ResourcePolicy`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourcePolicyShape {
    resource_policy_summary: Summary,
    content: String,
}

/// `ResourcePolicySummary`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneResourcePolicy {
    resource_policy: ResourcePolicyShape,
}

impl OneResourcePolicy {
    fn of(organization: &Organization, policy: &ResourcePolicy) -> Self {
        let summary = Summary { id: policy.id.clone(), arn: organization.resource_policy_arn(&policy.id) };
        let content = policy.content.as_str().to_owned();
        Self { resource_policy: ResourcePolicyShape { resource_policy_summary: summary, content } }
    }
}

/// PutResourcePolicy
pub(super) struct PutResourcePolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    content: String,
    tags: Option<Vec<TagShape>>,
}

impl Described for PutResourcePolicy {
    type Input = PutInput;
    type Output = OneResourcePolicy;
    const NAME: &'static str = "PutResourcePolicy";

    fn context(input: &PutInput, _: &Call, context: &mut Context) {
        tagging::set_request_tags(context, input.tags.as_deref());
    }
}

impl Write for PutResourcePolicy {
    async fn prepare(input: &PutInput, call: &Call) -> Result<(), Fault> {
        tagging::permit_with_creation(input.tags.as_deref(), call)
    }

    fn act(input: PutInput, call: &Call, tx: &mut Transaction) -> Result<OneResourcePolicy, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let tags = tags(input.tags.as_deref());
        let policy = resource_policy::put(tx, &organization, &input.content, &tags).map_err(refused)?;
        Ok(OneResourcePolicy::of(&organization, &policy))
    }
}

/// DescribeResourcePolicy
pub(super) struct DescribeResourcePolicy;

impl Described for DescribeResourcePolicy {
    type Input = Nothing;
    type Output = OneResourcePolicy;
    const NAME: &'static str = "DescribeResourcePolicy";
}

impl Read for DescribeResourcePolicy {
    async fn act(input: Nothing, call: &Call) -> Result<OneResourcePolicy, Fault> {
        let organization = access::read::<Self>(&input, call, &call.rooms.state)?;
        let policy = resource_policy::get(&organization).map_err(refused)?;
        Ok(OneResourcePolicy::of(&organization, policy))
    }
}

/// DeleteResourcePolicy
pub(super) struct DeleteResourcePolicy;

impl Described for DeleteResourcePolicy {
    type Input = Nothing;
    type Output = ();
    const NAME: &'static str = "DeleteResourcePolicy";
}

impl Write for DeleteResourcePolicy {
    fn act(input: Nothing, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        resource_policy::delete(tx, &organization).map_err(refused)
    }
}
