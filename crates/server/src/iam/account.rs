//! The account as a whole.

use opentrail_identity::{account_alias, account_summary};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::page::{More, Paging};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// GetAccountSummary
pub(super) struct GetAccountSummary;

#[derive(Deserialize, Serialize)]
pub(super) struct GetAccountSummaryInput {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccountSummaryOutput {
    summary_map: SummaryMap,
}

/// A map as awsQuery spells it: `<entry><key/><value/></entry>` for each.
struct SummaryMap(Vec<(&'static str, usize)>);

#[derive(Serialize)]
struct Entry {
    key: &'static str,
    value: usize,
}

impl Serialize for SummaryMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for &(key, value) in &self.0 {
            map.serialize_entry("entry", &Entry { key, value })?;
        }
        map.end()
    }
}

impl Described for GetAccountSummary {
    type Input = GetAccountSummaryInput;
    type Output = GetAccountSummaryOutput;
    const NAME: &'static str = "GetAccountSummary";
}

impl Read for GetAccountSummary {
    async fn act(_: GetAccountSummaryInput, call: &Call) -> Result<GetAccountSummaryOutput, Fault> {
        let summary_map = SummaryMap(account_summary::of(&call.rooms.state, call.account));
        Ok(GetAccountSummaryOutput { summary_map })
    }
}

/// ListAccountAliases: there is one at most.
pub(super) struct ListAccountAliases;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccountAliasesOutput {
    account_aliases: Vec<String>,
    #[serde(flatten)]
    more: More,
}

impl Described for ListAccountAliases {
    type Input = Paging;
    type Output = ListAccountAliasesOutput;
    const NAME: &'static str = "ListAccountAliases";
}

impl Read for ListAccountAliases {
    async fn act(input: Paging, call: &Call) -> Result<ListAccountAliasesOutput, Fault> {
        let aliases = Vec::from_iter(account_alias::get(&call.rooms.state, call.account));
        let (page, next) = input.cut(&aliases, call)?;
        Ok(ListAccountAliasesOutput { account_aliases: page.to_vec(), more: next.into() })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AliasInput {
    account_alias: String,
}

/// CreateAccountAlias: in place of the one before.
pub(super) struct CreateAccountAlias;

impl Described for CreateAccountAlias {
    type Input = AliasInput;
    type Output = ();
    const NAME: &'static str = "CreateAccountAlias";
}

impl Write for CreateAccountAlias {
    fn act(input: AliasInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        account_alias::create(tx, call.account, &input.account_alias).map_err(|e| call.refused(e))
    }
}

/// DeleteAccountAlias
pub(super) struct DeleteAccountAlias;

impl Described for DeleteAccountAlias {
    type Input = AliasInput;
    type Output = ();
    const NAME: &'static str = "DeleteAccountAlias";
}

impl Write for DeleteAccountAlias {
    fn act(input: AliasInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        account_alias::delete(tx, call.account, &input.account_alias).map_err(|e| call.refused(e))
    }
}
