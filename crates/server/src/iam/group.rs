//! Groups.

use opentrail_identity::{Group, group};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    page::{More, Paging},
    permission,
    shape::{GroupShape, UserShape},
    subject::Named,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// CreateGroup
pub(super) struct CreateGroup;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGroupInput {
    path: Option<String>,
    group_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGroupOutput {
    group: GroupShape,
}

impl Described for CreateGroup {
    type Input = CreateGroupInput;
    type Output = CreateGroupOutput;
    const NAME: &'static str = "CreateGroup";

    fn resource(input: &CreateGroupInput, call: &Call) -> Result<String, Fault> {
        let path = input.path.as_deref().unwrap_or("/");
        Ok(format!("arn:aws:iam::{}:group{path}{}", call.account, input.group_name))
    }
}

impl Write for CreateGroup {
    fn act(input: CreateGroupInput, call: &Call, tx: &mut Transaction) -> Result<CreateGroupOutput, Fault> {
        let CreateGroupInput { path, group_name } = input;
        let group = group::create(tx, call.account, &group_name, path.as_deref(), call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(CreateGroupOutput { group: GroupShape::from(&group) })
    }
}

/// GetGroup: the group and a page of its users.
pub(super) struct GetGroup;

#[derive(Deserialize, Serialize)]
pub(super) struct GetGroupInput {
    #[serde(flatten)]
    group: Named<Group>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetGroupOutput {
    group: GroupShape,
    users: Vec<UserShape>,
    #[serde(flatten)]
    more: More,
}

impl Described for GetGroup {
    type Input = GetGroupInput;
    type Output = GetGroupOutput;
    const NAME: &'static str = "GetGroup";

    fn resource(input: &GetGroupInput, call: &Call) -> Result<String, Fault> {
        Ok(input.group.arn(call))
    }
}

impl Read for GetGroup {
    async fn act(input: GetGroupInput, call: &Call) -> Result<GetGroupOutput, Fault> {
        let (docs, name) = (&call.rooms.state, input.group.name());
        let group = group::get(docs, call.account, name).map_err(|e| call.refused(e))?;
        let page =
            group::members(docs, call.account, name, input.paging.request()).map_err(|e| call.refused(e))?;
        Ok(GetGroupOutput {
            group: GroupShape::from(&*group),
            users: page.items.iter().map(|user| UserShape::listed(user)).collect(),
            more: page.next.into(),
        })
    }
}

/// ListGroups
pub(super) struct ListGroups;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGroupsInput {
    path_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

/// The answer of operations that list groups.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListsGroups {
    pub(super) groups: Vec<GroupShape>,
    #[serde(flatten)]
    pub(super) more: More,
}

impl Described for ListGroups {
    type Input = ListGroupsInput;
    type Output = ListsGroups;
    const NAME: &'static str = "ListGroups";

    fn resource(input: &ListGroupsInput, call: &Call) -> Result<String, Fault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        Ok(format!("arn:aws:iam::{}:group{prefix}", call.account))
    }
}

impl Read for ListGroups {
    async fn act(input: ListGroupsInput, call: &Call) -> Result<ListsGroups, Fault> {
        let prefix = input.path_prefix.as_deref();
        let page = group::list(&call.rooms.state, call.account, prefix, input.paging.request())
            .map_err(|e| call.refused(e))?;
        let groups = page.items.iter().map(|group| GroupShape::from(&**group)).collect();
        Ok(ListsGroups { groups, more: page.next.into() })
    }
}

/// UpdateGroup: permission is needed for the group as it is and as it will be.
pub(super) struct UpdateGroup;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateGroupInput {
    #[serde(flatten)]
    group: Named<Group>,
    new_path: Option<String>,
    new_group_name: Option<String>,
}

impl Described for UpdateGroup {
    type Input = UpdateGroupInput;
    type Output = ();
    const NAME: &'static str = "UpdateGroup";

    fn resource(input: &UpdateGroupInput, call: &Call) -> Result<String, Fault> {
        Ok(input.group.arn(call))
    }
}

impl Write for UpdateGroup {
    async fn prepare(input: &UpdateGroupInput, call: &Call) -> Result<(), Fault> {
        let Ok(group) = group::get(&call.rooms.state, call.account, input.group.name()) else {
            return Ok(());
        };
        let path = input.new_path.as_deref().unwrap_or(&group.path);
        let name = input.new_group_name.as_deref().unwrap_or(&group.name);
        let future = format!("arn:aws:iam::{}:group{path}{name}", call.account);
        permission::also(call, Self::NAME, &future, |_| ())
    }

    fn act(input: UpdateGroupInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let (name, path) = (input.new_group_name.as_deref(), input.new_path.as_deref());
        group::update(tx, call.account, input.group.name(), name, path).map_err(|e| call.refused(e))?;
        Ok(())
    }
}

/// DeleteGroup
pub(super) struct DeleteGroup;

impl Described for DeleteGroup {
    type Input = Named<Group>;
    type Output = ();
    const NAME: &'static str = "DeleteGroup";

    fn resource(input: &Named<Group>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }
}

impl Write for DeleteGroup {
    fn act(input: Named<Group>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        group::delete(tx, call.account, input.name()).map_err(|e| call.refused(e))?;
        Ok(())
    }
}
