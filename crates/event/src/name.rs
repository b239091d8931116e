//! The names every other crate speaks: an account, a region.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// A name that does not have the form its kind asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {expected}")]
pub struct InvalidNameError {
    value: String,
    expected: &'static str,
}

impl InvalidNameError {
    pub(crate) fn new(value: &str, expected: &'static str) -> Self {
        Self { value: value.chars().take(128).collect(), expected }
    }
}

/// An AWS account: exactly twelve decimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("000000000000")
    }
}

impl FromStr for AccountId {
    type Err = InvalidNameError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let digits: [u8; 12] = value
            .as_bytes()
            .try_into()
            .map_err(|_| InvalidNameError::new(value, "an account id of 12 digits"))?;
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(digits))
        } else {
            Err(InvalidNameError::new(value, "an account id of 12 digits"))
        }
    }
}

impl TryFrom<String> for AccountId {
    type Error = InvalidNameError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        value.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A region such as `us-east-1`.
///
/// Only the form is checked (lower-case letters, digits and hyphens, at most 32 characters): records
/// from partitions we have never heard of still have a region, and it decides their place in a bucket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

impl Region {
    /// The region in which global services (IAM, STS, Organizations) record their events.
    pub fn us_east_1() -> Self {
        Self(Arc::from("us-east-1"))
    }

    /// The region's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = InvalidNameError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        if is_region(value) {
            Ok(Self(Arc::from(value)))
        } else {
            Err(InvalidNameError::new(value, "a region name such as us-east-1"))
        }
    }
}

/// Whether a text has a region's form.
pub(crate) fn is_region(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_lowercase())
        && value.len() <= 32
        && !value.ends_with('-')
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl TryFrom<String> for Region {
    type Error = InvalidNameError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        value.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0.as_ref().to_owned()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AccountId, Region};

    #[test]
    fn an_account_id_has_twelve_digits() {
        assert!("123456789012".parse::<AccountId>().is_ok());
        for wrong in ["", "12345678901", "1234567890123", "12345678901a", "１23456789012"] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_region_of_an_unknown_partition_is_a_region() {
        assert!("ap-isob-central-3r".parse::<Region>().is_ok());
        for wrong in ["", "US-EAST-1", "us_east_1", "../etc", "us-east-1/", "-", "us-"] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn names_print_as_they_were_read(account in "[0-9]{12}", region in "[a-z]{2}-[a-z]{4}-[1-9]") {
            prop_assert_eq!(account.parse::<AccountId>().unwrap().to_string(), account);
            prop_assert_eq!(region.parse::<Region>().unwrap().to_string(), region);
        }
    }
}
