//! Passwords of users, for signing in to a console.
//!
//! A password is kept as an Argon2id hash, sealed. Hashing takes memory and time on purpose, so it happens before
//! anything is locked ([`Identity::new_password`](crate::Identity::new_password),
//! [`Identity::check_password`](crate::Identity::check_password)) and few at once. What comes of it is bound to the
//! password that it was held against: should that have changed meanwhile, nothing is done.
//!
//! - `profile`: the part of a user's document, and IAM's operations.
//! - `proof`: new passwords and old ones, looked at outside of transactions.
//! - `hasher`: the hashes, and how many at once.
//! - `attempts`: how often one may be wrong.

mod attempts;
mod hasher;
mod profile;
mod proof;

pub(crate) use attempts::Attempts;
pub use attempts::{WrongPassword, keep_wrong_password};
pub(crate) use hasher::Hasher;
pub use profile::{LoginProfile, delete, get, signed_in};
pub(crate) use profile::{change, create, update};
pub use proof::{NewPassword, PasswordProof, Standing};
pub(crate) use proof::{check_password, new_password};
