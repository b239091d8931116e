//! The shapes that several operations take or answer with.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use opentrail_keyring::{
    EncryptionContext, Key,
    customer::{KeyManager, KeyState},
};
use opentrail_wire::value::{Blob, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// Bytes of an input: base64 on the wire, overwritten when they are dropped, and never in a record.
pub(super) struct Secret(pub(super) Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = BASE64_STANDARD.decode(text.as_bytes());
        bytes.map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| de::Error::custom("a blob is not base64"))
    }
}

impl Secret {
    /// The bytes, if there are 1 to `most`.
    pub(super) fn within(&self, member: &str, most: usize, call: &Call) -> Result<&[u8], Fault> {
        if self.0.is_empty() || self.0.len() > most {
            let message = format!(
                "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have \
                 length between 1 and {most}"
            );
            return Err(call.fault(Common::Invalid, message));
        }
        Ok(&self.0)
    }
}

/// Bytes of an answer.
pub(super) fn blob(bytes: &[u8]) -> Blob {
    Blob(Bytes::copy_from_slice(bytes))
}

/// The input of operations that take a key and nothing else.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneKey {
    pub(super) key_id: String,
}

/// The answer of operations that tell which key they changed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyOnly {
    pub(super) key_id: String,
}

/// `KeyMetadata`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyMetadata {
    #[serde(rename = "AWSAccountId")]
    account: String,
    key_id: String,
    arn: String,
    creation_date: Timestamp,
    enabled: bool,
    description: String,
    key_usage: &'static str,
    key_state: &'static str,
    deletion_date: Option<Timestamp>,
    origin: &'static str,
    key_manager: &'static str,
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    encryption_algorithms: Option<Vec<&'static str>>,
    signing_algorithms: Option<Vec<&'static str>>,
    mac_algorithms: Option<Vec<&'static str>>,
    multi_region: bool,
    current_key_material_id: Option<String>,
}

impl From<&Key> for KeyMetadata {
    fn from(key: &Key) -> Self {
        let names = |names: Vec<&'static str>| Some(names).filter(|names| !names.is_empty());
        Self {
            account: key.account.to_string(),
            key_id: key.id.clone(),
            arn: key.arn.clone(),
            creation_date: key.created.into(),
            enabled: key.state == KeyState::Enabled,
            description: key.description.clone(),
            key_usage: key.usage.as_str(),
            key_state: state(key),
            deletion_date: match key.state {
                KeyState::PendingDeletion { at } => Some(at.into()),
                KeyState::Enabled | KeyState::Disabled => None,
            },
            origin: "AWS_KMS",
            key_manager: match key.manager {
                KeyManager::Customer => "CUSTOMER",
                KeyManager::Aws => "AWS",
            },
            customer_master_key_spec: key.spec.as_str(),
            key_spec: key.spec.as_str(),
            encryption_algorithms: names(encryption_algorithms(key)),
            signing_algorithms: names(signing_algorithms(key)),
            mac_algorithms: names(key.mac_algorithms().iter().map(|name| name.as_str()).collect()),
            multi_region: false,
            current_key_material_id: key.spec.is_symmetric().then(|| key.material().id.clone()),
        }
    }
}

pub(super) fn encryption_algorithms(key: &Key) -> Vec<&'static str> {
    key.encryption_algorithms().iter().map(|name| name.as_str()).collect()
}

pub(super) fn signing_algorithms(key: &Key) -> Vec<&'static str> {
    key.signing_algorithms().iter().map(|name| name.as_str()).collect()
}

/// `KeyState`
pub(super) fn state(key: &Key) -> &'static str {
    match key.state {
        KeyState::Enabled => "Enabled",
        KeyState::Disabled => "Disabled",
        KeyState::PendingDeletion { .. } => "PendingDeletion",
    }
}

/// `Tag`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagShape {
    pub(super) tag_key: String,
    pub(super) tag_value: String,
}

/// Tags as the keyring takes them.
pub(super) fn pairs(tags: &[TagShape]) -> Vec<(String, String)> {
    tags.iter().map(|tag| (tag.tag_key.clone(), tag.tag_value.clone())).collect()
}

/// Puts an encryption context into a record as it is: its names are the caller's, not members of the API.
pub(super) fn show_context(parameters: &mut Value, member: &str, context: Option<&EncryptionContext>) {
    if let (Some(context), Some(members)) = (context, parameters.as_object_mut()) {
        let pairs = context.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        members.insert(member.to_owned(), Value::Object(pairs.collect()));
    }
}
