//! Managed policies attached to users, groups and roles.

use std::marker::PhantomData;

use opentrail_identity::{Entity, Group, Role, User, attach};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    page::{More, Paging},
    shape::AttachedShape,
    subject::{Named, Subject},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// What managed policies are attached to.
pub(super) trait HasAttached: Subject + Entity {
    const OPERATIONS: Operations;
}

/// The names of the operations on attachments.
pub(super) struct Operations {
    attach: &'static str,
    detach: &'static str,
    list: &'static str,
}

impl HasAttached for User {
    const OPERATIONS: Operations = Operations {
        attach: "AttachUserPolicy",
        detach: "DetachUserPolicy",
        list: "ListAttachedUserPolicies",
    };
}

impl HasAttached for Group {
    const OPERATIONS: Operations = Operations {
        attach: "AttachGroupPolicy",
        detach: "DetachGroupPolicy",
        list: "ListAttachedGroupPolicies",
    };
}

impl HasAttached for Role {
    const OPERATIONS: Operations = Operations {
        attach: "AttachRolePolicy",
        detach: "DetachRolePolicy",
        list: "ListAttachedRolePolicies",
    };
}

/// The input of operations on one attachment.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct Attachment<T> {
    #[serde(flatten)]
    to: Named<T>,
    policy_arn: String,
}

impl<T: Subject> Attachment<T> {
    fn describe(&self, call: &Call, context: &mut Context) {
        self.to.describe(call, context);
        conditions::policy(context, &self.policy_arn);
    }
}

/// AttachUserPolicy, AttachGroupPolicy, AttachRolePolicy
pub(super) struct Attach<T>(PhantomData<fn() -> T>);

impl<T: HasAttached> Described for Attach<T> {
    type Input = Attachment<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.attach;

    fn resource(input: &Attachment<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.to.arn(call))
    }

    fn context(input: &Attachment<T>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl<T: HasAttached> Write for Attach<T> {
    fn act(input: Attachment<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        attach::attach::<T>(tx, call.account, input.to.name(), &input.policy_arn).map_err(|e| call.refused(e))
    }
}

/// DetachUserPolicy, DetachGroupPolicy, DetachRolePolicy
pub(super) struct Detach<T>(PhantomData<fn() -> T>);

impl<T: HasAttached> Described for Detach<T> {
    type Input = Attachment<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.detach;

    fn resource(input: &Attachment<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.to.arn(call))
    }

    fn context(input: &Attachment<T>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl<T: HasAttached> Write for Detach<T> {
    fn act(input: Attachment<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        attach::detach::<T>(tx, call.account, input.to.name(), &input.policy_arn).map_err(|e| call.refused(e))
    }
}

/// ListAttachedUserPolicies, ListAttachedGroupPolicies, ListAttachedRolePolicies
pub(super) struct List<T>(PhantomData<fn() -> T>);

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct ListInput<T> {
    #[serde(flatten)]
    to: Named<T>,
    path_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    attached_policies: Vec<AttachedShape>,
    #[serde(flatten)]
    more: More,
}

impl<T: HasAttached> Described for List<T> {
    type Input = ListInput<T>;
    type Output = ListOutput;
    const NAME: &'static str = T::OPERATIONS.list;

    fn resource(input: &ListInput<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.to.arn(call))
    }

    fn context(input: &ListInput<T>, call: &Call, context: &mut Context) {
        input.to.describe(call, context);
    }
}

impl<T: HasAttached> Read for List<T> {
    async fn act(input: ListInput<T>, call: &Call) -> Result<ListOutput, Fault> {
        let ListInput { to, path_prefix, paging } = input;
        let docs = &call.rooms.state;
        let prefix = path_prefix.as_deref();
        let page = attach::list_attached::<T>(docs, call.account, to.name(), prefix, paging.request())
            .map_err(|e| call.refused(e))?;
        let attached_policies = page.items.into_iter().map(AttachedShape::from).collect();
        Ok(ListOutput { attached_policies, more: page.next.into() })
    }
}
