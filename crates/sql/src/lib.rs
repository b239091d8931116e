//! The query dialect of CloudTrail Lake, Trino's, over DataFusion.
//!
//! [`Statement::parse`] reads a query and says what is wrong with it, with its place in the text. [`Engine::run`] plans
//! and runs it over the tables that the caller gives ([`TableData`]), on threads of its own and within limits; the rows
//! come from [`Running`] as text, formatted as CloudTrail Lake gives them.
//!
//! The crate knows no event and no event data store: tables have names and schemas, that is all.

mod cancel;
mod codes;
mod deep;
mod diagnose;
mod dialect;
mod engine;
mod error;
mod fetch;
mod format;
pub mod functions;
mod like;
mod limits;
mod mismatch;
mod names;
mod output;
mod parameters;
mod plan;
mod portions;
mod refuse;
mod rewrite;
mod running;
mod scan;
mod spoken;
mod statement;
mod table;
mod text;
mod unnest;
mod values;
mod watch;
mod windows;

pub use engine::{Engine, EngineOptions};
pub use error::{Mistake, SqlError};
pub use limits::Limits;
pub use running::{Column, Running, Scanned};
pub use statement::{MAX_LENGTH, Statement, names};
pub use table::{Compute, Computed, DataFile, TableData};
pub use watch::MemoryGauge;
