//! Roles.

use opentrail_identity::{
    Role,
    role::{self, NewRole},
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    page::{More, Paging},
    permission,
    shape::{RoleShape, TagShape, tags},
    subject::Named,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The answer of operations that show one role.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShowsRole {
    role: RoleShape,
}

/// CreateRole
pub(super) struct CreateRole;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateRoleInput {
    path: Option<String>,
    role_name: String,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: Option<u32>,
    permissions_boundary: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl CreateRoleInput {
    fn arn(&self, call: &Call) -> String {
        let path = self.path.as_deref().unwrap_or("/");
        format!("arn:aws:iam::{}:role{path}{}", call.account, self.role_name)
    }
}

impl Described for CreateRole {
    type Input = CreateRoleInput;
    type Output = ShowsRole;
    const NAME: &'static str = "CreateRole";

    fn resource(input: &CreateRoleInput, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &CreateRoleInput, _: &Call, context: &mut Context) {
        conditions::new_tags(context, &input.tags);
        conditions::new_boundary(context, input.permissions_boundary.as_deref());
    }
}

impl Write for CreateRole {
    async fn prepare(input: &CreateRoleInput, call: &Call) -> Result<(), Fault> {
        permission::tagging(call, "TagRole", &input.arn(call), &input.tags)
    }

    fn act(input: CreateRoleInput, call: &Call, tx: &mut Transaction) -> Result<ShowsRole, Fault> {
        let tags = tags(&input.tags);
        let new = NewRole {
            name: &input.role_name,
            path: input.path.as_deref(),
            trust_policy: &input.assume_role_policy_document,
            description: input.description.as_deref(),
            max_session_duration: input.max_session_duration,
            permissions_boundary: input.permissions_boundary.as_deref(),
            tags: &tags,
        };
        let role = role::create(tx, call.account, &new, call.arrival.at).map_err(|e| call.refused(e))?;
        Ok(ShowsRole { role: RoleShape::created(&role) })
    }
}

/// GetRole
pub(super) struct GetRole;

impl Described for GetRole {
    type Input = Named<Role>;
    type Output = ShowsRole;
    const NAME: &'static str = "GetRole";

    fn resource(input: &Named<Role>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<Role>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Read for GetRole {
    async fn act(input: Named<Role>, call: &Call) -> Result<ShowsRole, Fault> {
        let role = role::get(&call.rooms.state, call.account, input.name()).map_err(|e| call.refused(e))?;
        Ok(ShowsRole { role: RoleShape::used(&role, call.rooms.identity.role_last_used(&role)) })
    }
}

/// ListRoles
pub(super) struct ListRoles;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRolesInput {
    path_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRolesOutput {
    roles: Vec<RoleShape>,
    #[serde(flatten)]
    more: More,
}

impl Described for ListRoles {
    type Input = ListRolesInput;
    type Output = ListRolesOutput;
    const NAME: &'static str = "ListRoles";

    fn resource(input: &ListRolesInput, call: &Call) -> Result<String, Fault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        Ok(format!("arn:aws:iam::{}:role{prefix}", call.account))
    }
}

impl Read for ListRoles {
    async fn act(input: ListRolesInput, call: &Call) -> Result<ListRolesOutput, Fault> {
        let prefix = input.path_prefix.as_deref();
        let page = role::list(&call.rooms.state, call.account, prefix, input.paging.request())
            .map_err(|e| call.refused(e))?;
        let roles = page.items.iter().map(|role| RoleShape::listed(role)).collect();
        Ok(ListRolesOutput { roles, more: page.next.into() })
    }
}

/// UpdateRole: its description and its longest session.
pub(super) struct UpdateRole;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateRoleInput {
    #[serde(flatten)]
    role: Named<Role>,
    description: Option<String>,
    max_session_duration: Option<u32>,
}

/// An answer without members, which is not the same as no answer.
#[derive(Serialize)]
pub(super) struct UpdateRoleOutput {}

impl Described for UpdateRole {
    type Input = UpdateRoleInput;
    type Output = UpdateRoleOutput;
    const NAME: &'static str = "UpdateRole";

    fn resource(input: &UpdateRoleInput, call: &Call) -> Result<String, Fault> {
        Ok(input.role.arn(call))
    }

    fn context(input: &UpdateRoleInput, call: &Call, context: &mut Context) {
        input.role.describe(call, context);
    }
}

impl Write for UpdateRole {
    fn act(input: UpdateRoleInput, call: &Call, tx: &mut Transaction) -> Result<UpdateRoleOutput, Fault> {
        let description = input.description.as_deref();
        role::update(tx, call.account, input.role.name(), description, input.max_session_duration)
            .map_err(|e| call.refused(e))?;
        Ok(UpdateRoleOutput {})
    }
}

/// UpdateRoleDescription
pub(super) struct UpdateRoleDescription;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateRoleDescriptionInput {
    #[serde(flatten)]
    role: Named<Role>,
    description: String,
}

impl Described for UpdateRoleDescription {
    type Input = UpdateRoleDescriptionInput;
    type Output = ShowsRole;
    const NAME: &'static str = "UpdateRoleDescription";

    fn resource(input: &UpdateRoleDescriptionInput, call: &Call) -> Result<String, Fault> {
        Ok(input.role.arn(call))
    }

    fn context(input: &UpdateRoleDescriptionInput, call: &Call, context: &mut Context) {
        input.role.describe(call, context);
    }
}

impl Write for UpdateRoleDescription {
    fn act(input: UpdateRoleDescriptionInput, call: &Call, tx: &mut Transaction) -> Result<ShowsRole, Fault> {
        let role = role::update(tx, call.account, input.role.name(), Some(&input.description), None)
            .map_err(|e| call.refused(e))?;
        Ok(ShowsRole { role: RoleShape::of(&role) })
    }
}

/// UpdateAssumeRolePolicy: who may assume the role.
pub(super) struct UpdateAssumeRolePolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateAssumeRolePolicyInput {
    #[serde(flatten)]
    role: Named<Role>,
    policy_document: String,
}

impl Described for UpdateAssumeRolePolicy {
    type Input = UpdateAssumeRolePolicyInput;
    type Output = ();
    const NAME: &'static str = "UpdateAssumeRolePolicy";

    fn resource(input: &UpdateAssumeRolePolicyInput, call: &Call) -> Result<String, Fault> {
        Ok(input.role.arn(call))
    }

    fn context(input: &UpdateAssumeRolePolicyInput, call: &Call, context: &mut Context) {
        input.role.describe(call, context);
    }
}

impl Write for UpdateAssumeRolePolicy {
    fn act(input: UpdateAssumeRolePolicyInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        role::update_trust_policy(tx, call.account, input.role.name(), &input.policy_document)
            .map_err(|e| call.refused(e))
    }
}

/// DeleteRole
pub(super) struct DeleteRole;

impl Described for DeleteRole {
    type Input = Named<Role>;
    type Output = ();
    const NAME: &'static str = "DeleteRole";

    fn resource(input: &Named<Role>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<Role>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Write for DeleteRole {
    fn act(input: Named<Role>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        role::delete(tx, call.account, input.name()).map_err(|e| call.refused(e))?;
        Ok(())
    }
}
