//! The figures of `GetAccountSummary`: what there is in an account and what there may be.

use opentrail_event::AccountId;

use crate::{
    access_key::AccessKey,
    account::{self, Account},
    documents::Documents,
    entity::account_prefix,
    federation::oidc_provider::OidcProvider,
    group::Group,
    instance_profile::InstanceProfile,
    limits,
    managed_policy::ManagedPolicy,
    mfa::MfaDevice,
    role::Role,
    user::User,
};

/// Session tokens are good in every region, which AWS calls version 2.
const TOKEN_VERSION: usize = 2;

/// The figures, by AWS's names. Those about things that there are none of here (certificates, a password of the root)
/// are zero.
pub fn of(docs: &impl Documents, id: AccountId) -> Vec<(&'static str, usize)> {
    let mut figures = counts(docs, id);
    figures.extend_from_slice(&QUOTAS);
    figures
}

fn counts(docs: &impl Documents, id: AccountId) -> Vec<(&'static str, usize)> {
    let prefix = account_prefix(id);
    let policies = docs.documents::<ManagedPolicy>(&prefix);
    let versions = policies.iter().map(|(_, policy)| policy.version_count()).sum();
    let Account { root_access_keys: root_keys, root_mfa_devices, .. } = account::get(docs, id);
    let devices = docs.documents::<MfaDevice>(&prefix);
    let devices_in_use = devices.iter().filter(|(_, device)| device.assignment.is_some()).count();
    let has_root_key = root_keys.iter().any(|key| docs.document::<AccessKey>(key).is_some());
    vec![
        ("Users", docs.count::<User>(&prefix)),
        ("Groups", docs.count::<Group>(&prefix)),
        ("Roles", docs.count::<Role>(&prefix)),
        ("Policies", policies.len()),
        ("PolicyVersionsInUse", versions),
        ("MFADevices", devices.len()),
        ("MFADevicesInUse", devices_in_use),
        ("InstanceProfiles", docs.count::<InstanceProfile>(&prefix)),
        ("Providers", docs.count::<OidcProvider>(&prefix)),
        ("ServerCertificates", 0),
        ("AccountAccessKeysPresent", usize::from(has_root_key)),
        ("AccountMFAEnabled", usize::from(!root_mfa_devices.is_empty())),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("GlobalEndpointTokenVersion", TOKEN_VERSION),
    ]
}

const QUOTAS: [(&str, usize); 19] = [
    ("UsersQuota", limits::USERS_PER_ACCOUNT),
    ("GroupsQuota", limits::GROUPS_PER_ACCOUNT),
    ("RolesQuota", limits::ROLES_PER_ACCOUNT),
    ("PoliciesQuota", limits::POLICIES_PER_ACCOUNT),
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
    ("InstanceProfilesQuota", limits::INSTANCE_PROFILES_PER_ACCOUNT),
    ("ServerCertificatesQuota", limits::SERVER_CERTIFICATES_PER_ACCOUNT),
    ("SigningCertificatesPerUserQuota", limits::SIGNING_CERTIFICATES_PER_USER),
];
