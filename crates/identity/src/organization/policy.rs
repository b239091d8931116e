//! Service control policies: what the principals of accounts may do at most.

use std::sync::{Arc, LazyLock};

use opentrail_event::AccountId;
use opentrail_policy::{Policy, PolicyKind};
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use super::{
    document::{Organization, PolicyType, within},
    refusal::{Absent, InvalidReason, OrganizationRefusal},
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
