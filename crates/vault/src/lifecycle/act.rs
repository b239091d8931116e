//! Doing what is due.

use chrono::{DateTime, Utc};
use redb::ReadTransaction;

use super::{Due, LifecycleAction, walk::Target};
use crate::{
    Bucket, DeleteRequest, Vault, VaultError, WriteConditions,
    fact::BucketId,
    lookup,
    object::{ObjectMeta, Version},
    records::Records,
    tables::VERSIONS,
};

/// What was done, for its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    /// What the rule did.
    pub action: LifecycleAction,
    /// The version that it was done to, where it was one and its bucket has versions.
    pub version_id: Option<String>,
    /// The delete marker that was made, where one was.
    pub marker_id: Option<String>,
    /// Bytes of the object.
    pub size: u64,
    /// The upload that was given up.
    pub upload_id: Option<String>,
}

/// Whether a bucket's rules are to be applied. Versions under MFA delete are nobody's to remove without a device.
pub(super) fn has_rules(bucket: &Bucket) -> bool {
    bucket.lifecycle.is_some() && bucket.mfa_delete != Some(true)
}

impl Vault {
    /// Does what is due, if it still is: the bucket has the same rules, and the version is as it was. What was done
    /// and the records that `events` makes of it are one journal entry. `None` if nothing was done.
    ///
    /// # Errors
    /// [`VaultError::Locked`] where a lock holds the version, and those of [`Vault::delete`], [`Vault::get`] and
    /// [`Vault::abort_upload`].
    pub async fn lifecycle_act<R: Records>(
        &self,
        due: &Due,
        now: DateTime<Utc>,
        events: impl FnOnce(&Performed) -> R,
    ) -> Result<Option<Performed>, VaultError> {
        match (&due.target, due.action) {
            (Target::Upload(upload), _) => self.give_up(due, &upload.to_string(), events).await,
            (Target::Version(Version::Object(meta)), LifecycleAction::Transition(class)) => {
                let performed = performed(due, meta, None);
                let still = |bucket: &Bucket, read: &ReadTransaction| stands(due, bucket, read);
                let moved =
                    self.transition(&due.bucket.name, &due.key, meta, class, still, |_| events(&performed));
                Ok(moved.await?.then_some(performed))
            }
            (Target::Version(version), _) => self.remove(due, version, now, events).await,
        }
    }

    async fn give_up<R: Records>(
        &self,
        due: &Due,
        upload_id: &str,
        events: impl FnOnce(&Performed) -> R,
    ) -> Result<Option<Performed>, VaultError> {
        if !same_rules(due, &*self.bucket(&due.bucket.name)?) {
            return Ok(None);
        }
        let performed = Performed {
            action: due.action,
            version_id: None,
            marker_id: None,
            size: 0,
            upload_id: Some(upload_id.to_owned()),
        };
        match self.abort_upload(&due.bucket.name, &due.key, upload_id, |_| events(&performed)).await {
            Ok(()) => Ok(Some(performed)),
            // It was completed or given up meanwhile.
            Err(VaultError::NoSuchUpload { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn remove<R: Records>(
        &self,
        due: &Due,
        version: &Version,
        now: DateTime<Utc>,
        events: impl FnOnce(&Performed) -> R,
    ) -> Result<Option<Performed>, VaultError> {
        let for_good = !matches!(due.action, LifecycleAction::Expire);
        let request = DeleteRequest {
            version_id: for_good.then(|| version.id()),
            conditions: WriteConditions::default(),
            by_lifecycle: true,
            ..DeleteRequest::of(&due.bucket.name, &due.key, due.bucket.owner)
        };
        let mut done = None;
        let outcome = self
            .delete_if(
                &request,
                now,
                |bucket, read| stands(due, bucket, read),
                |outcome| {
                    let made = if for_good { None } else { outcome.version_id.clone() };
                    let performed = match version {
                        Version::Object(meta) => performed(due, meta, made),
                        Version::DeleteMarker(marker) => Performed {
                            action: due.action,
                            version_id: Some(marker.version_id.clone()),
                            marker_id: None,
                            size: 0,
                            upload_id: None,
                        },
                    };
                    let events = events(&performed);
                    done = Some(performed);
                    events
                },
            )
            .await?;
        Ok(outcome.and(done))
    }
}

fn performed(due: &Due, meta: &ObjectMeta, marker_id: Option<String>) -> Performed {
    let is_versioned = due.bucket.versioning != crate::Versioning::Off;
    Performed {
        action: due.action,
        version_id: is_versioned.then(|| meta.version_id.clone()),
        marker_id,
        size: meta.size,
        upload_id: None,
    }
}

fn same_rules(due: &Due, bucket: &Bucket) -> bool {
    bucket.id == due.bucket.id
        && has_rules(bucket)
        && bucket.lifecycle == due.bucket.lifecycle
        && bucket.versioning == due.bucket.versioning
}

/// Whether the version is as it was when the rule looked at it, and stands where it stood among the key's others.
fn stands(due: &Due, bucket: &Bucket, read: &ReadTransaction) -> Result<bool, VaultError> {
    let Target::Version(seen) = &due.target else { return Ok(false) };
    if !same_rules(due, bucket) || lookup::by_id(read, bucket.id, &due.key, seen.id())?.as_ref() != Some(seen)
    {
        return Ok(false);
    }
    let is_newest = || {
        let newest = lookup::newest(read, bucket.id, &due.key)?;
        Ok::<_, VaultError>(newest.is_some_and(|newest| newest.id() == seen.id()))
    };
    Ok(match due.action {
        LifecycleAction::Expire => is_newest()?,
        LifecycleAction::RemoveMarker => is_newest()? && is_alone(read, bucket.id, &due.key)?,
        LifecycleAction::RemoveNoncurrent => !is_newest()?,
        LifecycleAction::Transition(_) => true,
        LifecycleAction::AbortUpload => false,
    })
}

fn is_alone(read: &ReadTransaction, bucket: BucketId, key: &str) -> Result<bool, VaultError> {
    let key = key.as_bytes();
    let versions = read.open_table(VERSIONS)?;
    Ok(versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))?.nth(1).is_none())
}
