//! How IAM's lists are asked for and answered in pages.

use opentrail_identity::PageRequest;
use serde::{Deserialize, Deserializer, Serialize, de};

/// The members by which every list operation is paged.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    pub(super) marker: Option<String>,
    #[serde(default, deserialize_with = "count")]
    pub(super) max_items: Option<usize>,
}

/// A number that awsQuery sends as text; `flatten` would otherwise keep it one.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| de::Error::custom(format_args!("{text:?} is not a number in range")))
}

impl Paging {
    pub(super) fn request(&self) -> PageRequest<'_> {
        PageRequest { marker: self.marker.as_deref(), max_items: self.max_items }
    }
}

/// The members that say whether there is more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct More {
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl From<Option<String>> for More {
    fn from(next: Option<String>) -> Self {
        Self { is_truncated: next.is_some(), marker: next }
    }
}
