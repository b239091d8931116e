//! Long-term access keys of users and of an account's root.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::{Keyring, Sealed};
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    account::{self, Account},
    documents::Documents,
    error::{IdentityError, Missing, Quota},
    id::{self, KeyKind},
    limits,
    page::{Page, PageRequest},
    user::{self, User},
};

/// An access key. Its document's id is the key's own id, which is how a signed call finds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`, or what the operator gave the root.
    pub id: String,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Whether calls may be signed with it.
    pub status: AccessKeyStatus,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was set active or inactive last, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<DateTime<Utc>>,
    pub(crate) owner: KeyOwner,
    pub(crate) secret: Sealed,
}

impl Resource for AccessKey {
    const KIND: &'static str = "identity.access-key";
}

/// Whether calls may be signed with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessKeyStatus {
    /// They may.
    Active,
    /// They may not.
    Inactive,
}

impl AccessKeyStatus {
    /// `Active` or `Inactive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyOwner {
    Root,
    User {
        /// The id of the user's document.
        document: String,
    },
}

/// Who owns keys in an operation: IAM's operations on keys without a user name are about the caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHolder<'a> {
    /// The account's root.
    Root,
    /// The user of this name.
    User(&'a str),
}

/// A key as it is shown when it is created, this once with its secret.
#[derive(Clone)]
pub struct NewAccessKey {
    /// The key.
    pub key: AccessKey,
    /// The secret.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for NewAccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAccessKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What the seal of a key's secret is bound to, so that one key's document cannot be given another's secret.
pub(crate) fn seal_context(access_key_id: &str) -> String {
    format!("identity.access-key/{access_key_id}")
}

/// Creates an access key.
///
/// # Errors
/// `NoSuchEntity`, `LimitExceeded` beyond [`limits::ACCESS_KEYS_PER_USER`].
pub(crate) fn create(
    tx: &mut Transaction,
    keyring: &Keyring,
    account: AccountId,
    holder: KeyHolder<'_>,
    now: DateTime<Utc>,
) -> Result<NewAccessKey, IdentityError> {
    let mut keys = Keys::of(tx, account, holder)?;
    if keys.ids().len() >= limits::ACCESS_KEYS_PER_USER {
        let quota = Quota::Count("AccessKeysPerUser", limits::ACCESS_KEYS_PER_USER);
        return Err(IdentityError::LimitExceeded(quota));
    }
    let id = fresh_id(tx, account);
    let secret = id::fresh_secret();
    let sealed = keyring.seal(&seal_context(&id), secret.as_bytes());
    let owner = keys.owner();
    let key = AccessKey {
        id,
        account,
        status: AccessKeyStatus::Active,
        created_at: now,
        changed_at: None,
        owner,
        secret: sealed,
    };
    keys.ids_mut().push(key.id.clone());
    keys.save(tx);
    tx.put(&key.id, &key);
    Ok(NewAccessKey { key, secret })
}

/// An id that no key has.
fn fresh_id(tx: &Transaction, account: AccountId) -> String {
    loop {
        let id = id::fresh_key(KeyKind::LongTerm, account);
        if !tx.contains::<AccessKey>(&id) {
            return id;
        }
    }
}

/// A page of the holder's keys, oldest first.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn list(
    docs: &impl Documents,
    account: AccountId,
    holder: KeyHolder<'_>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<AccessKey>>, IdentityError> {
    let keys = Keys::of(docs, account, holder)?;
    let found =
        keys.ids().iter().enumerate().filter_map(|(at, id)| Some((format!("{at:02}"), docs.document(id)?)));
    page.cut(found)
}

/// Sets a key active or inactive.
///
/// # Errors
/// `NoSuchEntity`, also for a key that is not the holder's.
pub fn update(
    tx: &mut Transaction,
    account: AccountId,
    holder: KeyHolder<'_>,
    access_key_id: &str,
    status: AccessKeyStatus,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let keys = Keys::of(tx, account, holder)?;
    let mut key = AccessKey::clone(&*keys.find(tx, access_key_id)?);
    if key.status != status {
        key.changed_at = Some(now);
    }
    key.status = status;
    tx.put(&key.id, &key);
    Ok(())
}

/// Deletes a key.
///
/// # Errors
/// `NoSuchEntity`, also for a key that is not the holder's.
pub fn delete(
    tx: &mut Transaction,
    account: AccountId,
    holder: KeyHolder<'_>,
    access_key_id: &str,
) -> Result<(), IdentityError> {
    let mut keys = Keys::of(tx, account, holder)?;
    let key = keys.find(tx, access_key_id)?;
    keys.forget(&key.id);
    keys.save(tx);
    tx.delete::<AccessKey>(&key.id);
    Ok(())
}

/// The account of a key, for `GetAccessKeyInfo` and for authorizing `GetAccessKeyLastUsed`; none if there is no
/// such key.
pub fn account_of(docs: &impl Documents, access_key_id: &str) -> Option<AccountId> {
    docs.document::<AccessKey>(access_key_id).map(|key| key.account)
}

/// The name of the user whose key it is; none if it is the root's.
pub fn user_name(docs: &impl Documents, key: &AccessKey) -> Option<String> {
    match &key.owner {
        KeyOwner::Root => None,
        KeyOwner::User { document } => docs.document::<User>(document).map(|user| user.name.clone()),
    }
}

/// The document that lists a holder's keys.
enum Keys {
    Root(Account),
    User(Box<User>),
}

impl Keys {
    fn of(docs: &impl Documents, account: AccountId, holder: KeyHolder<'_>) -> Result<Self, IdentityError> {
        Ok(match holder {
            KeyHolder::Root => Self::Root(account::get(docs, account)),
            KeyHolder::User(name) => Self::User(Box::new(User::clone(&*user::get(docs, account, name)?))),
        })
    }

    fn ids(&self) -> &Vec<String> {
        match self {
            Self::Root(account) => &account.root_access_keys,
            Self::User(user) => &user.access_keys,
        }
    }

    fn ids_mut(&mut self) -> &mut Vec<String> {
        match self {
            Self::Root(account) => &mut account.root_access_keys,
            Self::User(user) => &mut user.access_keys,
        }
    }

    fn forget(&mut self, access_key_id: &str) {
        self.ids_mut().retain(|id| id != access_key_id);
        if let Self::Root(account) = self {
            account.operator_key.take_if(|id| id == access_key_id);
        }
    }

    fn owner(&self) -> KeyOwner {
        match self {
            Self::Root(_) => KeyOwner::Root,
            Self::User(user) => KeyOwner::User { document: user::document_id(user) },
        }
    }

    fn find(&self, docs: &impl Documents, access_key_id: &str) -> Result<Arc<AccessKey>, IdentityError> {
        let ours = self.ids().iter().any(|id| id == access_key_id);
        ours.then(|| docs.document(access_key_id)).flatten().ok_or_else(|| {
            IdentityError::NoSuchEntity(Missing::AccessKey(access_key_id.chars().take(128).collect()))
        })
    }

    fn save(&self, tx: &mut Transaction) {
        match self {
            Self::Root(account) => account::save(tx, account),
            Self::User(user) => user::save(tx, user),
        }
    }
}
