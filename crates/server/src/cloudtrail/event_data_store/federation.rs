//! EnableFederation, DisableFederation: whether other engines may read the store's table, through the Iceberg REST
//! catalog (`glue`).

use opentrail_event::{AccountId, RecordResource};
use opentrail_identity::role;
use opentrail_lake::store::Federation;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, OneStore},
    refused,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Write},
};

/// Whom AWS hands the role to.
const LAKE_FORMATION: &str = "lakeformation.amazonaws.com";
/// The longest ARN of a role (botocore: FederationRoleArn).
const MAX_ROLE_ARN: usize = 125;

/// EnableFederation
pub(crate) struct EnableFederation;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    event_data_store: String,
    federation_role_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    event_data_store_arn: String,
    federation_status: &'static str,
    federation_role_arn: Option<String>,
}

impl Described for EnableFederation {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "EnableFederation";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Write for EnableFederation {
    fn act(input: Input, call: &Call, tx: &mut Transaction) -> Result<Output, Fault> {
        let Input { event_data_store: named, federation_role_arn: role_arn } = input;
        let store = asking::permitted(Self::NAME, &named, call)?;
        if store.federation.is_some() {
            let message =
                format!("Lake query federation is enabled for the event data store {}.", store.arn());
            return Err(Fault::declared("EventDataStoreFederationEnabledException", message));
        }
        may_pass(&role_arn, call)?;
        let federation = Some(Federation { role_arn: role_arn.clone() });
        let (stores, at) = (&call.rooms.event_data_stores, call.arrival.at);
        let store = stores
            .set_federation(tx, call.account, &call.region, &named, federation, at)
            .map_err(refused(call))?;
        Ok(Output {
            event_data_store_arn: store.arn().to_string(),
            federation_status: "ENABLED",
            federation_role_arn: Some(role_arn),
        })
    }
}

/// Whether the role is there, and the caller may pass it. Readers come with credentials of their own here, so that
/// nobody takes the role on.
fn may_pass(role_arn: &str, call: &Call) -> Result<(), Fault> {
    let invalid = |message: &str| Fault::declared("InvalidParameterException", message);
    let parts = role_arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    let parts = parts.filter(|_| role_arn.len() <= MAX_ROLE_ARN);
    let (owner, path) = parts.ok_or_else(|| invalid("FederationRoleArn is not the ARN of a role."))?;
    if owner.parse::<AccountId>().ok() != Some(call.account) {
        return Err(call.fault(Common::AccessDenied, "Cross-account pass role is not allowed."));
    }
    let mut context = call.arrival.context(&call.region);
    context.set("iam:PassedToService", LAKE_FORMATION);
    call.permit("iam:PassRole", role_arn, context)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let found = role::get(&call.rooms.state, call.account, name);
    if found.is_ok_and(|role| format!("arn:aws:iam::{owner}:role{}{}", role.path, role.name) == role_arn) {
        return Ok(());
    }
    Err(invalid("The role of FederationRoleArn does not exist."))
}

/// DisableFederation
pub(crate) struct DisableFederation;

impl Described for DisableFederation {
    type Input = OneStore;
    type Output = Output;
    const NAME: &'static str = "DisableFederation";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneStore, call: &Call) -> Vec<RecordResource> {
        asking::of_another(&input.event_data_store, call)
    }
}

impl Write for DisableFederation {
    fn act(input: OneStore, call: &Call, tx: &mut Transaction) -> Result<Output, Fault> {
        let named = input.event_data_store;
        asking::permitted(Self::NAME, &named, call)?;
        let (stores, at) = (&call.rooms.event_data_stores, call.arrival.at);
        let store =
            stores.set_federation(tx, call.account, &call.region, &named, None, at).map_err(refused(call))?;
        Ok(Output {
            event_data_store_arn: store.arn().to_string(),
            federation_status: "DISABLED",
            federation_role_arn: None,
        })
    }
}
