//! Services that work in every account, and the accounts that administer them: EnableAWSServiceAccess,
//! DisableAWSServiceAccess, ListAWSServiceAccessForOrganization, RegisterDelegatedAdministrator,
//! DeregisterDelegatedAdministrator, ListDelegatedAdministrators, ListDelegatedServicesForAccount.

use opentrail_identity::organization::service_access;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{access, account_id, page::Paging, refused, shape::AccountShape};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

const SERVICE_KEY: &str = "organizations:ServicePrincipal";

/// The input of EnableAWSServiceAccess and DisableAWSServiceAccess.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneService {
    service_principal: String,
}

/// EnableAWSServiceAccess
pub(super) struct EnableAWSServiceAccess;

impl Described for EnableAWSServiceAccess {
    type Input = OneService;
    type Output = ();
    const NAME: &'static str = "EnableAWSServiceAccess";

    fn context(input: &OneService, _: &Call, context: &mut Context) {
        context.set(SERVICE_KEY, input.service_principal.as_str());
    }
}

impl Write for EnableAWSServiceAccess {
    fn act(input: OneService, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let service = &input.service_principal;
        service_access::enable(tx, &organization, service, call.arrival.at).map_err(refused)
    }
}

/// DisableAWSServiceAccess
pub(super) struct DisableAWSServiceAccess;

impl Described for DisableAWSServiceAccess {
    type Input = OneService;
    type Output = ();
    const NAME: &'static str = "DisableAWSServiceAccess";

    fn context(input: &OneService, _: &Call, context: &mut Context) {
        context.set(SERVICE_KEY, input.service_principal.as_str());
    }
}

impl Write for DisableAWSServiceAccess {
    fn act(input: OneService, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        service_access::disable(tx, &organization, &input.service_principal).map_err(refused)
    }
}

/// ListAWSServiceAccessForOrganization
pub(super) struct ListAWSServiceAccessForOrganization;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EnabledServices {
    enabled_service_principals: Vec<EnabledService>,
    next_token: Option<String>,
}

/// `EnabledServicePrincipal`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnabledService {
    service_principal: String,
    date_enabled: Timestamp,
}

impl Described for ListAWSServiceAccessForOrganization {
    type Input = Paging;
    type Output = EnabledServices;
    const NAME: &'static str = "ListAWSServiceAccessForOrganization";
}

impl Read for ListAWSServiceAccessForOrganization {
    async fn act(paging: Paging, call: &Call) -> Result<EnabledServices, Fault> {
        let organization = access::read::<Self>(&paging, call, &call.rooms.state)?;
        let services = organization.service_access.iter().map(|(service, since)| EnabledService {
            service_principal: service.clone(),
            date_enabled: (*since).into(),
        });
        let (enabled_service_principals, next_token) =
            paging.cut(services.collect(), |service| service.service_principal.clone())?;
        Ok(EnabledServices { enabled_service_principals, next_token })
    }
}

/// The input of RegisterDelegatedAdministrator and DeregisterDelegatedAdministrator.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delegating {
    account_id: String,
    service_principal: String,
}

/// RegisterDelegatedAdministrator
pub(super) struct RegisterDelegatedAdministrator;

impl Described for RegisterDelegatedAdministrator {
    type Input = Delegating;
    type Output = ();
    const NAME: &'static str = "RegisterDelegatedAdministrator";

    fn resource(input: &Delegating, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.account_id))
    }

    fn context(input: &Delegating, _: &Call, context: &mut Context) {
        context.set(SERVICE_KEY, input.service_principal.as_str());
    }
}

impl Write for RegisterDelegatedAdministrator {
    fn act(input: Delegating, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let account = account_id(&input.account_id)?;
        let service = &input.service_principal;
        service_access::register(tx, &organization, account, service, call.arrival.at).map_err(refused)
    }
}

/// DeregisterDelegatedAdministrator
pub(super) struct DeregisterDelegatedAdministrator;

impl Described for DeregisterDelegatedAdministrator {
    type Input = Delegating;
    type Output = ();
    const NAME: &'static str = "DeregisterDelegatedAdministrator";

    fn resource(input: &Delegating, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.account_id))
    }

    fn context(input: &Delegating, _: &Call, context: &mut Context) {
        context.set(SERVICE_KEY, input.service_principal.as_str());
    }
}

impl Write for DeregisterDelegatedAdministrator {
    fn act(input: Delegating, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let account = account_id(&input.account_id)?;
        let service = &input.service_principal;
        service_access::deregister(tx, &organization, account, service, call.arrival.at).map_err(refused)
    }
}

/// ListDelegatedAdministrators
pub(super) struct ListDelegatedAdministrators;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdministratorsInput {
    service_principal: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Administrators {
    delegated_administrators: Vec<Administrator>,
    next_token: Option<String>,
}

/// `DelegatedAdministrator`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Administrator {
    #[serde(flatten)]
    account: AccountShape,
    delegation_enabled_date: Option<Timestamp>,
}

impl Described for ListDelegatedAdministrators {
    type Input = AdministratorsInput;
    type Output = Administrators;
    const NAME: &'static str = "ListDelegatedAdministrators";

    fn context(input: &AdministratorsInput, _: &Call, context: &mut Context) {
        if let Some(service) = &input.service_principal {
            context.set(SERVICE_KEY, service.as_str());
        }
    }
}

impl Read for ListDelegatedAdministrators {
    async fn act(input: AdministratorsInput, call: &Call) -> Result<Administrators, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let service = input.service_principal.as_deref();
        let found = service_access::administrators(docs, &organization, service, call.arrival.at);
        let (page, next_token) = input.paging.cut(found, |member| member.account.to_string())?;
        let delegated_administrators = page
            .iter()
            .map(|member| {
                let since = match service {
                    Some(service) => member.delegations.get(service),
                    None => member.delegations.values().min(),
                };
                Administrator {
                    account: AccountShape::of(&organization, member, docs).without_paths(),
                    delegation_enabled_date: since.map(|since| (*since).into()),
                }
            })
            .collect();
        Ok(Administrators { delegated_administrators, next_token })
    }
}

/// ListDelegatedServicesForAccount
pub(super) struct ListDelegatedServicesForAccount;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ServicesInput {
    account_id: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DelegatedServices {
    delegated_services: Vec<DelegatedService>,
    next_token: Option<String>,
}

/// `DelegatedService`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DelegatedService {
    service_principal: String,
    delegation_enabled_date: Timestamp,
}

impl Described for ListDelegatedServicesForAccount {
    type Input = ServicesInput;
    type Output = DelegatedServices;
    const NAME: &'static str = "ListDelegatedServicesForAccount";

    fn resource(input: &ServicesInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.account_id))
    }
}

impl Read for ListDelegatedServicesForAccount {
    async fn act(input: ServicesInput, call: &Call) -> Result<DelegatedServices, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let account = account_id(&input.account_id)?;
        let services = service_access::services_of(docs, &organization, account, call.arrival.at);
        let services = services.map_err(refused)?.into_iter().map(|(service, since)| DelegatedService {
            service_principal: service,
            delegation_enabled_date: since.into(),
        });
        let (delegated_services, next_token) =
            input.paging.cut(services.collect(), |service| service.service_principal.clone())?;
        Ok(DelegatedServices { delegated_services, next_token })
    }
}
