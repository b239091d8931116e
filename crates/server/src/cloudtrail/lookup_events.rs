//! LookupEvents: the event history of one region.

use opentrail_archive::{Attribute, Filter, LookupQuery, Matcher};
use opentrail_event::{Category, Event};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// Most events in an answer, and how many there are without MaxResults (AWS: LookupEvents).
const MAX_RESULTS: i64 = 50;
/// Longest value of an attribute in characters (AWS: LookupAttribute).
const MAX_VALUE: usize = 2000;

/// `Event`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EventShape {
    event_id: String,
    event_name: String,
    read_only: Option<&'static str>,
    access_key_id: Option<String>,
    event_time: Timestamp,
    event_source: String,
    username: Option<String>,
    resources: Vec<Resource>,
    cloud_trail_event: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    resource_type: Option<String>,
    resource_name: String,
}

impl From<&Event> for EventShape {
    fn from(event: &Event) -> Self {
        let resources = event.resources().into_iter();
        Self {
            event_id: event.id().to_owned(),
            event_name: event.name().to_owned(),
            read_only: event.read_only().map(|yes| if yes { "true" } else { "false" }),
            access_key_id: event.access_key_id().map(str::to_owned),
            event_time: event.time().into(),
            event_source: event.source().to_owned(),
            username: event.user_name().map(|name| name.into_owned()),
            resources: resources
                .map(|resource| Resource { resource_type: resource.kind, resource_name: resource.name })
                .collect(),
            cloud_trail_event: event.raw_str().to_owned(),
        }
    }
}

/// The attribute of this name, if it may have this value.
pub(crate) fn attribute(name: &str, value: &str) -> Result<Attribute, Fault> {
    let invalid = |message: String| Fault::declared("InvalidLookupAttributesException", message);
    let attribute: Attribute = name.parse().map_err(|_| {
        let name: String = name.chars().take(64).collect();
        invalid(format!("{name} is not an attribute by which events can be looked up."))
    })?;
    if !(1..=MAX_VALUE).contains(&value.chars().count()) {
        return Err(invalid(format!("The value of {name} must have 1 to {MAX_VALUE} characters.")));
    }
    Ok(attribute)
}

pub(super) struct LookupEvents;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    lookup_attributes: Option<Vec<LookupAttribute>>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    event_category: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LookupAttribute {
    attribute_key: String,
    attribute_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    events: Vec<EventShape>,
    next_token: Option<String>,
}

impl Input {
    fn query(&self, call: &Call) -> Result<LookupQuery, Fault> {
        let mut query = LookupQuery::new(call.account, call.arrival.at);
        query.region = Some(call.region.clone());
        query.attributes = self.filters()?;
        query.categories = vec![self.category()?];
        query.from = self.start_time.map(|time| time.0);
        query.to = self.end_time.map(|time| time.0);
        query.limit = self.limit()?;
        query.after = self.next_token.as_deref().map(str::parse).transpose().map_err(|_| {
            Fault::declared("InvalidNextTokenException", "The NextToken is not one that LookupEvents gave.")
        })?;
        Ok(query)
    }

    fn filters(&self) -> Result<Vec<Filter>, Fault> {
        let asked = self.lookup_attributes.as_deref().unwrap_or_default();
        if asked.len() > 1 {
            let message = "LookupAttributes can have only one attribute.";
            return Err(Fault::declared("InvalidLookupAttributesException", message));
        }
        let filter = |asked: &LookupAttribute| {
            let attribute = attribute(&asked.attribute_key, &asked.attribute_value)?;
            Ok(Filter { attribute, matcher: Matcher::Exact(asked.attribute_value.clone()) })
        };
        asked.iter().map(filter).collect()
    }

    fn category(&self) -> Result<Category, Fault> {
        match self.event_category.as_deref() {
            None => Ok(Category::Management),
            Some("insight") => Ok(Category::Insight),
            Some(_) => {
                let message = "The only event category that can be asked for is insight.";
                Err(Fault::declared("InvalidEventCategoryException", message))
            }
        }
    }

    fn limit(&self) -> Result<usize, Fault> {
        let asked = self.max_results.unwrap_or(MAX_RESULTS);
        usize::try_from(asked).ok().filter(|_| (1..=MAX_RESULTS).contains(&asked)).ok_or_else(|| {
            let message = format!("MaxResults must be between 1 and {MAX_RESULTS}.");
            Fault::declared("InvalidMaxResultsException", message)
        })
    }
}

impl Described for LookupEvents {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "LookupEvents";
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
