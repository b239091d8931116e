//! StartLogging, StopLogging.

use opentrail_event::RecordResource;
use opentrail_state::Transaction;

use super::{
    organization, refused,
    shape::{OneTrail, trail_arn},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Write},
};

/// StartLogging
pub(super) struct StartLogging;

impl Described for StartLogging {
    type Input = OneTrail;
    type Output = ();
    const NAME: &'static str = "StartLogging";

    fn resource(input: &OneTrail, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.name, call))
    }

    fn touched(input: &OneTrail, call: &Call) -> Vec<RecordResource> {
        organization::trail_of_another(&input.name, call)
    }
}

impl Write for StartLogging {
    fn act(input: OneTrail, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let (rules, at) = (&call.rooms.trails, call.arrival.at);
        rules.start_logging(tx, call.account, &call.region, &input.name, at).map_err(refused(call))?;
        Ok(())
    }
}

/// StopLogging
pub(super) struct StopLogging;

impl Described for StopLogging {
    type Input = OneTrail;
    type Output = ();
    const NAME: &'static str = "StopLogging";

    fn resource(input: &OneTrail, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.name, call))
    }

    fn touched(input: &OneTrail, call: &Call) -> Vec<RecordResource> {
        organization::trail_of_another(&input.name, call)
    }
}

impl Write for StopLogging {
    fn act(input: OneTrail, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let (rules, at) = (&call.rooms.trails, call.arrival.at);
        rules.stop_logging(tx, call.account, &call.region, &input.name, at).map_err(refused(call))?;
        Ok(())
    }
}
