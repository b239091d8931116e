//! The events that are sent: from where they come, the n-th batch of them as an upload.

use chrono::{DateTime, Utc};

/// Events of one upload.
pub(crate) const BATCH: u64 = 500;

/// A run's events, each a function of its number, so that what comes back can be compared.
pub(crate) trait Events: Send + Sync {
    /// Writes event `number` behind what is in `out`.
    fn write(&self, number: u64, out: &mut Vec<u8>);

    /// Replaces `out` by the upload of the events `BATCH * batch` and on.
    fn upload(&self, batch: u64, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(b"{\"Records\":[");
        for number in batch * BATCH..(batch + 1) * BATCH {
            if number > batch * BATCH {
                out.push(b',');
            }
            self.write(number, out);
        }
        out.extend_from_slice(b"]}");
    }

    /// The `eventID` of event `number`.
    fn id(&self, number: u64) -> String;

    /// Which event has this id, if one of this run can have it.
    fn number(&self, id: &str) -> Option<u64>;

    /// Event `number`, by itself.
    fn record(&self, number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(number, &mut out);
        out
    }
}

/// `eventTime`'s form: 20 characters.
pub(crate) fn event_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
