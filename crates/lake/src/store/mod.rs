//! Event data stores: which events are kept to be asked, for how long, and whose they are.
//!
//! [`EventDataStore`] is the document, [`Stores`] are the operations on it with AWS's rules. What is in a store's table
//! is not known here.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-event-data-store.html>

mod document;
mod due;
mod find;
mod key;
mod limits;
mod name;
mod refusal;
mod rules;
mod tags;

pub use self::{
    document::{BillingMode, Deletion, EventDataStore, Federation, StoreStatus},
    due::Due,
    key::{StoreKey, WrappedKey},
    limits::{
        DELETION_WAIT_DAYS, MAX_EXTENDABLE_RETENTION, MAX_FIXED_RETENTION, MAX_STORE_NAME,
        MAX_STORES_PER_REGION, MAX_TAGS, MIN_RETENTION, MIN_STORE_NAME,
    },
    name::{StoreArn, StoreId, StoreRef},
    refusal::StoreRefusal,
    rules::{CreateEventDataStore, Stores, UpdateEventDataStore, leave_organization},
};
pub(crate) use self::{name::parts, tags::with_tags};
pub use opentrail_selector::StoreCategory;
