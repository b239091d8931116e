//! The versions of a managed policy: up to five, one of them in force.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{Found, ManagedPolicy, document, find_or_missing, save, to_change};
use crate::{
    aws_managed::AwsManagedPolicy,
    documents::Documents,
    error::{Conflict, Constraint, IdentityError, InvalidValue, Missing, Quota},
    limits,
    page::{Page, PageRequest},
    permissions::PolicyText,
};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) created_at: DateTime<Utc>,
    pub(super) document: PolicyText,
}

/// One version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// `v1` and so on.
    pub version_id: String,
    /// Whether it is the one in force.
    pub is_default: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The text as it was sent.
    pub document: String,
}

impl ManagedPolicy {
    fn version(&self, number: u32) -> Option<PolicyVersion> {
        self.versions.get(&number).map(|version| PolicyVersion {
            version_id: format!("v{number}"),
            is_default: number == self.default_version,
            created_at: version.created_at,
            document: version.document.as_str().to_owned(),
        })
    }
}

/// Adds a version, and puts it in force if asked.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `MalformedPolicy`, `Validation`, and `LimitExceeded` beyond
/// [`limits::VERSIONS_PER_POLICY`].
pub fn create_version(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    text: &str,
    set_as_default: bool,
    now: DateTime<Utc>,
) -> Result<PolicyVersion, IdentityError> {
    let mut policy = to_change(tx, account, arn)?;
    let document = document(text)?;
    if policy.versions.len() >= limits::VERSIONS_PER_POLICY {
        return Err(IdentityError::LimitExceeded(Quota::PolicyVersions));
    }
    let number = policy.next_version;
    policy.next_version += 1;
    policy.updated_at = now;
    policy.versions.insert(number, Version { created_at: now, document });
    if set_as_default {
        policy.default_version = number;
    }
    save(tx, &policy);
    Ok(PolicyVersion {
        version_id: format!("v{number}"),
        is_default: set_as_default,
        created_at: now,
        document: text.to_owned(),
    })
}

/// A version with its text.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `Validation`.
pub fn get_version(
    docs: &impl Documents,
    account: AccountId,
    arn: &str,
    version_id: &str,
) -> Result<PolicyVersion, IdentityError> {
    let number = version_number(version_id)?;
    let version = match find_or_missing(docs, account, arn)? {
        Found::Customer(policy) => policy.version(number),
        Found::Aws(policy) => (number == 1).then(|| aws_version(policy)),
    };
    version.ok_or_else(|| missing_version(arn, version_id))
}

/// A page of the versions, oldest first.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `Validation`.
pub fn list_versions(
    docs: &impl Documents,
    account: AccountId,
    arn: &str,
    page: PageRequest<'_>,
) -> Result<Page<PolicyVersion>, IdentityError> {
    let versions = match find_or_missing(docs, account, arn)? {
        Found::Customer(policy) => {
            policy.versions.keys().filter_map(|number| Some((*number, policy.version(*number)?))).collect()
        }
        Found::Aws(policy) => vec![(1, aws_version(policy))],
    };
    page.cut(versions.into_iter().map(|(number, version)| (format!("{number:010}"), version)))
}

/// Puts another version in force.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `Validation`.
pub fn set_default_version(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    version_id: &str,
) -> Result<(), IdentityError> {
    let number = version_number(version_id)?;
    let mut policy = to_change(tx, account, arn)?;
    if !policy.versions.contains_key(&number) {
        return Err(missing_version(arn, version_id));
    }
    policy.default_version = number;
    save(tx, &policy);
    Ok(())
}

/// Deletes a version that is not in force.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `Validation`, and `DeleteConflict` for the version in force.
pub fn delete_version(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    version_id: &str,
) -> Result<(), IdentityError> {
    let number = version_number(version_id)?;
    let mut policy = to_change(tx, account, arn)?;
    if number == policy.default_version {
        return Err(IdentityError::DeleteConflict(Conflict::DefaultVersion));
    }
    if policy.versions.remove(&number).is_none() {
        return Err(missing_version(arn, version_id));
    }
    save(tx, &policy);
    Ok(())
}

fn version_number(version_id: &str) -> Result<u32, IdentityError> {
    let digits = version_id.strip_prefix('v').filter(|digits| !digits.starts_with(['0', '+']));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        let pattern = Constraint::Pattern(r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?");
        InvalidValue::new("versionId", version_id, pattern).into()
    })
}

fn missing_version(arn: &str, version_id: &str) -> IdentityError {
    IdentityError::NoSuchEntity(Missing::PolicyVersion(arn.to_owned(), version_id.to_owned()))
}

fn aws_version(policy: &AwsManagedPolicy) -> PolicyVersion {
    PolicyVersion {
        version_id: "v1".to_owned(),
        is_default: true,
        created_at: policy.created_at,
        document: policy.document.as_str().to_owned(),
    }
}
