//! Roles: permissions that whoever their trust policy names can take on for a while.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_policy::Bindings;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    aws_managed::SERVICE_ROLE_PATH,
    boundary,
    documents::Documents,
    entity::{self, Entity, EntityKind},
    error::{Conflict, IdentityError, InvalidInput},
    id::{self, IdKind},
    instance_profile, limits,
    name::{check_name, check_path, check_range, check_role_description},
    page::{Page, PageRequest},
    permissions::{Permissions, PolicyText},
    tags::{self, Tag},
    trust,
};

/// A role of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account whatever its case.
    pub name: String,
    /// The path, `/` by default.
    pub path: String,
    /// `AROA…`; sessions are bound to it, so that a role created anew under the name has none of them.
    pub id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The longest session, seconds.
    pub max_session_duration: u32,
    /// Who may assume it.
    pub trust_policy: PolicyText,
    /// Whom the trust policy means by the ARNs in it.
    #[serde(default)]
    pub(crate) trusted: Bindings,
    /// Its tags, which are also its sessions' principal tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The ARN of the managed policy that bounds its permissions.
    #[serde(default)]
    pub permissions_boundary: Option<String>,
    /// Its policies.
    #[serde(default)]
    pub permissions: Permissions,
}

impl Resource for Role {
    const KIND: &'static str = "identity.role";
}

impl Entity for Role {
    const ENTITY: EntityKind = EntityKind::Role;
    const INLINE_CHARS: usize = limits::ROLE_INLINE_CHARS;
    const QUOTA: (&'static str, usize) = ("RolesPerAccount", limits::ROLES_PER_ACCOUNT);

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

    fn check_modifiable(&self) -> Result<(), IdentityError> {
        if self.is_service_linked() {
            return Err(IdentityError::Unmodifiable(self.name.clone()));
        }
        Ok(())
    }
}

impl Role {
    /// Whether it is a service's own ([`service_linked_role`](crate::service_linked_role)).
    pub fn is_service_linked(&self) -> bool {
        self.path.starts_with(SERVICE_ROLE_PATH)
    }
}

/// What a role is created with.
#[derive(Debug, Clone, Default)]
pub struct NewRole<'a> {
    /// The name.
    pub name: &'a str,
    /// The path; `/` when absent.
    pub path: Option<&'a str>,
    /// The trust policy.
    pub trust_policy: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// The longest session, seconds; one hour when absent.
    pub max_session_duration: Option<u32>,
    /// The ARN of a managed policy that bounds its permissions.
    pub permissions_boundary: Option<&'a str>,
    /// Tags.
    pub tags: &'a [Tag],
}

/// Creates a role.
///
/// # Errors
/// `Validation`, `AlreadyExists`, `LimitExceeded`, `MalformedPolicy`, `InvalidInput`, and `NoSuchEntity` for
/// the boundary.
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    new: &NewRole<'_>,
    now: DateTime<Utc>,
) -> Result<Role, IdentityError> {
    if new.path.is_some_and(|path| path.starts_with(SERVICE_ROLE_PATH)) {
        return Err(IdentityError::InvalidInput(InvalidInput::ServiceRolePath));
    }
    let role = fresh(tx, account, new, now)?;
    save(tx, &role);
    Ok(role)
}

/// Creates the role of a service with the service's policy. Whoever calls this is the service, or speaks for it.
pub(crate) fn create_service_linked(
    tx: &mut Transaction,
    account: AccountId,
    new: &NewRole<'_>,
    policy_arn: String,
    now: DateTime<Utc>,
) -> Result<Role, IdentityError> {
    let mut role = fresh(tx, account, new, now)?;
    role.permissions.attached.push(policy_arn);
    save(tx, &role);
    Ok(role)
}

fn fresh(
    tx: &Transaction,
    account: AccountId,
    new: &NewRole<'_>,
    now: DateTime<Utc>,
) -> Result<Role, IdentityError> {
    let path = new.path.unwrap_or("/");
    let max_session_duration = new.max_session_duration.unwrap_or(limits::MIN_ROLE_SESSION_SECONDS);
    check_name("roleName", new.name, limits::USER_NAME_CHARS)?;
    check_path("path", path)?;
    check_role_description(new.description.unwrap_or_default())?;
    check_max_session(max_session_duration)?;
    tags::check(new.tags)?;
    let (trust_policy, trusted) = trust::read(tx, account, "assumeRolePolicyDocument", new.trust_policy)?;
    entity::check_new::<Role>(tx, account, new.name)?;
    boundary::check(tx, account, new.permissions_boundary)?;
    Ok(Role {
        account,
        name: new.name.to_owned(),
        path: path.to_owned(),
        id: id::fresh(IdKind::Role),
        created_at: now,
        description: new.description.map(str::to_owned),
        max_session_duration,
        trust_policy,
        trusted,
        tags: new.tags.to_vec(),
        permissions_boundary: new.permissions_boundary.map(str::to_owned),
        permissions: Permissions::default(),
    })
}

/// The role of this name.
///
/// # Errors
/// `NoSuchEntity`.
pub fn get(docs: &impl Documents, account: AccountId, name: &str) -> Result<Arc<Role>, IdentityError> {
    entity::find(docs, account, name)
}

/// A page of the account's roles under a path.
///
/// # Errors
/// `Validation`.
pub fn list(
    docs: &impl Documents,
    account: AccountId,
    path_prefix: Option<&str>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<Role>>, IdentityError> {
    entity::list(docs, account, path_prefix, page)
}

/// Changes a role's description, its longest session, or both, for `UpdateRole` and `UpdateRoleDescription`.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn update(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    description: Option<&str>,
    max_session_duration: Option<u32>,
) -> Result<Role, IdentityError> {
    let mut role = Role::clone(&*get(tx, account, name)?);
    if let Some(description) = description {
        check_role_description(description)?;
        role.description = Some(description.to_owned());
    }
    if let Some(seconds) = max_session_duration {
        role.check_modifiable()?;
        check_max_session(seconds)?;
        role.max_session_duration = seconds;
    }
    save(tx, &role);
    Ok(role)
}

/// Says anew who may assume a role.
///
/// # Errors
/// `NoSuchEntity`, `Unmodifiable`, `MalformedPolicy`, `LimitExceeded`, `Validation`.
pub fn update_trust_policy(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    document: &str,
) -> Result<(), IdentityError> {
    let mut role = Role::clone(&*get(tx, account, name)?);
    role.check_modifiable()?;
    (role.trust_policy, role.trusted) = trust::read(tx, account, "policyDocument", document)?;
    save(tx, &role);
    Ok(())
}

/// Deletes a role that has no policies any more and is in no instance profile. Its sessions end with it.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict`.
pub fn delete(tx: &mut Transaction, account: AccountId, name: &str) -> Result<Arc<Role>, IdentityError> {
    let role = get(tx, account, name)?;
    role.check_modifiable()?;
    if !role.permissions.attached.is_empty() {
        return Err(IdentityError::DeleteConflict(Conflict::AttachedPolicies));
    }
    if !role.permissions.inline.is_empty() {
        return Err(IdentityError::DeleteConflict(Conflict::InlinePolicies));
    }
    if instance_profile::has_role(tx, account, name) {
        return Err(IdentityError::DeleteConflict(Conflict::InstanceProfiles));
    }
    remove(tx, &role);
    Ok(role)
}

pub(crate) fn remove(tx: &mut Transaction, role: &Role) {
    tx.delete::<Role>(&entity::document_id(role.account, &role.name));
}

/// Puts tags on a role.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `LimitExceeded`, `Validation`.
pub fn tag(tx: &mut Transaction, account: AccountId, name: &str, tags: &[Tag]) -> Result<(), IdentityError> {
    let mut role = Role::clone(&*get(tx, account, name)?);
    tags::put(&mut role.tags, tags)?;
    save(tx, &role);
    Ok(())
}

/// Takes tags off a role.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn untag(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    keys: &[impl AsRef<str>],
) -> Result<(), IdentityError> {
    let mut role = Role::clone(&*get(tx, account, name)?);
    tags::remove(&mut role.tags, keys)?;
    save(tx, &role);
    Ok(())
}

/// Bounds a role's permissions by a managed policy, or lifts the bound.
///
/// # Errors
/// `NoSuchEntity` for the role or the policy, `InvalidInput` for what is not a policy's ARN.
pub fn set_permissions_boundary(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    policy_arn: Option<&str>,
) -> Result<(), IdentityError> {
    let mut role = Role::clone(&*get(tx, account, name)?);
    role.check_modifiable()?;
    boundary::change(tx, account, EntityKind::Role, name, &mut role.permissions_boundary, policy_arn)?;
    save(tx, &role);
    Ok(())
}

fn check_max_session(seconds: u32) -> Result<(), IdentityError> {
    check_range(
        "maxSessionDuration",
        seconds,
        limits::MIN_ROLE_SESSION_SECONDS,
        limits::MAX_ROLE_SESSION_SECONDS,
    )
}

fn save(tx: &mut Transaction, role: &Role) {
    tx.put(&entity::document_id(role.account, &role.name), role);
}
