//! Policies of buckets: which documents a bucket takes, and whether one makes it public.

use std::{collections::HashMap, sync::Arc};

use opentrail_policy::{Policy, PolicyKind};
use opentrail_state::Transaction;
use parking_lot::Mutex;
use serde_json::Value;

use crate::{Vault, VaultError, error::MalformedPolicy, limits};

/// Parsed policies of the buckets asked for lately.
#[derive(Default)]
pub(crate) struct PolicyCache {
    parsed: Mutex<HashMap<String, Arc<Policy>>>,
}

/// With policies of 20 KB that is 20 MB at most.
const CACHED_POLICIES: usize = 1024;

impl PolicyCache {
    fn parsed(&self, bucket: &str, text: &str) -> Result<Arc<Policy>, VaultError> {
        if let Some(policy) = self.parsed.lock().get(bucket)
            && policy.source() == text
        {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(Policy::parse(text, PolicyKind::Resource).map_err(MalformedPolicy::from)?);
        let mut parsed = self.parsed.lock();
        if parsed.len() >= CACHED_POLICIES {
            parsed.clear();
        }
        parsed.insert(bucket.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }
}

impl Vault {
    /// Stages a bucket's policy.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::MalformedPolicy`].
    pub fn put_bucket_policy(&self, tx: &mut Transaction, name: &str, text: &str) -> Result<(), VaultError> {
        check_policy(name, text)?;
        self.change(tx, name, |bucket| bucket.policy = Some(text.to_owned()))
    }

    /// Stages that the bucket has no policy; no error where it has none.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn delete_bucket_policy(&self, tx: &mut Transaction, name: &str) -> Result<(), VaultError> {
        self.change(tx, name, |bucket| bucket.policy = None)
    }

    /// The bucket's policy as it was written.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchBucketPolicy`].
    pub fn bucket_policy_text(&self, name: &str) -> Result<String, VaultError> {
        let policy = self.bucket(name)?.policy.clone();
        policy.ok_or_else(|| VaultError::NoSuchBucketPolicy { bucket: name.to_owned() })
    }

    /// The bucket's policy, ready for a decision; `None` where it has none.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`]; [`VaultError::MalformedPolicy`] where a policy that was accepted cannot be
    /// read any more, so that the caller denies.
    pub fn bucket_policy(&self, name: &str) -> Result<Option<Arc<Policy>>, VaultError> {
        match &self.bucket(name)?.policy {
            Some(text) => self.inner.policies.parsed(name, text).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the bucket's policy makes it public (`GetBucketPolicyStatus`).
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoSuchBucketPolicy`].
    pub fn is_policy_public(&self, name: &str) -> Result<bool, VaultError> {
        Ok(is_public(&self.bucket_policy_text(name)?))
    }
}

/// Checks that a document is one that this bucket can have: a resource policy of at most
/// [`limits::MAX_BUCKET_POLICY_BYTES`] whose resources lie in the bucket and whose actions are S3's.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_policy(bucket: &str, text: &str) -> Result<Policy, MalformedPolicy> {
    if text.len() > limits::MAX_BUCKET_POLICY_BYTES {
        return Err(MalformedPolicy::TooLarge { bytes: text.len() });
    }
    let policy = Policy::parse(text, PolicyKind::Resource)?;
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Ok(policy) };
    for statement in statements(&document) {
        for action in texts(statement, &["Action", "NotAction"]) {
            let of_s3 = action.get(..3).is_some_and(|service| service.eq_ignore_ascii_case("s3:"));
            if action != "*" && !of_s3 {
                return Err(MalformedPolicy::ActionOfAnotherService { action: action.to_owned() });
            }
        }
        for resource in texts(statement, &["Resource", "NotResource"]) {
            if !lies_in(bucket, resource) {
                return Err(MalformedPolicy::ResourceOutsideBucket { resource: resource.to_owned() });
            }
        }
    }
    Ok(policy)
}

/// `arn:PARTITION:s3:::BUCKET`, or that followed by a key or a wildcard.
fn lies_in(bucket: &str, resource: &str) -> bool {
    let mut parts = resource.splitn(6, ':');
    let head: [Option<&str>; 5] = std::array::from_fn(|_| parts.next());
    let [Some("arn"), Some(partition), Some("s3"), Some(""), Some("")] = head else { return false };
    let Some(rest) = parts.next().and_then(|name| name.strip_prefix(bucket)) else { return false };
    partition.starts_with("aws") && (rest.is_empty() || rest.starts_with(['/', '*', '?']))
}

fn statements(document: &Value) -> &[Value] {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    }
}

fn texts<'a>(statement: &'a Value, members: &[&str]) -> Vec<&'a str> {
    let values = members.iter().filter_map(|member| statement.get(member));
    values.flat_map(strings).collect()
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// Keys whose fixed values keep a statement for everybody from being public (S3 user guide, "The meaning of
/// 'public'").
const NARROWING_KEYS: [&str; 15] = [
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:sourceip",
    "aws:userid",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:vpcsourceip",
    "aws:sourceorgid",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
];

/// Whether a document allows something to everybody without a condition that fixes who they are.
pub fn is_public(policy: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(policy) else { return false };
    statements(&document).iter().any(|statement| {
        let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        allows && is_for_everybody(statement) && !is_narrowed(statement)
    })
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
        let fixes = !operator.contains("not") && !operator.ends_with("ifexists") && operator != "null";
        fixes && keys.as_object().is_some_and(|keys| keys.iter().any(|(key, values)| is_fixed(key, values)))
    })
}

/// A value with a wildcard or a policy variable fixes nobody, and an address range that spans the internet
/// does not either.
fn is_fixed(key: &str, values: &Value) -> bool {
    let key = key.to_ascii_lowercase();
    if !NARROWING_KEYS.contains(&key.as_str()) {
        return false;
    }
    let values = strings(values);
    !values.is_empty()
        && values.iter().all(|value| {
            let wide = value.contains("${") || *value == "0.0.0.0/0" || *value == "::/0";
            // An ARN with a wildcard in its last part still names an account or a service's resource.
            let wild = if key.ends_with("arn") { *value == "*" } else { value.contains(['*', '?']) };
            !wide && !wild
        })
}

#[cfg(test)]
mod tests {
    use super::{is_public, lies_in};

    #[test]
    fn a_resource_lies_in_the_bucket_or_not() {
        for inside in [
            "arn:aws:s3:::logs",
            "arn:aws:s3:::logs/*",
            "arn:aws:s3:::logs/AWSLogs/1/*",
            "arn:aws-cn:s3:::logs/a",
        ] {
            assert!(lies_in("logs", inside), "{inside}");
        }
        for outside in [
            "*",
            "arn:aws:s3:::*",
            "arn:aws:s3:::logs2/*",
            "arn:aws:s3:::log",
            "arn:aws:s3:us-east-1::logs",
            "logs/*",
        ] {
            assert!(!lies_in("logs", outside), "{outside}");
        }
    }

    #[test]
    fn everybody_without_a_fixed_condition_is_public() {
        let policy = |principal: &str, condition: &str| {
            format!(
                r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"{condition}}}}}"#
            )
        };
        assert!(is_public(&policy(r#""*""#, "")));
        assert!(is_public(&policy(r#"{"AWS":["*"]}"#, "")));
        assert!(is_public(&policy(r#""*""#, r#","Condition":{"StringLike":{"aws:Referer":"x"}}"#)));
        assert!(is_public(&policy(r#""*""#, r#","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#)));
        assert!(!is_public(&policy(r#""*""#, r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#)));
        assert!(!is_public(&policy(r#"{"Service":"cloudtrail.amazonaws.com"}"#, "")));
        assert!(!is_public(&policy(r#"{"AWS":"arn:aws:iam::123456789012:root"}"#, "")));
    }
}
