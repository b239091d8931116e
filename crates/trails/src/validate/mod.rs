//! Proof that a bucket still has what was delivered into it.
//!
//! As `aws cloudtrail validate-logs` it verifies each digest's signature and place, follows the chain, and
//! compares each log file with its digest. Beyond that it finds what the chain alone cannot show: digests
//! deleted at the end of a chain, all digests deleted, several in a row deleted, a chain begun anew after the
//! old one was deleted (with the server's [`ChainHead`]s), log files that no digest lists, and log files that
//! were moved.
//!
//! Files are read in parallel; what needs the processor runs on blocking threads.

mod chain;
mod discover;
pub mod keys;
mod logs;
pub mod report;
mod signed;
mod unlisted;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use opentrail_event::Region;

use self::{
    chain::CheckedChain,
    discover::{ChainId, DigestKey},
    keys::KeyCache,
    logs::LogCheck,
    signed::{Fault, ReadDigest},
};
pub use self::{
    discover::accounts_of,
    keys::{KeyError, KeyFile, KeySource},
    report::{Counts, Finding, FindingKind, Progress, Report, Verdict},
};
use crate::{
    delivery::ChainHead,
    digest::DigestLogFile,
    layout::Whose,
    name::TrailName,
    store::{LogReader, StoreError},
};

/// How much the clocks of the delivery and of a bucket may usually differ.
pub const CLOCKS: TimeDelta = TimeDelta::minutes(1);

/// What is to be validated.
#[derive(Debug, Clone)]
pub struct ValidateAsk {
    /// The bucket; empty for a folder that was copied from one.
    pub bucket: String,
    /// What stands before `AWSLogs/` in the keys.
    pub prefix: Option<String>,
    /// The account whose files are meant, and the organization if an organization trail wrote them.
    pub whose: Whose,
    /// One trail and its home region; all trails that have digests if absent.
    pub trail: Option<(TrailName, Region)>,
    /// The regions; all that have digests if absent.
    pub regions: Option<Vec<String>>,
    /// Digests that end before this are not looked at.
    pub start: Option<DateTime<Utc>>,
    /// Digests that end more than an hour after this are not looked at.
    pub end: Option<DateTime<Utc>>,
    /// What the server knows about the trail's chains ([`crate::Delivery::chain_heads`]); needs `trail`.
    pub heads: Option<Vec<ChainHead>>,
    /// Whether log files that no digest lists are searched for. Not right where a trail without log file
    /// validation, or a server of before, writes below the same prefix.
    pub find_unlisted: bool,
    /// How much the clocks of the delivery and of the bucket may differ. A log file that no digest lists is
    /// reported if it was written longer than this after a chain began and before what is known of it ends.
    pub clocks: TimeDelta,
    /// Files read at once.
    pub concurrency: usize,
}

/// Why nothing could be validated at all.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The digests could not be listed.
    #[error("{}", not_listed(bucket, source))]
    List {
        /// The bucket.
        bucket: String,
        /// What the store said.
        source: StoreError,
    },
}

fn not_listed(bucket: &str, source: &StoreError) -> String {
    match source {
        _ if bucket.is_empty() => format!("the digests in the folder could not be listed: {source}"),
        StoreError::AccessDenied => {
            format!("AccessDenied: no permission for s3:ListBucket on arn:aws:s3:::{bucket}")
        }
        _ => format!("the digests in the bucket {bucket} could not be listed: {source}"),
    }
}

/// A function that is told how far the validation is.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// The parts that all steps need.
struct Job<'a> {
    reader: &'a dyn LogReader,
    keys: KeyCache<'a>,
    ask: &'a ValidateAsk,
    meter: Meter,
}

/// Validates what the ask names.
///
/// # Errors
/// [`ValidateError::List`]. What is wrong with single files is in the report.
pub async fn validate(
    reader: Arc<dyn LogReader>,
    keys: Arc<dyn KeySource>,
    ask: ValidateAsk,
    progress: OnProgress,
) -> Result<Report, ValidateError> {
    let job = Job { reader: &*reader, keys: KeyCache::new(&*keys), ask: &ask, meter: Meter::new(progress) };
    let listing = discover::chains(&*reader, &ask.bucket, ask.prefix.as_deref(), &ask.whose);
    let found = listing.await.map_err(|source| ValidateError::List { bucket: ask.bucket.clone(), source })?;
    let (asked, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        found.into_iter().filter(|(id, _)| ask.has_region(&id.region)).partition(|(id, _)| ask.has_trail(id));
    let mut report = Report { heads_known: ask.heads.is_some(), ..Report::default() };
    report_absent(&ask, &asked, &mut report);

    let mut checked = Vec::new();
    for (id, keys) in &asked {
        let head = ask.head_of(&id.region);
        checked.push(chain::check(&job, id, keys, head, &mut report).await);
    }
    report.regions = asked.keys().map(|id| id.region.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut missing = job.check_logs(&checked, &mut report).await;
    if ask.find_unlisted {
        unlisted::find(&job, &checked, &others, &mut missing, &mut report).await;
    }
    for finding in missing {
        report.add(finding);
    }
    report.findings.sort();
    Ok(report)
}

/// Regions whose digests the server delivered and which the bucket does not have at all.
fn report_absent(ask: &ValidateAsk, asked: &BTreeMap<ChainId, Vec<DigestKey>>, report: &mut Report) {
    let folder = |region: Option<&str>| ask.whose.digests(ask.prefix.as_deref(), region);
    let mut known_absent = false;
    for head in ask.heads().filter(|head| ask.has_region(&head.region)) {
        let has_digests = asked.keys().any(|id| id.region == head.region);
        if let Some(newest) = head.newest.as_ref().filter(|newest| !has_digests && ask.in_range(newest.end)) {
            known_absent = true;
            report.digests.invalid += 1;
            report.add(Finding {
                kind: FindingKind::AllDigestsMissing,
                region: head.region.clone(),
                bucket: ask.bucket.clone(),
                key: folder(Some(&head.region)),
                detail: format!(
                    "the server delivered digests up to {}, the newest as {}",
                    newest.end, newest.key
                ),
            });
        }
    }
    if asked.is_empty() && !known_absent {
        report.add(Finding {
            kind: FindingKind::NoDigests,
            region: String::new(),
            bucket: ask.bucket.clone(),
            key: folder(None),
            detail: "there are no digests".to_owned(),
        });
    }
}

impl ValidateAsk {
    /// What the server knows about the chains of the files that are meant.
    fn heads(&self) -> impl Iterator<Item = &ChainHead> {
        self.heads.iter().flatten().filter(|head| head.whose == self.whose)
    }

    fn head_of(&self, region: &str) -> Option<&ChainHead> {
        self.heads().find(|head| head.region == region)
    }

    fn has_region(&self, region: &str) -> bool {
        self.regions.as_ref().is_none_or(|regions| regions.iter().any(|known| known == region))
    }

    fn has_trail(&self, id: &ChainId) -> bool {
        self.trail.as_ref().is_none_or(|(name, home)| *name == id.trail && *home == id.home_region)
    }

    /// As the AWS CLI: an hour more at the end, because files are in the digest after them.
    fn in_range(&self, end: DateTime<Utc>) -> bool {
        self.start.is_none_or(|start| end >= start)
            && self.end.is_none_or(|last| end <= last + TimeDelta::hours(1))
    }

    fn concurrency(&self) -> usize {
        self.concurrency.clamp(1, 1024)
    }
}

impl Job<'_> {
    /// Reads digests of one bucket in parallel.
    async fn read_digests(
        &self,
        bucket: &str,
        keys: Vec<DigestKey>,
    ) -> Vec<(DigestKey, Result<ReadDigest, Fault>)> {
        self.meter.add_digests(keys.len());
        stream::iter(keys)
            .map(|key| async move {
                let read = signed::read(self.reader, bucket, &key.key, key.backfill).await;
                self.meter.digest_done();
                (key, read)
            })
            .buffer_unordered(self.ask.concurrency())
            .collect()
            .await
    }

    /// Checks every log file that valid digests list, once; gives the findings about missing files back, since
    /// they may turn out to have been moved.
    async fn check_logs(&self, chains: &[CheckedChain], report: &mut Report) -> Vec<Finding> {
        let mut files: BTreeMap<(&str, &str), (&str, &DigestLogFile)> = BTreeMap::new();
        for chain in chains {
            for file in chain.valid.iter().flat_map(|digest| &digest.digest.log_files) {
                files.insert((&file.s3_bucket, &file.s3_object), (&chain.region, file));
            }
        }
        self.meter.add_logs(files.len());
        let mut checks = stream::iter(files.into_values())
            .map(|(region, file)| async move {
                let bucket = if self.ask.bucket.is_empty() { "" } else { &file.s3_bucket };
                (region, file, logs::check(self.reader, bucket, &file.s3_object, &file.hash_value).await)
            })
            .buffer_unordered(self.ask.concurrency());
        let mut missing = Vec::new();
        while let Some((region, file, outcome)) = checks.next().await {
            self.meter.log_done();
            match outcome {
                LogCheck::Valid(bytes) => {
                    report.log_files.valid += 1;
                    report.bytes += bytes;
                }
                LogCheck::Fault(kind, detail) => {
                    report.log_files.invalid += 1;
                    let (bucket, key) = (file.s3_bucket.clone(), file.s3_object.clone());
                    let finding = Finding { kind, region: region.to_owned(), bucket, key, detail };
                    if kind == FindingKind::LogMissing {
                        missing.push(finding);
                    } else {
                        report.add(finding);
                    }
                }
            }
        }
        missing
    }
}

/// Counts and tells.
struct Meter {
    tell: OnProgress,
    digests: AtomicU64,
    digests_total: AtomicU64,
    log_files: AtomicU64,
    log_files_total: AtomicU64,
}

impl Meter {
    fn new(tell: OnProgress) -> Self {
        let zero = AtomicU64::default;
        Self { tell, digests: zero(), digests_total: zero(), log_files: zero(), log_files_total: zero() }
    }

    fn add_digests(&self, more: usize) {
        self.count(&self.digests_total, more);
    }

    fn digest_done(&self) {
        self.count(&self.digests, 1);
    }

    fn add_logs(&self, more: usize) {
        self.count(&self.log_files_total, more);
    }

    fn log_done(&self) {
        self.count(&self.log_files, 1);
    }

    fn count(&self, counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (self.tell)(Progress {
            digests: now(&self.digests),
            digests_total: now(&self.digests_total),
            log_files: now(&self.log_files),
            log_files_total: now(&self.log_files_total),
        });
    }
}
