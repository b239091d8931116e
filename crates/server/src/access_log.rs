//! Lines of access logs on their way to a file: kept in memory, in bounds, until the worker delivers them.
//!
//! S3 delivers access logs on a best-effort basis, and so does this: lines that were not delivered when the server is
//! killed are lost, and those beyond the bounds are counted and left out. What must not be lost is in the trail.

use std::collections::HashMap;

use opentrail_vault::access_log::AccessLogLine;
use parking_lot::Mutex;

/// Lines that wait, of all buckets together, at most: some tens of megabytes.
const MAX_LINES: usize = 50_000;

/// The lines that wait, by bucket.
#[derive(Default)]
pub(crate) struct AccessLog {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    count: usize,
    lines: HashMap<String, Vec<AccessLogLine>>,
}

impl AccessLog {
    /// Takes lines of a bucket, as far as there is room.
    pub(crate) fn add(&self, bucket: &str, lines: Vec<AccessLogLine>) {
        let mut waiting = self.waiting.lock();
        let room = MAX_LINES.saturating_sub(waiting.count).min(lines.len());
        let left_out = lines.len() - room;
        if left_out > 0 {
            metrics::counter!("opentrail_access_log_lines_left_out_total").increment(left_out as u64);
        }
        waiting.count += room;
        waiting.lines.entry(bucket.to_owned()).or_default().extend(lines.into_iter().take(room));
    }

    /// Hands over all lines that wait.
    pub(crate) fn take(&self) -> HashMap<String, Vec<AccessLogLine>> {
        std::mem::take(&mut *self.waiting.lock()).lines
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use opentrail_vault::access_log::AccessLogLine;

    use super::{AccessLog, MAX_LINES};

    #[test]
    fn waiting_lines_are_bounded() {
        let line = AccessLogLine::of("owner", "bucket", Utc::now(), "id", "REST.GET.OBJECT");
        let log = AccessLog::default();
        log.add("bucket", vec![line.clone(); MAX_LINES - 1]);
        log.add("other", vec![line.clone(); 3]);
        let taken = log.take();
        assert_eq!((taken["bucket"].len(), taken["other"].len()), (MAX_LINES - 1, 1));
        log.add("other", vec![line]);
        assert_eq!(log.take()["other"].len(), 1);
    }
}
