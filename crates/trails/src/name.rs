//! Names: of trails, by name or ARN; of buckets; prefixes of keys.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use opentrail_event::{AccountId, Region};
use serde::{Deserialize, Serialize};

use crate::error::{InvalidTrailName, TrailError};

/// Longest name of a trail (AWS: CreateTrail).
pub const MAX_TRAIL_NAME: usize = 128;
/// Shortest name of a trail (AWS: CreateTrail).
pub const MIN_TRAIL_NAME: usize = 3;
/// Longest prefix of keys (AWS: CreateTrail, S3KeyPrefix).
pub const MAX_KEY_PREFIX: usize = 200;

/// The name of a trail that keeps AWS's rules: 3 to 128 letters, digits, `.`, `-`, `_`; a letter or digit at
/// both ends; no two of the three marks beside each other; no IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrailName(String);

impl TrailName {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrailName {
    type Err = InvalidTrailName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_mark = |b: u8| matches!(b, b'.' | b'-' | b'_');
        let bytes = text.as_bytes();
        let characters = text.chars().count();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return Err(InvalidTrailName::Blank);
        };
        if characters < MIN_TRAIL_NAME {
            Err(InvalidTrailName::TooShort(characters))
        } else if characters > MAX_TRAIL_NAME {
            Err(InvalidTrailName::TooLong(characters))
        } else if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || is_mark(*b)) {
            Err(InvalidTrailName::Characters)
        } else if is_mark(*first) {
            Err(InvalidTrailName::Start)
        } else if is_mark(*last) {
            Err(InvalidTrailName::End)
        } else if bytes.windows(2).any(|pair| is_mark(pair[0]) && is_mark(pair[1])) {
            Err(InvalidTrailName::Adjacent)
        } else if text.parse::<Ipv4Addr>().is_ok() {
            Err(InvalidTrailName::IpAddress)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for TrailName {
    type Error = InvalidTrailName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TrailName> for String {
    fn from(name: TrailName) -> Self {
        name.0
    }
}

impl fmt::Display for TrailName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of a trail in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailArn {
    /// The trail's home region.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// Its name.
    pub name: TrailName,
}

impl TrailArn {
    /// Reads `arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME`. Another partition would be another name for the same trail,
    /// which policies that name it by its ARN do not know.
    ///
    /// # Errors
    /// `CloudTrailARNInvalidException` for another form, `InvalidTrailNameException` for a bad name in it.
    pub fn parse(text: &str) -> Result<Self, TrailError> {
        let invalid = || TrailError::CloudTrailArnInvalid { arn: text.chars().take(256).collect() };
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (arn, partition, service, region, account, resource) =
            (next(), next(), next(), next(), next(), next());
        if arn != "arn" || partition != "aws" || service != "cloudtrail" {
            return Err(invalid());
        }
        let name = resource.strip_prefix("trail/").ok_or_else(invalid)?;
        Ok(Self {
            region: region.parse().map_err(|_| invalid())?,
            account: account.parse().map_err(|_| invalid())?,
            name: name.parse().map_err(TrailError::InvalidTrailName)?,
        })
    }
}

impl fmt::Display for TrailArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:cloudtrail:{}:{}:trail/{}", self.region, self.account, self.name)
    }
}

/// How a caller names a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrailRef {
    /// By its name, in the region of the call.
    Name(TrailName),
    /// By its ARN, from any region in which it is visible.
    Arn(TrailArn),
}

impl FromStr for TrailRef {
    type Err = TrailError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("arn:") {
            TrailArn::parse(text).map(Self::Arn)
        } else {
            text.parse().map(Self::Name).map_err(TrailError::InvalidTrailName)
        }
    }
}

/// Checks a bucket's name against S3's rules for names.
///
/// # Errors
/// `InvalidS3BucketNameException` with the rule that is broken.
pub fn check_bucket_name(name: &str) -> Result<(), TrailError> {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let broken = if name.is_empty() {
        "Bucket name cannot be blank!"
    } else if bytes.iter().any(u8::is_ascii_uppercase) {
        "Bucket name should not contain uppercase characters"
    } else if name.contains('_') {
        "Bucket name should not contain '_'"
    } else if !(3..=63).contains(&bytes.len()) {
        "Bucket name should be between 3 and 63 characters long"
    } else if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')) {
        "Bucket name should only contain lowercase letters, numbers, periods and dashes"
    } else if !edge(bytes.first()) || !edge(bytes.last()) {
        "Bucket name should begin and end with a lowercase letter or a number"
    } else if name.contains("..") || name.contains(".-") || name.contains("-.") {
        "Bucket name should not contain adjacent periods, or dashes next to periods"
    } else if name.parse::<Ipv4Addr>().is_ok() {
        "Bucket name must not be formatted as an IP Address"
    } else {
        return Ok(());
    };
    Err(TrailError::InvalidS3BucketName(broken))
}

/// Checks the prefix of a trail's keys.
///
/// # Errors
/// `InvalidS3PrefixException`.
pub fn check_key_prefix(prefix: &str) -> Result<(), TrailError> {
    if prefix.chars().count() > MAX_KEY_PREFIX {
        Err(TrailError::InvalidS3Prefix("The prefix should not be longer than 200 characters."))
    } else if prefix.chars().any(char::is_control) {
        Err(TrailError::InvalidS3Prefix("The prefix should not contain control characters."))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_rules_of_aws() {
        for good in ["abc", "My-Trail_1.x", "0-0", &"a".repeat(128), "1.2.3", "300.1.1.1"] {
            assert!(good.parse::<TrailName>().is_ok(), "{good}");
        }
        let cases = [
            ("", InvalidTrailName::Blank),
            ("ab", InvalidTrailName::TooShort(2)),
            (&"a".repeat(129), InvalidTrailName::TooLong(129)),
            ("a b", InvalidTrailName::Characters),
            ("ünder", InvalidTrailName::Characters),
            ("-abc", InvalidTrailName::Start),
            ("abc.", InvalidTrailName::End),
            ("my-_namespace", InvalidTrailName::Adjacent),
            ("my--namespace", InvalidTrailName::Adjacent),
            ("192.168.5.4", InvalidTrailName::IpAddress),
        ];
        for (bad, why) in cases {
            assert_eq!(bad.parse::<TrailName>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn an_arn_prints_as_it_was_read() {
        let text = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/audit";
        assert_eq!(TrailArn::parse(text).unwrap().to_string(), text);
        for bad in [
            "arn:aws:s3:::bucket",
            "arn:aws:cloudtrail:eu-west-1:12345:trail/audit",
            "arn:aws:cloudtrail:eu-west-1:123456789012:audit",
            "arn:aws:cloudtrail",
        ] {
            assert!(matches!(TrailArn::parse(bad), Err(TrailError::CloudTrailArnInvalid { .. })), "{bad}");
        }
        let bad_name = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/-";
        assert!(matches!(TrailArn::parse(bad_name), Err(TrailError::InvalidTrailName(_))));
    }

    #[test]
    fn bucket_names_keep_the_rules_of_s3() {
        assert!(check_bucket_name("audit-logs.example").is_ok());
        for bad in ["", "ab", "Upper", "under_score", "-ab", "a..b", "10.0.0.1", &"a".repeat(64)] {
            assert!(check_bucket_name(bad).is_err(), "{bad}");
        }
    }
}
