//! `GetSessionToken`.

use chrono::{DateTime, Utc};
use opentrail_keyring::Keyring;

use crate::{
    error::IdentityError,
    limits,
    mfa::MfaProof,
    name::check_range,
    principal::{Caller, Principal},
    session::{self, SessionCredentials, SessionInfo, SessionOwner},
};

/// Opens a session of the caller itself, for `GetSessionToken`.
///
/// It needs no permission: the session can do no more than the credentials that asked for it.
pub(crate) fn session_token(
    keyring: &Keyring,
    caller: &Caller,
    duration_seconds: Option<u32>,
    mfa: Option<MfaProof>,
    now: DateTime<Utc>,
) -> Result<SessionCredentials, IdentityError> {
    if caller.session.is_some() {
        return Err(IdentityError::SessionMayNotGetSession);
    }
    let asked = duration_seconds.unwrap_or(limits::DEFAULT_SESSION_TOKEN_SECONDS);
    check_range("durationSeconds", asked, limits::MIN_SESSION_SECONDS, limits::MAX_SESSION_TOKEN_SECONDS)?;
    let (owner, seconds) = match &caller.principal {
        Principal::Root { account } => {
            (SessionOwner::Root { account: *account }, asked.min(limits::MAX_ROOT_SESSION_TOKEN_SECONDS))
        }
        Principal::User { account, name, id, .. } => {
            let owner = SessionOwner::User { account: *account, name: name.to_string(), id: id.to_string() };
            (owner, asked)
        }
        Principal::AssumedRole { .. }
        | Principal::FederatedUser { .. }
        | Principal::WebIdentity { .. }
        | Principal::Service { .. }
        | Principal::Anonymous => {
            return Err(IdentityError::NotAnIdentity);
        }
    };
    let mut info = SessionInfo::starting(now, seconds);
    info.mfa_authenticated_at = mfa.map(MfaProof::at);
    session::issue(keyring, owner, info)
}
