//! Customer keys: the keys of KMS, what they encrypt and sign, and who was granted their use.
//!
//! A key's document has its policy, its state and its key material, sealed under the master key with the key's ARN
//! and the material's version as associated data. Who may use a key is decided above, from the policy's text and
//! the [`Grant`]s.

mod alias;
mod asymmetric;
mod cipher;
mod context;
mod due;
mod grant;
mod key;
mod lifecycle;
pub mod limits;
mod mac;
mod managed;
mod material;
mod reference;
mod refusal;
mod rotation;
mod service_record;
mod spec;
mod tags;

pub use alias::Alias;
pub use cipher::{DataKey, Decrypted};
pub use context::EncryptionContext;
pub use due::Due;
pub use grant::{Grant, GrantConstraints, NewGrant};
pub use key::{Key, KeyManager, KeyState, NewKey, Rotation};
pub use managed::MANAGED_SERVICES;
pub use material::{MaterialOrigin, MaterialVersion, NewMaterial};
pub use refusal::KeyRefusal;
pub use spec::{EncryptionAlgorithm, KeySpec, KeyUsage, MacAlgorithm, MessageType, SigningAlgorithm};

pub(crate) use cipher::OpenedMaterials;
