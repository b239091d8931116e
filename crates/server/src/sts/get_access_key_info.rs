//! GetAccessKeyInfo: the account of an access key, which anyone may be who is allowed to ask.

use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

pub(super) struct GetAccessKeyInfo;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    access_key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    account: String,
}

impl Described for GetAccessKeyInfo {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetAccessKeyInfo";
}

impl Read for GetAccessKeyInfo {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let account =
            call.rooms.identity.account_of_key(&input.access_key_id).map_err(|e| call.refused(e))?;
        Ok(Output { account: account.to_string() })
    }
}
