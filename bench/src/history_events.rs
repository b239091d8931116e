//! Slim management events with known attributes, for event history: what a lookup must find can be told
//! without keeping the events.
//!
//! Event `n` of `total` has a time that rises with `n` over 80 days, and attributes drawn from `n`, common values
//! more often than others. [`RARE`] sets of values stand apart: each is had by exactly [`RARE_EVENTS`] events.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    events::{Events, event_time},
    ids::{Ids, mix},
};

/// Sets of rare values.
pub(crate) const RARE: u64 = 40;
/// Events that have each set.
pub(crate) const RARE_EVENTS: u64 = 10;
/// Numbers between the first events of two sets.
const RARE_STEP: u64 = 97;
/// The fewest events in which the rare ones have room.
pub(crate) const FEWEST: u64 = RARE * RARE_STEP * RARE_EVENTS;
/// The stretch of time that the events cover; within the 90 days of history.
const SPAN: TimeDelta = TimeDelta::days(80);
/// The newest event is so old.
const AGE: TimeDelta = TimeDelta::minutes(5);

const USERS: u64 = 5_000;
const RESOURCES: u64 = 200_000;
const SERVICES: [&str; 20] = [
    "acm",
    "athena",
    "batch",
    "cloudfront",
    "codebuild",
    "ecr",
    "ecs",
    "eks",
    "emr",
    "fsx",
    "glue",
    "guardduty",
    "inspector",
    "kinesis",
    "logs",
    "macie",
    "mq",
    "neptune",
    "redshift",
    "route53",
];
const VERBS: [(&str, bool); 10] = [
    ("Describe", true),
    ("List", true),
    ("Get", true),
    ("Create", false),
    ("Update", false),
    ("Delete", false),
    ("Put", false),
    ("Tag", false),
    ("Start", false),
    ("Stop", false),
];
const REGIONS: [&str; 4] = ["us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2"];

/// What a lookup can ask for; AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attribute {
    EventId,
    EventName,
    ReadOnly,
    Username,
    ResourceType,
    ResourceName,
    EventSource,
    AccessKeyId,
}

impl Attribute {
    pub(crate) const ALL: [Self; 8] = [
        Self::EventId,
        Self::EventName,
        Self::ReadOnly,
        Self::Username,
        Self::ResourceType,
        Self::ResourceName,
        Self::EventSource,
        Self::AccessKeyId,
    ];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }
}

/// What event `n` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Common { region: usize, service: usize, verb: usize, user: u64, resource: u64 },
    Rare(u64),
}

/// The events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HistoryEvents {
    total: u64,
    ids: Ids,
    first: DateTime<Utc>,
}

impl HistoryEvents {
    /// `total` events, at least [`FEWEST`].
    pub(crate) fn new(total: u64, seed: u64) -> Self {
        Self { total: total.max(FEWEST), ids: Ids { seed }, first: Utc::now() - AGE - SPAN }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The event's time: whole seconds, rising with the number.
    pub(crate) fn time(&self, number: u64) -> DateTime<Utc> {
        let seconds = u128::from(number) * SPAN.num_seconds() as u128 / u128::from(self.total);
        let first = DateTime::from_timestamp(self.first.timestamp(), 0).unwrap_or(self.first);
        first + TimeDelta::seconds(seconds as i64)
    }

    /// The numbers of the events of a rare set, oldest first.
    pub(crate) fn rare_numbers(&self, set: u64) -> impl DoubleEndedIterator<Item = u64> {
        let spacing = self.total / RARE_EVENTS;
        (0..RARE_EVENTS).map(move |nth| set * RARE_STEP + nth * spacing)
    }

    fn kind(&self, number: u64) -> Kind {
        let within = number % (self.total / RARE_EVENTS);
        if within.is_multiple_of(RARE_STEP)
            && within / RARE_STEP < RARE
            && number / (self.total / RARE_EVENTS) < RARE_EVENTS
        {
            return Kind::Rare(within / RARE_STEP);
        }
        let drawn = mix(number ^ self.ids.seed);
        // The square of an even draw: low values are common, high ones seldom.
        let skewed = |part: u64, count: u64| {
            let draw = part & 0xf_ffff;
            (draw * draw * count) >> 40
        };
        Kind::Common {
            region: [0, 0, 0, 0, 1, 1, 2, 3][(drawn & 7) as usize],
            service: skewed(drawn >> 4, 20) as usize,
            verb: skewed(drawn >> 24, 10) as usize,
            user: skewed(drawn >> 44, USERS),
            resource: skewed(mix(drawn), RESOURCES),
        }
    }

    /// The event's region.
    pub(crate) fn region(&self, number: u64) -> &'static str {
        match self.kind(number) {
            Kind::Common { region, .. } => REGIONS[region],
            Kind::Rare(_) => REGIONS[0],
        }
    }

    /// The value of an attribute of the event.
    pub(crate) fn value(&self, number: u64, attribute: Attribute) -> String {
        let kind = self.kind(number);
        match (attribute, kind) {
            (Attribute::EventId, _) => self.ids.text(number),
            (Attribute::EventName, Kind::Common { service, verb, .. }) => {
                format!("{}{}Item", VERBS[verb].0, SERVICES[service])
            }
            (Attribute::EventName, Kind::Rare(set)) => format!("RareCall{set}"),
            (Attribute::ReadOnly, _) => read_only(kind).to_string(),
            (Attribute::Username, Kind::Common { user, .. }) => format!("user-{user:05}"),
            (Attribute::Username, Kind::Rare(set)) => format!("rare-user-{set}"),
            (Attribute::ResourceType, Kind::Common { service, .. }) => {
                format!("AWS::{}::Item", SERVICES[service])
            }
            (Attribute::ResourceType, Kind::Rare(set)) => format!("AWS::Rare::Type{set}"),
            (Attribute::ResourceName, Kind::Common { resource, .. }) => {
                format!("arn:aws:example:::item/{resource:06}")
            }
            (Attribute::ResourceName, Kind::Rare(set)) => format!("arn:aws:example:::rare/{set}"),
            (Attribute::EventSource, Kind::Common { service, .. }) => {
                format!("{}.amazonaws.com", SERVICES[service])
            }
            (Attribute::EventSource, Kind::Rare(set)) => format!("rare{set}.amazonaws.com"),
            (Attribute::AccessKeyId, Kind::Common { user, .. }) => format!("AKIA{user:016}"),
            (Attribute::AccessKeyId, Kind::Rare(set)) => format!("AKIARARE{set:012}"),
        }
    }

    /// The newest events that a page of a lookup must show, newest first: those in `region` with the value, from
    /// number `from` (inclusive) to `to` (exclusive). The value is that of event `like`.
    pub(crate) fn newest(
        &self,
        like: u64,
        attribute: Attribute,
        (from, to): (u64, u64),
        limit: usize,
    ) -> Vec<u64> {
        let wanted = self.kind(like);
        let region = self.region(like);
        let matches = |number: &u64| {
            let kind = self.kind(*number);
            same(attribute, wanted, kind, *number == like) && self.region(*number) == region
        };
        match wanted {
            Kind::Rare(set) if attribute != Attribute::ReadOnly && attribute != Attribute::EventId => self
                .rare_numbers(set)
                .rev()
                .filter(|number| (from..to).contains(number))
                .take(limit)
                .collect(),
            _ if attribute == Attribute::EventId => {
                Some(like).into_iter().filter(|number| (from..to).contains(number)).collect()
            }
            _ => (from..to).rev().filter(matches).take(limit).collect(),
        }
    }

    /// The first number whose event is not before a time.
    pub(crate) fn first_at(&self, time: DateTime<Utc>) -> u64 {
        let (mut low, mut high) = (0, self.total);
        while low < high {
            let middle = (low + high) / 2;
            if self.time(middle) < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn read_only(kind: Kind) -> bool {
    match kind {
        Kind::Common { verb, .. } => VERBS[verb].1,
        Kind::Rare(set) => set % 2 == 0,
    }
}

/// Whether two events have the same value.
fn same(attribute: Attribute, a: Kind, b: Kind, same_event: bool) -> bool {
    use Kind::{Common, Rare};
    match (attribute, a, b) {
        (Attribute::EventId, _, _) => same_event,
        (Attribute::ReadOnly, _, _) => read_only(a) == read_only(b),
        (_, Rare(a), Rare(b)) => a == b,
        (_, Rare(_), Common { .. }) | (_, Common { .. }, Rare(_)) => false,
        (Attribute::EventName, Common { service, verb, .. }, Common { service: s, verb: v, .. }) => {
            (service, verb) == (s, v)
        }
        (Attribute::Username | Attribute::AccessKeyId, Common { user, .. }, Common { user: u, .. }) => {
            user == u
        }
        (Attribute::ResourceName, Common { resource, .. }, Common { resource: r, .. }) => resource == r,
        (
            Attribute::ResourceType | Attribute::EventSource,
            Common { service, .. },
            Common { service: s, .. },
        ) => service == s,
    }
}

impl Events for HistoryEvents {
    fn write(&self, number: u64, out: &mut Vec<u8>) {
        let value = |attribute| self.value(number, attribute);
        let user = value(Attribute::Username);
        let request = Ids { seed: !self.ids.seed }.text(number);
        let written = write!(
            out,
            concat!(
                r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE","#,
                r#""arn":"arn:aws:iam::123456789012:user/{user}","accountId":"123456789012","accessKeyId":"{key}","#,
                r#""userName":"{user}"}},"eventTime":"{time}","eventSource":"{source}","eventName":"{name}","#,
                r#""awsRegion":"{region}","sourceIPAddress":"192.0.2.1","userAgent":"aws-cli/2","#,
                r#""requestID":"{request}","eventID":"{id}","readOnly":{read_only},"#,
                r#""resources":[{{"type":"{kind}","ARN":"{resource}"}}],"eventType":"AwsApiCall","#,
                r#""managementEvent":true,"eventCategory":"Management"}}"#
            ),
            user = user,
            key = value(Attribute::AccessKeyId),
            time = event_time(self.time(number)),
            source = value(Attribute::EventSource),
            name = value(Attribute::EventName),
            region = self.region(number),
            request = request,
            id = value(Attribute::EventId),
            read_only = value(Attribute::ReadOnly),
            kind = value(Attribute::ResourceType),
            resource = value(Attribute::ResourceName),
        );
        debug_assert!(written.is_ok(), "writing to memory does not fail");
    }

    fn id(&self, number: u64) -> String {
        self.ids.text(number)
    }

    fn number(&self, id: &str) -> Option<u64> {
        self.ids.number(id).filter(|number| *number < self.total)
    }
}

#[cfg(test)]
mod tests {
    use opentrail_event::Event;

    use super::{Attribute, FEWEST, HistoryEvents, RARE, RARE_EVENTS};
    use crate::events::Events;

    #[test]
    fn an_event_has_the_attributes_that_are_told_of_it() {
        let events = HistoryEvents::new(0, 5);
        for number in (0..FEWEST).step_by(41).chain(0..200) {
            let event = Event::parse(events.record(number).into()).expect("event");
            let value = |attribute| events.value(number, attribute);
            assert_eq!(event.id(), value(Attribute::EventId));
            assert_eq!(event.name(), value(Attribute::EventName));
            assert_eq!(event.source(), value(Attribute::EventSource));
            assert_eq!(event.read_only().map(|yes| yes.to_string()), Some(value(Attribute::ReadOnly)));
            assert_eq!(event.user_name().as_deref(), Some(&*value(Attribute::Username)));
            assert_eq!(event.access_key_id(), Some(&*value(Attribute::AccessKeyId)));
            assert_eq!(event.time(), events.time(number));
            assert_eq!(event.region(), events.region(number));
            let resources = event.resources();
            assert_eq!(resources.len(), 1, "{resources:?}");
            assert_eq!(resources[0].name, value(Attribute::ResourceName));
            assert_eq!(resources[0].kind.as_deref(), Some(&*value(Attribute::ResourceType)));
        }
    }

    #[test]
    fn what_a_lookup_must_show_agrees_with_the_values_one_by_one() {
        let events = HistoryEvents::new(0, 6);
        for like in [3, 97, 1234, 38_000] {
            for attribute in Attribute::ALL {
                for range in [(0, events.total()), (10_000, 30_000)] {
                    let slow: Vec<u64> = (range.0..range.1)
                        .rev()
                        .filter(|n| events.value(*n, attribute) == events.value(like, attribute))
                        .filter(|n| events.region(*n) == events.region(like))
                        .take(50)
                        .collect();
                    assert_eq!(events.newest(like, attribute, range, 50), slow, "{attribute:?} {like}");
                }
            }
        }
    }

    #[test]
    fn rare_values_are_as_rare_as_they_say() {
        let events = HistoryEvents::new(FEWEST + 1234, 6);
        for set in [0, RARE - 1] {
            let name = format!("RareCall{set}");
            let found: Vec<u64> =
                (0..events.total()).filter(|n| events.value(*n, Attribute::EventName) == name).collect();
            assert_eq!(found, events.rare_numbers(set).collect::<Vec<_>>());
            assert_eq!(found.len() as u64, RARE_EVENTS);
        }
    }

    #[test]
    fn times_rise_and_can_be_searched() {
        let events = HistoryEvents::new(0, 6);
        for number in [0, 1, 500, 38_799] {
            let first = events.first_at(events.time(number));
            assert!(first <= number && events.time(first) == events.time(number));
            assert!(first == 0 || events.time(first - 1) < events.time(first));
        }
    }
}
