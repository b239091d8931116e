//! PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: of event data stores and channels.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_resource-based-policy-examples.html>

use opentrail_event::{AccountId, RecordResource};
use opentrail_identity::{Caller, Tag, account, binding, set_resource_tags};
use opentrail_lake::{
    resource_policy::{self, MAX_POLICY, MAX_PRINCIPALS, MAX_STATEMENTS, ResourcePolicy, grantable},
    store::{EventDataStore, StoreArn},
};
use opentrail_policy::{Context, Effect, Match, Policy, PolicyError, PolicyKind, Request};
use opentrail_state::{State, Transaction};
use serde::{Deserialize, Serialize};

use super::{channel, event_data_store::asking};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read, Write},
    rooms::Rooms,
};

/// What reads the events of a store.
const READING: [&str; 2] = ["cloudtrail:StartQuery", "cloudtrail:GetQueryResults"];
/// The one action that a channel's policy is about.
const PUT_AUDIT_EVENTS: &str = "cloudtrail-data:PutAuditEvents";

/// The policy of the resource with this ARN, bound to those it was written for. One that can't be read may have denied
/// what is asked.
pub(crate) fn in_force(arn: &str, call: &Call) -> Result<Option<Policy>, Fault> {
    kept(&call.rooms.state, arn)
        .map_err(|_| call.fault(Common::Internal, "The resource's policy can't be read."))
}

fn kept(state: &State, arn: &str) -> Result<Option<Policy>, PolicyError> {
    let Some(kept) = resource_policy::of(state, arn) else { return Ok(None) };
    let policy = Policy::parse(&kept.text, PolicyKind::Resource)
        .inspect_err(|error| tracing::error!(%error, arn, "a resource policy can't be read"))?;
    Ok(Some(policy.bound(&kept.principals)))
}

/// Whether the policy of an event data store keeps a caller from its events, however the caller comes to them: by a
/// `Deny` of starting queries or of seeing what came of them, which is what reading the table by another engine amounts
/// to. `keys` are the request's condition keys. What nobody denies is for those to allow who are asked: AWS shares
/// federated tables by Glue's permissions, not by the store's policy.
pub(crate) fn keeps_out(rooms: &Rooms, caller: &Caller, keys: &Context, store: &EventDataStore) -> bool {
    let arn = store.arn().to_string();
    let policy = match kept(&rooms.state, &arn) {
        Ok(Some(policy)) => policy,
        Ok(None) => return false,
        // One that can't be read may have denied it.
        Err(_) => return true,
    };
    let mut keys = keys.clone();
    let tags: Vec<Tag> = store.tags.iter().map(|(key, value)| Tag::new(key, value)).collect();
    set_resource_tags(&mut keys, "cloudtrail", &tags);
    let context = rooms.identity.context(caller, &keys);
    let principal = caller.principal.as_policy_principal();
    READING.iter().any(|action| {
        let request = Request { action, resource: &arn, principal, context: &context };
        matches!(policy.evaluate(&request), Match::Deny { .. })
    })
}

/// What has a policy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Store,
    Channel,
}

/// What the ARN names, if the caller may do this with its policy.
fn permitted(operation: &str, arn: &str, call: &Call) -> Result<Kind, Fault> {
    let kind = kind_of(arn)?;
    let asked = match kind {
        Kind::Store => asking::permitted(operation, arn, call).map(drop),
        Kind::Channel => channel::permitted(operation, arn, call).map(drop),
    };
    asked.map_err(|fault| match fault.code() {
        "EventDataStoreNotFoundException" | "ChannelNotFoundException" => {
            Fault::declared("ResourceNotFoundException", fault.message().to_owned())
        }
        _ => fault,
    })?;
    Ok(kind)
}

fn kind_of(arn: &str) -> Result<Kind, Fault> {
    if StoreArn::parse(arn).is_ok() {
        return Ok(Kind::Store);
    }
    if opentrail_lake::channel::ChannelArn::parse(arn).is_ok() {
        return Ok(Kind::Channel);
    }
    let shown: String = arn.chars().take(256).collect();
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    if arn.starts_with("arn:") && ["trail/", "dashboard/"].iter().any(|kind| resource.starts_with(kind)) {
        let message = format!("{shown} is neither an event data store nor a channel.");
        return Err(Fault::declared("ResourceTypeNotSupportedException", message));
    }
    let message = format!("{shown} is not the ARN of an event data store or a channel.");
    Err(Fault::declared("ResourceARNNotValidException", message))
}

/// The policy, if it is one that the resource can have.
fn checked(text: &str, arn: &str, kind: Kind, call: &Call, tx: &Transaction) -> Result<Policy, Fault> {
    let invalid = |message: String| Fault::declared("ResourcePolicyNotValidException", message);
    if text.chars().count() > MAX_POLICY {
        return Err(invalid(format!("The policy is longer than {MAX_POLICY} characters.")));
    }
    let policy = Policy::parse(text, PolicyKind::Resource).map_err(|error| invalid(error.to_string()))?;
    for statement in policy.statements() {
        if statement.negates_resources() || statement.resources().any(|resource| resource != arn) {
            return Err(invalid(format!("Each statement's resource must be {arn}.")));
        }
        let is_allow = statement.effect() == Effect::Allow;
        let is_for = |action: &str| match kind {
            Kind::Store => grantable(action, is_allow),
            Kind::Channel => action.eq_ignore_ascii_case(PUT_AUDIT_EVENTS),
        };
        if statement.negates_actions() || !statement.actions().all(is_for) {
            let allowed = match kind {
                Kind::Store if is_allow => "one that an event data store's policy can allow",
                Kind::Store => "one on event data stores",
                Kind::Channel => PUT_AUDIT_EVENTS,
            };
            return Err(invalid(format!("Each statement's action must be {allowed}.")));
        }
        let is_here = |account: AccountId| {
            account::exists(tx, account) || account == call.account || account == call.rooms.home
        };
        let missing = statement.principals().find(|named| root_of(named).is_some_and(|root| !is_here(root)));
        if let Some(named) = missing {
            return Err(invalid(format!("The principal {named} is not valid.")));
        }
        if kind == Kind::Channel && statement.principals().count() > MAX_PRINCIPALS {
            return Err(invalid(format!("A statement can have {MAX_PRINCIPALS} principals at most.")));
        }
    }
    if kind == Kind::Channel && policy.statements().len() > MAX_STATEMENTS {
        return Err(invalid(format!("A policy can have {MAX_STATEMENTS} statements at most.")));
    }
    match binding::first_missing(tx, &policy) {
        Some(arn) => Err(invalid(format!("The principal {arn} is not valid."))),
        None => Ok(policy),
    }
}

/// The account whose root a principal's ARN names: the whole account, in a policy.
fn root_of(named: &str) -> Option<AccountId> {
    let mut parts = named.strip_prefix("arn:")?.split(':').skip(1);
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("iam"), Some(""), Some(account), Some("root"), None) => account.parse().ok(),
        _ => None,
    }
}

fn touched(arn: &str, call: &Call) -> Vec<RecordResource> {
    asking::of_another(arn, call)
}

fn none_there(arn: &str) -> Fault {
    let arn: String = arn.chars().take(256).collect();
    Fault::declared("ResourcePolicyNotFoundException", format!("{arn} has no resource policy."))
}

/// PutResourcePolicy
pub(super) struct PutResourcePolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    resource_arn: String,
    resource_policy: String,
}

/// The input of the other two.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneResource {
    resource_arn: String,
}

/// What Put and Get answer with.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyShape {
    resource_arn: String,
    resource_policy: String,
}

impl Described for PutResourcePolicy {
    type Input = PutInput;
    type Output = PolicyShape;
    const NAME: &'static str = "PutResourcePolicy";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &PutInput, call: &Call) -> Vec<RecordResource> {
        touched(&input.resource_arn, call)
    }
}

impl Write for PutResourcePolicy {
    fn act(input: PutInput, call: &Call, tx: &mut Transaction) -> Result<PolicyShape, Fault> {
        let kind = permitted(Self::NAME, &input.resource_arn, call)?;
        let policy = checked(&input.resource_policy, &input.resource_arn, kind, call, tx)?;
        let principals = binding::bindings(tx, &policy);
        let kept = ResourcePolicy { text: input.resource_policy, principals };
        resource_policy::put(tx, &input.resource_arn, &kept);
        Ok(PolicyShape { resource_arn: input.resource_arn, resource_policy: kept.text })
    }
}

/// GetResourcePolicy
pub(super) struct GetResourcePolicy;

impl Described for GetResourcePolicy {
    type Input = OneResource;
    type Output = PolicyShape;
    const NAME: &'static str = "GetResourcePolicy";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneResource, call: &Call) -> Vec<RecordResource> {
        touched(&input.resource_arn, call)
    }
}

impl Read for GetResourcePolicy {
    async fn act(input: OneResource, call: &Call) -> Result<PolicyShape, Fault> {
        permitted(Self::NAME, &input.resource_arn, call)?;
        let state = &call.rooms.state;
        let kept =
            resource_policy::of(state, &input.resource_arn).ok_or_else(|| none_there(&input.resource_arn))?;
        let resource_policy = binding::shown(state, &kept.text, &kept.principals);
        Ok(PolicyShape { resource_arn: input.resource_arn, resource_policy })
    }
}

/// DeleteResourcePolicy
pub(super) struct DeleteResourcePolicy;

impl Described for DeleteResourcePolicy {
    type Input = OneResource;
    type Output = ();
    const NAME: &'static str = "DeleteResourcePolicy";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneResource, call: &Call) -> Vec<RecordResource> {
        touched(&input.resource_arn, call)
    }
}

impl Write for DeleteResourcePolicy {
    fn act(input: OneResource, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        permitted(Self::NAME, &input.resource_arn, call)?;
        if resource_policy::delete(tx, &input.resource_arn) {
            Ok(())
        } else {
            Err(none_there(&input.resource_arn))
        }
    }
}
