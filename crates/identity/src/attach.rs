//! Attaching managed policies to users, groups and roles.

use std::collections::HashMap;

use opentrail_event::AccountId;
use opentrail_state::Transaction;

use crate::{
    documents::Documents,
    entity::{self, Entity, EntityKind},
    error::{IdentityError, Missing, Quota},
    group::Group,
    limits,
    managed_policy::{self, PolicyArn},
    name::check_path_prefix,
    page::{Page, PageRequest},
    role::Role,
    user::User,
};

/// A managed policy attached to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
}

/// Attaches a managed policy; no error if it is attached already.
///
/// # Errors
/// `NoSuchEntity` for the entity or the policy, `InvalidInput` for what is not a policy's ARN, `LimitExceeded`
/// beyond [`limits::ATTACHED_PER_ENTITY`], `Unmodifiable` for a service's role, `NotAttachable` for a service's policy.
pub fn attach<T: Entity>(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    policy_arn: &str,
) -> Result<(), IdentityError> {
    let mut holder = T::clone(&*entity::find::<T>(tx, account, name)?);
    holder.check_modifiable()?;
    managed_policy::check_attachable(tx, account, policy_arn)?;
    let attached = &mut holder.permissions_mut().attached;
    if attached.iter().any(|arn| arn == policy_arn) {
        return Ok(());
    }
    if attached.len() >= limits::ATTACHED_PER_ENTITY {
        let quota = match T::ENTITY {
            EntityKind::Group => "PoliciesPerGroup",
            EntityKind::Role => "PoliciesPerRole",
            EntityKind::User => "PoliciesPerUser",
        };
        return Err(IdentityError::LimitExceeded(Quota::Count(quota, limits::ATTACHED_PER_ENTITY)));
    }
    attached.push(policy_arn.to_owned());
    tx.put(&entity::document_id(account, name), &holder);
    Ok(())
}

/// Detaches a managed policy.
///
/// # Errors
/// `NoSuchEntity` for the entity, or if the policy is not attached to it.
pub fn detach<T: Entity>(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    policy_arn: &str,
) -> Result<(), IdentityError> {
    let mut holder = T::clone(&*entity::find::<T>(tx, account, name)?);
    holder.check_modifiable()?;
    let attached = &mut holder.permissions_mut().attached;
    let before = attached.len();
    attached.retain(|arn| arn != policy_arn);
    if attached.len() == before {
        return Err(IdentityError::NoSuchEntity(Missing::Policy(policy_arn.to_owned())));
    }
    tx.put(&entity::document_id(account, name), &holder);
    Ok(())
}

/// A page of the managed policies attached to an entity, for `ListAttachedUserPolicies` and its like.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn list_attached<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
    path_prefix: Option<&str>,
    page: PageRequest<'_>,
) -> Result<Page<AttachedPolicy>, IdentityError> {
    let holder = entity::find::<T>(docs, account, name)?;
    let prefix = path_prefix.unwrap_or("/");
    check_path_prefix(prefix)?;
    let mut attached: Vec<_> = holder
        .permissions()
        .attached
        .iter()
        .filter_map(|arn| Some((arn, PolicyArn::parse(arn)?)))
        .filter(|(_, parsed)| parsed.path.starts_with(prefix))
        .map(|(arn, parsed)| {
            let key = format!("{}/{}", parsed.name.to_ascii_lowercase(), parsed.owner);
            (key, AttachedPolicy { name: parsed.name.to_owned(), arn: arn.clone() })
        })
        .collect();
    attached.sort_by(|a, b| a.0.cmp(&b.0));
    page.cut(attached.into_iter())
}

/// How a managed policy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyUsage {
    /// Attached: it gives permissions.
    PermissionsPolicy,
    /// Set as a permissions boundary.
    PermissionsBoundary,
}

/// A user, group or role that a managed policy is attached to, or that it bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEntity {
    /// Which of the three.
    pub kind: EntityKind,
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub id: String,
}

/// Which of a policy's entities `ListEntitiesForPolicy` asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntityFilter<'a> {
    /// Only entities of this kind.
    pub kind: Option<EntityKind>,
    /// Only entities under this path.
    pub path_prefix: Option<&'a str>,
    /// Only entities that use it so; both when absent.
    pub usage: Option<PolicyUsage>,
}

/// A page of the entities that use a managed policy: groups, then roles, then users.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `Validation`.
pub fn entities_for_policy(
    docs: &impl Documents,
    account: AccountId,
    policy_arn: &str,
    filter: EntityFilter<'_>,
    page: PageRequest<'_>,
) -> Result<Page<PolicyEntity>, IdentityError> {
    managed_policy::check_exists(docs, account, policy_arn)?;
    check_path_prefix(filter.path_prefix.unwrap_or("/"))?;
    let groups = users_of::<Group>(docs, account, policy_arn, filter);
    let roles = users_of::<Role>(docs, account, policy_arn, filter);
    let users = users_of::<User>(docs, account, policy_arn, filter);
    page.cut(groups.into_iter().chain(roles).chain(users))
}

fn users_of<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    policy_arn: &str,
    filter: EntityFilter<'_>,
) -> Vec<(String, PolicyEntity)> {
    if filter.kind.is_some_and(|kind| kind != T::ENTITY) {
        return Vec::new();
    }
    let prefix = filter.path_prefix.unwrap_or("/");
    let uses = |entity: &T| {
        let attached = entity.permissions().attached.iter().any(|arn| arn == policy_arn);
        let bounded = entity.permissions_boundary() == Some(policy_arn);
        match filter.usage {
            None => attached || bounded,
            Some(PolicyUsage::PermissionsPolicy) => attached,
            Some(PolicyUsage::PermissionsBoundary) => bounded,
        }
    };
    docs.documents::<T>(&entity::account_prefix(account))
        .into_iter()
        .filter(|(_, entity)| entity.path().starts_with(prefix) && uses(entity))
        .map(|(id, entity)| {
            let found = PolicyEntity {
                kind: T::ENTITY,
                name: entity.name().to_owned(),
                id: entity.unique_id().to_owned(),
            };
            (format!("{}/{id}", T::ENTITY.word()), found)
        })
        .collect()
}

/// How often a managed policy is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UsageCount {
    pub(crate) attached: usize,
    pub(crate) bounding: usize,
}

/// How often each managed policy is used in an account.
pub(crate) fn usage(docs: &impl Documents, account: AccountId) -> HashMap<String, UsageCount> {
    let mut counts = HashMap::new();
    count::<Group>(docs, account, &mut counts);
    count::<Role>(docs, account, &mut counts);
    count::<User>(docs, account, &mut counts);
    counts
}

fn count<T: Entity>(docs: &impl Documents, account: AccountId, counts: &mut HashMap<String, UsageCount>) {
    for (_, entity) in docs.documents::<T>(&entity::account_prefix(account)) {
        for arn in &entity.permissions().attached {
            counts.entry(arn.clone()).or_default().attached += 1;
        }
        if let Some(arn) = entity.permissions_boundary() {
            counts.entry(arn.to_owned()).or_default().bounding += 1;
        }
    }
}
