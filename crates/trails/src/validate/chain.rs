//! Checking one chain: each digest by itself, and each against its neighbours.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::{
    Job,
    discover::{self, ChainId, DigestKey, parse_key},
    report::{Finding, FindingKind, Report},
    signed::{self, Fault, ReadDigest},
};
use crate::delivery::{ChainHead, ChainLink};

/// Buckets and prefixes that a trail had before and that are looked into, one after the other.
const MAX_PLACES: usize = 10_000;

/// A chain after its check.
pub(crate) struct CheckedChain {
    pub(crate) region: String,
    /// The digests that are valid, regular and backfill.
    pub(crate) valid: Vec<ReadDigest>,
}

/// Everything that is known about the digests of one chain while it is checked.
struct Walk<'a> {
    id: &'a ChainId,
    head: Option<&'a ChainHead>,
    /// By key; what the digest is, or what is wrong with it.
    digests: BTreeMap<DigestKey, Result<ReadDigest, Fault>>,
    /// The buckets of digests that are not in the asked one, by key.
    buckets: HashMap<String, String>,
    /// Signatures that are not in metadata, by key.
    signatures: HashMap<String, String>,
    findings: Vec<Finding>,
}

/// Checks the digests of a chain that are in the asked range.
pub(crate) async fn check(
    job: &Job<'_>,
    id: &ChainId,
    keys: &[DigestKey],
    head: Option<&ChainHead>,
    report: &mut Report,
) -> CheckedChain {
    let listed: Vec<DigestKey> = keys.iter().filter(|key| job.ask.in_range(key.end)).cloned().collect();
    let mut walk = Walk {
        id,
        head,
        digests: job.read_digests(&job.ask.bucket, listed).await.into_iter().collect(),
        buckets: HashMap::new(),
        signatures: HashMap::new(),
        findings: Vec::new(),
    };
    follow(job, &mut walk).await;
    walk.collect_signatures();
    let signed = verify(job, &mut walk).await;
    walk.check_links(&signed, job, keys, report);
    walk.check_head(&signed, job);
    walk.finish(signed, job, report)
}

/// Reads digests that other digests or the server name and the listing did not have: the trail had another
/// bucket or prefix before, or they are gone.
async fn follow(job: &Job<'_>, walk: &mut Walk<'_>) {
    let mut listed_places = BTreeSet::from([Place::of_ask(job)]);
    for _ in 0..MAX_PLACES {
        let open = walk.named_and_unread(job);
        if open.is_empty() {
            return;
        }
        for (place, keys) in open {
            let mut wanted: BTreeSet<DigestKey> = keys;
            if listed_places.insert(place.clone()) {
                wanted.extend(list_elsewhere(job, walk.id, &place).await);
                wanted.retain(|key| !walk.digests.contains_key(key));
            }
            for (key, read) in job.read_digests(&place.bucket, wanted.into_iter().collect()).await {
                walk.buckets.insert(key.key.clone(), place.bucket.clone());
                walk.digests.insert(key, read);
            }
        }
    }
}

/// The chain's digests in another bucket or under another prefix. Where they cannot be listed, those that are
/// named are read one by one.
async fn list_elsewhere(job: &Job<'_>, id: &ChainId, place: &Place) -> Vec<DigestKey> {
    let listing = discover::chains(job.reader, &place.bucket, place.prefix.as_deref(), &job.ask.whose);
    let found = listing.await.ok().and_then(|mut chains| chains.remove(id)).unwrap_or_default();
    found.into_iter().filter(|key| job.ask.in_range(key.end)).collect()
}

/// Where the files of a trail are, or were.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    bucket: String,
    prefix: Option<String>,
}

impl Place {
    fn of_ask(job: &Job<'_>) -> Self {
        Self { bucket: job.ask.bucket.clone(), prefix: job.ask.prefix.clone() }
    }

    /// A folder stands for all buckets.
    fn of(job: &Job<'_>, bucket: &str, key: &str) -> Self {
        let prefix = key.split_once("AWSLogs/").map_or("", |(prefix, _)| prefix);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let bucket = if job.ask.bucket.is_empty() { String::new() } else { bucket.to_owned() };
        Self { bucket, prefix: (!prefix.is_empty()).then(|| prefix.to_owned()) }
    }
}

/// Verifies the signatures; the digests that are valid, with their signatures, by key.
async fn verify(job: &Job<'_>, walk: &mut Walk<'_>) -> BTreeMap<DigestKey, String> {
    let mut signed = BTreeMap::new();
    let mut faults = Vec::new();
    for (key, read) in &walk.digests {
        let Ok(read) = read else { continue };
        let signature = read.signature.as_ref().or_else(|| walk.signatures.get(&key.key));
        let Some(signature) = signature else {
            let detail = "its signature is in metadata that was not copied, and no newer digest has it";
            faults.push((key.clone(), Fault::new(FindingKind::DigestUnsigned, detail)));
            continue;
        };
        match signed::check(read, &walk.id.region, signature, &job.keys).await {
            Ok(()) => {
                signed.insert(key.clone(), signature.clone());
            }
            Err(fault) => faults.push((key.clone(), fault)),
        }
    }
    for (key, fault) in faults {
        // What an unsigned digest lists is still checked: it is the newest of a copy.
        if fault.kind == FindingKind::DigestUnsigned {
            walk.found(fault.kind, key.key, fault.detail, &job.ask.bucket);
        } else {
            walk.digests.insert(key, Err(fault));
        }
    }
    signed
}

impl Walk<'_> {
    fn found(&mut self, kind: FindingKind, key: String, detail: impl Into<String>, bucket: &str) {
        self.findings.push(Finding {
            kind,
            region: self.id.region.clone(),
            bucket: bucket.to_owned(),
            key,
            detail: detail.into(),
        });
    }

    /// What digests name as previous ones, and what the server knows, as far as it was not read: elsewhere, and
    /// in the asked place where it is missing from the listing.
    fn named_and_unread(&self, job: &Job<'_>) -> BTreeMap<Place, BTreeSet<DigestKey>> {
        let named = self.digests.values().filter_map(|read| read.as_ref().ok()?.previous());
        let asked = Place::of_ask(job);
        let of_bucket =
            |bucket: &str| !job.ask.bucket.is_empty() || self.copied_from().is_none_or(|b| b == bucket);
        let known = self
            .head
            .into_iter()
            .flat_map(known_links)
            .map(|link| (link.bucket.as_str(), link.key.as_str()))
            .filter(|(bucket, key)| Place::of(job, bucket, key) != asked && of_bucket(bucket));
        let mut open: BTreeMap<Place, BTreeSet<DigestKey>> = BTreeMap::new();
        for (bucket, key) in named.chain(known) {
            let Some((_, digest)) = parse_key(&job.ask.whose, key) else { continue };
            if job.ask.in_range(digest.end) && !self.digests.contains_key(&digest) {
                open.entry(Place::of(job, bucket, key)).or_default().insert(digest);
            }
        }
        open
    }

    /// The bucket of which a folder is a copy: that of its newest digest.
    fn copied_from(&self) -> Option<&str> {
        self.digests.values().rev().flatten().next().map(|read| read.digest.digest_s3_bucket.as_str())
    }

    /// A digest's signature is also in its successor, and the server knows some.
    fn collect_signatures(&mut self) {
        for read in self.digests.values().flatten() {
            let digest = &read.digest;
            if let (Some(key), Some(signature)) =
                (&digest.previous_digest_s3_object, &digest.previous_digest_signature)
            {
                self.signatures.insert(key.clone(), signature.clone());
            }
        }
        for link in self.head.into_iter().flat_map(known_links) {
            self.signatures.insert(link.key.clone(), link.signature.clone());
        }
    }

    /// Each digest says what the one before it is; each chain's beginning is one that the server knows.
    fn check_links(
        &mut self,
        signed: &BTreeMap<DigestKey, String>,
        job: &Job<'_>,
        listed: &[DigestKey],
        report: &mut Report,
    ) {
        let by_key: HashMap<&str, (&ReadDigest, &String)> = signed
            .iter()
            .filter_map(|(key, signature)| {
                Some((key.key.as_str(), (self.digests.get(key)?.as_ref().ok()?, signature)))
            })
            .collect();
        let mut findings = Vec::new();
        let mut older: Option<(&DigestKey, DateTime<Utc>)> = None;
        for (key, read) in &self.digests {
            let Ok(read) = read else { continue };
            match read.previous() {
                Some((_, previous)) => {
                    if let Some((before, signature)) = by_key.get(previous) {
                        let link = before.link(signature);
                        if !names(read, &link) {
                            findings.push((
                                FindingKind::ChainBroken,
                                key,
                                format!("it does not match {previous}"),
                            ));
                        }
                    }
                    let absent = self.is_missing(job, previous);
                    if let Some((_, end)) = older.filter(|(known, end)| {
                        absent
                            && !key.backfill
                            && !known.backfill
                            && known.key != previous
                            && *end < read.start
                    }) {
                        let detail = format!("the digests between {end} and {} are missing", read.start);
                        findings.push((FindingKind::ChainGap, key, detail));
                    }
                }
                None if key.backfill => {}
                None => match self.beginning(key, listed) {
                    Beginning::First => {}
                    Beginning::Known => report.restarts += 1,
                    Beginning::Unknown(kind) => {
                        findings.push((
                            kind,
                            key,
                            "it has no previous digest, but there are older ones".to_owned(),
                        ));
                    }
                },
            }
            if !key.backfill {
                older = Some((key, read.end));
            }
        }
        let findings: Vec<_> =
            findings.into_iter().map(|(kind, key, detail)| (kind, key.key.clone(), detail)).collect();
        for (kind, key, detail) in findings {
            self.found(kind, key, detail, &job.ask.bucket);
        }
    }

    fn is_missing(&self, job: &Job<'_>, key: &str) -> bool {
        parse_key(&job.ask.whose, key)
            .and_then(|(_, key)| self.digests.get(&key))
            .is_some_and(|read| read.as_ref().is_err_and(|fault| fault.kind == FindingKind::DigestMissing))
    }

    fn beginning(&self, key: &DigestKey, listed: &[DigestKey]) -> Beginning {
        let first = !listed.iter().any(|other| !other.backfill && other.end < key.end);
        match self.head {
            Some(head) if head.starts.iter().any(|start| start.key == key.key) => {
                if first {
                    Beginning::First
                } else {
                    Beginning::Known
                }
            }
            // The server's own memory of beginnings is bounded, and may be younger than the bucket.
            Some(head) if head.complete && head.starts.iter().all(|start| start.end < key.end) => {
                Beginning::Unknown(FindingKind::ChainForged)
            }
            _ if first => Beginning::First,
            _ => Beginning::Unknown(FindingKind::ChainRestarted),
        }
    }

    /// What the server delivered must be there.
    fn check_head(&mut self, signed: &BTreeMap<DigestKey, String>, job: &Job<'_>) {
        let Some(head) = self.head else { return };
        let mut missing = Vec::new();
        let copied_from = self.copied_from().filter(|_| job.ask.bucket.is_empty()).map(str::to_owned);
        let checkable = |link: &&ChainLink| {
            job.ask.in_range(link.end) && copied_from.as_ref().is_none_or(|bucket| *bucket == link.bucket)
        };
        for link in known_links(head).filter(checkable) {
            let Some((_, key)) = parse_key(&job.ask.whose, &link.key) else { continue };
            match (self.digests.get(&key), signed.get(&key)) {
                (Some(Ok(read)), Some(signature)) if read.link(signature) != *link => {
                    missing.push((
                        FindingKind::ChainBroken,
                        link,
                        "it is not the digest that the server delivered",
                    ));
                }
                // What is wrong with it is in its own finding.
                (Some(_), _) => {}
                (None, _) if head.newest.as_ref() == Some(link) => missing.push((
                    FindingKind::NewestDigestsMissing,
                    link,
                    "the server delivered this digest as the newest, and it does not exist",
                )),
                (None, _) => {
                    missing.push((FindingKind::DigestMissing, link, "the server delivered this digest"));
                }
            }
        }
        let newest = self.digests.keys().filter(|key| !key.backfill).map(|key| key.end).max();
        let found: Vec<_> = missing
            .into_iter()
            .map(|(kind, link, text)| {
                let detail = match newest {
                    Some(newest) if kind == FindingKind::NewestDigestsMissing => {
                        format!("{text}; the newest in the bucket ends at {newest}")
                    }
                    _ => text.to_owned(),
                };
                (kind, link.key.clone(), detail, link.bucket.clone())
            })
            .collect();
        for (kind, key, detail, bucket) in found {
            self.found(kind, key, detail, &bucket);
        }
    }

    /// Counts, and what each digest by itself has wrong.
    fn finish(
        mut self,
        signed: BTreeMap<DigestKey, String>,
        job: &Job<'_>,
        report: &mut Report,
    ) -> CheckedChain {
        let broken: BTreeSet<String> = self
            .findings
            .iter()
            .filter(|finding| !matches!(finding.kind, FindingKind::ChainGap | FindingKind::ChainRestarted))
            .map(|finding| finding.key.clone())
            .collect();
        let mut valid = Vec::new();
        for (key, read) in std::mem::take(&mut self.digests) {
            let counts = if key.backfill { &mut report.backfill_digests } else { &mut report.digests };
            match read {
                Ok(read) => {
                    if signed.contains_key(&key) && !broken.contains(&key.key) {
                        counts.valid += 1;
                        report.found_from =
                            Some(report.found_from.map_or(read.start, |from| from.min(read.start)));
                        report.found_to = Some(report.found_to.map_or(read.end, |to| to.max(read.end)));
                    } else if signed.contains_key(&key) {
                        counts.invalid += 1;
                    }
                    valid.push(read);
                }
                Err(fault) => {
                    counts.invalid += 1;
                    let bucket = self.buckets.get(&key.key).unwrap_or(&job.ask.bucket).clone();
                    self.found(fault.kind, key.key, fault.detail, &bucket);
                }
            }
        }
        let head_missing =
            self.findings.iter().filter(|f| f.kind == FindingKind::NewestDigestsMissing).count() as u64;
        report.digests.invalid += head_missing;
        for finding in self.findings {
            report.add(finding);
        }
        CheckedChain { region: self.id.region.clone(), valid }
    }
}

enum Beginning {
    First,
    Known,
    Unknown(FindingKind),
}

fn known_links(head: &ChainHead) -> impl Iterator<Item = &ChainLink> {
    let mut seen = BTreeSet::new();
    let all = head.newest.iter().chain(&head.newest_backfill).chain(&head.ends).chain(&head.starts);
    all.filter(move |link| seen.insert(link.key.as_str()))
}

fn names(read: &ReadDigest, before: &ChainLink) -> bool {
    let digest = &read.digest;
    digest.previous_digest_s3_bucket.as_deref() == Some(before.bucket.as_str())
        && digest.previous_digest_hash_value.as_deref() == Some(before.sha256.as_str())
        && digest.previous_digest_signature.as_deref() == Some(before.signature.as_str())
}
