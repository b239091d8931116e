//! What passwords of the account's users must be like.

use opentrail_identity::password_policy::{self, PasswordPolicy};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::change_password::permit_own;
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read, Write},
};

/// An input without members.
#[derive(Deserialize, Serialize)]
pub(super) struct NoInput {}

/// UpdateAccountPasswordPolicy: what is not said has its default, whatever it was before.
pub(super) struct UpdateAccountPasswordPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateAccountPasswordPolicyInput {
    minimum_password_length: Option<u32>,
    require_symbols: Option<bool>,
    require_numbers: Option<bool>,
    require_uppercase_characters: Option<bool>,
    require_lowercase_characters: Option<bool>,
    allow_users_to_change_password: Option<bool>,
    max_password_age: Option<u32>,
    password_reuse_prevention: Option<u32>,
    hard_expiry: Option<bool>,
}

impl Described for UpdateAccountPasswordPolicy {
    type Input = UpdateAccountPasswordPolicyInput;
    type Output = ();
    const NAME: &'static str = "UpdateAccountPasswordPolicy";
}

impl Write for UpdateAccountPasswordPolicy {
    fn act(input: UpdateAccountPasswordPolicyInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let default = PasswordPolicy::default();
        let policy = PasswordPolicy {
            minimum_length: input.minimum_password_length.unwrap_or(default.minimum_length),
            require_symbols: input.require_symbols.unwrap_or_default(),
            require_numbers: input.require_numbers.unwrap_or_default(),
            require_uppercase: input.require_uppercase_characters.unwrap_or_default(),
            require_lowercase: input.require_lowercase_characters.unwrap_or_default(),
            allow_users_to_change: input.allow_users_to_change_password.unwrap_or_default(),
            max_age_days: input.max_password_age,
            reuse_prevention: input.password_reuse_prevention,
            hard_expiry: input.hard_expiry,
        };
        password_policy::put(tx, call.account, policy).map_err(|e| call.refused(e))
    }
}

/// GetAccountPasswordPolicy
pub(super) struct GetAccountPasswordPolicy;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccountPasswordPolicyOutput {
    password_policy: PasswordPolicyShape,
}

/// `PasswordPolicy`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PasswordPolicyShape {
    minimum_password_length: u32,
    require_symbols: bool,
    require_numbers: bool,
    require_uppercase_characters: bool,
    require_lowercase_characters: bool,
    allow_users_to_change_password: bool,
    expire_passwords: bool,
    max_password_age: Option<u32>,
    password_reuse_prevention: Option<u32>,
    hard_expiry: Option<bool>,
}

impl From<PasswordPolicy> for PasswordPolicyShape {
    fn from(policy: PasswordPolicy) -> Self {
        Self {
            minimum_password_length: policy.minimum_length,
            require_symbols: policy.require_symbols,
            require_numbers: policy.require_numbers,
            require_uppercase_characters: policy.require_uppercase,
            require_lowercase_characters: policy.require_lowercase,
            allow_users_to_change_password: policy.allow_users_to_change,
            expire_passwords: policy.max_age_days.is_some(),
            max_password_age: policy.max_age_days,
            password_reuse_prevention: policy.reuse_prevention,
            hard_expiry: policy.hard_expiry,
        }
    }
}

impl Described for GetAccountPasswordPolicy {
    type Input = NoInput;
    type Output = GetAccountPasswordPolicyOutput;
    const NAME: &'static str = "GetAccountPasswordPolicy";
    /// Users who may change their passwords may read what they must be like.
    const PERMISSION: Permission = Permission::OwnRules;
}

impl Read for GetAccountPasswordPolicy {
    async fn act(_: NoInput, call: &Call) -> Result<GetAccountPasswordPolicyOutput, Fault> {
        permit_own(call, Self::NAME, "*")?;
        let policy = password_policy::get(&call.rooms.state, call.account).map_err(|e| call.refused(e))?;
        Ok(GetAccountPasswordPolicyOutput { password_policy: policy.into() })
    }
}

/// DeleteAccountPasswordPolicy
pub(super) struct DeleteAccountPasswordPolicy;

impl Described for DeleteAccountPasswordPolicy {
    type Input = NoInput;
    type Output = ();
    const NAME: &'static str = "DeleteAccountPasswordPolicy";
}

impl Write for DeleteAccountPasswordPolicy {
    fn act(_: NoInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        password_policy::delete(tx, call.account).map_err(|e| call.refused(e))
    }
}
