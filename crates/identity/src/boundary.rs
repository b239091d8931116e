//! Permissions boundaries: a managed policy that bounds what a user or role may be allowed.

use opentrail_event::AccountId;
use opentrail_state::Transaction;

use crate::{
    documents::Documents,
    entity::EntityKind,
    error::{IdentityError, Missing},
    managed_policy,
};

/// Whether a boundary, if one is given, is a managed policy that there is.
pub(crate) fn check(
    docs: &impl Documents,
    account: AccountId,
    arn: Option<&str>,
) -> Result<(), IdentityError> {
    arn.map_or(Ok(()), |arn| managed_policy::check_attachable(docs, account, arn))
}

/// Sets or lifts a boundary; lifting one that is not set is an error, as in IAM.
pub(crate) fn change(
    tx: &Transaction,
    account: AccountId,
    kind: EntityKind,
    name: &str,
    boundary: &mut Option<String>,
    arn: Option<&str>,
) -> Result<(), IdentityError> {
    check(tx, account, arn)?;
    if arn.is_none() && boundary.is_none() {
        return Err(IdentityError::NoSuchEntity(Missing::Boundary(kind, name.to_owned())));
    }
    *boundary = arn.map(str::to_owned);
    Ok(())
}
