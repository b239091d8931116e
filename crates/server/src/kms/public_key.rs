//! GetPublicKey.

use opentrail_event::RecordResource;
use opentrail_keyring::KeyRefusal;
use opentrail_wire::value::Blob;
use serde::{Deserialize, Serialize};

use super::{
    asking::{Asking, check_tokens, touched},
    refused,
    shape::{blob, encryption_algorithms, signing_algorithms},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
};

/// GetPublicKey
pub(super) struct GetPublicKey;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetPublicKeyInput {
    key_id: String,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetPublicKeyOutput {
    key_id: String,
    public_key: Blob,
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    key_usage: &'static str,
    encryption_algorithms: Option<Vec<&'static str>>,
    signing_algorithms: Option<Vec<&'static str>>,
}

impl Described for GetPublicKey {
    type Input = GetPublicKeyInput;
    type Output = GetPublicKeyOutput;
    const NAME: &'static str = "GetPublicKey";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &GetPublicKeyInput, call: &Call) -> Vec<RecordResource> {
        touched(call, &input.key_id)
    }
}

impl Read for GetPublicKey {
    async fn act(input: GetPublicKeyInput, call: &Call) -> Result<GetPublicKeyOutput, Fault> {
        check_tokens(call, input.grant_tokens.as_deref())?;
        let asking = Asking::to_use(Self::NAME, &input.key_id);
        let key = asking.find(call)?;
        asking.permit(call, &key)?;
        let Some(public) = key.public_key_der() else {
            let message = format!("{} has no public key.", key.arn);
            return Err(refused(call, KeyRefusal::Unsupported(message)));
        };
        key.check_usable().map_err(|error| refused(call, error))?;
        let names = |names: Vec<&'static str>| Some(names).filter(|names| !names.is_empty());
        Ok(GetPublicKeyOutput {
            key_id: key.arn.clone(),
            public_key: blob(&public),
            customer_master_key_spec: key.spec.as_str(),
            key_spec: key.spec.as_str(),
            key_usage: key.usage.as_str(),
            encryption_algorithms: names(encryption_algorithms(&key)),
            signing_algorithms: names(signing_algorithms(&key)),
        })
    }
}
