//! ReEncrypt: from one key to another, without showing what is in between.

use opentrail_event::RecordResource;
use opentrail_keyring::EncryptionContext;
use opentrail_policy::Context;
use opentrail_wire::value::Blob;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    asking::{Asking, MAX_CIPHERTEXT, algorithm, check_dry_run, check_tokens, resource, touched},
    crypt,
    shape::{Secret, blob, show_context},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read},
};

/// ReEncrypt
pub(super) struct ReEncrypt;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReEncryptInput {
    #[serde(skip_serializing)]
    ciphertext_blob: Option<Secret>,
    source_encryption_context: Option<EncryptionContext>,
    source_key_id: Option<String>,
    destination_key_id: String,
    destination_encryption_context: Option<EncryptionContext>,
    source_encryption_algorithm: Option<String>,
    destination_encryption_algorithm: Option<String>,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReEncryptOutput {
    ciphertext_blob: Blob,
    source_key_id: String,
    key_id: String,
    source_encryption_algorithm: &'static str,
    destination_encryption_algorithm: &'static str,
    source_key_material_id: Option<String>,
    destination_key_material_id: Option<String>,
}

impl Described for ReEncrypt {
    type Input = ReEncryptInput;
    type Output = ReEncryptOutput;
    const NAME: &'static str = "ReEncrypt";
    const PERMISSION: Permission = Permission::OwnRules;

    fn amend(input: &ReEncryptInput, parameters: &mut Value) {
        show_context(parameters, "sourceEncryptionContext", input.source_encryption_context.as_ref());
        show_context(
            parameters,
            "destinationEncryptionContext",
            input.destination_encryption_context.as_ref(),
        );
    }

    fn touched(input: &ReEncryptInput, call: &Call) -> Vec<RecordResource> {
        let mut resources = match (&input.source_key_id, &input.ciphertext_blob) {
            (Some(key_id), _) => touched(call, key_id),
            (None, Some(bytes)) => {
                let key = call.rooms.keyring.key_of_ciphertext(&bytes.0).ok();
                key.filter(|key| key.region == call.region)
                    .map(|key| vec![resource(&key)])
                    .unwrap_or_default()
            }
            (None, None) => Vec::new(),
        };
        resources.extend(touched(call, &input.destination_key_id));
        resources
    }
}

impl Read for ReEncrypt {
    async fn act(input: ReEncryptInput, call: &Call) -> Result<ReEncryptOutput, Fault> {
        check_tokens(call, input.grant_tokens.as_deref())?;
        let from = algorithm(call, input.source_encryption_algorithm.as_deref())?;
        let to = algorithm(call, input.destination_encryption_algorithm.as_deref())?;
        let Some(ciphertext) = &input.ciphertext_blob else {
            return Err(call.fault(Common::Invalid, "CiphertextBlob is required."));
        };
        let ciphertext = ciphertext.within("ciphertextBlob", MAX_CIPHERTEXT, call)?;
        let old = input.source_encryption_context.clone().unwrap_or_default();
        let new = input.destination_encryption_context.clone().unwrap_or_default();
        let named = input.source_key_id.as_deref();
        let source = crypt::opening_key(call, "ReEncryptFrom", named, ciphertext, from, &old).await?;
        let asking = Asking::to_use("ReEncryptTo", &input.destination_key_id);
        let destination = asking.find_or_make(call).await?;
        let mut keys = Context::new().with("kms:EncryptionAlgorithm", to.as_str());
        keys.set("kms:ReEncryptOnSameKey", (source.arn == destination.arn).to_string());
        let context = Some(&new).filter(|_| destination.spec.is_symmetric());
        asking.permit_with(call, &destination, context, keys)?;
        let opened = crypt::decrypt(call, &source, ciphertext, &old, from)?;
        let ciphertext = crypt::encrypt(call, &destination, &opened.plain, &new, to)?;
        check_dry_run(input.dry_run)?;
        Ok(ReEncryptOutput {
            ciphertext_blob: blob(&ciphertext),
            source_key_id: source.arn.clone(),
            key_id: destination.arn.clone(),
            source_encryption_algorithm: from.as_str(),
            destination_encryption_algorithm: to.as_str(),
            source_key_material_id: opened.material_id,
            destination_key_material_id: destination
                .spec
                .is_symmetric()
                .then(|| destination.material().id.clone()),
        })
    }
}
