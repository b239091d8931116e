//! Users who change their own passwords. No record has one, old or new.

use std::sync::OnceLock;

use opentrail_identity::{
    Ask, Principal,
    login_profile::{self, NewPassword, PasswordProof},
    password_policy,
};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::login_profile::prepared;
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Write},
};

/// ChangePassword
pub(super) struct ChangePassword;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangePasswordInput {
    #[serde(skip_serializing)]
    old_password: String,
    #[serde(skip_serializing)]
    new_password: String,
    /// That the old one is right, and the new one hashed, both before anything is locked.
    #[serde(skip)]
    ready: OnceLock<(PasswordProof, NewPassword)>,
}

impl Described for ChangePassword {
    type Input = ChangePasswordInput;
    type Output = ();
    const NAME: &'static str = "ChangePassword";
    /// An account's password policy may allow it where no policy of the user does.
    const PERMISSION: Permission = Permission::OwnRules;
    const SECRETS: &'static [&'static str] = &["OldPassword", "NewPassword"];
}

impl Write for ChangePassword {
    async fn prepare(input: &ChangePasswordInput, call: &Call) -> Result<(), Fault> {
        let Principal::User { name, arn, .. } = &call.caller.principal else {
            let text = "Only IAM Users can change their own password";
            return Err(Fault::declared("InvalidUserType", text));
        };
        permit_own(call, "ChangePassword", arn.as_str())?;
        let identity = &call.rooms.identity;
        login_profile::get(&call.rooms.state, call.account, name).map_err(|e| call.refused(e))?;
        let proof = identity.check_password(call.account, name, &input.old_password, call.arrival.at).await;
        let proof = proof.map_err(|e| call.refused(e))?;
        let new = identity.new_password(call.account, name, &input.new_password).await;
        let new = new.map_err(|e| call.refused(e))?;
        input.ready.get_or_init(|| (proof, new));
        Ok(())
    }

    fn act(input: ChangePasswordInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let (proof, new) = prepared(&input.ready, call)?;
        call.rooms.identity.change_password(tx, proof, new, call.arrival.at).map_err(|e| call.refused(e))
    }
}

/// Whether the caller may do something about their own password: by their policies or, unless others say no, by the
/// account's password policy.
pub(super) fn permit_own(call: &Call, operation: &str, resource: &str) -> Result<(), Fault> {
    let action = format!("{}:{operation}", call.service.name);
    let context = call.arrival.context(&call.region);
    let is_user = matches!(call.caller.principal, Principal::User { .. });
    let resource_policy = password_policy::lets_users_change(&call.rooms.state, call.account);
    let resource_policy = resource_policy.filter(|_| is_user);
    let ask = Ask { action: &action, resource, context, resource_policy, ..Ask::default() };
    let verdict = call.rooms.identity.authorize(&call.caller, &ask);
    verdict.into_result().map_err(|denial| call.denied(&ask, &denial))
}
