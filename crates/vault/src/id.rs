//! Ids of 128 bits, written as 32 hexadecimal digits.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $visibility:vis $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        $visibility struct $name(pub(crate) u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self).ok_or(NotAnId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id! {
    /// The name of bytes kept apart: of a file, or of a row of small bytes in the index.
    pub(crate) BlobId
}

id! {
    /// The id of a multipart upload. Ids made later are greater, to the millisecond; 80 bits are random.
    pub UploadId
}

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 32 lower-case hexadecimal digits")]
pub struct NotAnId;

fn parse(text: &str) -> Option<u128> {
    let of_form = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if of_form { u128::from_str_radix(text, 16).ok() } else { None }
}

impl BlobId {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }
}

impl UploadId {
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        let milliseconds = u128::try_from(now.timestamp_millis()).unwrap_or(0);
        let random: u128 = rand::random();
        Self(milliseconds << 80 | random >> 48)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{BlobId, UploadId};

    #[test]
    fn an_id_reads_as_it_was_written() {
        let id = BlobId(0xabc);
        assert_eq!(id.to_string(), "00000000000000000000000000000abc");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "abc", "0000000000000000000000000000ABCD", "+0000000000000000000000000000abc"] {
            assert!(wrong.parse::<BlobId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn uploads_begun_later_have_greater_ids() {
        let (first, second) = (DateTime::UNIX_EPOCH, DateTime::from_timestamp_millis(1).unwrap());
        assert!(UploadId::new(first) < UploadId::new(second));
    }
}
