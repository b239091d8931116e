//! Policies: CreatePolicy, UpdatePolicy, DeletePolicy, DescribePolicy, ListPolicies.

use opentrail_identity::organization::{
    ServiceControlPolicy,
    policy::{self, NewPolicy, PolicyUpdate},
    policy_type,
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    access,
    page::Paging,
    refused,
    shape::{PolicySummary, TagShape, tags},
    tagging,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The condition key of the policy's type.
const TYPE_KEY: &str = "organizations:PolicyType";
/// The only type that there is here.
const SERVICE_CONTROL: &str = "SERVICE_CONTROL_POLICY";

/// Says in the context which type of policy it is about.
pub(super) fn set_type(context: &mut Context) {
    context.set(TYPE_KEY, SERVICE_CONTROL);
}

/// `Policy`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyShape {
    policy_summary: PolicySummary,
    content: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnePolicy {
    policy: PolicyShape,
}

impl From<&ServiceControlPolicy> for OnePolicy {
    fn from(policy: &ServiceControlPolicy) -> Self {
        let content = policy.content.as_str().to_owned();
        Self { policy: PolicyShape { policy_summary: PolicySummary::from(policy), content } }
    }
}

/// The input of operations on one policy.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneId {
    policy_id: String,
}

/// CreatePolicy
pub(super) struct CreatePolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    content: String,
    description: String,
    name: String,
    #[serde(rename = "Type")]
    kind: String,
    tags: Option<Vec<TagShape>>,
}

impl Described for CreatePolicy {
    type Input = CreateInput;
    type Output = OnePolicy;
    const NAME: &'static str = "CreatePolicy";

    fn context(input: &CreateInput, _: &Call, context: &mut Context) {
        context.set(TYPE_KEY, input.kind.as_str());
        tagging::set_request_tags(context, input.tags.as_deref());
    }
}

impl Write for CreatePolicy {
    async fn prepare(input: &CreateInput, call: &Call) -> Result<(), Fault> {
        tagging::permit_with_creation(input.tags.as_deref(), call)
    }

    fn act(input: CreateInput, call: &Call, tx: &mut Transaction) -> Result<OnePolicy, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        policy_type::supported(&input.kind).map_err(refused)?;
        let tags = tags(input.tags.as_deref());
        let new = NewPolicy {
            name: &input.name,
            description: &input.description,
            content: &input.content,
            tags: &tags,
        };
        let policy = policy::create(tx, &organization, &new).map_err(refused)?;
        Ok(OnePolicy::from(&policy))
    }
}

/// UpdatePolicy
pub(super) struct UpdatePolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    policy_id: String,
    name: Option<String>,
    description: Option<String>,
    content: Option<String>,
}

impl Described for UpdatePolicy {
    type Input = UpdateInput;
    type Output = OnePolicy;
    const NAME: &'static str = "UpdatePolicy";

    fn resource(input: &UpdateInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.policy_id))
    }

    fn context(input: &UpdateInput, call: &Call, context: &mut Context) {
        set_type(context);
        access::set_resource_tags(context, call, &input.policy_id);
    }
}

impl Write for UpdatePolicy {
    fn act(input: UpdateInput, call: &Call, tx: &mut Transaction) -> Result<OnePolicy, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let update = PolicyUpdate {
            name: input.name.as_deref(),
            description: input.description.as_deref(),
            content: input.content.as_deref(),
        };
        let policy = policy::update(tx, &organization, &input.policy_id, &update).map_err(refused)?;
        Ok(OnePolicy::from(&policy))
    }
}

/// DeletePolicy
pub(super) struct DeletePolicy;

impl Described for DeletePolicy {
    type Input = OneId;
    type Output = ();
    const NAME: &'static str = "DeletePolicy";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.policy_id))
    }

    fn context(input: &OneId, call: &Call, context: &mut Context) {
        set_type(context);
        access::set_resource_tags(context, call, &input.policy_id);
    }
}

impl Write for DeletePolicy {
    fn act(input: OneId, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        policy::delete(tx, &organization, &input.policy_id).map_err(refused)
    }
}

/// DescribePolicy
pub(super) struct DescribePolicy;

impl Described for DescribePolicy {
    type Input = OneId;
    type Output = OnePolicy;
    const NAME: &'static str = "DescribePolicy";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.policy_id))
    }

    fn context(input: &OneId, call: &Call, context: &mut Context) {
        set_type(context);
        access::set_resource_tags(context, call, &input.policy_id);
    }
}

impl Read for DescribePolicy {
    async fn act(input: OneId, call: &Call) -> Result<OnePolicy, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let policy = policy::get(docs, &organization, &input.policy_id).map_err(refused)?;
        Ok(OnePolicy::from(&*policy))
    }
}

/// ListPolicies
pub(super) struct ListPolicies;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    filter: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Policies {
    pub(super) policies: Vec<PolicySummary>,
    pub(super) next_token: Option<String>,
}

impl Described for ListPolicies {
    type Input = ListInput;
    type Output = Policies;
    const NAME: &'static str = "ListPolicies";

    fn context(input: &ListInput, _: &Call, context: &mut Context) {
        context.set(TYPE_KEY, input.filter.as_str());
    }
}

impl Read for ListPolicies {
    async fn act(input: ListInput, call: &Call) -> Result<Policies, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        // There are none of a type that is not served here.
        let found = match policy_type::read(&input.filter).map_err(refused)? {
            Some(_) => policy::list(docs, &organization),
            None => Vec::new(),
        };
        let (page, next_token) = input.paging.cut(found, |policy| policy.id.clone())?;
        Ok(Policies {
            policies: page.iter().map(|policy| PolicySummary::from(&**policy)).collect(),
            next_token,
        })
    }
}
