//! RegisterOrganizationDelegatedAdmin, DeregisterOrganizationDelegatedAdmin: who manages an organization's trails besides
//! its management account. They are Organizations' own delegated administrators, so that both services say the same.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html>

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_identity::{
    organization::{
        self as org, FeatureSet, OrganizationRefusal,
        refusal::{Absent, Already, Constraint},
        service_access,
    },
    service_linked_role,
};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::organization::{PRINCIPAL, check_permitted, follow, has_role};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Write},
};

/// RegisterOrganizationDelegatedAdmin
pub(super) struct RegisterOrganizationDelegatedAdmin;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RegisterInput {
    member_account_id: String,
}

impl Described for RegisterOrganizationDelegatedAdmin {
    type Input = RegisterInput;
    type Output = ();
    const NAME: &'static str = "RegisterOrganizationDelegatedAdmin";
}

impl Write for RegisterOrganizationDelegatedAdmin {
    async fn prepare(_: &RegisterInput, call: &Call) -> Result<(), Fault> {
        let needed = [
            "organizations:RegisterDelegatedAdministrator",
            "organizations:ListAWSServiceAccessForOrganization",
        ];
        check_permitted(&needed, call)?;
        let mut for_role = vec!["iam:GetRole"];
        if !has_role(call.account, call) {
            for_role.push("iam:CreateServiceLinkedRole");
        }
        check_permitted(&for_role, call).map_err(|denied| {
            Fault::declared("InsufficientIAMAccessPermissionException", denied.message().to_owned())
        })
    }

    fn act(input: RegisterInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let account = account_of(&input.member_account_id)?;
        let organization = governed(call, tx)?;
        if account == organization.management_account {
            let message =
                "The management account can't be a delegated administrator of its own organization.";
            return Err(Fault::declared("CannotDelegateManagementAccountException", message));
        }
        service_access::register(tx, &organization, account, PRINCIPAL, call.arrival.at)
            .map_err(|refusal| refused(&refusal, account))?;
        service_linked_role::ensure(tx, call.account, PRINCIPAL, call.arrival.at)
            .map_err(|error| call.refused(error))?;
        follow(call, tx);
        Ok(())
    }
}

/// DeregisterOrganizationDelegatedAdmin: the trails that the account made stay, as the management account's.
pub(super) struct DeregisterOrganizationDelegatedAdmin;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeregisterInput {
    delegated_admin_account_id: String,
}

impl Described for DeregisterOrganizationDelegatedAdmin {
    type Input = DeregisterInput;
    type Output = ();
    const NAME: &'static str = "DeregisterOrganizationDelegatedAdmin";
}

impl Write for DeregisterOrganizationDelegatedAdmin {
    async fn prepare(_: &DeregisterInput, call: &Call) -> Result<(), Fault> {
        check_permitted(
            &[
                "organizations:DeregisterDelegatedAdministrator",
                "organizations:ListAWSServiceAccessForOrganization",
            ],
            call,
        )
    }

    fn act(input: DeregisterInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let account = account_of(&input.delegated_admin_account_id)?;
        let organization = governed(call, tx)?;
        service_access::deregister(tx, &organization, account, PRINCIPAL, call.arrival.at)
            .map_err(|refusal| refused(&refusal, account))?;
        follow(call, tx);
        Ok(())
    }
}

fn account_of(text: &str) -> Result<AccountId, Fault> {
    text.parse().map_err(|_| Fault::declared("InvalidParameterException", "An account id has 12 digits."))
}

/// The organization that the caller's account governs, if it lets CloudTrail work in it.
fn governed(call: &Call, tx: &Transaction) -> Result<Arc<org::Organization>, Fault> {
    let organization = org::in_use(tx, call.account)
        .map_err(|refusal| Fault::declared("OrganizationsNotInUseException", refusal.to_string()))?;
    let id = &organization.id;
    let (code, message) = if organization.management_account != call.account {
        let message = format!("Account {} is not the management account of organization {id}.", call.account);
        ("NotOrganizationManagementAccountException", message)
    } else if organization.feature_set != FeatureSet::All {
        let message = format!("Organization {id} does not have all features enabled.");
        ("OrganizationNotInAllFeaturesModeException", message)
    } else if !organization.service_access_enabled(PRINCIPAL) {
        let message = format!("Trusted access for {PRINCIPAL} is not enabled in organization {id}.");
        ("CloudTrailAccessNotEnabledException", message)
    } else {
        return Ok(organization);
    };
    Err(Fault::declared(code, message))
}

/// What Organizations refused, in CloudTrail's words.
fn refused(refusal: &OrganizationRefusal, account: AccountId) -> Fault {
    let (code, message) = match refusal {
        OrganizationRefusal::NotFound(Absent::Account) => {
            ("AccountNotFoundException", format!("Account {account} is not part of the organization."))
        }
        OrganizationRefusal::Already(Already::Registered) => (
            "AccountRegisteredException",
            format!("Account {account} is a CloudTrail delegated administrator already."),
        ),
        OrganizationRefusal::AccountNotRegistered => (
            "AccountNotRegisteredException",
            format!("Account {account} is no CloudTrail delegated administrator."),
        ),
        OrganizationRefusal::Constraint(Constraint::Administrators) => {
            ("DelegatedAdminAccountLimitExceededException", refusal.to_string())
        }
        _ => ("OperationNotPermittedException", refusal.to_string()),
    };
    Fault::declared(code, message)
}
