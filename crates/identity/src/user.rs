//! Users.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    access_key::{AccessKey, KeyOwner},
    boundary,
    documents::Documents,
    entity::{self, Entity, EntityKind},
    error::{Conflict, IdentityError},
    id::{self, IdKind},
    limits,
    login_profile::LoginProfile,
    mfa,
    name::{check_name, check_path},
    page::{Page, PageRequest},
    permissions::Permissions,
    tags::{self, Tag},
};

/// A user of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account whatever its case.
    pub name: String,
    /// The path, `/` by default.
    pub path: String,
    /// `AIDA…`; never used again when the user is gone.
    pub id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The ARN of the managed policy that bounds its permissions.
    #[serde(default)]
    pub permissions_boundary: Option<String>,
    /// Its policies.
    #[serde(default)]
    pub permissions: Permissions,
    /// The document ids of the groups it is in.
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    /// The ids of its access keys.
    #[serde(default)]
    pub(crate) access_keys: Vec<String>,
    /// The document ids of its MFA devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mfa_devices: Vec<String>,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_profile: Option<LoginProfile>,
    /// When it signed in with a password last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_last_used: Option<DateTime<Utc>>,
}

impl Resource for User {
    const KIND: &'static str = "identity.user";
}

impl Entity for User {
    const ENTITY: EntityKind = EntityKind::User;
    const INLINE_CHARS: usize = limits::USER_INLINE_CHARS;
    const QUOTA: (&'static str, usize) = ("UsersPerAccount", limits::USERS_PER_ACCOUNT);

    fn account(&self) -> AccountId {
        self.account
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn unique_id(&self) -> &str {
        &self.id
    }

    fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    fn permissions_mut(&mut self) -> &mut Permissions {
        &mut self.permissions
    }

    fn permissions_boundary(&self) -> Option<&str> {
        self.permissions_boundary.as_deref()
    }
}

/// What a user is created with.
#[derive(Debug, Clone, Default)]
pub struct NewUser<'a> {
    /// The name.
    pub name: &'a str,
    /// The path; `/` when absent.
    pub path: Option<&'a str>,
    /// Tags.
    pub tags: &'a [Tag],
    /// The ARN of a managed policy that bounds its permissions.
    pub permissions_boundary: Option<&'a str>,
}

/// Creates a user.
///
/// # Errors
/// `Validation`, `AlreadyExists`, `LimitExceeded`, `InvalidInput`, and `NoSuchEntity` for the boundary.
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    new: &NewUser<'_>,
    now: DateTime<Utc>,
) -> Result<User, IdentityError> {
    let path = new.path.unwrap_or("/");
    check_name("userName", new.name, limits::USER_NAME_CHARS)?;
    check_path("path", path)?;
    tags::check(new.tags)?;
    entity::check_new::<User>(tx, account, new.name)?;
    boundary::check(tx, account, new.permissions_boundary)?;
    let user = User {
        account,
        name: new.name.to_owned(),
        path: path.to_owned(),
        id: id::fresh(IdKind::User),
        created_at: now,
        tags: new.tags.to_vec(),
        permissions_boundary: new.permissions_boundary.map(str::to_owned),
        permissions: Permissions::default(),
        groups: Vec::new(),
        access_keys: Vec::new(),
        mfa_devices: Vec::new(),
        login_profile: None,
        password_last_used: None,
    };
    save(tx, &user);
    Ok(user)
}

/// The user of this name.
///
/// # Errors
/// `NoSuchEntity`.
pub fn get(docs: &impl Documents, account: AccountId, name: &str) -> Result<Arc<User>, IdentityError> {
    entity::find(docs, account, name)
}

/// A page of the account's users under a path.
///
/// # Errors
/// `Validation`.
pub fn list(
    docs: &impl Documents,
    account: AccountId,
    path_prefix: Option<&str>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<User>>, IdentityError> {
    entity::list(docs, account, path_prefix, page)
}

/// Gives a user another name, another path, or both. Its keys, groups and policies stay.
///
/// # Errors
/// `NoSuchEntity`, `AlreadyExists`, `Validation`.
pub fn update(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    new_name: Option<&str>,
    new_path: Option<&str>,
) -> Result<User, IdentityError> {
    let mut user = User::clone(&*get(tx, account, name)?);
    if let Some(path) = new_path {
        check_path("newPath", path)?;
        path.clone_into(&mut user.path);
    }
    if let Some(new_name) = new_name {
        check_name("newUserName", new_name, limits::USER_NAME_CHARS)?;
        rename(tx, &mut user, new_name)?;
    }
    save(tx, &user);
    Ok(user)
}

fn rename(tx: &mut Transaction, user: &mut User, new_name: &str) -> Result<(), IdentityError> {
    let (old_id, new_id) = (document_id(user), entity::document_id(user.account, new_name));
    new_name.clone_into(&mut user.name);
    if old_id == new_id {
        return Ok(());
    }
    entity::check_free::<User>(tx, user.account, new_name)?;
    for key in &user.access_keys {
        if let Some(key) = tx.get::<AccessKey>(key) {
            let owner = KeyOwner::User { document: new_id.clone() };
            tx.put(&key.id, &AccessKey { owner, ..AccessKey::clone(&key) });
        }
    }
    mfa::moved(tx, &user.mfa_devices, &new_id);
    tx.delete::<User>(&old_id);
    Ok(())
}

/// Deletes a user that has no password, keys, MFA devices, policies and groups any more.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict`.
pub fn delete(tx: &mut Transaction, account: AccountId, name: &str) -> Result<Arc<User>, IdentityError> {
    let user = get(tx, account, name)?;
    let conflict = [
        (user.permissions.attached.is_empty(), Conflict::AttachedPolicies),
        (user.permissions.inline.is_empty(), Conflict::InlinePolicies),
        (user.login_profile.is_none(), Conflict::LoginProfile),
        (user.access_keys.is_empty(), Conflict::AccessKeys),
        (user.mfa_devices.is_empty(), Conflict::MfaDevices),
        (user.groups.is_empty(), Conflict::Memberships),
    ];
    if let Some((_, conflict)) = conflict.into_iter().find(|(gone, _)| !gone) {
        return Err(IdentityError::DeleteConflict(conflict));
    }
    tx.delete::<User>(&document_id(&user));
    Ok(user)
}

/// Puts tags on a user.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `LimitExceeded`, `Validation`.
pub fn tag(tx: &mut Transaction, account: AccountId, name: &str, tags: &[Tag]) -> Result<(), IdentityError> {
    let mut user = User::clone(&*get(tx, account, name)?);
    tags::put(&mut user.tags, tags)?;
    save(tx, &user);
    Ok(())
}

/// Takes tags off a user.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn untag(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    keys: &[impl AsRef<str>],
) -> Result<(), IdentityError> {
    let mut user = User::clone(&*get(tx, account, name)?);
    tags::remove(&mut user.tags, keys)?;
    save(tx, &user);
    Ok(())
}

/// Bounds a user's permissions by a managed policy, or lifts the bound.
///
/// # Errors
/// `NoSuchEntity` for the user or the policy, `InvalidInput` for what is not a policy's ARN.
pub fn set_permissions_boundary(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    policy_arn: Option<&str>,
) -> Result<(), IdentityError> {
    let mut user = User::clone(&*get(tx, account, name)?);
    boundary::change(tx, account, EntityKind::User, name, &mut user.permissions_boundary, policy_arn)?;
    save(tx, &user);
    Ok(())
}

pub(crate) fn document_id(user: &User) -> String {
    entity::document_id(user.account, &user.name)
}

pub(crate) fn save(tx: &mut Transaction, user: &User) {
    tx.put(&document_id(user), user);
}
