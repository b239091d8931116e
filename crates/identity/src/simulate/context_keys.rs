//! The condition keys that policies ask for.

use opentrail_event::AccountId;
use opentrail_policy::{Policy, PolicyKind, Statement};

use super::world::{find, read};
use crate::{documents::Documents, error::IdentityError, in_force::InForce};

/// The keys that these policies ask for, each once, in order.
///
/// # Errors
/// `InvalidInput` for a text that is no policy.
pub fn of_texts(texts: &[String]) -> Result<Vec<String>, IdentityError> {
    let policies = given(texts)?;
    Ok(keys(policies.iter()))
}

/// The keys that the policies of a user, group or role ask for, and these besides.
///
/// # Errors
/// `NoSuchEntity`; `InvalidInput` for what is no ARN of a user, group or role of the account, or no policy.
pub fn of_principal(
    docs: &impl Documents,
    account: AccountId,
    source_arn: &str,
    texts: &[String],
) -> Result<Vec<String>, IdentityError> {
    let source = find(docs, account, "PolicySourceArn", source_arn)?;
    let (in_force, _) = InForce::with_origins(docs, &source.holder());
    let policies = given(texts)?;
    Ok(keys(in_force.identity.iter().chain(&policies)))
}

fn given(texts: &[String]) -> Result<Vec<Policy>, IdentityError> {
    let numbered = texts.iter().enumerate();
    numbered
        .map(|(at, text)| read(&format!("PolicyInputList.{}", at + 1), text, PolicyKind::Identity))
        .collect()
}

fn keys<'a>(policies: impl Iterator<Item = &'a Policy>) -> Vec<String> {
    let mut keys: Vec<String> =
        policies.flat_map(Policy::statements).flat_map(Statement::context_keys).map(str::to_owned).collect();
    keys.sort_by_cached_key(|key| key.to_lowercase());
    keys.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    keys
}
