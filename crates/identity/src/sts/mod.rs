//! Opening sessions. Each operation of STS has a file; what they share are the policies and tags that a session is
//! opened with.

mod access_key_info;
mod assume_role;
mod federation_token;
mod narrowing;
mod service_role;
mod session_token;
mod trusted;
mod web_identity;

pub(crate) use access_key_info::account_of_key;
pub(crate) use assume_role::assume_role;
pub use assume_role::{AssumeRole, AssumedRole};
pub(crate) use federation_token::federation_token;
pub use federation_token::{FederatedSession, GetFederationToken};
pub(crate) use service_role::service_role;
pub(crate) use session_token::session_token;
pub use web_identity::AssumeRoleWithWebIdentity;
pub(crate) use web_identity::{assume_role_with_web_identity, present};
