//! RetireGrant, RevokeGrant.

use std::sync::Arc;

use opentrail_event::RecordResource;
use opentrail_identity::root_arn;
use opentrail_keyring::{Key, customer::Grant};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, Asking, check_dry_run},
    permit::{Refused, Use},
    refused,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Write},
};

/// RevokeGrant: the key's owner ends a grant.
pub(super) struct RevokeGrant;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RevokeGrantInput {
    key_id: String,
    grant_id: String,
    dry_run: Option<bool>,
}

impl Described for RevokeGrant {
    type Input = RevokeGrantInput;
    type Output = ();
    const NAME: &'static str = "RevokeGrant";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &RevokeGrantInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for RevokeGrant {
    fn act(input: RevokeGrantInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let key = Asking::across_accounts(Self::NAME, &input.key_id).permitted(call)?;
        check_id(call, &input.grant_id)?;
        let keyring = &call.rooms.keyring;
        keyring.remove_grant(tx, &key, &input.grant_id).map_err(|error| refused(call, error))?;
        check_dry_run(input.dry_run)
    }
}

/// RetireGrant: whoever the grant names ends it.
pub(super) struct RetireGrant;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RetireGrantInput {
    #[serde(skip_serializing)]
    grant_token: Option<String>,
    key_id: Option<String>,
    grant_id: Option<String>,
    dry_run: Option<bool>,
}

impl RetireGrantInput {
    /// The names of key and grant, from the token or as they were given.
    fn names(&self, call: &Call) -> Result<(String, String), Fault> {
        match (&self.grant_token, &self.key_id, &self.grant_id) {
            (Some(token), None, None) => {
                call.rooms.keyring.grant_of_token(token).map_err(|error| refused(call, error))
            }
            (None, Some(key), Some(grant)) => Ok((key.clone(), grant.clone())),
            _ => {
                let message = "Please specify either a grant token, or a key ARN and a grant ID.";
                Err(call.fault(Common::Invalid, message))
            }
        }
    }

    fn find(&self, call: &Call) -> Result<(Arc<Key>, Arc<Grant>), Fault> {
        let (key, grant) = self.names(call)?;
        check_id(call, &grant)?;
        let key = Asking::across_accounts(RetireGrant::NAME, &key).find(call)?;
        let grant = call.rooms.keyring.grant(&key, &grant).map_err(|error| refused(call, error))?;
        Ok((key, grant))
    }
}

impl Described for RetireGrant {
    type Input = RetireGrantInput;
    type Output = ();
    const NAME: &'static str = "RetireGrant";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &RetireGrantInput, call: &Call) -> Vec<RecordResource> {
        input.names(call).map(|(key, _)| asking::touched(call, &key)).unwrap_or_default()
    }
}

impl Write for RetireGrant {
    fn act(input: RetireGrantInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let (key, grant) = input.find(call)?;
        check_may_retire(call, &key, &grant, input.key_id.as_deref().unwrap_or(OF_TOKEN))?;
        key.check_not_pending_deletion().map_err(|error| refused(call, error))?;
        let keyring = &call.rooms.keyring;
        keyring.remove_grant(tx, &key, &grant.id).map_err(|error| refused(call, error))?;
        check_dry_run(input.dry_run)
    }
}

/// How a refusal names the key of a grant that is named by a token only.
const OF_TOKEN: &str = "the key of the grant token";

/// Who may retire a grant is in the grant: its retiring principal, its grantee if it has that operation, and the
/// account that made it (the API, RetireGrant).
fn check_may_retire(call: &Call, key: &Key, grant: &Grant, named: &str) -> Result<(), Fault> {
    let action = "kms:RetireGrant";
    let ask = call.arrival.context(&call.region);
    let wish = Use { action, context: None, via: None, named, ask };
    let root = root_arn(grant.issuer).to_string();
    let as_grantee = grant.operations.iter().any(|name| name == "RetireGrant");
    let may = [
        grant.retiring.as_deref().map(|name| (name, grant.retiring_id.as_deref())),
        as_grantee.then_some((grant.grantee.as_str(), grant.grantee_id.as_deref())),
        Some((root.as_str(), None)),
    ];
    let guard = &call.rooms.key_guard;
    if may.into_iter().flatten().any(|who| guard.is(&call.caller, who, key, &wish)) {
        return Ok(());
    }
    let hidden = Refused::of_stranger(&call.caller, action, named);
    Err(call.fault(Common::AccessDenied, hidden.to_string()))
}

/// Refuses what no grant's id looks like (the model, `GrantIdType`).
fn check_id(call: &Call, id: &str) -> Result<(), Fault> {
    if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let shown = id.chars().take(64).collect();
    Err(refused(call, opentrail_keyring::KeyRefusal::InvalidGrantId(shown)))
}
