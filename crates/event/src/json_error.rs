//! What can be wrong with JSON text.

use crate::scan::MAX_DEPTH;

/// Why bytes are not the JSON that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ends inside a value.
    #[error("the JSON text ends at byte {at}, inside a value")]
    Ended {
        /// The offset at which the text ends.
        at: usize,
    },
    /// A byte that cannot stand where it stands.
    #[error("unexpected byte at offset {at} of the JSON text")]
    Unexpected {
        /// The offset of the byte.
        at: usize,
    },
    /// A control character inside a string that is not written as an escape.
    #[error("control character at offset {at} inside a JSON string")]
    ControlCharacter {
        /// The offset of the byte.
        at: usize,
    },
    /// An escape sequence that JSON does not have, or half of a surrogate pair.
    #[error("invalid escape sequence at offset {at} of the JSON text")]
    Escape {
        /// The offset of the backslash.
        at: usize,
    },
    /// A number that is not a JSON number or whose magnitude no double holds.
    #[error("invalid number at offset {at} of the JSON text")]
    Number {
        /// The offset at which the number begins.
        at: usize,
    },
    /// Arrays and objects nest deeper than a record may.
    #[error("JSON values nest deeper than {MAX_DEPTH} levels at offset {at}")]
    TooDeep {
        /// The offset of the bracket that is too deep.
        at: usize,
    },
    /// There is more after the value.
    #[error("unexpected data after the JSON value, at offset {at}")]
    Trailing {
        /// The offset of the first byte that is too much.
        at: usize,
    },
}

impl JsonError {
    /// The offset in the JSON text that the error is about.
    pub const fn offset(&self) -> usize {
        match *self {
            Self::Ended { at }
            | Self::Unexpected { at }
            | Self::ControlCharacter { at }
            | Self::Escape { at }
            | Self::Number { at }
            | Self::TooDeep { at }
            | Self::Trailing { at } => at,
        }
    }
}
