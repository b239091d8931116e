//! Keys: the master key, envelope encryption, signing keys and their rotation.
//!
//! One master key is outside of the state, in a file or with the operator. Everything else that is secret is
//! kept in the state [sealed](Sealed) with it.

mod error;
mod keyring;
mod master;
mod record;
mod seal;
mod signing;
mod verify;

pub use error::KeyringError;
pub use keyring::Keyring;
pub use master::{MASTER_KEY_BYTES, MasterKeySource};
pub use seal::Sealed;
pub use signing::{PublicKeyInfo, SIGNING_KEY_LIFETIME, SIGNING_KEY_OVERLAP, SigningKey};
pub use verify::verify;
