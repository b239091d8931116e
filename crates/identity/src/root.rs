//! The root credentials that the operator gives at the start of the server.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Record, Region, UserIdentity};
use opentrail_keyring::Keyring;
use opentrail_state::{OwnedEvent, State, Transaction};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    access_key::{self, AccessKey, AccessKeyStatus, KeyOwner},
    account,
    credential::unseal_secret,
    error::{Existing, IdentityError},
    name::check_root_credentials,
};

/// The service that the record of the change is from.
const IAM: &str = "iam.amazonaws.com";

/// Makes these the operator's root credentials of the account; whether anything had to change.
///
/// Those given before are removed with it. The change has no caller, so its record is one of a service.
pub(crate) async fn ensure(
    state: &State,
    keyring: &Keyring,
    account_id: AccountId,
    access_key_id: &str,
    secret: &str,
) -> Result<bool, IdentityError> {
    check_root_credentials(access_key_id, secret)?;
    let mut tx = state.begin().await;
    let mut account = account::get(&tx, account_id);
    let existing = tx.get::<AccessKey>(access_key_id);
    if let Some(key) = &existing {
        if key.owner != KeyOwner::Root || key.account != account_id {
            return Err(IdentityError::AlreadyExists(Existing::AccessKey(access_key_id.to_owned())));
        }
        let in_force = key.status == AccessKeyStatus::Active
            && account.operator_key.as_deref() == Some(access_key_id)
            && is_secret(keyring, key, secret);
        if in_force {
            return Ok(false);
        }
    }
    let now = state.now();
    let replaced = account.operator_key.take().filter(|old| old != access_key_id);
    if let Some(old) = &replaced {
        account.root_access_keys.retain(|id| id != old);
        tx.delete::<AccessKey>(old);
    }
    if !account.root_access_keys.iter().any(|id| id == access_key_id) {
        account.root_access_keys.push(access_key_id.to_owned());
    }
    account.operator_key = Some(access_key_id.to_owned());
    account::save(&mut tx, &account);
    put_key(&mut tx, keyring, account_id, access_key_id, secret, now);
    let record = record(account_id, access_key_id, replaced.as_deref(), now)?;
    tx.commit(vec![record]).await?;
    Ok(true)
}

/// The root credentials of the account that the operator gave, or that were drawn, last: access key id and
/// secret. None before the first start is through.
pub(crate) fn operator_credentials(
    state: &State,
    keyring: &Keyring,
    account_id: AccountId,
) -> Result<Option<(String, Zeroizing<String>)>, IdentityError> {
    let key = account::get(state, account_id).operator_key.and_then(|id| state.get::<AccessKey>(&id));
    key.map(|key| Ok((key.id.clone(), unseal_secret(keyring, &key)?))).transpose()
}

fn put_key(
    tx: &mut Transaction,
    keyring: &Keyring,
    account: AccountId,
    id: &str,
    secret: &str,
    now: DateTime<Utc>,
) {
    let key = AccessKey {
        id: id.to_owned(),
        account,
        status: AccessKeyStatus::Active,
        created_at: now,
        changed_at: None,
        owner: KeyOwner::Root,
        secret: keyring.seal(&access_key::seal_context(id), secret.as_bytes()),
    };
    tx.put(id, &key);
}

fn is_secret(keyring: &Keyring, key: &AccessKey, secret: &str) -> bool {
    unseal_secret(keyring, key)
        .is_ok_and(|kept| verify_slices_are_equal(kept.as_bytes(), secret.as_bytes()).is_ok())
}

fn record(
    account: AccountId,
    access_key_id: &str,
    replaced: Option<&str>,
    now: DateTime<Utc>,
) -> Result<OwnedEvent, IdentityError> {
    let identity = UserIdentity::AwsService { invoked_by: IAM.to_owned() };
    let region = Region::us_east_1();
    let mut record = Record::new(Uuid::new_v4(), now, identity, IAM, "SetRootAccessKey", region, account);
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = IAM.to_owned();
    record.user_agent = Some(IAM.to_owned());
    record.read_only = Some(false);
    record.service_event_details =
        Some(json!({ "accessKeyId": access_key_id, "replacedAccessKeyId": replaced }));
    Ok(OwnedEvent { owner: account, event: record.into_event()? })
}
