//! The condition keys that a simulation needs values of.

use opentrail_identity::simulate::{context_keys_of_principal, context_keys_of_texts};
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read},
};

/// `GetContextKeysForPolicyResponse`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::iam) struct ContextKeys {
    context_key_names: Vec<String>,
}

/// GetContextKeysForCustomPolicy
pub(in crate::iam) struct GetContextKeysForCustomPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::iam) struct OfCustomInput {
    policy_input_list: Vec<String>,
}

impl Described for GetContextKeysForCustomPolicy {
    type Input = OfCustomInput;
    type Output = ContextKeys;
    const NAME: &'static str = "GetContextKeysForCustomPolicy";
}

impl Read for GetContextKeysForCustomPolicy {
    async fn act(input: OfCustomInput, call: &Call) -> Result<ContextKeys, Fault> {
        if input.policy_input_list.is_empty() {
            return Err(call.fault(Common::Invalid, "PolicyInputList must have at least one policy."));
        }
        let context_key_names =
            context_keys_of_texts(&input.policy_input_list).map_err(|error| call.refused(error))?;
        Ok(ContextKeys { context_key_names })
    }
}

/// GetContextKeysForPrincipalPolicy
pub(in crate::iam) struct GetContextKeysForPrincipalPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::iam) struct OfPrincipalInput {
    policy_source_arn: String,
    #[serde(default)]
    policy_input_list: Vec<String>,
}

impl Described for GetContextKeysForPrincipalPolicy {
    type Input = OfPrincipalInput;
    type Output = ContextKeys;
    const NAME: &'static str = "GetContextKeysForPrincipalPolicy";

    fn resource(input: &OfPrincipalInput, _: &Call) -> Result<String, Fault> {
        Ok(input.policy_source_arn.clone())
    }
}

impl Read for GetContextKeysForPrincipalPolicy {
    async fn act(input: OfPrincipalInput, call: &Call) -> Result<ContextKeys, Fault> {
        let state = &call.rooms.state;
        let OfPrincipalInput { policy_source_arn, policy_input_list } = &input;
        let found = context_keys_of_principal(state, call.account, policy_source_arn, policy_input_list);
        Ok(ContextKeys { context_key_names: found.map_err(|error| call.refused(error))? })
    }
}
