//! From the spool into buckets.

use std::collections::HashSet;

use futures::{StreamExt, stream, stream::FuturesUnordered};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Delivery,
    chain::log_file_delivered,
    error::DeliveryError,
    lane::{DELETED_GRACE, LaneKey, next_files, waiting},
    ledger::{FileKind, Ledger, Outstanding, sha256_hex},
};
use crate::{
    digest::{META_ALGORITHM, META_BACKFILL, META_SIGNATURE, SIGNATURE_ALGORITHM},
    layout::long_time,
    store::{CONTENT_ENCODING, CONTENT_TYPE, PutFile, StoreError},
};

/// How one upload ended.
enum Uploaded {
    Done,
    Refused(StoreError),
    /// The spool no longer has the bytes that were decided.
    Damaged(&'static str),
}

impl Delivery {
    /// Uploads what may be uploaded now, until nothing is left or every bucket that has something left has
    /// failed.
    pub(super) async fn upload_all(&self) -> Result<(), DeliveryError> {
        loop {
            let now = self.inner.clock.now();
            let due: Vec<LaneKey> = self
                .waiting_lanes()
                .into_iter()
                .filter(|(_, retry_at)| retry_at.is_none_or(|at| at <= now))
                .map(|(key, _)| key)
                .collect();
            if due.is_empty() {
                return Ok(());
            }
            let mut passes: FuturesUnordered<_> = due.iter().map(|key| self.lane_pass(key)).collect();
            let mut progress = false;
            while let Some(done) = passes.next().await {
                progress |= done?;
            }
            if !progress {
                return Ok(());
            }
        }
    }

    pub(super) fn waiting_lanes(&self) -> Vec<(LaneKey, Option<chrono::DateTime<chrono::Utc>>)> {
        let ledger = self.inner.ledger.lock();
        let lanes = self.inner.lanes.lock();
        waiting(&ledger, &lanes, self.inner.clock.now())
    }

    /// Uploads the next files of one lane and writes the ledger; whether any was delivered or given up.
    pub(super) async fn lane_pass(&self, key: &LaneKey) -> Result<bool, DeliveryError> {
        let failures = self.inner.lanes.lock().get(key).map_or(0, |lane| lane.failures);
        let files = next_files(&self.inner.ledger.lock(), key, failures);
        if files.is_empty() {
            return Ok(false);
        }
        let most = self.inner.options.upload_bytes.max(1);
        let memory = &Semaphore::new(most as usize);
        let outcomes: Vec<(u64, Outstanding, Uploaded)> = stream::iter(files)
            .map(|(number, file)| async move {
                // Never closed. Whole files are in memory while they are uploaded.
                let _room = memory.acquire_many(file.size.min(u64::from(most)) as u32).await;
                let uploaded = self.upload(number, &file).await;
                (number, file, uploaded)
            })
            .buffer_unordered(self.inner.options.uploads)
            .collect()
            .await;
        let gone = self.settle(key, outcomes);
        if gone.is_empty() {
            return Ok(false);
        }
        self.save().await?;
        for number in gone {
            self.inner.spool.remove(number);
        }
        Ok(true)
    }

    async fn upload(&self, number: u64, file: &Outstanding) -> Uploaded {
        let inner = self.inner.clone();
        let read = tokio::task::spawn_blocking(move || inner.spool.read(number)).await;
        let body = match read {
            Ok(Ok(body)) if sha256_hex(&body) == file.body_sha256 => body,
            Ok(Ok(_)) => return Uploaded::Damaged("damaged in the spool"),
            // Nothing removes a file that the ledger has: waiting would not bring it back.
            Ok(Err(error)) if error.is_absence() => return Uploaded::Damaged("missing in the spool"),
            Ok(Err(error)) => {
                return Uploaded::Refused(StoreError::Unavailable { reason: error.to_string() });
            }
            Err(error) => return Uploaded::Refused(StoreError::Unavailable { reason: error.to_string() }),
        };
        let metadata = metadata_of(&file.kind);
        let put = self.inner.store.put(PutFile {
            bucket: &file.bucket,
            key: &file.key,
            body: body.into(),
            metadata: &metadata,
            content_type: CONTENT_TYPE,
            content_encoding: CONTENT_ENCODING,
            trail_arn: &file.trail_arn,
            account: file.trail_account(),
            kms_key: file.kms_key.as_deref(),
        });
        match timeout(self.inner.options.upload_timeout, put).await {
            Ok(Ok(())) => Uploaded::Done,
            Ok(Err(error)) => Uploaded::Refused(error),
            Err(_) => Uploaded::Refused(StoreError::Unavailable { reason: "no answer in time".to_owned() }),
        }
    }

    /// Takes the outcomes into the ledger; the numbers of files that left it.
    fn settle(&self, key: &LaneKey, outcomes: Vec<(u64, Outstanding, Uploaded)>) -> Vec<u64> {
        let now = self.inner.clock.now();
        let boundary = self.inner.options.boundary(now);
        let mut ledger = self.inner.ledger.lock();
        let mut gone = Vec::new();
        let mut failed = None;
        for (number, tried, outcome) in outcomes {
            let Some(file) = ledger.files.get_mut(&number) else { continue };
            let is_digest = matches!(file.kind, FileKind::Digest { .. });
            match outcome {
                Uploaded::Done => {
                    ledger.files.remove(&number);
                    // Where it was written, even if it was to follow its trail elsewhere meanwhile.
                    let file = tried;
                    ledger.status_of(&file.trail_arn).tried(is_digest, Ok(()), now);
                    match &file.kind {
                        FileKind::Log(log) => log_file_delivered(&mut ledger, &file, log, now, boundary),
                        FileKind::Digest { .. } => digest_delivered(&mut ledger, &file.kind),
                    }
                    metrics::counter!("opentrail_trails_files_delivered_total").increment(1);
                    gone.push(number);
                }
                Uploaded::Refused(error) => {
                    file.maybe_written |= matches!(error, StoreError::Unavailable { .. });
                    tracing::warn!(bucket = key.bucket, trail = key.trail_arn, %error, "a file was not delivered");
                    ledger.status_of(&key.trail_arn).tried(is_digest, Err(&error), now);
                    metrics::counter!("opentrail_trails_deliveries_failed_total").increment(1);
                    failed = Some(error);
                }
                Uploaded::Damaged(what) => {
                    file.damaged = true;
                    let object = file.key.clone();
                    tracing::error!(key = object, number, "a file cannot be delivered: it is {what}");
                    let error = StoreError::Unavailable { reason: what.to_owned() };
                    ledger.status_of(&key.trail_arn).tried(is_digest, Err(&error), now);
                }
            }
        }
        let abandoned = failed.is_some()
            && ledger.deleted.get(&key.trail_arn).is_some_and(|since| now - *since > DELETED_GRACE);
        if abandoned {
            gone.extend(abandon(&mut ledger, key));
        }
        self.inner.lanes.lock().entry(key.clone()).or_default().outcome(failed, &self.inner.options, now);
        gone
    }

    /// Uploads in the background until `stop`; each lane goes at its own pace.
    pub(super) async fn upload_loop(
        &self,
        mut stop: tokio::sync::watch::Receiver<bool>,
    ) -> Result<(), DeliveryError> {
        let mut busy: HashSet<LaneKey> = HashSet::new();
        let mut passes = tokio::task::JoinSet::new();
        while !*stop.borrow() {
            let now = self.inner.clock.now();
            let mut wake = chrono::TimeDelta::seconds(60);
            for (key, retry_at) in self.waiting_lanes() {
                match retry_at {
                    _ if busy.contains(&key) => {}
                    Some(at) if at > now => wake = wake.min(at - now),
                    _ => {
                        busy.insert(key.clone());
                        let delivery = self.clone();
                        passes.spawn(async move {
                            let done = delivery.lane_pass(&key).await;
                            (key, done)
                        });
                    }
                }
            }
            let wake = wake.to_std().unwrap_or_default();
            tokio::select! {
                Some(done) = passes.join_next() => {
                    let (key, done) = done.map_err(|_| DeliveryError::Interrupted)?;
                    busy.remove(&key);
                    // A ledger that cannot be written now is written after the next pass or cut.
                    if let Err(error) = done {
                        tracing::error!(%error, "the delivery's ledger was not written");
                        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                    }
                }
                () = self.inner.changed.notified() => {}
                () = tokio::time::sleep(wake) => {}
                _ = stop.changed() => {}
            }
        }
        // What is under way may end; it is repeated after the next start otherwise.
        let ending = async { while passes.join_next().await.is_some() {} };
        let _ = timeout(std::time::Duration::from_secs(5), ending).await;
        Ok(())
    }
}

fn metadata_of(kind: &FileKind) -> Vec<(String, String)> {
    let FileKind::Digest { link, backfill, .. } = kind else { return Vec::new() };
    let mut metadata = vec![
        (META_SIGNATURE.to_owned(), link.signature.clone()),
        (META_ALGORITHM.to_owned(), SIGNATURE_ALGORITHM.to_owned()),
    ];
    metadata.extend(backfill.map(|made| (META_BACKFILL.to_owned(), long_time(made))));
    metadata
}

fn digest_delivered(ledger: &mut Ledger, kind: &FileKind) {
    if let FileKind::Digest { chain, link, backfill, .. } = kind
        && let Some(chain) = ledger.chains.get_mut(chain)
    {
        let place = if backfill.is_some() { &mut chain.backfill_delivered } else { &mut chain.delivered };
        *place = Some(link.clone());
    }
}

/// Gives up the files of a trail that was deleted long ago and whose bucket does not take them. Their events
/// stay in the event history.
fn abandon(ledger: &mut Ledger, key: &LaneKey) -> Vec<u64> {
    let lost: Vec<u64> = ledger
        .files
        .iter()
        .filter(|(_, file)| LaneKey::of(file) == *key)
        .map(|(number, _)| *number)
        .collect();
    for number in &lost {
        ledger.files.remove(number);
    }
    tracing::warn!(
        bucket = key.bucket,
        trail = key.trail_arn,
        files = lost.len(),
        "files of a deleted trail are given up"
    );
    lost
}
