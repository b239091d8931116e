//! What an organization is made of: itself with its root, its units, its accounts and its policies.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Duration, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use super::{limits, refusal::OrganizationRefusal};
use crate::{account, documents::Documents, permissions::PolicyText, tags::Tag};

/// Which features an organization has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeatureSet {
    /// Everything.
    All,
    /// One bill, and nothing that governs accounts.
    ConsolidatedBilling,
}

impl FeatureSet {
    /// `ALL` or `CONSOLIDATED_BILLING`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::ConsolidatedBilling => "CONSOLIDATED_BILLING",
        }
    }
}

/// A type of policies that can be enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PolicyType {
    /// What the principals of accounts may do at most.
    ServiceControl,
}

impl PolicyType {
    /// `SERVICE_CONTROL_POLICY`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceControl => "SERVICE_CONTROL_POLICY",
        }
    }
}

/// An organization, with its root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Organization {
    /// `o-…`.
    pub id: String,
    /// The account that made it and governs it.
    pub management_account: AccountId,
    /// Which features it has.
    pub feature_set: FeatureSet,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The top of its tree.
    pub root: Root,
    /// The types of policies that are enabled in the root.
    #[serde(default)]
    pub policy_types: BTreeSet<PolicyType>,
    /// The services that may work in all of its accounts, each with the time since when.
    #[serde(default)]
    pub service_access: BTreeMap<String, DateTime<Utc>>,
    /// What other accounts may ask of it.
    #[serde(default)]
    pub resource_policy: Option<ResourcePolicy>,
}

/// The root of an organization's tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Root {
    /// `r-…`.
    pub id: String,
    /// Ids of the policies attached to it, in the order in which they were.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// The organization's own resource policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// `rp-…`.
    pub id: String,
    /// The policy as it was sent.
    pub content: PolicyText,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

impl Resource for Organization {
    const KIND: &'static str = "identity.organization";
}

impl Organization {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.arn_of("organization", None)
    }

    /// The ARN of its root.
    pub fn root_arn(&self) -> String {
        self.arn_of("root", Some(&self.root.id))
    }

    /// The ARN of one of its accounts.
    pub fn account_arn(&self, account: AccountId) -> String {
        self.arn_of("account", Some(account.as_str()))
    }

    /// The ARN of one of its units.
    pub fn unit_arn(&self, unit: &str) -> String {
        self.arn_of("ou", Some(unit))
    }

    /// The ARN of one of its service control policies.
    pub fn policy_arn(&self, policy: &str) -> String {
        let Self { management_account, id, .. } = self;
        format!("arn:aws:organizations::{management_account}:policy/{id}/service_control_policy/{policy}")
    }

    /// The ARN of its resource policy.
    pub fn resource_policy_arn(&self, id: &str) -> String {
        self.arn_of("resourcepolicy", Some(id))
    }

    fn arn_of(&self, kind: &str, id: Option<&str>) -> String {
        let whole = format!("arn:aws:organizations::{}:{kind}/{}", self.management_account, self.id);
        id.map_or(whole.clone(), |id| format!("{whole}/{id}"))
    }

    /// Whether policies of this type are enabled.
    pub fn has_enabled(&self, policy_type: PolicyType) -> bool {
        self.policy_types.contains(&policy_type)
    }

    /// Whether a service may work in all accounts (`EnableAWSServiceAccess`).
    pub fn service_access_enabled(&self, service_principal: &str) -> bool {
        self.service_access.contains_key(service_principal)
    }

    pub(super) fn save(&self, tx: &mut Transaction) {
        tx.put(&self.id, self);
    }
}

/// How an account came into its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinedMethod {
    /// It was there and was invited; also the management account.
    Invited,
    /// It was made in it.
    Created,
}

impl JoinedMethod {
    /// `INVITED` or `CREATED`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "INVITED",
            Self::Created => "CREATED",
        }
    }
}

/// An account's place in its organization; the management account has one too. The document's id is the account's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// The organization's id.
    pub organization: String,
    /// The id of the root or unit that it is in.
    pub parent: String,
    /// How it came.
    pub joined_method: JoinedMethod,
    /// When it came.
    pub joined_at: DateTime<Utc>,
    /// Ids of the policies attached to it, in the order in which they were.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The services it administers for the organization, each with the time since when.
    #[serde(default)]
    pub delegations: BTreeMap<String, DateTime<Utc>>,
}

impl Resource for Member {
    const KIND: &'static str = "identity.organization_member";
}

impl Member {
    pub(super) fn save(&self, tx: &mut Transaction) {
        tx.put(self.account.as_str(), self);
    }
}

/// An organizational unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unit {
    /// `ou-…`.
    pub id: String,
    /// The organization's id.
    pub organization: String,
    /// The id of the root or unit that it is in.
    pub parent: String,
    /// Its name, unique in its parent.
    pub name: String,
    /// Ids of the policies attached to it, in the order in which they were.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

impl Resource for Unit {
    const KIND: &'static str = "identity.organization_unit";
}

impl Unit {
    pub(super) fn save(&self, tx: &mut Transaction) {
        tx.put(&within(&self.organization, &self.id), self);
    }
}

/// The document id of something in an organization.
pub(super) fn within(organization: &str, id: &str) -> String {
    format!("{organization}/{id}")
}

/// What the ids of an organization's documents begin with.
pub(super) fn prefix(organization: &str) -> String {
    format!("{organization}/")
}

/// The organization that an account is in.
pub fn of_account(docs: &impl Documents, account: AccountId) -> Option<Arc<Organization>> {
    let member = docs.document::<Member>(account.as_str())?;
    docs.document::<Organization>(&member.organization)
}

/// The organization that an account is in, to work with.
///
/// # Errors
/// `NotInUse`.
pub fn in_use(docs: &impl Documents, account: AccountId) -> Result<Arc<Organization>, OrganizationRefusal> {
    of_account(docs, account).ok_or(OrganizationRefusal::NotInUse)
}

/// The organization that an account governs.
///
/// # Errors
/// `NotInUse`; `AccessDenied` for an account that is in an organization and does not govern it.
pub fn managed_by(
    docs: &impl Documents,
    account: AccountId,
) -> Result<Arc<Organization>, OrganizationRefusal> {
    let organization = in_use(docs, account)?;
    if organization.management_account == account {
        Ok(organization)
    } else {
        Err(OrganizationRefusal::AccessDenied)
    }
}

/// Every account of an organization, the management account and those that are suspended included, in the order of
/// their ids.
pub(super) fn members(docs: &impl Documents, organization: &Organization) -> Vec<Arc<Member>> {
    let members = docs.documents::<Member>("").into_iter().map(|(_, member)| member);
    members.filter(|member| member.organization == organization.id).collect()
}

/// The ids of every account of an organization, the management account and those that are suspended included.
pub fn member_accounts(docs: &impl Documents, organization: &Organization) -> Vec<AccountId> {
    members(docs, organization).iter().map(|member| member.account).collect()
}

/// The place of an account in this organization. One that was closed too long ago has none any more.
pub(super) fn member(
    docs: &impl Documents,
    organization: &Organization,
    account: AccountId,
    now: DateTime<Utc>,
) -> Option<Arc<Member>> {
    let member = docs.document::<Member>(account.as_str())?;
    (member.organization == organization.id && is_shown(docs, &member, now)).then_some(member)
}

/// Whether an account is still part of its organization: one that was closed is for
/// [`limits::CLOSED_ACCOUNT_DAYS`].
pub(super) fn is_shown(docs: &impl Documents, member: &Member, now: DateTime<Utc>) -> bool {
    account::closed_at(docs, member.account)
        .is_none_or(|closed| now < closed + Duration::days(limits::CLOSED_ACCOUNT_DAYS))
}

/// A unit of an organization.
pub(super) fn unit(docs: &impl Documents, organization: &Organization, id: &str) -> Option<Arc<Unit>> {
    docs.document::<Unit>(&within(&organization.id, id))
}

/// The ids of the units above something with this parent, the highest first; none where one is missing.
pub(super) fn units_above(
    docs: &impl Documents,
    organization: &Organization,
    parent: &str,
) -> Option<Vec<Arc<Unit>>> {
    let mut above = Vec::new();
    let mut next = parent.to_owned();
    while next != organization.root.id {
        // More than there can be: better no answer than one that never ends.
        if above.len() > limits::UNIT_DEPTH {
            return None;
        }
        let unit = unit(docs, organization, &next)?;
        next.clone_from(&unit.parent);
        above.push(unit);
    }
    above.reverse();
    Some(above)
}

/// `o-…/r-…/ou-…/…/`: the path of what has this parent.
pub fn path(docs: &impl Documents, organization: &Organization, parent: &str) -> Option<String> {
    let mut path = format!("{}/{}/", organization.id, organization.root.id);
    for unit in units_above(docs, organization, parent)? {
        path.push_str(&unit.id);
        path.push('/');
    }
    Some(path)
}

/// The id of the organization of an account, for `aws:PrincipalOrgID` and `aws:ResourceOrgID`.
pub fn principal_org_id(docs: &impl Documents, account: AccountId) -> Option<String> {
    of_account(docs, account).map(|organization| organization.id.clone())
}

/// The path of an account in its organization, for `aws:PrincipalOrgPaths` and `aws:ResourceOrgPaths`:
/// `o-…/r-…/ou-…/`.
pub fn principal_org_path(docs: &impl Documents, account: AccountId) -> Option<String> {
    let member = docs.document::<Member>(account.as_str())?;
    let organization = docs.document::<Organization>(&member.organization)?;
    path(docs, &organization, &member.parent)
}

/// Whether an account administers a service for the organization.
pub fn is_delegated_administrator(
    docs: &impl Documents,
    organization: &Organization,
    service_principal: &str,
    account: AccountId,
) -> bool {
    docs.document::<Member>(account.as_str()).is_some_and(|member| {
        member.organization == organization.id && member.delegations.contains_key(service_principal)
    })
}
