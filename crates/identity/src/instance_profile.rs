//! Instance profiles: how a role is handed to a machine. There are no machines here, but what describes an account
//! elsewhere describes its profiles too.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    documents::Documents,
    entity::{Entity, account_prefix, document_id},
    error::{Conflict, Existing, IdentityError, Missing, Quota},
    id::{self, IdKind},
    limits,
    name::{check_name, check_path, check_path_prefix},
    page::{Page, PageRequest},
    role::{self, Role},
    tags::{self, Tag},
};

/// An instance profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account whatever its case.
    pub name: String,
    /// The path, `/` by default.
    pub path: String,
    /// `AIPA…`.
    pub id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The name of its role.
    #[serde(default)]
    role: Option<String>,
}

impl Resource for InstanceProfile {
    const KIND: &'static str = "identity.instance-profile";
}

impl InstanceProfile {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn(self.account, &self.path, &self.name)
    }

    /// Its role, if it has one.
    pub fn role(&self, docs: &impl Documents) -> Option<Arc<Role>> {
        role::get(docs, self.account, self.role.as_deref()?).ok()
    }
}

/// `arn:aws:iam::ACCOUNT:instance-profile/PATH/NAME`.
pub fn arn(account: AccountId, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:instance-profile{path}{name}")
}

/// Creates a profile without a role.
///
/// # Errors
/// `Validation`, `AlreadyExists`, `LimitExceeded`, `InvalidInput`.
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    path: Option<&str>,
    new_tags: &[Tag],
    now: DateTime<Utc>,
) -> Result<InstanceProfile, IdentityError> {
    let path = path.unwrap_or("/");
    check_name("instanceProfileName", name, limits::INSTANCE_PROFILE_NAME_CHARS)?;
    check_path("path", path)?;
    tags::check(new_tags)?;
    if tx.contains::<InstanceProfile>(&document_id(account, name)) {
        return Err(IdentityError::AlreadyExists(Existing::InstanceProfile(name.to_owned())));
    }
    if Documents::count::<InstanceProfile>(tx, &account_prefix(account))
        >= limits::INSTANCE_PROFILES_PER_ACCOUNT
    {
        let quota = Quota::Count("InstanceProfilesPerAccount", limits::INSTANCE_PROFILES_PER_ACCOUNT);
        return Err(IdentityError::LimitExceeded(quota));
    }
    let profile = InstanceProfile {
        account,
        name: name.to_owned(),
        path: path.to_owned(),
        id: id::fresh(IdKind::InstanceProfile),
        created_at: now,
        tags: new_tags.to_vec(),
        role: None,
    };
    save(tx, &profile);
    Ok(profile)
}

/// The profile of this name, in this case.
///
/// # Errors
/// `NoSuchEntity`.
pub fn get(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
) -> Result<Arc<InstanceProfile>, IdentityError> {
    docs.document::<InstanceProfile>(&document_id(account, name))
        .filter(|profile| profile.name == name)
        .ok_or_else(|| IdentityError::NoSuchEntity(Missing::InstanceProfile(name.to_owned())))
}

/// A page of the account's profiles under a path.
///
/// # Errors
/// `Validation`.
pub fn list(
    docs: &impl Documents,
    account: AccountId,
    path_prefix: Option<&str>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<InstanceProfile>>, IdentityError> {
    let prefix = path_prefix.unwrap_or("/");
    check_path_prefix(prefix)?;
    let profiles = docs.documents::<InstanceProfile>(&account_prefix(account)).into_iter();
    page.cut(profiles.filter(|(_, profile)| profile.path.starts_with(prefix)))
}

/// A page of the profiles that have a role.
///
/// # Errors
/// `NoSuchEntity` for the role, `Validation`.
pub fn list_for_role(
    docs: &impl Documents,
    account: AccountId,
    role_name: &str,
    page: PageRequest<'_>,
) -> Result<Page<Arc<InstanceProfile>>, IdentityError> {
    role::get(docs, account, role_name)?;
    page.cut(of_role(docs, account, role_name))
}

/// Whether a role is in a profile, which keeps it from being deleted.
pub(crate) fn has_role(docs: &impl Documents, account: AccountId, role_name: &str) -> bool {
    of_role(docs, account, role_name).next().is_some()
}

fn of_role<D: Documents>(
    docs: &D,
    account: AccountId,
    role_name: &str,
) -> impl Iterator<Item = (String, Arc<InstanceProfile>)> {
    let profiles = docs.documents::<InstanceProfile>(&account_prefix(account)).into_iter();
    profiles.filter(move |(_, profile)| profile.role.as_deref() == Some(role_name))
}

/// Gives a profile its role.
///
/// # Errors
/// `NoSuchEntity` for the profile or the role, `LimitExceeded` if it has one already, `Unmodifiable` for a service's
/// role.
pub fn add_role(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    role_name: &str,
) -> Result<(), IdentityError> {
    let mut profile = InstanceProfile::clone(&*get(tx, account, name)?);
    role::get(tx, account, role_name)?.check_modifiable()?;
    if profile.role.is_some() {
        let quota = Quota::Count("InstanceSessionsPerInstanceProfile", limits::ROLES_PER_INSTANCE_PROFILE);
        return Err(IdentityError::LimitExceeded(quota));
    }
    profile.role = Some(role_name.to_owned());
    save(tx, &profile);
    Ok(())
}

/// Takes a profile's role from it.
///
/// # Errors
/// `NoSuchEntity` for the profile, or if the role is not its.
pub fn remove_role(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    role_name: &str,
) -> Result<(), IdentityError> {
    let mut profile = InstanceProfile::clone(&*get(tx, account, name)?);
    profile.role.take_if(|role| role == role_name).ok_or_else(|| {
        IdentityError::NoSuchEntity(Missing::RoleOfProfile(role_name.to_owned(), name.to_owned()))
    })?;
    save(tx, &profile);
    Ok(())
}

/// Deletes a profile that has no role any more.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict`.
pub fn delete(tx: &mut Transaction, account: AccountId, name: &str) -> Result<(), IdentityError> {
    let profile = get(tx, account, name)?;
    if profile.role.is_some() {
        return Err(IdentityError::DeleteConflict(Conflict::ProfileRoles));
    }
    tx.delete::<InstanceProfile>(&document_id(account, name));
    Ok(())
}

/// Puts tags on a profile.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `LimitExceeded`, `Validation`.
pub fn tag(tx: &mut Transaction, account: AccountId, name: &str, tags: &[Tag]) -> Result<(), IdentityError> {
    let mut profile = InstanceProfile::clone(&*get(tx, account, name)?);
    tags::put(&mut profile.tags, tags)?;
    save(tx, &profile);
    Ok(())
}

/// Takes tags off a profile.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn untag(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    keys: &[impl AsRef<str>],
) -> Result<(), IdentityError> {
    let mut profile = InstanceProfile::clone(&*get(tx, account, name)?);
    tags::remove(&mut profile.tags, keys)?;
    save(tx, &profile);
    Ok(())
}

fn save(tx: &mut Transaction, profile: &InstanceProfile) {
    tx.put(&document_id(profile.account, &profile.name), profile);
}
