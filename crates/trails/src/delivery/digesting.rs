//! Deciding digests: which are due, what they say, their signature.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};
use opentrail_keyring::Keyring;

use super::{
    chain::{Chain, ChainLink, DeliveredFile},
    error::DeliveryError,
    ledger::{FileKind, Ledger, Outstanding, sha256_hex},
};
use crate::{
    digest::{Digest, DigestLogFile, HASH_ALGORITHM, SIGNATURE_ALGORITHM, compressed, string_to_sign},
    layout::{DigestNames, long_time},
};

/// Digests of one chain that may wait for their bucket; with more, the next digest covers several periods.
const MAX_WAITING: usize = 48;

/// A digest that is due.
pub(crate) struct DigestPlan {
    chain: String,
    region: String,
    end: DateTime<Utc>,
    period_start: DateTime<Utc>,
    /// When the digest is made, for a backfill digest.
    backfill: Option<DateTime<Utc>>,
    /// Whether it is the last of its chain.
    last: bool,
    digest: Digest,
    previous: Option<ChainLink>,
    lists: Vec<DeliveredFile>,
}

/// A digest, signed and compressed.
pub(crate) struct SignedDigest {
    plan: DigestPlan,
    link: ChainLink,
    pub(crate) body: Vec<u8>,
}

/// What the ledger's files say about each chain.
struct Waiting {
    digests: HashMap<String, usize>,
    log_files: HashSet<String>,
}

impl Waiting {
    fn of(ledger: &Ledger) -> Self {
        let mut waiting = Self { digests: HashMap::new(), log_files: HashSet::new() };
        for file in ledger.files.values() {
            match &file.kind {
                FileKind::Digest { chain, .. } => *waiting.digests.entry(chain.clone()).or_default() += 1,
                FileKind::Log(log) if log.validation => {
                    waiting.log_files.insert(Chain::name(&file.trail_arn, &file.whose, &log.region));
                }
                FileKind::Log(_) => {}
            }
        }
        waiting
    }
}

/// The digests whose period has ended at `boundary`.
pub(crate) fn due(
    ledger: &Ledger,
    boundary: DateTime<Utc>,
    interval: Duration,
    now: DateTime<Utc>,
) -> Vec<DigestPlan> {
    let waiting = Waiting::of(ledger);
    let mut plans = Vec::new();
    for (name, chain) in &ledger.chains {
        let room = waiting.digests.get(name).is_none_or(|count| *count < MAX_WAITING);
        let wanted = chain.running || chain.files.iter().any(|file| file.at < boundary);
        if chain.period_start < boundary && room && wanted {
            plans.push(plan(name, chain, boundary, interval, &waiting, now));
        }
    }
    plans
}

fn plan(
    name: &str,
    chain: &Chain,
    end: DateTime<Utc>,
    interval: Duration,
    waiting: &Waiting,
    now: DateTime<Utc>,
) -> DigestPlan {
    let backfill = !chain.running;
    let previous = if backfill { chain.backfill.as_ref() } else { chain.decided.as_ref() };
    let lists: Vec<DeliveredFile> = chain.files.iter().filter(|file| file.at < end).cloned().collect();
    // The last files of an ending chain are given one more period to be delivered.
    let is_last = |since: DateTime<Utc>| {
        let more_to_come = waiting.log_files.contains(name) && end - since < interval;
        since < end && !more_to_come && lists.len() == chain.files.len()
    };
    let last = chain.ending.is_some_and(is_last);
    let names = DigestNames {
        whose: &chain.whose,
        region: &chain.region,
        trail: &chain.trail,
        home_region: &chain.home_region,
    };
    let digest = Digest {
        aws_account_id: chain.whose.account.to_string(),
        digest_start_time: long_time(chain.period_start),
        digest_end_time: long_time(end),
        digest_s3_bucket: chain.bucket.clone(),
        digest_s3_object: names.key(chain.prefix.as_deref(), end, backfill),
        digest_public_key_fingerprint: String::new(),
        digest_signature_algorithm: SIGNATURE_ALGORITHM.to_owned(),
        newest_event_time: lists.iter().map(|file| file.file.newest).max().map(long_time),
        oldest_event_time: lists.iter().map(|file| file.file.oldest).min().map(long_time),
        previous_digest_s3_bucket: previous.map(|link| link.bucket.clone()),
        previous_digest_s3_object: previous.map(|link| link.key.clone()),
        previous_digest_hash_value: previous.map(|link| link.sha256.clone()),
        previous_digest_hash_algorithm: previous.map(|_| HASH_ALGORITHM.to_owned()),
        previous_digest_signature: previous.map(|link| link.signature.clone()),
        log_files: lists.iter().map(entry_of).collect(),
    };
    DigestPlan {
        chain: name.to_owned(),
        region: chain.region.clone(),
        end,
        period_start: chain.period_start,
        backfill: backfill.then_some(now),
        last,
        digest,
        previous: previous.cloned(),
        lists,
    }
}

fn entry_of(delivered: &DeliveredFile) -> DigestLogFile {
    DigestLogFile {
        s3_bucket: delivered.bucket.clone(),
        s3_object: delivered.key.clone(),
        hash_value: delivered.file.sha256.clone(),
        hash_algorithm: HASH_ALGORITHM.to_owned(),
        newest_event_time: long_time(delivered.file.newest),
        oldest_event_time: long_time(delivered.file.oldest),
    }
}

/// Signs a digest with the key of its region that signs for the end of its period; a backfill digest with the
/// one that signs now, because that is where validators look for it.
pub(crate) async fn sign(mut plan: DigestPlan, keyring: &Keyring) -> Result<SignedDigest, DeliveryError> {
    let region = plan.region.parse().map_err(|_| DeliveryError::Options("a chain's region has no form"))?;
    let key = keyring.signing_key(&region, plan.backfill.unwrap_or(plan.end)).await?;
    key.fingerprint().clone_into(&mut plan.digest.digest_public_key_fingerprint);
    let digest = &plan.digest;
    let unwritable =
        |e: std::io::Error| DeliveryError::Disk { path: digest.digest_s3_object.clone().into(), source: e };
    let text = serde_json::to_vec(digest).map_err(|e| unwritable(e.into()))?;
    let sha256 = sha256_hex(&text);
    let message = string_to_sign(
        &digest.digest_end_time,
        &digest.digest_s3_bucket,
        &digest.digest_s3_object,
        &sha256,
        digest.previous_digest_signature.as_deref(),
    );
    let signature = hex::encode(key.sign(message.as_bytes())?);
    let body = compressed(&text).map_err(unwritable)?;
    let link = ChainLink {
        bucket: digest.digest_s3_bucket.clone(),
        key: digest.digest_s3_object.clone(),
        sha256,
        signature,
        end: plan.end,
    };
    Ok(SignedDigest { plan, link, body })
}

/// Takes a digest whose bytes are in the spool into the ledger, as the newest of its chain.
pub(crate) fn adopt(ledger: &mut Ledger, signed: SignedDigest, number: u64) {
    let SignedDigest { plan, link, body } = signed;
    let trails = ledger.trails.values().map(|trail| (trail.arn().to_string(), trail.kms_key.clone()));
    let kms_keys: HashMap<String, Option<String>> = trails.collect();
    let Some(chain) = ledger.chains.get_mut(&plan.chain) else { return };
    let listed: HashSet<(&str, &str)> =
        plan.lists.iter().map(|file| (file.bucket.as_str(), file.key.as_str())).collect();
    chain.files.retain(|file| !listed.contains(&(file.bucket.as_str(), file.key.as_str())));
    chain.period_start = plan.end;
    if plan.backfill.is_some() {
        chain.backfill = Some(link.clone());
    } else {
        if plan.digest.previous_digest_s3_object.is_none() {
            chain.began_with(link.clone());
        }
        chain.decided = Some(link.clone());
        if plan.last {
            chain.end();
        }
    }
    let trail_arn = chain.trail_arn().to_string();
    let file = Outstanding {
        kms_key: kms_keys.get(&trail_arn).cloned().flatten(),
        trail_arn,
        whose: chain.whose.clone(),
        bucket: link.bucket.clone(),
        key: link.key.clone(),
        size: body.len() as u64,
        body_sha256: sha256_hex(&body),
        kind: FileKind::Digest {
            chain: plan.chain.clone(),
            link,
            previous: plan.previous,
            period_start: plan.period_start,
            lists: plan.lists,
            backfill: plan.backfill,
        },
        durable: false,
        moves: 0,
        maybe_written: false,
        damaged: false,
    };
    ledger.files.insert(number, file);
}
