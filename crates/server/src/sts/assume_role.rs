//! AssumeRole: the role's trust policy decides, and where it trusts an account, the caller's policies too.

use opentrail_event::RecordResource;
use opentrail_identity as identity;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    mfa,
    shape::{AssumedRoleUser, Issued, PolicyDescriptor, SECRETS, SessionTag, arns, role, tags},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Spend},
};

pub(super) struct AssumeRole;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<u32>,
    policy: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policy_arns: Vec<PolicyDescriptor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<SessionTag>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transitive_tag_keys: Vec<String>,
    external_id: Option<String>,
    serial_number: Option<String>,
    token_code: Option<String>,
    source_identity: Option<String>,
    #[serde(default, skip_serializing)]
    provided_contexts: Vec<ProvidedContext>,
    minimum_session_token_size: Option<u32>,
}

/// What an identity centre says of somebody: nothing here would know it as one.
#[derive(Deserialize)]
struct ProvidedContext {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    #[serde(flatten)]
    issued: Issued,
    assumed_role_user: AssumedRoleUser,
    packed_policy_size: Option<usize>,
    source_identity: Option<String>,
}

impl Described for AssumeRole {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "AssumeRole";
    const PERMISSION: Permission = Permission::OwnRules;
    const SECRETS: &'static [&'static str] = SECRETS;
    const SHOWS_ELEMENTS: bool = true;
    /// As in AWS's own records: neither parameters nor the role.
    const DENIAL_SHOWS_PARAMETERS: bool = false;

    fn touched(input: &Input, _: &Call) -> Vec<RecordResource> {
        vec![role(&input.role_arn)]
    }
}

impl Spend for AssumeRole {
    fn spends(input: &Input) -> bool {
        input.token_code.is_some()
    }

    fn act(input: Input, call: &Call, tx: Option<&mut Transaction>) -> Result<Output, Fault> {
        if !input.provided_contexts.is_empty() {
            return Err(call.fault(Common::Unsupported, "opentrail does not support ProvidedContexts."));
        }
        let (serial_number, code) = (input.serial_number.as_deref(), input.token_code.as_deref());
        let mfa = mfa::prove(serial_number, code, call, tx)?;
        let (policy_arns, tags) = (arns(input.policy_arns), tags(&input.tags));
        let ask = identity::AssumeRole {
            role_arn: &input.role_arn,
            session_name: &input.role_session_name,
            duration_seconds: input.duration_seconds,
            policy: input.policy.as_deref(),
            policy_arns: &policy_arns,
            tags: &tags,
            transitive_tag_keys: &input.transitive_tag_keys,
            external_id: input.external_id.as_deref(),
            source_identity: input.source_identity.as_deref(),
            mfa,
            context: call.arrival.context(&call.region),
        };
        let assumed = call
            .rooms
            .identity
            .assume_role(&call.caller, &ask, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(Output {
            assumed_role_user: AssumedRoleUser::of(&assumed),
            issued: Issued::of(assumed.credentials, input.minimum_session_token_size, call)?,
            packed_policy_size: assumed.packed_policy_size,
            source_identity: assumed.source_identity,
        })
    }
}
