//! PutEventSelectors, GetEventSelectors.

use opentrail_event::RecordResource;
use opentrail_selector::{AdvancedEventSelector, DataResource, EventSelector, InvalidSelectors, Selectors};
use opentrail_state::Transaction;
use opentrail_trails::{Trail, TrailError};
use serde::{Deserialize, Serialize};

use super::{organization, refused, shape::trail_arn};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The selectors of a trail, of the kind it has.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TrailSelectors {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    event_selectors: Option<Vec<EventSelector>>,
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>>,
}

impl From<&Trail> for TrailSelectors {
    fn from(trail: &Trail) -> Self {
        let (basic, advanced) = match trail.selectors.clone() {
            Selectors::Basic(list) => (Some(list), None),
            Selectors::Advanced(list) => (None, Some(list)),
        };
        let trail_arn = trail.arn().to_string();
        Self { trail_arn, event_selectors: basic, advanced_event_selectors: advanced }
    }
}

/// PutEventSelectors
pub(super) struct PutEventSelectors;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEventSelectorsInput {
    #[serde(default)]
    trail_name: String,
    event_selectors: Option<Vec<BasicShape>>,
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>>,
}

/// `EventSelector`, before its read-write type was checked.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BasicShape {
    read_write_type: Option<String>,
    include_management_events: Option<bool>,
    data_resources: Option<Vec<DataResourceShape>>,
    exclude_management_event_sources: Option<Vec<String>>,
}

/// `DataResource`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DataResourceShape {
    r#type: Option<String>,
    values: Option<Vec<String>>,
}

impl TryFrom<BasicShape> for EventSelector {
    type Error = InvalidSelectors;

    fn try_from(shape: BasicShape) -> Result<Self, InvalidSelectors> {
        let defaults = Self::default();
        let read_write_type = shape.read_write_type.map(|text| text.parse()).transpose()?;
        let resource = |resource: DataResourceShape| DataResource {
            kind: resource.r#type.unwrap_or_default(),
            values: resource.values.unwrap_or_default(),
        };
        Ok(Self {
            read_write_type: read_write_type.unwrap_or(defaults.read_write_type),
            include_management_events: shape
                .include_management_events
                .unwrap_or(defaults.include_management_events),
            data_resources: shape.data_resources.unwrap_or_default().into_iter().map(resource).collect(),
            exclude_management_event_sources: shape.exclude_management_event_sources.unwrap_or_default(),
        })
    }
}

impl Described for PutEventSelectors {
    type Input = PutEventSelectorsInput;
    type Output = TrailSelectors;
    const NAME: &'static str = "PutEventSelectors";

    fn resource(input: &PutEventSelectorsInput, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.trail_name, call))
    }

    fn touched(input: &PutEventSelectorsInput, call: &Call) -> Vec<RecordResource> {
        organization::trail_of_another(&input.trail_name, call)
    }
}

impl Write for PutEventSelectors {
    fn act(
        input: PutEventSelectorsInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<TrailSelectors, Fault> {
        let basic = input
            .event_selectors
            .map(|list| list.into_iter().map(EventSelector::try_from).collect::<Result<Vec<_>, _>>())
            .transpose();
        let selectors = basic
            .and_then(|basic| Selectors::of_request(basic, input.advanced_event_selectors))
            .map_err(|invalid| refused(call)(TrailError::from(invalid)))?;
        let (rules, at) = (&call.rooms.trails, call.arrival.at);
        let trail = rules
            .put_selectors(tx, call.account, &call.region, &input.trail_name, selectors, at)
            .map_err(refused(call))?;
        Ok(TrailSelectors::from(&trail))
    }
}

/// GetEventSelectors
pub(super) struct GetEventSelectors;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetEventSelectorsInput {
    #[serde(default)]
    trail_name: String,
}

impl Described for GetEventSelectors {
    type Input = GetEventSelectorsInput;
    type Output = TrailSelectors;
    const NAME: &'static str = "GetEventSelectors";

    fn resource(input: &GetEventSelectorsInput, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.trail_name, call))
    }
}

impl Read for GetEventSelectors {
    async fn act(input: GetEventSelectorsInput, call: &Call) -> Result<TrailSelectors, Fault> {
        let rules = &call.rooms.trails;
        let trail = rules.get(call.account, &call.region, &input.trail_name).map_err(refused(call))?;
        Ok(TrailSelectors::from(&*trail))
    }
}
