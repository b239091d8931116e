//! Deleting an object or one of its versions.

use chrono::{DateTime, SubsecRound, Utc};
use opentrail_event::AccountId;
use opentrail_state::OwnedEvent;

use crate::{
    Vault, VaultError,
    bucket::{Bucket, Versioning},
    condition::WriteConditions,
    fact::{Carried, VaultFact},
    lookup,
    object::{DeleteMarker, NULL_VERSION, Version, check_key},
    put::new_version,
};

/// What to delete.
#[derive(Debug, Clone)]
pub struct DeleteRequest<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The version to remove for good; `None` deletes as the bucket's versioning says.
    pub version_id: Option<&'a str>,
    /// Only while the current object is this one.
    pub conditions: WriteConditions,
    /// Who owns a delete marker that is made.
    pub owner: AccountId,
}

/// What deleting did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOutcome {
    /// The version removed, or the delete marker made; `None` in a bucket without versioning.
    pub version_id: Option<String>,
    /// Whether that is a delete marker.
    pub delete_marker: bool,
    /// The object that is gone or hidden now; `None` where there was none.
    pub object: Option<Version>,
}

impl Vault {
    /// Deletes an object, or a version for good. Deleting what is not there succeeds.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::PreconditionFailed`], [`VaultError::NoSuchKey`] (`If-Match`
    /// where there is no object), and those of [`Vault::commit_put`].
    pub async fn delete(
        &self,
        request: &DeleteRequest<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(&DeleteOutcome) -> Vec<OwnedEvent>,
    ) -> Result<DeleteOutcome, VaultError> {
        check_key(request.key)?;
        let (bucket, open) = self.enter(request.bucket).await?;
        let locked = self.inner.keys.lock((bucket.id, request.key)).await?;
        self.check_write(&bucket, request.key, &request.conditions)?;
        let (fact, outcome) = match request.version_id {
            Some(version_id) => self.removal(&bucket, request.key, version_id)?,
            None => self.deletion(&bucket, request, now)?,
        };
        let facts = fact.into_iter().map(Carried::from).collect();
        self.commit(facts, events(&outcome), Vec::new(), (open, locked)).await?;
        Ok(outcome)
    }

    fn removal(
        &self,
        bucket: &Bucket,
        key: &str,
        version_id: &str,
    ) -> Result<(Option<VaultFact>, DeleteOutcome), VaultError> {
        let object = self.inner.index.read(|read| lookup::by_id(read, bucket.id, key, version_id))?;
        let fact = object.is_some().then(|| VaultFact::RemoveVersion {
            bucket: bucket.id,
            key: key.to_owned(),
            version_id: version_id.to_owned(),
        });
        let delete_marker = matches!(object, Some(Version::DeleteMarker(_)));
        Ok((fact, DeleteOutcome { version_id: Some(version_id.to_owned()), delete_marker, object }))
    }

    fn deletion(
        &self,
        bucket: &Bucket,
        request: &DeleteRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<(Option<VaultFact>, DeleteOutcome), VaultError> {
        let object = self.newest(bucket.id, request.key)?;
        if bucket.versioning == Versioning::Off {
            let fact = object.is_some().then(|| VaultFact::RemoveVersion {
                bucket: bucket.id,
                key: request.key.to_owned(),
                version_id: NULL_VERSION.to_owned(),
            });
            return Ok((fact, DeleteOutcome { version_id: None, delete_marker: false, object }));
        }
        let (id, shown) = new_version(bucket.versioning);
        let marker =
            DeleteMarker { version_id: id, last_modified: now.trunc_subsecs(3), owner: request.owner };
        let fact = VaultFact::PutVersion {
            bucket: bucket.id,
            key: request.key.to_owned(),
            version: Version::DeleteMarker(marker),
        };
        Ok((Some(fact), DeleteOutcome { version_id: shown, delete_marker: true, object }))
    }
}
