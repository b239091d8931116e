//! What requests of a principal can be like: which condition keys they have, and which values together.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use opentrail_policy::{Case, World};

use crate::tags::Tag;

/// Of what kind a principal is, as far as its requests differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// A user or a root: with a key of its own, or with a session of it.
    Own,
    /// A role: always with a session.
    Role,
    /// A service, or nobody: never with a session.
    Sessionless,
    /// Someone of an account of which nothing is known.
    Unknown,
}

/// The requests of one principal for one action.
pub(super) struct Requests<'a> {
    pub(super) nature: Nature,
    pub(super) action: &'a str,
    /// Tags of a role, which a session may replace.
    pub(super) tags: &'a [Tag],
    pub(super) now: DateTime<Utc>,
}

/// Keys that every request has.
const ALWAYS: &[&str] = &["aws:sourceip", "aws:requestedregion", "aws:securetransport"];
/// Keys that are true or false.
const BOOLEAN: &[&str] =
    &["aws:securetransport", "aws:viaawsservice", "aws:principalisawsservice", "aws:multifactorauthpresent"];
/// An address of those that are set aside for examples (RFC 5737), where no other is of interest.
const SOME_ADDRESS: &str = "203.0.113.1";

impl World for Requests<'_> {
    fn cases(&self, key: &str, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case> {
        match key {
            "aws:currenttime" | "aws:epochtime" => self.moments(tried),
            "aws:tokenissuetime" | "aws:multifactorauthpresent" | "aws:multifactorauthage" => {
                self.sessions(tried)
            }
            "aws:sourceip" => self.addresses(tried),
            _ if BOOLEAN.contains(&key) => ["true", "false"].map(|value| one(key, value)).into(),
            _ => self.any(key, tried),
        }
    }
}

fn one(key: &str, value: &str) -> Case {
    vec![(key.to_owned(), Some(vec![value.to_owned()]))]
}

fn shown(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The moments among texts that are times or seconds since 1970.
fn times(texts: Vec<Vec<String>>) -> impl Iterator<Item = DateTime<Utc>> {
    texts.into_iter().flatten().filter_map(|text| {
        let seconds = text.parse::<i64>().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        seconds.or_else(|| DateTime::parse_from_rfc3339(&text).ok().map(|moment| moment.to_utc()))
    })
}

impl Requests<'_> {
    fn any(&self, key: &str, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case> {
        let own = key.strip_prefix("aws:principaltag/").and_then(|name| {
            self.tags.iter().find(|tag| tag.key.to_lowercase() == name).map(|tag| tag.value.clone())
        });
        let mut cases: Vec<Case> = Vec::new();
        match own {
            // A session may have another value for the tag, not none.
            Some(value) => cases.push(one(key, &value)),
            None if self.always_has(key) => {}
            None => cases.push(vec![(key.to_owned(), None)]),
        }
        let values = tried(key);
        if values.is_empty() && cases.is_empty() {
            cases.push(one(key, "x"));
        }
        cases.extend(values.into_iter().map(|values| vec![(key.to_owned(), Some(values))]));
        cases
    }

    fn always_has(&self, key: &str) -> bool {
        ALWAYS.contains(&key)
            || (key == "s3:versionid" && self.action.to_ascii_lowercase().ends_with("version"))
    }

    fn addresses(&self, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case> {
        let addresses = tried("aws:sourceip").into_iter().flatten();
        let mut addresses: Vec<String> =
            addresses.filter(|text| text.parse::<std::net::IpAddr>().is_ok()).collect();
        addresses.push(SOME_ADDRESS.to_owned());
        addresses.into_iter().map(|address| one("aws:sourceip", &address)).collect()
    }

    /// The two keys that tell the time tell the same.
    fn moments(&self, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case> {
        let mut moments: Vec<DateTime<Utc>> =
            times(tried("aws:currenttime")).chain(times(tried("aws:epochtime"))).collect();
        moments.push(self.now);
        moments.sort_unstable();
        moments.dedup();
        let case = |moment: DateTime<Utc>| {
            vec![
                ("aws:currenttime".to_owned(), Some(vec![shown(moment)])),
                ("aws:epochtime".to_owned(), Some(vec![moment.timestamp().to_string()])),
            ]
        };
        moments.into_iter().map(case).collect()
    }

    /// With what credentials a request is signed: a key of the principal's own, a session, a session with MFA.
    fn sessions(&self, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case> {
        let mut issued: Vec<Option<String>> =
            times(tried("aws:tokenissuetime")).map(|at| Some(shown(at))).collect();
        issued.push(Some(shown(self.now - TimeDelta::seconds(1))));
        issued.dedup();
        let mut ages: Vec<String> = tried("aws:multifactorauthage").into_iter().flatten().collect();
        ages.retain(|age| age.parse::<f64>().is_ok_and(|age| age >= 0.0));
        ages.push("0".to_owned());
        let case = |issued: Option<String>, present: Option<&str>, age: Option<&String>| {
            vec![
                ("aws:tokenissuetime".to_owned(), issued.map(|at| vec![at])),
                ("aws:multifactorauthpresent".to_owned(), present.map(|text| vec![text.to_owned()])),
                ("aws:multifactorauthage".to_owned(), age.map(|age| vec![age.clone()])),
            ]
        };
        let mut cases = Vec::new();
        if self.nature != Nature::Role {
            cases.push(case(None, None, None));
        }
        if self.nature == Nature::Sessionless {
            return cases;
        }
        // A call may bring a code itself.
        if self.nature != Nature::Role && self.action.eq_ignore_ascii_case("sts:AssumeRole") {
            cases.push(case(None, Some("true"), ages.last()));
        }
        for at in issued {
            cases.extend(ages.iter().map(|age| case(at.clone(), Some("true"), Some(age))));
            cases.push(case(at, Some("false"), None));
        }
        cases
    }
}
