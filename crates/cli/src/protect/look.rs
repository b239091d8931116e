//! What a bucket is like now.

use serde::Deserialize;

use super::s3::{Meaning, S3, S3Error};

/// A setting as it was read; `None` where the bucket has none.
pub(super) type Setting<T> = Result<Option<T>, S3Error>;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Versioning {
    pub(super) status: Option<String>,
    pub(super) mfa_delete: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ObjectLock {
    object_lock_enabled: Option<String>,
    rule: Option<LockRule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LockRule {
    default_retention: Option<Retention>,
}

/// A default retention.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Retention {
    pub(super) mode: Option<String>,
    days: Option<u32>,
    years: Option<u32>,
}

impl ObjectLock {
    pub(super) fn is_on(&self) -> bool {
        self.object_lock_enabled.as_deref() == Some("Enabled")
    }

    pub(super) fn retention(&self) -> Option<&Retention> {
        self.rule.as_ref()?.default_retention.as_ref()
    }
}

impl Retention {
    pub(super) fn days(&self) -> u32 {
        self.days.unwrap_or_else(|| self.years.unwrap_or_default().saturating_mul(365))
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PublicAccessBlock {
    pub(super) block_public_acls: bool,
    pub(super) ignore_public_acls: bool,
    pub(super) block_public_policy: bool,
    pub(super) restrict_public_buckets: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Encryption {
    #[serde(rename = "Rule")]
    rules: Vec<EncryptionRule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EncryptionRule {
    apply_server_side_encryption_by_default: Option<ByDefault>,
}

/// How new objects are encrypted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ByDefault {
    #[serde(rename = "SSEAlgorithm")]
    pub(super) algorithm: Option<String>,
    #[serde(rename = "KMSMasterKeyID")]
    pub(super) key: Option<String>,
}

impl Encryption {
    pub(super) fn by_default(&self) -> Option<&ByDefault> {
        self.rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default.as_ref())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Lifecycle {
    #[serde(rename = "Rule")]
    pub(super) rules: Vec<Rule>,
}

/// A lifecycle rule, as far as it is judged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Rule {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) status: String,
    prefix: Option<String>,
    filter: Option<Filter>,
    pub(super) expiration: Option<Expiration>,
    #[serde(rename = "Transition")]
    pub(super) transitions: Vec<Transition>,
    pub(super) noncurrent_version_expiration: Option<Noncurrent>,
    pub(super) abort_incomplete_multipart_upload: Option<Abort>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    prefix: Option<String>,
    and: Option<And>,
    tag: Option<serde::de::IgnoredAny>,
    object_size_greater_than: Option<String>,
    object_size_less_than: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct And {
    prefix: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Expiration {
    pub(super) days: Option<u32>,
    pub(super) date: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Noncurrent {
    pub(super) noncurrent_days: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Transition {
    pub(super) storage_class: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Abort {
    pub(super) days_after_initiation: Option<u32>,
}

impl Rule {
    pub(super) fn is_on(&self) -> bool {
        self.status == "Enabled"
    }

    /// Whether it is about every object whose key begins so.
    pub(super) fn covers(&self, beginning: &str) -> bool {
        let narrowed = self.filter.as_ref().is_some_and(|filter| {
            filter.and.is_some()
                || filter.tag.is_some()
                || filter.object_size_greater_than.is_some()
                || filter.object_size_less_than.is_some()
        });
        !narrowed && beginning.starts_with(self.prefix())
    }

    /// Whether it is about any object whose key begins so.
    pub(super) fn touches(&self, beginning: &str) -> bool {
        let prefix = self.prefix();
        beginning.starts_with(prefix) || prefix.starts_with(beginning)
    }

    fn prefix(&self) -> &str {
        let filter = self.filter.as_ref();
        let in_and = filter.and_then(|filter| filter.and.as_ref()).and_then(|and| and.prefix.as_deref());
        let in_filter = filter.and_then(|filter| filter.prefix.as_deref());
        in_and.or(in_filter).or(self.prefix.as_deref()).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Logging {
    logging_enabled: Option<LogTarget>,
}

/// Where access logs go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct LogTarget {
    pub(super) target_bucket: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Replication {
    #[serde(rename = "Rule")]
    pub(super) rules: Vec<ReplicationRule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReplicationRule {
    pub(super) status: String,
    pub(super) priority: Option<u32>,
    pub(super) destination: Destination,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Destination {
    pub(super) bucket: String,
}

/// Everything of a bucket that is judged.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) name: String,
    /// The policy's text.
    pub(super) policy: Setting<String>,
    pub(super) versioning: Setting<Versioning>,
    pub(super) lock: Setting<ObjectLock>,
    pub(super) public_access: Setting<PublicAccessBlock>,
    pub(super) encryption: Setting<Encryption>,
    pub(super) lifecycle: Setting<Lifecycle>,
    /// The lifecycle configuration as it was written, to add to.
    pub(super) lifecycle_text: Option<String>,
    pub(super) logging: Setting<LogTarget>,
    pub(super) replication: Setting<Replication>,
    pub(super) replication_text: Option<String>,
}

impl Bucket {
    /// Reads everything.
    ///
    /// # Errors
    /// That there is no such bucket, that the endpoint is away, or that nothing at all of it can be read.
    pub(super) async fn look(s3: &S3, name: &str) -> Result<Self, S3Error> {
        let versioning = text(s3, name, "versioning").await;
        if let Err(error) = &versioning
            && (error.meaning() == Meaning::NoBucket || matches!(error, S3Error::Unreachable(_)))
        {
            return Err(error.clone());
        }
        let lifecycle_text = text(s3, name, "lifecycle").await;
        let replication_text = text(s3, name, "replication").await;
        let logging: Setting<Logging> = text(s3, name, "logging").await.and_then(parsed);
        let bucket = Self {
            name: name.to_owned(),
            policy: text(s3, name, "policy").await.map(|text| text.filter(|text| !text.trim().is_empty())),
            versioning: versioning.and_then(parsed),
            lock: text(s3, name, "object-lock").await.and_then(parsed),
            public_access: text(s3, name, "publicAccessBlock").await.and_then(parsed),
            encryption: text(s3, name, "encryption").await.and_then(parsed),
            lifecycle: lifecycle_text.clone().and_then(parsed),
            lifecycle_text: lifecycle_text.ok().flatten(),
            logging: logging.map(|found| found.and_then(|found| found.logging_enabled)),
            replication: replication_text.clone().and_then(parsed),
            replication_text: replication_text.ok().flatten(),
        };
        match bucket.unseen().cloned() {
            Some(error) => Err(error),
            None => Ok(bucket),
        }
    }

    /// Why nothing of it can be seen, where that is so.
    fn unseen(&self) -> Option<&S3Error> {
        let errors = [
            self.versioning.as_ref().err(),
            self.policy.as_ref().err(),
            self.lock.as_ref().err(),
            self.public_access.as_ref().err(),
            self.encryption.as_ref().err(),
            self.lifecycle.as_ref().err(),
            self.logging.as_ref().err(),
            self.replication.as_ref().err(),
        ];
        let absent = errors.iter().copied().flatten().find(|error| error.meaning() == Meaning::NoBucket);
        if let Some(error) = absent {
            return Some(error);
        }
        if errors.iter().all(Option::is_some) { errors[0] } else { None }
    }
}

/// The text of a setting.
pub(super) async fn text(s3: &S3, bucket: &str, name: &str) -> Setting<String> {
    match s3.get(bucket, name).await {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.meaning() == Meaning::NotSet => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a text says. One that can't be read is as if the endpoint had not answered.
fn parsed<T: serde::de::DeserializeOwned>(text: Option<String>) -> Setting<T> {
    let Some(text) = text else { return Ok(None) };
    let read = quick_xml::de::from_str(&text);
    read.map(Some).map_err(|error| S3Error::Unreachable(format!("its answer can't be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::{Lifecycle, ObjectLock, Versioning, parsed};

    fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
        parsed(Some(text.to_owned())).expect("it can be read").expect("there is one")
    }

    #[test]
    fn answers_are_read_as_endpoints_write_them() {
        let versioning: Versioning = read(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>"#,
        );
        assert_eq!(versioning.status.as_deref(), Some("Enabled"));
        assert_eq!(read::<Versioning>("<VersioningConfiguration/>").status, None);
        let lock: ObjectLock = read(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
             <Mode>GOVERNANCE</Mode><Years>2</Years></DefaultRetention></Rule></ObjectLockConfiguration>",
        );
        assert!(lock.is_on());
        assert_eq!(lock.retention().map(super::Retention::days), Some(730));
    }

    #[test]
    fn rules_cover_what_no_filter_takes_out() {
        let rule = |filter: &str| {
            let text = format!(
                "<LifecycleConfiguration><Rule><ID>a</ID>{filter}<Status>Enabled</Status><Transition><Days>1</Days>\
                 <StorageClass>GLACIER</StorageClass></Transition></Rule></LifecycleConfiguration>"
            );
            read::<Lifecycle>(&text).rules.remove(0)
        };
        for all in
            ["", "<Prefix/>", "<Filter/>", "<Filter><Prefix></Prefix></Filter>", "<Prefix>AWS</Prefix>"]
        {
            assert!(rule(all).covers("AWSLogs/"), "{all}");
        }
        for some in [
            "<Filter><Prefix>b/</Prefix></Filter>",
            "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>",
            "<Filter><And><Prefix></Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>",
            "<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>",
        ] {
            assert!(!rule(some).covers("AWSLogs/"), "{some}");
        }
        assert!(rule("<Prefix>AWSLogs/1/</Prefix>").touches("AWSLogs/"));
        assert!(!rule("<Prefix>b/</Prefix>").touches("AWSLogs/"));
    }
}
