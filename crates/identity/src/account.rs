//! Accounts.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    access_key::AccessKey, documents::Documents, entity::account_prefix, group::Group, limits,
    managed_policy::ManagedPolicy, mfa::MfaDevice, role::Role, user::User,
};

/// An account. Its document holds what is the account's own; an account without a document has nothing yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The twelve digits.
    pub id: AccountId,
    /// The ids of the root's access keys.
    #[serde(default)]
    pub(crate) root_access_keys: Vec<String>,
    /// The one of them that the operator gave at the start of the server.
    #[serde(default)]
    pub(crate) operator_key: Option<String>,
    /// The document ids of the root's MFA devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) root_mfa_devices: Vec<String>,
    /// What an account that was made in an organization was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<Profile>,
    /// Since when it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed_at: Option<DateTime<Utc>>,
}

/// Whose an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name, which need not be unique.
    pub name: String,
    /// The address of its owner, which no other account has.
    pub email: String,
}

impl Resource for Account {
    const KIND: &'static str = "identity.account";
}

pub(crate) fn get(docs: &impl Documents, id: AccountId) -> Account {
    match docs.document::<Account>(id.as_str()) {
        Some(account) => Account::clone(&account),
        None => Account {
            id,
            root_access_keys: Vec::new(),
            operator_key: None,
            root_mfa_devices: Vec::new(),
            profile: None,
            closed_at: None,
        },
    }
}

pub(crate) fn save(tx: &mut Transaction, account: &Account) {
    tx.put(account.id.as_str(), account);
}

/// The account's name and its owner's address. One that was not made in an organization was asked for neither: its
/// address is one that no mail reaches.
pub fn profile(docs: &impl Documents, id: AccountId) -> Profile {
    get(docs, id).profile.unwrap_or_else(|| Profile {
        name: "opentrail".to_owned(),
        email: format!("root@{id}.opentrail.invalid"),
    })
}

/// Since when the account is closed; none while it is open.
pub fn closed_at(docs: &impl Documents, id: AccountId) -> Option<DateTime<Utc>> {
    docs.document::<Account>(id.as_str())?.closed_at
}

/// Since when the account has a root with a key; none before.
pub fn root_since(docs: &impl Documents, id: AccountId) -> Option<DateTime<Utc>> {
    let keys = get(docs, id).root_access_keys;
    keys.iter().filter_map(|key| docs.document::<AccessKey>(key)).map(|key| key.created_at).min()
}

/// The figures of `GetAccountSummary`: what there is in an account and what there may be. Figures about things
/// that are not kept here (passwords, server certificates, …) are zero.
pub fn summary(docs: &impl Documents, id: AccountId) -> Vec<(&'static str, usize)> {
    let prefix = account_prefix(id);
    let policies = docs.documents::<ManagedPolicy>(&prefix);
    let versions = policies.iter().map(|(_, policy)| policy.version_count()).sum();
    let Account { root_access_keys: root_keys, root_mfa_devices, .. } = get(docs, id);
    let devices = docs.documents::<MfaDevice>(&prefix);
    let devices_in_use = devices.iter().filter(|(_, device)| device.assignment.is_some()).count();
    let has_root_key = root_keys.iter().any(|key| docs.document::<AccessKey>(key).is_some());
    vec![
        ("Users", docs.count::<User>(&prefix)),
        ("UsersQuota", limits::USERS_PER_ACCOUNT),
        ("Groups", docs.count::<Group>(&prefix)),
        ("GroupsQuota", limits::GROUPS_PER_ACCOUNT),
        ("Roles", docs.count::<Role>(&prefix)),
        ("RolesQuota", limits::ROLES_PER_ACCOUNT),
        ("Policies", policies.len()),
        ("PoliciesQuota", limits::POLICIES_PER_ACCOUNT),
        ("PolicyVersionsInUse", versions),
        ("PolicyVersionsInUseQuota", limits::POLICIES_PER_ACCOUNT * limits::VERSIONS_PER_POLICY),
        ("VersionsPerPolicyQuota", limits::VERSIONS_PER_POLICY),
        ("PolicySizeQuota", limits::MANAGED_POLICY_CHARS),
        ("UserPolicySizeQuota", limits::USER_INLINE_CHARS),
        ("GroupPolicySizeQuota", limits::GROUP_INLINE_CHARS),
        ("RolePolicySizeQuota", limits::ROLE_INLINE_CHARS),
        ("AssumeRolePolicySizeQuota", limits::TRUST_POLICY_CHARS),
        ("GroupsPerUserQuota", limits::GROUPS_PER_USER),
        ("AttachedPoliciesPerUserQuota", limits::ATTACHED_PER_ENTITY),
        ("AttachedPoliciesPerGroupQuota", limits::ATTACHED_PER_ENTITY),
        ("AttachedPoliciesPerRoleQuota", limits::ATTACHED_PER_ENTITY),
        ("AccessKeysPerUserQuota", limits::ACCESS_KEYS_PER_USER),
        ("AccountAccessKeysPresent", usize::from(has_root_key)),
        ("AccountMFAEnabled", usize::from(!root_mfa_devices.is_empty())),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("MFADevices", devices.len()),
        ("MFADevicesInUse", devices_in_use),
        ("InstanceProfiles", 0),
        ("Providers", 0),
        ("ServerCertificates", 0),
    ]
}
