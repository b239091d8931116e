//! Organizational units: CreateOrganizationalUnit, UpdateOrganizationalUnit, DeleteOrganizationalUnit,
//! DescribeOrganizationalUnit, ListOrganizationalUnitsForParent.

use opentrail_identity::organization::unit;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    access,
    page::Paging,
    refused,
    shape::{TagShape, UnitShape, tags},
    tagging,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneUnit {
    organizational_unit: UnitShape,
}

/// The input of operations on one unit.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneId {
    organizational_unit_id: String,
}

/// CreateOrganizationalUnit
pub(super) struct CreateOrganizationalUnit;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    parent_id: String,
    name: String,
    tags: Option<Vec<TagShape>>,
}

impl Described for CreateOrganizationalUnit {
    type Input = CreateInput;
    type Output = OneUnit;
    const NAME: &'static str = "CreateOrganizationalUnit";

    fn resource(input: &CreateInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.parent_id))
    }

    fn context(input: &CreateInput, _: &Call, context: &mut Context) {
        tagging::set_request_tags(context, input.tags.as_deref());
    }
}

impl Write for CreateOrganizationalUnit {
    async fn prepare(input: &CreateInput, call: &Call) -> Result<(), Fault> {
        tagging::permit_with_creation(input.tags.as_deref(), call)
    }

    fn act(input: CreateInput, call: &Call, tx: &mut Transaction) -> Result<OneUnit, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let tags = tags(input.tags.as_deref());
        let unit = unit::create(tx, &organization, &input.parent_id, &input.name, &tags).map_err(refused)?;
        Ok(OneUnit { organizational_unit: UnitShape::of(&organization, &unit, tx) })
    }
}

/// UpdateOrganizationalUnit
pub(super) struct UpdateOrganizationalUnit;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    organizational_unit_id: String,
    name: Option<String>,
}

impl Described for UpdateOrganizationalUnit {
    type Input = UpdateInput;
    type Output = OneUnit;
    const NAME: &'static str = "UpdateOrganizationalUnit";

    fn resource(input: &UpdateInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.organizational_unit_id))
    }

    fn context(input: &UpdateInput, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.organizational_unit_id);
    }
}

impl Write for UpdateOrganizationalUnit {
    fn act(input: UpdateInput, call: &Call, tx: &mut Transaction) -> Result<OneUnit, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let (id, name) = (&input.organizational_unit_id, input.name.as_deref());
        let unit = unit::rename(tx, &organization, id, name).map_err(refused)?;
        Ok(OneUnit { organizational_unit: UnitShape::of(&organization, &unit, tx) })
    }
}

/// DeleteOrganizationalUnit
pub(super) struct DeleteOrganizationalUnit;

impl Described for DeleteOrganizationalUnit {
    type Input = OneId;
    type Output = ();
    const NAME: &'static str = "DeleteOrganizationalUnit";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.organizational_unit_id))
    }

    fn context(input: &OneId, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.organizational_unit_id);
    }
}

impl Write for DeleteOrganizationalUnit {
    fn act(input: OneId, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let id = &input.organizational_unit_id;
        unit::delete(tx, &organization, id, call.arrival.at).map_err(refused)
    }
}

/// DescribeOrganizationalUnit
pub(super) struct DescribeOrganizationalUnit;

impl Described for DescribeOrganizationalUnit {
    type Input = OneId;
    type Output = OneUnit;
    const NAME: &'static str = "DescribeOrganizationalUnit";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.organizational_unit_id))
    }

    fn context(input: &OneId, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.organizational_unit_id);
    }
}

impl Read for DescribeOrganizationalUnit {
    async fn act(input: OneId, call: &Call) -> Result<OneUnit, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let unit = unit::get(docs, &organization, &input.organizational_unit_id).map_err(refused)?;
        Ok(OneUnit { organizational_unit: UnitShape::of(&organization, &unit, docs) })
    }
}

/// ListOrganizationalUnitsForParent
pub(super) struct ListOrganizationalUnitsForParent;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForParent {
    parent_id: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Units {
    organizational_units: Vec<UnitShape>,
    next_token: Option<String>,
}

impl Described for ListOrganizationalUnitsForParent {
    type Input = ForParent;
    type Output = Units;
    const NAME: &'static str = "ListOrganizationalUnitsForParent";

    fn resource(input: &ForParent, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.parent_id))
    }
}

impl Read for ListOrganizationalUnitsForParent {
    async fn act(input: ForParent, call: &Call) -> Result<Units, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        unit::check_parent(docs, &organization, &input.parent_id).map_err(refused)?;
        let units = unit::units_in(docs, &organization, &input.parent_id);
        let (page, next_token) = input.paging.cut(units, |unit| unit.id.clone())?;
        let organizational_units = page.iter().map(|unit| UnitShape::of(&organization, unit, docs)).collect();
        Ok(Units { organizational_units, next_token })
    }
}
