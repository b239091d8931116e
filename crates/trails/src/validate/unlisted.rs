//! Log files that no digest lists, and log files that are not where they were written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Job,
    chain::CheckedChain,
    discover::{ChainId, DigestKey},
    report::{Finding, FindingKind, Report},
};
use crate::{
    delivery::ChainHead,
    layout,
    store::{ListedFile, list_all},
};

/// Lists the log files of each region and reports those that no digest lists though digests cover the time at
/// which they were written. A file of the same name as a missing one is that one, moved.
pub(crate) async fn find(
    job: &Job<'_>,
    chains: &[CheckedChain],
    others: &BTreeMap<ChainId, Vec<DigestKey>>,
    missing: &mut [Finding],
    report: &mut Report,
) {
    let listed = listed_by(job, chains, others).await;
    let regions: BTreeSet<&str> = chains.iter().map(|chain| chain.region.as_str()).collect();
    let mut strays: HashMap<String, (String, String)> = HashMap::new();
    for region in regions {
        let head = job.ask.head_of(region);
        let spans = spans(chains.iter().filter(|chain| chain.region == region), head, job.ask.clocks);
        let folder = job.ask.whose.log_files(job.ask.prefix.as_deref(), Some(region));
        let files = match list_all(job.reader, &job.ask.bucket, &folder, None).await {
            Ok(files) => files,
            Err(error) => {
                report.add(finding(job, FindingKind::Unreadable, region, folder, error.to_string()));
                continue;
            }
        };
        let pending: BTreeSet<&String> = head.into_iter().flat_map(|head| &head.pending).collect();
        for file in files.into_iter().filter(|file| !listed.contains(&file.key)) {
            if !pending.contains(&file.key) && is_covered(&file, &spans, job) {
                strays.insert(name_of(&file.key).to_owned(), (region.to_owned(), file.key));
            } else {
                report.uncovered_log_files += 1;
                strays.entry(name_of(&file.key).to_owned()).or_insert((String::new(), file.key));
            }
        }
    }
    for lost in missing.iter_mut() {
        if let Some((_, key)) = strays.remove(name_of(&lost.key)) {
            lost.kind = FindingKind::LogMoved;
            lost.detail = format!("it was moved to {key}");
        }
    }
    for (region, key) in strays.into_values().filter(|(region, _)| !region.is_empty()) {
        let detail = "no digest lists it, though digests cover the time at which it was written".to_owned();
        report.add(finding(job, FindingKind::LogUnlisted, &region, key, detail));
    }
}

fn finding(job: &Job<'_>, kind: FindingKind, region: &str, key: String, detail: String) -> Finding {
    Finding { kind, region: region.to_owned(), bucket: job.ask.bucket.clone(), key, detail }
}

/// The keys that digests list: those of the chains that were checked, and of other trails' chains, whose files
/// are beside them.
async fn listed_by(
    job: &Job<'_>,
    chains: &[CheckedChain],
    others: &BTreeMap<ChainId, Vec<DigestKey>>,
) -> BTreeSet<String> {
    let own = chains.iter().flat_map(|chain| &chain.valid);
    let mut listed: BTreeSet<String> =
        own.flat_map(|digest| &digest.digest.log_files).map(|file| file.s3_object.clone()).collect();
    let beside: Vec<DigestKey> =
        others.values().flatten().filter(|key| job.ask.in_range(key.end)).cloned().collect();
    for (_, read) in job.read_digests(&job.ask.bucket, beside).await {
        listed.extend(read.into_iter().flat_map(|read| read.digest.log_files).map(|file| file.s3_object));
    }
    listed
}

/// The times that digests cover without a break, by whichever of the two clocks. The server's knowledge of what
/// is in no digest yet, or that the trail is stopped, covers the time since the newest one.
fn spans<'a>(
    chains: impl Iterator<Item = &'a CheckedChain>,
    head: Option<&ChainHead>,
    clocks: TimeDelta,
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut periods: Vec<_> =
        chains.flat_map(|chain| chain.valid.iter().map(|digest| (digest.start, digest.end))).collect();
    // A stopped trail writes nothing, so that time needs no digest to be covered.
    let last = periods.iter().map(|(_, end)| *end).max();
    if let (Some(last), Some(head)) = (last, head)
        && let Some(since) = head.silent_since
    {
        let since = since.max(last);
        periods.push((since, head.as_of.max(since)));
    }
    periods.sort_unstable();
    let mut spans: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (start, end) in periods {
        match spans.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => spans.push((start, end)),
        }
    }
    let newest = spans.len().saturating_sub(1);
    for (index, (start, end)) in spans.iter_mut().enumerate() {
        if let Some(head) = head.filter(|head| index == newest && head.running) {
            *end = head.as_of.max(*end);
        }
        *start += clocks;
        *end -= clocks;
    }
    spans
}

/// Whether the time at which the file was written is covered. A store that does not say when a file was
/// written leaves the minute in the file's name.
fn is_covered(file: &ListedFile, spans: &[(DateTime<Utc>, DateTime<Utc>)], job: &Job<'_>) -> bool {
    let Some(time) = file.modified.or_else(|| layout::log_file_time(&file.key)) else {
        return false;
    };
    let in_ask = job.ask.start.is_none_or(|start| time >= start) && job.ask.end.is_none_or(|end| time <= end);
    in_ask && spans.iter().any(|(start, end)| *start <= time && time < *end)
}

fn name_of(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}
