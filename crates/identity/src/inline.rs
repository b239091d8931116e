//! Inline policies of users, groups and roles.

use opentrail_event::AccountId;
use opentrail_policy::PolicyKind;
use opentrail_state::Transaction;

use crate::{
    documents::Documents,
    entity::{self, Entity},
    error::{IdentityError, Missing, Quota},
    limits,
    name::{check_name, counted_chars},
    page::{Page, PageRequest},
    permissions::PolicyText,
};

/// Embeds a policy, for `PutUserPolicy` and its like; one of the same name is replaced.
///
/// # Errors
/// `NoSuchEntity`, `MalformedPolicy`, `Validation`, and `LimitExceeded` when all inline policies together are
/// larger than [`Entity::INLINE_CHARS`].
pub fn put<T: Entity>(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    policy_name: &str,
    document: &str,
) -> Result<(), IdentityError> {
    check_name("policyName", policy_name, limits::POLICY_NAME_CHARS)?;
    let mut holder = T::clone(&*entity::find::<T>(tx, account, name)?);
    holder.check_modifiable()?;
    let policy = PolicyText::new("policyDocument", document, PolicyKind::Identity)?;
    let inline = &mut holder.permissions_mut().inline;
    inline.insert(policy_name.to_owned(), policy);
    let chars: usize = inline.values().map(|policy| counted_chars(policy.as_str())).sum();
    if chars > T::INLINE_CHARS {
        let quota = Quota::InlineChars(T::ENTITY, name.to_owned(), T::INLINE_CHARS);
        return Err(IdentityError::LimitExceeded(quota));
    }
    tx.put(&entity::document_id(account, name), &holder);
    Ok(())
}

/// The text of an inline policy.
///
/// # Errors
/// `NoSuchEntity` for the entity or the policy.
pub fn get<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
    policy_name: &str,
) -> Result<PolicyText, IdentityError> {
    let holder = entity::find::<T>(docs, account, name)?;
    holder.permissions().inline.get(policy_name).cloned().ok_or_else(|| missing::<T>(policy_name))
}

/// A page of the names of an entity's inline policies.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn list<T: Entity>(
    docs: &impl Documents,
    account: AccountId,
    name: &str,
    page: PageRequest<'_>,
) -> Result<Page<String>, IdentityError> {
    let holder = entity::find::<T>(docs, account, name)?;
    page.cut(holder.permissions().inline.keys().map(|name| (name.clone(), name.clone())))
}

/// Removes an inline policy.
///
/// # Errors
/// `NoSuchEntity` for the entity or the policy.
pub fn delete<T: Entity>(
    tx: &mut Transaction,
    account: AccountId,
    name: &str,
    policy_name: &str,
) -> Result<(), IdentityError> {
    let mut holder = T::clone(&*entity::find::<T>(tx, account, name)?);
    holder.check_modifiable()?;
    if holder.permissions_mut().inline.remove(policy_name).is_none() {
        return Err(missing::<T>(policy_name));
    }
    tx.put(&entity::document_id(account, name), &holder);
    Ok(())
}

fn missing<T: Entity>(policy_name: &str) -> IdentityError {
    IdentityError::NoSuchEntity(Missing::InlinePolicy(T::ENTITY, policy_name.to_owned()))
}
