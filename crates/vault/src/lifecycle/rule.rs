//! One rule: which objects it is about, and what it does with them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{StorageClass, Tags};

/// When a rule acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// So many days after the object was stored.
    Days(i32),
    /// From this midnight on, whatever the object's age.
    Date(DateTime<Utc>),
}

/// What becomes of current versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// They are deleted as the bucket's versioning says.
    At(When),
    /// `ExpiredObjectDeleteMarker`: delete markers that hide nothing any more are removed.
    LoneMarkers(bool),
}

/// When noncurrent versions are removed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentExpiration {
    /// So many days after they became noncurrent.
    pub days: i32,
    /// The newest so many noncurrent versions are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<i32>,
}

/// When current versions move to another storage class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub when: When,
    /// Where to.
    pub class: StorageClass,
}

/// When noncurrent versions move to another storage class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentTransition {
    /// So many days after they became noncurrent.
    pub days: i32,
    /// The newest so many noncurrent versions stay where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<i32>,
    /// Where to.
    pub class: StorageClass,
}

/// How the caller wrote the filter, to be answered as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilterForm {
    /// `Prefix` of the rule itself, the form before filters.
    Legacy,
    /// `Filter` with one condition or none.
    One,
    /// `Filter` with `And`.
    And,
}

/// Which objects a rule is about: those that meet all its conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFilter {
    /// How it was written.
    pub form: FilterForm,
    /// Keys that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Objects with these tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Objects of more bytes than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub larger_than: Option<i64>,
    /// Objects of fewer bytes than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smaller_than: Option<i64>,
}

impl RuleFilter {
    /// All objects whose keys begin so.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self {
            form: FilterForm::One,
            prefix: Some(prefix.into()),
            tags: Tags::new(),
            larger_than: None,
            smaller_than: None,
        }
    }

    /// The start of every key it is about.
    pub(crate) fn start(&self) -> &str {
        self.prefix.as_deref().unwrap_or("")
    }

    /// Whether it asks about sizes.
    pub(crate) fn has_size(&self) -> bool {
        self.larger_than.is_some() || self.smaller_than.is_some()
    }

    /// How S3's messages name it.
    pub(crate) fn shown(&self) -> String {
        let mut conditions = Vec::new();
        if self.prefix.is_some() || (self.tags.is_empty() && !self.has_size()) {
            conditions.push(format!("prefix={}", self.start()));
        }
        conditions.extend(self.tags.iter().map(|(key, value)| format!("tag=(key={key}, value={value})")));
        conditions.extend(self.larger_than.map(|size| format!("objectsizegreaterthan={size}")));
        conditions.extend(self.smaller_than.map(|size| format!("objectsizelessthan={size}")));
        format!("({})", conditions.join(" and "))
    }

    /// Whether it is about an object with this key, size and tags.
    pub(crate) fn meets(&self, key: &str, size: u64, tags: &Tags) -> bool {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        key.starts_with(self.start())
            && self.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
            && self.larger_than.is_none_or(|limit| size > limit)
            && self.smaller_than.is_none_or(|limit| size < limit)
    }

    /// Whether it is about delete markers and uploads with this key, which have neither tags nor a size.
    pub(crate) fn meets_bare(&self, key: &str) -> bool {
        key.starts_with(self.start()) && self.tags.is_empty() && !self.has_size()
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Its id, unique in the configuration.
    pub id: String,
    /// Whether it acts.
    pub enabled: bool,
    /// Which objects it is about.
    pub filter: RuleFilter,
    /// What becomes of current versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Expiration>,
    /// What becomes of noncurrent versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent_expiration: Option<NoncurrentExpiration>,
    /// Where current versions move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// Where noncurrent versions move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
    /// Uploads are given up so many days after they began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_uploads_after: Option<i32>,
}

impl LifecycleRule {
    /// An enabled rule that does nothing yet.
    pub fn new(id: impl Into<String>, filter: RuleFilter) -> Self {
        Self {
            id: id.into(),
            enabled: true,
            filter,
            expiration: None,
            noncurrent_expiration: None,
            transitions: Vec::new(),
            noncurrent_transitions: Vec::new(),
            abort_uploads_after: None,
        }
    }
}
