//! Managed policies.

use opentrail_identity::{
    EntityKind, ManagedPolicy,
    attach::{self, EntityFilter, PolicyUsage},
    managed_policy::{self, NewPolicy, PolicyFilter, PolicyScope},
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    choice::choose,
    conditions,
    page::{More, Paging},
    permission,
    shape::{PolicyShape, TagShape, tags},
    subject::Named,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

const USAGES: &[(&str, PolicyUsage)] = &[
    ("PermissionsPolicy", PolicyUsage::PermissionsPolicy),
    ("PermissionsBoundary", PolicyUsage::PermissionsBoundary),
];

fn usage(call: &Call, word: Option<&str>) -> Result<Option<PolicyUsage>, Fault> {
    word.map(|word| choose(call, "policyUsageFilter", word, USAGES)).transpose()
}

/// The answer of operations that show one policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShowsPolicy {
    policy: PolicyShape,
}

/// CreatePolicy
pub(super) struct CreatePolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePolicyInput {
    policy_name: String,
    path: Option<String>,
    policy_document: String,
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl CreatePolicyInput {
    fn arn(&self, call: &Call) -> String {
        managed_policy::arn(call.account, self.path.as_deref().unwrap_or("/"), &self.policy_name)
    }
}

impl Described for CreatePolicy {
    type Input = CreatePolicyInput;
    type Output = ShowsPolicy;
    const NAME: &'static str = "CreatePolicy";

    fn resource(input: &CreatePolicyInput, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &CreatePolicyInput, _: &Call, context: &mut Context) {
        conditions::new_tags(context, &input.tags);
    }
}

impl Write for CreatePolicy {
    async fn prepare(input: &CreatePolicyInput, call: &Call) -> Result<(), Fault> {
        permission::tagging(call, "TagPolicy", &input.arn(call), &input.tags)
    }

    fn act(input: CreatePolicyInput, call: &Call, tx: &mut Transaction) -> Result<ShowsPolicy, Fault> {
        let tags = tags(&input.tags);
        let new = NewPolicy {
            name: &input.policy_name,
            path: input.path.as_deref(),
            document: &input.policy_document,
            description: input.description.as_deref(),
            tags: &tags,
        };
        let policy =
            managed_policy::create(tx, call.account, &new, call.arrival.at).map_err(|e| call.refused(e))?;
        Ok(ShowsPolicy { policy: PolicyShape::of(policy) })
    }
}

/// GetPolicy
pub(super) struct GetPolicy;

impl Described for GetPolicy {
    type Input = Named<ManagedPolicy>;
    type Output = ShowsPolicy;
    const NAME: &'static str = "GetPolicy";

    fn resource(input: &Named<ManagedPolicy>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<ManagedPolicy>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Read for GetPolicy {
    async fn act(input: Named<ManagedPolicy>, call: &Call) -> Result<ShowsPolicy, Fault> {
        let policy = managed_policy::get(&call.rooms.state, call.account, input.name())
            .map_err(|e| call.refused(e))?;
        Ok(ShowsPolicy { policy: PolicyShape::of(policy) })
    }
}

/// ListPolicies
pub(super) struct ListPolicies;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPoliciesInput {
    scope: Option<String>,
    only_attached: Option<bool>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPoliciesOutput {
    policies: Vec<PolicyShape>,
    #[serde(flatten)]
    more: More,
}

impl Described for ListPolicies {
    type Input = ListPoliciesInput;
    type Output = ListPoliciesOutput;
    const NAME: &'static str = "ListPolicies";
}

impl Read for ListPolicies {
    async fn act(input: ListPoliciesInput, call: &Call) -> Result<ListPoliciesOutput, Fault> {
        const SCOPES: &[(&str, PolicyScope)] =
            &[("All", PolicyScope::All), ("AWS", PolicyScope::Aws), ("Local", PolicyScope::Local)];
        let filter = PolicyFilter {
            scope: choose(call, "scope", input.scope.as_deref().unwrap_or("All"), SCOPES)?,
            only_attached: input.only_attached.unwrap_or(false),
            path_prefix: input.path_prefix.as_deref(),
            usage: usage(call, input.policy_usage_filter.as_deref())?,
        };
        let page = managed_policy::list(&call.rooms.state, call.account, filter, input.paging.request())
            .map_err(|e| call.refused(e))?;
        let policies = page.items.into_iter().map(PolicyShape::listed).collect();
        Ok(ListPoliciesOutput { policies, more: page.next.into() })
    }
}

/// ListEntitiesForPolicy
pub(super) struct ListEntitiesForPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEntitiesForPolicyInput {
    #[serde(flatten)]
    policy: Named<ManagedPolicy>,
    entity_filter: Option<String>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEntitiesForPolicyOutput {
    policy_groups: Vec<PolicyGroup>,
    policy_users: Vec<PolicyUser>,
    policy_roles: Vec<PolicyRole>,
    #[serde(flatten)]
    more: More,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyGroup {
    group_name: String,
    group_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyUser {
    user_name: String,
    user_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyRole {
    role_name: String,
    role_id: String,
}

impl Described for ListEntitiesForPolicy {
    type Input = ListEntitiesForPolicyInput;
    type Output = ListEntitiesForPolicyOutput;
    const NAME: &'static str = "ListEntitiesForPolicy";

    fn resource(input: &ListEntitiesForPolicyInput, call: &Call) -> Result<String, Fault> {
        Ok(input.policy.arn(call))
    }

    fn context(input: &ListEntitiesForPolicyInput, call: &Call, context: &mut Context) {
        input.policy.describe(call, context);
    }
}

impl Read for ListEntitiesForPolicy {
    async fn act(
        input: ListEntitiesForPolicyInput,
        call: &Call,
    ) -> Result<ListEntitiesForPolicyOutput, Fault> {
        const KINDS: &[(&str, EntityKind)] =
            &[("User", EntityKind::User), ("Role", EntityKind::Role), ("Group", EntityKind::Group)];
        let kind = input.entity_filter.as_deref();
        let filter = EntityFilter {
            kind: kind.map(|word| choose(call, "entityFilter", word, KINDS)).transpose()?,
            path_prefix: input.path_prefix.as_deref(),
            usage: usage(call, input.policy_usage_filter.as_deref())?,
        };
        let (docs, arn, paging) = (&call.rooms.state, input.policy.name(), input.paging.request());
        let page = attach::entities_for_policy(docs, call.account, arn, filter, paging)
            .map_err(|e| call.refused(e))?;
        let mut output = ListEntitiesForPolicyOutput { more: page.next.into(), ..Default::default() };
        for entity in page.items {
            let (name, id) = (entity.name, entity.id);
            match entity.kind {
                EntityKind::Group => {
                    output.policy_groups.push(PolicyGroup { group_name: name, group_id: id });
                }
                EntityKind::User => output.policy_users.push(PolicyUser { user_name: name, user_id: id }),
                EntityKind::Role => output.policy_roles.push(PolicyRole { role_name: name, role_id: id }),
            }
        }
        Ok(output)
    }
}

/// DeletePolicy
pub(super) struct DeletePolicy;

impl Described for DeletePolicy {
    type Input = Named<ManagedPolicy>;
    type Output = ();
    const NAME: &'static str = "DeletePolicy";

    fn resource(input: &Named<ManagedPolicy>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<ManagedPolicy>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Write for DeletePolicy {
    fn act(input: Named<ManagedPolicy>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        managed_policy::delete(tx, call.account, input.name()).map_err(|e| call.refused(e))
    }
}
