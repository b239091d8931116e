//! The limits of event data stores, with their sources.

/// Most event data stores of a region that are not pending deletion (AWS: "Quotas in AWS CloudTrail").
pub const MAX_STORES_PER_REGION: usize = 10;
/// Shortest name of an event data store in characters (AWS: EventDataStoreName).
pub const MIN_STORE_NAME: usize = 3;
/// Longest name of an event data store in characters (AWS: EventDataStoreName).
pub const MAX_STORE_NAME: usize = 128;
/// Shortest retention in days (AWS: RetentionPeriod).
pub const MIN_RETENTION: u32 = 7;
/// Longest and default retention in days under fixed pricing (AWS: BillingMode).
pub const MAX_FIXED_RETENTION: u32 = 2557;
/// Longest retention in days under extendable pricing (AWS: BillingMode).
pub const MAX_EXTENDABLE_RETENTION: u32 = 3653;
/// Default retention in days under extendable pricing (AWS: BillingMode).
pub(crate) const DEFAULT_EXTENDABLE_RETENTION: u32 = 366;
/// How many days a deleted store can be restored (AWS: DeleteEventDataStore).
pub const DELETION_WAIT_DAYS: i64 = 7;
/// Most tags of a store or channel (AWS: AddTags).
pub const MAX_TAGS: usize = 50;
/// Longest key of a tag in characters (AWS: Tag).
pub(crate) const MAX_TAG_KEY: usize = 128;
/// Longest value of a tag in characters (AWS: Tag).
pub(crate) const MAX_TAG_VALUE: usize = 256;
