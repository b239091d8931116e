//! GetTrail, DescribeTrails, ListTrails.

use opentrail_trails::Trail;
use serde::{Deserialize, Serialize};

use super::{
    refused,
    shape::{OneTrail, TrailShape, trail_arn},
    token,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read},
};

/// Most trails in an answer of ListTrails. Ours; AWS does not document its own.
const TRAILS_PER_PAGE: usize = 50;

/// `Trail`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SeenTrail {
    #[serde(flatten)]
    trail: TrailShape,
    home_region: String,
    has_custom_event_selectors: bool,
    has_insight_selectors: bool,
}

impl From<&Trail> for SeenTrail {
    fn from(trail: &Trail) -> Self {
        Self {
            trail: trail.into(),
            home_region: trail.home_region.to_string(),
            has_custom_event_selectors: trail.has_custom_event_selectors(),
            has_insight_selectors: false,
        }
    }
}

/// GetTrail
pub(super) struct GetTrail;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTrailOutput {
    trail: SeenTrail,
}

impl Described for GetTrail {
    type Input = OneTrail;
    type Output = GetTrailOutput;
    const NAME: &'static str = "GetTrail";

    fn resource(input: &OneTrail, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.name, call))
    }
}

impl Read for GetTrail {
    async fn act(input: OneTrail, call: &Call) -> Result<GetTrailOutput, Fault> {
        let trail = call.rooms.trails.get(call.account, &call.region, &input.name).map_err(refused(call))?;
        Ok(GetTrailOutput { trail: SeenTrail::from(&*trail) })
    }
}

/// DescribeTrails
pub(super) struct DescribeTrails;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTrailsInput {
    trail_name_list: Option<Vec<String>>,
    include_shadow_trails: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTrailsOutput {
    trail_list: Vec<SeenTrail>,
}

impl Described for DescribeTrails {
    type Input = DescribeTrailsInput;
    type Output = DescribeTrailsOutput;
    const NAME: &'static str = "DescribeTrails";
}

impl Read for DescribeTrails {
    async fn act(input: DescribeTrailsInput, call: &Call) -> Result<DescribeTrailsOutput, Fault> {
        let names = input.trail_name_list.unwrap_or_default();
        let shadows = input.include_shadow_trails.unwrap_or(true);
        let rules = &call.rooms.trails;
        let trails = rules.describe(call.account, &call.region, &names, shadows).map_err(refused(call))?;
        Ok(DescribeTrailsOutput {
            trail_list: trails.iter().map(|trail| SeenTrail::from(&**trail)).collect(),
        })
    }
}

/// ListTrails: those of every region.
pub(super) struct ListTrails;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTrailsInput {
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTrailsOutput {
    trails: Vec<TrailInfo>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TrailInfo {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    name: String,
    home_region: String,
}

impl Described for ListTrails {
    type Input = ListTrailsInput;
    type Output = ListTrailsOutput;
    const NAME: &'static str = "ListTrails";
}

impl Read for ListTrails {
    async fn act(input: ListTrailsInput, call: &Call) -> Result<ListTrailsOutput, Fault> {
        let invalid = || call.fault(Common::Invalid, "The NextToken is not one that ListTrails gave.");
        let after = input.next_token.map(|token| token::read(&token).ok_or_else(invalid)).transpose()?;
        let mut trails = call.rooms.trails.list(call.account);
        if let Some(after) = after {
            trails.retain(|trail| trail.id() > after);
        }
        let more = trails.len() > TRAILS_PER_PAGE;
        trails.truncate(TRAILS_PER_PAGE);
        let info = |trail: &Trail| TrailInfo {
            trail_arn: trail.arn().to_string(),
            name: trail.name.to_string(),
            home_region: trail.home_region.to_string(),
        };
        Ok(ListTrailsOutput {
            next_token: trails.last().filter(|_| more).map(|trail| token::after(&trail.id())),
            trails: trails.iter().map(|trail| info(trail)).collect(),
        })
    }
}
