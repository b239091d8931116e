//! Event data stores: Iceberg tables of events.

pub mod store;

mod error;
pub mod query;

pub use error::LakeError;
