//! The code of an MFA device that a call brings along (`x-amz-mfa: SERIAL CODE`), for buckets with MFA delete
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html>).

use opentrail_identity::{IdentityError, Principal, mfa::check_form};
use opentrail_state::Transaction;
use opentrail_vault::{Bucket, VaultError};

use super::{refusal::Refusal, scene::Scene};
use crate::fault::{Dialect, Fault};

const HEADER: &str = "x-amz-mfa";

/// Whether removing a version from this bucket needs a code.
pub(super) fn is_asked_by(bucket: &Bucket) -> bool {
    bucket.mfa_delete == Some(true)
}

/// Takes the call's code, so that it is good for nothing else once the transaction is committed. Only the root
/// user of the bucket's account may give one, of its own device.
pub(super) fn spend(scene: &Scene, tx: &mut Transaction) -> Result<(), Refusal> {
    let given = scene.header(HEADER).filter(|given| !given.is_empty()).ok_or(VaultError::MfaRequired)?;
    let caller = scene.caller();
    if caller.principal != (Principal::Root { account: scene.bucket()?.owner }) {
        let message = "This operation may only be performed by the bucket owner";
        return Err(Refusal::of("AccessDenied", message));
    }
    let (serial, code) = given.rsplit_once(' ').ok_or_else(|| {
        Refusal::of("InvalidRequest", "The x-amz-mfa header must be a serial number, a space and a code")
    })?;
    let serial = serial.trim();
    check_form(serial, code)
        .map_err(|_| Refusal::of("AccessDenied", "The MFA serial number or the code is not well-formed"))?;
    match scene.rooms.identity.spend_mfa_code(tx, &caller, serial, code, scene.arrival.at) {
        Ok(_) => Ok(()),
        Err(IdentityError::MfaUnknownDevice) => Err(Refusal::of(
            "NotDeviceOwnerError",
            "The device that generated the token is not owned by the authenticated user",
        )),
        Err(error) => Err(Fault::of_identity(error, Dialect::S3).into()),
    }
}
