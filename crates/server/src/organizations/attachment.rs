//! AttachPolicy, DetachPolicy, ListPoliciesForTarget, ListTargetsForPolicy.

use opentrail_identity::organization::{Node, attachment, policy_type};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    access,
    page::Paging,
    policy::{Policies, set_type},
    refused,
    shape::PolicySummary,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The input of AttachPolicy and DetachPolicy.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attaching {
    policy_id: String,
    target_id: String,
}

/// AttachPolicy
pub(super) struct AttachPolicy;

impl Described for AttachPolicy {
    type Input = Attaching;
    type Output = ();
    const NAME: &'static str = "AttachPolicy";

    fn resource(input: &Attaching, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.policy_id))
    }

    fn context(input: &Attaching, call: &Call, context: &mut Context) {
        set_type(context);
        access::set_resource_tags(context, call, &input.policy_id);
    }
}

impl Write for AttachPolicy {
    async fn prepare(input: &Attaching, call: &Call) -> Result<(), Fault> {
        access::permit_also::<Self>(input, call, &input.target_id)
    }

    fn act(input: Attaching, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let (policy, target) = (&input.policy_id, &input.target_id);
        attachment::attach(tx, &organization, policy, target, call.arrival.at).map_err(refused)
    }
}

/// DetachPolicy
pub(super) struct DetachPolicy;

impl Described for DetachPolicy {
    type Input = Attaching;
    type Output = ();
    const NAME: &'static str = "DetachPolicy";

    fn resource(input: &Attaching, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.policy_id))
    }

    fn context(input: &Attaching, call: &Call, context: &mut Context) {
        set_type(context);
        access::set_resource_tags(context, call, &input.policy_id);
    }
}

impl Write for DetachPolicy {
    async fn prepare(input: &Attaching, call: &Call) -> Result<(), Fault> {
        access::permit_also::<Self>(input, call, &input.target_id)
    }

    fn act(input: Attaching, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let (policy, target) = (&input.policy_id, &input.target_id);
        attachment::detach(tx, &organization, policy, target, call.arrival.at).map_err(refused)
    }
}

/// ListPoliciesForTarget
pub(super) struct ListPoliciesForTarget;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForTarget {
    target_id: String,
    filter: String,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for ListPoliciesForTarget {
    type Input = ForTarget;
    type Output = Policies;
    const NAME: &'static str = "ListPoliciesForTarget";

    fn resource(input: &ForTarget, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.target_id))
    }

    fn context(_: &ForTarget, _: &Call, context: &mut Context) {
        set_type(context);
    }
}

impl Read for ListPoliciesForTarget {
    async fn act(input: ForTarget, call: &Call) -> Result<Policies, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let of_target = attachment::of_target(docs, &organization, &input.target_id, call.arrival.at);
        let mut found = of_target.map_err(refused)?;
        if policy_type::read(&input.filter).map_err(refused)?.is_none() {
            found.clear();
        }
        let (page, next_token) = input.paging.cut(found, |policy| policy.id.clone())?;
        Ok(Policies {
            policies: page.iter().map(|policy| PolicySummary::from(&**policy)).collect(),
            next_token,
        })
    }
}

/// ListTargetsForPolicy
pub(super) struct ListTargetsForPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForPolicy {
    policy_id: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Targets {
    targets: Vec<TargetShape>,
    next_token: Option<String>,
}

/// `PolicyTargetSummary`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetShape {
    target_id: String,
    arn: String,
    name: String,
    #[serde(rename = "Type")]
    kind: &'static str,
}

impl Described for ListTargetsForPolicy {
    type Input = ForPolicy;
    type Output = Targets;
    const NAME: &'static str = "ListTargetsForPolicy";

    fn resource(input: &ForPolicy, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.policy_id))
    }

    fn context(_: &ForPolicy, _: &Call, context: &mut Context) {
        set_type(context);
    }
}

impl Read for ListTargetsForPolicy {
    async fn act(input: ForPolicy, call: &Call) -> Result<Targets, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let targets = attachment::targets(docs, &organization, &input.policy_id, call.arrival.at);
        let (page, next_token) = input.paging.cut(targets.map_err(refused)?, |node| node.id().to_owned())?;
        let shape = |node: &Node| TargetShape {
            target_id: node.id().to_owned(),
            arn: node.arn(),
            name: node.name(docs),
            kind: node.kind(),
        };
        Ok(Targets { targets: page.iter().map(shape).collect(), next_token })
    }
}
