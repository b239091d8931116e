//! CreateKey, EnableKey, DisableKey, UpdateKeyDescription.

use std::sync::OnceLock;

use opentrail_event::RecordResource;
use opentrail_identity::{Tag, binding, set_request_tags};
use opentrail_keyring::customer::{KeySpec, KeyUsage, NewKey, NewMaterial};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, Asking, read},
    policy, refused,
    shape::{KeyMetadata, OneKey, TagShape, pairs},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Write},
};

/// CreateKey
pub(super) struct CreateKey;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateKeyInput {
    policy: Option<String>,
    description: Option<String>,
    key_usage: Option<String>,
    customer_master_key_spec: Option<String>,
    key_spec: Option<String>,
    origin: Option<String>,
    custom_key_store_id: Option<String>,
    #[serde(default)]
    bypass_policy_lockout_safety_check: bool,
    tags: Option<Vec<TagShape>>,
    multi_region: Option<bool>,
    xks_key_id: Option<String>,
    /// Drawn before anything is locked: an RSA key takes its time.
    #[serde(skip)]
    material: OnceLock<NewMaterial>,
}

impl CreateKeyInput {
    /// Specs and usages of AWS's model that there are none of here.
    const UNSUPPORTED: &'static [&'static str] = &[
        "SM2",
        "ML_DSA_44",
        "ML_DSA_65",
        "ML_DSA_87",
        "ECC_NIST_EDWARDS25519",
        "ML_KEM_512",
        "ML_KEM_768",
        "ML_KEM_1024",
        "KEY_AGREEMENT",
        "ENCAPSULATE_DECAPSULATE",
        "EXTERNAL",
        "AWS_CLOUDHSM",
        "EXTERNAL_KEY_STORE",
    ];

    fn spec_name(&self) -> &str {
        let named = self.key_spec.as_deref().or(self.customer_master_key_spec.as_deref());
        named.unwrap_or("SYMMETRIC_DEFAULT")
    }

    fn check_built(&self, call: &Call) -> Result<(), Fault> {
        let refused =
            |what: &str| call.fault(Common::Unsupported, format!("opentrail has no keys with {what}."));
        let asked = [Some(self.spec_name()), self.key_usage.as_deref(), self.origin.as_deref()];
        if let Some(name) = asked.into_iter().flatten().find(|name| Self::UNSUPPORTED.contains(name)) {
            return Err(refused(name));
        }
        if self.custom_key_store_id.is_some() || self.xks_key_id.is_some() {
            return Err(refused("a key store of their own"));
        }
        if self.multi_region == Some(true) {
            return Err(refused("replicas in other regions (MultiRegion)"));
        }
        match self.origin.as_deref() {
            None | Some("AWS_KMS") => Ok(()),
            Some(other) => {
                Err(call.fault(Common::Invalid, format!("Value '{other}' at 'origin' is no origin.")))
            }
        }
    }

    fn spec(&self, call: &Call) -> Result<KeySpec, Fault> {
        if self.key_spec.is_some() && self.customer_master_key_spec.is_some() {
            let message = "You cannot specify KeySpec and CustomerMasterKeySpec in the same request.";
            return Err(call.fault(Common::Invalid, message));
        }
        read(call, "keySpec", self.spec_name())
    }

    fn usage(&self, spec: KeySpec, call: &Call) -> Result<KeyUsage, Fault> {
        match &self.key_usage {
            Some(text) => read(call, "keyUsage", text),
            None if spec.is_symmetric() => Ok(KeyUsage::EncryptDecrypt),
            None => {
                let message = format!("You must specify a KeyUsage value for keys of KeySpec {spec}.");
                Err(call.fault(Common::Invalid, message))
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateKeyOutput {
    key_metadata: KeyMetadata,
}

impl Described for CreateKey {
    type Input = CreateKeyInput;
    type Output = CreateKeyOutput;
    const NAME: &'static str = "CreateKey";

    fn context(input: &CreateKeyInput, _call: &Call, context: &mut Context) {
        context.set("kms:KeySpec", input.spec_name());
        context.set("kms:CustomerMasterKeySpec", input.spec_name());
        let usage = input.key_usage.as_deref().unwrap_or("ENCRYPT_DECRYPT");
        context.set("kms:KeyUsage", usage);
        context.set("kms:CustomerMasterKeyUsage", usage);
        context.set("kms:KeyOrigin", input.origin.as_deref().unwrap_or("AWS_KMS"));
        context.set("kms:MultiRegion", input.multi_region.unwrap_or(false).to_string());
        let bypass = input.bypass_policy_lockout_safety_check;
        context.set("kms:BypassPolicyLockoutSafetyCheck", bypass.to_string());
        set_tags(context, input.tags.as_deref().unwrap_or_default());
    }
}

impl Write for CreateKey {
    async fn prepare(input: &CreateKeyInput, call: &Call) -> Result<(), Fault> {
        input.check_built(call)?;
        let spec = input.spec(call)?;
        let usage = input.usage(spec, call)?;
        if !spec.usages().contains(&usage) {
            let message = format!("KeyUsage {usage} is not compatible with KeySpec {spec}");
            return Err(call.fault(Common::Invalid, message));
        }
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            // Tags at the making need the permission to tag (the guide, "Controlling access to tags").
            let mut context = call.arrival.context(&call.region);
            Self::context(input, call, &mut context);
            call.permit("kms:TagResource", "*", context)?;
        }
        let drawn = tokio::task::spawn_blocking(move || NewMaterial::generate(spec)).await;
        let drawn = drawn.map_err(|_| call.fault(Common::Internal, "An internal error occurred."))?;
        // It was empty: an input is prepared once.
        input.material.set(drawn.map_err(|error| refused(call, error))?).ok();
        Ok(())
    }

    fn act(input: CreateKeyInput, call: &Call, tx: &mut Transaction) -> Result<CreateKeyOutput, Fault> {
        let spec = input.spec(call)?;
        let usage = input.usage(spec, call)?;
        let text = match &input.policy {
            Some(text) => text.clone(),
            None => policy::usual(call.account),
        };
        let Some(material) = input.material.get() else {
            return Err(call.fault(Common::Internal, "An internal error occurred."));
        };
        let parsed = policy::checked(call, &text)?;
        let new = NewKey {
            account: call.account,
            region: call.region.clone(),
            description: input.description.clone().unwrap_or_default(),
            usage,
            policy: text.clone(),
            policy_principals: binding::bindings(tx, &parsed),
            tags: pairs(input.tags.as_deref().unwrap_or_default()),
        };
        let keyring = &call.rooms.keyring;
        let key =
            keyring.create_key(tx, new, material, call.arrival.at).map_err(|error| refused(call, error))?;
        if !input.bypass_policy_lockout_safety_check {
            policy::check_lockout(call, &key, &parsed)?;
        }
        Ok(CreateKeyOutput { key_metadata: KeyMetadata::from(&key) })
    }
}

/// Sets the condition keys of tags that a request brings.
pub(super) fn set_tags(context: &mut Context, tags: &[TagShape]) {
    let tags: Vec<Tag> =
        tags.iter().map(|tag| Tag { key: tag.tag_key.clone(), value: tag.tag_value.clone() }).collect();
    set_request_tags(context, &tags);
}

/// EnableKey
pub(super) struct EnableKey;
/// DisableKey
pub(super) struct DisableKey;

/// What EnableKey and DisableKey do.
fn set_enabled(
    permission: &'static str,
    enabled: bool,
    input: &OneKey,
    call: &Call,
    tx: &mut Transaction,
) -> Result<(), Fault> {
    let key = Asking::to_manage(permission, &input.key_id).permitted(call)?;
    call.rooms.keyring.set_enabled(tx, &key, enabled).map_err(|error| refused(call, error))
}

macro_rules! about_one_key {
    ($name:ident) => {
        impl Described for $name {
            type Input = OneKey;
            type Output = ();
            const NAME: &'static str = stringify!($name);
            const PERMISSION: Permission = Permission::OwnRules;

            fn touched(input: &OneKey, call: &Call) -> Vec<RecordResource> {
                asking::touched(call, &input.key_id)
            }
        }
    };
}

about_one_key!(EnableKey);
about_one_key!(DisableKey);

impl Write for EnableKey {
    fn act(input: OneKey, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        set_enabled(Self::NAME, true, &input, call, tx)
    }
}

impl Write for DisableKey {
    fn act(input: OneKey, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        set_enabled(Self::NAME, false, &input, call, tx)
    }
}

/// UpdateKeyDescription
pub(super) struct UpdateKeyDescription;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateKeyDescriptionInput {
    key_id: String,
    description: String,
}

impl Described for UpdateKeyDescription {
    type Input = UpdateKeyDescriptionInput;
    type Output = ();
    const NAME: &'static str = "UpdateKeyDescription";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &UpdateKeyDescriptionInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for UpdateKeyDescription {
    fn act(input: UpdateKeyDescriptionInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let key = Asking::to_manage(Self::NAME, &input.key_id).permitted(call)?;
        let keyring = &call.rooms.keyring;
        keyring.set_description(tx, &key, &input.description).map_err(|error| refused(call, error))
    }
}
