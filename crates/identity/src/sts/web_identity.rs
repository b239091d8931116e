//! `AssumeRoleWithWebIdentity`: the caller has no credentials but a token of an OpenID Connect provider.
//!
//! Source: the STS API reference; the IAM User Guide, "Create a role for OpenID Connect federation".

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_keyring::Keyring;
use opentrail_policy::{Context, PolicyKind};
use opentrail_state::State;

use super::{
    assume_role::{AssumedRole, asked_seconds, check_duration, open, parts_of_role},
    narrowing::{Narrowing, check_tags},
    trusted::Opening,
};
use crate::{
    authorize::decision,
    context::{set_request_tags, set_resource_tags},
    entity::{self, Entity},
    error::IdentityError,
    federation::token::{self, Presented, Vouched},
    name::check_session_name,
    principal::{Caller, Principal},
    role::Role,
    session::SessionInfo,
};

/// What `AssumeRoleWithWebIdentity` asks for, beside what the token says.
#[derive(Debug, Clone, Default)]
pub struct AssumeRoleWithWebIdentity<'a> {
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
    /// The request's condition keys.
    pub context: Context,
}

const ASSUME_ROLE: &str = "sts:AssumeRoleWithWebIdentity";

/// Reads a token that is presented for a role, and checks what the call asks for.
pub(crate) fn present<'a>(
    state: &State,
    ask: &AssumeRoleWithWebIdentity<'_>,
    text: &'a str,
    now: DateTime<Utc>,
) -> Result<Presented<'a>, IdentityError> {
    check_session_name("roleSessionName", ask.session_name)?;
    narrowing(ask).check()?;
    asked_seconds(ask.duration_seconds)?;
    let (account, _) = parts_of_role(ask.role_arn)?;
    Ok(token::read(state, account, text, now)?)
}

/// Opens a session of a role for somebody whom an OpenID Connect provider vouches for, if the role's trust policy
/// allows it.
pub(crate) fn assume_role_with_web_identity(
    state: &State,
    keyring: &Keyring,
    vouched: &Vouched,
    ask: &AssumeRoleWithWebIdentity<'_>,
    now: DateTime<Utc>,
) -> Result<AssumedRole, IdentityError> {
    let caller = vouched.caller();
    let seconds = asked_seconds(ask.duration_seconds)?;
    let (account, name) = parts_of_role(ask.role_arn)?;
    check_tags(&vouched.tags, &vouched.transitive_tag_keys)?;
    let is_open = crate::account::closed_at(state, account).is_none();
    let role = state.get::<Role>(&entity::document_id(account, name)).filter(|_| is_open);
    let role = role
        .filter(|role| role.arn() == ask.role_arn)
        .ok_or(IdentityError::NotAuthorized { action: ASSUME_ROLE })?;
    check_trust(state, &caller, vouched, ask, &role, now)?;
    check_duration(&caller, &role, seconds)?;
    let mut info = SessionInfo::starting(now, seconds);
    info.source_identity.clone_from(&vouched.source_identity);
    info.tags.clone_from(&vouched.tags);
    info.transitive_tag_keys.clone_from(&vouched.transitive_tag_keys);
    info.web_identity = Some(vouched.identity.clone());
    open(state, keyring, &role, ask.session_name, narrowing(ask), info)
}

fn narrowing<'a>(ask: &AssumeRoleWithWebIdentity<'a>) -> Narrowing<'a> {
    Narrowing { policy: ask.policy, policy_arns: ask.policy_arns }
}

fn check_trust(
    state: &State,
    caller: &Caller,
    vouched: &Vouched,
    ask: &AssumeRoleWithWebIdentity<'_>,
    role: &Role,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let refused = |action| IdentityError::NotAuthorized { action };
    let trust = role.trust_policy.policy(PolicyKind::Trust).ok_or(refused(ASSUME_ROLE))?;
    let opening = Opening {
        action: ASSUME_ROLE,
        has_tags: !vouched.tags.is_empty(),
        has_source_identity: vouched.source_identity.is_some(),
        role_arn: ask.role_arn,
        role,
        trust,
        context: trust_context(vouched, ask, role),
    };
    match opening.first_refused(|asked| decision(state, caller, asked, now)) {
        None => Ok(()),
        Some((action, _)) => Err(refused(action)),
    }
}

fn trust_context(vouched: &Vouched, ask: &AssumeRoleWithWebIdentity<'_>, role: &Role) -> Context {
    let mut context = ask.context.clone();
    let identity = &vouched.identity;
    context.set("sts:RoleSessionName", ask.session_name);
    if let Some(source) = &vouched.source_identity {
        context.set("sts:SourceIdentity", source.as_str());
    }
    set_request_tags(&mut context, &vouched.tags);
    set_resource_tags(&mut context, "iam", &role.tags);
    if !vouched.transitive_tag_keys.is_empty() {
        let keys = vouched.transitive_tag_keys.iter().map(String::as_str);
        context.set_many("sts:TransitiveTagKeys", keys);
    }
    if !vouched.audiences.is_empty() {
        context.set_many(&identity.key("oaud"), vouched.audiences.iter().map(String::as_str));
    }
    if let Some(email) = &vouched.email {
        context.set(&identity.key("email"), email.as_str());
    }
    context
}

impl Vouched {
    /// Whoever presents the token, as policies and records know them.
    pub fn caller(&self) -> Caller {
        let principal = Principal::WebIdentity { identity: Arc::new(self.identity.clone()) };
        Caller { principal, access_key_id: None, session: None }
    }
}
