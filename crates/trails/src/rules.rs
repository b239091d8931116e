//! Creating, changing and finding trails, with AWS's rules.

mod checks;
mod find;
mod organization;
mod tags;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_selector::Selectors;
use opentrail_state::{State, Transaction};
use parking_lot::RwLock;

pub use self::{
    checks::MAX_TRAILS_PER_REGION,
    tags::{MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS},
};
use self::{
    checks::{check_combination, check_room, checked_prefix},
    find::{DataTrails, at_home, trails_of},
    organization::{converted, organization_for},
    tags::with_tags,
};
use crate::{
    error::TrailError,
    name::{TrailName, check_bucket_name},
    trail::Trail,
};

/// What CreateTrail says. Absent members take AWS's defaults.
#[derive(Debug, Clone, Default)]
pub struct CreateTrail {
    /// The trail's name.
    pub name: String,
    /// The bucket for its files.
    pub bucket: String,
    /// What stands before `AWSLogs/` in the keys.
    pub prefix: Option<String>,
    /// The ARN of the KMS key for its files. Whether it may be used is asked by the caller beforehand.
    pub kms_key: Option<String>,
    /// Default true.
    pub include_global_service_events: Option<bool>,
    /// Default false.
    pub is_multi_region: Option<bool>,
    /// Default false.
    pub log_file_validation: Option<bool>,
    /// Default false. A trail of the caller's organization; it belongs to the management account.
    pub is_organization: Option<bool>,
    /// Default true.
    pub recursive_logging: Option<bool>,
    /// Tags by key.
    pub tags: Vec<(String, String)>,
}

/// What UpdateTrail says; an absent member stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateTrail {
    /// The trail's name or ARN.
    pub name: String,
    /// Another bucket.
    pub bucket: Option<String>,
    /// Another prefix; the empty text takes the prefix away.
    pub prefix: Option<String>,
    /// The ARN of another KMS key; the empty text leaves the encryption to the bucket.
    pub kms_key: Option<String>,
    /// See [`CreateTrail`].
    pub include_global_service_events: Option<bool>,
    /// See [`CreateTrail`].
    pub is_multi_region: Option<bool>,
    /// See [`CreateTrail`].
    pub log_file_validation: Option<bool>,
    /// See [`CreateTrail`].
    pub is_organization: Option<bool>,
    /// See [`CreateTrail`].
    pub recursive_logging: Option<bool>,
}

/// The trails of all accounts. `account` is the caller's everywhere; a caller may name a trail of its organization by
/// ARN, which belongs to the management account: members see it, and the management account and CloudTrail's delegated
/// administrators change it.
///
/// Changes are staged in the caller's [`Transaction`]; they happen when it commits. Whether the bucket exists
/// and lets CloudTrail write is asked by the caller beforehand ([`crate::store::LogStore::check`]), because it
/// takes time and the transaction is the single writer's lock.
#[derive(Clone)]
pub struct Trails {
    state: State,
    /// The logging trails that can take data events, as of a generation of the state.
    data: Arc<RwLock<DataTrails>>,
}

impl Trails {
    /// The trails in this state.
    pub fn new(state: State) -> Self {
        Self { state, data: Arc::default() }
    }

    /// CreateTrail, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for CreateTrail.
    pub fn create(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        ask: &CreateTrail,
        now: DateTime<Utc>,
    ) -> Result<Trail, TrailError> {
        let name: TrailName = ask.name.parse().map_err(TrailError::InvalidTrailName)?;
        check_bucket_name(&ask.bucket)?;
        let prefix = checked_prefix(ask.prefix.as_deref())?;
        let organization =
            if ask.is_organization == Some(true) { Some(organization_for(tx, account)?) } else { None };
        let account = organization.as_ref().map_or(account, |organization| organization.management);
        let trail = Trail {
            name,
            account,
            home_region: region.clone(),
            bucket: ask.bucket.clone(),
            prefix,
            kms_key: ask.kms_key.clone().filter(|key| !key.is_empty()),
            include_global_service_events: ask.include_global_service_events.unwrap_or(true),
            is_multi_region: ask.is_multi_region.unwrap_or(false),
            log_file_validation: ask.log_file_validation.unwrap_or(false),
            organization: organization.map(|organization| organization.id.clone()),
            recursive_logging: ask.recursive_logging.unwrap_or(true),
            selectors: Selectors::default(),
            tags: with_tags(BTreeMap::new(), &ask.tags)?,
            logging: false,
            start_logging_time: None,
            stop_logging_time: None,
            created: now,
            updated: now,
            compiled: Default::default(),
        };
        check_combination(&trail)?;
        let others = trails_of(tx, account);
        if others.iter().any(|other| other.home_region == *region && other.name == trail.name) {
            return Err(TrailError::TrailAlreadyExists { name: trail.name.to_string(), account });
        }
        check_room(&others, &trail)?;
        tx.put(&trail.id(), &trail);
        Ok(trail)
    }

    /// UpdateTrail, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for UpdateTrail.
    pub fn update(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        ask: &UpdateTrail,
        now: DateTime<Utc>,
    ) -> Result<Trail, TrailError> {
        let mut trail = at_home(tx, account, region, &ask.name)?;
        let was_multi_region = trail.is_multi_region;
        if let Some(wanted) = ask.is_organization {
            trail.organization = converted(tx, account, &trail, wanted)?;
        }
        if let Some(bucket) = &ask.bucket {
            check_bucket_name(bucket)?;
            trail.bucket.clone_from(bucket);
        }
        if ask.prefix.is_some() {
            trail.prefix = checked_prefix(ask.prefix.as_deref())?;
        }
        if let Some(key) = &ask.kms_key {
            trail.kms_key = Some(key.clone()).filter(|key| !key.is_empty());
        }
        let set = |member: &mut bool, asked: Option<bool>| *member = asked.unwrap_or(*member);
        set(&mut trail.include_global_service_events, ask.include_global_service_events);
        set(&mut trail.is_multi_region, ask.is_multi_region);
        set(&mut trail.log_file_validation, ask.log_file_validation);
        set(&mut trail.recursive_logging, ask.recursive_logging);
        check_combination(&trail)?;
        if trail.is_multi_region && !was_multi_region {
            let others: Vec<_> =
                trails_of(tx, trail.account).into_iter().filter(|other| other.id() != trail.id()).collect();
            check_room(&others, &trail)?;
        }
        trail.updated = now;
        tx.put(&trail.id(), &trail);
        Ok(trail)
    }

    /// DeleteTrail, called in `region`; gives the trail that was.
    ///
    /// # Errors
    /// The codes that AWS declares for DeleteTrail.
    pub fn delete(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        name: &str,
    ) -> Result<Trail, TrailError> {
        let trail = at_home(tx, account, region, name)?;
        tx.delete::<Trail>(&trail.id());
        Ok(trail)
    }

    /// StartLogging, called in `region`. A trail that is logging already keeps its start time.
    ///
    /// # Errors
    /// The codes that AWS declares for StartLogging.
    pub fn start_logging(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Trail, TrailError> {
        let mut trail = at_home(tx, account, region, name)?;
        if !trail.logging {
            trail.logging = true;
            trail.start_logging_time = Some(now);
            tx.put(&trail.id(), &trail);
        }
        Ok(trail)
    }

    /// StopLogging, called in `region`. A trail that is not logging keeps its stop time.
    ///
    /// # Errors
    /// The codes that AWS declares for StopLogging.
    pub fn stop_logging(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Trail, TrailError> {
        let mut trail = at_home(tx, account, region, name)?;
        if trail.logging {
            trail.logging = false;
            trail.stop_logging_time = Some(now);
            tx.put(&trail.id(), &trail);
        }
        Ok(trail)
    }

    /// PutEventSelectors, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for PutEventSelectors.
    pub fn put_selectors(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        name: &str,
        selectors: Selectors,
        now: DateTime<Utc>,
    ) -> Result<Trail, TrailError> {
        let mut trail = at_home(tx, account, region, name)?;
        selectors.check()?;
        trail.selectors = selectors;
        trail.updated = now;
        tx.put(&trail.id(), &trail);
        Ok(trail)
    }
}
