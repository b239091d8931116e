//! Whose account may: the management account; a delegated administrator, to read; and whoever the organization's
//! resource policy lets.

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_identity::{
    Documents,
    organization::{
        Node, Organization, OrganizationRefusal, in_use, of_account, policy, resource_policy, service_access,
        tagging,
    },
};
use opentrail_policy::{Context, Match, Request};

use super::refused;
use crate::{call::Call, fault::Fault, operation::Described};

/// The organization that an operation changes, or reads what only those see who may change it.
pub(super) fn governed<O: Described>(
    input: &O::Input,
    call: &Call,
    docs: &impl Documents,
) -> Result<Arc<Organization>, Fault> {
    let organization = in_use(docs, call.account).map_err(refused)?;
    if organization.management_account == call.account || is_let::<O>(input, call, &organization)? {
        Ok(organization)
    } else {
        Err(refused(OrganizationRefusal::AccessDenied))
    }
}

/// The organization that an operation reads.
pub(super) fn read<O: Described>(
    input: &O::Input,
    call: &Call,
    docs: &impl Documents,
) -> Result<Arc<Organization>, Fault> {
    let organization = in_use(docs, call.account).map_err(refused)?;
    let administrators = service_access::administrators(docs, &organization, None, call.arrival.at);
    if administrators.iter().any(|member| member.account == call.account) {
        return Ok(organization);
    }
    governed::<O>(input, call, docs)
}

/// Whether the organization's resource policy lets the caller.
fn is_let<O: Described>(input: &O::Input, call: &Call, organization: &Organization) -> Result<bool, Fault> {
    let mut keys = call.arrival.context(&call.region);
    O::context(input, call, &mut keys);
    Ok(lets(call, organization, O::NAME, &O::resource(input, call)?, &keys))
}

/// Whether the organization's resource policy lets the caller do this with this.
fn lets(call: &Call, organization: &Organization, operation: &str, resource: &str, keys: &Context) -> bool {
    let delegable = resource_policy::DELEGABLE.contains(&operation);
    let Some(policy) = resource_policy::in_force(organization).filter(|_| delegable) else { return false };
    let context = call.rooms.identity.context(&call.caller, keys);
    let action = format!("{}:{operation}", call.service.name);
    let principal = call.caller.principal.as_policy_principal();
    let request = Request { action: &action, resource, principal, context: &context };
    matches!(policy.evaluate(&request), Match::Allow { .. })
}

/// The ARN of what has this id in the organization of the caller's account: what permission is asked for. `*` where
/// there is no organization.
pub(super) fn arn(call: &Call, id: &str) -> String {
    let docs = &call.rooms.state;
    let Some(organization) = of_account(docs, call.account) else { return "*".to_owned() };
    if let Some(node) = Node::find(docs, &organization, id, call.arrival.at) {
        return node.arn();
    }
    if id.starts_with("p-") {
        let policy = policy::get(docs, &organization, id);
        return policy.map_or_else(|_| organization.policy_arn(id), |policy| policy.arn());
    }
    if id.starts_with("rp-") {
        return organization.resource_policy_arn(id);
    }
    match id.parse::<AccountId>() {
        Ok(account) => organization.account_arn(account),
        Err(_) if id.starts_with("ou-") => organization.unit_arn(id),
        Err(_) => "*".to_owned(),
    }
}

/// Sets the keys of the tags that are on what has this id.
pub(super) fn set_resource_tags(context: &mut Context, call: &Call, id: &str) {
    let docs = &call.rooms.state;
    let Some(organization) = of_account(docs, call.account) else { return };
    if let Ok(tags) = tagging::list(docs, &organization, id, call.arrival.at) {
        opentrail_identity::set_resource_tags(context, call.service.name, &tags);
    }
}

/// Whether the caller's policies, and for a member's caller the organization's resource policy, allow the operation on
/// something it concerns besides its resource.
pub(super) fn permit_also<O: Described>(input: &O::Input, call: &Call, id: &str) -> Result<(), Fault> {
    let mut context = call.arrival.context(&call.region);
    O::context(input, call, &mut context);
    // The tags there are those of the operation's resource.
    let of_resource = |key: &&str| key.contains(":resourcetag/");
    let keys: Vec<String> =
        context.iter().map(|(key, _)| key).filter(of_resource).map(str::to_owned).collect();
    for key in keys {
        context.remove(&key);
    }
    set_resource_tags(&mut context, call, id);
    let resource = arn(call, id);
    let is_let = of_account(&call.rooms.state, call.account).is_none_or(|organization| {
        organization.management_account == call.account
            || lets(call, &organization, O::NAME, &resource, &context)
    });
    call.permit(&format!("{}:{}", call.service.name, O::NAME), &resource, context)?;
    if is_let { Ok(()) } else { Err(refused(OrganizationRefusal::AccessDenied)) }
}
