//! Events as Parquet tables and an in-memory tail: event history.
//!
//! # What is promised
//! - An event is found by [`Archive::lookup`] within milliseconds of being durable in the journal, and as long
//!   as its `eventTime` is within [`ArchiveOptions::retention`].
//! - Pages follow each other without gaps and doubles, whatever arrives or is rewritten between them.
//! - Through crashes at any moment each event of the journal is in the archive once.
//! - What [`SeenIds`] calls recorded is in the journal, and what is in the journal it calls recorded.
//!
//! # How it is built
//! The archive is a reader of the journal. The newest events are in the tail, in memory. Now and then the
//! tail becomes a table: a Parquet file with its rows newest first, and beside it an index from each value
//! of the eight lookup attributes to the rows that have it. Small tables are merged, so that there are few. A manifest says which tables count and up to which entry of the journal they reach; it is replaced
//! atomically, and everything that it does not name is nobody's.
//!
//! A lookup follows, in every table, the lists of rows for the wanted values, merges them by time, and reads
//! only the pages in which its results are.

mod archive;
mod attribute;
mod blocks;
mod columns;
mod error;
mod flush;
mod follow;
mod fsck;
mod index;
mod keys;
mod layout;
mod lookup;
mod manifest;
pub mod measure;
mod merge;
mod options;
mod pages;
mod position;
mod query;
mod seen;
mod status;
mod table;
mod tail;
mod token;
mod writer;

pub use archive::Archive;
pub use attribute::{Attribute, Filter, Matcher, UnknownAttributeError};
pub use error::{ArchiveError, Damage};
pub use fsck::{ArchiveReport, Problem, fsck};
pub use options::{ArchiveOptions, Clock};
pub use query::{LookupQuery, MAX_PAGE, Page};
pub use seen::{Reservation, SeenIds, Standing};
pub use status::ArchiveStatus;
pub use token::{InvalidTokenError, PageToken};
