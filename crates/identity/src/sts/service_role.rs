//! A role that a service acts as: what a service that was passed a role (S3 for replication) does before each deed.
//!
//! Source: the IAM User Guide, "Creating a role to delegate permissions to an AWS service".

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_state::State;

use super::assume_role::{AssumeRole, check_trust, parts_of_role};
use crate::{
    Denial, account,
    entity::{self, Entity},
    error::IdentityError,
    limits,
    principal::{Caller, Principal},
    role::Role,
    session::SessionInfo,
};

/// The service as the role, if the role is there, its account is open and its trust policy lets the service assume it.
/// There are no credentials: the session never leaves this process, and lasts for one deed.
pub(crate) fn service_role(
    state: &State,
    service: &str,
    ask: &AssumeRole<'_>,
    now: DateTime<Utc>,
) -> Result<Caller, IdentityError> {
    let caller = Caller::service(service);
    let denied =
        || IdentityError::AccessDenied(Denial::without_reason(&caller, "sts:AssumeRole", ask.role_arn));
    let (owner, name) = parts_of_role(ask.role_arn)?;
    let is_open = account::closed_at(state, owner).is_none();
    let role = state.get::<Role>(&entity::document_id(owner, name)).filter(|_| is_open);
    let role = role.filter(|role| role.arn() == ask.role_arn).ok_or_else(denied)?;
    let info = SessionInfo::starting(now, limits::MIN_SESSION_SECONDS);
    check_trust(state, &caller, ask, &role, &info, now)?;
    Ok(Caller {
        principal: Principal::assumed_role(&role, ask.session_name),
        access_key_id: None,
        session: Some(Arc::new(info)),
    })
}
