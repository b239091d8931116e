//! CreateGrant, ListGrants, ListRetirableGrants.

use opentrail_event::RecordResource;
use opentrail_identity::binding;
use opentrail_keyring::customer::NewGrant;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    asking::{self, Asking, check_dry_run, check_tokens},
    grant_shape::{ConstraintsShape, GrantListEntry, grantable},
    page::{More, Paging},
    permit::statement_for,
    principal, refused,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read, Write},
};

/// CreateGrant
pub(super) struct CreateGrant;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGrantInput {
    key_id: String,
    grantee_principal: Option<String>,
    retiring_principal: Option<String>,
    operations: Vec<String>,
    constraints: Option<ConstraintsShape>,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    name: Option<String>,
    dry_run: Option<bool>,
    grantee_service_principal: Option<String>,
    retiring_service_principal: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGrantOutput {
    grant_token: String,
    grant_id: String,
}

/// The one of two members that is there.
fn either<'a>(
    call: &Call,
    principal: Option<&'a str>,
    service: Option<&'a str>,
    member: &str,
) -> Result<Option<&'a str>, Fault> {
    let invalid =
        |what: &str| Fault::declared("InvalidArnException", format!("{member} is not a valid {what}."));
    match (principal, service) {
        (Some(_), Some(_)) => {
            let message =
                format!("You cannot specify {member}Principal and {member}ServicePrincipal together.");
            Err(call.fault(Common::Invalid, message))
        }
        (Some(arn), None) if principal::exists(call, arn) && statement_for(arn, "kms:Decrypt").is_some() => {
            Ok(Some(arn))
        }
        (Some(_), None) => Err(invalid("ARN of a principal")),
        (None, Some(name)) if name.starts_with("arn:") || statement_for(name, "kms:Decrypt").is_none() => {
            Err(invalid("service principal"))
        }
        (None, service) => Ok(service),
    }
}

impl CreateGrantInput {
    fn new_grant(&self, call: &Call, tx: &Transaction) -> Result<NewGrant, Fault> {
        let invalid = |message: &str| Err(call.fault(Common::Invalid, message));
        let grantee = either(
            call,
            self.grantee_principal.as_deref(),
            self.grantee_service_principal.as_deref(),
            "Grantee",
        )?;
        let retiring = either(
            call,
            self.retiring_principal.as_deref(),
            self.retiring_service_principal.as_deref(),
            "Retiring",
        )?;
        let Some(grantee) = grantee else {
            return invalid("You must specify GranteePrincipal or GranteeServicePrincipal.");
        };
        let constraints = self.constraints.as_ref().map(ConstraintsShape::read).unwrap_or_default();
        if self.grantee_service_principal.is_some()
            && (constraints.source_arn.is_none() || retiring.is_none())
        {
            return invalid("A grant to a service needs a SourceArn constraint and a retiring principal.");
        }
        if constraints.context_subset.is_some() && constraints.context_equals.is_some() {
            return invalid("You can specify EncryptionContextEquals or EncryptionContextSubset, not both.");
        }
        if self.operations.is_empty() {
            return invalid("Operations must not be empty.");
        }
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '_' | '-');
        let named = |name: &String| (1..=256).contains(&name.len()) && name.chars().all(of_name);
        if self.name.as_ref().is_some_and(|name| !named(name)) {
            return invalid("Name must be 1 to 256 characters of a-z, A-Z, 0-9, ':', '/', '_' and '-'.");
        }
        let mut operations = self.operations.clone();
        operations.sort();
        operations.dedup();
        Ok(NewGrant {
            name: self.name.clone(),
            issuer: call.account,
            grantee: grantee.to_owned(),
            grantee_id: binding::unique_id(tx, grantee),
            retiring: retiring.map(str::to_owned),
            retiring_id: retiring.and_then(|retiring| binding::unique_id(tx, retiring)),
            operations,
            constraints,
        })
    }

    fn condition_keys(&self, new: &NewGrant) -> Context {
        let mut keys = Context::new();
        keys.set_many("kms:GrantOperations", new.operations.iter().cloned());
        let of_service = self.grantee_service_principal.is_some();
        keys.set(
            if of_service { "kms:GranteeServicePrincipal" } else { "kms:GranteePrincipal" },
            &*new.grantee,
        );
        if let Some(retiring) = &new.retiring {
            let of_service = self.retiring_service_principal.is_some();
            keys.set(
                if of_service { "kms:RetiringServicePrincipal" } else { "kms:RetiringPrincipal" },
                &**retiring,
            );
        }
        if let Some(kind) = self.constraints.as_ref().and_then(ConstraintsShape::kind) {
            keys.set("kms:GrantConstraintType", kind);
        }
        // A service of ours that grants for its resource does not come through this door.
        keys.set("kms:GrantIsForAWSResource", "false");
        keys
    }
}

impl Described for CreateGrant {
    type Input = CreateGrantInput;
    type Output = CreateGrantOutput;
    const NAME: &'static str = "CreateGrant";
    const PERMISSION: Permission = Permission::OwnRules;
    const SECRETS: &'static [&'static str] = &["GrantToken"];

    fn amend(input: &CreateGrantInput, parameters: &mut Value) {
        if let Some(constraints) = &input.constraints {
            constraints.show(parameters);
        }
    }

    fn touched(input: &CreateGrantInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for CreateGrant {
    fn act(input: CreateGrantInput, call: &Call, tx: &mut Transaction) -> Result<CreateGrantOutput, Fault> {
        check_tokens(call, input.grant_tokens.as_deref())?;
        let asking = Asking::across_accounts(Self::NAME, &input.key_id);
        let key = asking.find(call)?;
        let new = input.new_grant(call, tx)?;
        let keys = input.condition_keys(&new);
        let context =
            new.constraints.context_equals.as_ref().or(new.constraints.context_subset.as_ref()).cloned();
        asking.permit_grant(call, &key, context.as_ref(), keys, Some((&new.operations, &new.constraints)))?;
        let possible = grantable(&key);
        if let Some(wrong) = new.operations.iter().find(|name| !possible.contains(&name.as_str())) {
            let message = format!("The operation {wrong} cannot be granted on a key of {}.", key.spec);
            return Err(call.fault(Common::Invalid, message));
        }
        let keyring = &call.rooms.keyring;
        let grant =
            keyring.create_grant(tx, &key, new, call.arrival.at).map_err(|error| refused(call, error))?;
        check_dry_run(input.dry_run)?;
        Ok(CreateGrantOutput { grant_token: keyring.grant_token(&grant), grant_id: grant.id })
    }
}

/// The answer of both lists.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GrantsOutput {
    grants: Vec<GrantListEntry>,
    #[serde(flatten)]
    more: More,
}

/// What is on a page where nothing is said, and at most (the API, ListGrants).
const USUAL: usize = 50;
const MOST: usize = 100;

/// ListGrants
pub(super) struct ListGrants;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGrantsInput {
    key_id: String,
    grant_id: Option<String>,
    grantee_principal: Option<String>,
    grantee_service_principal: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for ListGrants {
    type Input = ListGrantsInput;
    type Output = GrantsOutput;
    const NAME: &'static str = "ListGrants";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &ListGrantsInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Read for ListGrants {
    async fn act(input: ListGrantsInput, call: &Call) -> Result<GrantsOutput, Fault> {
        let key = Asking::across_accounts(Self::NAME, &input.key_id).permitted(call)?;
        let page = input.paging.page(USUAL, MOST, call)?;
        let wanted_grantee = input.grantee_principal.as_ref().or(input.grantee_service_principal.as_ref());
        let found = call.rooms.keyring.grants(&key, page.after.as_deref(), page.and_one(), |grant| {
            input.grant_id.as_ref().is_none_or(|id| grant.id == *id)
                && wanted_grantee.is_none_or(|grantee| grant.grantee == *grantee)
        });
        let (found, more) = page.cut(found, |grant| &grant.id);
        Ok(GrantsOutput { grants: found.iter().map(|grant| GrantListEntry::of(grant, call)).collect(), more })
    }
}

/// ListRetirableGrants
pub(super) struct ListRetirableGrants;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRetirableGrantsInput {
    retiring_principal: Option<String>,
    retiring_service_principal: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for ListRetirableGrants {
    type Input = ListRetirableGrantsInput;
    type Output = GrantsOutput;
    const NAME: &'static str = "ListRetirableGrants";
}

impl Read for ListRetirableGrants {
    async fn act(input: ListRetirableGrantsInput, call: &Call) -> Result<GrantsOutput, Fault> {
        let page = input.paging.page(USUAL, MOST, call)?;
        let Some(retiring) = input.retiring_principal.as_ref().or(input.retiring_service_principal.as_ref())
        else {
            return Err(call.fault(Common::Invalid, "RetiringPrincipal is required."));
        };
        // A principal of another account is theirs to ask for.
        let of_account = retiring.split(':').nth(4);
        if of_account.is_some_and(|account| account != call.account.as_str()) {
            let message = "RetiringPrincipal must be a principal of your account.";
            return Err(Fault::declared("InvalidArnException", message));
        }
        let own = format!(":{}:", call.account);
        let (keyring, after) = (&call.rooms.keyring, page.after.as_deref());
        let found = keyring.grants_in(&call.region, after, page.and_one(), |grant| {
            let is_own = input.retiring_principal.is_some() || grant.key_arn.contains(&own);
            grant.retiring.as_ref() == Some(retiring) && is_own
        });
        let (found, more) = page.cut(found, |(place, _)| place);
        let grants = found.iter().map(|(_, grant)| GrantListEntry::of(grant, call)).collect();
        Ok(GrantsOutput { grants, more })
    }
}
