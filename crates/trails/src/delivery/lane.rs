//! One trail's way into one bucket: what is uploaded next, and when after a failure.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    ledger::{FileKind, Ledger, Outstanding},
    options::DeliveryOptions,
};
use crate::store::StoreError;

/// Files that are uploaded before the ledger is written again, at least.
const PASS: usize = 64;
/// The part of the files that wait which is uploaded before the ledger is written again, where that is more: with many
/// accounts the ledger is large.
const PASS_PART: usize = 8;
/// How long the files of a deleted trail are tried.
pub(crate) const DELETED_GRACE: TimeDelta = TimeDelta::hours(24);

/// A bucket and a trail's ARN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) bucket: String,
    pub(crate) trail_arn: String,
}

impl LaneKey {
    pub(crate) fn of(file: &Outstanding) -> Self {
        Self { bucket: file.bucket.clone(), trail_arn: file.trail_arn.clone() }
    }

    fn has(&self, file: &Outstanding) -> bool {
        self.bucket == file.bucket && self.trail_arn == file.trail_arn
    }
}

/// How a lane goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lane {
    /// Passes that failed since one succeeded.
    pub(crate) failures: u32,
    /// Not before.
    pub(crate) retry_at: Option<DateTime<Utc>>,
    /// What the bucket said last.
    pub(crate) error: Option<StoreError>,
}

impl Lane {
    pub(crate) fn outcome(
        &mut self,
        error: Option<StoreError>,
        options: &DeliveryOptions,
        now: DateTime<Utc>,
    ) {
        match error {
            None => *self = Self::default(),
            Some(error) => {
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(now + options.retry_after(self.failures));
                self.error = Some(error);
            }
        }
    }
}

/// The lanes that have something to upload, each with the moment before which it is left alone. One that is
/// further away than any retry was set before the clock was set back, and counts no longer.
pub(crate) fn waiting(
    ledger: &Ledger,
    lanes: &HashMap<LaneKey, Lane>,
    now: DateTime<Utc>,
) -> Vec<(LaneKey, Option<DateTime<Utc>>)> {
    let ready: HashSet<LaneKey> =
        ledger.files.values().filter(|file| file.durable && !file.damaged).map(LaneKey::of).collect();
    let mut ready: Vec<_> = ready
        .into_iter()
        .map(|key| {
            let retry_at = lanes.get(&key).and_then(|lane| lane.retry_at);
            (key, retry_at.filter(|at| *at <= now + DeliveryOptions::LONGEST_RETRY))
        })
        .collect();
    ready.sort();
    ready
}

/// The files that a lane uploads next, oldest first. Of each digest chain it is the first; as long as the bucket
/// does not take files, it is one log file and one digest.
pub(crate) fn next_files(ledger: &Ledger, key: &LaneKey, failures: u32) -> Vec<(u64, Outstanding)> {
    let most = if failures > 0 { 1 } else { PASS.max(ledger.files.len() / PASS_PART) };
    let mut chains = HashSet::new();
    let (mut logs, mut digests) = (0, 0);
    let mut files = Vec::new();
    // A damaged digest holds up none of those after it: who validates the chain finds the gap.
    for (number, file) in ledger.files.iter().filter(|(_, file)| !file.damaged) {
        let count = match &file.kind {
            FileKind::Log(_) => &mut logs,
            FileKind::Digest { chain, backfill, .. } => {
                if !chains.insert((chain, backfill.is_some())) {
                    continue;
                }
                &mut digests
            }
        };
        if key.has(file) && file.durable && *count < most {
            *count += 1;
            files.push((*number, file.clone()));
        }
    }
    files
}
