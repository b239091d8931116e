//! One pass over what waits in a bucket for a destination.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use opentrail_identity::Caller;
use opentrail_vault::{
    Bucket, VaultError, Version,
    replication::{CopyOutcome, NewReplica, Pair, Replicated, Replication, ReplicationRule, Waiting},
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{permit, record};
use crate::{
    replica_target::{Errand, RemoteCopy, TargetError},
    rooms::Rooms,
};

/// Keys of one bucket that are copied at the same time.
const KEYS_AT_ONCE: usize = 8;

/// What a pass did.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Copies that are as they shall be.
    pub(super) done: u64,
    /// Copies that were refused.
    pub(super) refused: u64,
    /// Why nothing more could be done, if that was so.
    pub(super) away: Option<String>,
}

/// Why a version is not copied.
pub(super) enum Failure {
    /// Somebody said no.
    Refused(String),
    /// The destination, or the vault, can't be asked at the moment.
    Away(String),
    /// The version is gone; there is nothing to do.
    Gone,
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::DiskFull
            | VaultError::IndexUnavailable
            | VaultError::NotAppliedYet
            | VaultError::Closing => Self::Away(error.to_string()),
            VaultError::NoSuchVersion { .. } | VaultError::NoSuchBucket { .. } => Self::Gone,
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Away(reason) => Self::Away(reason),
            TargetError::Refused(reason) => Self::Refused(reason),
            TargetError::NoBucket => Self::Refused("the endpoint has no such bucket".to_owned()),
            TargetError::NoVersioning | TargetError::NoLock => {
                Self::Refused("the endpoint's bucket lacks versioning or Object Lock".to_owned())
            }
        }
    }
}

/// A pass under way.
struct Pass<'a> {
    rooms: &'a Rooms,
    /// The bucket as it is now.
    bucket: std::sync::Arc<Bucket>,
    failed: bool,
    done: AtomicU64,
    refused: AtomicU64,
    away: Mutex<Option<String>>,
}

/// Copies what waits for the first time, or what was refused (`failed`), each key's oldest version first.
pub(super) async fn run(rooms: &Rooms, pair: &Pair, failed: bool, stop: &CancellationToken) -> Summary {
    let mut summary = Summary::default();
    let mut place = None;
    loop {
        let step = rooms.vault.replication_step(pair, failed, place.take()).await;
        let (bucket, (waiting, next)) = match (rooms.vault.bucket(&pair.bucket.name), step) {
            (Ok(bucket), Ok(step)) if bucket.created == pair.bucket.created => (bucket, step),
            (Err(error), _) | (_, Err(error)) => {
                return Summary { away: Some(error.to_string()), ..summary };
            }
            _ => return summary,
        };
        let pass = Pass {
            rooms,
            bucket,
            failed,
            done: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            away: Mutex::new(None),
        };
        let pass_ref = &pass;
        let keys = futures::stream::iter(by_key(waiting));
        keys.for_each_concurrent(KEYS_AT_ONCE, |versions| pass_ref.key(versions, stop)).await;
        summary.done += pass.done.into_inner();
        summary.refused += pass.refused.into_inner();
        summary.away = pass.away.into_inner();
        place = next;
        if place.is_none() || summary.away.is_some() || stop.is_cancelled() {
            return summary;
        }
    }
}

/// The versions of each key, which stand beside each other.
fn by_key(waiting: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut keys: Vec<Vec<Waiting>> = Vec::new();
    for one in waiting {
        match keys.last_mut() {
            Some(key) if key.last().is_some_and(|last| last.key == one.key) => key.push(one),
            _ => keys.push(vec![one]),
        }
    }
    keys
}

impl Pass<'_> {
    /// Copies the versions of one key, in order.
    async fn key(&self, versions: Vec<Waiting>, stop: &CancellationToken) {
        for waiting in versions {
            if stop.is_cancelled() || self.away.lock().is_some() {
                return;
            }
            // Elsewhere the newest is what came last: a key's versions come there in order or not at all.
            let is_elsewhere = self.rooms.replica_targets.of(&waiting.destination).is_some();
            if is_elsewhere && waiting.is_behind && self.rooms.vault.is_behind(&waiting).unwrap_or(true) {
                continue;
            }
            // What is dropped half-way is found again at the next start.
            tokio::select! {
                () = self.version(&waiting) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Copies one version, and notes what came of it.
    async fn version(&self, waiting: &Waiting) {
        let now = Utc::now();
        match self.attempt(waiting, now).await {
            Ok((rule, outcome)) => match self.settle(waiting, &outcome, rule.as_ref(), None, now).await {
                Ok(()) => {
                    self.done.fetch_add(1, Relaxed);
                }
                Err(reason) => self.is_away(reason),
            },
            Err(Failure::Gone) => {}
            Err(Failure::Away(reason)) => {
                metrics::counter!("opentrail_replication_failures_total", "kind" => "away").increment(1);
                self.is_away(reason);
            }
            Err(Failure::Refused(reason)) => {
                metrics::counter!("opentrail_replication_failures_total", "kind" => "refused").increment(1);
                self.refused.fetch_add(1, Relaxed);
                if !self.failed {
                    let (bucket, destination) = (&waiting.bucket.name, &waiting.destination);
                    tracing::warn!(
                        bucket,
                        key = waiting.key,
                        destination,
                        reason,
                        "a version was not copied"
                    );
                }
                let refused = self.settle(waiting, &CopyOutcome::Refused, None, Some(&reason), now).await;
                if let Err(reason) = refused {
                    self.is_away(reason);
                }
            }
        }
    }

    fn is_away(&self, reason: String) {
        self.away.lock().get_or_insert(reason);
    }

    async fn settle(
        &self,
        waiting: &Waiting,
        outcome: &CopyOutcome,
        rule: Option<&ReplicationRule>,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        let told = record::Told { bucket: &self.bucket, waiting, rule, reason, now };
        let events = |status| record::settled(&self.rooms.recorder, &told, status);
        match self.rooms.vault.settle_copy(waiting, outcome, events).await {
            Ok(_) | Err(VaultError::NoSuchBucket { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn attempt(
        &self,
        waiting: &Waiting,
        now: DateTime<Utc>,
    ) -> Result<(Option<ReplicationRule>, CopyOutcome), Failure> {
        let none = || Failure::Refused("no replication rule is about it any more".to_owned());
        // As it is now: a pass may take hours.
        let bucket = self.rooms.vault.bucket(&self.bucket.name)?;
        if bucket.created != self.bucket.created {
            return Err(Failure::Gone);
        }
        let Some(replication) = &bucket.replication else { return Err(none()) };
        let rule = replication.rule_for(&waiting.key, &waiting.version, &waiting.destination);
        let rule = rule.ok_or_else(none)?;
        let caller = super::acting(self.rooms, &self.bucket, &replication.role, now)
            .map_err(|error| Failure::Refused(error.to_string()))?;
        permit::may_read(self.rooms, &caller, &self.bucket, waiting)?;
        let version_id = match self.rooms.replica_targets.of(&waiting.destination) {
            Some(target) => {
                permit::may_write(self.rooms, &caller, None, waiting, rule)?;
                let done = self.send(target, waiting, rule, &caller, now).await?;
                done.and_then(|copy| copy.version_id)
            }
            None => {
                self.copy(replication, waiting, rule, &caller, now).await?;
                None
            }
        };
        Ok((Some(rule.clone()), CopyOutcome::Made { version_id }))
    }

    /// Copies into a bucket of this server.
    async fn copy(
        &self,
        replication: &Replication,
        waiting: &Waiting,
        rule: &ReplicationRule,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let into = self.rooms.vault.bucket(&waiting.destination);
        let into = into.map_err(|error| Failure::Refused(error.to_string()))?;
        permit::may_write(self.rooms, caller, Some(&into), waiting, rule)?;
        let (encryption, used) = permit::encryption(self.rooms, caller, &self.bucket, &into, waiting, rule)?;
        let owner = permit::owner_of_copy(&into, waiting, rule);
        let new = NewReplica { rule, owner, encryption };
        let told = record::Told { bucket: &self.bucket, waiting, rule: Some(rule), reason: None, now };
        let events = |done: Replicated| {
            record::copied(&self.rooms.recorder, &told, &into, &replication.role, done, &used, caller)
        };
        let done = match self.rooms.vault.replicate(waiting, &new, now, events).await {
            // The source was found; what is missing is the destination.
            Err(error @ VaultError::NoSuchBucket { .. }) => return Err(Failure::Refused(error.to_string())),
            done => done?,
        };
        if done != Replicated::Unchanged {
            count(waiting, done == Replicated::Made);
        }
        Ok(())
    }

    /// Copies to an endpoint elsewhere.
    async fn send(
        &self,
        target: &crate::replica_target::Target,
        waiting: &Waiting,
        rule: &ReplicationRule,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<RemoteCopy>, Failure> {
        let errand = Errand { destination: &rule.destination, key: &waiting.key };
        let progress = waiting.progress();
        let meta = match &waiting.version {
            Version::DeleteMarker(marker) => {
                let copy = target.delete(&errand, marker.last_modified).await?;
                count(waiting, true);
                return Ok(Some(copy));
            }
            Version::Object(meta) => meta,
        };
        if let Some(progress) = progress.filter(|progress| progress.made) {
            let copy = target.update(&errand, meta, progress.version_id.as_deref(), now).await?;
            count(waiting, false);
            let kept = RemoteCopy { version_id: progress.version_id.clone() };
            return Ok(Some(copy.unwrap_or(kept)));
        }
        permit::may_decrypt(self.rooms, caller, &self.bucket, waiting)?;
        let reader = self.rooms.vault.get(&self.bucket.name, &waiting.key, Some(&meta.version_id))?;
        let copy = target.put(&errand, &reader, now).await?;
        count(waiting, true);
        Ok(Some(copy))
    }
}

fn count(waiting: &Waiting, made: bool) {
    let kind = match (&waiting.version, made) {
        (Version::DeleteMarker(_), _) => "marker",
        (Version::Object(_), true) => "object",
        (Version::Object(_), false) => "settings",
    };
    metrics::counter!("opentrail_replication_copies_total", "kind" => kind).increment(1);
    if let (Version::Object(meta), true) = (&waiting.version, made) {
        metrics::counter!("opentrail_replication_bytes_total").increment(meta.size);
    }
}
