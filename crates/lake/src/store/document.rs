//! The document of an event data store.

use std::{collections::BTreeMap, sync::OnceLock};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Event, Region};
use opentrail_selector::{AdvancedEventSelector, Selection, StoreCategory};
use opentrail_state::Resource;
use opentrail_trails::OrganizationId;
use serde::{Deserialize, Serialize};

use super::{
    key::StoreKey,
    limits::{DEFAULT_EXTENDABLE_RETENTION, MAX_EXTENDABLE_RETENTION, MAX_FIXED_RETENTION, MIN_RETENTION},
    name::{StoreArn, StoreId},
};

/// Whether an event data store takes events. The states between two of these, which AWS has, take no time here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StoreStatus {
    /// It takes events.
    Enabled,
    /// It takes none; what it has can be asked.
    StoppedIngestion,
    /// It takes none, can't be asked, and is gone when its time has come.
    PendingDeletion,
}

impl StoreStatus {
    /// AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::StoppedIngestion => "STOPPED_INGESTION",
            Self::PendingDeletion => "PENDING_DELETION",
        }
    }
}

/// What decides the longest and the default retention. Nothing is billed here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BillingMode {
    /// 366 days by default, 3,653 at most.
    #[default]
    ExtendableRetentionPricing,
    /// 2,557 days by default and at most.
    FixedRetentionPricing,
}

impl BillingMode {
    /// The mode of this name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::ExtendableRetentionPricing, Self::FixedRetentionPricing]
            .into_iter()
            .find(|mode| mode.as_str() == name)
    }

    /// AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExtendableRetentionPricing => "EXTENDABLE_RETENTION_PRICING",
            Self::FixedRetentionPricing => "FIXED_RETENTION_PRICING",
        }
    }

    /// The retention in days where none is asked for.
    pub const fn default_retention(self) -> u32 {
        match self {
            Self::ExtendableRetentionPricing => DEFAULT_EXTENDABLE_RETENTION,
            Self::FixedRetentionPricing => MAX_FIXED_RETENTION,
        }
    }

    /// The retentions in days that can be asked for.
    pub const fn retentions(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Self::ExtendableRetentionPricing => MIN_RETENTION..=MAX_EXTENDABLE_RETENTION,
            Self::FixedRetentionPricing => MIN_RETENTION..=MAX_FIXED_RETENTION,
        }
    }
}

/// That other engines may read the store's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federation {
    /// The role that was named for it.
    pub role_arn: String,
}

/// An event data store as CreateEventDataStore and UpdateEventDataStore made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventDataStore {
    /// Its id.
    pub id: StoreId,
    /// Its name, unique in its account and region.
    pub name: String,
    /// The account that owns it: the one whose events it takes, or the management account of its organization.
    pub account: AccountId,
    /// The region in which it was made, and in which alone it can be called.
    pub region: Region,
    /// Whether it takes events.
    pub status: StoreStatus,
    /// What kind of events it has; decides the columns of its table.
    pub category: StoreCategory,
    /// Which events it takes.
    pub selectors: Vec<AdvancedEventSelector>,
    /// Whether it takes events of all regions, or of its own only.
    pub is_multi_region: bool,
    /// The organization whose events it takes; its own account's alone where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
    /// How many days an event is kept after its `eventTime`.
    pub retention_days: u32,
    /// What decides the limits of the retention.
    pub billing_mode: BillingMode,
    /// Whether DeleteEventDataStore is refused.
    pub termination_protection: bool,
    /// The KMS key that its files are encrypted under, where there is one. It is never changed or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<StoreKey>,
    /// That other engines may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<Federation>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
    /// Where it is pending deletion: when it goes, and what it did before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    #[serde(skip)]
    pub(crate) compiled: Compiled,
}

/// That a store goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When.
    pub at: DateTime<Utc>,
    /// The status that RestoreEventDataStore gives back.
    pub status_before: StoreStatus,
}

impl Resource for EventDataStore {
    const KIND: &'static str = "lake.store";
}

/// The compiled selectors of a store, made when first needed. A clone starts empty, because a store is cloned to be
/// changed.
#[derive(Debug, Default)]
pub(crate) struct Compiled(OnceLock<Selection>);

impl Clone for Compiled {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl EventDataStore {
    /// Its ARN in its parts; `to_string()` gives its text.
    pub fn arn(&self) -> StoreArn {
        StoreArn { region: self.region.clone(), account: self.account, id: self.id }
    }

    /// The id of its document: `ACCOUNT/REGION/ID`.
    pub fn document(&self) -> String {
        self.arn().document()
    }

    /// The selectors in the form in which they are asked.
    pub fn selection(&self) -> &Selection {
        self.compiled.0.get_or_init(|| Selection::of_store(&self.selectors))
    }

    /// Whether an event of an account that the store covers goes into its table. It does not ask whether the store
    /// is taking events. Events that come through a channel are not asked about: the channel names its stores.
    pub fn takes(&self, event: &Event) -> bool {
        (self.is_multi_region || event.region() == self.region.as_str()) && self.selection().selects(event)
    }

    /// Whether it takes events now.
    pub fn is_ingesting(&self) -> bool {
        self.status == StoreStatus::Enabled
    }

    /// Whether it can be asked now.
    pub fn is_active(&self) -> bool {
        self.status != StoreStatus::PendingDeletion
    }

    /// The columns by which its table is partitioned, with their types: the day of this time.
    pub const fn partition_keys(&self) -> [(&'static str, &'static str); 1] {
        [("eventTime", "timestamp")]
    }
}
