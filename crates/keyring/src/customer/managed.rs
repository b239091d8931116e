//! AWS managed keys: the keys of services, one for each account and region, made at their first use.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html>, "AWS managed keys".

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use serde_json::json;

use super::{
    Alias, Key, KeyManager, KeyRefusal, KeySpec, KeyUsage, NewKey, NewMaterial, Rotation, alias::AWS_PREFIX,
    limits, service_record,
};
use crate::{error::KeyringError, keyring::Keyring};

/// The services that have a key `alias/aws/SERVICE`: those here that encrypt with it.
pub const MANAGED_SERVICES: &[&str] = &["s3"];

impl Keyring {
    /// The key `alias/aws/SERVICE` of an account in a region, which is made if there is none yet. `service` is one
    /// of [`MANAGED_SERVICES`].
    ///
    /// Making one changes the state: a caller that holds a [`Transaction`](opentrail_state::Transaction) waits for
    /// itself for ever.
    ///
    /// # Errors
    /// [`KeyringError::State`] if it could not be kept; [`KeyRefusal::LimitExceeded`] beyond
    /// [`limits::MAX_MANAGED_KEY_REGIONS`].
    pub async fn managed_key(
        &self,
        account: &AccountId,
        region: &Region,
        service: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<Key>, KeyringError> {
        let name = format!("{AWS_PREFIX}{service}");
        match self.managed_key_for(account, region, service, now, |_| true).await? {
            Some(key) => Ok(key),
            // Only who may not is refused one.
            None => self.key(account, region, &name),
        }
    }

    /// As [`managed_key`](Self::managed_key), but where there is none yet it is made only if `may` says so of the key
    /// that would be made; none if it does not. One that is there already is given without asking.
    ///
    /// # Errors
    /// As `managed_key`.
    pub async fn managed_key_for(
        &self,
        account: &AccountId,
        region: &Region,
        service: &str,
        now: DateTime<Utc>,
        may: impl FnOnce(&Key) -> bool + Send,
    ) -> Result<Option<Arc<Key>>, KeyringError> {
        let name = format!("{AWS_PREFIX}{service}");
        if let Ok(key) = self.key(account, region, &name) {
            return Ok(Some(key));
        }
        self.check_managed_regions(account, &name)?;
        let mut tx = self.state().begin().await;
        if let Ok(key) = self.key(account, region, &name) {
            return Ok(Some(key));
        }
        let material = NewMaterial::generate(KeySpec::SymmetricDefault)?;
        let new = NewKey {
            account: *account,
            region: region.clone(),
            description: format!(
                "Default key that protects my {} objects when no other key is defined",
                title(service)
            ),
            usage: KeyUsage::EncryptDecrypt,
            policy: policy(account, region, service),
            policy_principals: BTreeMap::new(),
            tags: Vec::new(),
        };
        let mut key = self.create_key(&mut tx, new, &material, now)?;
        key.manager = KeyManager::Aws;
        key.rotation = Some(Rotation::after(limits::DEFAULT_ROTATION_PERIOD_DAYS, now));
        tx.put(&key.document(), &key);
        self.add_alias(&mut tx, &key, &name, now)?;
        if !tx.get::<Key>(&key.document()).is_some_and(|staged| may(&staged)) {
            return Ok(None);
        }
        tx.commit(vec![service_record::managed_key_made(&key, service, now)?]).await?;
        self.key(account, region, &name).map(Some)
    }

    /// Refuses one region more than an account can have this alias in.
    fn check_managed_regions(&self, account: &AccountId, name: &str) -> Result<(), KeyRefusal> {
        let aliases = self.state().list::<Alias>(&format!("{account}/"));
        let most = limits::MAX_MANAGED_KEY_REGIONS;
        if aliases.iter().filter(|(_, alias)| alias.name == name).count() < most {
            return Ok(());
        }
        Err(KeyRefusal::LimitExceeded(format!(
            "The account has {name} in {most} regions, the most it can be in."
        )))
    }

    /// The service whose key this name stands for, if it has one: `s3` of `alias/aws/s3` or its ARN.
    pub fn managed_service(reference: &str) -> Option<&'static str> {
        let resource = reference.splitn(6, ':').nth(5).unwrap_or(reference);
        let service = resource.strip_prefix(AWS_PREFIX)?;
        MANAGED_SERVICES.iter().copied().find(|known| *known == service)
    }
}

fn title(service: &str) -> String {
    service.to_uppercase()
}

/// The policy that AWS gives such a key: everybody in the account may use it through the service, and look at it.
fn policy(account: &AccountId, region: &Region, service: &str) -> String {
    let title = title(service);
    let policy = json!({
        "Version": "2012-10-17",
        "Id": format!("auto-{service}-2"),
        "Statement": [
            {
                "Sid": format!("Allow access through {title} for all principals in the account that are authorized to use {title}"),
                "Effect": "Allow",
                "Principal": { "AWS": "*" },
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                "Resource": "*",
                "Condition": { "StringEquals": {
                    "kms:CallerAccount": account.as_str(),
                    "kms:ViaService": format!("{service}.{region}.amazonaws.com"),
                } },
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    });
    policy.to_string()
}
