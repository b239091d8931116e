//! Identity providers elsewhere, and the sessions of those they vouch for.
//!
//! [`oidc_provider`] has the documents and IAM's operations on them, [`token`] reads and verifies what a provider
//! signed, and the web identity is what then is known of the caller. Keys are fetched by whoever calls: this crate
//! knows no network.

pub mod oidc_provider;
pub mod token;
mod web_identity;

pub use web_identity::WebIdentity;
