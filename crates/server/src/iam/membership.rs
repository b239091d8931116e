//! Users in groups.

use opentrail_identity::{Group, User, group};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{group::ListsGroups, page::Paging, shape::GroupShape, subject::Named};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The input of operations on one user in one group.
#[derive(Deserialize, Serialize)]
pub(super) struct Membership {
    #[serde(flatten)]
    group: Named<Group>,
    #[serde(flatten)]
    user: Named<User>,
}

/// AddUserToGroup
pub(super) struct AddUserToGroup;

impl Described for AddUserToGroup {
    type Input = Membership;
    type Output = ();
    const NAME: &'static str = "AddUserToGroup";

    fn resource(input: &Membership, call: &Call) -> Result<String, Fault> {
        Ok(input.group.arn(call))
    }
}

impl Write for AddUserToGroup {
    fn act(input: Membership, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        group::add_user(tx, call.account, input.group.name(), input.user.name()).map_err(|e| call.refused(e))
    }
}

/// RemoveUserFromGroup
pub(super) struct RemoveUserFromGroup;

impl Described for RemoveUserFromGroup {
    type Input = Membership;
    type Output = ();
    const NAME: &'static str = "RemoveUserFromGroup";

    fn resource(input: &Membership, call: &Call) -> Result<String, Fault> {
        Ok(input.group.arn(call))
    }
}

impl Write for RemoveUserFromGroup {
    fn act(input: Membership, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        group::remove_user(tx, call.account, input.group.name(), input.user.name())
            .map_err(|e| call.refused(e))
    }
}

/// ListGroupsForUser
pub(super) struct ListGroupsForUser;

#[derive(Deserialize, Serialize)]
pub(super) struct ListGroupsForUserInput {
    #[serde(flatten)]
    user: Named<User>,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for ListGroupsForUser {
    type Input = ListGroupsForUserInput;
    type Output = ListsGroups;
    const NAME: &'static str = "ListGroupsForUser";

    fn resource(input: &ListGroupsForUserInput, call: &Call) -> Result<String, Fault> {
        Ok(input.user.arn(call))
    }

    fn context(input: &ListGroupsForUserInput, call: &Call, context: &mut Context) {
        input.user.describe(call, context);
    }
}

impl Read for ListGroupsForUser {
    async fn act(input: ListGroupsForUserInput, call: &Call) -> Result<ListsGroups, Fault> {
        let page = group::of_user(&call.rooms.state, call.account, input.user.name(), input.paging.request())
            .map_err(|e| call.refused(e))?;
        let groups = page.items.iter().map(|group| GroupShape::from(&**group)).collect();
        Ok(ListsGroups { groups, more: page.next.into() })
    }
}
