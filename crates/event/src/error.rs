//! What can be wrong with a record.

use crate::{Event, JsonError};

/// Why bytes are not a CloudTrail record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The record is larger than a record may be.
    #[error("the record has {bytes} bytes; at most {} are allowed", Event::MAX_BYTES)]
    TooLarge {
        /// The record's size.
        bytes: usize,
    },
    /// The record is not UTF-8.
    #[error("the record is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The offset of the first byte that is not.
        at: usize,
    },
    /// The record is not well-formed JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The record is JSON, but no object.
    #[error("the record is not a JSON object")]
    NotAnObject,
    /// A member that every record has is absent.
    #[error("the record has no {member}")]
    Missing {
        /// The member's name.
        member: &'static str,
    },
    /// A member has a value that it may not have.
    #[error("the record's {member} is not {expected}")]
    Invalid {
        /// The member's name.
        member: &'static str,
        /// What the value should have been.
        expected: &'static str,
    },
    /// A record of our own could not be written as JSON.
    #[error("the record cannot be written as JSON")]
    Unwritable,
}
