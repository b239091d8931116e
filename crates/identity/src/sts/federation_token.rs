//! `GetFederationToken`.
//!
//! Source: the STS API reference; the IAM User Guide, "Permissions for GetFederationToken".

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Arn};
use opentrail_keyring::Keyring;
use opentrail_policy::{Context, Decision};
use opentrail_state::State;

use super::{
    narrowing::{Narrowing, check_tags, packed_size},
    trusted::TAG_SESSION,
};
use crate::{
    authorize::{Ask, decision, denial},
    context::set_request_tags,
    error::IdentityError,
    limits,
    name::{check_federated_name, check_range},
    principal::{Caller, Principal},
    session::{self, SessionCredentials, SessionInfo, SessionOwner},
    tags::Tag,
};

/// What `GetFederationToken` asks for.
#[derive(Debug, Clone, Default)]
pub struct GetFederationToken<'a> {
    /// What to call the federated user.
    pub name: &'a str,
    /// How long the session shall last; twelve hours when absent.
    pub duration_seconds: Option<u32>,
    /// A policy: the session has what it and the caller's own policies allow.
    pub policy: Option<&'a str>,
    /// ARNs of managed policies that do the same.
    pub policy_arns: &'a [String],
    /// Session tags.
    pub tags: &'a [Tag],
    /// The request's condition keys.
    pub context: Context,
}

/// A session of a federated user, opened.
#[derive(Debug, Clone)]
pub struct FederatedSession {
    /// Its credentials.
    pub credentials: SessionCredentials,
    /// `ACCOUNT:NAME`.
    pub federated_user_id: String,
    /// `arn:aws:sts::ACCOUNT:federated-user/NAME`.
    pub arn: Arn,
    /// How much of the allowed size its policies and tags take, in percent; absent if it has none.
    pub packed_policy_size: Option<usize>,
}

const GET_FEDERATION_TOKEN: &str = "sts:GetFederationToken";

/// Opens a session of a federated user, with the policies of a user or root who calls with a key of their own.
pub(crate) fn federation_token(
    state: &State,
    keyring: &Keyring,
    caller: &Caller,
    ask: &GetFederationToken<'_>,
    now: DateTime<Utc>,
) -> Result<FederatedSession, IdentityError> {
    if caller.session.is_some() {
        return Err(IdentityError::SessionMayNotFederate);
    }
    check_federated_name("name", ask.name)?;
    check_tags(ask.tags, &[])?;
    let narrowing = Narrowing { policy: ask.policy, policy_arns: ask.policy_arns };
    narrowing.check()?;
    let (account, owner, seconds) = owner(caller, asked_seconds(ask.duration_seconds)?)?;
    let principal = caller.principal.clone().federated_user(account, ask.name);
    let Principal::FederatedUser { arn, .. } = &principal else { return Err(IdentityError::NotAnIdentity) };
    permit(state, caller, ask, arn, now)?;
    let mut info = SessionInfo::starting(now, seconds);
    info.tags = ask.tags.to_vec();
    narrowing.apply(state, account, &mut info)?;
    let packed_policy_size = packed_size(&info)?;
    let owner = SessionOwner::Federated { account, name: ask.name.to_owned(), user: Box::new(owner) };
    Ok(FederatedSession {
        credentials: session::issue(keyring, owner, info)?,
        federated_user_id: format!("{account}:{}", ask.name),
        arn: arn.clone(),
        packed_policy_size,
    })
}

fn asked_seconds(asked: Option<u32>) -> Result<u32, IdentityError> {
    let seconds = asked.unwrap_or(limits::DEFAULT_SESSION_TOKEN_SECONDS);
    check_range("durationSeconds", seconds, limits::MIN_SESSION_SECONDS, limits::MAX_SESSION_TOKEN_SECONDS)?;
    Ok(seconds)
}

/// Whose policies the session has, and how long it lasts: a root's an hour at most.
fn owner(caller: &Caller, seconds: u32) -> Result<(AccountId, SessionOwner, u32), IdentityError> {
    match &caller.principal {
        Principal::Root { account } => {
            let seconds = seconds.min(limits::MAX_ROOT_SESSION_TOKEN_SECONDS);
            Ok((*account, SessionOwner::Root { account: *account }, seconds))
        }
        Principal::User { account, name, id, .. } => {
            let owner = SessionOwner::User { account: *account, name: name.to_string(), id: id.to_string() };
            Ok((*account, owner, seconds))
        }
        _ => Err(IdentityError::NotAnIdentity),
    }
}

/// Whether the caller's policies allow it a session of this name, with these tags.
fn permit(
    state: &State,
    caller: &Caller,
    ask: &GetFederationToken<'_>,
    arn: &Arn,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let mut context = ask.context.clone();
    set_request_tags(&mut context, ask.tags);
    for (action, _) in [(GET_FEDERATION_TOKEN, true), (TAG_SESSION, !ask.tags.is_empty())]
        .into_iter()
        .filter(|(_, asks)| *asks)
    {
        let ask = Ask { action, resource: arn.as_str(), context: context.clone(), ..Ask::default() };
        let decision = decision(state, caller, &ask, now);
        if decision != Decision::Allow {
            return Err(IdentityError::AccessDenied(denial(state, caller, &ask, decision)));
        }
    }
    Ok(())
}
