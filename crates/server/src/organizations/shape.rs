//! The shapes that several operations take or answer with.

use opentrail_identity::{
    Documents, Tag, account,
    organization::{FeatureSet, Member, Organization, ServiceControlPolicy, Unit, path},
};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `Tag`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagShape {
    key: String,
    value: String,
}

/// Tags as the domain has them.
pub(super) fn tags(shapes: Option<&[TagShape]>) -> Vec<Tag> {
    shapes.unwrap_or_default().iter().map(|tag| Tag::new(&tag.key, &tag.value)).collect()
}

impl From<&Tag> for TagShape {
    fn from(tag: &Tag) -> Self {
        Self { key: tag.key.clone(), value: tag.value.clone() }
    }
}

/// `Organization`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OrganizationShape {
    id: String,
    arn: String,
    feature_set: &'static str,
    master_account_arn: String,
    master_account_id: String,
    master_account_email: String,
    available_policy_types: Vec<PolicyTypeShape>,
}

/// `PolicyTypeSummary`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyTypeShape {
    #[serde(rename = "Type")]
    kind: &'static str,
    status: &'static str,
}

impl OrganizationShape {
    pub(super) fn of(organization: &Organization, docs: &impl Documents) -> Self {
        let management = organization.management_account;
        // The member is deprecated; it tells whether the feature set has the type, not whether it is enabled.
        let available_policy_types = match organization.feature_set {
            FeatureSet::All => vec![PolicyTypeShape { kind: "SERVICE_CONTROL_POLICY", status: "ENABLED" }],
            FeatureSet::ConsolidatedBilling => Vec::new(),
        };
        Self {
            id: organization.id.clone(),
            arn: organization.arn(),
            feature_set: organization.feature_set.as_str(),
            master_account_arn: organization.account_arn(management),
            master_account_id: management.to_string(),
            master_account_email: account::profile(docs, management).email,
            available_policy_types,
        }
    }
}

/// `Root`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RootShape {
    id: String,
    arn: String,
    name: &'static str,
    policy_types: Vec<PolicyTypeShape>,
}

impl From<&Organization> for RootShape {
    fn from(organization: &Organization) -> Self {
        let enabled = organization.policy_types.iter();
        Self {
            id: organization.root.id.clone(),
            arn: organization.root_arn(),
            name: opentrail_identity::organization::ROOT_NAME,
            policy_types: enabled
                .map(|kind| PolicyTypeShape { kind: kind.as_str(), status: "ENABLED" })
                .collect(),
        }
    }
}

/// `Account`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccountShape {
    id: String,
    arn: String,
    email: String,
    name: String,
    status: &'static str,
    state: &'static str,
    paths: Option<Vec<String>>,
    joined_method: &'static str,
    joined_timestamp: Timestamp,
}

impl AccountShape {
    pub(super) fn of(organization: &Organization, member: &Member, docs: &impl Documents) -> Self {
        let profile = account::profile(docs, member.account);
        let closed = account::closed_at(docs, member.account).is_some();
        let path = path(docs, organization, &member.parent);
        Self {
            id: member.account.to_string(),
            arn: organization.account_arn(member.account),
            email: profile.email,
            name: profile.name,
            status: if closed { "SUSPENDED" } else { "ACTIVE" },
            state: if closed { "CLOSED" } else { "ACTIVE" },
            paths: path.map(|path| vec![format!("{path}{}/", member.account)]),
            joined_method: member.joined_method.as_str(),
            joined_timestamp: member.joined_at.into(),
        }
    }
}

impl AccountShape {
    /// As lists of administrators have it.
    pub(super) fn without_paths(self) -> Self {
        Self { paths: None, ..self }
    }
}

/// `OrganizationalUnit`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UnitShape {
    id: String,
    arn: String,
    name: String,
    path: Option<String>,
}

impl UnitShape {
    pub(super) fn of(organization: &Organization, unit: &Unit, docs: &impl Documents) -> Self {
        Self {
            id: unit.id.clone(),
            arn: organization.unit_arn(&unit.id),
            name: unit.name.clone(),
            path: path(docs, organization, &unit.parent).map(|path| format!("{path}{}/", unit.id)),
        }
    }
}

/// `PolicySummary`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicySummary {
    id: String,
    arn: String,
    name: String,
    description: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    aws_managed: bool,
}

impl From<&ServiceControlPolicy> for PolicySummary {
    fn from(policy: &ServiceControlPolicy) -> Self {
        Self {
            id: policy.id.clone(),
            arn: policy.arn(),
            name: policy.name.clone(),
            description: policy.description.clone(),
            kind: policy.policy_type().as_str(),
            aws_managed: policy.aws_managed,
        }
    }
}

/// What records have in the place of members that the service's model calls sensitive.
const HIDDEN: &str = "****";

/// Hides members with these names, at any depth, in what a record shows.
pub(super) fn hide(shown: &mut Value, names: &[&str]) {
    match shown {
        Value::Object(members) => {
            for (name, member) in members {
                if names.contains(&name.as_str()) {
                    *member = HIDDEN.into();
                } else {
                    hide(member, names);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, names)),
        _ => {}
    }
}
