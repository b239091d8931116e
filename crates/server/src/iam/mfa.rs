//! MFA devices in their holders' hands: enabled, resynchronized, deactivated. No record has a code.

use opentrail_identity::{
    IdentityError, KeyHolder, MfaDevice, Principal, User,
    mfa::{self, CodePair},
    root_arn,
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::subject::{Named, Subject};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Write},
};

/// What the root calls itself where a user's name is asked for.
pub(super) const ROOT: &str = "root";

/// What of a code pair no record may carry.
const CODES: &[&str] = &["AuthenticationCode1", "AuthenticationCode2"];

/// Whose device: the named user's, else the caller's own. To the root, `root` is itself; to everyone else it is a
/// user like any other, so that nobody but the root touches the root's devices.
pub(super) fn holder<'a>(user_name: Option<&'a str>, call: &'a Call) -> Result<KeyHolder<'a>, Fault> {
    match (user_name, &call.caller.principal) {
        (None | Some(ROOT), Principal::Root { .. }) => Ok(KeyHolder::Root),
        (Some(name), _) => {
            User::check(name).map_err(|text| call.fault(Common::Invalid, text))?;
            Ok(KeyHolder::User(name))
        }
        (None, Principal::User { name, .. }) => Ok(KeyHolder::User(name)),
        (None, _) => {
            let text = "Must specify userName when calling with non-User credentials";
            Err(call.fault(Common::Invalid, text))
        }
    }
}

/// The ARN of whose device it is.
pub(super) fn holder_arn(user_name: Option<&str>, call: &Call) -> Result<String, Fault> {
    Ok(match holder(user_name, call)? {
        KeyHolder::Root => root_arn(call.account).to_string(),
        KeyHolder::User(name) => Named::<User>::new(name).arn(call),
    })
}

/// The condition keys about whose device it is.
pub(super) fn describe_holder(user_name: Option<&str>, call: &Call, context: &mut Context) {
    if let Ok(KeyHolder::User(name)) = holder(user_name, call) {
        Named::<User>::new(name).describe(call, context);
    }
}

/// What enabling and resynchronizing take.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PairInput {
    user_name: String,
    serial_number: String,
    authentication_code1: String,
    authentication_code2: String,
}

impl PairInput {
    fn pair<'a>(&'a self, call: &'a Call) -> Result<CodePair<'a>, Fault> {
        let codes = [self.authentication_code1.as_str(), self.authentication_code2.as_str()];
        mfa::check_serial(&self.serial_number)
            .and_then(|()| mfa::check_code("authenticationCode1", codes[0]))
            .and_then(|()| mfa::check_code("authenticationCode2", codes[1]))
            .map_err(|e| call.refused(e))?;
        let holder = holder(Some(&self.user_name), call)?;
        Ok(CodePair { account: call.account, holder, serial_number: &self.serial_number, codes })
    }
}

/// EnableMFADevice
pub(super) struct EnableMfaDevice;

impl Described for EnableMfaDevice {
    type Input = PairInput;
    type Output = ();
    const NAME: &'static str = "EnableMFADevice";
    const SECRETS: &'static [&'static str] = CODES;

    fn resource(input: &PairInput, call: &Call) -> Result<String, Fault> {
        holder_arn(Some(&input.user_name), call)
    }

    fn context(input: &PairInput, call: &Call, context: &mut Context) {
        describe_holder(Some(&input.user_name), call, context);
    }
}

impl Write for EnableMfaDevice {
    fn act(input: PairInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let pair = input.pair(call)?;
        call.rooms.identity.enable_mfa_device(tx, &pair, call.arrival.at).map_err(|error| match error {
            // Of the operations that take two codes only this one declares it.
            IdentityError::MfaLocked { .. } => {
                Fault::declared("EntityTemporarilyUnmodifiable", error.to_string())
            }
            error => call.refused(error),
        })
    }
}

/// ResyncMFADevice
pub(super) struct ResyncMfaDevice;

impl Described for ResyncMfaDevice {
    type Input = PairInput;
    type Output = ();
    const NAME: &'static str = "ResyncMFADevice";
    const SECRETS: &'static [&'static str] = CODES;

    fn resource(input: &PairInput, call: &Call) -> Result<String, Fault> {
        holder_arn(Some(&input.user_name), call)
    }

    fn context(input: &PairInput, call: &Call, context: &mut Context) {
        describe_holder(Some(&input.user_name), call, context);
    }
}

impl Write for ResyncMfaDevice {
    fn act(input: PairInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let pair = input.pair(call)?;
        call.rooms.identity.resync_mfa_device(tx, &pair, call.arrival.at).map_err(|e| call.refused(e))
    }
}

/// DeactivateMFADevice
pub(super) struct DeactivateMfaDevice;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeactivateMfaDeviceInput {
    user_name: Option<String>,
    #[serde(flatten)]
    device: Named<MfaDevice>,
}

impl Described for DeactivateMfaDevice {
    type Input = DeactivateMfaDeviceInput;
    type Output = ();
    const NAME: &'static str = "DeactivateMFADevice";

    fn resource(input: &DeactivateMfaDeviceInput, call: &Call) -> Result<String, Fault> {
        holder_arn(input.user_name.as_deref(), call)
    }

    fn context(input: &DeactivateMfaDeviceInput, call: &Call, context: &mut Context) {
        describe_holder(input.user_name.as_deref(), call, context);
    }
}

impl Write for DeactivateMfaDevice {
    fn act(input: DeactivateMfaDeviceInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let holder = holder(input.user_name.as_deref(), call)?;
        mfa::deactivate(tx, call.account, holder, input.device.name()).map_err(|e| call.refused(e))
    }
}
