//! Service control policies: what the principals of accounts may do at most.

use std::sync::{Arc, LazyLock};

use opentrail_event::AccountId;
use opentrail_policy::{Policy, PolicyKind};
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use super::{
    attachment,
    document::{FeatureSet, Organization, PolicyType, prefix, within},
    form, ids, limits,
    refusal::{Absent, Already, Constraint, Held, InvalidReason, OrganizationRefusal},
    tagging,
};
use crate::{documents::Documents, permissions::PolicyText, tags::Tag};

/// The id of the policy that allows everything, which nobody has to make.
pub const FULL_ACCESS: &str = "p-FullAWSAccess";

/// A service control policy of an organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceControlPolicy {
    /// `p-…`.
    pub id: String,
    /// The organization's id.
    pub organization: String,
    /// The organization's management account.
    pub account: AccountId,
    /// Its name, unique among the organization's.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The policy as it was sent.
    pub content: PolicyText,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Whether it is AWS's own.
    #[serde(skip)]
    pub aws_managed: bool,
}

impl Resource for ServiceControlPolicy {
    const KIND: &'static str = "identity.service_control_policy";
}

/// The policy that allows everything.
static FULL: LazyLock<Arc<ServiceControlPolicy>> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    Arc::new(ServiceControlPolicy {
        id: FULL_ACCESS.to_owned(),
        organization: String::new(),
        account: "000000000000".parse().expect("twelve digits"),
        name: "FullAWSAccess".to_owned(),
        description: "Allows access to every operation".to_owned(),
        content: PolicyText::new("content", text, PolicyKind::Identity).expect("the text is a policy"),
        tags: Vec::new(),
        aws_managed: true,
    })
});

impl ServiceControlPolicy {
    /// Its ARN.
    pub fn arn(&self) -> String {
        if self.aws_managed {
            return format!("arn:aws:organizations::aws:policy/service_control_policy/{}", self.id);
        }
        let Self { account, organization, id, .. } = self;
        format!("arn:aws:organizations::{account}:policy/{organization}/service_control_policy/{id}")
    }

    /// Its type.
    pub fn policy_type(&self) -> PolicyType {
        PolicyType::ServiceControl
    }

    /// The policy, read; none if its text, which was checked when it came, cannot be read any more.
    pub(super) fn in_force(&self) -> Option<&Policy> {
        self.content.policy(PolicyKind::Identity)
    }

    pub(super) fn save(&self, tx: &mut Transaction) {
        tx.put(&within(&self.organization, &self.id), self);
    }
}

/// The policy of this id.
pub(super) fn find(
    docs: &impl Documents,
    organization: &Organization,
    id: &str,
) -> Option<Arc<ServiceControlPolicy>> {
    if id == FULL_ACCESS {
        return Some(Arc::clone(&FULL));
    }
    docs.document::<ServiceControlPolicy>(&within(&organization.id, id))
}

/// The policy of this id.
///
/// # Errors
/// `InvalidInput` for what is no id, `PolicyNotFound`.
pub fn get(
    docs: &impl Documents,
    organization: &Organization,
    id: &str,
) -> Result<Arc<ServiceControlPolicy>, OrganizationRefusal> {
    let of_form = id.strip_prefix("p-").is_some_and(|rest| {
        (8..=128).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    });
    if !of_form {
        let message = "You specified an invalid value for the policy ID.";
        return Err(OrganizationRefusal::invalid(InvalidReason::InvalidSyntaxPolicyId, message));
    }
    find(docs, organization, id).ok_or_else(|| Absent::Policy.into())
}

/// What a policy is made with.
#[derive(Debug, Clone, Copy)]
pub struct NewPolicy<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub description: &'a str,
    /// Its text.
    pub content: &'a str,
    /// Its tags.
    pub tags: &'a [Tag],
}

/// Creates a policy.
///
/// # Errors
/// `PolicyTypeNotAvailableForOrganization` without all features, `MalformedPolicyDocument`, `DuplicatePolicy`,
/// `InvalidInput`; `ConstraintViolation` beyond [`limits::POLICIES`], [`limits::POLICY_BYTES`] and [`limits::TAGS`].
pub fn create(
    tx: &mut Transaction,
    organization: &Organization,
    new: &NewPolicy<'_>,
) -> Result<ServiceControlPolicy, OrganizationRefusal> {
    if organization.feature_set != FeatureSet::All {
        return Err(OrganizationRefusal::PolicyTypeNotAvailable);
    }
    form::check_name(new.name)?;
    form::check_length("Description", new.description, 0, limits::DESCRIPTION_CHARS)?;
    tagging::check(new.tags)?;
    let content = read_content(new.content)?;
    if tx.count::<ServiceControlPolicy>(&prefix(&organization.id)) >= limits::POLICIES {
        return Err(Constraint::Policies.into());
    }
    check_free(tx, organization, new.name)?;
    let mut id = ids::policy();
    while tx.contains::<ServiceControlPolicy>(&within(&organization.id, &id)) {
        id = ids::policy();
    }
    let policy = ServiceControlPolicy {
        id,
        organization: organization.id.clone(),
        account: organization.management_account,
        name: new.name.to_owned(),
        description: new.description.to_owned(),
        content,
        tags: new.tags.to_vec(),
        aws_managed: false,
    };
    policy.save(tx);
    Ok(policy)
}

/// What of a policy is to be changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct PolicyUpdate<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Its text.
    pub content: Option<&'a str>,
}

/// Changes a policy, which holds at once wherever it is attached.
///
/// # Errors
/// `PolicyNotFound`, `InvalidInput`, also for AWS's own policy; `MalformedPolicyDocument`, `DuplicatePolicy`,
/// `ConstraintViolation` beyond [`limits::POLICY_BYTES`].
pub fn update(
    tx: &mut Transaction,
    organization: &Organization,
    id: &str,
    update: &PolicyUpdate<'_>,
) -> Result<ServiceControlPolicy, OrganizationRefusal> {
    let mut policy = ServiceControlPolicy::clone(&*own(tx, organization, id)?);
    if let Some(name) = update.name.filter(|name| *name != policy.name) {
        form::check_name(name)?;
        check_free(tx, organization, name)?;
        policy.name = name.to_owned();
    }
    if let Some(description) = update.description {
        form::check_length("Description", description, 0, limits::DESCRIPTION_CHARS)?;
        policy.description = description.to_owned();
    }
    if let Some(content) = update.content {
        policy.content = read_content(content)?;
    }
    policy.save(tx);
    Ok(policy)
}

/// Deletes a policy that is attached to nothing.
///
/// # Errors
/// `PolicyNotFound`, `PolicyInUse`, `InvalidInput` for AWS's own policy.
pub fn delete(
    tx: &mut Transaction,
    organization: &Arc<Organization>,
    id: &str,
) -> Result<(), OrganizationRefusal> {
    own(tx, organization, id)?;
    if !attachment::holders(tx, organization, id).is_empty() {
        return Err(Held::Policy.into());
    }
    tx.delete::<ServiceControlPolicy>(&within(&organization.id, id));
    Ok(())
}

/// Every policy of the organization in the order of their ids, AWS's own first.
pub fn list(docs: &impl Documents, organization: &Organization) -> Vec<Arc<ServiceControlPolicy>> {
    let own = docs.documents::<ServiceControlPolicy>(&prefix(&organization.id)).into_iter();
    std::iter::once(Arc::clone(&FULL)).chain(own.map(|(_, policy)| policy)).collect()
}

/// A policy that is not AWS's.
fn own(
    docs: &impl Documents,
    organization: &Organization,
    id: &str,
) -> Result<Arc<ServiceControlPolicy>, OrganizationRefusal> {
    let policy = get(docs, organization, id)?;
    if policy.aws_managed {
        let message = "You specified a policy that is managed by AWS and can't be modified.";
        return Err(OrganizationRefusal::invalid(InvalidReason::ImmutablePolicy, message));
    }
    Ok(policy)
}

fn check_free(
    docs: &impl Documents,
    organization: &Organization,
    name: &str,
) -> Result<(), OrganizationRefusal> {
    if list(docs, organization).iter().any(|policy| policy.name == name) {
        Err(Already::Policy.into())
    } else {
        Ok(())
    }
}

/// A policy's text. A service control policy is written as an identity policy is: no principals, resources and
/// conditions in any statement.
fn read_content(text: &str) -> Result<PolicyText, OrganizationRefusal> {
    form::check_length("Content", text, 1, usize::MAX)?;
    if text.len() > limits::POLICY_BYTES {
        return Err(Constraint::PolicySize.into());
    }
    Policy::parse(text, PolicyKind::Identity)?;
    PolicyText::new("content", text, PolicyKind::Identity).map_err(|_| {
        let message = "You provided a policy with characters that aren't allowed.";
        OrganizationRefusal::invalid(InvalidReason::InvalidPattern, message)
    })
}
