//! The names of a key: its id, its ARN, an alias, an alias's ARN.

use std::sync::Arc;

use opentrail_event::{AccountId, Arn, Region};
use uuid::Uuid;

use super::{Alias, Key, KeyRefusal, KeyState, limits};
use crate::{error::KeyringError, keyring::Keyring};

/// A key's name, read.
pub(crate) enum Reference {
    /// A key's account, region and id.
    Key(AccountId, Region, String),
    /// An alias's account, region and name (`alias/…`).
    Alias(AccountId, Region, String),
}

impl Reference {
    /// Reads a name as one of this account and region where it does not say.
    pub(crate) fn read(account: &AccountId, region: &Region, text: &str) -> Result<Self, KeyRefusal> {
        let invalid = |what| KeyRefusal::InvalidReference { what, text: text.chars().take(128).collect() };
        if text.is_empty() || text.chars().count() > limits::MAX_KEY_REFERENCE_CHARS {
            return Err(invalid("keyId"));
        }
        if !text.starts_with("arn:") {
            return match text.strip_prefix("alias/") {
                Some(_) => Ok(Self::Alias(*account, region.clone(), text.to_owned())),
                None if is_key_id(text) => Ok(Self::Key(*account, region.clone(), text.to_owned())),
                None => Err(invalid("keyId")),
            };
        }
        let arn: Arn = text.parse().map_err(|_| invalid("arn"))?;
        let (Ok(owner), Ok(place)) = (arn.account().parse(), arn.region().parse::<Region>()) else {
            return Err(invalid("arn"));
        };
        if arn.service() != "kms" || arn.partition() != "aws" || place != *region {
            return Err(invalid("arn"));
        }
        match arn.resource().strip_prefix("key/") {
            Some(id) if is_key_id(id) => Ok(Self::Key(owner, place, id.to_owned())),
            None if arn.resource().starts_with("alias/") => {
                Ok(Self::Alias(owner, place, arn.resource().to_owned()))
            }
            _ => Err(invalid("arn")),
        }
    }
}

fn is_key_id(text: &str) -> bool {
    // One spelling only: what names a document must not do so in two ways.
    text.parse::<Uuid>().is_ok_and(|id| id.to_string() == text)
}

/// A key's ARN.
pub(crate) fn key_arn(account: &AccountId, region: &Region, id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}

impl Keyring {
    /// The key that a name stands for: a key id, a key ARN, `alias/NAME` or an alias ARN. What is not an ARN is a
    /// name of this account; an ARN may be of another account, but not of another region. A key whose deletion is
    /// due is gone.
    ///
    /// # Errors
    /// [`KeyRefusal::NoSuchKey`], [`KeyRefusal::NoSuchAlias`], [`KeyRefusal::InvalidReference`], each in
    /// [`KeyringError::Key`].
    pub fn key(
        &self,
        account: &AccountId,
        region: &Region,
        reference: &str,
    ) -> Result<Arc<Key>, KeyringError> {
        match Reference::read(account, region, reference)? {
            Reference::Key(account, region, id) => self.key_with_id(&account, &region, &id),
            Reference::Alias(account, region, name) => {
                let alias = self.state().get::<Alias>(&Alias::document_id(&account, &region, &name));
                let arn = || format!("arn:aws:kms:{region}:{account}:{name}");
                let alias = alias.ok_or_else(|| KeyRefusal::NoSuchAlias { alias: arn() })?;
                self.key_with_id(&account, &region, &alias.target)
            }
        }
    }

    /// As [`key`](Self::key), for what takes a key id or a key ARN only.
    ///
    /// # Errors
    /// As `key`; [`KeyRefusal::InvalidArn`] for an alias's ARN, [`KeyRefusal::InvalidReference`] for an alias.
    pub fn key_not_alias(
        &self,
        account: &AccountId,
        region: &Region,
        reference: &str,
    ) -> Result<Arc<Key>, KeyringError> {
        match Reference::read(account, region, reference)? {
            Reference::Key(account, region, id) => self.key_with_id(&account, &region, &id),
            Reference::Alias(..) if reference.starts_with("arn:") => {
                Err(KeyRefusal::InvalidArn(format!("{reference} is not a key's ARN.")).into())
            }
            Reference::Alias(..) => {
                Err(KeyRefusal::InvalidReference { what: "keyId", text: reference.to_owned() }.into())
            }
        }
    }

    /// The account that a name says the key is of: the caller's where it does not say.
    pub fn key_owner(&self, account: &AccountId, region: &Region, reference: &str) -> AccountId {
        match Reference::read(account, region, reference) {
            Ok(Reference::Key(owner, ..) | Reference::Alias(owner, ..)) => owner,
            Err(_) => *account,
        }
    }

    pub(crate) fn key_with_id(
        &self,
        account: &AccountId,
        region: &Region,
        id: &str,
    ) -> Result<Arc<Key>, KeyringError> {
        let found = self.state().get::<Key>(&Key::document_id(account, region, id));
        let is_due =
            |key: &Key| matches!(key.state, KeyState::PendingDeletion { at } if at <= self.state().now());
        match found.filter(|key| !is_due(key)) {
            Some(key) => Ok(key),
            None => Err(KeyRefusal::NoSuchKey { key: key_arn(account, region, id) }.into()),
        }
    }
}
