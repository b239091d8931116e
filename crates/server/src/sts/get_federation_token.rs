//! GetFederationToken: a session of somebody who is not known here, with what a policy lets through of the caller's.

use opentrail_identity as identity;
use serde::{Deserialize, Serialize};

use super::shape::{Issued, PolicyDescriptor, SECRETS, SessionTag, arns, tags};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
};

pub(super) struct GetFederationToken;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    name: String,
    policy: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policy_arns: Vec<PolicyDescriptor>,
    duration_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<SessionTag>,
    minimum_session_token_size: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    #[serde(flatten)]
    issued: Issued,
    federated_user: FederatedUser,
    packed_policy_size: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederatedUser {
    federated_user_id: String,
    arn: String,
}

impl Described for GetFederationToken {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetFederationToken";
    const PERMISSION: Permission = Permission::OwnRules;
    const SECRETS: &'static [&'static str] = SECRETS;
    const SHOWS_ELEMENTS: bool = true;
}

impl Read for GetFederationToken {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let (policy_arns, tags) = (arns(input.policy_arns), tags(&input.tags));
        let ask = identity::GetFederationToken {
            name: &input.name,
            duration_seconds: input.duration_seconds,
            policy: input.policy.as_deref(),
            policy_arns: &policy_arns,
            tags: &tags,
            context: call.arrival.context(&call.region),
        };
        let session = call
            .rooms
            .identity
            .federation_token(&call.caller, &ask, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(Output {
            issued: Issued::of(session.credentials, input.minimum_session_token_size, call)?,
            federated_user: FederatedUser {
                federated_user_id: session.federated_user_id,
                arn: session.arn.to_string(),
            },
            packed_policy_size: session.packed_policy_size,
        })
    }
}
