//! Sign, Verify.

use opentrail_event::RecordResource;
use opentrail_keyring::{
    Key,
    customer::{MessageType, SigningAlgorithm},
};
use opentrail_policy::Context;
use opentrail_wire::value::Blob;
use serde::{Deserialize, Serialize};

use super::{
    asking::{MAX_CIPHERTEXT, MAX_PLAINTEXT, check_dry_run, key_to_use, read, touched},
    refused,
    shape::{Secret, blob},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
};

/// What Sign and Verify ask alike.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Signing {
    key_id: String,
    #[serde(skip_serializing)]
    message: Secret,
    message_type: Option<String>,
    signing_algorithm: String,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    dry_run: Option<bool>,
}

impl Signing {
    /// The key, if the caller may use it so.
    fn key(
        &self,
        permission: &'static str,
        call: &Call,
    ) -> Result<(std::sync::Arc<Key>, MessageType, SigningAlgorithm), Fault> {
        let kind = match &self.message_type {
            None => MessageType::Raw,
            Some(text) => read(call, "messageType", text)?,
        };
        let algorithm: SigningAlgorithm = read(call, "signingAlgorithm", &self.signing_algorithm)?;
        let mut keys = Context::new().with("kms:SigningAlgorithm", algorithm.as_str());
        keys.set("kms:MessageType", kind.as_str());
        let key = key_to_use(call, permission, &self.key_id, self.grant_tokens.as_deref(), keys)?;
        Ok((key, kind, algorithm))
    }
}

/// Sign
pub(super) struct Sign;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SignOutput {
    key_id: String,
    signature: Blob,
    signing_algorithm: &'static str,
}

impl Described for Sign {
    type Input = Signing;
    type Output = SignOutput;
    const NAME: &'static str = "Sign";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Signing, call: &Call) -> Vec<RecordResource> {
        touched(call, &input.key_id)
    }
}

impl Read for Sign {
    async fn act(input: Signing, call: &Call) -> Result<SignOutput, Fault> {
        let message = input.message.within("message", MAX_PLAINTEXT, call)?;
        let (key, kind, algorithm) = input.key(Self::NAME, call)?;
        let keyring = &call.rooms.keyring;
        let signature = keyring.sign(&key, message, kind, algorithm).map_err(|error| refused(call, error))?;
        check_dry_run(input.dry_run)?;
        Ok(SignOutput {
            key_id: key.arn.clone(),
            signature: blob(&signature),
            signing_algorithm: algorithm.as_str(),
        })
    }
}

/// Verify
pub(super) struct Verify;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyInput {
    #[serde(flatten)]
    signing: Signing,
    #[serde(skip_serializing)]
    signature: Secret,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyOutput {
    key_id: String,
    signature_valid: bool,
    signing_algorithm: &'static str,
}

impl Described for Verify {
    type Input = VerifyInput;
    type Output = VerifyOutput;
    const NAME: &'static str = "Verify";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &VerifyInput, call: &Call) -> Vec<RecordResource> {
        touched(call, &input.signing.key_id)
    }
}

impl Read for Verify {
    async fn act(input: VerifyInput, call: &Call) -> Result<VerifyOutput, Fault> {
        let message = input.signing.message.within("message", MAX_PLAINTEXT, call)?;
        let signature = input.signature.within("signature", MAX_CIPHERTEXT, call)?;
        let (key, kind, algorithm) = input.signing.key(Self::NAME, call)?;
        let keyring = &call.rooms.keyring;
        let verified = keyring.verify_signature(&key, message, kind, signature, algorithm);
        verified.map_err(|error| refused(call, error))?;
        check_dry_run(input.signing.dry_run)?;
        Ok(VerifyOutput {
            key_id: key.arn.clone(),
            signature_valid: true,
            signing_algorithm: algorithm.as_str(),
        })
    }
}
