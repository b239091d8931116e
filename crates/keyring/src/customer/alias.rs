//! Aliases: names that stand for a key.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use super::{Key, KeyRefusal, limits};
use crate::{error::KeyringError, keyring::Keyring};

/// What the names of AWS's own aliases begin with.
pub(crate) const AWS_PREFIX: &str = "alias/aws/";

/// An alias.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Alias {
    /// `alias/NAME`.
    pub name: String,
    /// `arn:aws:kms:REGION:ACCOUNT:alias/NAME`.
    pub arn: String,
    /// The id of the key it stands for, of the same account and region.
    pub target: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last given a key.
    pub updated: DateTime<Utc>,
}

impl Resource for Alias {
    const KIND: &'static str = "kms.alias";
}

impl Alias {
    pub(crate) fn document_id(account: &AccountId, region: &Region, name: &str) -> String {
        format!("{account}/{region}/{name}")
    }

    pub(crate) fn new(key: &Key, name: &str, now: DateTime<Utc>) -> Self {
        Self {
            name: name.to_owned(),
            arn: alias_arn(&key.account, &key.region, name),
            target: key.id.clone(),
            created: now,
            updated: now,
        }
    }
}

/// An alias's ARN.
fn alias_arn(account: &AccountId, region: &Region, name: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:{name}")
}

/// Refuses what is not `alias/` and 1 to 250 letters, digits, `/`, `_`, `-`, `:`.
fn check_name(name: &str) -> Result<(), KeyRefusal> {
    let rest = name
        .strip_prefix("alias/")
        .ok_or(KeyRefusal::InvalidAliasName("Alias must start with the prefix \"alias/\""))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | ':');
    if rest.is_empty() || name.len() > limits::MAX_ALIAS_CHARS || !rest.chars().all(allowed) {
        let message = "Alias must be 1 to 256 characters of a-z, A-Z, 0-9, '/', '_', '-' and ':'";
        return Err(KeyRefusal::Validation(message.to_owned()));
    }
    if name.ends_with('/') {
        return Err(KeyRefusal::InvalidAliasName("Alias must not end with '/'"));
    }
    Ok(())
}

fn check_not_aws(name: &str) -> Result<(), KeyRefusal> {
    if name.starts_with(AWS_PREFIX) {
        return Err(KeyRefusal::InvalidAliasName(
            "Alias names that begin with \"alias/aws/\" are AWS's own.",
        ));
    }
    Ok(())
}

impl Keyring {
    /// Stages a new alias of a key.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidAliasName`], [`KeyRefusal::AliasExists`], [`KeyRefusal::LimitExceeded`],
    /// [`KeyRefusal::InvalidState`] of a key that waits for its deletion.
    pub fn create_alias(
        &self,
        tx: &mut Transaction,
        key: &Key,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        check_name(name)?;
        check_not_aws(name)?;
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        self.add_alias(tx, key, name, now)
    }

    pub(crate) fn add_alias(
        &self,
        tx: &mut Transaction,
        key: &Key,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        let id = Alias::document_id(&key.account, &key.region, name);
        if tx.contains::<Alias>(&id) {
            let alias = alias_arn(&key.account, &key.region, name);
            return Err(KeyRefusal::AliasExists { alias }.into());
        }
        check_alias_count(key)?;
        tx.put(&id, &Alias::new(key, name, now));
        Self::change(tx, key, |key| {
            key.aliases.insert(name.to_owned());
        });
        Ok(())
    }

    /// Stages that an alias stands for another key.
    ///
    /// # Errors
    /// [`KeyRefusal::NoSuchAlias`], [`KeyRefusal::InvalidAliasName`], [`KeyRefusal::InvalidState`],
    /// [`KeyRefusal::LimitExceeded`]; [`KeyRefusal::Validation`] if old and new key are not of one kind.
    pub fn update_alias(
        &self,
        tx: &mut Transaction,
        key: &Key,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        check_not_aws(name)?;
        let alias = self.alias(&key.account, &key.region, name)?;
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        if let Ok(old) = self.key_with_id(&key.account, &key.region, &alias.target) {
            if old.id == key.id {
                tx.put(
                    &Alias::document_id(&key.account, &key.region, name),
                    &Alias { updated: now, ..(*alias).clone() },
                );
                return Ok(());
            }
            if old.usage != key.usage || old.spec.is_symmetric() != key.spec.is_symmetric() {
                let message =
                    format!("Alias {name} cannot be associated with a key of another usage or kind.");
                return Err(KeyRefusal::Validation(message).into());
            }
            check_alias_count(key)?;
            Self::change(tx, &old, |key| {
                key.aliases.remove(name);
            });
        }
        Self::change(tx, key, |key| {
            key.aliases.insert(name.to_owned());
        });
        let alias = Alias { target: key.id.clone(), updated: now, ..(*alias).clone() };
        tx.put(&Alias::document_id(&key.account, &key.region, name), &alias);
        Ok(())
    }

    /// Stages that an alias is gone; its key stays.
    ///
    /// # Errors
    /// [`KeyRefusal::NoSuchAlias`], [`KeyRefusal::InvalidAliasName`].
    pub fn delete_alias(
        &self,
        tx: &mut Transaction,
        account: &AccountId,
        region: &Region,
        name: &str,
    ) -> Result<(), KeyringError> {
        check_not_aws(name)?;
        let alias = self.alias(account, region, name)?;
        tx.delete::<Alias>(&Alias::document_id(account, region, name));
        if let Ok(key) = self.key_with_id(account, region, &alias.target) {
            Self::change(tx, &key, |key| {
                key.aliases.remove(name);
            });
        }
        Ok(())
    }

    /// The alias of this name (`alias/…`).
    ///
    /// # Errors
    /// [`KeyRefusal::NoSuchAlias`].
    pub fn alias(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
    ) -> Result<Arc<Alias>, KeyringError> {
        let found = self.state().get::<Alias>(&Alias::document_id(account, region, name));
        found.ok_or_else(|| KeyRefusal::NoSuchAlias { alias: alias_arn(account, region, name) }.into())
    }

    /// At most `limit` aliases of an account in a region, in the order of their names, after this one.
    pub fn aliases(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Arc<Alias>> {
        let after = after.map(|name| Alias::document_id(account, region, name));
        let found = self.state().scan(&format!("{account}/{region}/"), after.as_deref(), limit);
        found.into_iter().map(|(_, alias)| alias).collect()
    }
}

fn check_alias_count(key: &Key) -> Result<(), KeyRefusal> {
    if key.aliases.len() < limits::MAX_ALIASES_PER_KEY {
        return Ok(());
    }
    let most = limits::MAX_ALIASES_PER_KEY;
    Err(KeyRefusal::LimitExceeded(format!("The key {} has {most} aliases, the most it can have.", key.arn)))
}
