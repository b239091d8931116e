//! Finding trails: by name or ARN, from the regions in which they are visible; those that take data events.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use opentrail_event::{AccountId, Category, Event, Region};
use opentrail_state::Transaction;

use super::Trails;
use crate::{error::TrailError, name::TrailRef, trail::Trail};

/// The logging trails that can take data events.
#[derive(Default)]
pub(super) struct DataTrails {
    generation: Option<u64>,
    by_account: HashMap<AccountId, Vec<Arc<Trail>>>,
}

impl Trails {
    /// One trail, by name in its home region or by ARN from any region in which it is visible.
    ///
    /// # Errors
    /// `TrailNotFoundException`, `CloudTrailARNInvalidException`, `InvalidTrailNameException`.
    pub fn get(
        &self,
        account: AccountId,
        region: &Region,
        name_or_arn: &str,
    ) -> Result<Arc<Trail>, TrailError> {
        let wanted: TrailRef = name_or_arn.parse()?;
        self.find(account, region, &wanted).ok_or_else(|| not_found(account, name_or_arn))
    }

    /// DescribeTrails: the trails named, or all that are visible in `region`. A name that is unknown is left
    /// out, as AWS does. Without `include_shadow_trails` only trails whose home is `region` are given, except
    /// those that were named by their ARN.
    ///
    /// # Errors
    /// `CloudTrailARNInvalidException`, `InvalidTrailNameException`.
    pub fn describe(
        &self,
        account: AccountId,
        region: &Region,
        names: &[String],
        include_shadow_trails: bool,
    ) -> Result<Vec<Arc<Trail>>, TrailError> {
        if names.is_empty() {
            let shown = |trail: &Trail| {
                trail.home_region == *region || (include_shadow_trails && trail.is_multi_region)
            };
            return Ok(self.list(account).into_iter().filter(|trail| shown(trail)).collect());
        }
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            let wanted: TrailRef = name.parse()?;
            found.extend(self.find(account, region, &wanted).filter(|trail| seen.insert(trail.id())));
        }
        Ok(found)
    }

    /// All trails of an account, in the order of home region and name (ListTrails).
    pub fn list(&self, account: AccountId) -> Vec<Arc<Trail>> {
        self.state.list::<Trail>(&format!("{account}/")).into_iter().map(|(_, trail)| trail).collect()
    }

    /// All trails of all accounts.
    pub fn all(&self) -> Vec<Arc<Trail>> {
        self.state.list::<Trail>("").into_iter().map(|(_, trail)| trail).collect()
    }

    /// Whether a data event or network activity event of the account `owner` is worth recording: some logging
    /// trail takes it. Management events are always recorded; for them the answer is true.
    pub fn selects_data_event(&self, event: &Event, owner: AccountId) -> bool {
        if event.category() == Category::Management {
            return true;
        }
        let takes = |known: &DataTrails| {
            known.by_account.get(&owner).is_some_and(|trails| trails.iter().any(|trail| trail.takes(event)))
        };
        let generation = self.state.generation_of::<Trail>();
        {
            let known = self.data.read();
            if known.generation == Some(generation) {
                return takes(&known);
            }
        }
        let mut fresh = DataTrails { generation: Some(generation), ..DataTrails::default() };
        for trail in self.all() {
            if trail.logging && trail.selection().has_data_events() {
                fresh.by_account.entry(trail.account).or_default().push(trail);
            }
        }
        let answer = takes(&fresh);
        *self.data.write() = fresh;
        answer
    }

    pub(super) fn find(&self, account: AccountId, region: &Region, wanted: &TrailRef) -> Option<Arc<Trail>> {
        let id = document_id(account, region, wanted)?;
        self.state.get::<Trail>(&id).filter(|trail| trail.visible_in(region))
    }
}

/// The id of the document that `wanted` names, or none where the ARN is of another account.
pub(super) fn document_id(account: AccountId, region: &Region, wanted: &TrailRef) -> Option<String> {
    match wanted {
        TrailRef::Name(name) => Some(format!("{account}/{region}/{name}")),
        TrailRef::Arn(arn) if arn.account == account => {
            Some(format!("{account}/{}/{}", arn.region, arn.name))
        }
        TrailRef::Arn(_) => None,
    }
}

pub(super) fn not_found(account: AccountId, trail: &str) -> TrailError {
    TrailError::TrailNotFound { trail: trail.chars().take(256).collect(), account }
}

pub(super) fn trails_of(tx: &Transaction, account: AccountId) -> Vec<Arc<Trail>> {
    tx.list::<Trail>(&format!("{account}/")).into_iter().map(|(_, trail)| trail).collect()
}

/// The trail for a change: it must be visible in `region`, and `region` must be its home.
pub(super) fn at_home(
    tx: &Transaction,
    account: AccountId,
    region: &Region,
    name_or_arn: &str,
) -> Result<Trail, TrailError> {
    let wanted: TrailRef = name_or_arn.parse()?;
    let trail = document_id(account, region, &wanted)
        .and_then(|id| tx.get::<Trail>(&id))
        .filter(|trail| trail.visible_in(region))
        .ok_or_else(|| not_found(account, name_or_arn))?;
    if trail.home_region == *region {
        Ok(Trail::clone(&trail))
    } else {
        Err(TrailError::InvalidHomeRegion {
            arn: trail.arn().to_string(),
            home: trail.home_region.clone(),
            region: region.clone(),
        })
    }
}
