//! What users, groups and roles have in common: a name, a path, a unique id, and permissions.

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_state::Resource;

use crate::{
    documents::Documents,
    error::{Existing, IdentityError, Missing},
    name::check_path_prefix,
    page::{Page, PageRequest},
    permissions::Permissions,
};

/// One of the three kinds that permissions are given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// A user.
    User,
}

impl EntityKind {
    /// `user`, `group` or `role`: as in the middle of IAM's messages, and in ARNs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Role => "role",
            Self::User => "user",
        }
    }

    /// `User`, `Group` or `Role`: as IAM's messages begin.
    pub fn title(self) -> &'static str {
        match self {
            Self::Group => "Group",
            Self::Role => "Role",
            Self::User => "User",
        }
    }
}

/// A user, a group or a role.
pub trait Entity: Resource + Clone {
    /// Which of the three.
    const ENTITY: EntityKind;
    /// Characters that its inline policies may have together.
    const INLINE_CHARS: usize;
    /// The name of IAM's quota on the number of these in an account, and its value.
    const QUOTA: (&'static str, usize);

    /// The account that it belongs to.
    fn account(&self) -> AccountId;
    /// Its name, in the case it was created with.
    fn name(&self) -> &str;
    /// Its path.
    fn path(&self) -> &str;
    /// Its unique id (`AIDA…`, `AGPA…`, `AROA…`).
    fn unique_id(&self) -> &str;
    /// Its inline and attached policies.
    fn permissions(&self) -> &Permissions;
    /// Its inline and attached policies, to change.
    fn permissions_mut(&mut self) -> &mut Permissions;
    /// The ARN of the managed policy that bounds its permissions.
    fn permissions_boundary(&self) -> Option<&str> {
        None
    }

    /// Whether its policies may be changed by those who have the permission: a service's own role is not theirs.
    ///
    /// # Errors
    /// [`IdentityError::Unmodifiable`].
    fn check_modifiable(&self) -> Result<(), IdentityError> {
        Ok(())
    }

    /// Its ARN.
    fn arn(&self) -> String {
        arn(self.account(), Self::ENTITY, self.path(), self.name())
    }
}

/// `arn:aws:iam::ACCOUNT:KIND/PATH/NAME`.
pub(crate) fn arn(account: AccountId, kind: EntityKind, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{}{path}{name}", kind.word())
}

/// Account, kind, path and name of an entity's ARN.
pub(crate) fn parts_of_arn(arn: &str) -> Option<(AccountId, EntityKind, &str, &str)> {
    let (account, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let (kind, path_and_name) = resource.split_at(resource.find('/')?);
    let kind =
        [EntityKind::Group, EntityKind::Role, EntityKind::User].into_iter().find(|k| k.word() == kind)?;
    let (path, name) = path_and_name.split_at(path_and_name.rfind('/')? + 1);
    let account = account.parse().ok()?;
    (!name.is_empty()).then_some((account, kind, path, name))
}

/// The id of an entity's document: names are unique whatever their case.
pub(crate) fn document_id(account: AccountId, name: &str) -> String {
    format!("{account}/{}", name.to_ascii_lowercase())
}

/// What the ids of an account's documents begin with.
pub(crate) fn account_prefix(account: AccountId) -> String {
    format!("{account}/")
}

/// The entity with this name, in this case.
///
/// Another case is another name here: a policy that denies `user/alice` must not be passed by asking for
/// `user/Alice`.
///
/// # Errors
/// [`IdentityError::NoSuchEntity`].
pub fn find<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
) -> Result<Arc<T>, IdentityError> {
    docs.document::<T>(&document_id(account, name))
        .filter(|entity| entity.name() == name)
        .ok_or_else(|| IdentityError::NoSuchEntity(Missing::Entity(T::ENTITY, name.to_owned())))
}

/// The ARN that an operation on this name is authorized against: with the entity's path if there is one
/// by this name, else at the root path, as IAM does.
pub fn arn_of<T: Entity>(docs: &impl Documents, account: AccountId, name: &str) -> String {
    find::<T>(docs, account, name).map_or_else(|_| arn(account, T::ENTITY, "/", name), |entity| entity.arn())
}

/// A page of an account's entities whose path begins with the prefix.
///
/// # Errors
/// [`IdentityError::Validation`] for a marker, number or prefix that is none.
pub fn list<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    path_prefix: Option<&str>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<T>>, IdentityError> {
    let prefix = path_prefix.unwrap_or("/");
    check_path_prefix(prefix)?;
    let entities = docs.documents::<T>(&account_prefix(account)).into_iter();
    page.cut(entities.filter(|(_, entity)| entity.path().starts_with(prefix)))
}

/// Whether a new entity of this name has room and a free name.
pub(crate) fn check_new<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
) -> Result<(), IdentityError> {
    check_free::<T>(docs, account, name)?;
    let (quota, most) = T::QUOTA;
    if docs.count::<T>(&account_prefix(account)) < most {
        Ok(())
    } else {
        Err(IdentityError::LimitExceeded(crate::error::Quota::Count(quota, most)))
    }
}

pub(crate) fn check_free<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
) -> Result<(), IdentityError> {
    match docs.document::<T>(&document_id(account, name)) {
        Some(_) => Err(IdentityError::AlreadyExists(Existing::Entity(T::ENTITY, name.to_owned()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EntityKind, arn, parts_of_arn};

    proptest! {
        #[test]
        fn an_arn_comes_apart_into_what_it_was_made_of(
            account in "[0-9]{12}", path in "/([!-~]{1,20}/)?", name in "[A-Za-z0-9_+=,.@-]{1,20}",
        ) {
            let account = account.parse().unwrap();
            for kind in [EntityKind::Group, EntityKind::Role, EntityKind::User] {
                let whole = arn(account, kind, &path, &name);
                prop_assert_eq!(parts_of_arn(&whole), Some((account, kind, path.as_str(), name.as_str())));
            }
        }

        #[test]
        fn any_text_is_taken_apart_or_refused(text in "(arn:aws:iam::[0-9]{11,13}:)?[a-z/:é]{0,20}") {
            if let Some((account, kind, path, name)) = parts_of_arn(&text) {
                prop_assert_eq!(arn(account, kind, path, name), text);
            }
        }
    }
}
