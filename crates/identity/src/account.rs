//! Accounts.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    access_key::AccessKey, documents::Documents, entity::account_prefix, password_policy::PasswordPolicy,
    role::Role,
};

/// An account. Its document holds what is the account's own; an account without a document has nothing yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The twelve digits.
    pub id: AccountId,
    /// The ids of the root's access keys.
    #[serde(default)]
    pub(crate) root_access_keys: Vec<String>,
    /// The one of them that the operator gave at the start of the server.
    #[serde(default)]
    pub(crate) operator_key: Option<String>,
    /// The document ids of the root's MFA devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) root_mfa_devices: Vec<String>,
    /// The name by which the account's sign-in page goes instead of its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// What its users' passwords must be like; AWS's default where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password_policy: Option<PasswordPolicy>,
    /// What an account that was made in an organization was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<Profile>,
    /// Since when it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed_at: Option<DateTime<Utc>>,
}

/// Whose an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name, which need not be unique.
    pub name: String,
    /// The address of its owner, which no other account has.
    pub email: String,
}

impl Resource for Account {
    const KIND: &'static str = "identity.account";
}

pub(crate) fn get(docs: &impl Documents, id: AccountId) -> Account {
    match docs.document::<Account>(id.as_str()) {
        Some(account) => Account::clone(&account),
        None => Account {
            id,
            root_access_keys: Vec::new(),
            operator_key: None,
            root_mfa_devices: Vec::new(),
            alias: None,
            password_policy: None,
            profile: None,
            closed_at: None,
        },
    }
}

pub(crate) fn save(tx: &mut Transaction, account: &Account) {
    tx.put(account.id.as_str(), account);
}

/// The account's name and its owner's address. One that was not made in an organization was asked for neither: its
/// address is one that no mail reaches.
pub fn profile(docs: &impl Documents, id: AccountId) -> Profile {
    get(docs, id).profile.unwrap_or_else(|| Profile {
        name: "opentrail".to_owned(),
        email: format!("root@{id}.opentrail.invalid"),
    })
}

/// Since when the account is closed; none while it is open.
pub fn closed_at(docs: &impl Documents, id: AccountId) -> Option<DateTime<Utc>> {
    docs.document::<Account>(id.as_str())?.closed_at
}

/// Whether there is anything of this account that a caller without credentials may ask for.
pub fn exists(docs: &impl Documents, id: AccountId) -> bool {
    docs.document::<Account>(id.as_str()).is_some() || docs.count::<Role>(&account_prefix(id)) > 0
}

/// Since when the account has a root with a key; none before.
pub fn root_since(docs: &impl Documents, id: AccountId) -> Option<DateTime<Utc>> {
    let keys = get(docs, id).root_access_keys;
    keys.iter().filter_map(|key| docs.document::<AccessKey>(key)).map(|key| key.created_at).min()
}
