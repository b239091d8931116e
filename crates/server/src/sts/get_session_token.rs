//! GetSessionToken: a session of the caller itself.

use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    mfa,
    shape::{Issued, SECRETS},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Spend},
};

pub(super) struct GetSessionToken;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    duration_seconds: Option<u32>,
    serial_number: Option<String>,
    token_code: Option<String>,
    minimum_session_token_size: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    #[serde(flatten)]
    issued: Issued,
}

impl Described for GetSessionToken {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetSessionToken";
    const PERMISSION: Permission = Permission::Anyone;
    const SECRETS: &'static [&'static str] = SECRETS;
}

impl Spend for GetSessionToken {
    fn spends(input: &Input) -> bool {
        input.token_code.is_some()
    }

    fn act(input: Input, call: &Call, tx: Option<&mut Transaction>) -> Result<Output, Fault> {
        let (serial_number, code) = (input.serial_number.as_deref(), input.token_code.as_deref());
        let mfa = mfa::prove(serial_number, code, call, tx)?;
        let session = call
            .rooms
            .identity
            .session_token(&call.caller, input.duration_seconds, mfa, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(Output { issued: Issued::of(session, input.minimum_session_token_size, call)? })
    }
}
