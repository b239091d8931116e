//! Passwords of users. No record has one.

use std::sync::OnceLock;

use opentrail_identity::{
    Principal, User,
    login_profile::{self, LoginProfile, NewPassword},
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::subject::{Named, Subject};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read, Write},
};

/// What no record may carry.
const PASSWORD: &[&str] = &["Password"];

/// Whose password: the named user's, else the caller's own.
fn user(user_name: Option<&str>, call: &Call) -> Result<Named<User>, Fault> {
    match (user_name, &call.caller.principal) {
        (Some(name), _) => {
            User::check(name).map_err(|text| call.fault(Common::Invalid, text))?;
            Ok(Named::new(name))
        }
        (None, Principal::User { name, .. }) => Ok(Named::new(&**name)),
        (None, _) => {
            let text = "Must specify userName when calling with non-User credentials";
            Err(call.fault(Common::Invalid, text))
        }
    }
}

/// What was made ready before anything was locked.
pub(super) fn prepared<'a, T>(ready: &'a OnceLock<T>, call: &Call) -> Result<&'a T, Fault> {
    ready.get().ok_or_else(|| call.fault(Common::Internal, "An internal error occurred."))
}

/// The answer of operations that show a login profile.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShowsLoginProfile {
    login_profile: LoginProfileShape,
}

/// `LoginProfile`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoginProfileShape {
    user_name: String,
    create_date: Timestamp,
    password_reset_required: bool,
}

impl ShowsLoginProfile {
    fn of(user: &Named<User>, profile: &LoginProfile) -> Self {
        Self {
            login_profile: LoginProfileShape {
                user_name: user.name().to_owned(),
                create_date: profile.created_at.into(),
                password_reset_required: profile.reset_required,
            },
        }
    }
}

/// CreateLoginProfile
pub(super) struct CreateLoginProfile;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateLoginProfileInput {
    user_name: Option<String>,
    #[serde(skip_serializing)]
    password: String,
    #[serde(default)]
    password_reset_required: bool,
    /// The password, hashed before anything is locked.
    #[serde(skip)]
    hashed: OnceLock<NewPassword>,
}

impl Described for CreateLoginProfile {
    type Input = CreateLoginProfileInput;
    type Output = ShowsLoginProfile;
    const NAME: &'static str = "CreateLoginProfile";
    const SECRETS: &'static [&'static str] = PASSWORD;

    fn resource(input: &CreateLoginProfileInput, call: &Call) -> Result<String, Fault> {
        Ok(user(input.user_name.as_deref(), call)?.arn(call))
    }

    fn context(input: &CreateLoginProfileInput, call: &Call, context: &mut Context) {
        if let Ok(user) = user(input.user_name.as_deref(), call) {
            user.describe(call, context);
        }
    }
}

impl Write for CreateLoginProfile {
    async fn prepare(input: &CreateLoginProfileInput, call: &Call) -> Result<(), Fault> {
        let user = user(input.user_name.as_deref(), call)?;
        let new = call.rooms.identity.new_password(call.account, user.name(), &input.password).await;
        let new = new.map_err(|e| call.refused(e))?;
        input.hashed.get_or_init(|| new);
        Ok(())
    }

    fn act(
        input: CreateLoginProfileInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<ShowsLoginProfile, Fault> {
        let user = user(input.user_name.as_deref(), call)?;
        let new = prepared(&input.hashed, call)?;
        let identity = &call.rooms.identity;
        let profile = identity
            .create_login_profile(tx, new, input.password_reset_required, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(ShowsLoginProfile::of(&user, &profile))
    }
}

/// GetLoginProfile
pub(super) struct GetLoginProfile;

/// The input of operations that name a user or mean the caller.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfUser {
    user_name: Option<String>,
}

impl Described for GetLoginProfile {
    type Input = OfUser;
    type Output = ShowsLoginProfile;
    const NAME: &'static str = "GetLoginProfile";

    fn resource(input: &OfUser, call: &Call) -> Result<String, Fault> {
        Ok(user(input.user_name.as_deref(), call)?.arn(call))
    }

    fn context(input: &OfUser, call: &Call, context: &mut Context) {
        if let Ok(user) = user(input.user_name.as_deref(), call) {
            user.describe(call, context);
        }
    }
}

impl Read for GetLoginProfile {
    async fn act(input: OfUser, call: &Call) -> Result<ShowsLoginProfile, Fault> {
        let user = user(input.user_name.as_deref(), call)?;
        let profile = login_profile::get(&call.rooms.state, call.account, user.name());
        Ok(ShowsLoginProfile::of(&user, &profile.map_err(|e| call.refused(e))?))
    }
}

/// UpdateLoginProfile
pub(super) struct UpdateLoginProfile;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateLoginProfileInput {
    #[serde(flatten)]
    user: Named<User>,
    #[serde(skip_serializing)]
    password: Option<String>,
    password_reset_required: Option<bool>,
    /// The password, hashed before anything is locked.
    #[serde(skip)]
    hashed: OnceLock<NewPassword>,
}

impl Described for UpdateLoginProfile {
    type Input = UpdateLoginProfileInput;
    type Output = ();
    const NAME: &'static str = "UpdateLoginProfile";
    const SECRETS: &'static [&'static str] = PASSWORD;

    fn resource(input: &UpdateLoginProfileInput, call: &Call) -> Result<String, Fault> {
        Ok(input.user.arn(call))
    }

    fn context(input: &UpdateLoginProfileInput, call: &Call, context: &mut Context) {
        input.user.describe(call, context);
    }
}

impl Write for UpdateLoginProfile {
    async fn prepare(input: &UpdateLoginProfileInput, call: &Call) -> Result<(), Fault> {
        let Some(password) = &input.password else { return Ok(()) };
        let name = input.user.name();
        login_profile::get(&call.rooms.state, call.account, name).map_err(|e| call.refused(e))?;
        let new = call.rooms.identity.new_password(call.account, name, password).await;
        let new = new.map_err(|e| call.refused(e))?;
        input.hashed.get_or_init(|| new);
        Ok(())
    }

    fn act(input: UpdateLoginProfileInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let user = (call.account, input.user.name());
        let (new, reset) = (input.hashed.get(), input.password_reset_required);
        let identity = &call.rooms.identity;
        identity.update_login_profile(tx, user, new, reset, call.arrival.at).map_err(|e| call.refused(e))
    }
}

/// DeleteLoginProfile
pub(super) struct DeleteLoginProfile;

impl Described for DeleteLoginProfile {
    type Input = OfUser;
    type Output = ();
    const NAME: &'static str = "DeleteLoginProfile";

    fn resource(input: &OfUser, call: &Call) -> Result<String, Fault> {
        Ok(user(input.user_name.as_deref(), call)?.arn(call))
    }

    fn context(input: &OfUser, call: &Call, context: &mut Context) {
        if let Ok(user) = user(input.user_name.as_deref(), call) {
            user.describe(call, context);
        }
    }
}

impl Write for DeleteLoginProfile {
    fn act(input: OfUser, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let user = user(input.user_name.as_deref(), call)?;
        login_profile::delete(tx, call.account, user.name()).map_err(|e| call.refused(e))
    }
}
