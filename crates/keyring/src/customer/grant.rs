//! Grants: permissions on a key that stand beside its policy.

use std::{ops::ControlFlow, sync::Arc};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use super::{EncryptionContext, Key, KeyRefusal, limits, material::random};
use crate::{error::KeyringError, keyring::Keyring, seal::Sealed};

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The ARN of its key.
    pub key_arn: String,
    /// What it may be asked for again by.
    #[serde(default)]
    pub name: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// The account that made it.
    pub issuer: AccountId,
    /// Who may: the ARN of a principal, or a service's name.
    pub grantee: String,
    /// The unique id of the user or role that [`Grant::grantee`] means, where it means one that is known here.
    #[serde(default)]
    pub grantee_id: Option<String>,
    /// Who may retire it: the ARN of a principal, or a service's name.
    #[serde(default)]
    pub retiring: Option<String>,
    /// As [`Grant::grantee_id`], of [`Grant::retiring`].
    #[serde(default)]
    pub retiring_id: Option<String>,
    /// What they may, such as `Decrypt`, in AWS's order.
    pub operations: Vec<String>,
    /// Under what conditions.
    #[serde(default)]
    pub constraints: GrantConstraints,
}

/// Conditions of a grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantConstraints {
    /// The encryption context must have these pairs and may have more.
    #[serde(default)]
    pub context_subset: Option<EncryptionContext>,
    /// The encryption context must have these pairs and no other.
    #[serde(default)]
    pub context_equals: Option<EncryptionContext>,
    /// The resource that the request is made for must be this one.
    #[serde(default)]
    pub source_arn: Option<String>,
}

/// What a grant is to be.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// As [`Grant::name`].
    pub name: Option<String>,
    /// As [`Grant::issuer`].
    pub issuer: AccountId,
    /// As [`Grant::grantee`].
    pub grantee: String,
    /// As [`Grant::grantee_id`].
    pub grantee_id: Option<String>,
    /// As [`Grant::retiring`].
    pub retiring: Option<String>,
    /// As [`Grant::retiring_id`].
    pub retiring_id: Option<String>,
    /// As [`Grant::operations`].
    pub operations: Vec<String>,
    /// As [`Grant::constraints`].
    pub constraints: GrantConstraints,
}

impl Resource for Grant {
    const KIND: &'static str = "kms.grant";
}

impl GrantConstraints {
    /// Whether an operation with this encryption context, made for this resource, is within them. Names of pairs are
    /// compared without regard to case, values with it (the API, GrantConstraints).
    pub fn hold(&self, context: Option<&EncryptionContext>, source_arn: Option<&str>) -> bool {
        if self.source_arn.as_deref().is_some_and(|wanted| source_arn != Some(wanted)) {
            return false;
        }
        // An operation that takes no context is not constrained by one.
        let Some(context) = context else { return true };
        let has = |wanted: &EncryptionContext| {
            wanted.iter().all(|(name, value)| {
                context.iter().any(|(given, is)| given.eq_ignore_ascii_case(name) && is == value)
            })
        };
        self.context_subset.as_ref().is_none_or(has)
            && self.context_equals.as_ref().is_none_or(|wanted| wanted.len() == context.len() && has(wanted))
    }

    /// Whether nothing outside of `self` is within `other`: a grant made by a grantee may not be wider than its own.
    pub fn contain(&self, other: &Self) -> bool {
        let subset_of = |wanted: &EncryptionContext| {
            let given = other.context_equals.as_ref().or(other.context_subset.as_ref());
            given.is_some_and(|given| wanted.iter().all(|(name, value)| given.get(name) == Some(value)))
        };
        self.context_subset.as_ref().is_none_or(subset_of)
            && (self.context_equals.is_none() || self.context_equals == other.context_equals)
            && (self.source_arn.is_none() || self.source_arn == other.source_arn)
    }
}

/// What a grant's token is sealed as.
const TOKEN_CONTEXT: &str = "kms.grant-token";

impl Keyring {
    /// Stages a grant on a key. One that has a name and exists already just so is given again.
    ///
    /// # Errors
    /// [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`], [`KeyRefusal::Validation`],
    /// [`KeyRefusal::LimitExceeded`].
    pub fn create_grant(
        &self,
        tx: &mut Transaction,
        key: &Key,
        new: NewGrant,
        now: DateTime<Utc>,
    ) -> Result<Grant, KeyringError> {
        key.check_usable()?;
        key.check_customers()?;
        check_constraints(key, &new.constraints)?;
        let (mut count, mut found) = (0, None);
        self.state().visit::<Grant>(&of_key(key), None, |_, grant| {
            count += 1;
            found = Some(grant).filter(|grant| new.name.is_some() && new.is(grant)).cloned();
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Some(grant) = found {
            return Ok((*grant).clone());
        }
        if count >= limits::MAX_GRANTS_PER_KEY {
            let message = format!("The key has {} grants, the most it can have.", limits::MAX_GRANTS_PER_KEY);
            return Err(KeyRefusal::LimitExceeded(message).into());
        }
        let grant = Grant {
            id: hex::encode(&*random(32)?),
            key_arn: key.arn.clone(),
            name: new.name,
            created: now,
            issuer: new.issuer,
            grantee: new.grantee,
            grantee_id: new.grantee_id,
            retiring: new.retiring,
            retiring_id: new.retiring_id,
            operations: new.operations,
            constraints: new.constraints,
        };
        tx.put(&document(key, &grant.id), &grant);
        Ok(grant)
    }

    /// Stages that a grant is gone.
    ///
    /// # Errors
    /// [`KeyRefusal::NoSuchGrant`].
    pub fn remove_grant(&self, tx: &mut Transaction, key: &Key, id: &str) -> Result<(), KeyringError> {
        if tx.delete::<Grant>(&document(key, id)) {
            return Ok(());
        }
        Err(KeyRefusal::NoSuchGrant { grant: id.to_owned() }.into())
    }

    /// The grant of this id.
    ///
    /// # Errors
    /// [`KeyRefusal::NoSuchGrant`].
    pub fn grant(&self, key: &Key, id: &str) -> Result<Arc<Grant>, KeyringError> {
        let found = self.state().get::<Grant>(&document(key, id));
        found.ok_or_else(|| KeyRefusal::NoSuchGrant { grant: id.to_owned() }.into())
    }

    /// At most `most` of the grants on a key that are `wanted`, in the order of their ids, after one of them. A key can
    /// have [`limits::MAX_GRANTS_PER_KEY`]: only those that are given are copied.
    pub fn grants(
        &self,
        key: &Key,
        after: Option<&str>,
        most: usize,
        wanted: impl Fn(&Grant) -> bool,
    ) -> Vec<Arc<Grant>> {
        let after = after.map(|id| document(key, id));
        let found = self.find_grants(&of_key(key), after.as_deref(), most, |_, grant| wanted(grant));
        found.into_iter().map(|(_, grant)| grant).collect()
    }

    /// At most `most` of the grants on all keys of a region, whatever their account, that are `wanted`. Each comes
    /// with a name that says where the next page begins.
    pub fn grants_in(
        &self,
        region: &Region,
        after: Option<&str>,
        most: usize,
        wanted: impl Fn(&Grant) -> bool,
    ) -> Vec<(String, Arc<Grant>)> {
        let is_here = |id: &str| id.split('/').nth(1) == Some(region.as_str());
        self.find_grants("", after, most, |id, grant| is_here(id) && wanted(grant))
    }

    fn find_grants(
        &self,
        prefix: &str,
        after: Option<&str>,
        most: usize,
        wanted: impl Fn(&str, &Grant) -> bool,
    ) -> Vec<(String, Arc<Grant>)> {
        let mut found = Vec::new();
        self.state().visit::<Grant>(prefix, after, |id, grant| {
            if wanted(id, grant) {
                found.push((id.to_owned(), Arc::clone(grant)));
            }
            if found.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// A token that stands for a grant. No two are the same.
    pub fn grant_token(&self, grant: &Grant) -> String {
        self.seal(TOKEN_CONTEXT, format!("{}/{}", grant.key_arn, grant.id).as_bytes()).into()
    }

    /// The ARN of the key and the id of the grant that a token stands for.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidGrantToken`] for what is no token of ours.
    pub fn grant_of_token(&self, token: &str) -> Result<(String, String), KeyringError> {
        let opened = Sealed::try_from(token.to_owned())
            .ok()
            .and_then(|sealed| self.unseal(TOKEN_CONTEXT, &sealed).ok())
            .and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        let named = opened.as_deref().and_then(|text| text.rsplit_once('/'));
        match named {
            Some((key, grant)) => Ok((key.to_owned(), grant.to_owned())),
            None => Err(KeyRefusal::InvalidGrantToken.into()),
        }
    }
}

impl NewGrant {
    /// Whether this grant is just that.
    fn is(&self, grant: &Grant) -> bool {
        (&grant.name, grant.issuer, &grant.grantee, &grant.grantee_id)
            == (&self.name, self.issuer, &self.grantee, &self.grantee_id)
            && (&grant.retiring, &grant.retiring_id) == (&self.retiring, &self.retiring_id)
            && (&grant.operations, &grant.constraints) == (&self.operations, &self.constraints)
    }
}

/// What the ids of the documents of a key's grants begin with.
fn of_key(key: &Key) -> String {
    format!("{}/", key.document())
}

fn document(key: &Key, id: &str) -> String {
    of_key(key) + id
}

fn check_constraints(key: &Key, constraints: &GrantConstraints) -> Result<(), KeyRefusal> {
    let contexts = [&constraints.context_subset, &constraints.context_equals];
    for context in contexts.into_iter().flatten() {
        if !key.spec.is_symmetric() {
            let message = "EncryptionContext constraints are for symmetric encryption keys only.";
            return Err(KeyRefusal::Validation(message.to_owned()));
        }
        let too_long = |value: &String| value.chars().count() > limits::MAX_CONSTRAINT_VALUE_CHARS;
        if context.len() > limits::MAX_CONSTRAINT_PAIRS || context.values().any(too_long) {
            let message = "A grant's constraint has at most 8 pairs, with values of at most 384 characters.";
            return Err(KeyRefusal::Validation(message.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EncryptionContext, GrantConstraints};

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_subset_may_have_more_and_an_equal_context_may_not() {
        let subset =
            GrantConstraints { context_subset: Some(context(&[("dept", "it")])), ..Default::default() };
        let equal =
            GrantConstraints { context_equals: Some(context(&[("dept", "it")])), ..Default::default() };
        let (exact, more, other) =
            (context(&[("Dept", "it")]), context(&[("dept", "it"), ("a", "b")]), context(&[("dept", "IT")]));
        assert!(subset.hold(Some(&exact), None) && subset.hold(Some(&more), None));
        assert!(equal.hold(Some(&exact), None) && !equal.hold(Some(&more), None));
        assert!(!subset.hold(Some(&other), None) && !equal.hold(Some(&other), None));
        assert!(equal.hold(None, None));
    }

    #[test]
    fn a_grant_does_not_make_a_wider_one() {
        let none = GrantConstraints::default();
        let narrow = GrantConstraints { context_subset: Some(context(&[("a", "1")])), ..none.clone() };
        let narrower =
            GrantConstraints { context_equals: Some(context(&[("a", "1"), ("b", "2")])), ..none.clone() };
        assert!(none.contain(&narrow) && narrow.contain(&narrower) && narrow.contain(&narrow));
        assert!(!narrow.contain(&none) && !narrower.contain(&narrow));
    }
}
