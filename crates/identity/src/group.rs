//! Groups of users.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    documents::Documents,
    entity::{self, Entity, EntityKind},
    error::{Conflict, IdentityError, Missing, Quota},
    id::{self, IdKind},
    limits,
    name::{check_name, check_path},
    page::{Page, PageRequest},
    permissions::Permissions,
    user::{self, User},
};

/// A group: permissions that its users share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account whatever its case.
    pub name: String,
    /// The path, `/` by default.
    pub path: String,
    /// `AGPA…`.
    pub id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Its policies.
    #[serde(default)]
    pub permissions: Permissions,
}

impl Resource for Group {
    const KIND: &'static str = "identity.group";
}

impl Entity for Group {
    const ENTITY: EntityKind = EntityKind::Group;
    const INLINE_CHARS: usize = limits::GROUP_INLINE_CHARS;
    const QUOTA: (&'static str, usize) = ("GroupsPerAccount", limits::GROUPS_PER_ACCOUNT);

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
}

/// Creates a group; its path is `/` when none is given.
///
/// # Errors
/// `Validation`, `AlreadyExists`, `LimitExceeded`.
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    path: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Group, IdentityError> {
    let path = path.unwrap_or("/");
    check_name("groupName", name, limits::POLICY_NAME_CHARS)?;
    check_path("path", path)?;
    entity::check_new::<Group>(tx, account, name)?;
    let group = Group {
        account,
        name: name.to_owned(),
        path: path.to_owned(),
        id: id::fresh(IdKind::Group),
        created_at: now,
        permissions: Permissions::default(),
    };
    tx.put(&document_id(&group), &group);
    Ok(group)
}

/// The group of this name.
///
/// # Errors
/// `NoSuchEntity`.
pub fn get(docs: &impl Documents, account: AccountId, name: &str) -> Result<Arc<Group>, IdentityError> {
    entity::find(docs, account, name)
}

/// A page of the account's groups under a path.
///
/// # Errors
/// `Validation`.
pub fn list(
    docs: &impl Documents,
    account: AccountId,
    path_prefix: Option<&str>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<Group>>, IdentityError> {
    entity::list(docs, account, path_prefix, page)
}

/// Gives a group another name, another path, or both. Its users and policies stay.
///
/// # Errors
/// `NoSuchEntity`, `AlreadyExists`, `Validation`.
pub fn update(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    new_name: Option<&str>,
    new_path: Option<&str>,
) -> Result<Group, IdentityError> {
    let mut group = Group::clone(&*get(tx, account, name)?);
    if let Some(path) = new_path {
        check_path("newPath", path)?;
        path.clone_into(&mut group.path);
    }
    if let Some(new_name) = new_name {
        check_name("newGroupName", new_name, limits::POLICY_NAME_CHARS)?;
        rename(tx, &mut group, new_name)?;
    }
    tx.put(&document_id(&group), &group);
    Ok(group)
}

fn rename(tx: &mut Transaction, group: &mut Group, new_name: &str) -> Result<(), IdentityError> {
    let (old_id, new_id) = (document_id(group), entity::document_id(group.account, new_name));
    new_name.clone_into(&mut group.name);
    if old_id == new_id {
        return Ok(());
    }
    entity::check_free::<Group>(tx, group.account, new_name)?;
    for (_, user) in users(tx, group.account, &old_id) {
        let mut user = User::clone(&user);
        user.groups.iter_mut().filter(|id| **id == old_id).for_each(|id| id.clone_from(&new_id));
        user::save(tx, &user);
    }
    tx.delete::<Group>(&old_id);
    Ok(())
}

/// Deletes a group that has no users and policies any more.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict`.
pub fn delete(tx: &mut Transaction, account: AccountId, name: &str) -> Result<Arc<Group>, IdentityError> {
    let group = get(tx, account, name)?;
    let id = document_id(&group);
    let conflict = if !group.permissions.attached.is_empty() {
        Some(Conflict::AttachedPolicies)
    } else if !group.permissions.inline.is_empty() {
        Some(Conflict::InlinePolicies)
    } else if !users(tx, account, &id).is_empty() {
        Some(Conflict::Members)
    } else {
        None
    };
    if let Some(conflict) = conflict {
        return Err(IdentityError::DeleteConflict(conflict));
    }
    tx.delete::<Group>(&id);
    Ok(group)
}

/// Puts a user in a group; no error if it is there already.
///
/// # Errors
/// `NoSuchEntity`, `LimitExceeded` beyond [`limits::GROUPS_PER_USER`].
pub fn add_user(
    tx: &mut Transaction,
    account: AccountId,
    group_name: &str,
    user_name: &str,
) -> Result<(), IdentityError> {
    let group = document_id(&*get(tx, account, group_name)?);
    let mut user = User::clone(&*user::get(tx, account, user_name)?);
    if user.groups.contains(&group) {
        return Ok(());
    }
    if user.groups.len() >= limits::GROUPS_PER_USER {
        return Err(IdentityError::LimitExceeded(Quota::Count("GroupsPerUser", limits::GROUPS_PER_USER)));
    }
    user.groups.push(group);
    user::save(tx, &user);
    Ok(())
}

/// Takes a user out of a group.
///
/// # Errors
/// `NoSuchEntity`, also if the user is not in the group.
pub fn remove_user(
    tx: &mut Transaction,
    account: AccountId,
    group_name: &str,
    user_name: &str,
) -> Result<(), IdentityError> {
    let group = document_id(&*get(tx, account, group_name)?);
    let mut user = User::clone(&*user::get(tx, account, user_name)?);
    let before = user.groups.len();
    user.groups.retain(|id| *id != group);
    if user.groups.len() == before {
        let missing = Missing::Membership(user_name.to_owned(), group_name.to_owned());
        return Err(IdentityError::NoSuchEntity(missing));
    }
    user::save(tx, &user);
    Ok(())
}

/// A page of the users in a group, for `GetGroup`.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn members(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
    page: PageRequest<'_>,
) -> Result<Page<Arc<User>>, IdentityError> {
    let group = document_id(&*get(docs, account, name)?);
    page.cut(users(docs, account, &group).into_iter())
}

/// A page of the groups that a user is in, for `ListGroupsForUser`.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn of_user(
    docs: &impl Documents,
    account: AccountId,
    user_name: &str,
    page: PageRequest<'_>,
) -> Result<Page<Arc<Group>>, IdentityError> {
    let user = user::get(docs, account, user_name)?;
    let mut groups: Vec<_> =
        user.groups.iter().filter_map(|id| Some((id.clone(), docs.document::<Group>(id)?))).collect();
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    page.cut(groups.into_iter())
}

fn users(docs: &impl Documents, account: AccountId, group: &str) -> Vec<(String, Arc<User>)> {
    let mut users = docs.documents::<User>(&entity::account_prefix(account));
    users.retain(|(_, user)| user.groups.iter().any(|id| id == group));
    users
}

fn document_id(group: &Group) -> String {
    entity::document_id(group.account, &group.name)
}
