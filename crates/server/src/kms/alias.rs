//! CreateAlias, UpdateAlias, DeleteAlias, ListAliases.
//!
//! An alias and its key are two resources: the permission is asked for both (the guide, "Controlling access to
//! aliases"). An alias has no policy of its own.

use opentrail_event::RecordResource;
use opentrail_keyring::customer::Alias;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, Asking},
    page::{More, Paging},
    refused,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// The input of CreateAlias and UpdateAlias.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Aliasing {
    alias_name: String,
    target_key_id: String,
}

fn alias_arn(name: &str, call: &Call) -> String {
    format!("arn:aws:kms:{}:{}:{name}", call.region, call.account)
}

fn touched(name: &str, target: Option<&str>, call: &Call) -> Vec<RecordResource> {
    let alias = RecordResource::new("AWS::KMS::Alias", alias_arn(name, call), Some(call.account));
    let key = target.map(|target| asking::touched(call, target)).unwrap_or_default();
    std::iter::once(alias).chain(key).collect()
}

/// Whether the caller may take this alias from its key, while the key is there.
fn permit_loser(permission: &'static str, name: &str, call: &Call) -> Result<(), Fault> {
    let keyring = &call.rooms.keyring;
    let alias = keyring.alias(&call.account, &call.region, name).map_err(|error| refused(call, error))?;
    if keyring.key(&call.account, &call.region, &alias.target).is_ok() {
        Asking::to_manage(permission, &alias.target).permitted(call)?;
    }
    Ok(())
}

/// CreateAlias
pub(super) struct CreateAlias;

impl Described for CreateAlias {
    type Input = Aliasing;
    type Output = ();
    const NAME: &'static str = "CreateAlias";

    fn resource(input: &Aliasing, call: &Call) -> Result<String, Fault> {
        Ok(alias_arn(&input.alias_name, call))
    }

    fn touched(input: &Aliasing, call: &Call) -> Vec<RecordResource> {
        touched(&input.alias_name, Some(&input.target_key_id), call)
    }
}

impl Write for CreateAlias {
    fn act(input: Aliasing, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let key = Asking::to_manage(Self::NAME, &input.target_key_id).permitted(call)?;
        let keyring = &call.rooms.keyring;
        keyring
            .create_alias(tx, &key, &input.alias_name, call.arrival.at)
            .map_err(|error| refused(call, error))
    }
}

/// UpdateAlias
pub(super) struct UpdateAlias;

impl Described for UpdateAlias {
    type Input = Aliasing;
    type Output = ();
    const NAME: &'static str = "UpdateAlias";

    fn resource(input: &Aliasing, call: &Call) -> Result<String, Fault> {
        Ok(alias_arn(&input.alias_name, call))
    }

    fn touched(input: &Aliasing, call: &Call) -> Vec<RecordResource> {
        touched(&input.alias_name, Some(&input.target_key_id), call)
    }
}

impl Write for UpdateAlias {
    fn act(input: Aliasing, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let keyring = &call.rooms.keyring;
        permit_loser(Self::NAME, &input.alias_name, call)?;
        let key = Asking::to_manage(Self::NAME, &input.target_key_id).permitted(call)?;
        keyring
            .update_alias(tx, &key, &input.alias_name, call.arrival.at)
            .map_err(|error| refused(call, error))
    }
}

/// DeleteAlias
pub(super) struct DeleteAlias;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneAlias {
    alias_name: String,
}

impl Described for DeleteAlias {
    type Input = OneAlias;
    type Output = ();
    const NAME: &'static str = "DeleteAlias";

    fn resource(input: &OneAlias, call: &Call) -> Result<String, Fault> {
        Ok(alias_arn(&input.alias_name, call))
    }

    fn touched(input: &OneAlias, call: &Call) -> Vec<RecordResource> {
        touched(&input.alias_name, Some(&input.alias_name), call)
    }
}

impl Write for DeleteAlias {
    fn act(input: OneAlias, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let keyring = &call.rooms.keyring;
        permit_loser(Self::NAME, &input.alias_name, call)?;
        keyring
            .delete_alias(tx, &call.account, &call.region, &input.alias_name)
            .map_err(|error| refused(call, error))
    }
}

/// ListAliases
pub(super) struct ListAliases;

/// What is on a page where nothing is said, and at most (the API, ListAliases).
const USUAL: usize = 50;
const MOST: usize = 100;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAliasesInput {
    key_id: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAliasesOutput {
    aliases: Vec<AliasListEntry>,
    #[serde(flatten)]
    more: More,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AliasListEntry {
    alias_name: String,
    alias_arn: String,
    target_key_id: String,
    creation_date: Timestamp,
    last_updated_date: Timestamp,
}

impl From<&Alias> for AliasListEntry {
    fn from(alias: &Alias) -> Self {
        Self {
            alias_name: alias.name.clone(),
            alias_arn: alias.arn.clone(),
            target_key_id: alias.target.clone(),
            creation_date: alias.created.into(),
            last_updated_date: alias.updated.into(),
        }
    }
}

impl Described for ListAliases {
    type Input = ListAliasesInput;
    type Output = ListAliasesOutput;
    const NAME: &'static str = "ListAliases";
}

impl Read for ListAliases {
    async fn act(input: ListAliasesInput, call: &Call) -> Result<ListAliasesOutput, Fault> {
        let page = input.paging.page(USUAL, MOST, call)?;
        let keyring = &call.rooms.keyring;
        let (found, more) = match &input.key_id {
            None => {
                let after = page.after.as_deref();
                let found = keyring.aliases(&call.account, &call.region, after, page.and_one());
                page.cut(found, |alias| &alias.name)
            }
            Some(key_id) => {
                let key = Asking::to_manage(Self::NAME, key_id).find(call)?;
                let alias = |name: &String| keyring.alias(&key.account, &key.region, name).ok();
                page.of_whole(key.aliases.iter().filter_map(alias).collect(), |alias| &alias.name)
            }
        };
        Ok(ListAliasesOutput {
            aliases: found.iter().map(|alias| AliasListEntry::from(&**alias)).collect(),
            more,
        })
    }
}
