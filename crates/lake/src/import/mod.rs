//! Imports: events of CloudTrail's files, brought into an event data store.
//!
//! [`Import`] is the document, [`ImportRules`] are the operations on it with AWS's rules, [`Imports`] does the work:
//! it lists a bucket, reads many files at once on a few threads that give way to others, and writes large files into the
//! store's table, each commit with the mark up to which key everything is done. So a start after a crash goes on where
//! the table says, with nothing lost and nothing twice. An event that the store has is left out.
//!
//! Memory: files and events on their way, of all imports and uploads together, take what [`room`] has, from when they are
//! fetched until they are encoded; the ids of a store's days what [`seen`] keeps.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-copy-trail-to-lake-eds.html>

mod crew;
mod document;
mod fetch;
mod ledger;
mod location;
mod refusal;
mod room;
mod rules;
mod run;
mod seen;
mod source;
mod under_way;
mod unpack;
mod work;
mod writer;

pub use self::{
    document::{Import, ImportStatus, S3Source},
    ledger::{Failure, FailureStatus, Fault, MAX_FAILURES, Progress},
    location::{Choice, Location, TimeRange, day_of},
    refusal::ImportRefusal,
    rules::{ImportRules, MAX_IMPORTS, StartImport, Started},
    run::MAX_AHEAD,
    source::{Source, SourceError, SourceObject, SourcePage},
    unpack::MAX_FILE_BYTES,
    work::{Buckets, FailurePage, Imports, Statistics, Uploaded},
    writer::{NotWritten, Taken},
};
