//! What can be asked of history, and the answer.

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Category, Event, Region};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    attribute::{Filter, Matcher},
    token::PageToken,
};

/// The most events in one page. AWS's `LookupEvents` gives at most 50, which its caller sees to.
pub const MAX_PAGE: usize = 1_000;

/// A question to history.
#[derive(Debug, Clone)]
pub struct LookupQuery {
    /// Whose history.
    pub owner: AccountId,
    /// Only events of this region; `None`: of all.
    pub region: Option<Region>,
    /// Conditions that an event must satisfy, all of them.
    pub attributes: Vec<Filter>,
    /// The earliest `eventTime`, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// The latest `eventTime`, inclusive.
    pub to: Option<DateTime<Utc>>,
    /// The most events in the page, from 1 to [`MAX_PAGE`]; others are taken as the nearest of these.
    pub limit: usize,
    /// Go on after the page that gave this token.
    pub after: Option<PageToken>,
    /// Only events of these categories. Empty: management events, as AWS.
    pub categories: Vec<Category>,
    /// The time by which retention is reckoned.
    pub now: DateTime<Utc>,
}

impl LookupQuery {
    /// All management events of an account, 50 a page.
    pub fn new(owner: AccountId, now: DateTime<Utc>) -> Self {
        Self {
            owner,
            region: None,
            attributes: Vec::new(),
            from: None,
            to: None,
            limit: 50,
            after: None,
            categories: Vec::new(),
            now,
        }
    }

    /// The categories that are meant, each once.
    pub(crate) fn wanted_categories(&self) -> Vec<Category> {
        if self.categories.is_empty() {
            return vec![Category::Management];
        }
        let mut categories = self.categories.clone();
        categories.sort_unstable();
        categories.dedup();
        categories
    }

    /// What ties a token to its query: everything but the limit, the token and the time, which may change from
    /// page to page.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        let mut part = |text: &[u8]| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        part(self.owner.as_str().as_bytes());
        part(self.region.as_ref().map_or("", Region::as_str).as_bytes());
        for time in [self.from, self.to] {
            part(&time.map_or(Vec::new(), |time| time.timestamp_millis().to_le_bytes().to_vec()));
        }
        for category in self.wanted_categories() {
            part(category.as_str().as_bytes());
        }
        for filter in &self.attributes {
            let (how, text) = match &filter.matcher {
                Matcher::Exact(text) => ("=", text),
                Matcher::Contains(text) => ("~", text),
            };
            part(filter.attribute.as_str().as_bytes());
            part(how.as_bytes());
            part(text.as_bytes());
        }
        hash.digest()
    }
}

/// Some events, newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The events.
    pub events: Vec<Event>,
    /// Present if there may be more. A page can be short, even empty, and still have a token: a search that
    /// must look at many events that do not match gives back what it has after a bounded amount of work.
    pub next: Option<PageToken>,
}
