//! Where a page ended.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use xxhash_rust::xxh3::xxh3_64;

use crate::position::Position;

/// Where a page ended, and in which query. Opaque text to callers.
///
/// It names the last event that was looked at, not a number of events to skip, so that events that arrive
/// later neither shift nor repeat anything: newer ones come before it, and older ones after it are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    query: u64,
    position: Position,
}

/// A text that is no token, or the token of another query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokenError {
    /// It was not made by [`PageToken`].
    #[error("the page token is not valid")]
    Malformed,
    /// It belongs to a query with other conditions.
    #[error("the page token belongs to another query")]
    OtherQuery,
}

const VERSION: u8 = 1;
const BODY: usize = 1 + 8 + Position::BYTES;
/// It finds typing mistakes; a token gives no rights, so nobody gains by making one up.
const CHECK: usize = 4;

impl PageToken {
    pub(crate) fn new(query: u64, position: Position) -> Self {
        Self { query, position }
    }

    pub(crate) fn position_in(&self, query: u64) -> Result<Position, InvalidTokenError> {
        if self.query == query { Ok(self.position) } else { Err(InvalidTokenError::OtherQuery) }
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(BODY + CHECK);
        bytes.push(VERSION);
        bytes.extend(self.query.to_le_bytes());
        bytes.extend(self.position.to_bytes());
        let check = (xxh3_64(&bytes) as u32).to_le_bytes();
        bytes.extend(check);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for PageToken {
    type Err = InvalidTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Decoding takes the text's length in memory, so that is looked at first.
        if text.len() > 2 * (BODY + CHECK) {
            return Err(InvalidTokenError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidTokenError::Malformed)?;
        let (body, check) = bytes.split_last_chunk::<CHECK>().ok_or(InvalidTokenError::Malformed)?;
        if (xxh3_64(body) as u32).to_le_bytes() != *check {
            return Err(InvalidTokenError::Malformed);
        }
        let body: &[u8; BODY] = body.try_into().map_err(|_| InvalidTokenError::Malformed)?;
        let (query, position) = body[1..].split_at(8);
        match (body[0], query.try_into(), position.try_into()) {
            (VERSION, Ok(query), Ok(position)) => {
                Ok(Self { query: u64::from_le_bytes(query), position: Position::from_bytes(position) })
            }
            _ => Err(InvalidTokenError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_survives_its_text(query: u64, time: i64, seq: u64, index: u32) {
            let token = PageToken::new(query, Position { time, seq, index });
            prop_assert_eq!(token.to_string().parse::<PageToken>(), Ok(token.clone()));
            prop_assert_eq!(token.position_in(query.wrapping_add(1)), Err(InvalidTokenError::OtherQuery));
        }

        #[test]
        fn no_text_is_taken_for_a_token(text in "[A-Za-z0-9_-]{0,80}") {
            prop_assert_eq!(text.parse::<PageToken>(), Err(InvalidTokenError::Malformed));
        }
    }
}
