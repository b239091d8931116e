//! Event data stores: Iceberg tables of events.

pub mod channel;
pub mod import;
pub mod ingest;
pub mod resource_policy;
pub mod store;

mod columns;
mod encode;
mod error;
pub mod query;
mod record;
pub mod schema;
pub mod table;
pub mod warehouse;

pub use columns::{Columns, Extra};
pub use encode::{EncodedFile, Expected, Run, encode, encode_keeping, merge};
pub use error::LakeError;
pub use record::{Keep, records};
pub use schema::Shape;
