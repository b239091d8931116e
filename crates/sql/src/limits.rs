//! What one query may use.

use std::time::Duration;

/// How long a query of CloudTrail Lake may run.
///
/// "Queries that run for longer than one hour might time out":
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-run-query.html>
const DEFAULT_TIME: Duration = Duration::from_secs(3600);

/// What one query may use, besides what the engine gives to all together.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long it may run, from the start until its last row is taken.
    pub time: Duration,
    /// How many rows it may return; what comes after is not given. `None`: as many as there are.
    pub rows: Option<u64>,
    /// Whether it may spill what is too large for memory to disk, where it is in the clear.
    pub spills: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { time: DEFAULT_TIME, rows: None, spills: true }
    }
}
