//! The figures: a module each.

mod calls;
mod decisions;
mod drive;
mod history;
mod idle;
mod ingest;
mod lake;
mod lake_files;
mod listing;
mod objects;
mod sustained;
mod validation;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::ValueEnum;

use crate::{
    error::BenchError,
    outcome::Outcome,
    process::Launcher,
    real_events::{RealEvents, Spread},
};

/// How a figure is measured.
pub(crate) struct Setting {
    pub(crate) launcher: Launcher,
    /// The figure's own folder.
    pub(crate) folder: PathBuf,
    pub(crate) scale: f64,
    pub(crate) connections: usize,
    pub(crate) history_events: u64,
    pub(crate) lake_events: u64,
    pub(crate) records: PathBuf,
    pub(crate) aws: Option<PathBuf>,
    /// The other S3 server.
    pub(crate) s3s_fs: Option<PathBuf>,
    /// A Python with DuckDB.
    pub(crate) python: Option<PathBuf>,
}

/// A line, or some, of the design's table of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Figure {
    /// Memory and start of a server that does nothing
    Idle,
    /// Uploads of events without a trail
    Ingest,
    /// Uploads of events with a trail that delivers
    Sustained,
    /// Single signed calls
    Calls,
    /// Validating a bucket, beside the AWS CLI
    Validation,
    /// LookupEvents over many events, and a restart with them
    History,
    /// Small and large objects, beside another S3 server
    Objects,
    /// Pages of a bucket with many keys, beside another S3 server
    Listing,
    /// Decisions of the policy engine, beside another one
    Decisions,
    /// Lake's Parquet files of CloudTrail's log files
    LakeFiles,
    /// Imports and queries of an event data store, beside DuckDB, and ingestion while it is asked
    Lake,
}

impl Figure {
    /// In the order in which they are measured and told.
    pub(crate) const ALL: [Self; 11] = [
        Self::Idle,
        Self::Ingest,
        Self::Sustained,
        Self::Calls,
        Self::Validation,
        Self::History,
        Self::Objects,
        Self::Listing,
        Self::Decisions,
        Self::LakeFiles,
        Self::Lake,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Ingest => "ingest",
            Self::Sustained => "sustained",
            Self::Calls => "calls",
            Self::Validation => "validation",
            Self::History => "history",
            Self::Objects => "objects",
            Self::Listing => "listing",
            Self::Decisions => "decisions",
            Self::LakeFiles => "lake-files",
            Self::Lake => "lake",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Idle => "Idle and start",
            Self::Ingest => "Uploads of events, no trail",
            Self::Sustained => "Uploads of events with a trail delivering",
            Self::Calls => "Signed single calls",
            Self::Validation => "Validating a bucket",
            Self::History => "LookupEvents over many events, and a restart with them",
            Self::Objects => "Objects of 1 KB and 8 MB, with and without SSE-KMS",
            Self::Listing => "Listing a bucket of many keys",
            Self::Decisions => "Decisions over policies",
            Self::LakeFiles => "Lake: Parquet files of log files",
            Self::Lake => "Lake: import, queries, and ingestion beside them",
        }
    }

    pub(crate) async fn measure(self, setting: &Setting) -> Result<Outcome, BenchError> {
        match self {
            Self::Idle => idle::measure(setting).await,
            Self::Ingest => ingest::measure(setting).await,
            Self::Sustained => sustained::measure(setting).await,
            Self::Calls => calls::measure(setting).await,
            Self::Validation => validation::measure(setting).await,
            Self::History => history::measure(setting).await,
            Self::Objects => objects::measure(setting).await,
            Self::Listing => listing::measure(setting).await,
            Self::Decisions => decisions::measure(setting),
            Self::LakeFiles => lake_files::measure(setting),
            Self::Lake => lake::measure(setting).await,
        }
    }
}

impl Setting {
    /// A stretch of time, scaled; at least a second.
    fn stretch(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64((seconds * self.scale).max(1.0))
    }

    /// An amount, scaled.
    fn amount(&self, full: u64) -> u64 {
        (full as f64 * self.scale) as u64
    }

    fn real_events(&self, spread: Spread, seed: u64) -> Result<Arc<RealEvents>, BenchError> {
        RealEvents::load(&self.records, spread, seed).map(Arc::new)
    }
}

/// Bytes in megabytes.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The middle one of some times.
fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
