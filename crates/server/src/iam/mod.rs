//! IAM: <https://docs.aws.amazon.com/IAM/latest/APIReference/>. Each operation is a few lines over
//! `opentrail_identity`; a file holds the operations on one kind of thing. Operations that are the same on
//! users, groups, roles or policies are written once, over the kind.

mod access_key;
mod account;
mod attached;
#[cfg(test)]
pub(crate) mod auditors;
mod authorization_details;
mod boundary;
mod change_password;
mod choice;
mod conditions;
mod credential_report;
mod document;
mod group;
mod inline;
mod instance_profile;
mod login_profile;
mod membership;
mod mfa;
mod mfa_device;
mod mfa_list;
mod mfa_qr;
mod oidc_provider;
mod page;
mod password_policy;
mod permission;
mod policy;
mod policy_version;
mod role;
mod service_linked_role;
mod shape;
mod simulate;
mod subject;
mod tagging;
mod unsupported;
mod user;

use opentrail_identity::{
    Group, InstanceProfile, ManagedPolicy, MfaDevice, Role, User, federation::oidc_provider::OidcProvider,
};
use opentrail_wire::value::RecordTimes;

use crate::{
    fault::Dialect,
    operation::{Operation, read, write},
    service::Service,
};

/// IAM, as the door knows it.
pub(crate) static SERVICE: Service = Service {
    name: "iam",
    event_source: "iam.amazonaws.com",
    dialect: Dialect::Query,
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    global: true,
    record_times: RecordTimes::Spoken,
    follow: None,
    operations: OPERATIONS,
    unsupported: unsupported::OPERATIONS,
};

const OPERATIONS: &[Operation] = &[
    write::<user::CreateUser>(),
    read::<user::GetUser>(),
    read::<user::ListUsers>(),
    write::<user::UpdateUser>(),
    write::<user::DeleteUser>(),
    write::<access_key::CreateAccessKey>(),
    read::<access_key::ListAccessKeys>(),
    write::<access_key::UpdateAccessKey>(),
    write::<access_key::DeleteAccessKey>(),
    read::<access_key::GetAccessKeyLastUsed>(),
    write::<login_profile::CreateLoginProfile>(),
    read::<login_profile::GetLoginProfile>(),
    write::<login_profile::UpdateLoginProfile>(),
    write::<login_profile::DeleteLoginProfile>(),
    write::<change_password::ChangePassword>(),
    write::<password_policy::UpdateAccountPasswordPolicy>(),
    read::<password_policy::GetAccountPasswordPolicy>(),
    write::<password_policy::DeleteAccountPasswordPolicy>(),
    write::<group::CreateGroup>(),
    read::<group::GetGroup>(),
    read::<group::ListGroups>(),
    write::<group::UpdateGroup>(),
    write::<group::DeleteGroup>(),
    write::<membership::AddUserToGroup>(),
    write::<membership::RemoveUserFromGroup>(),
    read::<membership::ListGroupsForUser>(),
    write::<role::CreateRole>(),
    read::<role::GetRole>(),
    read::<role::ListRoles>(),
    write::<role::UpdateRole>(),
    write::<role::UpdateRoleDescription>(),
    write::<role::UpdateAssumeRolePolicy>(),
    write::<role::DeleteRole>(),
    write::<service_linked_role::CreateServiceLinkedRole>(),
    write::<service_linked_role::DeleteServiceLinkedRole>(),
    read::<service_linked_role::GetServiceLinkedRoleDeletionStatus>(),
    write::<instance_profile::CreateInstanceProfile>(),
    read::<instance_profile::GetInstanceProfile>(),
    read::<instance_profile::ListInstanceProfiles>(),
    read::<instance_profile::ListInstanceProfilesForRole>(),
    write::<instance_profile::DeleteInstanceProfile>(),
    write::<instance_profile::AddRoleToInstanceProfile>(),
    write::<instance_profile::RemoveRoleFromInstanceProfile>(),
    write::<policy::CreatePolicy>(),
    read::<policy::GetPolicy>(),
    read::<policy::ListPolicies>(),
    read::<policy::ListEntitiesForPolicy>(),
    write::<policy::DeletePolicy>(),
    write::<policy_version::CreatePolicyVersion>(),
    read::<policy_version::GetPolicyVersion>(),
    read::<policy_version::ListPolicyVersions>(),
    write::<policy_version::SetDefaultPolicyVersion>(),
    write::<policy_version::DeletePolicyVersion>(),
    write::<inline::Put<User>>(),
    read::<inline::Get<User>>(),
    read::<inline::List<User>>(),
    write::<inline::Delete<User>>(),
    write::<inline::Put<Group>>(),
    read::<inline::Get<Group>>(),
    read::<inline::List<Group>>(),
    write::<inline::Delete<Group>>(),
    write::<inline::Put<Role>>(),
    read::<inline::Get<Role>>(),
    read::<inline::List<Role>>(),
    write::<inline::Delete<Role>>(),
    write::<attached::Attach<User>>(),
    write::<attached::Detach<User>>(),
    read::<attached::List<User>>(),
    write::<attached::Attach<Group>>(),
    write::<attached::Detach<Group>>(),
    read::<attached::List<Group>>(),
    write::<attached::Attach<Role>>(),
    write::<attached::Detach<Role>>(),
    read::<attached::List<Role>>(),
    write::<tagging::TagIt<User>>(),
    write::<tagging::Untag<User>>(),
    read::<tagging::List<User>>(),
    write::<tagging::TagIt<Role>>(),
    write::<tagging::Untag<Role>>(),
    read::<tagging::List<Role>>(),
    write::<tagging::TagIt<ManagedPolicy>>(),
    write::<tagging::Untag<ManagedPolicy>>(),
    read::<tagging::List<ManagedPolicy>>(),
    write::<tagging::TagIt<InstanceProfile>>(),
    write::<tagging::Untag<InstanceProfile>>(),
    read::<tagging::List<InstanceProfile>>(),
    write::<boundary::Put<User>>(),
    write::<boundary::Delete<User>>(),
    write::<boundary::Put<Role>>(),
    write::<boundary::Delete<Role>>(),
    write::<tagging::TagIt<MfaDevice>>(),
    write::<tagging::Untag<MfaDevice>>(),
    read::<tagging::List<MfaDevice>>(),
    write::<oidc_provider::CreateOpenIdConnectProvider>(),
    read::<oidc_provider::GetOpenIdConnectProvider>(),
    read::<oidc_provider::ListOpenIdConnectProviders>(),
    write::<oidc_provider::DeleteOpenIdConnectProvider>(),
    write::<oidc_provider::UpdateOpenIdConnectProviderThumbprint>(),
    write::<oidc_provider::AddClientId>(),
    write::<oidc_provider::RemoveClientId>(),
    write::<tagging::TagIt<OidcProvider>>(),
    write::<tagging::Untag<OidcProvider>>(),
    read::<tagging::List<OidcProvider>>(),
    write::<mfa_device::CreateVirtualMfaDevice>(),
    write::<mfa_device::DeleteVirtualMfaDevice>(),
    read::<mfa_device::GetMfaDevice>(),
    write::<mfa::EnableMfaDevice>(),
    write::<mfa::ResyncMfaDevice>(),
    write::<mfa::DeactivateMfaDevice>(),
    read::<mfa_list::ListMfaDevices>(),
    read::<mfa_list::ListVirtualMfaDevices>(),
    read::<account::GetAccountSummary>(),
    read::<account::ListAccountAliases>(),
    write::<account::CreateAccountAlias>(),
    write::<account::DeleteAccountAlias>(),
    read::<credential_report::GenerateCredentialReport>(),
    read::<credential_report::GetCredentialReport>(),
    read::<authorization_details::GetAccountAuthorizationDetails>(),
    read::<simulate::SimulatePrincipalPolicy>(),
    read::<simulate::SimulateCustomPolicy>(),
    read::<simulate::GetContextKeysForPrincipalPolicy>(),
    read::<simulate::GetContextKeysForCustomPolicy>(),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{OPERATIONS, unsupported};

    #[test]
    fn no_operation_stands_in_the_tables_twice() {
        let served = OPERATIONS.iter().map(|operation| operation.name);
        let names: Vec<&str> = served.chain(unsupported::OPERATIONS.iter().copied()).collect();
        let distinct: HashSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
