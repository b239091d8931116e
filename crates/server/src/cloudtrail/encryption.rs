//! The KMS key of a trail: whether there is one of this name, and whether CloudTrail may use it.

use opentrail_identity::Caller;
use opentrail_keyring::{KeyRefusal, KeyringError};
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
    let key = call.rooms.keyring.key(&call.account, &call.region, named).map_err(|error| refused(&error))?;
    key.check_symmetric("GenerateDataKey")
        .and_then(|()| key.check_usable())
        .map_err(|refusal| Fault::declared("KmsException", refusal.to_string()))?;
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

fn refused(error: &KeyringError) -> Fault {
    match error {
        KeyringError::Key(KeyRefusal::InvalidReference { .. }) => {
            Fault::declared("InvalidKmsKeyIdException", error.to_string())
        }
        KeyringError::Key(_) => Fault::declared("KmsKeyNotFoundException", error.to_string()),
        _ => Fault::declared("KmsException", error.to_string()),
    }
}
