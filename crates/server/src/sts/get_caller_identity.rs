//! GetCallerIdentity: needs no permission.

use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
};

pub(super) struct GetCallerIdentity;

#[derive(Deserialize, Serialize)]
pub(super) struct Input {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    user_id: Option<String>,
    account: String,
    arn: Option<String>,
}

impl Described for GetCallerIdentity {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetCallerIdentity";
    const PERMISSION: Permission = Permission::Anyone;
}

impl Read for GetCallerIdentity {
    async fn act(_: Input, call: &Call) -> Result<Output, Fault> {
        let principal = &call.caller.principal;
        Ok(Output {
            user_id: principal.principal_id(),
            account: call.account.to_string(),
            arn: principal.arn().map(|arn| arn.to_string()),
        })
    }
}
