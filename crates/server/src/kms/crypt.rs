//! Encrypt, Decrypt.

use opentrail_event::RecordResource;
use opentrail_keyring::{
    EncryptionContext, Key, KeyRefusal,
    customer::{EncryptionAlgorithm, KeyUsage},
};
use opentrail_policy::Context;
use opentrail_wire::value::Blob;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    asking::{
        Asking, MAX_CIPHERTEXT, MAX_PLAINTEXT, algorithm, check_dry_run, check_no_recipient,
        check_takes_context, check_tokens, resource, touched,
    },
    refused,
    shape::{Secret, blob, show_context},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read},
};

/// Encrypt
pub(super) struct Encrypt;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EncryptInput {
    key_id: String,
    #[serde(skip_serializing)]
    plaintext: Secret,
    encryption_context: Option<EncryptionContext>,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    encryption_algorithm: Option<String>,
    dry_run: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EncryptOutput {
    ciphertext_blob: Blob,
    key_id: String,
    encryption_algorithm: &'static str,
}

/// What a record says of an encryption, also where it was not said.
pub(super) fn show(parameters: &mut Value, context: Option<&EncryptionContext>, algorithm: Option<&str>) {
    show_context(parameters, "encryptionContext", context);
    if let Some(members) = parameters.as_object_mut() {
        members.insert("encryptionAlgorithm".to_owned(), algorithm.unwrap_or("SYMMETRIC_DEFAULT").into());
    }
}

impl Described for Encrypt {
    type Input = EncryptInput;
    type Output = EncryptOutput;
    const NAME: &'static str = "Encrypt";
    const PERMISSION: Permission = Permission::OwnRules;

    fn amend(input: &EncryptInput, parameters: &mut Value) {
        show(parameters, input.encryption_context.as_ref(), input.encryption_algorithm.as_deref());
    }

    fn touched(input: &EncryptInput, call: &Call) -> Vec<RecordResource> {
        touched(call, &input.key_id)
    }
}

impl Read for Encrypt {
    async fn act(input: EncryptInput, call: &Call) -> Result<EncryptOutput, Fault> {
        let plain = input.plaintext.within("plaintext", MAX_PLAINTEXT, call)?;
        let algorithm = algorithm(call, input.encryption_algorithm.as_deref())?;
        check_tokens(call, input.grant_tokens.as_deref())?;
        let context = input.encryption_context.clone().unwrap_or_default();
        let asking = Asking::to_use(Self::NAME, &input.key_id);
        let key = asking.find_or_make(call).await?;
        permit_crypt(&asking, call, &key, &context, algorithm)?;
        let ciphertext = encrypt(call, &key, plain, &context, algorithm)?;
        check_dry_run(input.dry_run)?;
        Ok(EncryptOutput {
            ciphertext_blob: blob(&ciphertext),
            key_id: key.arn.clone(),
            encryption_algorithm: algorithm.as_str(),
        })
    }
}

/// Whether the caller may encrypt or decrypt so.
pub(super) fn permit_crypt(
    asking: &Asking<'_>,
    call: &Call,
    key: &Key,
    context: &EncryptionContext,
    algorithm: EncryptionAlgorithm,
) -> Result<(), Fault> {
    let keys = Context::new().with("kms:EncryptionAlgorithm", algorithm.as_str());
    asking.permit_with(call, key, Some(context).filter(|_| key.spec.is_symmetric()), keys)
}

/// The ciphertext of the key's kind.
pub(super) fn encrypt(
    call: &Call,
    key: &Key,
    plain: &[u8],
    context: &EncryptionContext,
    algorithm: EncryptionAlgorithm,
) -> Result<Vec<u8>, Fault> {
    let keyring = &call.rooms.keyring;
    let ciphertext = check_takes_context(key, context).and_then(|()| match algorithm {
        EncryptionAlgorithm::SymmetricDefault => keyring.encrypt(key, plain, context),
        _ => keyring.encrypt_oaep(key, plain, algorithm),
    });
    ciphertext.map_err(|error| refused(call, error))
}

/// A ciphertext, opened.
pub(super) struct Opened {
    pub(super) plain: Zeroizing<Vec<u8>>,
    /// Of a symmetric key.
    pub(super) material_id: Option<String>,
}

/// Opens a ciphertext that was made with this key.
pub(super) fn decrypt(
    call: &Call,
    key: &Key,
    ciphertext: &[u8],
    context: &EncryptionContext,
    algorithm: EncryptionAlgorithm,
) -> Result<Opened, Fault> {
    let keyring = &call.rooms.keyring;
    let opened = check_takes_context(key, context).and_then(|()| {
        key.check_usable()?;
        key.check_usage(KeyUsage::EncryptDecrypt, "Decrypt")?;
        if algorithm != EncryptionAlgorithm::SymmetricDefault {
            let plain = keyring.decrypt_oaep(key, ciphertext, algorithm)?;
            return Ok(Opened { plain, material_id: None });
        }
        key.check_symmetric("Decrypt")?;
        let opened = keyring.decrypt(ciphertext, context)?;
        if opened.key_arn != key.arn {
            return Err(KeyRefusal::IncorrectKey.into());
        }
        Ok(Opened { plain: opened.plaintext, material_id: Some(opened.material_id) })
    });
    opened.map_err(|error| refused(call, error))
}

/// The key that opens a ciphertext: the one named, else the one that the ciphertext itself names.
pub(super) async fn opening_key(
    call: &Call,
    permission: &'static str,
    named: Option<&str>,
    ciphertext: &[u8],
    algorithm: EncryptionAlgorithm,
    context: &EncryptionContext,
) -> Result<std::sync::Arc<Key>, Fault> {
    let keyring = &call.rooms.keyring;
    if let Some(reference) = named {
        let asking = Asking::to_use(permission, reference);
        let key = asking.find_or_make(call).await?;
        permit_crypt(&asking, call, &key, context, algorithm)?;
        if algorithm == EncryptionAlgorithm::SymmetricDefault && key.spec.is_symmetric() {
            let of = keyring.key_of_ciphertext(ciphertext).map_err(|error| refused(call, error))?;
            if of.arn != key.arn {
                return Err(refused(call, KeyRefusal::IncorrectKey));
            }
        }
        return Ok(key);
    }
    if algorithm != EncryptionAlgorithm::SymmetricDefault {
        let message = "KeyId is required for a ciphertext of an asymmetric key.";
        return Err(call.fault(Common::Invalid, message));
    }
    // Who names no key hears nothing of it.
    let hidden = || {
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this \
                       region, or you are not allowed to access.";
        call.fault(Common::AccessDenied, message)
    };
    let key = match keyring.key_of_ciphertext(ciphertext) {
        Ok(key) => key,
        Err(opentrail_keyring::KeyringError::Key(KeyRefusal::NoSuchKey { .. })) => return Err(hidden()),
        Err(error) => return Err(refused(call, error)),
    };
    if key.region != call.region {
        return Err(hidden());
    }
    let asking = Asking::to_use(permission, &key.arn);
    permit_crypt(&asking, call, &key, context, algorithm).map_err(|_| hidden())?;
    Ok(key)
}

/// Decrypt
pub(super) struct Decrypt;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DecryptInput {
    #[serde(skip_serializing)]
    ciphertext_blob: Option<Secret>,
    encryption_context: Option<EncryptionContext>,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    key_id: Option<String>,
    encryption_algorithm: Option<String>,
    #[serde(skip_serializing)]
    recipient: Option<Value>,
    dry_run: Option<bool>,
    dry_run_modifiers: Option<Vec<String>>,
}

impl DecryptInput {
    /// A ciphertext is not asked for by who only tries permissions.
    fn ignores_ciphertext(&self) -> bool {
        let modifiers = self.dry_run_modifiers.as_deref().unwrap_or_default();
        self.dry_run == Some(true) && modifiers.iter().any(|modifier| modifier == "IGNORE_CIPHERTEXT")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DecryptOutput {
    key_id: String,
    plaintext: Blob,
    encryption_algorithm: &'static str,
    key_material_id: Option<String>,
}

impl Described for Decrypt {
    type Input = DecryptInput;
    type Output = DecryptOutput;
    const NAME: &'static str = "Decrypt";
    const PERMISSION: Permission = Permission::OwnRules;

    fn amend(input: &DecryptInput, parameters: &mut Value) {
        show(parameters, input.encryption_context.as_ref(), input.encryption_algorithm.as_deref());
    }

    fn touched(input: &DecryptInput, call: &Call) -> Vec<RecordResource> {
        if let Some(key_id) = &input.key_id {
            return touched(call, key_id);
        }
        let key = input
            .ciphertext_blob
            .as_ref()
            .and_then(|bytes| call.rooms.keyring.key_of_ciphertext(&bytes.0).ok());
        key.filter(|key| key.region == call.region).map(|key| vec![resource(&key)]).unwrap_or_default()
    }
}

impl Read for Decrypt {
    async fn act(input: DecryptInput, call: &Call) -> Result<DecryptOutput, Fault> {
        check_no_recipient(call, input.recipient.as_ref())?;
        check_tokens(call, input.grant_tokens.as_deref())?;
        let algorithm = algorithm(call, input.encryption_algorithm.as_deref())?;
        let context = input.encryption_context.clone().unwrap_or_default();
        if input.ignores_ciphertext()
            && let Some(key_id) = &input.key_id
        {
            let asking = Asking::to_use(Self::NAME, key_id);
            let key = asking.find_or_make(call).await?;
            permit_crypt(&asking, call, &key, &context, algorithm)?;
            check_dry_run(input.dry_run)?;
        }
        let Some(ciphertext) = &input.ciphertext_blob else {
            return Err(call.fault(Common::Invalid, "CiphertextBlob is required."));
        };
        let ciphertext = ciphertext.within("ciphertextBlob", MAX_CIPHERTEXT, call)?;
        let named = input.key_id.as_deref();
        let key = opening_key(call, Self::NAME, named, ciphertext, algorithm, &context).await?;
        let opened = decrypt(call, &key, ciphertext, &context, algorithm)?;
        check_dry_run(input.dry_run)?;
        Ok(DecryptOutput {
            key_id: key.arn.clone(),
            plaintext: blob(&opened.plain),
            encryption_algorithm: algorithm.as_str(),
            key_material_id: opened.material_id,
        })
    }
}
