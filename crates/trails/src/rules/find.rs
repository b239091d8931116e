//! Finding trails: by name or ARN, from the regions in which they are visible; those that take data events.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use opentrail_event::{AccountId, Category, Event, Region};
use opentrail_state::Transaction;

use super::{
    Trails,
    organization::{check_may_change, is_seen_by, takes},
};
use crate::{
    error::TrailError,
    name::{TrailArn, TrailRef},
    organization::{Documents, OrganizationId},
    trail::Trail,
};

/// The logging trails that can take data events.
#[derive(Default)]
pub(super) struct DataTrails {
    generation: Option<u64>,
    by_account: HashMap<AccountId, Vec<Arc<Trail>>>,
    by_organization: HashMap<OrganizationId, Vec<Arc<Trail>>>,
}

impl Trails {
    /// One trail, by name in its home region or by ARN from any region in which it is visible. A trail of the
    /// account's organization that belongs to the management account has no name here, only its ARN, as on AWS.
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
    /// out, as AWS does. Without `include_shadow_trails` only the account's own trails whose home is `region` are
    /// given, except those that were named by their ARN.
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
                let is_original = trail.home_region == *region && trail.account == account;
                is_original || (include_shadow_trails && trail.visible_in(region))
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

    /// All trails that an account sees, in the order of account, home region and name (ListTrails).
    pub fn list(&self, account: AccountId) -> Vec<Arc<Trail>> {
        let of = |owner: AccountId| self.state.list::<Trail>(&format!("{owner}/")).into_iter();
        let mut trails: BTreeMap<String, Arc<Trail>> = of(account).collect();
        if let Some(organization) = self.organization_of(account) {
            let shared = of(organization.management);
            trails.extend(shared.filter(|(_, trail)| is_seen_by(&self.state, account, trail)));
        }
        trails.into_values().collect()
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
            takes(known.by_account.get(&owner), event)
                || (!known.by_organization.is_empty() && self.organization_takes(known, event, owner))
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
                if let Some(id) = &trail.organization {
                    fresh.by_organization.entry(id.clone()).or_default().push(trail.clone());
                }
                fresh.by_account.entry(trail.account).or_default().push(trail);
            }
        }
        let answer = takes(&fresh);
        *self.data.write() = fresh;
        answer
    }

    fn organization_takes(&self, known: &DataTrails, event: &Event, owner: AccountId) -> bool {
        let organization = self.organization_of(owner).filter(|organization| organization.trusted);
        organization.is_some_and(|organization| takes(known.by_organization.get(&organization.id), event))
    }

    pub(super) fn find(&self, account: AccountId, region: &Region, wanted: &TrailRef) -> Option<Arc<Trail>> {
        seen(&self.state, account, region, wanted)
    }
}

/// The trail that `wanted` names, if the account sees it in this region.
pub(super) fn seen(
    docs: &impl Documents,
    account: AccountId,
    region: &Region,
    wanted: &TrailRef,
) -> Option<Arc<Trail>> {
    let id = match wanted {
        TrailRef::Name(name) => format!("{account}/{region}/{name}"),
        TrailRef::Arn(TrailArn { account, region, name }) => format!("{account}/{region}/{name}"),
    };
    let trail = docs.document::<Trail>(&id)?;
    (trail.visible_in(region) && is_seen_by(docs, account, &trail)).then_some(trail)
}

pub(super) fn not_found(account: AccountId, trail: &str) -> TrailError {
    TrailError::TrailNotFound { trail: trail.chars().take(256).collect(), account }
}

pub(super) fn trails_of(tx: &Transaction, account: AccountId) -> Vec<Arc<Trail>> {
    tx.list::<Trail>(&format!("{account}/")).into_iter().map(|(_, trail)| trail).collect()
}

/// The trail for a change: it must be visible in `region`, the account must administer it, and `region` must be its
/// home.
pub(super) fn at_home(
    tx: &Transaction,
    account: AccountId,
    region: &Region,
    name_or_arn: &str,
) -> Result<Trail, TrailError> {
    let wanted: TrailRef = name_or_arn.parse()?;
    let trail = seen(tx, account, region, &wanted).ok_or_else(|| not_found(account, name_or_arn))?;
    check_may_change(tx, account, &trail)?;
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
