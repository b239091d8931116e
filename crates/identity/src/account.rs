//! Accounts.

use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::documents::Documents;

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
}

impl Resource for Account {
    const KIND: &'static str = "identity.account";
}

pub(crate) fn get(docs: &impl Documents, id: AccountId) -> Account {
    match docs.document::<Account>(id.as_str()) {
        Some(account) => Account::clone(&account),
        None => Account { id, root_access_keys: Vec::new(), operator_key: None },
    }
}

pub(crate) fn save(tx: &mut Transaction, account: &Account) {
    tx.put(account.id.as_str(), account);
}
