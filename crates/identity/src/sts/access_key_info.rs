//! `GetAccessKeyInfo`: the account of an access key.

use opentrail_event::AccountId;
use opentrail_state::State;

use crate::{
    access_key::AccessKey,
    error::{Constraint, IdentityError, InvalidValue},
    id, limits,
};

/// The account that a key is of, be it known, expired or deleted: a key's id has it. Only ids that an operator made
/// up do not, so for them there must be a key.
pub(crate) fn account_of_key(state: &State, access_key_id: &str) -> Result<AccountId, IdentityError> {
    let refused = |constraint| Err(InvalidValue::new("accessKeyId", access_key_id, constraint).into());
    let chars = access_key_id.chars().count();
    if chars < limits::MIN_ACCESS_KEY_ID_CHARS {
        return refused(Constraint::MinLength(limits::MIN_ACCESS_KEY_ID_CHARS));
    }
    if chars > limits::MAX_ACCESS_KEY_ID_CHARS {
        return refused(Constraint::MaxLength(limits::MAX_ACCESS_KEY_ID_CHARS));
    }
    let known = state.get::<AccessKey>(access_key_id).map(|key| key.account);
    match known.or_else(|| id::account_of_key(access_key_id)) {
        Some(account) => Ok(account),
        None => refused(Constraint::Pattern(r"[\w]*")),
    }
}
