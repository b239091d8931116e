//! Keeping buckets from the public: the four switches of a bucket and of its account, and what is public
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>).

use std::net::IpAddr;

use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Bucket, PublicAccessBlock, Vault, VaultError};

/// The switches of an account, which count for all its buckets; the document's id is the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct AccountBlock(PublicAccessBlock);

impl Resource for AccountBlock {
    const KIND: &'static str = "vault.account-public-access-block";
}

impl PublicAccessBlock {
    /// None of the four on.
    pub const NONE: Self = Self {
        block_public_acls: false,
        ignore_public_acls: false,
        block_public_policy: false,
        restrict_public_buckets: false,
    };

    /// What is on in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }
}

impl Vault {
    /// Stages an account's public access block; `None` to delete it.
    pub fn put_account_public_access_block(
        &self,
        tx: &mut Transaction,
        account: &AccountId,
        block: Option<PublicAccessBlock>,
    ) {
        match block {
            Some(block) => tx.put(account.as_str(), &AccountBlock(block)),
            None => drop(tx.delete::<AccountBlock>(account.as_str())),
        }
    }

    /// An account's public access block; `None` where it has none.
    ///
    /// # Errors
    /// [`VaultError::State`] where it cannot be read, so that the caller denies.
    pub fn account_public_access_block(
        &self,
        account: &AccountId,
    ) -> Result<Option<PublicAccessBlock>, VaultError> {
        Ok(self.inner.state.try_get::<AccountBlock>(account.as_str())?.map(|block| block.0))
    }

    /// What counts for a bucket: what is on for it or for its owner's account.
    ///
    /// # Errors
    /// As [`Vault::account_public_access_block`].
    pub fn effective_public_access_block(&self, bucket: &Bucket) -> Result<PublicAccessBlock, VaultError> {
        let of_account = self.account_public_access_block(&bucket.owner)?.unwrap_or(PublicAccessBlock::NONE);
        Ok(bucket.public_access_block.unwrap_or(PublicAccessBlock::NONE).union(of_account))
    }
}

/// Keys whose fixed values keep a statement for everybody from being public.
const NARROWING_KEYS: [&str; 16] = [
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:sourceip",
    "aws:vpcsourceip",
    "aws:sourceorgid",
    "aws:userid",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:principalarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];

/// Operators that ask for one of the values; the negated ones, `…IfExists`, `Null` and `ForAllValues:` hold for
/// calls that do not have the key at all.
const ASKING_OPERATORS: [&str; 6] =
    ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"];

/// The widest ranges of addresses that are not public: shorter prefixes are.
const MIN_PREFIX_V4: u8 = 8;
const MIN_PREFIX_V6: u8 = 32;

/// Whether a document allows something to everybody without a condition that fixes who they are.
pub fn is_public(policy: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(policy) else { return false };
    statements(&document).iter().any(|statement| {
        let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        allows && is_for_everybody(statement) && !is_narrowed(statement)
    })
}

pub(crate) fn statements(document: &Value) -> &[Value] {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    }
}

pub(crate) fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

fn is_for_everybody(statement: &Value) -> bool {
    if statement.get("NotPrincipal").is_some() {
        return true;
    }
    match statement.get("Principal") {
        Some(Value::Object(kinds)) => {
            kinds.get("AWS").is_some_and(|principals| strings(principals).contains(&"*"))
        }
        Some(principal) => principal.as_str() == Some("*"),
        None => false,
    }
}

fn is_narrowed(statement: &Value) -> bool {
    let Some(Value::Object(operators)) = statement.get("Condition") else { return false };
    operators.iter().any(|(operator, keys)| {
        let operator = operator.to_ascii_lowercase();
        let plain = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
        ASKING_OPERATORS.contains(&plain)
            && keys.as_object().is_some_and(|keys| keys.iter().any(|(key, values)| is_fixed(key, values)))
    })
}

fn is_fixed(key: &str, values: &Value) -> bool {
    let key = key.to_ascii_lowercase();
    let values = strings(values);
    NARROWING_KEYS.contains(&key.as_str())
        && !values.is_empty()
        && values.iter().all(|value| is_fixed_value(&key, value))
}

/// A value with a wildcard or a policy variable fixes nobody, nor does a range of addresses that spans much of
/// the internet.
fn is_fixed_value(key: &str, value: &str) -> bool {
    if value.contains("${") {
        return false;
    }
    match key {
        "aws:sourceip" | "aws:vpcsourceip" => is_narrow_range(value),
        // The name of the access point may be anything, the account may not.
        "s3:dataaccesspointarn" => {
            let account = value.split(':').nth(4).unwrap_or_default();
            !account.is_empty() && !account.contains(['*', '?'])
        }
        _ => !value.contains(['*', '?']),
    }
}

fn is_narrow_range(value: &str) -> bool {
    let (address, prefix) = match value.split_once('/') {
        Some((address, prefix)) => (address, prefix.parse::<u8>().ok()),
        None => (value, Some(u8::MAX)),
    };
    match (address.parse::<IpAddr>(), prefix) {
        (Ok(IpAddr::V4(_)), Some(prefix)) => prefix >= MIN_PREFIX_V4,
        (Ok(IpAddr::V6(_)), Some(prefix)) => prefix >= MIN_PREFIX_V6,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_public;

    fn policy(principal: &str, condition: &str) -> String {
        let condition =
            if condition.is_empty() { String::new() } else { format!(r#","Condition":{{{condition}}}"#) };
        format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}}}"#
        )
    }

    #[test]
    fn everybody_without_a_fixed_condition_is_public() {
        for condition in [
            "",
            r#""StringLike":{"aws:Referer":"x"}"#,
            r#""IpAddress":{"aws:SourceIp":"0.0.0.0/0"}"#,
            r#""IpAddress":{"aws:SourceIp":["10.0.0.0/8","128.0.0.0/1"]}"#,
            r#""IpAddress":{"aws:SourceIp":"2000::/3"}"#,
            r#""NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#,
            r#""StringLike":{"aws:SourceVpc":"vpc-*"}"#,
            r#""StringEquals":{"aws:SourceAccount":"${aws:PrincipalAccount}"}"#,
            r#""StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}"#,
            r#""ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-1"}"#,
            r#""StringNotEquals":{"aws:SourceVpc":"vpc-1"}"#,
            r#""Null":{"aws:SourceVpc":"false"}"#,
            r#""StringLike":{"aws:userid":"AROAEXAMPLE:*"}"#,
            r#""ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}"#,
        ] {
            assert!(is_public(&policy(r#""*""#, condition)), "{condition}");
            assert!(is_public(&policy(r#"{"AWS":["*"]}"#, condition)), "{condition}");
        }
    }

    #[test]
    fn a_fixed_value_or_a_named_principal_is_not_public() {
        for condition in [
            r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#,
            r#""IpAddress":{"aws:SourceIp":["192.0.2.1","2001:db8::/32"]}"#,
            r#""StringEquals":{"aws:SourceVpc":"vpc-91237329"}"#,
            r#""StringLike":{"aws:SourceVpc":"vpc-91237329"}"#,
            r#""StringEquals":{"aws:PrincipalOrgID":"o-1"},"StringLike":{"aws:Referer":"*"}"#,
            r#""ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"o-1/r-1/"}"#,
            r#""ArnEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-east-1:1:trail/t"}"#,
            r#""ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-east-1:123456789012:accesspoint/*"}"#,
            r#""StringEquals":{"s3:DataAccessPointAccount":"123456789012"}"#,
        ] {
            assert!(!is_public(&policy(r#""*""#, condition)), "{condition}");
        }
        assert!(!is_public(&policy(r#"{"Service":"cloudtrail.amazonaws.com"}"#, "")));
        assert!(!is_public(&policy(r#"{"AWS":"arn:aws:iam::123456789012:root"}"#, "")));
    }

    #[test]
    fn what_denies_makes_nothing_public() {
        let denies = policy(r#""*""#, "").replace("Allow", "Deny");
        assert!(!is_public(&denies));
        assert!(is_public(&policy("0", "").replace(r#""Principal":0"#, r#""NotPrincipal":{"AWS":"1"}"#)));
    }
}
