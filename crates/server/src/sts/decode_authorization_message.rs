//! DecodeAuthorizationMessage: why a call of the caller's account was denied.
//!
//! The messages are in a header of every denial whose caller has an account (`answer::AUTHORIZATION_MESSAGE`).

use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

pub(super) struct DecodeAuthorizationMessage;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    encoded_message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    decoded_message: String,
}

impl Described for DecodeAuthorizationMessage {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "DecodeAuthorizationMessage";
}

impl Read for DecodeAuthorizationMessage {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let decoded = call.rooms.identity.decode_authorization_message(call.account, &input.encoded_message);
        Ok(Output { decoded_message: decoded.map_err(|e| call.refused(e))? })
    }
}
