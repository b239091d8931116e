//! AddTags, RemoveTags, ListTags.

use std::collections::{BTreeMap, BTreeSet};

use opentrail_event::{AccountId, Region};
use opentrail_state::Transaction;

use super::{Trails, find::seen, organization::check_may_change};
use crate::{
    error::TrailError,
    name::{TrailArn, TrailRef},
    trail::Trail,
};

/// Most tags of a trail (AWS: AddTags).
pub const MAX_TAGS: usize = 50;
/// Longest key of a tag in characters (AWS: Tag).
pub const MAX_TAG_KEY: usize = 128;
/// Longest value of a tag in characters (AWS: Tag).
pub const MAX_TAG_VALUE: usize = 256;

impl Trails {
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
    let trail = seen(tx, account, region, &wanted)
        .ok_or_else(|| TrailError::ResourceNotFound { arn: arn.to_owned() })?;
    check_may_change(tx, account, &trail)?;
    Ok(Trail::clone(&trail))
}

pub(super) fn with_tags(
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
