//! Virtual MFA devices: what they are, who has them, and what a code of one is good for.
//!
//! A device is a seed that a person's authenticator shares with us (TOTP, RFC 6238: SHA-1, six digits, 30
//! seconds). Its code proves possession once: the time step of the last code that was taken is kept with the
//! seed, in one sealed part of the device's document, and no step up to it is taken again, ever.
//!
//! - [`device`](self): the documents, and IAM's operations that need no code.
//! - `proof`: taking codes, one ([`Identity::spend_mfa_code`](crate::Identity::spend_mfa_code)) or two in a row.
//! - `secret`: the sealed part, and which codes fit it.
//! - `attempts`: how often one may be wrong.

mod attempts;
mod device;
mod proof;
mod secret;

pub(crate) use attempts::Attempts;
pub use attempts::WrongCode;
pub use device::{
    Assignment, MfaDevice, MfaHolder, NewMfaDevice, ProvisionedMfaDevice, deactivate, delete, device_arn,
    get, holder, list, list_virtual, nobodys, of_holder, tag, untag,
};
pub(crate) use device::{create, document_id, is_assigned_to, moved};
pub use proof::{CodePair, MfaProof, check_code, check_form, check_serial, keep_wrong_code};
pub(crate) use proof::{enable, resync, spend_code};

use serde::{Deserialize, Serialize};

/// What was asked of a device's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Proof {
    /// One code, to prove who calls.
    Code,
    /// Two codes in a row, to set a device up or to find its clock again.
    Pair,
}
