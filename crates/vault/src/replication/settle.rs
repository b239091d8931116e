//! What came of copying: noted at the version, in one journal entry with its record.

use super::{CopyState, ReplicationStatus, Waiting};
use crate::{
    Vault, VaultError,
    fact::VaultFact,
    lookup,
    object::{ObjectMeta, Version},
    records::Records,
};

/// What came of copying a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyOutcome {
    /// The copy is there and as the version was when it was looked at.
    Made {
        /// The copy's version id, where it is another than the version's.
        version_id: Option<String>,
    },
    /// It was refused.
    Refused,
}

impl Vault {
    /// Notes what came of copying a version. What changed about the version since it was looked at is still to be
    /// copied afterwards. Gives what S3 tells of the version now; `None` if that did not change or the version is gone.
    ///
    /// # Errors
    /// Those of [`Vault::commit_put`].
    pub async fn settle_copy<R: Records>(
        &self,
        waiting: &Waiting,
        outcome: &CopyOutcome,
        events: impl FnOnce(ReplicationStatus) -> R,
    ) -> Result<Option<ReplicationStatus>, VaultError> {
        let (bucket, open) = self.enter(&waiting.bucket.name).await?;
        let locked = self.inner.keys.lock((bucket.id, &waiting.key)).await?;
        if bucket.id != waiting.bucket.id {
            return Ok(None);
        }
        let id = waiting.version.id();
        let found = self.inner.index.read(|read| lookup::by_id(read, bucket.id, &waiting.key, id))?;
        let Some(mut version) = found else { return Ok(None) };
        let is_as_seen = is_same(&version, &waiting.version);
        let Some(progress) = version.replication_mut() else { return Ok(None) };
        let Some(copy) = progress.copies.iter_mut().find(|copy| copy.bucket == waiting.destination) else {
            return Ok(None);
        };
        let before = copy.clone();
        match outcome {
            CopyOutcome::Made { version_id } => {
                copy.made = true;
                copy.state = if is_as_seen { CopyState::Completed } else { CopyState::Pending };
                copy.version_id.clone_from(version_id);
            }
            CopyOutcome::Refused => copy.state = CopyState::Failed,
        }
        if *copy == before {
            return Ok(None);
        }
        let status = progress.status();
        let events = events(status).written()?;
        let fact = VaultFact::AmendVersion { bucket: bucket.id, key: waiting.key.clone(), version };
        self.commit(vec![fact.into()], events, Vec::new(), (open, locked)).await?;
        Ok(Some(status))
    }
}

/// Whether what is copied of a version is as it was.
fn is_same(now: &Version, seen: &Version) -> bool {
    let copied = |meta: &ObjectMeta| (meta.object.tags.clone(), meta.object.lock);
    match (now, seen) {
        (Version::Object(now), Version::Object(seen)) => copied(now) == copied(seen),
        (Version::DeleteMarker(_), Version::DeleteMarker(_)) => true,
        _ => false,
    }
}
