//! Where the results of a query are delivered to: the `DeliveryS3Uri` of StartQuery.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use serde::{Deserialize, Serialize};

use super::QueryId;

/// Longest URI (AWS: DeliveryS3Uri).
const MAX_URI: usize = 1024;
/// Shortest and longest name of a bucket (AWS: DeliveryS3Uri's pattern).
const BUCKET: std::ops::RangeInclusive<usize> = 3..=63;
/// Longest prefix: with what follows it a key stays within S3's 1,024 bytes. As for trails (AWS: CreateTrail).
const MAX_PREFIX: usize = 200;

/// A bucket, and what stands before `AWSLogs/` in the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Destination {
    uri: String,
    bucket_len: usize,
}

/// Why a text is no destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It is not `s3://BUCKET/PREFIX`.
    #[error("DeliveryS3Uri must be s3://BUCKET or s3://BUCKET/PREFIX, of at most {MAX_URI} characters")]
    Form,
    /// The bucket's name is none.
    #[error("the bucket of DeliveryS3Uri must have 3 to 63 lower-case letters, digits, dots and hyphens")]
    Bucket,
    /// The prefix is too long, or holds a control character.
    #[error(
        "the prefix of DeliveryS3Uri must have at most {MAX_PREFIX} characters and no control characters"
    )]
    Prefix,
}

const SCHEME: &str = "s3://";

impl Destination {
    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.uri[SCHEME.len()..SCHEME.len() + self.bucket_len]
    }

    /// What stands before `AWSLogs/`, without a slash at its end; empty if nothing does.
    pub fn prefix(&self) -> &str {
        self.uri[SCHEME.len() + self.bucket_len..].trim_start_matches('/').trim_end_matches('/')
    }

    /// The URI as it was given.
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// The key, up to a slash, under which all files of a query are: AWS documents it under "Find your CloudTrail Lake
    /// saved query results".
    pub fn folder(&self, account: AccountId, query: QueryId, day: DateTime<Utc>) -> String {
        let prefix = self.prefix();
        let slash = if prefix.is_empty() { "" } else { "/" };
        let day = day.format("%Y/%m/%d");
        format!("{prefix}{slash}AWSLogs/{account}/CloudTrail-Lake/Query/{day}/{query}/")
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let rest = text.strip_prefix(SCHEME).filter(|_| text.chars().count() <= MAX_URI);
        let rest = rest.ok_or(DestinationError::Form)?;
        let bucket = rest.split('/').next().unwrap_or_default();
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = BUCKET.contains(&bucket.len())
            && bucket.bytes().all(|byte| inner(byte) || byte == b'.' || byte == b'-')
            && bucket.bytes().next().is_some_and(inner)
            && bucket.bytes().next_back().is_some_and(inner);
        if !is_name {
            return Err(DestinationError::Bucket);
        }
        let found = Self { uri: text.to_owned(), bucket_len: bucket.len() };
        if found.prefix().chars().count() > MAX_PREFIX || found.prefix().chars().any(char::is_control) {
            return Err(DestinationError::Prefix);
        }
        Ok(found)
    }
}

impl TryFrom<String> for Destination {
    type Error = DestinationError;

    fn try_from(text: String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.uri
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, DestinationError};

    #[test]
    fn files_are_where_aws_documents_them() {
        let account = "123456789012".parse().unwrap();
        let query = "0f4a0b8f-0f56-4c54-8d3a-2d9a8d0a6d11".parse().unwrap();
        let day = "2026-01-02T23:59:59Z".parse().unwrap();
        let folder = |uri: &str| uri.parse::<Destination>().unwrap().folder(account, query, day);
        let tail =
            "AWSLogs/123456789012/CloudTrail-Lake/Query/2026/01/02/0f4a0b8f-0f56-4c54-8d3a-2d9a8d0a6d11/";
        assert_eq!(folder("s3://results"), tail);
        assert_eq!(folder("s3://results/"), tail);
        assert_eq!(folder("s3://results/years/one/"), format!("years/one/{tail}"));
    }

    #[test]
    fn what_is_no_uri_of_a_bucket_is_told_apart() {
        let error = |uri: &str| uri.parse::<Destination>().unwrap_err();
        assert_eq!(error("https://results"), DestinationError::Form);
        assert_eq!(error("s3://Results"), DestinationError::Bucket);
        assert_eq!(error("s3://-results"), DestinationError::Bucket);
        assert_eq!(error("s3://ab"), DestinationError::Bucket);
        assert_eq!(error(&format!("s3://results/{}", "p".repeat(201))), DestinationError::Prefix);
        assert_eq!(error("s3://results/\n"), DestinationError::Prefix);
        assert_eq!(error(&format!("s3://results/{}", "p".repeat(1024))), DestinationError::Form);
    }
}
