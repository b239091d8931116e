//! A bucket's replication configuration: which S3 takes, and how it is kept.

use std::collections::HashSet;

use opentrail_event::AccountId;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::InvalidReplication;
use crate::{
    Bucket, StorageClass, Vault, VaultError, Versioning,
    bucket::no_such_bucket,
    bucket_name::check_bucket_name,
    error::InvalidTagReason,
    lifecycle::{FilterForm, RuleFilter},
    limits,
    tags::check_tags,
};

/// Where a bucket's versions are copied to, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// The ARN of the role that the copying is done as.
    pub role: String,
    /// Its rules.
    pub rules: Vec<ReplicationRule>,
}

/// A rule: which versions are copied, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationRule {
    /// Its id, unique in the configuration.
    pub id: String,
    /// Whether it acts.
    pub enabled: bool,
    /// Which versions it is about. It never asks about sizes.
    pub filter: RuleFilter,
    /// Of rules with one destination, the one with the highest acts; none in the form with `Prefix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Whether delete markers are copied; none in the form with `Prefix`, which copies them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_markers: Option<bool>,
    /// Whether objects that are encrypted with a KMS key are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_objects: Option<bool>,
    /// Whether changes of what is known about replicas are copied back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_modifications: Option<bool>,
    /// Where to.
    pub destination: ReplicationDestination,
}

/// Where a rule copies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationDestination {
    /// The bucket's name.
    pub bucket: String,
    /// The account that the bucket must belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The class of the copies; the version's own where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<StorageClass>,
    /// Whether the destination's owner owns the copies (`AccessControlTranslation`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owner_override: bool,
    /// The KMS key of copies of objects that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

impl ReplicationDestination {
    /// This bucket, with nothing else said.
    pub fn of(bucket: impl Into<String>) -> Self {
        let bucket = bucket.into();
        Self { bucket, account: None, storage_class: None, owner_override: false, kms_key: None }
    }
}

impl ReplicationRule {
    /// An enabled rule with a filter, which copies delete markers.
    pub fn new(id: impl Into<String>, filter: RuleFilter, bucket: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            enabled: true,
            filter,
            priority: Some(0),
            delete_markers: Some(true),
            kms_objects: None,
            replica_modifications: None,
            destination: ReplicationDestination::of(bucket),
        }
    }

    fn is_legacy(&self) -> bool {
        self.filter.form == FilterForm::Legacy
    }

    /// Whether it copies delete markers.
    pub(super) fn copies_markers(&self) -> bool {
        self.delete_markers.unwrap_or_else(|| self.is_legacy())
    }

    fn check(&self, ids: &mut HashSet<String>) -> Result<(), InvalidReplication> {
        if self.id.chars().count() > limits::MAX_RULE_ID_CHARS {
            return Err(InvalidReplication::LongId);
        }
        if !ids.insert(self.id.clone()) {
            return Err(InvalidReplication::SameId);
        }
        if self.filter.start().len() > limits::MAX_KEY_BYTES {
            return Err(InvalidReplication::LongPrefix);
        }
        match check_tags(&self.filter.tags, limits::MAX_OBJECT_TAGS) {
            Err(VaultError::InvalidTag { reason }) => return Err(InvalidReplication::Tag(reason)),
            Err(_) => return Err(InvalidReplication::Tag(InvalidTagReason::Key)),
            Ok(()) => {}
        }
        check_bucket_name(&self.destination.bucket).map_err(|_| InvalidReplication::DestinationArn)?;
        let missing = |member| Err(InvalidReplication::Missing { member });
        let unknown = |member| Err(InvalidReplication::NotInThisForm { member });
        match (self.is_legacy(), self.priority, self.delete_markers) {
            (true, Some(_), _) => return unknown("Priority"),
            (true, _, Some(_)) => return unknown("DeleteMarkerReplication"),
            (true, None, None) if self.replica_modifications.is_some() => {
                return unknown("ReplicaModifications");
            }
            (false, None, _) => return missing("Priority"),
            (false, _, None) => return missing("DeleteMarkerReplication"),
            (false, Some(priority), _) if priority < 0 => return Err(InvalidReplication::NegativePriority),
            _ => {}
        }
        if self.delete_markers == Some(true) && !self.filter.tags.is_empty() {
            return Err(InvalidReplication::MarkersWithTags);
        }
        let ReplicationDestination { account, owner_override, kms_key, .. } = &self.destination;
        if self.kms_objects == Some(true) && kms_key.is_none() {
            return Err(InvalidReplication::MissingKey);
        }
        if self.kms_objects.is_none() && kms_key.is_some() {
            return Err(InvalidReplication::KeyWithoutObjects);
        }
        if *owner_override && account.is_none() {
            return Err(InvalidReplication::MissingAccount);
        }
        Ok(())
    }
}

impl Replication {
    /// Whether S3 takes the rules, whatever the buckets are.
    ///
    /// # Errors
    /// The first that it does not take.
    pub fn check(&self) -> Result<(), InvalidReplication> {
        let Some(first) = self.rules.first() else { return Err(InvalidReplication::Malformed) };
        if self.rules.len() > limits::MAX_REPLICATION_RULES {
            return Err(InvalidReplication::TooManyRules);
        }
        let legacy = first.is_legacy();
        if self.rules.iter().any(|rule| rule.is_legacy() != legacy) {
            return Err(InvalidReplication::MixedForms);
        }
        let mut ids = HashSet::new();
        self.rules.iter().try_for_each(|rule| rule.check(&mut ids))?;
        if legacy { self.check_prefixes() } else { self.check_priorities() }
    }

    /// Rules without priorities must not meet.
    fn check_prefixes(&self) -> Result<(), InvalidReplication> {
        let mut destinations = self.rules.iter().map(|rule| &rule.destination.bucket);
        if destinations.next().is_some_and(|first| destinations.any(|other| other != first)) {
            return Err(InvalidReplication::SeveralDestinations);
        }
        let mut prefixes: Vec<_> = self.rules.iter().map(|rule| rule.filter.start()).collect();
        prefixes.sort_unstable();
        // Sorted, a prefix of any other is one of the next.
        match prefixes.windows(2).find(|pair| pair[1].starts_with(pair[0])) {
            Some(pair) => {
                let (first, second) = (pair[0].to_owned(), pair[1].to_owned());
                Err(InvalidReplication::OverlappingPrefixes { first, second })
            }
            None => Ok(()),
        }
    }

    fn check_priorities(&self) -> Result<(), InvalidReplication> {
        let mut seen = HashSet::new();
        let again = self.rules.iter().filter_map(|rule| rule.priority).find(|of| !seen.insert(*of));
        again.map_or(Ok(()), |priority| Err(InvalidReplication::SamePriority(priority)))
    }
}

impl Vault {
    /// Stages where a bucket's versions are copied to. Destinations that `is_elsewhere` names are not of this vault,
    /// and not looked at.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::InvalidReplication`].
    pub fn put_replication(
        &self,
        tx: &mut Transaction,
        bucket: &str,
        replication: Replication,
        is_elsewhere: impl Fn(&str) -> bool,
    ) -> Result<(), VaultError> {
        replication.check()?;
        let source = tx.try_get::<Bucket>(bucket)?.ok_or_else(|| no_such_bucket(bucket))?;
        if source.versioning != Versioning::Enabled {
            return Err(InvalidReplication::SourceVersioning.into());
        }
        for ReplicationRule { destination, .. } in &replication.rules {
            if destination.bucket == bucket {
                return Err(InvalidReplication::SameBucket.into());
            }
            if is_elsewhere(&destination.bucket) {
                continue;
            }
            let into = tx.try_get::<Bucket>(&destination.bucket)?.ok_or(InvalidReplication::NoDestination)?;
            destination.check_bucket(&source, &into)?;
        }
        self.change(tx, bucket, |bucket| bucket.replication = Some(replication))
    }

    /// Stages that a bucket's versions are not copied any more. What still waits fails, and is taken up by a
    /// configuration that names its destination again.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn delete_replication(&self, tx: &mut Transaction, bucket: &str) -> Result<(), VaultError> {
        self.change(tx, bucket, |bucket| bucket.replication = None)
    }

    /// Where a bucket's versions are copied to.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoReplication`].
    pub fn replication(&self, bucket: &str) -> Result<Replication, VaultError> {
        let replication = self.bucket(bucket)?.replication.clone();
        replication.ok_or_else(|| VaultError::NoReplication { bucket: bucket.to_owned() })
    }
}

impl ReplicationDestination {
    /// Whether a bucket of this vault can be the destination, as it is now.
    pub(super) fn check_bucket(&self, source: &Bucket, into: &Bucket) -> Result<(), InvalidReplication> {
        if into.versioning != Versioning::Enabled {
            return Err(InvalidReplication::DestinationVersioning);
        }
        if source.object_lock.is_some() && into.object_lock.is_none() {
            return Err(InvalidReplication::DestinationLock);
        }
        if self.account.is_some_and(|account| account != into.owner) {
            return Err(InvalidReplication::OtherAccount);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "configuration_tests.rs"]
mod tests;
