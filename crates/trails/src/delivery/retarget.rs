//! A trail that gets another bucket because the old one is gone or refuses.
//!
//! Files that wait for the old bucket go into the new one, if it is certain that the old one has not got
//! them: it does not exist, or it refused every attempt. Otherwise they keep waiting for the old one.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::{
    lane::{Lane, LaneKey},
    ledger::{FileKind, Ledger, Outstanding},
};
use crate::{layout::key_start, store::StoreError};

/// Moves files to the trails' present buckets; the numbers of digests that are to be decided anew.
pub(crate) fn retarget(ledger: &mut Ledger, lanes: &HashMap<LaneKey, Lane>, now: DateTime<Utc>) -> Vec<u64> {
    let present: BTreeMap<String, (String, Option<String>)> = ledger
        .trails
        .values()
        .map(|trail| (trail.arn().to_string(), (trail.bucket.clone(), trail.prefix.clone())))
        .collect();
    let mut undecided: BTreeMap<(String, bool), Vec<u64>> = BTreeMap::new();
    for (number, file) in &mut ledger.files {
        let Some((bucket, prefix)) = present.get(&file.trail_arn) else { continue };
        let gone = bucket_gone(file, lanes);
        if *bucket == file.bucket || !(gone || surely_refused(file, lanes)) {
            continue;
        }
        match &mut file.kind {
            FileKind::Digest { chain, .. } => {
                undecided.entry((chain.clone(), gone)).or_default().push(*number);
            }
            FileKind::Log(log) => {
                let old = key_start(log.prefix.as_deref());
                let Some(rest) = file.key.strip_prefix(old.as_str()) else { continue };
                file.key = format!("{}{rest}", key_start(prefix.as_deref()));
                file.bucket.clone_from(bucket);
                log.prefix.clone_from(prefix);
                // Not uploaded under its new name before the ledger on disk has that.
                file.durable = false;
                file.moves += 1;
            }
        }
    }
    let mut removed = Vec::new();
    for ((chain, gone), numbers) in undecided {
        removed.extend(undecide(ledger, &chain, gone, &numbers, now));
    }
    removed
}

fn lane_error<'a>(file: &Outstanding, lanes: &'a HashMap<LaneKey, Lane>) -> Option<&'a StoreError> {
    lanes.get(&LaneKey::of(file)).and_then(|lane| lane.error.as_ref())
}

fn bucket_gone(file: &Outstanding, lanes: &HashMap<LaneKey, Lane>) -> bool {
    lane_error(file, lanes) == Some(&StoreError::NoSuchBucket)
}

fn surely_refused(file: &Outstanding, lanes: &HashMap<LaneKey, Lane>) -> bool {
    let refused = matches!(
        lane_error(file, lanes),
        Some(StoreError::AccessDenied | StoreError::InsufficientPolicy | StoreError::Key { .. })
    );
    refused && !file.maybe_written
}

/// Takes back regular digests that no bucket has got: the next digest lists what they list, for the new
/// bucket. Where the old bucket is gone, nothing in it can be referred to, and a new chain begins.
fn undecide(ledger: &mut Ledger, name: &str, gone: bool, numbers: &[u64], now: DateTime<Utc>) -> Vec<u64> {
    let mut removed = Vec::new();
    let mut lists = Vec::new();
    let mut first = None;
    for number in numbers {
        let Some(Outstanding { bucket: old, kind, .. }) = ledger.files.remove(number) else { continue };
        if let FileKind::Digest { previous, period_start, lists: listed, backfill, link, .. } = kind {
            lists.extend(listed.into_iter().filter(|file| !gone || file.bucket != old));
            first.get_or_insert((previous, period_start, backfill.is_some(), link));
            removed.push(*number);
        }
    }
    let (Some(chain), Some((previous, start, backfill, link))) = (ledger.chains.get_mut(name), first) else {
        return removed;
    };
    lists.append(&mut chain.files);
    chain.files = lists;
    chain.period_start = start;
    if backfill {
        chain.backfill = previous.filter(|_| !gone);
        return removed;
    }
    chain.starts.retain(|known| *known != link);
    if !chain.running {
        chain.running = true;
        chain.ending = Some(now);
        chain.ends.pop();
    }
    chain.decided = previous.filter(|_| !gone);
    removed
}
