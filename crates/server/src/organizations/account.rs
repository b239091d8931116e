//! Accounts: DescribeAccount, ListAccounts, ListAccountsForParent, MoveAccount, CloseAccount,
//! RemoveAccountFromOrganization.

use opentrail_event::EventError;
use opentrail_identity::organization::{member, unit};
use opentrail_policy::Context;
use opentrail_state::{OwnedEvent, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    access, account_id,
    happening::{Happening, With, events, spoken},
    page::Paging,
    refused,
    shape::AccountShape,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The input of operations on one account.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneId {
    account_id: String,
}

/// DescribeAccount
pub(super) struct DescribeAccount;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneAccount {
    account: AccountShape,
}

impl Described for DescribeAccount {
    type Input = OneId;
    type Output = OneAccount;
    const NAME: &'static str = "DescribeAccount";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.account_id))
    }

    fn context(input: &OneId, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.account_id);
    }
}

impl Read for DescribeAccount {
    async fn act(input: OneId, call: &Call) -> Result<OneAccount, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let account = account_id(&input.account_id)?;
        let member = member::get(docs, &organization, account, call.arrival.at).map_err(refused)?;
        Ok(OneAccount { account: AccountShape::of(&organization, &member, docs) })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Accounts {
    accounts: Vec<AccountShape>,
    next_token: Option<String>,
}

/// ListAccounts
pub(super) struct ListAccounts;

impl Described for ListAccounts {
    type Input = Paging;
    type Output = Accounts;
    const NAME: &'static str = "ListAccounts";
}

impl Read for ListAccounts {
    async fn act(paging: Paging, call: &Call) -> Result<Accounts, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&paging, call, docs)?;
        let members = member::list(docs, &organization, call.arrival.at);
        let (page, next_token) = paging.cut(members, |member| member.account.to_string())?;
        let accounts = page.iter().map(|member| AccountShape::of(&organization, member, docs)).collect();
        Ok(Accounts { accounts, next_token })
    }
}

/// ListAccountsForParent
pub(super) struct ListAccountsForParent;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForParent {
    parent_id: String,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for ListAccountsForParent {
    type Input = ForParent;
    type Output = Accounts;
    const NAME: &'static str = "ListAccountsForParent";

    fn resource(input: &ForParent, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.parent_id))
    }
}

impl Read for ListAccountsForParent {
    async fn act(input: ForParent, call: &Call) -> Result<Accounts, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        unit::check_parent(docs, &organization, &input.parent_id).map_err(refused)?;
        let members = unit::accounts_in(docs, &organization, &input.parent_id, call.arrival.at);
        let (page, next_token) = input.paging.cut(members, |member| member.account.to_string())?;
        let accounts = page.iter().map(|member| AccountShape::of(&organization, member, docs)).collect();
        Ok(Accounts { accounts, next_token })
    }
}

/// MoveAccount
pub(super) struct MoveAccount;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MoveInput {
    account_id: String,
    source_parent_id: String,
    destination_parent_id: String,
}

impl Described for MoveAccount {
    type Input = MoveInput;
    type Output = ();
    const NAME: &'static str = "MoveAccount";

    fn resource(input: &MoveInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.account_id))
    }

    fn context(input: &MoveInput, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.account_id);
    }
}

impl Write for MoveAccount {
    async fn prepare(input: &MoveInput, call: &Call) -> Result<(), Fault> {
        access::permit_also::<Self>(input, call, &input.source_parent_id)?;
        access::permit_also::<Self>(input, call, &input.destination_parent_id)
    }

    fn act(input: MoveInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let account = account_id(&input.account_id)?;
        let (from, to) = (&input.source_parent_id, &input.destination_parent_id);
        member::transfer(tx, &organization, account, from, to, call.arrival.at).map_err(refused)
    }
}

/// CloseAccount
pub(super) struct CloseAccount;

impl Described for CloseAccount {
    type Input = OneId;
    type Output = With<()>;
    const NAME: &'static str = "CloseAccount";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.account_id))
    }

    fn context(input: &OneId, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.account_id);
    }
}

impl Write for CloseAccount {
    fn act(input: OneId, call: &Call, tx: &mut Transaction) -> Result<With<()>, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let account = account_id(&input.account_id)?;
        let at = call.arrival.at;
        member::close(tx, &organization, account, at).map_err(refused)?;
        let details = json!({ "closeAccountStatus": {
            "accountId": account,
            "state": "SUCCEEDED",
            "requestedTimestamp": spoken(at),
            "completedTimestamp": spoken(at),
        }});
        let closed = Happening::new("CloseAccountResult", organization.management_account, details);
        Ok(With { answer: (), happenings: vec![closed] })
    }

    fn also(output: &With<()>, call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        events(&output.happenings, call)
    }
}

/// RemoveAccountFromOrganization
pub(super) struct RemoveAccountFromOrganization;

impl Described for RemoveAccountFromOrganization {
    type Input = OneId;
    type Output = With<()>;
    const NAME: &'static str = "RemoveAccountFromOrganization";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.account_id))
    }

    fn context(input: &OneId, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.account_id);
    }
}

impl Write for RemoveAccountFromOrganization {
    fn act(input: OneId, call: &Call, tx: &mut Transaction) -> Result<With<()>, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let account = account_id(&input.account_id)?;
        let at = call.arrival.at;
        member::remove(tx, &organization, account, at).map_err(refused)?;
        let departed = Happening::departed(organization.management_account, account, "REMOVED", at);
        Ok(With { answer: (), happenings: vec![departed] })
    }

    fn also(output: &With<()>, call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        events(&output.happenings, call)
    }
}
