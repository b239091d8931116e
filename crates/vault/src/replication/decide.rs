//! Which versions are copied, and by which rule.

use super::{CopyProgress, CopyState, Replication, ReplicationProgress, ReplicationRule};
use crate::{
    Bucket, StorageClass, Versioning,
    encryption::Encryption,
    object::{ObjectMeta, Version},
};

impl ReplicationRule {
    /// Whether it is about a new object. S3 copies nothing that is in an archive, and what a KMS key encrypts only
    /// where the rule says so (S3 user guide, "What does Amazon S3 replicate?").
    fn is_about(&self, key: &str, meta: &ObjectMeta) -> bool {
        let archived = StorageClass::named(&meta.object.storage_class).is_some_and(StorageClass::is_archive);
        self.enabled
            && !archived
            && self.filter.meets(key, meta.size, &meta.object.tags)
            && self.takes_encryption(meta)
    }

    fn takes_encryption(&self, meta: &ObjectMeta) -> bool {
        !matches!(meta.encryption(), Some(Encryption::Kms(_))) || self.kms_objects == Some(true)
    }

    fn is_about_marker(&self, key: &str) -> bool {
        self.enabled && self.copies_markers() && self.filter.meets_bare(key)
    }
}

impl Replication {
    /// The rule by which a version is copied to this destination; the one with the highest priority of those that are
    /// about it. Tags that changed since the version was made do not keep it from being copied.
    pub fn rule_for(&self, key: &str, version: &Version, destination: &str) -> Option<&ReplicationRule> {
        let best = |is_about: &dyn Fn(&ReplicationRule) -> bool| {
            let rules = self.rules.iter().filter(|rule| rule.destination.bucket == destination);
            rules.filter(|rule| is_about(rule)).max_by_key(|rule| rule.priority)
        };
        match version {
            Version::Object(meta) => best(&|rule| {
                rule.enabled
                    && rule.filter.meets(key, meta.size, &meta.object.tags)
                    && rule.takes_encryption(meta)
            })
            .or_else(|| {
                best(&|rule| {
                    rule.enabled && key.starts_with(rule.filter.start()) && rule.takes_encryption(meta)
                })
            }),
            Version::DeleteMarker(_) => best(&|rule| rule.is_about_marker(key)),
        }
    }

    fn destinations(&self, is_about: impl Fn(&ReplicationRule) -> bool) -> Option<ReplicationProgress> {
        let mut progress = ReplicationProgress::default();
        for rule in self.rules.iter().filter(|rule| is_about(rule)) {
            if progress.copy_in(&rule.destination.bucket).is_none() {
                progress.copies.push(CopyProgress::pending(&rule.destination.bucket));
            }
        }
        (!progress.copies.is_empty()).then_some(progress)
    }
}

fn rules_of(bucket: &Bucket) -> Option<&Replication> {
    bucket.replication.as_ref().filter(|_| bucket.versioning == Versioning::Enabled)
}

/// Where a new object of this bucket is to be copied.
pub(crate) fn of_new_object(bucket: &Bucket, key: &str, meta: &ObjectMeta) -> Option<ReplicationProgress> {
    rules_of(bucket)?.destinations(|rule| rule.is_about(key, meta))
}

/// Where a new delete marker of this bucket is to be copied.
pub(crate) fn of_new_marker(bucket: &Bucket, key: &str) -> Option<ReplicationProgress> {
    rules_of(bucket)?.destinations(|rule| rule.is_about_marker(key))
}

/// Notes that tags or locks of a version changed: its copies are to have that too. Those of a replica only where a
/// rule says so (`ReplicaModifications`), and then they are only told, never made.
pub(crate) fn touch(bucket: &Bucket, key: &str, meta: &mut ObjectMeta) {
    let Some(rules) = rules_of(bucket) else { return };
    let Some(progress) = &mut meta.replication else { return };
    let about = |rule: &&ReplicationRule| rule.enabled && key.starts_with(rule.filter.start());
    if progress.replica {
        for rule in rules.rules.iter().filter(about).filter(|rule| rule.replica_modifications == Some(true)) {
            let destination = &rule.destination.bucket;
            progress.copies.retain(|copy| copy.bucket != *destination);
            progress.copies.push(CopyProgress { made: true, ..CopyProgress::pending(destination) });
        }
        return;
    }
    for copy in &mut progress.copies {
        let is_named = rules.rules.iter().filter(about).any(|rule| rule.destination.bucket == copy.bucket);
        if copy.state == CopyState::Completed && is_named {
            copy.state = CopyState::Pending;
        }
    }
}
