//! From a key's making to its deletion.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::Transaction;
use uuid::Uuid;

use super::{
    Alias, Grant, Key, KeyManager, KeyRefusal, KeyState, MaterialOrigin, NewKey, NewMaterial, limits,
    reference::key_arn, tags,
};
use crate::{error::KeyringError, keyring::Keyring};

impl Keyring {
    /// Stages a new key with this material.
    ///
    /// # Errors
    /// [`KeyRefusal::Validation`] for a usage that its spec does not have or a description that is too long,
    /// [`KeyRefusal::Tag`], [`KeyRefusal::LimitExceeded`].
    pub fn create_key(
        &self,
        tx: &mut Transaction,
        new: NewKey,
        material: &NewMaterial,
        now: DateTime<Utc>,
    ) -> Result<Key, KeyringError> {
        let spec = material.spec;
        if !spec.usages().contains(&new.usage) {
            let message = format!("KeyUsage {} is not compatible with KeySpec {spec}", new.usage);
            return Err(KeyRefusal::Validation(message).into());
        }
        check_description(&new.description)?;
        let tags = tags::merged(&Default::default(), &new.tags)?;
        let prefix = format!("{}/{}/", new.account, new.region);
        if self.state().scan::<Key>(&prefix, None, limits::MAX_KEYS).len() >= limits::MAX_KEYS {
            let message = format!("The account has {} keys in this region.", limits::MAX_KEYS);
            return Err(KeyRefusal::LimitExceeded(message).into());
        }
        let id = Uuid::new_v4().to_string();
        let arn = key_arn(&new.account, &new.region, &id);
        let version = material.version(self, &arn, 1, MaterialOrigin::Creation, now);
        let key = Key {
            account: new.account,
            region: new.region,
            id,
            arn,
            created: now,
            description: new.description,
            spec,
            usage: new.usage,
            manager: KeyManager::Customer,
            state: KeyState::Enabled,
            policy: new.policy,
            policy_principals: new.policy_principals,
            aliases: Default::default(),
            tags,
            rotation: None,
            materials: vec![version],
            public_key: material.public_base64(),
        };
        tx.put(&key.document(), &key);
        Ok(key)
    }

    /// Stages a change of a key as it is in the transaction.
    pub(crate) fn change(tx: &mut Transaction, key: &Key, change: impl FnOnce(&mut Key)) {
        let id = key.document();
        let mut changed = tx.get::<Key>(&id).map_or_else(|| key.clone(), |staged| (*staged).clone());
        change(&mut changed);
        tx.put(&id, &changed);
    }

    /// Stages that the key can be used, or can't until it is enabled again.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidState`], [`KeyRefusal::AwsManaged`].
    pub fn set_enabled(&self, tx: &mut Transaction, key: &Key, enabled: bool) -> Result<(), KeyringError> {
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        let state = if enabled { KeyState::Enabled } else { KeyState::Disabled };
        Self::change(tx, key, |key| key.state = state);
        Ok(())
    }

    /// Stages that the key is deleted after so many days; when that is.
    ///
    /// # Errors
    /// [`KeyRefusal::Validation`] for days outside of [`limits::DELETION_WINDOW_DAYS`], [`KeyRefusal::InvalidState`],
    /// [`KeyRefusal::AwsManaged`].
    pub fn schedule_deletion(
        &self,
        tx: &mut Transaction,
        key: &Key,
        days: u32,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, KeyringError> {
        if !limits::DELETION_WINDOW_DAYS.contains(&days) {
            let message = "PendingWindowInDays must be between 7 and 30, inclusive.".to_owned();
            return Err(KeyRefusal::Validation(message).into());
        }
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        let at = now + Duration::days(i64::from(days));
        Self::change(tx, key, |key| key.state = KeyState::PendingDeletion { at });
        Ok(at)
    }

    /// Stages that the key is not deleted; it is disabled then.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidState`] of a key that does not wait for its deletion.
    pub fn cancel_deletion(&self, tx: &mut Transaction, key: &Key) -> Result<(), KeyringError> {
        if !matches!(key.state, KeyState::PendingDeletion { .. }) {
            let state = "not pending deletion";
            return Err(KeyRefusal::InvalidState { key: key.arn.clone(), state }.into());
        }
        Self::change(tx, key, |key| key.state = KeyState::Disabled);
        Ok(())
    }

    /// Stages the key's policy; its text is the caller's to check, and whom it means the caller's to know
    /// ([`Key::policy_principals`]).
    ///
    /// # Errors
    /// [`KeyRefusal::AwsManaged`], [`KeyRefusal::InvalidState`].
    pub fn set_policy(
        &self,
        tx: &mut Transaction,
        key: &Key,
        policy: &str,
        principals: BTreeMap<String, String>,
    ) -> Result<(), KeyringError> {
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        Self::change(tx, key, |key| {
            policy.clone_into(&mut key.policy);
            key.policy_principals = principals;
        });
        Ok(())
    }

    /// Stages the key's description.
    ///
    /// # Errors
    /// [`KeyRefusal::Validation`], [`KeyRefusal::AwsManaged`], [`KeyRefusal::InvalidState`].
    pub fn set_description(&self, tx: &mut Transaction, key: &Key, text: &str) -> Result<(), KeyringError> {
        check_description(text)?;
        key.check_not_pending_deletion()?;
        key.check_customers()?;
        Self::change(tx, key, |key| text.clone_into(&mut key.description));
        Ok(())
    }

    /// At most `limit` keys of an account in a region, in the order of their ids, after this one.
    pub fn customer_keys(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Arc<Key>> {
        let after = after.map(|id| Key::document_id(account, region, id));
        let found = self.state().scan(&format!("{account}/{region}/"), after.as_deref(), limit);
        found.into_iter().map(|(_, key)| key).collect()
    }

    /// Stages that the key, its aliases and its grants are gone.
    pub(crate) fn destroy(&self, tx: &mut Transaction, key: &Key) {
        for name in &key.aliases {
            tx.delete::<Alias>(&Alias::document_id(&key.account, &key.region, name));
        }
        for (id, _) in tx.list::<Grant>(&format!("{}/", key.document())) {
            tx.delete::<Grant>(&id);
        }
        tx.delete::<Key>(&key.document());
    }
}

fn check_description(text: &str) -> Result<(), KeyRefusal> {
    if text.chars().count() <= limits::MAX_DESCRIPTION_CHARS {
        return Ok(());
    }
    let most = limits::MAX_DESCRIPTION_CHARS;
    Err(KeyRefusal::Validation(format!("The description is longer than {most} characters.")))
}
