//! Buckets: documents of the control state, so a change of one and its record are one journal entry.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_journal::Seq;
use opentrail_policy::Bindings;
use opentrail_state::{OwnedEvent, Resource, Transaction};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedRwLockWriteGuard;

use crate::{
    BucketEncryption, Vault, VaultError,
    access_log::AccessLogging,
    bucket_name::check_bucket_name,
    fact::{BucketId, Carried, VaultFact},
    lifecycle::Lifecycle,
    limits,
    object_lock::LockConfiguration,
    replication::Replication,
    tags::{Tags, check_tags},
    vault::refused,
};

/// Whether overwriting and deleting keeps what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Versioning {
    /// Never turned on: there is one version of each key.
    #[default]
    Off,
    /// Each write makes a version, each delete a marker.
    Enabled,
    /// Writes and deletes replace the `null` version; the other versions stay.
    Suspended,
}

/// A change of a bucket's versioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersioningChange {
    /// The state to go to.
    pub versioning: Versioning,
    /// MFA delete on or off; as it is where `None`.
    pub mfa_delete: Option<bool>,
    /// A code of the owner's MFA device was spent for this change, which a bucket with MFA delete asks for.
    pub with_mfa: bool,
}

impl From<Versioning> for VersioningChange {
    fn from(versioning: Versioning) -> Self {
        Self { versioning, mfa_delete: None, with_mfa: false }
    }
}

/// Who owns the objects that others write (S3 user guide, "Controlling ownership of objects").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket's owner; ACLs do nothing. The default of new buckets since April 2023.
    #[default]
    BucketOwnerEnforced,
    /// The bucket's owner where the writer names `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// The writer.
    ObjectWriter,
}

/// The four switches against public access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// `BlockPublicAcls`.
    pub block_public_acls: bool,
    /// `IgnorePublicAcls`.
    pub ignore_public_acls: bool,
    /// `BlockPublicPolicy`.
    pub block_public_policy: bool,
    /// `RestrictPublicBuckets`.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on, as new buckets have them since April 2023.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name, unique among all accounts.
    pub name: String,
    /// Tells it from a bucket that had the name before.
    pub(crate) id: BucketId,
    /// The account it belongs to.
    pub owner: AccountId,
    /// Where it is.
    pub region: Region,
    /// When it was made.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub created: DateTime<Utc>,
    /// Whether it keeps versions.
    #[serde(default)]
    pub versioning: Versioning,
    /// Whether removing a version needs a code of the owner's MFA device; `None` where nobody ever said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_delete: Option<bool>,
    /// Object Lock, where the bucket has it: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<LockConfiguration>,
    /// Its policy as the caller wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whom its policy means by the ARNs of users and roles.
    #[serde(default, skip_serializing_if = "Bindings::is_empty")]
    pub policy_principals: Bindings,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Its ownership controls; `None` where they were deleted.
    #[serde(default)]
    pub ownership: Option<Ownership>,
    /// Its public access block; `None` where it was deleted.
    #[serde(default)]
    pub public_access_block: Option<PublicAccessBlock>,
    /// How it encrypts what comes without a word on it; SSE-S3 where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<BucketEncryption>,
    /// Where its calls are logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<AccessLogging>,
    /// Where its versions are copied to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
    /// What becomes of its objects with time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
}

impl Resource for Bucket {
    const KIND: &'static str = "vault.bucket";
}

/// A bucket to be made.
#[derive(Debug, Clone)]
pub struct NewBucket {
    /// Its name.
    pub name: String,
    /// The account it will belong to.
    pub owner: AccountId,
    /// Where it will be.
    pub region: Region,
    /// Its ownership controls.
    pub ownership: Ownership,
    /// Its tags.
    pub tags: Tags,
    /// Whether it has Object Lock, and with it versioning, from the beginning.
    pub object_lock: bool,
}

/// Which buckets to list.
#[derive(Debug, Clone, Default)]
pub struct BucketQuery {
    /// Only names that begin with this.
    pub prefix: String,
    /// Only buckets in this region.
    pub region: Option<Region>,
    /// Only names after this one (the page before's [`BucketPage::next`]).
    pub after: Option<String>,
    /// At most so many; [`limits::MAX_LIST_BUCKETS`] where `None`.
    pub max: Option<usize>,
}

/// One page of an account's buckets.
#[derive(Debug, Clone)]
pub struct BucketPage {
    /// The buckets, by name.
    pub buckets: Vec<Arc<Bucket>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// A bucket that is being deleted: as long as it lives, nobody can put anything into the bucket.
#[must_use = "without it an object can be put into a bucket that is gone"]
#[derive(Debug)]
pub struct BucketRemoval {
    /// The bucket as it was.
    pub bucket: Arc<Bucket>,
    closed: OwnedRwLockWriteGuard<()>,
}

impl BucketRemoval {
    /// Commits the transaction in which the removal was staged. The bucket stays closed until that is done,
    /// also if the caller's future is dropped.
    ///
    /// # Errors
    /// Those of [`Transaction::commit`].
    pub async fn commit(self, tx: Transaction, events: Vec<OwnedEvent>) -> Result<Seq, VaultError> {
        let committed = tokio::spawn(async move {
            let committed = tx.commit(events).await;
            drop(self.closed);
            committed
        });
        match committed.await {
            Ok(committed) => Ok(committed.map_err(refused)?),
            Err(_) => Err(VaultError::Closing),
        }
    }
}

impl Vault {
    /// Stages a new bucket.
    ///
    /// # Errors
    /// [`VaultError::InvalidBucketName`], [`VaultError::BucketAlreadyOwnedByYou`],
    /// [`VaultError::BucketAlreadyExists`], [`VaultError::TooManyBuckets`], [`VaultError::InvalidTag`].
    pub fn create_bucket(
        &self,
        tx: &mut Transaction,
        new: NewBucket,
        now: DateTime<Utc>,
    ) -> Result<Bucket, VaultError> {
        check_bucket_name(&new.name)?;
        check_tags(&new.tags, limits::MAX_BUCKET_TAGS)?;
        if let Some(taken) = tx.get::<Bucket>(&new.name) {
            return Err(if taken.owner == new.owner {
                VaultError::BucketAlreadyOwnedByYou { bucket: new.name }
            } else {
                VaultError::BucketAlreadyExists { bucket: new.name }
            });
        }
        let all = tx.list::<Bucket>("");
        if all.iter().filter(|(_, bucket)| bucket.owner == new.owner).count()
            >= limits::MAX_BUCKETS_PER_ACCOUNT
        {
            return Err(VaultError::TooManyBuckets { limit: limits::MAX_BUCKETS_PER_ACCOUNT });
        }
        let bucket = Bucket {
            name: new.name,
            id: rand::random(),
            owner: new.owner,
            region: new.region,
            created: now,
            versioning: if new.object_lock { Versioning::Enabled } else { Versioning::Off },
            mfa_delete: None,
            object_lock: new.object_lock.then(LockConfiguration::default),
            policy: None,
            policy_principals: Bindings::new(),
            tags: new.tags,
            ownership: Some(new.ownership),
            public_access_block: Some(PublicAccessBlock::ALL),
            encryption: None,
            lifecycle: None,
            logging: None,
            replication: None,
        };
        tx.put(&bucket.name, &bucket);
        Ok(bucket)
    }

    /// The bucket of this name.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn bucket(&self, name: &str) -> Result<Arc<Bucket>, VaultError> {
        self.inner.state.try_get::<Bucket>(name)?.ok_or_else(|| no_such_bucket(name))
    }

    /// The buckets of an account, by name.
    pub fn list_buckets(&self, owner: &AccountId, query: &BucketQuery) -> BucketPage {
        let max = query.max.unwrap_or(limits::MAX_LIST_BUCKETS).min(limits::MAX_LIST_BUCKETS);
        let mut buckets: Vec<_> = self
            .inner
            .state
            .scan::<Bucket>(&query.prefix, query.after.as_deref(), usize::MAX)
            .into_iter()
            .map(|(_, bucket)| bucket)
            .filter(|bucket| bucket.owner == *owner)
            .filter(|bucket| query.region.as_ref().is_none_or(|region| bucket.region == *region))
            .take(max.saturating_add(1))
            .collect();
        let more = buckets.len() > max;
        buckets.truncate(max);
        let next = if more { buckets.last().map(|bucket| bucket.name.clone()) } else { None };
        BucketPage { buckets, next }
    }

    /// Stages the removal of an empty bucket; commit it with [`BucketRemoval::commit`]. It waits for the puts into it that have begun to commit; uploads
    /// in progress do not keep it and are gone with it.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::BucketNotEmpty`], [`VaultError::IndexUnavailable`].
    pub async fn delete_bucket(&self, tx: &mut Transaction, name: &str) -> Result<BucketRemoval, VaultError> {
        let closed = self.inner.buckets.write(name).await?;
        let bucket = tx.try_get::<Bucket>(name)?.ok_or_else(|| no_such_bucket(name))?;
        if !self.inner.index.is_bucket_empty(bucket.id)? {
            let versioned = bucket.versioning != Versioning::Off;
            return Err(VaultError::BucketNotEmpty { bucket: name.to_owned(), versioned });
        }
        tx.delete::<Bucket>(name);
        tx.fact(Carried::from(VaultFact::DropBucket { bucket: bucket.id }).encode()?);
        Ok(BucketRemoval { bucket, closed })
    }

    /// Stages a change of versioning. `Off` is the state of buckets that never had it and cannot be returned to;
    /// with Object Lock a bucket stays `Enabled`.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::VersioningCannotBeRemoved`],
    /// [`VaultError::VersioningIsLocked`], [`VaultError::VersioningIsReplicated`], [`VaultError::MfaRequired`],
    /// [`VaultError::LifecycleWithMfaDelete`].
    pub fn put_versioning(
        &self,
        tx: &mut Transaction,
        name: &str,
        change: impl Into<VersioningChange>,
    ) -> Result<(), VaultError> {
        let VersioningChange { versioning, mfa_delete, with_mfa } = change.into();
        if versioning == Versioning::Off {
            return Err(VaultError::VersioningCannotBeRemoved);
        }
        let bucket = tx.try_get::<Bucket>(name)?.ok_or_else(|| no_such_bucket(name))?;
        if !with_mfa && (mfa_delete == Some(true) || bucket.mfa_delete == Some(true)) {
            return Err(VaultError::MfaRequired);
        }
        if mfa_delete == Some(true) && bucket.lifecycle.is_some() {
            return Err(VaultError::LifecycleWithMfaDelete);
        }
        if bucket.object_lock.is_some() && versioning != Versioning::Enabled {
            return Err(VaultError::VersioningIsLocked { bucket: name.to_owned() });
        }
        if bucket.replication.is_some() && versioning != Versioning::Enabled {
            return Err(VaultError::VersioningIsReplicated { bucket: name.to_owned() });
        }
        self.change(tx, name, |bucket| {
            bucket.versioning = versioning;
            bucket.mfa_delete = mfa_delete.or(bucket.mfa_delete);
        })
    }

    /// Stages the bucket's tags in place of those it had; none to delete them.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::InvalidTag`].
    pub fn put_bucket_tags(&self, tx: &mut Transaction, name: &str, tags: Tags) -> Result<(), VaultError> {
        check_tags(&tags, limits::MAX_BUCKET_TAGS)?;
        self.change(tx, name, |bucket| bucket.tags = tags)
    }

    /// The bucket's tags.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchTagSet`].
    pub fn bucket_tags(&self, name: &str) -> Result<Tags, VaultError> {
        let bucket = self.bucket(name)?;
        if bucket.tags.is_empty() {
            return Err(VaultError::NoSuchTagSet { bucket: name.to_owned() });
        }
        Ok(bucket.tags.clone())
    }

    /// Stages the bucket's ownership controls; `None` to delete them.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn put_ownership(
        &self,
        tx: &mut Transaction,
        name: &str,
        ownership: Option<Ownership>,
    ) -> Result<(), VaultError> {
        self.change(tx, name, |bucket| bucket.ownership = ownership)
    }

    /// The bucket's ownership controls.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoOwnershipControls`].
    pub fn ownership(&self, name: &str) -> Result<Ownership, VaultError> {
        self.bucket(name)?
            .ownership
            .ok_or_else(|| VaultError::NoOwnershipControls { bucket: name.to_owned() })
    }

    /// Stages the bucket's public access block; `None` to delete it.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn put_public_access_block(
        &self,
        tx: &mut Transaction,
        name: &str,
        block: Option<PublicAccessBlock>,
    ) -> Result<(), VaultError> {
        self.change(tx, name, |bucket| bucket.public_access_block = block)
    }

    /// The bucket's public access block.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoPublicAccessBlock`].
    pub fn public_access_block(&self, name: &str) -> Result<PublicAccessBlock, VaultError> {
        let block = self.bucket(name)?.public_access_block;
        block.ok_or_else(|| VaultError::NoPublicAccessBlock { bucket: name.to_owned() })
    }

    pub(crate) fn change(
        &self,
        tx: &mut Transaction,
        name: &str,
        change: impl FnOnce(&mut Bucket),
    ) -> Result<(), VaultError> {
        let bucket = tx.try_get::<Bucket>(name)?.ok_or_else(|| no_such_bucket(name))?;
        let mut changed = Bucket::clone(&bucket);
        change(&mut changed);
        tx.put(name, &changed);
        Ok(())
    }
}

pub(crate) fn no_such_bucket(name: &str) -> VaultError {
    VaultError::NoSuchBucket { bucket: name.to_owned() }
}
