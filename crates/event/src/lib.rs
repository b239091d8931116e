//! The CloudTrail record and the names it is made of.
//!
//! This crate does no I/O and takes no clock.

mod arn;
mod category;
mod error;
mod event;
mod id;
mod json_error;
mod json_string;
mod member;
mod name;
mod parse;
mod record;
mod record_limits;
mod resource_rules;
mod resources;
mod scan;
mod split;
mod user_identity;

pub use arn::Arn;
pub use category::Category;
pub use error::EventError;
pub use event::Event;
pub use id::EventId;
pub use json_error::JsonError;
pub use json_string::Str as JsonStr;
pub use name::{AccountId, InvalidNameError, Region};
pub use record::{Record, RecordResource, TlsDetails};
pub use resources::{RawResource, ResourceName};
pub use scan::{Kind as JsonKind, Scanner as JsonScanner};
pub use split::{Records, SplitError, SplitReason, split_records};
pub use user_identity::{SessionContext, SessionIssuer, UserIdentity};
