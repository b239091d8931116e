//! GetKeyPolicy, PutKeyPolicy, ListKeyPolicies, and which policies a key can have.

use opentrail_event::{AccountId, RecordResource};
use opentrail_identity::binding;
use opentrail_keyring::{Key, KeyRefusal, customer::limits::MAX_POLICY_BYTES};
use opentrail_policy::{Context, Match, Policy, PolicyKind, Request};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    asking::{self, Asking},
    page::{More, Paging},
    permit::Use,
    principal, refused,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read, Write},
};

/// The one name that a key's policy has.
const NAME: &str = "default";
const MALFORMED: &str = "MalformedPolicyDocumentException";

/// The policy of a key that was made without one (the guide, "Default key policy").
pub(super) fn usual(account: AccountId) -> String {
    let policy = json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "kms:*",
            "Resource": "*",
        }],
    });
    serde_json::to_string_pretty(&policy).unwrap_or_else(|_| policy.to_string())
}

/// The policy, if it is one that a key of this account can have.
pub(super) fn checked(call: &Call, text: &str) -> Result<Policy, Fault> {
    if text.len() > MAX_POLICY_BYTES {
        let message = format!("The policy is longer than {MAX_POLICY_BYTES} bytes.");
        return Err(refused(call, KeyRefusal::LimitExceeded(message)));
    }
    let policy = Policy::parse(text, PolicyKind::Resource)
        .map_err(|error| Fault::declared(MALFORMED, error.to_string()))?;
    if !principal::all_exist(call, text) {
        let message = "Policy contains a statement with one or more invalid principals.";
        return Err(Fault::declared(MALFORMED, message));
    }
    Ok(policy)
}

/// Refuses a policy under which its author could not change it again: nobody might.
pub(super) fn check_lockout(call: &Call, key: &Key, policy: &Policy) -> Result<(), Fault> {
    let action = "kms:PutKeyPolicy";
    let ask = call.arrival.context(&call.region);
    let wish = Use { action, context: None, via: None, named: &key.arn, ask };
    let context = call.rooms.key_guard.context(&call.caller, key, &wish);
    let principal = call.caller.principal.as_policy_principal();
    let request = Request { action, resource: &key.arn, principal, context: &context };
    match policy.evaluate(&request) {
        Match::Allow { .. } => Ok(()),
        Match::Deny { .. } | Match::None => {
            let message = "The new key policy will not allow you to update the key policy in the future.";
            Err(Fault::declared(MALFORMED, message))
        }
    }
}

fn check_name(name: Option<&str>) -> Result<(), Fault> {
    match name {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(Fault::declared("NotFoundException", "No such policy exists")),
    }
}

/// GetKeyPolicy
pub(super) struct GetKeyPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetKeyPolicyInput {
    key_id: String,
    policy_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetKeyPolicyOutput {
    policy: String,
    policy_name: &'static str,
}

impl Described for GetKeyPolicy {
    type Input = GetKeyPolicyInput;
    type Output = GetKeyPolicyOutput;
    const NAME: &'static str = "GetKeyPolicy";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &GetKeyPolicyInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Read for GetKeyPolicy {
    async fn act(input: GetKeyPolicyInput, call: &Call) -> Result<GetKeyPolicyOutput, Fault> {
        let key = Asking::to_manage(<Self as Described>::NAME, &input.key_id).permitted(call)?;
        check_name(input.policy_name.as_deref())?;
        let policy = binding::shown(&call.rooms.state, &key.policy, &key.policy_principals);
        Ok(GetKeyPolicyOutput { policy, policy_name: NAME })
    }
}

/// PutKeyPolicy
pub(super) struct PutKeyPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutKeyPolicyInput {
    key_id: String,
    policy_name: Option<String>,
    policy: String,
    #[serde(default)]
    bypass_policy_lockout_safety_check: bool,
}

impl Described for PutKeyPolicy {
    type Input = PutKeyPolicyInput;
    type Output = ();
    const NAME: &'static str = "PutKeyPolicy";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &PutKeyPolicyInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for PutKeyPolicy {
    fn act(input: PutKeyPolicyInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let asking = Asking::to_manage(<Self as Described>::NAME, &input.key_id);
        let key = asking.find(call)?;
        let bypass = input.bypass_policy_lockout_safety_check;
        let keys = Context::new().with("kms:BypassPolicyLockoutSafetyCheck", bypass.to_string());
        asking.permit_with(call, &key, None, keys)?;
        check_name(input.policy_name.as_deref())?;
        let policy = checked(call, &input.policy)?;
        if !bypass {
            check_lockout(call, &key, &policy)?;
        }
        let principals = binding::bindings(tx, &policy);
        let keyring = &call.rooms.keyring;
        keyring.set_policy(tx, &key, &input.policy, principals).map_err(|error| refused(call, error))
    }
}

/// ListKeyPolicies
pub(super) struct ListKeyPolicies;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListKeyPoliciesInput {
    key_id: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListKeyPoliciesOutput {
    policy_names: Vec<&'static str>,
    #[serde(flatten)]
    more: More,
}

impl Described for ListKeyPolicies {
    type Input = ListKeyPoliciesInput;
    type Output = ListKeyPoliciesOutput;
    const NAME: &'static str = "ListKeyPolicies";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &ListKeyPoliciesInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Read for ListKeyPolicies {
    async fn act(input: ListKeyPoliciesInput, call: &Call) -> Result<ListKeyPoliciesOutput, Fault> {
        Asking::to_manage(<Self as Described>::NAME, &input.key_id).permitted(call)?;
        let (policy_names, more) = input.paging.page(100, 1000, call)?.of_whole(vec![NAME], |name| name);
        Ok(ListKeyPoliciesOutput { policy_names, more })
    }
}
