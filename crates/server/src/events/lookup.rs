//! `POST /v1/lookup`: event history as LookupEvents cannot ask it: several attributes at once, parts of
//! values, all regions, pages of up to 1,000 events, and every category of events.

use opentrail_archive::{Filter, LookupQuery, MAX_PAGE, Matcher};
use opentrail_event::Category;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    cloudtrail::{EventShape, attribute},
    fault::{Common, Fault},
    operation::{Described, Read},
};

/// Most attributes in one question.
const MAX_ATTRIBUTES: usize = 16;
/// How many events are answered without MaxResults.
const DEFAULT_RESULTS: usize = 50;

pub(super) struct LookupEvents;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    /// All of them must match.
    attributes: Option<Vec<Asked>>,
    /// Without one, all regions.
    region: Option<String>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    /// `Management` (the default), `Data`, `NetworkActivity`, `Insight`, or `All`.
    event_category: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    key: String,
    value: String,
    #[serde(rename = "Match", default)]
    matching: Matching,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Matching {
    #[default]
    Exact,
    Contains,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    events: Vec<EventShape>,
    /// More is to come, even if this page is empty: a search for parts of values stops after some work.
    next_token: Option<String>,
}

impl Input {
    fn query(&self, call: &Call) -> Result<LookupQuery, Fault> {
        let mut query = LookupQuery::new(call.account, call.arrival.at);
        query.region = self.region.as_deref().map(str::parse).transpose().map_err(|_| {
            call.fault(Common::Invalid, "The Region does not have the form of a region's name.")
        })?;
        query.attributes = self.filters()?;
        query.categories = self.categories()?;
        query.from = self.start_time.map(|time| time.0);
        query.to = self.end_time.map(|time| time.0);
        query.limit = self.max_results.unwrap_or(DEFAULT_RESULTS);
        if !(1..=MAX_PAGE).contains(&query.limit) {
            let message = format!("MaxResults must be between 1 and {MAX_PAGE}.");
            return Err(Fault::declared("InvalidMaxResultsException", message));
        }
        query.after = self.next_token.as_deref().map(str::parse).transpose().map_err(|_| {
            Fault::declared("InvalidNextTokenException", "The NextToken is not one that a lookup gave.")
        })?;
        Ok(query)
    }

    fn filters(&self) -> Result<Vec<Filter>, Fault> {
        let asked = self.attributes.as_deref().unwrap_or_default();
        if asked.len() > MAX_ATTRIBUTES {
            let message = format!("There can be at most {MAX_ATTRIBUTES} attributes.");
            return Err(Fault::declared("InvalidLookupAttributesException", message));
        }
        let filter = |asked: &Asked| {
            let value = asked.value.clone();
            let matcher = match asked.matching {
                Matching::Exact => Matcher::Exact(value),
                Matching::Contains => Matcher::Contains(value),
            };
            Ok(Filter { attribute: attribute(&asked.key, &asked.value)?, matcher })
        };
        asked.iter().map(filter).collect()
    }

    fn categories(&self) -> Result<Vec<Category>, Fault> {
        use Category::{Data, Insight, Management, NetworkActivity, Other};
        match self.event_category.as_deref() {
            None => Ok(vec![Management]),
            Some("All") => Ok(vec![Management, Data, NetworkActivity, Insight, Other]),
            Some(name) => match Category::of(name) {
                Other => {
                    let message = "EventCategory is Management, Data, NetworkActivity, Insight or All.";
                    Err(Fault::declared("InvalidEventCategoryException", message))
                }
                category => Ok(vec![category]),
            },
        }
    }
}

impl Described for LookupEvents {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "LookupEvents";

    /// The events of the region asked for; those of all regions are `*` there.
    fn resource(input: &Input, call: &Call) -> Result<String, Fault> {
        let region = input.region.as_deref().unwrap_or("*");
        Ok(format!("arn:aws:opentrail:{region}:{}:events", call.account))
    }
}

impl Read for LookupEvents {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let query = input.query(call)?;
        let page =
            call.rooms.archive.lookup(query).await.map_err(|e| Fault::of_archive(e, call.dialect()))?;
        Ok(Output {
            events: page.events.iter().map(EventShape::from).collect(),
            next_token: page.next.map(|token| token.to_string()),
        })
    }
}
