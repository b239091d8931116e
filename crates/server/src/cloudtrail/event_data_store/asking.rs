//! How an operation finds its event data store and asks for permission on it: the caller's policies and the store's
//! own decide, and callers of other accounts need both.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_resource-based-policy-examples.html>

use std::sync::Arc;

use opentrail_event::RecordResource;
use opentrail_identity::{Ask, Principal, Tag, set_resource_tags};
use opentrail_lake::store::{EventDataStore, StoreArn, StoreRef};
use opentrail_policy::Context;
use serde::{Deserialize, Serialize};

use super::refused;
use crate::{call::Call, cloudtrail::resource_policy, fault::Fault};

/// The input of operations that take an event data store's ARN or id and nothing else.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OneStore {
    pub(super) event_data_store: String,
}

/// The store that a call names, if the caller may do this with it; `operation` is AWS's name of it.
pub(crate) fn permitted(operation: &str, named: &str, call: &Call) -> Result<Arc<EventDataStore>, Fault> {
    permitted_with(operation, named, &Context::new(), call)
}

/// As [`permitted`], with more condition keys.
pub(crate) fn permitted_with(
    operation: &str,
    named: &str,
    keys: &Context,
    call: &Call,
) -> Result<Arc<EventDataStore>, Fault> {
    let stores = &call.rooms.event_data_stores;
    let found = stores.of_anyone(call.account, &call.region, named);
    let arn = match &found {
        Ok(store) => store.arn(),
        Err(_) => meant(named, call)?,
    };
    let mut context = call.arrival.context(&call.region);
    context.extend(keys);
    if let Ok(store) = &found {
        let tags: Vec<Tag> = store.tags.iter().map(|(key, value)| Tag::new(key, value)).collect();
        set_resource_tags(&mut context, "cloudtrail", &tags);
    }
    let of_own = found.as_ref().is_ok_and(|store| stores.administers(call.account, store));
    let arn_text = arn.to_string();
    // Whatever a policy says, the root of its account can put another in its place.
    let is_root = matches!(call.caller.principal, Principal::Root { .. }) && arn.account == call.account;
    let policy = if is_root && operation.ends_with("ResourcePolicy") {
        None
    } else {
        resource_policy::in_force(&arn_text, call)?
    };
    let ask = Ask {
        action: &format!("cloudtrail:{operation}"),
        resource: &arn_text,
        context,
        resource_policy: policy.as_ref(),
        resource_account: Some(if of_own { call.account } else { arn.account }),
        resource_must_allow: false,
    };
    let verdict = call.rooms.identity.authorize(&call.caller, &ask);
    verdict.into_result().map_err(|denial| call.denied(&ask, &denial))?;
    found.map_err(refused(call))
}

/// The ARN that the name of a store which isn't there would be of.
fn meant(named: &str, call: &Call) -> Result<StoreArn, Fault> {
    match named.parse().map_err(refused(call))? {
        StoreRef::Arn(arn) => Ok(arn),
        StoreRef::Id(id) => Ok(StoreArn { region: call.region.clone(), account: call.account, id }),
    }
}

/// The ARN for the permission of an operation that makes stores.
pub(crate) fn any_arn(call: &Call) -> String {
    format!("arn:aws:cloudtrail:{}:{}:eventdatastore/*", call.region, call.account)
}

/// The store that a call names, where another account owns it: what is done with it is in that account's record too.
pub(crate) fn of_another(named: &str, call: &Call) -> Vec<RecordResource> {
    let stores = &call.rooms.event_data_stores;
    let Ok(store) = stores.of_anyone(call.account, &call.region, named) else { return Vec::new() };
    if store.account == call.account { Vec::new() } else { vec![touched(&store)] }
}

/// The store, as records name it.
pub(crate) fn touched(store: &EventDataStore) -> RecordResource {
    RecordResource::new("AWS::CloudTrail::EventDataStore", store.arn().to_string(), Some(store.account))
}
