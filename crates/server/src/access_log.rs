//! Lines of access logs on their way to a file: kept in memory, in bounds, until the worker delivers them.
//!
//! S3 delivers access logs on a best-effort basis, and so does this: lines that were not delivered when the server is
//! killed are lost, and those beyond the bounds are counted and left out. What must not be lost is in the trail.

use std::collections::HashMap;

use opentrail_event::AccountId;
use opentrail_vault::access_log::AccessLogLine;
use parking_lot::Mutex;

/// Memory that the lines of callers who proved who they are may take, of all buckets together.
const CALLERS_BYTES: usize = 24 << 20;
/// The same for lines of everybody else: whoever reaches the port can make them, and they take no room from the others.
const STRANGERS_BYTES: usize = 8 << 20;

/// The lines that wait.
pub(crate) struct AccessLog {
    waiting: Mutex<Waiting>,
}

/// A bucket as it was when its lines were written: its name, and whose it was.
pub(crate) type Logged = (String, AccountId);

struct Waiting {
    callers: Share,
    strangers: Share,
}

/// Lines of several buckets within one bound.
struct Share {
    bound: usize,
    used: usize,
    buckets: HashMap<Logged, Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    lines: Vec<AccessLogLine>,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { waiting: Mutex::new(Waiting::empty()) }
    }
}

impl AccessLog {
    /// Takes lines of a bucket, as far as there is room; cuts what is too long in them.
    pub(crate) fn add(&self, bucket: &Logged, lines: impl IntoIterator<Item = AccessLogLine>) {
        let mut waiting = self.waiting.lock();
        let mut left_out = 0;
        for line in lines {
            let is_stranger = line.requester.is_none();
            let share = if is_stranger { &mut waiting.strangers } else { &mut waiting.callers };
            left_out += u64::from(!share.take_in(bucket, line));
        }
        if left_out > 0 {
            leave_out(left_out, "full");
        }
    }

    /// Hands over all lines that wait.
    pub(crate) fn take(&self) -> HashMap<Logged, Vec<AccessLogLine>> {
        let Waiting { callers, strangers } = std::mem::replace(&mut *self.waiting.lock(), Waiting::empty());
        let mut taken = HashMap::<Logged, Vec<AccessLogLine>>::new();
        for (bucket, held) in callers.buckets.into_iter().chain(strangers.buckets) {
            taken.entry(bucket).or_default().extend(held.lines);
        }
        taken
    }
}

/// Counts lines that are in no log, and why.
pub(crate) fn leave_out(lines: u64, why: &'static str) {
    metrics::counter!("opentrail_access_log_lines_left_out_total", "why" => why).increment(lines);
}

impl Waiting {
    fn empty() -> Self {
        Self { callers: Share::of(CALLERS_BYTES), strangers: Share::of(STRANGERS_BYTES) }
    }
}

impl Share {
    fn of(bound: usize) -> Self {
        Self { bound, used: 0, buckets: HashMap::new() }
    }

    /// Takes a line in unless its bucket would then have more than is left free for the others: one bucket alone gets
    /// half of all room, two a third each, and there is always some for the next.
    fn take_in(&mut self, bucket: &Logged, mut line: AccessLogLine) -> bool {
        let bytes = line.fit();
        let held = self.buckets.entry(bucket.clone()).or_default();
        let has_room = held.bytes + bytes <= self.bound - self.used;
        if has_room {
            held.bytes += bytes;
            self.used += bytes;
            held.lines.push(line);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use opentrail_vault::access_log::AccessLogLine;

    use super::{AccessLog, CALLERS_BYTES, Logged, STRANGERS_BYTES};

    fn line(requester: Option<&str>) -> AccessLogLine {
        let mut line = AccessLogLine::of("owner", "bucket", Utc::now(), "id", "REST.GET.OBJECT");
        line.requester = requester.map(str::to_owned);
        line.user_agent = Some("u".repeat(50_000));
        line
    }

    fn bucket(name: &str) -> Logged {
        (name.to_owned(), "123456789012".parse().expect("an account"))
    }

    fn bytes(lines: &[AccessLogLine]) -> usize {
        lines.iter().cloned().map(|mut line| line.fit()).sum()
    }

    #[test]
    fn waiting_lines_are_bounded_by_their_bytes_and_each_bucket_by_its_share() {
        let log = AccessLog::default();
        for name in ["first", "second", "third"] {
            log.add(&bucket(name), std::iter::repeat_n(line(Some("root")), 10_000));
        }
        let taken = log.take();
        let [first, second, third] = ["first", "second", "third"].map(|name| bytes(&taken[&bucket(name)]));
        let near = |share: usize| share - 10_000..=share + 10_000;
        assert!(near(CALLERS_BYTES / 2).contains(&first), "{first}");
        assert!(near(CALLERS_BYTES / 4).contains(&second), "{second}");
        assert!(near(CALLERS_BYTES / 8).contains(&third), "{third}");
        log.add(&bucket("first"), [line(None)]);
        assert_eq!(log.take()[&bucket("first")].len(), 1, "what was taken makes room");
    }

    #[test]
    fn lines_of_strangers_push_out_no_others() {
        let log = AccessLog::default();
        log.add(&bucket("logged"), std::iter::repeat_n(line(None), 10_000));
        log.add(&bucket("logged"), std::iter::repeat_n(line(Some("root")), 100));
        let taken = log.take().remove(&bucket("logged")).expect("lines");
        let (callers, strangers): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|line| line.requester.is_some());
        assert_eq!(callers.len(), 100);
        assert!(bytes(&strangers) <= STRANGERS_BYTES / 2 + 10_000 && strangers.len() > 100);
    }
}
