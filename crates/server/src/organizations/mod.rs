//! AWS Organizations: <https://docs.aws.amazon.com/organizations/latest/APIReference/>. Each operation is a few lines
//! over `opentrail_identity::organization`; [`access`] decides whose account may.

mod access;
mod account;
mod attachment;
mod creation;
mod handshake;
mod happening;
mod organization;
mod page;
mod policy;
mod policy_type;
mod resource_policy;
mod service_access;
mod shape;
mod tagging;
mod tree;
mod unit;

use opentrail_event::AccountId;
use opentrail_identity::organization::{OrganizationRefusal, refusal::InvalidReason};
use opentrail_wire::value::RecordTimes;

use crate::{
    cloudtrail,
    fault::{Dialect, Fault},
    operation::{read, write},
    service::Service,
};

/// Organizations, as the door knows it.
pub(crate) static SERVICE: Service = Service {
    name: "organizations",
    event_source: "organizations.amazonaws.com",
    dialect: Dialect::Json,
    namespace: "",
    global: true,
    record_times: RecordTimes::Spoken,
    follow: Some(cloudtrail::follow_organization),
    operations: &[
        write::<handshake::AcceptHandshake>(),
        write::<attachment::AttachPolicy>(),
        write::<handshake::CancelHandshake>(),
        write::<account::CloseAccount>(),
        write::<creation::CreateAccount>(),
        write::<organization::CreateOrganization>(),
        write::<unit::CreateOrganizationalUnit>(),
        write::<policy::CreatePolicy>(),
        write::<handshake::DeclineHandshake>(),
        write::<organization::DeleteOrganization>(),
        write::<unit::DeleteOrganizationalUnit>(),
        write::<policy::DeletePolicy>(),
        write::<resource_policy::DeleteResourcePolicy>(),
        write::<service_access::DeregisterDelegatedAdministrator>(),
        read::<account::DescribeAccount>(),
        read::<creation::DescribeCreateAccountStatus>(),
        read::<handshake::DescribeHandshake>(),
        read::<organization::DescribeOrganization>(),
        read::<unit::DescribeOrganizationalUnit>(),
        read::<policy::DescribePolicy>(),
        read::<resource_policy::DescribeResourcePolicy>(),
        write::<attachment::DetachPolicy>(),
        write::<service_access::DisableAWSServiceAccess>(),
        write::<policy_type::DisablePolicyType>(),
        write::<service_access::EnableAWSServiceAccess>(),
        write::<handshake::EnableAllFeatures>(),
        write::<policy_type::EnablePolicyType>(),
        write::<handshake::InviteAccountToOrganization>(),
        write::<organization::LeaveOrganization>(),
        read::<service_access::ListAWSServiceAccessForOrganization>(),
        read::<account::ListAccounts>(),
        read::<account::ListAccountsForParent>(),
        read::<tree::ListChildren>(),
        read::<creation::ListCreateAccountStatus>(),
        read::<service_access::ListDelegatedAdministrators>(),
        read::<service_access::ListDelegatedServicesForAccount>(),
        read::<handshake::ListHandshakesForAccount>(),
        read::<handshake::ListHandshakesForOrganization>(),
        read::<unit::ListOrganizationalUnitsForParent>(),
        read::<tree::ListParents>(),
        read::<policy::ListPolicies>(),
        read::<attachment::ListPoliciesForTarget>(),
        read::<tree::ListRoots>(),
        read::<tagging::ListTagsForResource>(),
        read::<attachment::ListTargetsForPolicy>(),
        write::<account::MoveAccount>(),
        write::<resource_policy::PutResourcePolicy>(),
        write::<service_access::RegisterDelegatedAdministrator>(),
        write::<account::RemoveAccountFromOrganization>(),
        write::<tagging::TagResource>(),
        write::<tagging::UntagResource>(),
        write::<unit::UpdateOrganizationalUnit>(),
        write::<policy::UpdatePolicy>(),
    ],
    unsupported: &[
        "CreateGovCloudAccount",
        "DescribeEffectivePolicy",
        "DescribeResponsibilityTransfer",
        "InviteOrganizationToTransferResponsibility",
        "ListAccountsWithInvalidEffectivePolicy",
        "ListEffectivePolicyValidationErrors",
        "ListInboundResponsibilityTransfers",
        "ListOutboundResponsibilityTransfers",
        "TerminateResponsibilityTransfer",
        "UpdateResponsibilityTransfer",
    ],
};

/// What Organizations refused, as the caller sees it.
fn refused(refusal: OrganizationRefusal) -> Fault {
    Fault::of_organization(&refusal)
}

/// A value that the operation cannot take.
fn invalid(reason: InvalidReason, message: &str) -> Fault {
    Fault::of_organization(&OrganizationRefusal::invalid(reason, message))
}

/// An account's id as it is sent.
fn account_id(text: &str) -> Result<AccountId, Fault> {
    let message = "You provided a value for AccountId that doesn't match the required pattern.";
    text.parse().map_err(|_| invalid(InvalidReason::InvalidPattern, message))
}
