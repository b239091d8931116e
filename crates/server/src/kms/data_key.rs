//! GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext,
//! GenerateRandom.

use opentrail_event::RecordResource;
use opentrail_keyring::{
    EncryptionContext, Key,
    customer::{KeySpec, NewMaterial},
};
use opentrail_policy::Context;
use opentrail_wire::value::Blob;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use zeroize::Zeroizing;

use super::{
    asking::{Asking, MAX_RANDOM_BYTES, check_dry_run, check_no_recipient, check_tokens, read, touched},
    refused,
    shape::{blob, show_context},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read},
};

/// The input of the operations that make a data key.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DataKeyInput {
    key_id: String,
    encryption_context: Option<EncryptionContext>,
    number_of_bytes: Option<i64>,
    key_spec: Option<String>,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    #[serde(skip_serializing)]
    recipient: Option<Value>,
    dry_run: Option<bool>,
}

impl DataKeyInput {
    fn length(&self, call: &Call) -> Result<usize, Fault> {
        match (self.number_of_bytes, self.key_spec.as_deref()) {
            (None, Some("AES_256")) => Ok(32),
            (None, Some("AES_128")) => Ok(16),
            (None, Some(other)) => {
                let message = format!("Value '{other}' at 'keySpec' must be AES_256 or AES_128.");
                Err(call.fault(Common::Invalid, message))
            }
            (Some(bytes), None) => random_bytes(bytes, call),
            (None, None) | (Some(_), Some(_)) => {
                let message = "Please specify either number of bytes or key spec.";
                Err(call.fault(Common::Invalid, message))
            }
        }
    }

    /// The key, if the caller may make data keys with it, and a new data key.
    async fn make(&self, permission: &'static str, call: &Call) -> Result<Made, Fault> {
        let length = self.length(call)?;
        check_no_recipient(call, self.recipient.as_ref())?;
        let context = self.encryption_context.clone().unwrap_or_default();
        let key = wrapping_key(permission, &self.key_id, self.grant_tokens.as_deref(), &context, None, call)
            .await?;
        let keyring = &call.rooms.keyring;
        let made = keyring.generate_data_key_of(&key, &context, length, permission);
        let (plain, ciphertext) = made.map_err(|error| refused(call, error))?;
        check_dry_run(self.dry_run)?;
        Ok(Made { key, plain, ciphertext })
    }
}

struct Made {
    key: Arc<Key>,
    plain: Zeroizing<Vec<u8>>,
    ciphertext: Vec<u8>,
}

/// A number of random bytes that can be asked for.
fn random_bytes(bytes: i64, call: &Call) -> Result<usize, Fault> {
    let within = usize::try_from(bytes).ok().filter(|_| (1..=MAX_RANDOM_BYTES).contains(&bytes));
    within.ok_or_else(|| {
        let message = "1 validation error detected: Value at 'numberOfBytes' failed to satisfy constraint: Member \
                       must have value between 1 and 1024";
        call.fault(Common::Invalid, message)
    })
}

/// The key that data keys are encrypted with, if the caller may.
async fn wrapping_key(
    permission: &'static str,
    key_id: &str,
    tokens: Option<&[String]>,
    context: &EncryptionContext,
    pair: Option<KeySpec>,
    call: &Call,
) -> Result<Arc<Key>, Fault> {
    check_tokens(call, tokens)?;
    let asking = Asking::to_use(permission, key_id);
    let key = asking.find_or_make(call).await?;
    let mut keys = Context::new().with("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    if let Some(pair) = pair {
        keys.set("kms:DataKeyPairSpec", pair.as_str());
    }
    asking.permit_with(call, &key, Some(context), keys)?;
    Ok(key)
}

/// GenerateDataKey
pub(super) struct GenerateDataKey;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DataKeyOutput {
    ciphertext_blob: Blob,
    plaintext: Option<Blob>,
    key_id: String,
    key_material_id: String,
}

impl Made {
    fn output(&self, plaintext: bool) -> DataKeyOutput {
        DataKeyOutput {
            ciphertext_blob: blob(&self.ciphertext),
            plaintext: plaintext.then(|| blob(&self.plain)),
            key_id: self.key.arn.clone(),
            key_material_id: self.key.material().id.clone(),
        }
    }
}

macro_rules! makes_a_data_key {
    ($(#[$doc:meta])* $name:ident, $input:ty, $output:ty) => {
        impl Described for $name {
            type Input = $input;
            type Output = $output;
            const NAME: &'static str = stringify!($name);
            const PERMISSION: Permission = Permission::OwnRules;

            fn amend(input: &$input, parameters: &mut Value) {
                show_context(parameters, "encryptionContext", input.encryption_context.as_ref());
            }

            fn touched(input: &$input, call: &Call) -> Vec<RecordResource> {
                touched(call, &input.key_id)
            }
        }
    };
}

makes_a_data_key!(GenerateDataKey, DataKeyInput, DataKeyOutput);
makes_a_data_key!(GenerateDataKeyWithoutPlaintext, DataKeyInput, DataKeyOutput);
makes_a_data_key!(GenerateDataKeyPair, DataKeyPairInput, DataKeyPairOutput);
makes_a_data_key!(GenerateDataKeyPairWithoutPlaintext, DataKeyPairInput, DataKeyPairOutput);

impl Read for GenerateDataKey {
    async fn act(input: DataKeyInput, call: &Call) -> Result<DataKeyOutput, Fault> {
        Ok(input.make(Self::NAME, call).await?.output(true))
    }
}

/// GenerateDataKeyWithoutPlaintext
pub(super) struct GenerateDataKeyWithoutPlaintext;

impl Read for GenerateDataKeyWithoutPlaintext {
    async fn act(input: DataKeyInput, call: &Call) -> Result<DataKeyOutput, Fault> {
        Ok(input.make(Self::NAME, call).await?.output(false))
    }
}

/// GenerateDataKeyPair
pub(super) struct GenerateDataKeyPair;
/// GenerateDataKeyPairWithoutPlaintext
pub(super) struct GenerateDataKeyPairWithoutPlaintext;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DataKeyPairInput {
    key_id: String,
    key_pair_spec: String,
    encryption_context: Option<EncryptionContext>,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    #[serde(skip_serializing)]
    recipient: Option<Value>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DataKeyPairOutput {
    private_key_ciphertext_blob: Blob,
    private_key_plaintext: Option<Blob>,
    public_key: Blob,
    key_id: String,
    key_pair_spec: &'static str,
    key_material_id: String,
}

impl DataKeyPairInput {
    async fn make(
        &self,
        permission: &'static str,
        plaintext: bool,
        call: &Call,
    ) -> Result<DataKeyPairOutput, Fault> {
        check_no_recipient(call, self.recipient.as_ref())?;
        let known = ["SM2", "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"];
        if known.contains(&self.key_pair_spec.as_str()) {
            let message = format!("opentrail makes no key pairs of {}.", self.key_pair_spec);
            return Err(call.fault(Common::Unsupported, message));
        }
        let spec: KeySpec = read(call, "keyPairSpec", &self.key_pair_spec)?;
        if !spec.is_asymmetric() {
            return Err(call.fault(Common::Invalid, format!("{spec} is no spec of a key pair.")));
        }
        let context = self.encryption_context.clone().unwrap_or_default();
        let tokens = self.grant_tokens.as_deref();
        let key = wrapping_key(permission, &self.key_id, tokens, &context, Some(spec), call).await?;
        let drawn = tokio::task::spawn_blocking(move || NewMaterial::generate(spec)).await;
        let drawn = drawn.map_err(|_| call.fault(Common::Internal, "An internal error occurred."))?;
        let pair = drawn.map_err(|error| refused(call, error))?;
        let sealed = call.rooms.keyring.seal_private_key(&key, &pair, &context, permission);
        let sealed = sealed.map_err(|error| refused(call, error))?;
        check_dry_run(self.dry_run)?;
        Ok(DataKeyPairOutput {
            private_key_ciphertext_blob: blob(&sealed),
            private_key_plaintext: plaintext.then(|| blob(pair.secret())),
            public_key: blob(pair.public_key().unwrap_or_default()),
            key_id: key.arn.clone(),
            key_pair_spec: spec.as_str(),
            key_material_id: key.material().id.clone(),
        })
    }
}

impl Read for GenerateDataKeyPair {
    async fn act(input: DataKeyPairInput, call: &Call) -> Result<DataKeyPairOutput, Fault> {
        input.make(Self::NAME, true, call).await
    }
}

impl Read for GenerateDataKeyPairWithoutPlaintext {
    async fn act(input: DataKeyPairInput, call: &Call) -> Result<DataKeyPairOutput, Fault> {
        input.make(Self::NAME, false, call).await
    }
}

/// GenerateRandom
pub(super) struct GenerateRandom;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateRandomInput {
    number_of_bytes: Option<i64>,
    custom_key_store_id: Option<String>,
    #[serde(skip_serializing)]
    recipient: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateRandomOutput {
    plaintext: Blob,
}

impl Described for GenerateRandom {
    type Input = GenerateRandomInput;
    type Output = GenerateRandomOutput;
    const NAME: &'static str = "GenerateRandom";
}

impl Read for GenerateRandom {
    async fn act(input: GenerateRandomInput, call: &Call) -> Result<GenerateRandomOutput, Fault> {
        check_no_recipient(call, input.recipient.as_ref())?;
        if input.custom_key_store_id.is_some() {
            let message = "There are no custom key stores here.";
            return Err(Fault::declared("CustomKeyStoreNotFoundException", message));
        }
        let Some(bytes) = input.number_of_bytes else {
            return Err(call.fault(Common::Invalid, "NumberOfBytes is required."));
        };
        let drawn = call.rooms.keyring.random(random_bytes(bytes, call)?);
        Ok(GenerateRandomOutput { plaintext: blob(&drawn.map_err(|error| refused(call, error))?) })
    }
}
