//! The account as a whole.

use opentrail_identity::account;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::page::{More, Paging};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
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
        let summary_map = SummaryMap(account::summary(&call.rooms.state, call.account));
        Ok(GetAccountSummaryOutput { summary_map })
    }
}

/// ListAccountAliases: an account has none here.
pub(super) struct ListAccountAliases;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccountAliasesOutput {
    account_aliases: [&'static str; 0],
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
        input.cut(&[(); 0], call)?;
        Ok(ListAccountAliasesOutput { account_aliases: [], more: More::default() })
    }
}
