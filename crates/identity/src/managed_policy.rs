//! Managed policies: those of an account, with up to five versions, and AWS's own.

mod versions;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_policy::PolicyKind;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    attach::{self, PolicyUsage, UsageCount},
    aws_managed::{self, AwsManagedPolicy},
    documents::Documents,
    entity,
    error::{Conflict, Existing, IdentityError, InvalidInput, Missing, Quota},
    id::{self, IdKind},
    limits,
    name::{check_name, check_path_prefix, check_policy_description, check_policy_path, counted_chars},
    page::{Page, PageRequest},
    permissions::PolicyText,
    tags::{self, Tag},
};

use versions::Version;
pub use versions::{
    PolicyVersion, create_version, delete_version, get_version, list_versions, set_default_version,
};

/// A customer managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// The account.
    pub account: AccountId,
    /// The name, unique in the account whatever its case.
    pub name: String,
    /// The path, `/` by default.
    pub path: String,
    /// `ANPA…`.
    pub id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its newest version was created.
    pub updated_at: DateTime<Utc>,
    /// What it is for; it cannot be changed.
    #[serde(default)]
    pub description: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The number of the version in force.
    pub default_version: u32,
    /// The number that the next version gets: numbers are never used again.
    next_version: u32,
    /// The versions kept, by number.
    versions: BTreeMap<u32, Version>,
}

impl Resource for ManagedPolicy {
    const KIND: &'static str = "identity.policy";
}

impl ManagedPolicy {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn(self.account, &self.path, &self.name)
    }

    /// The version in force.
    pub(crate) fn in_force(&self) -> Option<&PolicyText> {
        self.versions.get(&self.default_version).map(|version| &version.document)
    }

    /// How many versions are kept.
    pub(crate) fn version_count(&self) -> usize {
        self.versions.len()
    }
}

/// `arn:aws:iam::ACCOUNT:policy/PATH/NAME`.
pub fn arn(account: AccountId, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:policy{path}{name}")
}

/// What IAM tells about a managed policy, of an account or of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySummary {
    /// Its name.
    pub name: String,
    /// `ANPA…`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its path.
    pub path: String,
    /// The version in force, `v1` and so on.
    pub default_version_id: String,
    /// How many users, groups and roles of the account it is attached to.
    pub attachment_count: usize,
    /// How many users and roles of the account it bounds.
    pub permissions_boundary_usage_count: usize,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its newest version was created.
    pub updated_at: DateTime<Utc>,
    /// Its tags; AWS's own have none.
    pub tags: Vec<Tag>,
}

/// The parts of a managed policy's ARN.
pub(crate) struct PolicyArn<'a> {
    /// An account, or `aws`.
    pub(crate) owner: &'a str,
    pub(crate) path: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> PolicyArn<'a> {
    pub(crate) fn parse(arn: &'a str) -> Option<Self> {
        let (owner, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
        let path_and_name = resource.strip_prefix("policy")?;
        let (_, name) = path_and_name.rsplit_once('/')?;
        let path = path_and_name.strip_suffix(name)?;
        (!name.is_empty() && path.starts_with('/')).then_some(Self { owner, path, name })
    }
}

/// Where an ARN leads.
enum Found {
    Customer(Arc<ManagedPolicy>),
    Aws(&'static AwsManagedPolicy),
}

/// The policy of this ARN, for an account that may use it: its own and AWS's.
fn find(docs: &impl Documents, account: AccountId, arn: &str) -> Result<Option<Found>, IdentityError> {
    let invalid = || IdentityError::InvalidInput(InvalidInput::PolicyArn(arn.chars().take(256).collect()));
    if arn.len() > limits::ARN_CHARS {
        return Err(invalid());
    }
    let parsed = PolicyArn::parse(arn).ok_or_else(invalid)?;
    if parsed.owner == "aws" {
        return Ok(aws_managed::find(arn).map(Found::Aws));
    }
    if parsed.owner != account.as_str() {
        return Ok(None);
    }
    let policy = docs.document::<ManagedPolicy>(&entity::document_id(account, parsed.name));
    Ok(policy.filter(|policy| policy.arn() == arn).map(Found::Customer))
}

fn find_or_missing(docs: &impl Documents, account: AccountId, arn: &str) -> Result<Found, IdentityError> {
    find(docs, account, arn)?.ok_or_else(|| IdentityError::NoSuchEntity(Missing::Policy(arn.to_owned())))
}

/// A customer managed policy to change; AWS's own are nobody's to change.
fn to_change(docs: &impl Documents, account: AccountId, arn: &str) -> Result<ManagedPolicy, IdentityError> {
    match find_or_missing(docs, account, arn)? {
        Found::Customer(policy) => Ok(ManagedPolicy::clone(&policy)),
        Found::Aws(_) => Err(IdentityError::InvalidInput(InvalidInput::AwsManagedPolicy(arn.to_owned()))),
    }
}

pub(crate) fn check_exists(
    docs: &impl Documents,
    account: AccountId,
    arn: &str,
) -> Result<(), IdentityError> {
    find_or_missing(docs, account, arn).map(drop)
}

pub(crate) fn check_attachable(
    docs: &impl Documents,
    account: AccountId,
    arn: &str,
) -> Result<(), IdentityError> {
    match find(docs, account, arn)? {
        Some(Found::Aws(policy)) if policy.is_services_own() => Err(IdentityError::NotAttachable),
        Some(_) => Ok(()),
        None => Err(IdentityError::NoSuchEntity(Missing::Attachable(arn.to_owned()))),
    }
}

/// The text in force under this ARN, for whoever evaluates it.
pub(crate) fn with_document_in_force<R>(
    docs: &impl Documents,
    account: AccountId,
    arn: &str,
    read: impl FnOnce(&PolicyText) -> R,
) -> Option<R> {
    match find(docs, account, arn).ok()?? {
        Found::Customer(policy) => policy.in_force().map(read),
        Found::Aws(policy) => Some(read(&policy.document)),
    }
}

/// What a managed policy is created with.
#[derive(Debug, Clone, Default)]
pub struct NewPolicy<'a> {
    /// The name.
    pub name: &'a str,
    /// The path; `/` when absent.
    pub path: Option<&'a str>,
    /// The first version's text.
    pub document: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Tags.
    pub tags: &'a [Tag],
}

/// Creates a managed policy with its version `v1`.
///
/// # Errors
/// `Validation`, `AlreadyExists`, `LimitExceeded`, `MalformedPolicy`, `InvalidInput`.
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    new: &NewPolicy<'_>,
    now: DateTime<Utc>,
) -> Result<PolicySummary, IdentityError> {
    let path = new.path.unwrap_or("/");
    check_name("policyName", new.name, limits::POLICY_NAME_CHARS)?;
    check_policy_path("path", path)?;
    check_policy_description(new.description.unwrap_or_default())?;
    tags::check(new.tags)?;
    let document = document(new.document)?;
    let id = entity::document_id(account, new.name);
    if tx.get::<ManagedPolicy>(&id).is_some() {
        return Err(IdentityError::AlreadyExists(Existing::Policy(new.name.to_owned())));
    }
    if tx.count::<ManagedPolicy>(&entity::account_prefix(account)) >= limits::POLICIES_PER_ACCOUNT {
        let quota = Quota::Count("PoliciesPerAccount", limits::POLICIES_PER_ACCOUNT);
        return Err(IdentityError::LimitExceeded(quota));
    }
    let policy = ManagedPolicy {
        account,
        name: new.name.to_owned(),
        path: path.to_owned(),
        id: id::fresh(IdKind::ManagedPolicy),
        created_at: now,
        updated_at: now,
        description: new.description.map(str::to_owned),
        tags: new.tags.to_vec(),
        default_version: 1,
        next_version: 2,
        versions: BTreeMap::from([(1, Version { created_at: now, document })]),
    };
    tx.put(&id, &policy);
    Ok(summary(&policy, UsageCount::default()))
}

/// The managed policy of this ARN.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`.
pub fn get(docs: &impl Documents, account: AccountId, arn: &str) -> Result<PolicySummary, IdentityError> {
    let usage = attach::usage(docs, account).remove(arn).unwrap_or_default();
    Ok(match find_or_missing(docs, account, arn)? {
        Found::Customer(policy) => summary(&policy, usage),
        Found::Aws(policy) => aws_summary(policy, usage),
    })
}

/// Whose policies a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PolicyScope {
    /// The account's and AWS's.
    #[default]
    All,
    /// AWS's.
    Aws,
    /// The account's.
    Local,
}

/// Which managed policies `ListPolicies` asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct PolicyFilter<'a> {
    /// Whose.
    pub scope: PolicyScope,
    /// Only those attached to something.
    pub only_attached: bool,
    /// Only those under this path.
    pub path_prefix: Option<&'a str>,
    /// Only those used so.
    pub usage: Option<PolicyUsage>,
}

/// A page of managed policies: AWS's, then the account's.
///
/// # Errors
/// `Validation`.
pub fn list(
    docs: &impl Documents,
    account: AccountId,
    filter: PolicyFilter<'_>,
    page: PageRequest<'_>,
) -> Result<Page<PolicySummary>, IdentityError> {
    let prefix = filter.path_prefix.unwrap_or("/");
    check_path_prefix(prefix)?;
    let usage = attach::usage(docs, account);
    let usage_of = |arn: &str| usage.get(arn).copied().unwrap_or_default();
    let of_aws = aws_managed::all().iter().filter(|_| filter.scope != PolicyScope::Local).map(|policy| {
        (format!("aws/{}", policy.name.to_ascii_lowercase()), aws_summary(policy, usage_of(&policy.arn)))
    });
    let local = docs.documents::<ManagedPolicy>(&entity::account_prefix(account)).into_iter();
    let local = local
        .filter(|_| filter.scope != PolicyScope::Aws)
        .map(|(id, policy)| (format!("local/{id}"), summary(&policy, usage_of(&policy.arn()))));
    let wanted = |policy: &PolicySummary| {
        let attached = policy.attachment_count > 0;
        let bounding = policy.permissions_boundary_usage_count > 0;
        let used = match filter.usage {
            None => true,
            Some(PolicyUsage::PermissionsPolicy) => attached,
            Some(PolicyUsage::PermissionsBoundary) => bounding,
        };
        policy.path.starts_with(prefix) && used && (!filter.only_attached || attached || bounding)
    };
    page.cut(of_aws.chain(local).filter(|(_, policy)| wanted(policy)))
}

/// Deletes a managed policy with its only version.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, and `DeleteConflict` while it is used or has other versions.
pub fn delete(tx: &mut Transaction, account: AccountId, arn: &str) -> Result<(), IdentityError> {
    let policy = to_change(tx, account, arn)?;
    if attach::usage(tx, account).contains_key(arn) {
        return Err(IdentityError::DeleteConflict(Conflict::PolicyInUse));
    }
    if policy.versions.len() > 1 {
        return Err(IdentityError::DeleteConflict(Conflict::PolicyVersions));
    }
    tx.delete::<ManagedPolicy>(&entity::document_id(account, &policy.name));
    Ok(())
}

/// Puts tags on a managed policy.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `LimitExceeded`, `Validation`.
pub fn tag(tx: &mut Transaction, account: AccountId, arn: &str, tags: &[Tag]) -> Result<(), IdentityError> {
    let mut policy = to_change(tx, account, arn)?;
    tags::put(&mut policy.tags, tags)?;
    save(tx, &policy);
    Ok(())
}

/// Takes tags off a managed policy.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `Validation`.
pub fn untag(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    keys: &[impl AsRef<str>],
) -> Result<(), IdentityError> {
    let mut policy = to_change(tx, account, arn)?;
    tags::remove(&mut policy.tags, keys)?;
    save(tx, &policy);
    Ok(())
}

fn document(text: &str) -> Result<PolicyText, IdentityError> {
    let document = PolicyText::new("policyDocument", text, PolicyKind::Identity)?;
    if let Some(policy) = document.policy(PolicyKind::Identity) {
        policy.require_current_version()?;
    }
    if counted_chars(text) > limits::MANAGED_POLICY_CHARS {
        return Err(IdentityError::LimitExceeded(Quota::Count("PolicySize", limits::MANAGED_POLICY_CHARS)));
    }
    Ok(document)
}

fn summary(policy: &ManagedPolicy, usage: UsageCount) -> PolicySummary {
    PolicySummary {
        name: policy.name.clone(),
        id: policy.id.clone(),
        arn: policy.arn(),
        path: policy.path.clone(),
        default_version_id: format!("v{}", policy.default_version),
        attachment_count: usage.attached,
        permissions_boundary_usage_count: usage.bounding,
        description: policy.description.clone(),
        created_at: policy.created_at,
        updated_at: policy.updated_at,
        tags: policy.tags.clone(),
    }
}

fn aws_summary(policy: &AwsManagedPolicy, usage: UsageCount) -> PolicySummary {
    PolicySummary {
        name: policy.name.to_owned(),
        id: policy.id.to_owned(),
        arn: policy.arn.clone(),
        path: policy.path.to_owned(),
        default_version_id: "v1".to_owned(),
        attachment_count: usage.attached,
        permissions_boundary_usage_count: usage.bounding,
        description: Some(policy.description.to_owned()),
        created_at: policy.created_at,
        updated_at: policy.created_at,
        tags: Vec::new(),
    }
}

fn save(tx: &mut Transaction, policy: &ManagedPolicy) {
    tx.put(&entity::document_id(policy.account, &policy.name), policy);
}
