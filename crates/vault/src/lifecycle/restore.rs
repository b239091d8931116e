//! Archived objects: what they may not be used for, and restoring them for a time.

use chrono::{DateTime, Utc};

use super::Calendar;
use crate::{Records, StorageClass, Vault, VaultError, object::ObjectMeta};

/// How fast a restore is asked for. Ours are done at once whatever is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreTier {
    /// `Expedited`, which S3 does not offer for `DEEP_ARCHIVE`.
    Expedited,
    /// `Standard`.
    Standard,
    /// `Bulk`.
    Bulk,
}

/// What restoring did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The object.
    pub meta: ObjectMeta,
    /// Until when it can be read.
    pub until: DateTime<Utc>,
    /// It could be read before; the time was changed.
    pub was_readable: bool,
}

impl ObjectMeta {
    /// Its storage class, if it is in an archive and not restored at this time.
    pub fn archived(&self, now: DateTime<Utc>) -> Option<StorageClass> {
        StorageClass::named(&self.object.storage_class)
            .filter(|class| class.is_archive() && self.restored(now).is_none())
    }

    /// Until when it is restored, if it is at this time.
    pub fn restored(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.restored_until.filter(|until| now < *until)
    }

    /// Whether its bytes may be read now.
    ///
    /// # Errors
    /// [`VaultError::Archived`].
    pub fn check_readable(&self, now: DateTime<Utc>) -> Result<(), VaultError> {
        match self.archived(now) {
            Some(storage_class) => Err(VaultError::Archived { storage_class }),
            None => Ok(()),
        }
    }
}

impl Vault {
    /// Makes an archived object readable for so many days; one that is readable already for so many from now on.
    ///
    /// # Errors
    /// [`VaultError::NotArchived`], [`VaultError::TierNotOffered`], those of [`Vault::head`] and of
    /// [`Vault::commit_put`].
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the members of RestoreObject, each of its own type"
    )]
    pub async fn restore_object<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        days: i32,
        tier: RestoreTier,
        calendar: Calendar,
        now: DateTime<Utc>,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<Restored, VaultError> {
        let found = self.head(bucket, key, version_id)?;
        let class = StorageClass::named(&found.object.storage_class).filter(|class| class.is_archive());
        let class = class.ok_or(VaultError::NotArchived)?;
        if class == StorageClass::DeepArchive && tier == RestoreTier::Expedited {
            return Err(VaultError::TierNotOffered);
        }
        let until = calendar.after(now, days);
        let mut was_readable = false;
        let change = |meta: &mut ObjectMeta| {
            was_readable = meta.restored(now).is_some();
            meta.restored_until = Some(until);
            Ok(())
        };
        let meta = self.amend(bucket, key, version_id, change, events).await?;
        Ok(Restored { meta, until, was_readable })
    }
}
