//! Tags of event data stores, and what tags may be.

use std::collections::{BTreeMap, BTreeSet};

use opentrail_event::{AccountId, Region};
use opentrail_state::Transaction;

use super::{
    document::EventDataStore,
    find::to_change,
    limits::{MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS},
    refusal::StoreRefusal,
    rules::Stores,
};

impl Stores {
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
    ) -> Result<EventDataStore, StoreRefusal> {
        let mut store = to_change(tx, account, region, arn)?;
        if !store.is_active() {
            return Err(StoreRefusal::Inactive { arn: arn.to_owned() });
        }
        store.tags = with_tags(std::mem::take(&mut store.tags), tags)?;
        tx.put(&store.document(), &store);
        Ok(store)
    }

    /// RemoveTags: a key that the store does not have is no error.
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
    ) -> Result<EventDataStore, StoreRefusal> {
        let mut store = to_change(tx, account, region, arn)?;
        if !store.is_active() {
            return Err(StoreRefusal::Inactive { arn: arn.to_owned() });
        }
        store.tags.retain(|key, _| !keys.contains(key));
        tx.put(&store.document(), &store);
        Ok(store)
    }
}

/// The tags with more of them.
pub(crate) fn with_tags(
    mut tags: BTreeMap<String, String>,
    more: &[(String, String)],
) -> Result<BTreeMap<String, String>, StoreRefusal> {
    let mut seen = BTreeSet::new();
    for (key, value) in more {
        let broken = if !(1..=MAX_TAG_KEY).contains(&key.chars().count()) {
            "A tag key must have 1 to 128 characters."
        } else if value.chars().count() > MAX_TAG_VALUE {
            "A tag value must have at most 256 characters."
        } else if key.to_ascii_lowercase().starts_with("aws:") {
            "Tag keys that start with aws: are reserved for system use."
        } else if !seen.insert(key) {
            "Duplicate tag keys are not allowed."
        } else {
            tags.insert(key.clone(), value.clone());
            continue;
        };
        return Err(StoreRefusal::InvalidTag(broken));
    }
    if tags.len() > MAX_TAGS {
        return Err(StoreRefusal::TagsLimitExceeded { limit: MAX_TAGS });
    }
    Ok(tags)
}
