//! CreateOrganization, DescribeOrganization, DeleteOrganization, LeaveOrganization.

use opentrail_event::EventError;
use opentrail_identity::organization::{self, FeatureSet, in_use, member, refusal::InvalidReason};
use opentrail_state::{OwnedEvent, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    happening::{Happening, With, events},
    invalid, refused,
    shape::{OrganizationShape, hide},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The input of operations that take nothing.
#[derive(Deserialize, Serialize)]
pub(super) struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneOrganization {
    organization: OrganizationShape,
}

/// CreateOrganization
pub(super) struct CreateOrganization;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    feature_set: Option<String>,
}

impl Described for CreateOrganization {
    type Input = CreateInput;
    type Output = With<OneOrganization>;
    const NAME: &'static str = "CreateOrganization";

    fn amend_elements(elements: &mut Value) {
        hide(elements, &["masterAccountEmail"]);
    }
}

impl Write for CreateOrganization {
    fn act(input: CreateInput, call: &Call, tx: &mut Transaction) -> Result<With<OneOrganization>, Fault> {
        let feature_set = match input.feature_set.as_deref() {
            None | Some("ALL") => FeatureSet::All,
            Some("CONSOLIDATED_BILLING") => FeatureSet::ConsolidatedBilling,
            Some(_) => {
                return Err(invalid(InvalidReason::InvalidEnum, "You specified an invalid feature set."));
            }
        };
        let at = call.arrival.at;
        let made = organization::create(tx, call.account, feature_set, at).map_err(refused)?;
        Ok(With {
            answer: OneOrganization { organization: OrganizationShape::of(&made, tx) },
            happenings: vec![Happening::joined(call.account, call.account, "INVITED", at)],
        })
    }

    fn also(output: &With<OneOrganization>, call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        events(&output.happenings, call)
    }
}

/// DescribeOrganization: every account of an organization may.
pub(super) struct DescribeOrganization;

impl Described for DescribeOrganization {
    type Input = Nothing;
    type Output = OneOrganization;
    const NAME: &'static str = "DescribeOrganization";
}

impl Read for DescribeOrganization {
    async fn act(_: Nothing, call: &Call) -> Result<OneOrganization, Fault> {
        let docs = &call.rooms.state;
        let organization = in_use(docs, call.account).map_err(refused)?;
        Ok(OneOrganization { organization: OrganizationShape::of(&organization, docs) })
    }
}

/// DeleteOrganization
pub(super) struct DeleteOrganization;

impl Described for DeleteOrganization {
    type Input = Nothing;
    type Output = With<()>;
    const NAME: &'static str = "DeleteOrganization";
}

impl Write for DeleteOrganization {
    fn act(_: Nothing, call: &Call, tx: &mut Transaction) -> Result<With<()>, Fault> {
        let at = call.arrival.at;
        organization::delete(tx, call.account, at).map_err(refused)?;
        Ok(With { answer: (), happenings: vec![Happening::departed(call.account, call.account, "LEFT", at)] })
    }

    fn also(output: &With<()>, call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        events(&output.happenings, call)
    }
}

/// LeaveOrganization
pub(super) struct LeaveOrganization;

impl Described for LeaveOrganization {
    type Input = Nothing;
    type Output = With<()>;
    const NAME: &'static str = "LeaveOrganization";
}

impl Write for LeaveOrganization {
    fn act(_: Nothing, call: &Call, tx: &mut Transaction) -> Result<With<()>, Fault> {
        let at = call.arrival.at;
        let left = member::leave(tx, call.account, at).map_err(refused)?;
        let departed = Happening::departed(left.management_account, call.account, "LEFT", at);
        Ok(With { answer: (), happenings: vec![departed] })
    }

    fn also(output: &With<()>, call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        events(&output.happenings, call)
    }
}
