//! The document of an import.

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::Resource;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::location::TimeRange;
use crate::store::StoreArn;

/// How far an import is, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportStatus {
    /// It is asked for and has not begun.
    Initializing,
    /// It reads and writes.
    InProgress,
    /// It has come to its end, and some files or prefixes could not be taken.
    Failed,
    /// StopImport ended it.
    Stopped,
    /// Everything was taken.
    Completed,
}

impl ImportStatus {
    /// The status of this name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Initializing, Self::InProgress, Self::Failed, Self::Stopped, Self::Completed]
            .into_iter()
            .find(|status| status.as_str() == name)
    }

    /// AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::InProgress => "IN_PROGRESS",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
            Self::Completed => "COMPLETED",
        }
    }

    /// Whether there is work left that nobody has to ask for.
    pub const fn is_ongoing(self) -> bool {
        matches!(self, Self::Initializing | Self::InProgress)
    }
}

/// Where an import reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Source {
    /// `s3://BUCKET/PREFIX`, as it was given.
    pub location_uri: String,
    /// The region of the bucket, as it was given.
    pub region: String,
    /// The ARN of the role that it reads with.
    pub role_arn: String,
}

/// An import as StartImport and StopImport made it, and how it ended. How far it is stands elsewhere: the rows that it
/// wrote and its place are one commit of the store's table ([`Progress`](super::Progress)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// Its id.
    pub id: Uuid,
    /// The account that asked for it, which owns the store too.
    pub account: AccountId,
    /// The region of the store, in which it was asked for.
    pub region: Region,
    /// The ARN of the event data store that it fills.
    pub destination: String,
    /// Where it reads.
    pub source: S3Source,
    /// The events that are asked for, by their `eventTime`.
    #[serde(default)]
    pub range: TimeRange,
    /// How it stands. [`ImportStatus::InProgress`] is never kept: what runs is known to who runs it.
    pub status: ImportStatus,
    /// How often StartImport was called for it.
    pub runs: u32,
    /// When it was first asked for.
    pub created: DateTime<Utc>,
    /// When its status last changed.
    pub updated: DateTime<Utc>,
}

impl Resource for Import {
    const KIND: &'static str = "lake.import";
}

impl Import {
    /// The id of its document: `ACCOUNT/ID`.
    pub fn document(&self) -> String {
        document_id(self.account, self.id)
    }

    /// The store that it fills; none where the document was damaged.
    pub fn store(&self) -> Option<StoreArn> {
        StoreArn::parse(&self.destination).ok()
    }

    /// The name under which the store's table keeps its [`Progress`](super::Progress).
    pub fn mark(&self) -> String {
        format!("import/{}", self.id)
    }
}

/// The id of an import's document.
pub(crate) fn document_id(account: AccountId, id: Uuid) -> String {
    format!("{account}/{id}")
}
