//! GetInsightSelectors: no trail has Insights here, which is said as AWS says it of a trail without.

use serde::{Deserialize, Serialize};

use super::{refused, shape::trail_arn};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

pub(super) struct GetInsightSelectors;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    trail_name: Option<String>,
    event_data_store: Option<String>,
}

impl Described for GetInsightSelectors {
    type Input = Input;
    type Output = ();
    const NAME: &'static str = "GetInsightSelectors";

    fn resource(input: &Input, call: &Call) -> Result<String, Fault> {
        let named = input.trail_name.as_deref().or(input.event_data_store.as_deref());
        Ok(named.map_or_else(|| "*".to_owned(), |name| trail_arn(name, call)))
    }
}

impl Read for GetInsightSelectors {
    async fn act(input: Input, call: &Call) -> Result<(), Fault> {
        let name = match (input.trail_name, input.event_data_store) {
            (Some(name), None) => name,
            (None, Some(_)) => {
                let message = "opentrail has no Insights of event data stores.";
                return Err(Fault::declared("UnsupportedOperationException", message));
            }
            _ => {
                let message = "Specify either TrailName or EventDataStore.";
                return Err(Fault::declared("InvalidParameterCombinationException", message));
            }
        };
        let trail = call.rooms.trails.get(call.account, &call.region, &name).map_err(refused(call))?;
        let message = format!(
            "Trail {} does not have Insights enabled. Edit the trail settings to enable Insights, and then try \
             the operation again.",
            trail.arn()
        );
        Err(Fault::declared("InsightNotEnabledException", message))
    }
}
