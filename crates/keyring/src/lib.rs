//! Keys: the master key, envelope encryption, signing keys and their rotation.
//!
//! One master key is outside of the state, in a file or with the operator. Everything else that is secret is
//! kept in the state [sealed](Sealed) with it. With [`at_rest`], nothing that is in a data folder is readable
//! without it.

pub mod at_rest;
pub mod customer;
mod error;
mod keyring;
mod master;
mod record;
mod seal;
mod signing;
mod verify;

pub use at_rest::{EncryptedDisk, FolderKey};
pub use customer::{DataKey, Decrypted, EncryptionContext, Key, KeyRefusal};
pub use error::KeyringError;
pub use keyring::Keyring;
pub use master::{
    MASTER_KEY_BYTES, MasterKey, MasterKeySource, generate as generate_master_key, load as load_master_key,
};
pub use seal::Sealed;
pub use signing::{PublicKeyInfo, SIGNING_KEY_LIFETIME, SIGNING_KEY_OVERLAP, SigningKey};
pub use verify::verify;
