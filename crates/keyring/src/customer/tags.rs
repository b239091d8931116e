//! A key's tags.

use std::collections::BTreeMap;

use opentrail_state::Transaction;

use super::{Key, KeyRefusal, limits};
use crate::{error::KeyringError, keyring::Keyring};

/// These tags with those set too.
pub(crate) fn merged(
    tags: &BTreeMap<String, String>,
    set: &[(String, String)],
) -> Result<BTreeMap<String, String>, KeyRefusal> {
    let mut merged = tags.clone();
    let mut seen = std::collections::BTreeSet::new();
    for (key, value) in set {
        check(key, value)?;
        if !seen.insert(key) {
            return Err(KeyRefusal::Tag("Duplicate tag keys".to_owned()));
        }
        merged.insert(key.clone(), value.clone());
    }
    if merged.len() > limits::MAX_TAGS {
        return Err(KeyRefusal::LimitExceeded(format!("A key has at most {} tags.", limits::MAX_TAGS)));
    }
    Ok(merged)
}

fn check(key: &str, value: &str) -> Result<(), KeyRefusal> {
    if key.is_empty()
        || key.chars().count() > limits::MAX_TAG_KEY_CHARS
        || value.chars().count() > limits::MAX_TAG_VALUE_CHARS
    {
        return Err(KeyRefusal::Validation("A tag's key or value is too short or too long.".to_owned()));
    }
    let allowed = |c: char| {
        c.is_alphanumeric() || c.is_whitespace() || matches!(c, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@')
    };
    if !key.chars().all(allowed) || !value.chars().all(allowed) {
        return Err(KeyRefusal::Tag("A tag has characters that tags cannot have.".to_owned()));
    }
    if key.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("aws:")) {
        return Err(KeyRefusal::Tag("Tag keys that begin with aws: are AWS's own.".to_owned()));
    }
    Ok(())
}

impl Keyring {
    /// Stages tags of a key; those it has of the same key are replaced.
    ///
    /// # Errors
    /// [`KeyRefusal::Tag`], [`KeyRefusal::LimitExceeded`], [`KeyRefusal::InvalidState`], [`KeyRefusal::AwsManaged`].
    pub fn tag(
        &self,
        tx: &mut Transaction,
        key: &Key,
        tags: &[(String, String)],
    ) -> Result<(), KeyringError> {
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        let tags = merged(&key.tags, tags)?;
        Self::change(tx, key, |key| key.tags = tags);
        Ok(())
    }

    /// Stages that a key does not have these tags.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidState`], [`KeyRefusal::AwsManaged`].
    pub fn untag(&self, tx: &mut Transaction, key: &Key, tag_keys: &[String]) -> Result<(), KeyringError> {
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        Self::change(tx, key, |key| key.tags.retain(|name, _| !tag_keys.contains(name)));
        Ok(())
    }
}
