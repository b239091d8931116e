//! The policies of one user, group or role.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use opentrail_policy::{Policy, PolicyKind};
use serde::{Deserialize, Serialize};

use crate::{error::IdentityError, name::check_document};

/// The inline policies of an entity and the ARNs of those attached to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Permissions {
    /// Inline policies by name.
    #[serde(default)]
    pub inline: BTreeMap<String, PolicyText>,
    /// ARNs of managed policies, in the order in which they were attached.
    #[serde(default)]
    pub attached: Vec<String>,
}

/// A policy as it was sent, parsed at most once.
///
/// The parsed form lives as long as the document that holds the text, so the hot path neither parses nor
/// looks it up by its text.
#[derive(Debug, Clone)]
pub struct PolicyText {
    text: Arc<str>,
    parsed: OnceLock<Option<Policy>>,
}

impl PolicyText {
    /// Takes a policy that is valid for its use.
    ///
    /// # Errors
    /// [`IdentityError::Validation`] for a text outside its shape, [`IdentityError::MalformedPolicy`] for one
    /// that is no policy of this kind.
    pub fn new(member: &'static str, text: &str, kind: PolicyKind) -> Result<Self, IdentityError> {
        check_document(member, text)?;
        let policy = Policy::parse(text, kind)?;
        Ok(Self { text: Arc::from(text), parsed: OnceLock::from(Some(policy)) })
    }

    /// The text exactly as it was sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The policy; none if the text, which was checked when it came, is not one of this kind any more.
    pub(crate) fn policy(&self, kind: PolicyKind) -> Option<&Policy> {
        let parsed = self.parsed.get_or_init(|| match Policy::parse(&self.text, kind) {
            Ok(policy) => Some(policy),
            Err(error) => {
                tracing::error!(%error, "a stored policy cannot be read: what it governs is denied");
                None
            }
        });
        parsed.as_ref()
    }
}

impl Serialize for PolicyText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PolicyText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self { text: Arc::from(text), parsed: OnceLock::new() })
    }
}

impl PartialEq for PolicyText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PolicyText {}
