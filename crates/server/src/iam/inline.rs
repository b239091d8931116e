//! Inline policies of users, groups and roles.

use std::marker::PhantomData;

use opentrail_identity::{Entity, Group, Role, User, inline};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    document::encoded,
    page::{More, Paging},
    subject::{Named, Subject},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// What has inline policies.
pub(super) trait HasInline: Subject + Entity {
    const OPERATIONS: Operations;
}

/// The names of the operations on inline policies.
pub(super) struct Operations {
    put: &'static str,
    get: &'static str,
    list: &'static str,
    delete: &'static str,
}

impl HasInline for User {
    const OPERATIONS: Operations = Operations {
        put: "PutUserPolicy",
        get: "GetUserPolicy",
        list: "ListUserPolicies",
        delete: "DeleteUserPolicy",
    };
}

impl HasInline for Group {
    const OPERATIONS: Operations = Operations {
        put: "PutGroupPolicy",
        get: "GetGroupPolicy",
        list: "ListGroupPolicies",
        delete: "DeleteGroupPolicy",
    };
}

impl HasInline for Role {
    const OPERATIONS: Operations = Operations {
        put: "PutRolePolicy",
        get: "GetRolePolicy",
        list: "ListRolePolicies",
        delete: "DeleteRolePolicy",
    };
}

/// PutUserPolicy, PutGroupPolicy, PutRolePolicy
pub(super) struct Put<T>(PhantomData<fn() -> T>);

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct PutInput<T> {
    #[serde(flatten)]
    of: Named<T>,
    policy_name: String,
    policy_document: String,
}

impl<T: HasInline> Described for Put<T> {
    type Input = PutInput<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.put;

    fn resource(input: &PutInput<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.of.arn(call))
    }

    fn context(input: &PutInput<T>, call: &Call, context: &mut Context) {
        input.of.describe(call, context);
    }
}

impl<T: HasInline> Write for Put<T> {
    fn act(input: PutInput<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        inline::put::<T>(tx, call.account, input.of.name(), &input.policy_name, &input.policy_document)
            .map_err(|e| call.refused(e))
    }
}

/// The input of operations on one inline policy.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct OnePolicy<T> {
    #[serde(flatten)]
    of: Named<T>,
    policy_name: String,
}

/// GetUserPolicy, GetGroupPolicy, GetRolePolicy
pub(super) struct Get<T>(PhantomData<fn() -> T>);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct GetOutput<T> {
    #[serde(flatten)]
    of: Named<T>,
    policy_name: String,
    policy_document: String,
}

impl<T: HasInline> Described for Get<T> {
    type Input = OnePolicy<T>;
    type Output = GetOutput<T>;
    const NAME: &'static str = T::OPERATIONS.get;

    fn resource(input: &OnePolicy<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.of.arn(call))
    }

    fn context(input: &OnePolicy<T>, call: &Call, context: &mut Context) {
        input.of.describe(call, context);
    }
}

impl<T: HasInline> Read for Get<T> {
    async fn act(input: OnePolicy<T>, call: &Call) -> Result<GetOutput<T>, Fault> {
        let OnePolicy { of, policy_name } = input;
        let policy = inline::get::<T>(&call.rooms.state, call.account, of.name(), &policy_name)
            .map_err(|e| call.refused(e))?;
        Ok(GetOutput { of, policy_name, policy_document: encoded(policy.as_str()) })
    }
}

/// ListUserPolicies, ListGroupPolicies, ListRolePolicies
pub(super) struct List<T>(PhantomData<fn() -> T>);

#[derive(Deserialize, Serialize)]
#[serde(bound = "T: Subject")]
pub(super) struct ListInput<T> {
    #[serde(flatten)]
    of: Named<T>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    policy_names: Vec<String>,
    #[serde(flatten)]
    more: More,
}

impl<T: HasInline> Described for List<T> {
    type Input = ListInput<T>;
    type Output = ListOutput;
    const NAME: &'static str = T::OPERATIONS.list;

    fn resource(input: &ListInput<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.of.arn(call))
    }

    fn context(input: &ListInput<T>, call: &Call, context: &mut Context) {
        input.of.describe(call, context);
    }
}

impl<T: HasInline> Read for List<T> {
    async fn act(input: ListInput<T>, call: &Call) -> Result<ListOutput, Fault> {
        let page =
            inline::list::<T>(&call.rooms.state, call.account, input.of.name(), input.paging.request())
                .map_err(|e| call.refused(e))?;
        Ok(ListOutput { policy_names: page.items, more: page.next.into() })
    }
}

/// DeleteUserPolicy, DeleteGroupPolicy, DeleteRolePolicy
pub(super) struct Delete<T>(PhantomData<fn() -> T>);

impl<T: HasInline> Described for Delete<T> {
    type Input = OnePolicy<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.delete;

    fn resource(input: &OnePolicy<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.of.arn(call))
    }

    fn context(input: &OnePolicy<T>, call: &Call, context: &mut Context) {
        input.of.describe(call, context);
    }
}

impl<T: HasInline> Write for Delete<T> {
    fn act(input: OnePolicy<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        inline::delete::<T>(tx, call.account, input.of.name(), &input.policy_name)
            .map_err(|e| call.refused(e))
    }
}
