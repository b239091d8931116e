//! Changing what holds a version.

use chrono::{DateTime, SubsecRound, Utc};

use super::{ObjectLock, Retention, locked};
use crate::{Bucket, ObjectMeta, Records, Vault, VaultError};

/// A change of a version's retention.
#[derive(Debug, Clone, Copy)]
pub struct RetentionChange<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The version; the current one where `None`.
    pub version_id: Option<&'a str>,
    /// The retention it shall have; `None` for none.
    pub retention: Option<Retention>,
    /// The caller may shorten governance, and says so.
    pub bypass_governance: bool,
}

impl Vault {
    /// Gives a version another retention.
    ///
    /// # Errors
    /// [`VaultError::LockNotEnabled`], [`VaultError::RetentionNotInFuture`], [`VaultError::Locked`] where what
    /// there is must not be shortened, those of [`Vault::head`] and of [`Vault::commit_put`].
    pub async fn put_retention<R: Records>(
        &self,
        change: RetentionChange<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<ObjectMeta, VaultError> {
        let RetentionChange { bucket, key, version_id, retention, bypass_governance } = change;
        self.has_lock(bucket)?;
        let (begins, ends) = (self.inner.lock_clock.begins(now), self.inner.lock_clock.ends(now));
        let retention =
            retention.map(|retention| Retention { until: retention.until.trunc_subsecs(3), ..retention });
        if retention.is_some_and(|retention| retention.until <= begins) {
            return Err(VaultError::RetentionNotInFuture);
        }
        let amend = |meta: &mut ObjectMeta| {
            if !meta.object.lock.may_become(retention, ends, bypass_governance) {
                return Err(locked(key, &meta.version_id));
            }
            meta.object.lock.retention = retention;
            Ok(())
        };
        self.amend_copied(bucket, key, version_id, amend, events).await
    }

    /// Puts a version under a legal hold, or ends that.
    ///
    /// # Errors
    /// [`VaultError::LockNotEnabled`], those of [`Vault::head`] and of [`Vault::commit_put`].
    pub async fn put_legal_hold<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        held: bool,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<ObjectMeta, VaultError> {
        self.has_lock(bucket)?;
        let amend = |meta: &mut ObjectMeta| {
            meta.object.lock.legal_hold = Some(held);
            Ok(())
        };
        self.amend_copied(bucket, key, version_id, amend, events).await
    }

    /// What holds a version; the bucket must have Object Lock.
    ///
    /// # Errors
    /// [`VaultError::LockNotEnabled`], those of [`Vault::head`].
    pub fn object_lock(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<ObjectLock, VaultError> {
        self.has_lock(bucket)?;
        Ok(self.head(bucket, key, version_id)?.object.lock)
    }

    fn has_lock(&self, bucket: &str) -> Result<(), VaultError> {
        match self.bucket(bucket)?.object_lock {
            Some(_) => Ok(()),
            None => Err(VaultError::LockNotEnabled { bucket: bucket.to_owned() }),
        }
    }

    /// What will hold a new version in this bucket.
    pub(crate) fn lock_of_new(
        &self,
        bucket: &Bucket,
        asked: ObjectLock,
        now: DateTime<Utc>,
    ) -> Result<ObjectLock, VaultError> {
        may_be_locked(bucket, &asked)?;
        let Some(configuration) = bucket.object_lock else { return Ok(asked) };
        let begins = self.inner.lock_clock.begins(now);
        let default = || configuration.default_retention.map(|default| default.from(begins));
        let retention = asked.retention.or_else(default);
        let retention =
            retention.map(|retention| Retention { until: retention.until.trunc_subsecs(3), ..retention });
        Ok(ObjectLock { retention, ..asked })
    }
}

/// Whether a new object may be held at all in this bucket.
pub(crate) fn may_be_locked(bucket: &Bucket, asked: &ObjectLock) -> Result<(), VaultError> {
    if asked.is_none() || bucket.object_lock.is_some() {
        return Ok(());
    }
    Err(VaultError::LockNotEnabled { bucket: bucket.name.clone() })
}
