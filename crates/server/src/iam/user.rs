//! Users.

use opentrail_identity::{
    User,
    user::{self, NewUser},
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    page::{More, Paging},
    permission,
    shape::{TagShape, UserShape, tags},
    subject::Named,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read, Write},
};

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
    path: Option<String>,
    user_name: String,
    permissions_boundary: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl CreateUserInput {
    fn arn(&self, call: &Call) -> String {
        let path = self.path.as_deref().unwrap_or("/");
        format!("arn:aws:iam::{}:user{path}{}", call.account, self.user_name)
    }
}

impl Described for CreateUser {
    type Input = CreateUserInput;
    type Output = ShowsUser;
    const NAME: &'static str = "CreateUser";

    fn resource(input: &CreateUserInput, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &CreateUserInput, _: &Call, context: &mut Context) {
        conditions::new_tags(context, &input.tags);
        conditions::new_boundary(context, input.permissions_boundary.as_deref());
    }
}

impl Write for CreateUser {
    async fn prepare(input: &CreateUserInput, call: &Call) -> Result<(), Fault> {
        permission::tagging(call, "TagUser", &input.arn(call), &input.tags)
    }

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

/// GetUser: without a name, the caller's own.
pub(super) struct GetUser;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUserInput {
    user_name: Option<String>,
}

impl GetUserInput {
    fn user(&self, call: &Call) -> Result<Named<User>, Fault> {
        let name = self.user_name.as_deref().or_else(|| call.caller.principal.user_name());
        name.map(Named::new).ok_or_else(|| {
            call.fault(Common::Invalid, "Must specify userName when calling with non-User credentials")
        })
    }
}

impl Described for GetUser {
    type Input = GetUserInput;
    type Output = ShowsUser;
    const NAME: &'static str = "GetUser";

    fn resource(input: &GetUserInput, call: &Call) -> Result<String, Fault> {
        Ok(input.user(call)?.arn(call))
    }

    fn context(input: &GetUserInput, call: &Call, context: &mut Context) {
        if let Ok(user) = input.user(call) {
            user.describe(call, context);
        }
    }
}

impl Read for GetUser {
    async fn act(input: GetUserInput, call: &Call) -> Result<ShowsUser, Fault> {
        let named = input.user(call)?;
        let user = user::get(&call.rooms.state, call.account, named.name()).map_err(|e| call.refused(e))?;
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
        let users = page.items.iter().map(|user| UserShape::listed(user)).collect();
        Ok(ListUsersOutput { users, more: page.next.into() })
    }
}

/// UpdateUser: permission is needed for the user as it is and as it will be.
pub(super) struct UpdateUser;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateUserInput {
    #[serde(flatten)]
    user: Named<User>,
    new_path: Option<String>,
    new_user_name: Option<String>,
}

impl Described for UpdateUser {
    type Input = UpdateUserInput;
    type Output = ();
    const NAME: &'static str = "UpdateUser";

    fn resource(input: &UpdateUserInput, call: &Call) -> Result<String, Fault> {
        Ok(input.user.arn(call))
    }

    fn context(input: &UpdateUserInput, call: &Call, context: &mut Context) {
        input.user.describe(call, context);
    }
}

impl Write for UpdateUser {
    async fn prepare(input: &UpdateUserInput, call: &Call) -> Result<(), Fault> {
        let Ok(user) = user::get(&call.rooms.state, call.account, input.user.name()) else { return Ok(()) };
        let path = input.new_path.as_deref().unwrap_or(&user.path);
        let name = input.new_user_name.as_deref().unwrap_or(&user.name);
        let future = format!("arn:aws:iam::{}:user{path}{name}", call.account);
        permission::also(call, Self::NAME, &future, |context| input.user.describe(call, context))
    }

    fn act(input: UpdateUserInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let (name, path) = (input.new_user_name.as_deref(), input.new_path.as_deref());
        user::update(tx, call.account, input.user.name(), name, path).map_err(|e| call.refused(e))?;
        Ok(())
    }
}

/// DeleteUser
pub(super) struct DeleteUser;

impl Described for DeleteUser {
    type Input = Named<User>;
    type Output = ();
    const NAME: &'static str = "DeleteUser";

    fn resource(input: &Named<User>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<User>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Write for DeleteUser {
    fn act(input: Named<User>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        user::delete(tx, call.account, input.name()).map_err(|e| call.refused(e))?;
        Ok(())
    }
}
