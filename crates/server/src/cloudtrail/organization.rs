//! What organization trails need beyond the trail: the caller's permissions in other services, CloudTrail's role in the
//! management account, and that trails know how an organization is.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html>

use std::collections::BTreeSet;

use opentrail_event::{AccountId, RecordResource};
use opentrail_identity::{
    organization::{self as org, FeatureSet},
    role, service_linked_role,
};
use opentrail_state::Transaction;
use opentrail_trails::{Organization, Trail, organization as followed};

use crate::{call::Call, fault::Fault};

/// CloudTrail, as Organizations knows it.
pub(super) const PRINCIPAL: &str = "cloudtrail.amazonaws.com";
/// CloudTrail's role in the management account.
const ROLE: &str = "AWSServiceRoleForCloudTrail";
/// What a caller must be allowed, besides CloudTrail's own action, to make or change a trail of an organization.
const DEPENDENCIES: [&str; 4] = [
    "organizations:DescribeOrganization",
    "organizations:ListAccounts",
    "organizations:ListAWSServiceAccessForOrganization",
    "iam:GetRole",
];

/// The trail that a call names, where it belongs to the management account of the caller's organization: what the call
/// changes is in that account's record too.
pub(super) fn trail_of_another(name_or_arn: &str, call: &Call) -> Vec<RecordResource> {
    let organization = || call.rooms.trails.organization_of(call.account);
    let owner = name_or_arn.split(':').nth(4).and_then(|account| account.parse::<AccountId>().ok());
    match owner.filter(|owner| *owner != call.account) {
        Some(owner) if organization().is_some_and(|organization| organization.management == owner) => {
            vec![RecordResource::new("AWS::CloudTrail::Trail", name_or_arn, Some(owner))]
        }
        _ => Vec::new(),
    }
}

/// Whether the caller may what making or changing an organization trail does in other services.
pub(super) fn check_dependencies(trail: &Trail, call: &Call) -> Result<(), Fault> {
    check_dependencies_of(trail.account, call)
}

/// Whether the caller may what making or changing something of an organization does in other services, for the
/// management account `owner`.
pub(super) fn check_dependencies_of(owner: AccountId, call: &Call) -> Result<(), Fault> {
    check_permitted(&DEPENDENCIES, call)?;
    if has_role(owner, call) {
        return Ok(());
    }
    if owner == call.account {
        return check_permitted(&["iam:CreateServiceLinkedRole"], call);
    }
    // Only a call of the management account makes the role.
    let message = format!("The management account {owner} has no service-linked role {ROLE}.");
    Err(Fault::declared("NoManagementAccountSLRExistsException", message))
}

/// Whether the caller's policies allow each of these actions.
pub(super) fn check_permitted(actions: &[&str], call: &Call) -> Result<(), Fault> {
    for action in actions {
        call.permit(action, "*", call.arrival.context(&call.region)).map_err(|denied| {
            let code = "InsufficientDependencyServiceAccessPermissionException";
            Fault::declared(code, denied.message().to_owned())
        })?;
    }
    Ok(())
}

pub(super) fn has_role(account: AccountId, call: &Call) -> bool {
    role::get(&call.rooms.state, account, ROLE).is_ok_and(|role| role.is_service_linked())
}

/// Makes CloudTrail's role in the management account, if it makes or changes a trail of its organization.
pub(super) fn ensure_role(trail: &Trail, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
    if trail.organization.is_some() { ensure_role_of(trail.account, call, tx) } else { Ok(()) }
}

/// Makes CloudTrail's role in the management account `owner`, if it is the caller's.
pub(super) fn ensure_role_of(owner: AccountId, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
    if owner == call.account {
        service_linked_role::ensure(tx, call.account, PRINCIPAL, call.arrival.at)
            .map_err(|error| call.refused(error))?;
    }
    Ok(())
}

/// Tells trails how the caller's organization is after a call that may have changed it, in the same transaction. Every
/// write of AWS Organizations ends with it.
pub(crate) fn follow(call: &Call, tx: &mut Transaction) {
    let before = org::of_account(&call.rooms.state, call.account);
    let after = org::of_account(tx, call.account);
    let ids: BTreeSet<&str> = before.iter().chain(&after).map(|it| it.id.as_str()).collect();
    for id in ids {
        let Ok(known) = id.parse() else { continue };
        let Some(now) = tx.get::<org::Organization>(id) else {
            followed::dissolve(tx, &known);
            opentrail_lake::store::leave_organization(tx, &known);
            continue;
        };
        let administrators =
            org::service_access::administrators(tx, &now, Some(PRINCIPAL), call.arrival.at).into_iter();
        let organization = Organization {
            id: known,
            management: now.management_account,
            all_features: now.feature_set == FeatureSet::All,
            trusted: now.service_access_enabled(PRINCIPAL),
            administrators: administrators.map(|member| member.account).collect(),
        };
        let accounts = org::member_accounts(tx, &now).into_iter().collect();
        followed::follow(tx, &organization, &accounts);
    }
}
