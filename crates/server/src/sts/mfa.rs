//! The MFA code that a caller may give with a call.

use opentrail_identity::{IdentityError, MfaProof, mfa::check_form};
use opentrail_state::Transaction;

use crate::{call::Call, fault::Fault};

/// Takes the code, if one is given; then there is a transaction.
pub(super) fn prove(
    serial_number: Option<&str>,
    token_code: Option<&str>,
    call: &Call,
    tx: Option<&mut Transaction>,
) -> Result<Option<MfaProof>, Fault> {
    let refused = |error: IdentityError| call.refused(error);
    match (serial_number, token_code, tx) {
        (None, None, _) => Ok(None),
        (Some(serial), Some(code), Some(tx)) => {
            check_form(serial, code).map_err(refused)?;
            let identity = &call.rooms.identity;
            identity
                .spend_mfa_code(tx, &call.caller, serial, code, call.arrival.at)
                .map(Some)
                .map_err(refused)
        }
        _ => Err(refused(IdentityError::MfaIncomplete)),
    }
}
