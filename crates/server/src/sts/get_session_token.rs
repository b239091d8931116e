//! GetSessionToken: a session of the caller itself.

use opentrail_identity::IdentityError;
use serde::{Deserialize, Serialize};

use super::shape::{Credentials, SECRETS};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
};

pub(super) struct GetSessionToken;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    duration_seconds: Option<u32>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    credentials: Credentials,
}

impl Described for GetSessionToken {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetSessionToken";
    const PERMISSION: Permission = Permission::Anyone;
    const SECRETS: &'static [&'static str] = SECRETS;
}

impl Read for GetSessionToken {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        // There are no devices yet.
        if input.serial_number.is_some() || input.token_code.is_some() {
            return Err(call.refused(IdentityError::MfaUnknownDevice));
        }
        let session = call
            .rooms
            .identity
            .session_token(&call.caller, input.duration_seconds, None, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(Output { credentials: session.into() })
    }
}
