//! Creating, changing and finding trails, with AWS's rules.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Category, Event, Region};
use opentrail_state::{State, Transaction};
use parking_lot::RwLock;

use crate::{
    error::TrailError,
    name::{TrailArn, TrailName, TrailRef, check_bucket_name, check_key_prefix},
    selector::Selectors,
    trail::Trail,
};

/// Most trails that a region may have; a multi-region trail counts in every region (AWS: CloudTrail quotas).
pub const MAX_TRAILS_PER_REGION: usize = 5;
/// Most tags of a trail (AWS: AddTags).
pub const MAX_TAGS: usize = 50;
/// Longest key of a tag in characters (AWS: Tag).
pub const MAX_TAG_KEY: usize = 128;
/// Longest value of a tag in characters (AWS: Tag).
pub const MAX_TAG_VALUE: usize = 256;

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
    /// Default false; true is refused for now.
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

/// The trails of all accounts.
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

#[derive(Default)]
struct DataTrails {
    generation: Option<u64>,
    by_account: HashMap<AccountId, Vec<Arc<Trail>>>,
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
            is_organization: ask.is_organization.unwrap_or(false),
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
        set(&mut trail.is_organization, ask.is_organization);
        set(&mut trail.recursive_logging, ask.recursive_logging);
        check_combination(&trail)?;
        if trail.is_multi_region && !was_multi_region {
            let others: Vec<_> =
                trails_of(tx, account).into_iter().filter(|other| other.id() != trail.id()).collect();
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

    /// AddTags: new keys are added, known keys get the new value.
    ///
    /// # Errors
    /// The codes that AWS declares for AddTags.
    pub fn add_tags(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        arn: &str,
        tags: &[(String, String)],
    ) -> Result<Trail, TrailError> {
        let mut trail = tagged(tx, account, region, arn)?;
        trail.tags = with_tags(std::mem::take(&mut trail.tags), tags)?;
        tx.put(&trail.id(), &trail);
        Ok(trail)
    }

    /// RemoveTags: a key that the trail does not have is no error.
    ///
    /// # Errors
    /// The codes that AWS declares for RemoveTags.
    pub fn remove_tags(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        arn: &str,
        keys: &[String],
    ) -> Result<Trail, TrailError> {
        let mut trail = tagged(tx, account, region, arn)?;
        for key in keys {
            trail.tags.remove(key);
        }
        tx.put(&trail.id(), &trail);
        Ok(trail)
    }

    /// The tags of one trail, by ARN, from any region in which it is visible.
    ///
    /// # Errors
    /// The codes that AWS declares for ListTags.
    pub fn tags(
        &self,
        account: AccountId,
        region: &Region,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, TrailError> {
        let wanted = tag_target(arn)?;
        self.find(account, region, &TrailRef::Arn(wanted))
            .map(|trail| trail.tags.clone())
            .ok_or_else(|| TrailError::ResourceNotFound { arn: arn.to_owned() })
    }

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

    fn find(&self, account: AccountId, region: &Region, wanted: &TrailRef) -> Option<Arc<Trail>> {
        let id = document_id(account, region, wanted)?;
        self.state.get::<Trail>(&id).filter(|trail| trail.visible_in(region))
    }
}

/// The id of the document that `wanted` names, or none where the ARN is of another account.
fn document_id(account: AccountId, region: &Region, wanted: &TrailRef) -> Option<String> {
    match wanted {
        TrailRef::Name(name) => Some(format!("{account}/{region}/{name}")),
        TrailRef::Arn(arn) if arn.account == account => {
            Some(format!("{account}/{}/{}", arn.region, arn.name))
        }
        TrailRef::Arn(_) => None,
    }
}

fn not_found(account: AccountId, trail: &str) -> TrailError {
    TrailError::TrailNotFound { trail: trail.chars().take(256).collect(), account }
}

fn trails_of(tx: &Transaction, account: AccountId) -> Vec<Arc<Trail>> {
    tx.list::<Trail>(&format!("{account}/")).into_iter().map(|(_, trail)| trail).collect()
}

/// The trail for a change: it must be visible in `region`, and `region` must be its home.
fn at_home(
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

/// Tag operations take ARNs only; other kinds of CloudTrail resources have no tags here.
fn tag_target(arn: &str) -> Result<TrailArn, TrailError> {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2);
    let resource = parts.nth(2).unwrap_or_default();
    if service == Some("cloudtrail") && !resource.is_empty() && !resource.starts_with("trail/") {
        return Err(TrailError::ResourceTypeNotSupported { arn: arn.chars().take(256).collect() });
    }
    TrailArn::parse(arn)
}

fn tagged(tx: &Transaction, account: AccountId, region: &Region, arn: &str) -> Result<Trail, TrailError> {
    let wanted = TrailRef::Arn(tag_target(arn)?);
    document_id(account, region, &wanted)
        .and_then(|id| tx.get::<Trail>(&id))
        .filter(|trail| trail.visible_in(region))
        .map(|trail| Trail::clone(&trail))
        .ok_or_else(|| TrailError::ResourceNotFound { arn: arn.to_owned() })
}

fn checked_prefix(prefix: Option<&str>) -> Result<Option<String>, TrailError> {
    let prefix = prefix.filter(|text| !text.is_empty());
    if let Some(text) = prefix {
        check_key_prefix(text)?;
    }
    Ok(prefix.map(str::to_owned))
}

fn check_combination(trail: &Trail) -> Result<(), TrailError> {
    if trail.is_organization {
        return Err(TrailError::UnsupportedOperation("An organization trail"));
    }
    if trail.is_multi_region && !trail.include_global_service_events {
        return Err(TrailError::InvalidParameterCombination(
            "Multi-Region trail must include global service events.",
        ));
    }
    Ok(())
}

/// Whether `new` has room in each region in which it would count.
fn check_room(others: &[Arc<Trail>], new: &Trail) -> Result<(), TrailError> {
    let multi_region = others.iter().filter(|trail| trail.is_multi_region).count();
    let mut regions = BTreeSet::from([&new.home_region]);
    if new.is_multi_region {
        regions.extend(others.iter().map(|trail| &trail.home_region));
    }
    for region in regions {
        let local =
            others.iter().filter(|trail| !trail.is_multi_region && trail.home_region == *region).count();
        if local + multi_region >= MAX_TRAILS_PER_REGION {
            return Err(TrailError::MaximumNumberOfTrailsExceeded {
                account: new.account,
                region: region.clone(),
                limit: MAX_TRAILS_PER_REGION,
            });
        }
    }
    Ok(())
}

fn with_tags(
    mut tags: BTreeMap<String, String>,
    more: &[(String, String)],
) -> Result<BTreeMap<String, String>, TrailError> {
    let mut seen = BTreeSet::new();
    for (key, value) in more {
        if !(1..=MAX_TAG_KEY).contains(&key.chars().count()) {
            return Err(TrailError::InvalidTagParameter("A tag key must have 1 to 128 characters."));
        }
        if value.chars().count() > MAX_TAG_VALUE {
            return Err(TrailError::InvalidTagParameter("A tag value must have at most 256 characters."));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(TrailError::InvalidTagParameter(
                "Tag keys that start with aws: are reserved for system use.",
            ));
        }
        if !seen.insert(key) {
            return Err(TrailError::InvalidTagParameter("Duplicate tag keys are not allowed."));
        }
        tags.insert(key.clone(), value.clone());
    }
    if tags.len() > MAX_TAGS {
        return Err(TrailError::TagsLimitExceeded { limit: MAX_TAGS });
    }
    Ok(tags)
}
