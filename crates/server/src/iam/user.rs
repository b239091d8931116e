//! Users.

use opentrail_identity::{
    User, entity,
    user::{self, NewUser},
};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    page::{More, Paging},
    shape::{TagShape, UserShape, tags},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read, Write},
};

/// The input of operations that take a user's name and nothing else.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneUser {
    user_name: String,
}

/// The answer of operations that show one user.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShowsUser {
    user: UserShape,
}

/// CreateUser
pub(super) struct CreateUser;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateUserInput {
    user_name: String,
    path: Option<String>,
    permissions_boundary: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl Described for CreateUser {
    type Input = CreateUserInput;
    type Output = ShowsUser;
    const NAME: &'static str = "CreateUser";

    fn resource(input: &CreateUserInput, call: &Call) -> Result<String, Fault> {
        let path = input.path.as_deref().unwrap_or("/");
        Ok(format!("arn:aws:iam::{}:user{path}{}", call.account, input.user_name))
    }
}

impl Write for CreateUser {
    fn act(input: CreateUserInput, call: &Call, tx: &mut Transaction) -> Result<ShowsUser, Fault> {
        let tags = tags(&input.tags);
        let new = NewUser {
            name: &input.user_name,
            path: input.path.as_deref(),
            tags: &tags,
            permissions_boundary: input.permissions_boundary.as_deref(),
        };
        let user = user::create(tx, call.account, &new, call.arrival.at).map_err(|e| call.refused(e))?;
        Ok(ShowsUser { user: UserShape::of(&user) })
    }
}

/// DeleteUser
pub(super) struct DeleteUser;

impl Described for DeleteUser {
    type Input = OneUser;
    type Output = ();
    const NAME: &'static str = "DeleteUser";

    fn resource(input: &OneUser, call: &Call) -> Result<String, Fault> {
        Ok(entity::arn_of::<User>(&call.rooms.state, call.account, &input.user_name))
    }
}

impl Write for DeleteUser {
    fn act(input: OneUser, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        user::delete(tx, call.account, &input.user_name).map_err(|e| call.refused(e))?;
        Ok(())
    }
}

/// GetUser: without a name, the caller's own.
pub(super) struct GetUser;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUserInput {
    user_name: Option<String>,
}

impl GetUserInput {
    fn name<'a>(&'a self, call: &'a Call) -> Result<&'a str, Fault> {
        self.user_name.as_deref().or_else(|| call.caller.principal.user_name()).ok_or_else(|| {
            call.fault(Common::Invalid, "Must specify userName when calling with non-User credentials")
        })
    }
}

impl Described for GetUser {
    type Input = GetUserInput;
    type Output = ShowsUser;
    const NAME: &'static str = "GetUser";

    fn resource(input: &GetUserInput, call: &Call) -> Result<String, Fault> {
        Ok(entity::arn_of::<User>(&call.rooms.state, call.account, input.name(call)?))
    }
}

impl Read for GetUser {
    async fn act(input: GetUserInput, call: &Call) -> Result<ShowsUser, Fault> {
        let user = user::get(&call.rooms.state, call.account, input.name(call)?).map_err(|e| call.refused(e))?;
        Ok(ShowsUser { user: UserShape::of(&user) })
    }
}

/// ListUsers
pub(super) struct ListUsers;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersInput {
    path_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersOutput {
    users: Vec<UserShape>,
    #[serde(flatten)]
    more: More,
}

impl Described for ListUsers {
    type Input = ListUsersInput;
    type Output = ListUsersOutput;
    const NAME: &'static str = "ListUsers";

    fn resource(input: &ListUsersInput, call: &Call) -> Result<String, Fault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        Ok(format!("arn:aws:iam::{}:user{prefix}", call.account))
    }
}

impl Read for ListUsers {
    async fn act(input: ListUsersInput, call: &Call) -> Result<ListUsersOutput, Fault> {
        let prefix = input.path_prefix.as_deref();
        let page = user::list(&call.rooms.state, call.account, prefix, input.paging.request())
            .map_err(|e| call.refused(e))?;
        Ok(ListUsersOutput {
            users: page.items.iter().map(|user| UserShape::listed(user)).collect(),
            more: page.next.into(),
        })
    }
}
