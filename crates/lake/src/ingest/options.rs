//! The numbers that an operator or a test may want to change.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::sealing::{NoKeys, TableKeys};
use crate::table::TableOptions;

/// Where the time comes from that retention is reckoned by.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How the lake takes events in.
#[derive(Clone)]
pub struct LakeOptions {
    /// A tail becomes files when its oldest event has been in it for so long. Until then only this server's queries
    /// see its events; engines that read the files do not.
    pub flush_after: Duration,
    /// A tail of so many bytes becomes files.
    pub flush_bytes: usize,
    /// Bytes of all tails together. With half of them the largest tail becomes files; with all of them reading of the
    /// journal waits.
    pub memory_bytes: usize,
    /// Tails that become files at once. Each takes about `flush_bytes` more meanwhile.
    pub writers: usize,
    /// How often small files are merged and old ones dropped.
    pub tidy_every: Duration,
    /// How the tables' files are kept.
    pub table: TableOptions,
    /// The clock.
    pub clock: Clock,
    /// What opens the keys of tables.
    pub keys: Arc<dyn TableKeys>,
}

impl Default for LakeOptions {
    fn default() -> Self {
        Self {
            flush_after: Duration::from_secs(300),
            flush_bytes: 32 << 20,
            memory_bytes: 96 << 20,
            writers: 2,
            tidy_every: Duration::from_secs(60),
            table: TableOptions::default(),
            clock: Arc::new(Utc::now),
            keys: Arc::new(NoKeys),
        }
    }
}

impl fmt::Debug for LakeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeOptions")
            .field("flush_after", &self.flush_after)
            .field("flush_bytes", &self.flush_bytes)
            .field("memory_bytes", &self.memory_bytes)
            .field("writers", &self.writers)
            .field("tidy_every", &self.tidy_every)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}
