//! DescribeKey, ListKeys.

use opentrail_event::RecordResource;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, Asking, check_tokens},
    page::{More, Paging},
    shape::KeyMetadata,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
};

/// DescribeKey
pub(super) struct DescribeKey;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeKeyInput {
    key_id: String,
    grant_tokens: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeKeyOutput {
    key_metadata: KeyMetadata,
}

impl Described for DescribeKey {
    type Input = DescribeKeyInput;
    type Output = DescribeKeyOutput;
    const NAME: &'static str = "DescribeKey";
    const PERMISSION: Permission = Permission::OwnRules;
    const SECRETS: &'static [&'static str] = &["GrantTokens"];

    fn touched(input: &DescribeKeyInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Read for DescribeKey {
    async fn act(input: DescribeKeyInput, call: &Call) -> Result<DescribeKeyOutput, Fault> {
        check_tokens(call, input.grant_tokens.as_deref())?;
        let asking = Asking::to_use(Self::NAME, &input.key_id);
        let key = asking.find_or_make(call).await?;
        asking.permit(call, &key)?;
        Ok(DescribeKeyOutput { key_metadata: KeyMetadata::from(&*key) })
    }
}

/// ListKeys
pub(super) struct ListKeys;

/// What is on a page where nothing is said, and at most (the API, ListKeys).
const USUAL: usize = 100;
const MOST: usize = 1000;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListKeysInput {
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListKeysOutput {
    keys: Vec<KeyListEntry>,
    #[serde(flatten)]
    more: More,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyListEntry {
    key_id: String,
    key_arn: String,
}

impl Described for ListKeys {
    type Input = ListKeysInput;
    type Output = ListKeysOutput;
    const NAME: &'static str = "ListKeys";
}

impl Read for ListKeys {
    async fn act(input: ListKeysInput, call: &Call) -> Result<ListKeysOutput, Fault> {
        let page = input.paging.page(USUAL, MOST, call)?;
        let found = call.rooms.keyring.customer_keys(
            &call.account,
            &call.region,
            page.after.as_deref(),
            page.and_one(),
        );
        let (found, more) = page.cut(found, |key| &key.id);
        // A key whose deletion is due is gone, also while its document still is there.
        let there = found.iter().filter(|key| !key.is_due(call.arrival.at));
        let keys =
            there.map(|key| KeyListEntry { key_id: key.id.clone(), key_arn: key.arn.clone() }).collect();
        Ok(ListKeysOutput { keys, more })
    }
}
