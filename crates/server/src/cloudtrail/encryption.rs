//! The KMS keys of trails and event data stores: whether there is one of this name, and whether CloudTrail may use it. A
//! key of an event data store must be open to its callers too: to who gives it to the store, and to who asks the store.

use std::sync::Arc;

use opentrail_identity::Caller;
use opentrail_keyring::{Key, KeyRefusal, KeyringError};
use opentrail_lake::store::{EventDataStore, StoreArn};
use opentrail_trails::{Trail, Whose};

use crate::{
    call::Call,
    fault::Fault,
    kms::permit::Use,
    store::{CLOUDTRAIL, context_of_trail, service_context},
};

/// The ARN of the key that a trail is to have, by its id, ARN or alias; the empty text asks for none. A name that is
/// no key's stays, for [`check_key`] to refuse.
pub(super) fn key_arn(named: Option<&str>, call: &Call) -> Option<String> {
    let named = named?;
    let found = call.rooms.keyring.key(&call.account, &call.region, named);
    Some(found.map_or_else(|_| named.to_owned(), |key| key.arn.clone()))
}

/// Refuses a key that is not there, can't be used, or is closed to CloudTrail.
pub(super) fn check_key(named: Option<&str>, trail: &Trail, call: &Call) -> Result<(), Fault> {
    let Some(named) = named.filter(|named| !named.is_empty()) else { return Ok(()) };
    let key = usable(named, call)?;
    let trail_arn = trail.arn().to_string();
    let mut context = context_of_trail(&trail_arn);
    let whose = Whose { account: trail.account, organization: trail.organization.clone() };
    let folder = whose.log_files(trail.prefix.as_deref(), None);
    let probe = format!("arn:aws:s3:::{}/{folder}check", trail.bucket);
    context.insert("aws:s3:arn".to_owned(), probe);
    let via = format!("s3.{}.amazonaws.com", call.region);
    let wish = Use {
        action: "kms:GenerateDataKey",
        context: Some(&context),
        via: Some(&via),
        named,
        ask: service_context(&call.region, &trail_arn, &trail.account),
    };
    call.rooms.key_guard.may(&Caller::service(CLOUDTRAIL), &key, &wish).map_err(|_| {
        let message =
            format!("Insufficient permissions to access S3 bucket {} or KMS key {}.", trail.bucket, key.arn);
        Fault::declared("InsufficientEncryptionPolicyException", message)
    })
}

/// The key of this name, if it can be used now.
fn usable(named: &str, call: &Call) -> Result<Arc<Key>, Fault> {
    let key = call.rooms.keyring.key(&call.account, &call.region, named).map_err(|error| refused(&error))?;
    key.check_symmetric("GenerateDataKey")
        .and_then(|()| key.check_usable())
        .map_err(|refusal| Fault::declared("KmsException", refusal.to_string()))?;
    Ok(key)
}

/// The key that an event data store is to have, if CloudTrail and the caller may encrypt and decrypt with it.
///
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>, "Required KMS
/// key policy elements for event data stores".
pub(super) fn key_for_store(named: &str, store: &StoreArn, call: &Call) -> Result<Arc<Key>, Fault> {
    let key = usable(named, call)?;
    for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
        call.rooms.lake_keys.lets_cloudtrail(action, &key, store).map_err(|_| closed(&key.arn))?;
        check_caller(action, &key, named, store, call)?;
    }
    Ok(key)
}

/// Refuses who may not read what is encrypted under a store's key, and everybody while CloudTrail can't.
pub(super) fn check_reader(store: &EventDataStore, call: &Call) -> Result<(), Fault> {
    let Some(kms_key) = &store.kms_key else { return Ok(()) };
    let key = call.rooms.lake_keys.usable(store, kms_key).map_err(|refusal| {
        let message = format!("The event data store {} can't be read: {refusal}", store.arn());
        Fault::declared("InsufficientEncryptionPolicyException", message)
    })?;
    check_caller("kms:Decrypt", &key, &key.arn, &store.arn(), call)
}

fn check_caller(action: &str, key: &Key, named: &str, store: &StoreArn, call: &Call) -> Result<(), Fault> {
    let who = (&call.caller, call.arrival.context(&call.region));
    call.rooms
        .lake_keys
        .lets_caller(who, action, (key, named), (store, "cloudtrail"))
        .map_err(|denied| Fault::declared("InsufficientEncryptionPolicyException", denied))
}

fn closed(key: &str) -> Fault {
    let message = format!("Insufficient permissions to access KMS key {key}.");
    Fault::declared("InsufficientEncryptionPolicyException", message)
}

fn refused(error: &KeyringError) -> Fault {
    match error {
        KeyringError::Key(KeyRefusal::InvalidReference { .. }) => {
            Fault::declared("InvalidKmsKeyIdException", error.to_string())
        }
        KeyringError::Key(_) => Fault::declared("KmsKeyNotFoundException", error.to_string()),
        _ => Fault::declared("KmsException", error.to_string()),
    }
}
