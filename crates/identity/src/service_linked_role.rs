//! Roles that belong to a service: under a path of their own, trusted by that service alone, with its policy, and
//! nobody's to change.
//!
//! Source: the IAM User Guide, "Create a service-linked role" and "Deleting service-linked roles".

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    aws_managed,
    documents::Documents,
    entity::{self, EntityKind},
    error::{IdentityError, InvalidInput, Missing},
    organization,
    role::{self, NewRole, Role},
};

/// A service that has a role in the accounts that use it.
struct LinkedService {
    /// Its principal.
    principal: &'static str,
    role: &'static str,
    policy: &'static str,
    description: &'static str,
}

/// The service that every account of an organization has to do with.
const ORGANIZATIONS: &str = "organizations.amazonaws.com";

const SERVICES: &[LinkedService] = &[
    LinkedService {
        principal: "cloudtrail.amazonaws.com",
        role: "AWSServiceRoleForCloudTrail",
        policy: "CloudTrailServiceRolePolicy",
        description: "Lets CloudTrail look after an organization's trails.",
    },
    LinkedService {
        principal: ORGANIZATIONS,
        role: "AWSServiceRoleForOrganizations",
        policy: "AWSOrganizationsServiceTrustPolicy",
        description: "Lets Organizations set up services in the organization's accounts.",
    },
];

/// What a service-linked role is used by, where that keeps it from being deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleUsage {
    /// The region.
    pub region: String,
    /// The ARNs of what uses it there.
    pub resources: Vec<String>,
}

/// What became of the wish to delete a service-linked role. The last one of each role is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDeletion {
    /// `task/aws-service-role/SERVICE/ROLE/UUID`.
    pub task_id: String,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// What still uses the role; it was deleted if nothing does.
    pub usage: Vec<RoleUsage>,
}

impl Resource for RoleDeletion {
    const KIND: &'static str = "identity.role-deletion";
}

/// `arn:aws:iam::ACCOUNT:role/aws-service-role/SERVICE/ROLE`, under which permission to create the role is asked; of a
/// service that has none, with `*` for the role.
pub fn arn(account: AccountId, service: &str) -> String {
    let name = service_of(service).map_or("*", |linked| linked.role);
    entity::arn(account, EntityKind::Role, &path(service), name)
}

/// The ARN under which permission to ask about a deletion is asked.
pub fn arn_of_task(account: AccountId, task_id: &str) -> String {
    let parts = task_id.strip_prefix("task").and_then(|role| role.rsplit_once('/'));
    let role = parts.map_or("/*", |(role, _)| role);
    format!("arn:aws:iam::{account}:role{role}")
}

/// Creates the role of a service, for `CreateServiceLinkedRole`.
///
/// # Errors
/// `InvalidInput` for a service that has no such role, for a suffix, which none of them takes, and if the role is there
/// already; `Validation`; `LimitExceeded`.
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    service: &str,
    description: Option<&str>,
    custom_suffix: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Role, IdentityError> {
    let linked = service_of(service)
        .ok_or_else(|| InvalidInput::NoLinkedRole(service.chars().take(128).collect()))
        .map_err(IdentityError::InvalidInput)?;
    if custom_suffix.is_some() {
        return Err(IdentityError::InvalidInput(InvalidInput::CustomSuffix(linked.principal)));
    }
    if role::get(tx, account, linked.role).is_ok() {
        return Err(IdentityError::InvalidInput(InvalidInput::LinkedRoleTaken(linked.role)));
    }
    make(tx, account, linked, description, now)
}

/// Makes sure that an account has the role of a service, as the service itself does when it is set up. Whether it had to
/// be created.
///
/// # Errors
/// `InvalidInput` for a service that has no such role; `AlreadyExists` if a role of another kind has its name;
/// `LimitExceeded`.
pub fn ensure(
    tx: &mut Transaction,
    account: AccountId,
    service: &str,
    now: DateTime<Utc>,
) -> Result<bool, IdentityError> {
    let linked = service_of(service)
        .ok_or_else(|| InvalidInput::NoLinkedRole(service.chars().take(128).collect()))
        .map_err(IdentityError::InvalidInput)?;
    if role::get(tx, account, linked.role).is_ok_and(|role| role.is_service_linked()) {
        return Ok(false);
    }
    make(tx, account, linked, None, now)?;
    Ok(true)
}

/// Deletes a service-linked role unless something uses it, and keeps what became of it: the task's id.
///
/// # Errors
/// `NoSuchEntity`, also for a role that is no service's.
pub fn delete(
    tx: &mut Transaction,
    account: AccountId,
    role_name: &str,
    now: DateTime<Utc>,
) -> Result<String, IdentityError> {
    let role = role::get(tx, account, role_name)?;
    if !role.is_service_linked() {
        let missing = Missing::Entity(EntityKind::Role, role_name.to_owned());
        return Err(IdentityError::NoSuchEntity(missing));
    }
    let usage = usage(tx, account, role_name);
    let task_id = format!("task{}{}/{}", role.path, role.name, Uuid::new_v4());
    if usage.is_empty() {
        role::remove(tx, &role);
    }
    let deletion = RoleDeletion { task_id: task_id.clone(), asked_at: now, usage };
    tx.put(&entity::document_id(account, role_name), &deletion);
    Ok(task_id)
}

/// What became of a deletion.
///
/// # Errors
/// `InvalidInput` for what is no task's id, `NoSuchEntity` for a task that there was none of, or that a later one of the
/// same role took the place of.
pub fn deletion(
    docs: &impl Documents,
    account: AccountId,
    task_id: &str,
) -> Result<RoleDeletion, IdentityError> {
    let shown = || task_id.chars().take(256).collect::<String>();
    let role_name = role_of_task(task_id)
        .ok_or_else(|| IdentityError::InvalidInput(InvalidInput::DeletionTask(shown())))?;
    docs.document::<RoleDeletion>(&entity::document_id(account, role_name))
        .filter(|deletion| deletion.task_id == task_id)
        .map(|deletion| RoleDeletion::clone(&deletion))
        .ok_or_else(|| IdentityError::NoSuchEntity(Missing::DeletionTask(shown())))
}

/// The role in `task/aws-service-role/SERVICE/ROLE/UUID`.
fn role_of_task(task_id: &str) -> Option<&str> {
    let mut parts = task_id.strip_prefix("task")?.strip_prefix(aws_managed::SERVICE_ROLE_PATH)?.split('/');
    let (_service, role, _uuid) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(role)
}

/// What uses a role: the organization that the account is in, where it lets the service into its accounts.
fn usage(docs: &impl Documents, account: AccountId, role_name: &str) -> Vec<RoleUsage> {
    let Some(organization) = organization::of_account(docs, account) else { return Vec::new() };
    let linked = SERVICES.iter().find(|linked| linked.role == role_name);
    let in_use = linked.is_some_and(|linked| {
        linked.principal == ORGANIZATIONS || organization.service_access_enabled(linked.principal)
    });
    let region = Region::us_east_1().to_string();
    in_use.then(|| RoleUsage { region, resources: vec![organization.arn()] }).into_iter().collect()
}

fn service_of(principal: &str) -> Option<&'static LinkedService> {
    SERVICES.iter().find(|linked| linked.principal == principal)
}

fn path(service: &str) -> String {
    format!("{}{service}/", aws_managed::SERVICE_ROLE_PATH)
}

fn make(
    tx: &mut Transaction,
    account: AccountId,
    linked: &LinkedService,
    description: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Role, IdentityError> {
    let path = path(linked.principal);
    let statement = json!({
        "Effect": "Allow", "Principal": { "Service": linked.principal }, "Action": "sts:AssumeRole",
    });
    let trust_policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let new = NewRole {
        name: linked.role,
        path: Some(&path),
        trust_policy: &trust_policy,
        description: Some(description.unwrap_or(linked.description)),
        ..NewRole::default()
    };
    let policy = format!("arn:aws:iam::aws:policy{}{}", aws_managed::SERVICE_ROLE_PATH, linked.policy);
    role::create_service_linked(tx, account, &new, policy, now)
}
