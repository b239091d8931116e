//! The digest chain of one trail for one account in one region.
//!
//! A chain begins when a trail with log file validation starts logging (in its home region) or delivers its
//! first file (in other regions). It has one digest for each period, also for periods without files, as
//! long as the trail is logging with validation, and one for the period in which that ended. As AWS documents,
//! what comes after a longer break begins a new chain: its first digest has no previous one.
//!
//! An organization trail has chains for each account of the organization. For an account that joins, it is as if the
//! trail started then, and for one that leaves as if it stopped. A trail that becomes an organization trail, or is one
//! no longer, ends its chains in the one folder and begins others in the other.
//!
//! A file that is delivered late, while the chain runs, is listed by the digest of the period in which it was
//! delivered. One that is delivered after the chain has ended is listed by a backfill digest.
//!
//! When the process was down for some periods, or many digests wait for their bucket, one digest covers
//! several periods: no time is without a digest.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use serde::{Deserialize, Serialize};

use super::{
    batch::Destination,
    ledger::{FileKind, Ledger, LogFile, Outstanding},
};
use crate::{
    layout::Whose,
    membership::Membership,
    name::{TrailArn, TrailName},
    trail::Trail,
};

/// First digests of chains that are remembered, and last ones; the oldest are forgotten first.
const MAX_REMEMBERED: usize = 256;

/// One chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chain {
    pub(crate) trail: TrailName,
    pub(crate) home_region: Region,
    /// The trail's account, where it is not the one whose files the digests list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<AccountId>,
    /// Whose files the digests list.
    #[serde(flatten)]
    pub(crate) whose: Whose,
    pub(crate) region: String,
    /// Whether periods without files get digests.
    pub(crate) running: bool,
    /// Since when the trail was found to be no longer logging with validation.
    pub(crate) ending: Option<DateTime<Utc>>,
    /// Where the next digest's period begins.
    pub(crate) period_start: DateTime<Utc>,
    /// Where digests go, as the trail said when it was last seen.
    pub(crate) bucket: String,
    pub(crate) prefix: Option<String>,
    /// The newest digest that was decided.
    pub(crate) decided: Option<ChainLink>,
    /// The newest digest that was delivered.
    pub(crate) delivered: Option<ChainLink>,
    /// The newest backfill digest that was decided.
    pub(crate) backfill: Option<ChainLink>,
    /// The newest backfill digest that was delivered.
    pub(crate) backfill_delivered: Option<ChainLink>,
    /// Files that were delivered and are in no digest yet.
    pub(crate) files: Vec<DeliveredFile>,
    /// The first digests of chains.
    pub(crate) starts: Vec<ChainLink>,
    /// The last digests of chains that have ended.
    pub(crate) ends: Vec<ChainLink>,
    /// Whether some of the first and last digests were forgotten.
    pub(crate) forgot: bool,
}

/// A digest, as its successor refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// SHA-256 before compression, in hex.
    pub sha256: String,
    /// Its signature in hex.
    pub signature: String,
    /// The end of its period.
    pub end: DateTime<Utc>,
}

/// What the server knows about a chain and the bucket cannot say by itself: its newest delivered digest, and
/// where chains began and ended. With it a validator finds digests that were deleted from the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// The account of the log files, and for an organization trail the organization.
    #[serde(flatten)]
    pub whose: Whose,
    /// The region of the log files.
    pub region: String,
    /// The newest digest that was delivered; none if none was yet.
    pub newest: Option<ChainLink>,
    /// The newest backfill digest that was delivered.
    pub newest_backfill: Option<ChainLink>,
    /// The first digests of chains, oldest first.
    pub starts: Vec<ChainLink>,
    /// The last digests of chains that have ended, oldest first.
    pub ends: Vec<ChainLink>,
    /// Whether `starts` and `ends` have all of them since the first.
    pub complete: bool,
    /// Whether the chain goes on.
    pub running: bool,
    /// Since when the trail, which keeps digests, has been stopped, or the account has not belonged to the trail's
    /// organization; none where it logs, or is gone. What it wrote before is in a digest or pending, and since then it
    /// writes nothing.
    #[serde(default)]
    pub silent_since: Option<DateTime<Utc>>,
    /// The keys of log files of the account and region, of all trails, that are delivered or on their way and
    /// are in no digest that was delivered yet.
    pub pending: Vec<String>,
    /// When this was known.
    pub as_of: DateTime<Utc>,
}

/// A delivered log file that waits for its digest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeliveredFile {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) file: LogFile,
}

impl Chain {
    /// The name of a chain in the ledger.
    pub(crate) fn name(trail_arn: &str, whose: &Whose, region: &str) -> String {
        match &whose.organization {
            Some(organization) => format!("{trail_arn} {region} {organization}/{}", whose.account),
            None => format!("{trail_arn} {region}"),
        }
    }

    pub(crate) fn trail_arn(&self) -> TrailArn {
        let account = self.owner.unwrap_or(self.whose.account);
        TrailArn { region: self.home_region.clone(), account, name: self.trail.clone() }
    }

    /// The id of the trail's document.
    fn trail_id(&self) -> String {
        let account = self.owner.unwrap_or(self.whose.account);
        format!("{account}/{}/{}", self.home_region, self.trail)
    }

    pub(crate) fn new(
        trail: &TrailArn,
        region: &str,
        destination: &Destination,
        start: DateTime<Utc>,
    ) -> Self {
        Self {
            trail: trail.name.clone(),
            home_region: trail.region.clone(),
            owner: (trail.account != destination.whose.account).then_some(trail.account),
            whose: destination.whose.clone(),
            region: region.to_owned(),
            running: true,
            ending: None,
            period_start: start,
            bucket: destination.bucket.clone(),
            prefix: destination.prefix.clone(),
            decided: None,
            delivered: None,
            backfill: None,
            backfill_delivered: None,
            files: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            forgot: false,
        }
    }

    /// Lets the chain run, from the period that contains `now`, if it does not.
    fn resume(&mut self, boundary: DateTime<Utc>) {
        self.ending = None;
        if !self.running {
            self.running = true;
            self.period_start = self.period_start.max(boundary);
        }
    }

    /// The chain has ended: what may come later begins a new one.
    pub(crate) fn end(&mut self) {
        self.running = false;
        self.ending = None;
        if let Some(last) = self.decided.take() {
            self.forgot |= remember(&mut self.ends, last);
        }
    }

    /// Remembers the first digest of a chain.
    pub(crate) fn began_with(&mut self, first: ChainLink) {
        self.forgot |= remember(&mut self.starts, first);
    }

    /// What a validator is told.
    pub(crate) fn head(
        &self,
        silent_since: Option<DateTime<Utc>>,
        pending: Vec<String>,
        as_of: DateTime<Utc>,
    ) -> ChainHead {
        ChainHead {
            whose: self.whose.clone(),
            region: self.region.clone(),
            newest: self.delivered.clone(),
            newest_backfill: self.backfill_delivered.clone(),
            starts: self.starts.clone(),
            ends: self.ends.clone(),
            complete: !self.forgot,
            running: self.running,
            silent_since,
            pending,
            as_of,
        }
    }
}

/// Adds a link; whether another was forgotten for it.
fn remember(links: &mut Vec<ChainLink>, new: ChainLink) -> bool {
    let full = links.len() >= MAX_REMEMBERED;
    if full {
        links.remove(0);
    }
    links.push(new);
    full
}

/// Whether a trail writes digests for an account now.
fn is_active(membership: &Membership, trail: &Trail, whose: &Whose) -> bool {
    trail.logging
        && trail.log_file_validation
        && trail.organization == whose.organization
        && membership.covers(trail, whose.account)
}

/// Brings the chains in line with the trails: begins chains of trails that log with validation, marks those
/// of others as ending. `boundary` is the beginning of the current period.
pub(crate) fn follow_trails(ledger: &mut Ledger, now: DateTime<Utc>, boundary: DateTime<Utc>) {
    let Ledger { trails, membership, chains, .. } = ledger;
    for trail in trails.values().filter(|trail| trail.logging && trail.log_file_validation) {
        let arn = trail.arn();
        let text = arn.to_string();
        for account in membership.covered_by(trail) {
            let whose = Whose { account, organization: trail.organization.clone() };
            let name = Chain::name(&text, &whose, trail.home_region.as_str());
            chains.entry(name).or_insert_with(|| {
                Chain::new(&arn, trail.home_region.as_str(), &Destination::of(trail, account), boundary)
            });
        }
    }
    for chain in chains.values_mut() {
        let trail = trails.get(&chain.trail_id());
        if let Some(trail) = trail {
            chain.bucket.clone_from(&trail.bucket);
            chain.prefix.clone_from(&trail.prefix);
        }
        if trail.is_some_and(|trail| is_active(membership, trail, &chain.whose)) {
            chain.resume(boundary);
        } else if chain.running && chain.ending.is_none() {
            chain.ending = Some(now);
        }
    }
}

/// What a validator is told about the chains of a trail; only those of one account, if `account` says so.
pub(crate) fn heads(
    ledger: &Ledger,
    trail_arn: &str,
    account: Option<AccountId>,
    now: DateTime<Utc>,
) -> Vec<ChainHead> {
    let is_asked = |chain: &&Chain| {
        account.is_none_or(|account| account == chain.whose.account)
            && chain.trail_arn().to_string() == trail_arn
    };
    let pending = pending(ledger);
    let head = |chain: &Chain| {
        let pending = pending.get(&(&chain.whose, chain.region.as_str())).cloned().unwrap_or_default();
        chain.head(silent_since(ledger, chain), pending, now)
    };
    ledger.chains.values().filter(is_asked).map(head).collect()
}

fn silent_since(ledger: &Ledger, chain: &Chain) -> Option<DateTime<Utc>> {
    let trail = ledger.trails.get(&chain.trail_id())?;
    let is_another = trail.organization != chain.whose.organization;
    if is_another || !ledger.membership.covers(trail, chain.whose.account) {
        return (!chain.running).then_some(chain.period_start);
    }
    trail.stop_logging_time.filter(|_| !trail.logging && trail.log_file_validation)
}

/// The keys of log files that no delivered digest lists, by the account and region of the chains that list them.
fn pending(ledger: &Ledger) -> HashMap<(&Whose, &str), Vec<String>> {
    let mut pending: HashMap<(&Whose, &str), Vec<String>> = HashMap::new();
    for chain in ledger.chains.values() {
        let keys = chain.files.iter().map(|file| file.key.clone());
        pending.entry((&chain.whose, &chain.region)).or_default().extend(keys);
    }
    for file in ledger.files.values() {
        match &file.kind {
            FileKind::Log(log) => {
                pending.entry((&file.whose, &log.region)).or_default().push(file.key.clone());
            }
            // Until the bucket has the digest, nobody can see what it lists.
            FileKind::Digest { lists, .. } => {
                for listed in lists {
                    pending.entry((&file.whose, &listed.file.region)).or_default().push(listed.key.clone());
                }
            }
        }
    }
    pending
}

/// A log file was delivered: its digest is to list it.
pub(crate) fn log_file_delivered(
    ledger: &mut Ledger,
    file: &Outstanding,
    log: &LogFile,
    now: DateTime<Utc>,
    boundary: DateTime<Utc>,
) {
    let Ok(arn) = TrailArn::parse(&file.trail_arn) else { return };
    if !log.validation {
        return;
    }
    let id = format!("{}/{}/{}", arn.account, arn.region, arn.name);
    let trail = ledger.trails.get(&id);
    let running = trail.is_some_and(|trail| is_active(&ledger.membership, trail, &file.whose));
    let name = Chain::name(&file.trail_arn, &file.whose, &log.region);
    let chain = ledger.chains.entry(name).or_insert_with(|| {
        let destination = Destination {
            trail_arn: file.trail_arn.clone(),
            whose: file.whose.clone(),
            bucket: file.bucket.clone(),
            prefix: log.prefix.clone(),
            kms_key: file.kms_key.clone(),
            validation: true,
        };
        let mut chain = Chain::new(&arn, &log.region, &destination, boundary);
        // The first file of a region may come when the trail has just been stopped: it gets its own chain of
        // one digest.
        chain.ending = (!running).then_some(now);
        chain
    });
    if chain.files.is_empty() && !chain.running {
        chain.period_start = chain.period_start.max(boundary);
    }
    let (bucket, key) = (file.bucket.clone(), file.key.clone());
    chain.files.push(DeliveredFile { bucket, key, at: now, file: log.clone() });
}
