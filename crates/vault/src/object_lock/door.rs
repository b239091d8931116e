//! The one door through which versions leave.
//!
//! [`VaultFact::RemoveVersion`] is made here and nowhere else, and so is the permission to take the place of a
//! `null` version: whoever removes for whatever reason passes the locks, and MFA delete.

use chrono::{DateTime, Utc};

use super::locked;
use crate::{
    Bucket, Vault, VaultError,
    fact::VaultFact,
    lookup,
    object::{NULL_VERSION, Version},
};

/// What a removal may do beyond what everybody's may.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Powers {
    /// Governance does not hold the version back.
    pub(crate) bypass_governance: bool,
    /// A code of the owner's MFA device was spent for this.
    pub(crate) with_mfa: bool,
}

impl Vault {
    /// The fact that a version is gone for good, if it may go. The caller holds the key's lock.
    pub(crate) fn removal_of(
        &self,
        bucket: &Bucket,
        key: &str,
        version: &Version,
        powers: Powers,
        now: DateTime<Utc>,
    ) -> Result<VaultFact, VaultError> {
        let Powers { bypass_governance, with_mfa } = powers;
        // The bucket as it is now, not as it was when the caller came to wait for the key.
        let current = self.bucket(&bucket.name)?;
        if current.mfa_delete == Some(true) && !with_mfa {
            return Err(VaultError::MfaRequired);
        }
        self.lets_go(key, version, bypass_governance, now)?;
        Ok(VaultFact::RemoveVersion {
            bucket: bucket.id,
            key: key.to_owned(),
            version_id: version.id().to_owned(),
        })
    }

    /// Whether a version with this id may be made, though it takes the place of one that is there. The caller
    /// holds the key's lock. With MFA delete no object is replaced: what writes brings no code, so that the
    /// `null` version has to be removed with one first.
    pub(crate) fn may_take_place(
        &self,
        bucket: &Bucket,
        key: &str,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<(), VaultError> {
        // Other ids are new.
        if id != NULL_VERSION {
            return Ok(());
        }
        let current = self.bucket(&bucket.name)?;
        let asks_mfa = current.mfa_delete == Some(true);
        // Only a bucket with Object Lock has anything locked.
        if !asks_mfa && current.object_lock.is_none() {
            return Ok(());
        }
        match self.inner.index.read(|read| lookup::by_id(read, bucket.id, key, id))? {
            None => Ok(()),
            Some(Version::Object(_)) if asks_mfa => Err(VaultError::MfaRequired),
            Some(version) => self.lets_go(key, &version, false, now),
        }
    }

    fn lets_go(
        &self,
        key: &str,
        version: &Version,
        bypass_governance: bool,
        now: DateTime<Utc>,
    ) -> Result<(), VaultError> {
        match version {
            Version::Object(meta) => {
                let goes = meta.object.lock.may_go(self.inner.lock_clock.ends(now), bypass_governance);
                if goes { Ok(()) } else { Err(locked(key, &meta.version_id)) }
            }
            Version::DeleteMarker(_) => Ok(()),
        }
    }
}
