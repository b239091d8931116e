//! What an event data store is called: its id, its ARN, and what callers name it by.

use std::{fmt, str::FromStr};

use opentrail_event::{AccountId, Region};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::refusal::StoreRefusal;

/// The id of an event data store: the UUID at the end of its ARN, and the name of its table in queries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId(Uuid);

/// A text that is not the id of an event data store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of an event data store")]
pub struct InvalidStoreId(String);

impl StoreId {
    /// An id that no other store has.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for StoreId {
    type Err = InvalidStoreId;

    /// Reads a UUID with its hyphens, in letters of either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidStoreId(text.chars().take(64).collect());
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(invalid());
        }
        Uuid::try_parse(text).map(Self).map_err(|_| invalid())
    }
}

impl TryFrom<String> for StoreId {
    type Error = InvalidStoreId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The ARN of an event data store in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreArn {
    /// The region in which it was made.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// Its id.
    pub id: StoreId,
}

impl StoreArn {
    /// Reads `arn:aws:cloudtrail:REGION:ACCOUNT:eventdatastore/ID`, with the id in lower case. A store has this one
    /// ARN: policies that name it would not be about another spelling.
    ///
    /// # Errors
    /// [`StoreRefusal::ArnInvalid`] for another form.
    pub fn parse(text: &str) -> Result<Self, StoreRefusal> {
        let invalid = || StoreRefusal::arn_invalid(text);
        let (region, account, id) = parts(text, "eventdatastore/").ok_or_else(invalid)?;
        let arn = Self { region, account, id: id.parse().map_err(|_| invalid())? };
        if arn.to_string() == text { Ok(arn) } else { Err(invalid()) }
    }

    /// The id of its document: `ACCOUNT/REGION/ID`.
    pub(crate) fn document(&self) -> String {
        format!("{}/{}/{}", self.account, self.region, self.id)
    }
}

impl fmt::Display for StoreArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:cloudtrail:{}:{}:eventdatastore/{}", self.region, self.account, self.id)
    }
}

/// Region, account and what follows `kind` in an ARN of CloudTrail.
pub(crate) fn parts<'a>(text: &'a str, kind: &str) -> Option<(Region, AccountId, &'a str)> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) =
        (next(), next(), next(), next(), next(), next());
    if arn != "arn" || partition != "aws" || service != "cloudtrail" {
        return None;
    }
    Some((region.parse().ok()?, account.parse().ok()?, resource.strip_prefix(kind)?))
}

/// How a caller names an event data store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreRef {
    /// By its id, in letters of either case, in the region of the call.
    Id(StoreId),
    /// By its ARN.
    Arn(StoreArn),
}

impl StoreRef {
    /// The id, which either form has.
    pub fn id(&self) -> StoreId {
        match self {
            Self::Id(id) => *id,
            Self::Arn(arn) => arn.id,
        }
    }
}

impl FromStr for StoreRef {
    type Err = StoreRefusal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("arn:") {
            StoreArn::parse(text).map(Self::Arn)
        } else {
            text.parse().map(Self::Id).map_err(|_| StoreRefusal::arn_invalid(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_prints_as_it_was_read() {
        let text =
            "arn:aws:cloudtrail:eu-west-1:123456789012:eventdatastore/ee54f254-e4d3-4d4e-a5f8-0f0e5a0b0f5d";
        assert_eq!(StoreArn::parse(text).expect("an ARN").to_string(), text);
        assert!(matches!(text.parse(), Ok(StoreRef::Arn(_))));
        assert!(matches!("EE54F254-e4d3-4d4e-a5f8-0f0e5a0b0f5d".parse(), Ok(StoreRef::Id(_))));
        for bad in [
            "",
            "my-store",
            "ee54f254e4d34d4ea5f80f0e5a0b0f5d",
            "arn:aws:cloudtrail:eu-west-1:123456789012:eventdatastore/my-store",
            "arn:aws:cloudtrail:eu-west-1:123456789012:channel/ee54f254-e4d3-4d4e-a5f8-0f0e5a0b0f5d",
            "arn:aws:s3:eu-west-1:123456789012:eventdatastore/ee54f254-e4d3-4d4e-a5f8-0f0e5a0b0f5d",
            "arn:aws:cloudtrail",
            "arn:aws-cn:cloudtrail:eu-west-1:123456789012:eventdatastore/ee54f254-e4d3-4d4e-a5f8-0f0e5a0b0f5d",
            "arn:awsome:cloudtrail:eu-west-1:123456789012:eventdatastore/ee54f254-e4d3-4d4e-a5f8-0f0e5a0b0f5d",
            "arn:aws:cloudtrail:eu-west-1:123456789012:eventdatastore/EE54F254-e4d3-4d4e-a5f8-0f0e5a0b0f5d",
        ] {
            assert!(matches!(bad.parse::<StoreRef>(), Err(StoreRefusal::ArnInvalid { .. })), "{bad}");
        }
    }
}
