//! `AssumeRole`.
//!
//! Source: the STS API reference, and the IAM User Guide's pages on roles, session policies, session tags and
//! source identity.

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Arn};
use opentrail_keyring::Keyring;
use opentrail_policy::{Context, PolicyKind};
use opentrail_state::State;

use super::{
    narrowing::{Narrowing, check_tags, packed_size},
    trusted::{Opening, SET_SOURCE_IDENTITY},
};
use crate::{
    authorize::{decision_with_mfa, denial},
    context::{set_request_tags, set_resource_tags},
    denial::Denial,
    entity::{self, Entity, EntityKind},
    error::{Constraint, IdentityError, InvalidValue},
    limits,
    mfa::MfaProof,
    name::{check_external_id, check_range, check_session_name},
    principal::{Caller, Principal},
    role::Role,
    session::{self, SessionCredentials, SessionInfo, SessionOwner},
    tags::{Tag, same_key},
    trust,
};

/// What `AssumeRole` asks for.
#[derive(Debug, Clone, Default)]
pub struct AssumeRole<'a> {
    /// The ARN of the role.
    pub role_arn: &'a str,
    /// What to call the session.
    pub session_name: &'a str,
    /// How long it shall last; one hour when absent.
    pub duration_seconds: Option<u32>,
    /// A policy to narrow the session by.
    pub policy: Option<&'a str>,
    /// ARNs of managed policies of the role's account to narrow the session by.
    pub policy_arns: &'a [String],
    /// Session tags.
    pub tags: &'a [Tag],
    /// Which of the session tags go along when the session assumes another role.
    pub transitive_tag_keys: &'a [String],
    /// What the role's owner asks third parties for (`sts:ExternalId`).
    pub external_id: Option<&'a str>,
    /// The person or program behind the session.
    pub source_identity: Option<&'a str>,
    /// That the caller gave a code of an MFA device with the call.
    pub mfa: Option<MfaProof>,
    /// The request's condition keys.
    pub context: Context,
}

/// A role's session, opened.
#[derive(Debug, Clone)]
pub struct AssumedRole {
    /// Its credentials.
    pub credentials: SessionCredentials,
    /// `AROA…:SESSION`.
    pub assumed_role_id: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    pub arn: Arn,
    /// The role's ARN.
    pub role_arn: Arn,
    /// The role's account, whose trail has the call too.
    pub account: AccountId,
    /// How much of the allowed size its policies and tags take, in percent; absent if it has none.
    pub packed_policy_size: Option<usize>,
    /// The person or program behind it.
    pub source_identity: Option<String>,
}

const ASSUME_ROLE: &str = "sts:AssumeRole";

/// Opens a session of a role.
pub(crate) fn assume_role(
    state: &State,
    keyring: &Keyring,
    caller: &Caller,
    ask: &AssumeRole<'_>,
    now: DateTime<Utc>,
) -> Result<AssumedRole, IdentityError> {
    match caller.principal {
        Principal::Anonymous | Principal::Service { .. } => return Err(IdentityError::NotAnIdentity),
        Principal::Root { .. } => return Err(IdentityError::RootMayNotAssumeRole),
        // A federated user may call GetCallerIdentity, and nothing else of STS.
        Principal::FederatedUser { .. } | Principal::WebIdentity { .. } => {
            let denial = Denial::without_reason(caller, ASSUME_ROLE, ask.role_arn);
            return Err(IdentityError::AccessDenied(denial));
        }
        Principal::User { .. } | Principal::AssumedRole { .. } => {}
    }
    let asked_seconds = check_form(ask)?;
    let (account, name) = parts_of_role(ask.role_arn)?;
    let denied = |action| IdentityError::AccessDenied(Denial::without_reason(caller, action, ask.role_arn));
    let is_open = crate::account::closed_at(state, account).is_none();
    let role = state.get::<Role>(&entity::document_id(account, name)).filter(|_| is_open);
    let role = role.filter(|role| role.arn() == ask.role_arn).ok_or_else(|| denied(ASSUME_ROLE))?;
    let info = session_info(caller, ask, now, asked_seconds).map_err(|error| match error {
        Refused::SourceIdentity => denied(SET_SOURCE_IDENTITY),
        Refused::Value(value) => value.into(),
    })?;
    check_trust(state, caller, ask, &role, &info, now)?;
    check_duration(caller, &role, asked_seconds)?;
    let narrowing = Narrowing { policy: ask.policy, policy_arns: ask.policy_arns };
    open(state, keyring, &role, ask.session_name, narrowing, info)
}

/// Opens the session of a role that was found to be allowed.
pub(super) fn open(
    state: &State,
    keyring: &Keyring,
    role: &Role,
    session_name: &str,
    narrowing: Narrowing<'_>,
    mut info: SessionInfo,
) -> Result<AssumedRole, IdentityError> {
    narrowing.apply(state, role.account, &mut info)?;
    let packed_policy_size = packed_size(&info)?;
    let source_identity = info.source_identity.clone();
    let owner = SessionOwner::Role {
        account: role.account,
        name: role.name.clone(),
        id: role.id.clone(),
        session: session_name.to_owned(),
    };
    let principal = Principal::assumed_role(role, session_name);
    let Principal::AssumedRole { arn, role_arn, .. } = principal else {
        return Err(IdentityError::NotAnIdentity);
    };
    Ok(AssumedRole {
        credentials: session::issue(keyring, owner, info)?,
        assumed_role_id: format!("{}:{}", role.id, session_name),
        arn,
        role_arn,
        account: role.account,
        packed_policy_size,
        source_identity,
    })
}

/// Account and name in the ARN of a role.
pub(super) fn parts_of_role(arn: &str) -> Result<(AccountId, &str), IdentityError> {
    match entity::parts_of_arn(arn) {
        Some((account, EntityKind::Role, _, name)) => Ok((account, name)),
        _ => Err(InvalidValue::new("roleArn", arn, Constraint::RoleArn).into()),
    }
}

/// Checks what can be checked without knowing the role; the session's length.
fn check_form(ask: &AssumeRole<'_>) -> Result<u32, IdentityError> {
    check_session_name("roleSessionName", ask.session_name)?;
    ask.source_identity.map_or(Ok(()), |identity| check_session_name("sourceIdentity", identity))?;
    ask.external_id.map_or(Ok(()), check_external_id)?;
    check_tags(ask.tags, ask.transitive_tag_keys)?;
    Narrowing { policy: ask.policy, policy_arns: ask.policy_arns }.check()?;
    asked_seconds(ask.duration_seconds)
}

/// How long the session shall last, if any role's may last so long.
pub(super) fn asked_seconds(asked: Option<u32>) -> Result<u32, IdentityError> {
    let seconds = asked.unwrap_or(limits::DEFAULT_ROLE_SESSION_SECONDS);
    check_range("durationSeconds", seconds, limits::MIN_SESSION_SECONDS, limits::MAX_ROLE_SESSION_SECONDS)?;
    Ok(seconds)
}

pub(super) fn check_duration(caller: &Caller, role: &Role, seconds: u32) -> Result<(), IdentityError> {
    let refused =
        |constraint| Err(InvalidValue::new("durationSeconds", &seconds.to_string(), constraint).into());
    let chained = matches!(caller.principal, Principal::AssumedRole { .. });
    if chained && seconds > limits::MAX_CHAINED_SESSION_SECONDS {
        refused(Constraint::ChainedMaximum)
    } else if seconds > role.max_session_duration {
        refused(Constraint::RoleMaximum)
    } else {
        Ok(())
    }
}

enum Refused {
    SourceIdentity,
    Value(InvalidValue),
}

/// The session, with what it takes over from the caller's own: source identity and transitive tags.
fn session_info(
    caller: &Caller,
    ask: &AssumeRole<'_>,
    now: DateTime<Utc>,
    seconds: u32,
) -> Result<SessionInfo, Refused> {
    let mut info = SessionInfo::starting(now, seconds);
    info.source_identity = ask.source_identity.map(str::to_owned);
    info.tags = ask.tags.to_vec();
    info.transitive_tag_keys = ask.transitive_tag_keys.to_vec();
    info.mfa_authenticated_at = ask.mfa.map(MfaProof::at);
    let Some(session) = &caller.session else { return Ok(info) };
    if !matches!(caller.principal, Principal::AssumedRole { .. }) {
        info.mfa_authenticated_at = info.mfa_authenticated_at.or(session.mfa_authenticated_at);
    }
    if let Some(identity) = &session.source_identity {
        if info.source_identity.as_ref().is_some_and(|asked| asked != identity) {
            return Err(Refused::SourceIdentity);
        }
        info.source_identity = Some(identity.clone());
    }
    for key in &session.transitive_tag_keys {
        if info.tags.iter().any(|tag| same_key(&tag.key, key)) {
            return Err(Refused::Value(InvalidValue::new("tags", key, Constraint::InheritedTag)));
        }
        info.tags.extend(session.tags.iter().filter(|tag| same_key(&tag.key, key)).cloned());
        info.transitive_tag_keys.push(key.clone());
    }
    Ok(info)
}

/// Whether the role's trust policy, and where it only names the caller's account also the caller's own
/// policies, allow the session.
pub(super) fn check_trust(
    state: &State,
    caller: &Caller,
    ask: &AssumeRole<'_>,
    role: &Role,
    info: &SessionInfo,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let untold = |action| IdentityError::AccessDenied(Denial::without_reason(caller, action, ask.role_arn));
    let trust = role.trust_policy.policy(PolicyKind::Trust).ok_or_else(|| untold(ASSUME_ROLE))?;
    if !trust::is_meant(&role.trusted, &caller.principal) {
        return Err(untold(ASSUME_ROLE));
    }
    let opening = Opening {
        action: ASSUME_ROLE,
        has_tags: !info.tags.is_empty(),
        has_source_identity: info.source_identity.is_some(),
        role_arn: ask.role_arn,
        role,
        trust,
        context: trust_context(ask, role, info),
    };
    let refused = opening.first_refused(|asked| decision_with_mfa(state, caller, asked, ask.mfa, now));
    match refused {
        None => Ok(()),
        Some((action, decision)) => {
            Err(IdentityError::AccessDenied(denial(state, caller, &opening.ask(action), decision)))
        }
    }
}

fn trust_context(ask: &AssumeRole<'_>, role: &Role, info: &SessionInfo) -> Context {
    let mut context = ask.context.clone();
    context.set("sts:RoleSessionName", ask.session_name);
    if let Some(id) = ask.external_id {
        context.set("sts:ExternalId", id);
    }
    if let Some(identity) = &info.source_identity {
        context.set("sts:SourceIdentity", identity.as_str());
    }
    set_request_tags(&mut context, &info.tags);
    set_resource_tags(&mut context, "iam", &role.tags);
    if !info.transitive_tag_keys.is_empty() {
        context.set_many("sts:TransitiveTagKeys", info.transitive_tag_keys.iter().map(String::as_str));
    }
    context
}
