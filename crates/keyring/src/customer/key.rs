//! A customer key as it is kept.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::Resource;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{
    EncryptionAlgorithm, KeyRefusal, KeySpec, KeyUsage, MaterialVersion, SigningAlgorithm, spec::MacAlgorithm,
};

/// A customer key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// Its id, a UUID in lower case.
    pub id: String,
    /// `arn:aws:kms:REGION:ACCOUNT:key/ID`.
    pub arn: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// What its owner says of it.
    #[serde(default)]
    pub description: String,
    /// What kind it is.
    pub spec: KeySpec,
    /// What it is for.
    pub usage: KeyUsage,
    /// Who manages it.
    #[serde(default)]
    pub manager: KeyManager,
    /// Whether it can be used.
    pub state: KeyState,
    /// The key policy, as it was sent.
    pub policy: String,
    /// Whom its policy means by the ARNs of users and roles: their unique ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policy_principals: BTreeMap<String, String>,
    /// The names of its aliases, such as `alias/logs`.
    #[serde(default)]
    pub aliases: BTreeSet<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How it rotates by itself; absent where it does not.
    #[serde(default)]
    pub rotation: Option<Rotation>,
    /// Every version of its material, the newest last. Never empty: a document without any is not read.
    #[serde(deserialize_with = "at_least_one")]
    pub materials: Vec<MaterialVersion>,
    /// The public half: a DER `SubjectPublicKeyInfo` in base64. Only asymmetric keys have one.
    #[serde(default)]
    pub public_key: Option<String>,
}

/// Who manages a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum KeyManager {
    /// Its owner.
    #[default]
    Customer,
    /// A service, on behalf of its owner: an `alias/aws/…` key.
    Aws,
}

/// Whether a key can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// It can.
    Enabled,
    /// Not until it is enabled.
    Disabled,
    /// It is deleted at a time, and can't be used meanwhile.
    PendingDeletion {
        /// When.
        at: DateTime<Utc>,
    },
}

/// How a key rotates by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The days between rotations.
    pub period_days: u32,
    /// When it rotates next.
    pub next: DateTime<Utc>,
}

/// What a key is to be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// What its owner says of it.
    pub description: String,
    /// What it is for.
    pub usage: KeyUsage,
    /// The key policy.
    pub policy: String,
    /// As [`Key::policy_principals`].
    pub policy_principals: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

fn at_least_one<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<MaterialVersion>, D::Error> {
    let materials = Vec::<MaterialVersion>::deserialize(source)?;
    if materials.is_empty() { Err(D::Error::custom("a key without material")) } else { Ok(materials) }
}

impl Resource for Key {
    const KIND: &'static str = "kms.key";
}

impl Key {
    /// The id of the document that a key is kept in.
    pub(crate) fn document_id(account: &AccountId, region: &Region, id: &str) -> String {
        format!("{account}/{region}/{id}")
    }

    /// The id of this key's document.
    pub(crate) fn document(&self) -> String {
        Self::document_id(&self.account, &self.region, &self.id)
    }

    /// The material that encrypts: the newest.
    ///
    /// # Panics
    /// Never: a key is made or read with material, and none is ever taken from it.
    pub fn material(&self) -> &MaterialVersion {
        self.materials.last().expect("a key has material")
    }

    /// Whether it can be used: neither disabled nor waiting for its deletion.
    ///
    /// # Errors
    /// [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`].
    pub fn check_usable(&self) -> Result<(), KeyRefusal> {
        match self.state {
            KeyState::Enabled => Ok(()),
            KeyState::Disabled => Err(KeyRefusal::Disabled { key: self.arn.clone() }),
            KeyState::PendingDeletion { .. } => Err(self.pending_deletion()),
        }
    }

    /// Whether it may be changed: not while it waits for its deletion.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidState`].
    pub fn check_not_pending_deletion(&self) -> Result<(), KeyRefusal> {
        match self.state {
            KeyState::PendingDeletion { .. } => Err(self.pending_deletion()),
            KeyState::Enabled | KeyState::Disabled => Ok(()),
        }
    }

    pub(crate) fn pending_deletion(&self) -> KeyRefusal {
        KeyRefusal::InvalidState { key: self.arn.clone(), state: "pending deletion" }
    }

    /// Whether a customer may change it.
    ///
    /// # Errors
    /// [`KeyRefusal::AwsManaged`].
    pub(crate) fn check_customers(&self) -> Result<(), KeyRefusal> {
        match self.manager {
            KeyManager::Customer => Ok(()),
            KeyManager::Aws => Err(KeyRefusal::AwsManaged { key: self.arn.clone() }),
        }
    }

    /// Whether it is for this.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidUsage`].
    pub fn check_usage(&self, usage: KeyUsage, operation: &'static str) -> Result<(), KeyRefusal> {
        if self.usage == usage {
            return Ok(());
        }
        Err(KeyRefusal::InvalidUsage { key: self.arn.clone(), usage: self.usage.as_str(), operation })
    }

    /// Whether it encrypts and decrypts with one secret, as a data key asks for.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidUsage`].
    pub fn check_symmetric(&self, operation: &'static str) -> Result<(), KeyRefusal> {
        self.check_usage(KeyUsage::EncryptDecrypt, operation)?;
        if self.spec.is_symmetric() { Ok(()) } else { Err(self.lacks(EncryptionAlgorithm::SymmetricDefault)) }
    }

    /// How it encrypts.
    pub fn encryption_algorithms(&self) -> &'static [EncryptionAlgorithm] {
        self.spec.encryption_algorithms(self.usage)
    }

    /// How it signs.
    pub fn signing_algorithms(&self) -> &'static [SigningAlgorithm] {
        self.spec.signing_algorithms(self.usage)
    }

    /// How it makes message authentication codes.
    pub fn mac_algorithms(&self) -> &'static [MacAlgorithm] {
        self.spec.mac_algorithms()
    }

    pub(crate) fn lacks(&self, algorithm: impl ToString) -> KeyRefusal {
        KeyRefusal::InvalidAlgorithm { algorithm: algorithm.to_string(), spec: self.spec.as_str() }
    }
}
