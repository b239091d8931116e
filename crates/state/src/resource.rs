//! What a type must be to be kept as a document.

use serde::{Serialize, de::DeserializeOwned};

/// A type whose values are documents.
///
/// Its JSON form is what is kept, so a member that is added later needs `#[serde(default)]`, and one that is
/// taken away must be ignored when it is read.
///
/// Ids are unique in a kind and sorted by their bytes; an id that starts with the account
/// (`ACCOUNT/…`) lets [`list`](crate::State::list) give one account's documents.
pub trait Resource: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name, such as `trails.trail`: at most [`MAX_KIND_BYTES`](crate::MAX_KIND_BYTES), and never
    /// changed once documents exist.
    const KIND: &'static str;
}
