//! Policies of buckets: which documents a bucket takes, and whether one makes it public.

use std::{collections::HashMap, sync::Arc};

use opentrail_policy::{Bindings, Policy, PolicyKind};
use opentrail_state::Transaction;
use parking_lot::Mutex;
use serde_json::Value;

use crate::{
    Vault, VaultError,
    error::MalformedPolicy,
    limits,
    public_access::{is_public, statements, strings},
};

/// Parsed policies of the buckets asked for lately.
#[derive(Default)]
pub(crate) struct PolicyCache {
    parsed: Mutex<HashMap<String, (Arc<Policy>, Bindings)>>,
}

/// With policies of 20 KB that is 20 MB at most.
const CACHED_POLICIES: usize = 1024;

impl PolicyCache {
    fn parsed(&self, bucket: &str, text: &str, principals: &Bindings) -> Result<Arc<Policy>, VaultError> {
        if let Some((policy, bound_to)) = self.parsed.lock().get(bucket)
            && policy.source() == text
            && bound_to == principals
        {
            return Ok(Arc::clone(policy));
        }
        let policy = Policy::parse(text, PolicyKind::Resource).map_err(MalformedPolicy::from)?;
        let policy = Arc::new(policy.bound(principals));
        let mut parsed = self.parsed.lock();
        if parsed.len() >= CACHED_POLICIES {
            parsed.clear();
        }
        parsed.insert(bucket.to_owned(), (Arc::clone(&policy), principals.clone()));
        Ok(policy)
    }
}

impl Vault {
    /// Stages a bucket's policy; `principals` are whom it means by the ARNs of users and roles.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::MalformedPolicy`].
    pub fn put_bucket_policy(
        &self,
        tx: &mut Transaction,
        name: &str,
        text: &str,
        principals: Bindings,
    ) -> Result<(), VaultError> {
        check_policy(name, text)?;
        self.change(tx, name, |bucket| {
            bucket.policy = Some(text.to_owned());
            bucket.policy_principals = principals;
        })
    }

    /// Stages that the bucket has no policy; no error where it has none.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`].
    pub fn delete_bucket_policy(&self, tx: &mut Transaction, name: &str) -> Result<(), VaultError> {
        self.change(tx, name, |bucket| {
            bucket.policy = None;
            bucket.policy_principals.clear();
        })
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
        let bucket = self.bucket(name)?;
        match &bucket.policy {
            Some(text) => self.inner.policies.parsed(name, text, &bucket.policy_principals).map(Some),
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

fn texts<'a>(statement: &'a Value, members: &[&str]) -> Vec<&'a str> {
    let values = members.iter().filter_map(|member| statement.get(member));
    values.flat_map(strings).collect()
}

#[cfg(test)]
mod tests {
    use super::lies_in;

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
}
