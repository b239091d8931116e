//! Identity providers elsewhere, and the sessions of those they vouch for.
//!
//! [`oidc_provider`] has the documents and IAM's operations on them; [`token`] reads what a provider signed, and
//! [`keys`] what it is verified with. Keys are fetched by whoever calls: this crate knows no network.

pub mod keys;
pub mod oidc_provider;
mod refusal;
pub mod token;
mod web_identity;

pub use refusal::TokenRefusal;
pub use web_identity::WebIdentity;
