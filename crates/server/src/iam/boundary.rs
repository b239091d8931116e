//! Permissions boundaries of users and roles.

use std::marker::PhantomData;

use opentrail_event::AccountId;
use opentrail_identity::{IdentityError, Role, User, role, user};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    subject::{Named, Subject},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Write},
};

/// What can be bounded.
pub(super) trait Bounded: Subject {
    const OPERATIONS: Operations;

    fn bound(
        tx: &mut Transaction,
        account: AccountId,
        name: &str,
        by: Option<&str>,
    ) -> Result<(), IdentityError>;
}

/// The names of the operations on boundaries.
pub(super) struct Operations {
    put: &'static str,
    delete: &'static str,
}

impl Bounded for User {
    const OPERATIONS: Operations =
        Operations { put: "PutUserPermissionsBoundary", delete: "DeleteUserPermissionsBoundary" };

    fn bound(
        tx: &mut Transaction,
        account: AccountId,
        name: &str,
        by: Option<&str>,
    ) -> Result<(), IdentityError> {
        user::set_permissions_boundary(tx, account, name, by)
    }
}

impl Bounded for Role {
    const OPERATIONS: Operations =
        Operations { put: "PutRolePermissionsBoundary", delete: "DeleteRolePermissionsBoundary" };

    fn bound(
        tx: &mut Transaction,
        account: AccountId,
        name: &str,
        by: Option<&str>,
    ) -> Result<(), IdentityError> {
        role::set_permissions_boundary(tx, account, name, by)
    }
}

/// PutUserPermissionsBoundary, PutRolePermissionsBoundary
pub(super) struct Put<T>(PhantomData<fn() -> T>);

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct PutInput<T> {
    #[serde(flatten)]
    of: Named<T>,
    permissions_boundary: String,
}

impl<T: Bounded> Described for Put<T> {
    type Input = PutInput<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.put;

    fn resource(input: &PutInput<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.of.arn(call))
    }

    /// A condition on the boundary is about the new one here.
    fn context(input: &PutInput<T>, call: &Call, context: &mut Context) {
        input.of.describe(call, context);
        conditions::new_boundary(context, Some(&input.permissions_boundary));
    }
}

impl<T: Bounded> Write for Put<T> {
    fn act(input: PutInput<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        T::bound(tx, call.account, input.of.name(), Some(&input.permissions_boundary))
            .map_err(|e| call.refused(e))
    }
}

/// DeleteUserPermissionsBoundary, DeleteRolePermissionsBoundary
pub(super) struct Delete<T>(PhantomData<fn() -> T>);

impl<T: Bounded> Described for Delete<T> {
    type Input = Named<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.delete;

    fn resource(input: &Named<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<T>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl<T: Bounded> Write for Delete<T> {
    fn act(input: Named<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        T::bound(tx, call.account, input.name(), None).map_err(|e| call.refused(e))
    }
}
