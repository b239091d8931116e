//! Deleting an object or one of its versions.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use opentrail_event::AccountId;
use opentrail_state::Transaction;
use redb::ReadTransaction;
use tokio::time::timeout;

use crate::{
    Vault, VaultError,
    bucket::{Bucket, Versioning},
    condition::WriteConditions,
    fact::{Carried, VaultFact},
    lookup,
    object::{DeleteMarker, Version, check_key},
    object_lock::Powers,
    put::new_version,
    records::Records,
    replication,
    vault::refused,
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
    /// Governance does not hold the version back: the caller may bypass it, and says so.
    pub bypass_governance: bool,
    /// A code of the bucket owner's MFA device was spent for this, which a bucket with MFA delete asks for.
    pub with_mfa: bool,
    /// A lifecycle rule deletes it: the delete marker is not copied to other buckets.
    pub by_lifecycle: bool,
}

impl<'a> DeleteRequest<'a> {
    /// A request that bypasses nothing.
    pub fn of(bucket: &'a str, key: &'a str, owner: AccountId) -> Self {
        Self {
            bucket,
            key,
            version_id: None,
            conditions: WriteConditions::default(),
            owner,
            bypass_governance: false,
            with_mfa: false,
            by_lifecycle: false,
        }
    }

    fn powers(&self) -> Powers {
        Powers { bypass_governance: self.bypass_governance, with_mfa: self.with_mfa }
    }
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
    /// where there is no object), [`VaultError::Locked`], [`VaultError::MfaRequired`], and those of
    /// [`Vault::commit_put`].
    pub async fn delete<R: Records>(
        &self,
        request: &DeleteRequest<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(&DeleteOutcome) -> R,
    ) -> Result<DeleteOutcome, VaultError> {
        let outcome = self.delete_if(request, now, |_, _| Ok(true), events).await?;
        Ok(outcome.unwrap_or_default())
    }

    /// As [`Vault::delete`], but only if `still` says so once nobody else can write the key; `None` where it says
    /// no. Every removal of a version goes through here.
    pub(crate) async fn delete_if<R: Records>(
        &self,
        request: &DeleteRequest<'_>,
        now: DateTime<Utc>,
        still: impl FnOnce(&Bucket, &ReadTransaction) -> Result<bool, VaultError>,
        events: impl FnOnce(&DeleteOutcome) -> R,
    ) -> Result<Option<DeleteOutcome>, VaultError> {
        check_key(request.key)?;
        let (bucket, open) = self.enter(request.bucket).await?;
        let locked = self.inner.keys.lock((bucket.id, request.key)).await?;
        if !self.inner.index.read(|read| still(&bucket, read))? {
            return Ok(None);
        }
        let (fact, outcome) = self.decide(&bucket, request, now)?;
        let events = events(&outcome).written()?;
        let facts = fact.into_iter().map(Carried::from).collect();
        self.commit(facts, events, Vec::new(), (open, locked)).await?;
        Ok(Some(outcome))
    }

    /// As [`Vault::delete`], in one journal entry with what the transaction has staged (a spent MFA code).
    ///
    /// # Errors
    /// As [`Vault::delete`]; nothing of the transaction happens then, unless it is
    /// [`VaultError::NotAppliedYet`].
    pub async fn delete_with<R: Records>(
        &self,
        mut tx: Transaction,
        request: &DeleteRequest<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(&DeleteOutcome) -> R,
    ) -> Result<DeleteOutcome, VaultError> {
        check_key(request.key)?;
        let (bucket, open) = self.enter(request.bucket).await?;
        let locked = self.inner.keys.lock((bucket.id, request.key)).await?;
        let (fact, outcome) = self.decide(&bucket, request, now)?;
        if let Some(fact) = fact {
            tx.fact(Carried::from(fact).encode()?);
        }
        let (index, events) = (Arc::clone(&self.inner.index), events(&outcome).written()?);
        let tail = tokio::spawn(async move {
            let committed = tx.commit(events).await.map_err(refused);
            let reached = match committed {
                Ok(seq) => index.reached(seq).await,
                Err(error) => Err(error),
            };
            drop((open, locked));
            reached
        });
        match timeout(self.inner.options.apply_timeout, tail).await {
            Ok(joined) => joined.unwrap_or(Err(VaultError::Closing))?,
            Err(_) => return Err(VaultError::NotAppliedYet),
        }
        Ok(outcome)
    }

    /// What a deletion does. The caller holds the key's lock.
    fn decide(
        &self,
        bucket: &Bucket,
        request: &DeleteRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<(Option<VaultFact>, DeleteOutcome), VaultError> {
        self.check_write(bucket, request.key, &request.conditions)?;
        match request.version_id {
            Some(version_id) => self.removal(bucket, request, version_id, now),
            None => self.deletion(bucket, request, now),
        }
    }

    fn removal(
        &self,
        bucket: &Bucket,
        request: &DeleteRequest<'_>,
        version_id: &str,
        now: DateTime<Utc>,
    ) -> Result<(Option<VaultFact>, DeleteOutcome), VaultError> {
        if bucket.mfa_delete == Some(true) && !request.with_mfa {
            return Err(VaultError::MfaRequired);
        }
        let key = request.key;
        let object = self.inner.index.read(|read| lookup::by_id(read, bucket.id, key, version_id))?;
        let fact = object
            .as_ref()
            .map(|version| self.removal_of(bucket, key, version, request.powers(), now))
            .transpose()?;
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
            let fact = object
                .as_ref()
                .map(|version| self.removal_of(bucket, request.key, version, request.powers(), now))
                .transpose()?;
            return Ok((fact, DeleteOutcome { version_id: None, delete_marker: false, object }));
        }
        let (id, shown) = new_version(bucket.versioning);
        self.may_take_place(bucket, request.key, &id, now)?;
        let replication =
            if request.by_lifecycle { None } else { replication::of_new_marker(bucket, request.key) };
        let last_modified = now.trunc_subsecs(3);
        let marker = DeleteMarker { version_id: id, last_modified, owner: request.owner, replication };
        let fact = VaultFact::PutVersion {
            bucket: bucket.id,
            key: request.key.to_owned(),
            version: Version::DeleteMarker(marker),
        };
        Ok((Some(fact), DeleteOutcome { version_id: shown, delete_marker: true, object }))
    }
}
