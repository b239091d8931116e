//! How much senders whom nobody knows can make the server write: so many records a second, and the rest as a number.
//!
//! AWS keeps no record at all of a call that is signed with a key nobody has. Here such calls are kept, since they
//! show an attack, but every record is synced, delivered and looked up like any other. So each source has a bucket of
//! tokens, and all sources together have one; a call that finds no token is answered as usual and counted, and what
//! was counted is written once in a while as one record.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use opentrail_event::{AccountId, EventError, Record, Region, UserIdentity};
use opentrail_state::OwnedEvent;
use parking_lot::Mutex;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::source;

/// How often the number of calls that were not recorded one by one is written, if there were any.
pub(crate) const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// One source may use this part of what all may use.
const SHARE_OF_A_SOURCE: f64 = 0.1;
/// After silence, as many records at once as in this many seconds.
const BURST_SECONDS: f64 = 10.0;
/// Sources that are told apart; further ones share one bucket until others have been silent.
const MAX_SOURCES: usize = 16_384;
/// The pause between searches for sources that have been silent.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Sources that a summary names; the calls of further ones are summed up.
const MAX_NAMED: usize = 20;
/// Who writes the summary, and its `eventSource`.
const OPENTRAIL: &str = "opentrail.amazonaws.com";
/// The summary's `eventName`.
const SUMMARY: &str = "UnauthenticatedCallsNotRecorded";

/// The tokens of all strangers, and what was left out.
pub(crate) struct Strangers {
    all: Rate,
    source: Rate,
    book: Mutex<Book>,
}

/// Tokens that come back each second, up to the most there can be.
#[derive(Debug, Clone, Copy)]
struct Rate {
    a_second: f64,
    most: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

struct Book {
    all: Bucket,
    crowd: Bucket,
    sources: HashMap<IpAddr, Bucket>,
    swept: Instant,
    left_out: BTreeMap<AccountId, LeftOut>,
}

/// Calls that an account has no records of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    calls: u64,
    named: BTreeMap<IpAddr, u64>,
}

impl Rate {
    fn of(a_second: f64) -> Self {
        Self { a_second, most: a_second * BURST_SECONDS }
    }

    fn full(self, at: Instant) -> Bucket {
        Bucket { tokens: self.most, at }
    }

    fn refill(self, bucket: &mut Bucket, now: Instant) {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        *bucket = Bucket { tokens: (bucket.tokens + passed * self.a_second).min(self.most), at: now };
    }
}

impl Strangers {
    /// At most `a_second` records each second of all sources, and a tenth of that of one; 0 keeps none.
    pub(crate) fn new(a_second: u32, now: Instant) -> Self {
        let all = Rate::of(f64::from(a_second));
        // A source may always have a whole token, or a small rate would be none.
        let source = Rate::of(f64::from(a_second) * SHARE_OF_A_SOURCE);
        let source = Rate { most: source.most.max(1.0).min(all.most), ..source };
        let book = Book {
            all: all.full(now),
            crowd: source.full(now),
            sources: HashMap::new(),
            swept: now,
            left_out: BTreeMap::new(),
        };
        Self { all, source, book: Mutex::new(book) }
    }

    /// Whether a call from this address is recorded by itself; if not, it is counted for the account.
    pub(crate) fn admit(&self, address: IpAddr, account: AccountId, at: DateTime<Utc>, now: Instant) -> bool {
        let network = source::of(address);
        let mut book = self.book.lock();
        if self.spend(&mut book, network, now) {
            return true;
        }
        metrics::counter!("opentrail_unauthenticated_calls_not_recorded_total").increment(1);
        let left_out = book.left_out.entry(account).or_insert_with(|| LeftOut::none(at));
        left_out.add(network, 1, at);
        false
    }

    fn spend(&self, book: &mut Book, network: IpAddr, now: Instant) -> bool {
        self.all.refill(&mut book.all, now);
        if book.all.tokens < 1.0 {
            return false;
        }
        if book.sources.len() >= MAX_SOURCES && now.saturating_duration_since(book.swept) >= SWEEP_INTERVAL {
            book.swept = now;
            book.sources.retain(|_, bucket| {
                self.source.refill(bucket, now);
                bucket.tokens < self.source.most
            });
        }
        let is_full = book.sources.len() >= MAX_SOURCES;
        let bucket = match book.sources.get_mut(&network) {
            Some(bucket) => bucket,
            None if is_full => &mut book.crowd,
            None => book.sources.entry(network).or_insert_with(|| self.source.full(now)),
        };
        self.source.refill(bucket, now);
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        book.all.tokens -= 1.0;
        true
    }

    /// What was left out since the last time this was asked.
    pub(crate) fn take(&self) -> BTreeMap<AccountId, LeftOut> {
        std::mem::take(&mut self.book.lock().left_out)
    }

    /// Puts back what could not be written.
    pub(crate) fn put_back(&self, left_out: BTreeMap<AccountId, LeftOut>) {
        let mut book = self.book.lock();
        for (account, older) in left_out {
            match book.left_out.entry(account) {
                std::collections::btree_map::Entry::Vacant(place) => drop(place.insert(older)),
                std::collections::btree_map::Entry::Occupied(mut newer) => newer.get_mut().merge(older),
            }
        }
    }
}

impl LeftOut {
    fn none(at: DateTime<Utc>) -> Self {
        Self { from: at, until: at, calls: 0, named: BTreeMap::new() }
    }

    fn add(&mut self, network: IpAddr, calls: u64, at: DateTime<Utc>) {
        self.from = self.from.min(at);
        self.until = self.until.max(at);
        self.calls += calls;
        self.name(network, calls);
    }

    fn name(&mut self, network: IpAddr, calls: u64) {
        if self.named.len() < MAX_NAMED || self.named.contains_key(&network) {
            *self.named.entry(network).or_default() += calls;
        }
    }

    fn merge(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.until = self.until.max(other.until);
        self.calls += other.calls;
        for (network, calls) in other.named {
            self.name(network, calls);
        }
    }

    fn details(&self) -> Value {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let named: u64 = self.named.values().sum();
        let sources: Vec<Value> = self
            .named
            .iter()
            .map(|(network, calls)| json!({"sourceIPAddress": source::shown(*network), "calls": calls}))
            .collect();
        json!({
            "calls": self.calls,
            "from": time(self.from),
            "until": time(self.until),
            "sources": sources,
            "callsOfOtherSources": self.calls.saturating_sub(named),
        })
    }
}

/// The summary of what an account has no records of, as an event of the service itself.
///
/// # Errors
/// [`EventError`], which no summary is large enough for.
pub(crate) fn summary(
    account: AccountId,
    left_out: &LeftOut,
    region: &Region,
) -> Result<OwnedEvent, EventError> {
    let identity = UserIdentity::AwsService { invoked_by: OPENTRAIL.to_owned() };
    let (id, at) = (Uuid::new_v4(), left_out.until);
    let mut record = Record::new(id, at, identity, OPENTRAIL, SUMMARY, region.clone(), account);
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = OPENTRAIL.to_owned();
    record.user_agent = Some(OPENTRAIL.to_owned());
    record.read_only = Some(true);
    record.service_event_details = Some(left_out.details());
    Ok(OwnedEvent { owner: account, event: record.into_event()? })
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::{Duration, Instant},
    };

    use chrono::{DateTime, Utc};
    use opentrail_event::{AccountId, Region};

    use super::{MAX_NAMED, MAX_SOURCES, Strangers, summary};

    fn account() -> AccountId {
        "123456789012".parse().expect("an account")
    }

    /// Calls that are recorded out of `calls` from one address at one time.
    fn admitted(strangers: &Strangers, address: &str, calls: usize, now: Instant) -> usize {
        let address: IpAddr = address.parse().expect("an address");
        (0..calls).filter(|_| strangers.admit(address, account(), DateTime::<Utc>::UNIX_EPOCH, now)).count()
    }

    #[test]
    fn a_source_has_a_burst_and_then_a_rate() {
        let start = Instant::now();
        let strangers = Strangers::new(100, start);
        assert_eq!(admitted(&strangers, "192.0.2.1", 500, start), 100);
        assert_eq!(admitted(&strangers, "192.0.2.1", 500, start + Duration::from_secs(1)), 10);
        assert_eq!(
            admitted(&strangers, "192.0.2.2", 50, start + Duration::from_secs(1)),
            50,
            "another has its own"
        );
    }

    #[test]
    fn all_sources_together_have_a_rate_too() {
        let start = Instant::now();
        let strangers = Strangers::new(100, start);
        let of_many =
            |now| (1..=250).map(|n| admitted(&strangers, &format!("192.0.2.{n}"), 20, now)).sum::<usize>();
        assert_eq!(of_many(start), 1000);
        assert_eq!(of_many(start + Duration::from_secs(1)), 100);
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_so_is_a_mapped_address() {
        let start = Instant::now();
        let strangers = Strangers::new(100, start);
        assert_eq!(admitted(&strangers, "2001:db8::1", 500, start), 100);
        assert_eq!(admitted(&strangers, "2001:db8::ffff:2", 500, start), 0);
        assert_eq!(admitted(&strangers, "2001:db8:0:1::1", 50, start), 50);
        assert_eq!(admitted(&strangers, "192.0.2.9", 500, start), 100);
        assert_eq!(admitted(&strangers, "::ffff:192.0.2.9", 500, start), 0);
    }

    #[test]
    fn the_map_of_sources_is_bounded_and_silent_ones_make_room() {
        let start = Instant::now();
        let strangers = Strangers::new(1_000_000, start);
        let at = |n: u32, now| {
            strangers.admit(Ipv4Addr::from(n).into(), account(), DateTime::<Utc>::UNIX_EPOCH, now)
        };
        for n in 0..3 * MAX_SOURCES as u32 {
            at(n, start);
        }
        assert_eq!(strangers.book.lock().sources.len(), MAX_SOURCES);
        assert!(at(u32::MAX, start + Duration::from_secs(60)));
        assert_eq!(strangers.book.lock().sources.len(), 1, "the others have been silent");
    }

    #[test]
    fn none_is_recorded_at_a_rate_of_nothing() {
        let start = Instant::now();
        assert_eq!(admitted(&Strangers::new(0, start), "192.0.2.1", 5, start), 0);
        assert_eq!(
            admitted(&Strangers::new(1, start), "192.0.2.1", 5, start),
            1,
            "one a second has a whole token"
        );
    }

    #[test]
    fn what_is_left_out_is_summed_up_once() {
        let start = Instant::now();
        let strangers = Strangers::new(0, start);
        for n in 0..MAX_NAMED + 5 {
            admitted(&strangers, &format!("192.0.2.{n}"), 2, start);
        }
        admitted(&strangers, "2001:db8::1", 3, start);
        let left_out = strangers.take();
        assert!(strangers.take().is_empty());
        let event = summary(account(), &left_out[&account()], &Region::us_east_1()).expect("a summary").event;
        let text: serde_json::Value = serde_json::from_slice(event.raw()).expect("JSON");
        assert_eq!(text["eventType"], "AwsServiceEvent");
        let details = &text["serviceEventDetails"];
        assert_eq!(
            (details["calls"].as_u64(), details["callsOfOtherSources"].as_u64()),
            (Some(53), Some(13))
        );
        assert_eq!(details["sources"].as_array().map(Vec::len), Some(MAX_NAMED));
        strangers.put_back(left_out.clone());
        admitted(&strangers, "192.0.2.0", 1, start);
        assert_eq!(strangers.take()[&account()].calls, 54);
    }
}
