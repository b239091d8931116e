//! What an operation is: a decoded input, a permission asked, an act, and the traces it leaves.
//!
//! An operation implements [`Read`] or [`Write`] and stands in its service's table; decoding,
//! authorization, the record and the answer happen around it, once for all, in `dispatch`.

use std::future::Future;

use futures::future::BoxFuture;
use opentrail_event::{AccountId, EventError, RecordResource};
use opentrail_identity::Caller;
use opentrail_policy::Context;
use opentrail_state::{OwnedEvent, Transaction};
use serde::{Serialize, de::DeserializeOwned};

use crate::{call::Call, dispatch, fault::Fault};

/// Who decides whether a call may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// The caller's policies must allow `service:Operation` on the operation's resource.
    Policies,
    /// The operation decides by itself (AssumeRole asks a trust policy).
    OwnRules,
    /// Every authenticated caller may (GetCallerIdentity).
    Anyone,
}

/// What every operation says about itself.
pub(crate) trait Described: 'static {
    /// The input; serialized again it is the record's `requestParameters`.
    type Input: DeserializeOwned + Serialize + Send + Sync;
    /// The answer; it is the record's `responseElements` too where the operation writes.
    type Output: Serialize + Send;
    /// AWS's name of the operation.
    const NAME: &'static str;
    /// Who decides.
    const PERMISSION: Permission = Permission::Policies;
    /// Members, at any depth and spelled as in the API, that no record may carry.
    const SECRETS: &'static [&'static str] = &[];

    /// Whether the record of an operation that reads carries `responseElements`, as AWS's do for sessions.
    const SHOWS_ELEMENTS: bool = false;

    /// Whether the record of a denied call shows what was asked for.
    const DENIAL_SHOWS_PARAMETERS: bool = true;

    /// Says in `requestParameters`, which have the input's members, what records say otherwise.
    fn amend(_input: &Self::Input, _parameters: &mut serde_json::Value) {}

    /// Says in `responseElements`, which have the answer's members, what records say otherwise.
    fn amend_elements(_elements: &mut serde_json::Value) {}

    /// The ARN the permission is asked for.
    fn resource(_input: &Self::Input, _call: &Call) -> Result<String, Fault> {
        Ok("*".to_owned())
    }

    /// Condition keys that only this operation knows.
    fn context(_input: &Self::Input, _call: &Call, _context: &mut Context) {}

    /// The record's `resources`.
    fn touched(_input: &Self::Input, _call: &Call) -> Vec<RecordResource> {
        Vec::new()
    }
}

/// An operation that changes nothing.
pub(crate) trait Read: Described {
    /// Answers the call.
    fn act(input: Self::Input, call: &Call) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// An operation that changes documents. Its change and its record are one journal entry.
pub(crate) trait Write: Described {
    /// Looks at what lies outside the documents (a bucket elsewhere), before anything is locked.
    fn prepare(_input: &Self::Input, _call: &Call) -> impl Future<Output = Result<(), Fault>> + Send {
        async { Ok(()) }
    }

    /// Stages the change. Nothing happens unless the entry becomes durable.
    fn act(input: Self::Input, call: &Call, tx: &mut Transaction) -> Result<Self::Output, Fault>;

    /// Records of what else happened with it, kept in the same entry.
    ///
    /// # Errors
    /// If one can't be written; then nothing has happened.
    fn also(_output: &Self::Output, _call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        Ok(Vec::new())
    }
}

/// An operation that changes nothing but what it is asked with: an MFA code, which is good once. Its records say
/// `readOnly`, as AWS's do.
pub(crate) trait Spend: Described {
    /// Whether this call brings a code.
    fn spends(input: &Self::Input) -> bool;

    /// Answers the call; with a transaction where it spends, which is one journal entry with the record.
    fn act(input: Self::Input, call: &Call, tx: Option<&mut Transaction>) -> Result<Self::Output, Fault>;
}

/// An operation that nobody signs: something outside vouches for who calls. It changes nothing.
pub(crate) trait Vouch: Described {
    /// What is proven of the caller.
    type Voucher: Send;

    /// The account whose record it is.
    fn account(input: &Self::Input) -> Option<AccountId>;

    /// Finds out who calls.
    fn vouch(input: &Self::Input, call: &Call) -> impl Future<Output = Result<Self::Voucher, Fault>> + Send;

    /// Who calls, as the record has it.
    fn caller(voucher: &Self::Voucher) -> Caller;

    /// Answers the call.
    fn act(input: Self::Input, voucher: Self::Voucher, call: &Call) -> Result<Self::Output, Fault>;
}

/// The answer of an operation before a protocol has spelled it.
pub(crate) type Outcome = Result<opentrail_wire::value::Value, Fault>;

/// A line in a service's table.
pub(crate) struct Operation {
    /// AWS's name.
    pub(crate) name: &'static str,
    /// Whether its records say `readOnly`.
    pub(crate) read_only: bool,
    pub(crate) run: for<'a> fn(&'a Call, serde_json::Value) -> BoxFuture<'a, Outcome>,
}

/// The table line of an operation that reads.
pub(crate) const fn read<O: Read>() -> Operation {
    Operation {
        name: O::NAME,
        read_only: true,
        run: |call, input| Box::pin(dispatch::read::<O>(call, input)),
    }
}

/// The table line of an operation that spends MFA codes.
pub(crate) const fn spend<O: Spend>() -> Operation {
    Operation {
        name: O::NAME,
        read_only: true,
        run: |call, input| Box::pin(dispatch::spend::<O>(call, input)),
    }
}

/// The table line of an operation that nobody signs.
pub(crate) const fn vouch<O: Vouch>() -> Operation {
    Operation {
        name: O::NAME,
        read_only: true,
        run: |call, input| Box::pin(dispatch::vouch::<O>(call, input)),
    }
}

/// The table line of an operation that writes.
pub(crate) const fn write<O: Write>() -> Operation {
    Operation {
        name: O::NAME,
        read_only: false,
        run: |call, input| Box::pin(dispatch::write::<O>(call, input)),
    }
}
