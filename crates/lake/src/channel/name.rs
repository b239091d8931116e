//! What a channel is called: its id and its ARN.

use std::{fmt, str::FromStr};

use opentrail_event::{AccountId, Region};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::refusal::ChannelRefusal;
use crate::store::parts;

/// The id of a channel: the UUID at the end of its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelId(Uuid);

/// A text that is not the id of a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a channel")]
pub struct InvalidChannelId(String);

impl ChannelId {
    pub(super) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for ChannelId {
    type Err = InvalidChannelId;

    /// Reads a UUID with its hyphens.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidChannelId(text.chars().take(64).collect());
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(invalid());
        }
        Uuid::try_parse(text).map(Self).map_err(|_| invalid())
    }
}

impl TryFrom<String> for ChannelId {
    type Error = InvalidChannelId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ChannelId> for String {
    fn from(id: ChannelId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

/// The ARN of a channel in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelArn {
    /// The region in which it was made.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// Its id.
    pub id: ChannelId,
}

impl ChannelArn {
    /// Reads `arn:aws:cloudtrail:REGION:ACCOUNT:channel/ID`, with the id in lower case: a channel has one ARN.
    ///
    /// # Errors
    /// [`ChannelRefusal::ArnInvalid`] for another form.
    pub fn parse(text: &str) -> Result<Self, ChannelRefusal> {
        let invalid = || ChannelRefusal::arn_invalid(text);
        let (region, account, id) = parts(text, "channel/").ok_or_else(invalid)?;
        let arn = Self { region, account, id: id.parse().map_err(|_| invalid())? };
        if arn.to_string() == text { Ok(arn) } else { Err(invalid()) }
    }

    /// What a caller of this account and region means: an ARN, or an id of its own.
    ///
    /// # Errors
    /// [`ChannelRefusal::ArnInvalid`] for what is neither.
    pub fn meant(text: &str, account: AccountId, region: &Region) -> Result<Self, ChannelRefusal> {
        if text.starts_with("arn:") {
            return Self::parse(text);
        }
        let id = text.parse().map_err(|_| ChannelRefusal::arn_invalid(text))?;
        Ok(Self { region: region.clone(), account, id })
    }

    /// The id of its document: `ACCOUNT/REGION/ID`.
    pub(super) fn document(&self) -> String {
        format!("{}/{}/{}", self.account, self.region, self.id)
    }
}

impl fmt::Display for ChannelArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:cloudtrail:{}:{}:channel/{}", self.region, self.account, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_one_spelling() {
        let text = "arn:aws:cloudtrail:eu-west-1:123456789012:channel/ee54f254-e4d3-4d4e-a5f8-0f0e5a0b0f5d";
        assert_eq!(ChannelArn::parse(text).expect("an ARN").to_string(), text);
        for bad in
            [text.replace("ee54", "EE54"), text.replace("aws", "aws-cn"), text.replace("aws", "awsome")]
        {
            assert!(matches!(ChannelArn::parse(&bad), Err(ChannelRefusal::ArnInvalid { .. })), "{bad}");
        }
    }
}
