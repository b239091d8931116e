//! Looking through a bucket for what is due, in steps that are each short.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use redb::ReadTransaction;

use super::{
    Calendar, Lifecycle, LifecycleAction,
    decide::{Candidate, Standing, What},
};
use crate::{
    Bucket, StorageClass, UploadId, Vault, VaultError,
    error::IndexEntryError,
    follow::blocking,
    limits::LIFECYCLE_ROWS,
    multipart::UploadRecord,
    object::Version,
    tables::{UPLOADS, VERSIONS, decode_row},
};

/// Something that a rule wants done.
#[derive(Debug, Clone)]
pub struct Due {
    /// The bucket, as it was when it was looked at.
    pub bucket: Arc<Bucket>,
    /// The key.
    pub key: String,
    /// What is to be done.
    pub action: LifecycleAction,
    /// The rule's id.
    pub rule_id: String,
    pub(super) target: Target,
}

#[derive(Debug, Clone)]
pub(super) enum Target {
    Version(Version),
    Upload(UploadId),
}

/// How far a look through a bucket is. A new one begins at the start; it is not kept on disk, since looking again
/// finds what is still due and nothing else.
#[derive(Debug, Clone)]
pub struct LifecycleWalk {
    bucket: Arc<Bucket>,
    at: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Versions { from: (Vec<u8>, u64), key: Option<KeySoFar> },
    Uploads { from: (Vec<u8>, u128) },
    End,
}

/// What is known of the key whose versions are looked at.
#[derive(Debug, Clone)]
struct KeySoFar {
    key: Vec<u8>,
    /// When the version before (the next newer one) was made.
    successor: DateTime<Utc>,
    noncurrent: i32,
    /// The newest version is a delete marker, and no other was seen yet.
    lone_marker: Option<Version>,
}

impl Vault {
    /// Begins to look through a bucket; `None` if it has no rules, or if MFA protects its versions, which nothing
    /// but a caller with a device may then remove.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn lifecycle_walk(&self, bucket: &str) -> Result<Option<LifecycleWalk>, VaultError> {
        let bucket = self.bucket(bucket)?;
        if !super::act::has_rules(&bucket) {
            return Ok(None);
        }
        let at = Place::Versions { from: (Vec::new(), 0), key: None };
        Ok(Some(LifecycleWalk { bucket, at }))
    }

    /// Looks at the next [`LIFECYCLE_ROWS`] versions or uploads: what is due, and the walk to go on with, if it is
    /// not over.
    ///
    /// # Errors
    /// [`VaultError::IndexUnavailable`], [`VaultError::Index`].
    pub async fn lifecycle_step(
        &self,
        walk: LifecycleWalk,
        calendar: Calendar,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Due>, Option<LifecycleWalk>), VaultError> {
        let index = Arc::clone(&self.inner.index);
        blocking(move || {
            let LifecycleWalk { bucket, at } = walk;
            let Some(rules) = bucket.lifecycle.as_ref() else { return Ok((Vec::new(), None)) };
            let mut look = Look { bucket: &bucket, rules, calendar, now, due: Vec::new() };
            let at = index.read(|read| match at {
                Place::Versions { from, key } => look.versions(read, from, key),
                Place::Uploads { from } => look.uploads(read, from),
                Place::End => Ok(Place::End),
            })?;
            let due = look.due;
            let next = match at {
                Place::End => None,
                at => Some(LifecycleWalk { bucket, at }),
            };
            Ok((due, next))
        })
        .await
    }
}

struct Look<'a> {
    bucket: &'a Arc<Bucket>,
    rules: &'a Lifecycle,
    calendar: Calendar,
    now: DateTime<Utc>,
    due: Vec<Due>,
}

impl Look<'_> {
    fn versions(
        &mut self,
        read: &ReadTransaction,
        from: (Vec<u8>, u64),
        mut so_far: Option<KeySoFar>,
    ) -> Result<Place, VaultError> {
        let id = self.bucket.id;
        let table = read.open_table(VERSIONS)?;
        for (rows, row) in table.range((id, from.0.as_slice(), from.1)..)?.enumerate() {
            let (place, value) = row?;
            let (bucket, key, age) = place.value();
            if bucket != id {
                break;
            }
            if rows == LIFECYCLE_ROWS {
                return Ok(Place::Versions { from: (key.to_vec(), age), key: so_far });
            }
            let version: Version = decode_row(value.value())?;
            let text = std::str::from_utf8(key).map_err(|_| IndexEntryError::NotText)?;
            match so_far.as_mut().filter(|so_far| so_far.key == key) {
                Some(so_far) => {
                    so_far.lone_marker = None;
                    let standing = Standing::Noncurrent { since: so_far.successor, newer: so_far.noncurrent };
                    so_far.successor = version.last_modified();
                    so_far.noncurrent = so_far.noncurrent.saturating_add(1);
                    self.look_at(text, standing, version);
                }
                None => {
                    self.finish_key(so_far.take())?;
                    let is_marker = matches!(version, Version::DeleteMarker(_));
                    so_far = Some(KeySoFar {
                        key: key.to_vec(),
                        successor: version.last_modified(),
                        noncurrent: 0,
                        lone_marker: is_marker.then(|| version.clone()),
                    });
                    self.look_at(text, Standing::Current, version);
                }
            }
        }
        self.finish_key(so_far)?;
        Ok(Place::Uploads { from: (Vec::new(), 0) })
    }

    /// All versions of a key were seen: a delete marker may have been the only one.
    fn finish_key(&mut self, so_far: Option<KeySoFar>) -> Result<(), VaultError> {
        let Some(KeySoFar { key, lone_marker: Some(marker), .. }) = so_far else { return Ok(()) };
        let key = std::str::from_utf8(&key).map_err(|_| IndexEntryError::NotText)?;
        self.look_at(key, Standing::Alone, marker);
        Ok(())
    }

    fn look_at(&mut self, key: &str, standing: Standing, version: Version) {
        // S3 lets no rule act on what is still to be copied (S3 user guide, "How S3 Lifecycle interacts with other
        // bucket configurations").
        if self.bucket.replication.is_some()
            && version.replication().is_some_and(|progress| progress.open().next().is_some())
        {
            return;
        }
        let modified = version.last_modified();
        let what = match &version {
            Version::Object(meta) => What::Object {
                size: meta.size,
                tags: &meta.object.tags,
                class: StorageClass::named(&meta.object.storage_class),
            },
            Version::DeleteMarker(_) => What::Marker,
        };
        let candidate = Candidate { key, standing, what, modified };
        let Some((action, rule)) = self.rules.due(self.calendar, &candidate, self.now) else { return };
        self.due.push(Due {
            bucket: Arc::clone(self.bucket),
            key: key.to_owned(),
            action,
            rule_id: rule.id.clone(),
            target: Target::Version(version),
        });
    }

    fn uploads(&mut self, read: &ReadTransaction, from: (Vec<u8>, u128)) -> Result<Place, VaultError> {
        let id = self.bucket.id;
        let table = read.open_table(UPLOADS)?;
        for (rows, row) in table.range((id, from.0.as_slice(), from.1)..)?.enumerate() {
            let (place, value) = row?;
            let (bucket, key, upload) = place.value();
            if bucket != id {
                break;
            }
            if rows == LIFECYCLE_ROWS {
                return Ok(Place::Uploads { from: (key.to_vec(), upload) });
            }
            let record: UploadRecord = decode_row(value.value())?;
            let key = std::str::from_utf8(key).map_err(|_| IndexEntryError::NotText)?;
            let Some(rule) = self.rules.aborts(self.calendar, key, record.initiated, self.now) else {
                continue;
            };
            self.due.push(Due {
                bucket: Arc::clone(self.bucket),
                key: key.to_owned(),
                action: LifecycleAction::AbortUpload,
                rule_id: rule.id.clone(),
                target: Target::Upload(UploadId(upload)),
            });
        }
        Ok(Place::End)
    }
}
