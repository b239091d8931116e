//! Trails: their rules, delivery of log files, the digest chain and its validation.
//!
//! [`rules::Trails`] are the operations on trails, [`delivery::Delivery`] reads the journal and writes log
//! files and digests into buckets through a [`store::LogStore`], [`validate`] proves that a bucket still has
//! what was written.
//!
//! Invariants: this crate knows neither HTTP nor the vault; a file's bytes and name are durable before its
//! first upload; a digest lists only files that were delivered.

pub mod delivery;
pub mod digest;
pub mod error;
pub mod layout;
pub mod membership;
pub mod name;
pub mod organization;
pub mod rules;
pub mod store;
pub mod trail;
pub mod validate;

pub use self::{
    delivery::{
        ChainHead, ChainLink, Clock, Delivery, DeliveryError, DeliveryOptions, DeliveryStatus, SystemClock,
        TrailStatus,
    },
    error::TrailError,
    layout::Whose,
    name::{TrailArn, TrailName, TrailRef},
    organization::{Organization, OrganizationId},
    rules::{CreateTrail, Trails, UpdateTrail},
    store::{BucketCheck, ListPage, ListedFile, LogReader, LogStore, PutFile, StoreError, StoredFile},
    trail::Trail,
};
