//! Roles that belong to services.

use opentrail_identity::{
    Role,
    service_linked_role::{self, RoleUsage},
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{shape::RoleShape, subject::Named};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// CreateServiceLinkedRole
pub(super) struct CreateServiceLinkedRole;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateServiceLinkedRoleInput {
    #[serde(rename = "AWSServiceName")]
    service: String,
    description: Option<String>,
    custom_suffix: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateServiceLinkedRoleOutput {
    role: RoleShape,
}

impl Described for CreateServiceLinkedRole {
    type Input = CreateServiceLinkedRoleInput;
    type Output = CreateServiceLinkedRoleOutput;
    const NAME: &'static str = "CreateServiceLinkedRole";

    fn resource(input: &CreateServiceLinkedRoleInput, call: &Call) -> Result<String, Fault> {
        Ok(service_linked_role::arn(call.account, &input.service))
    }

    fn context(input: &CreateServiceLinkedRoleInput, _: &Call, context: &mut Context) {
        context.set("iam:AWSServiceName", input.service.as_str());
    }
}

impl Write for CreateServiceLinkedRole {
    fn act(
        input: CreateServiceLinkedRoleInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<CreateServiceLinkedRoleOutput, Fault> {
        let (description, suffix) = (input.description.as_deref(), input.custom_suffix.as_deref());
        let (account, at) = (call.account, call.arrival.at);
        let role = service_linked_role::create(tx, account, &input.service, description, suffix, at)
            .map_err(|e| call.refused(e))?;
        Ok(CreateServiceLinkedRoleOutput { role: RoleShape::created(&role) })
    }
}

/// DeleteServiceLinkedRole
pub(super) struct DeleteServiceLinkedRole;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteServiceLinkedRoleOutput {
    deletion_task_id: String,
}

impl Described for DeleteServiceLinkedRole {
    type Input = Named<Role>;
    type Output = DeleteServiceLinkedRoleOutput;
    const NAME: &'static str = "DeleteServiceLinkedRole";

    fn resource(input: &Named<Role>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<Role>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Write for DeleteServiceLinkedRole {
    fn act(
        input: Named<Role>,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<DeleteServiceLinkedRoleOutput, Fault> {
        let deleted = service_linked_role::delete(tx, call.account, input.name(), call.arrival.at);
        let deletion_task_id = deleted.map_err(|e| call.refused(e))?;
        Ok(DeleteServiceLinkedRoleOutput { deletion_task_id })
    }
}

/// GetServiceLinkedRoleDeletionStatus
pub(super) struct GetServiceLinkedRoleDeletionStatus;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetServiceLinkedRoleDeletionStatusInput {
    deletion_task_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetServiceLinkedRoleDeletionStatusOutput {
    status: &'static str,
    reason: Option<ReasonShape>,
}

/// `DeletionTaskFailureReasonType`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReasonShape {
    reason: &'static str,
    role_usage_list: Vec<UsageShape>,
}

/// `RoleUsageType`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsageShape {
    region: String,
    resources: Vec<String>,
}

impl From<RoleUsage> for UsageShape {
    fn from(usage: RoleUsage) -> Self {
        Self { region: usage.region, resources: usage.resources }
    }
}

impl Described for GetServiceLinkedRoleDeletionStatus {
    type Input = GetServiceLinkedRoleDeletionStatusInput;
    type Output = GetServiceLinkedRoleDeletionStatusOutput;
    const NAME: &'static str = "GetServiceLinkedRoleDeletionStatus";

    fn resource(input: &Self::Input, call: &Call) -> Result<String, Fault> {
        Ok(service_linked_role::arn_of_task(call.account, &input.deletion_task_id))
    }
}

impl Read for GetServiceLinkedRoleDeletionStatus {
    async fn act(
        input: GetServiceLinkedRoleDeletionStatusInput,
        call: &Call,
    ) -> Result<GetServiceLinkedRoleDeletionStatusOutput, Fault> {
        let (state, id) = (&call.rooms.state, &input.deletion_task_id);
        let deletion = service_linked_role::deletion(state, call.account, id).map_err(|e| call.refused(e))?;
        if deletion.usage.is_empty() {
            return Ok(GetServiceLinkedRoleDeletionStatusOutput { status: "SUCCEEDED", reason: None });
        }
        let role_usage_list = deletion.usage.into_iter().map(UsageShape::from).collect();
        let reason = ReasonShape { reason: "The role is in use.", role_usage_list };
        Ok(GetServiceLinkedRoleDeletionStatusOutput { status: "FAILED", reason: Some(reason) })
    }
}
