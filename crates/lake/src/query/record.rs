//! What was asked, and what came of it.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::Resource;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DeliveryStatus, Destination, QueryStatus};

/// The id of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct QueryId(Uuid);

impl QueryId {
    pub(super) fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// An id that no query has.
    pub fn draw() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A text that is no query's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id of a query is a UUID of 36 characters, in lower case")]
pub struct NoQueryId;

impl FromStr for QueryId {
    type Err = NoQueryId;

    /// Reads the one spelling that ids have (AWS: UUID).
    fn from_str(text: &str) -> Result<Self, NoQueryId> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| NoQueryId)?;
        if id.to_string() == text { Ok(id) } else { Err(NoQueryId) }
    }
}

impl TryFrom<String> for QueryId {
    type Error = NoQueryId;

    fn try_from(text: String) -> Result<Self, NoQueryId> {
        text.parse()
    }
}

impl From<QueryId> for String {
    fn from(id: QueryId) -> Self {
        id.to_string()
    }
}

/// What was asked: a document while the query waits or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Its id.
    pub id: QueryId,
    /// The account that asked.
    pub account: AccountId,
    /// The region in which it was asked.
    pub region: Region,
    /// The ARNs of the event data stores that it reads, each once, in the order of their first mention.
    pub stores: Vec<String>,
    /// The text.
    pub statement: String,
    /// What stands for the question marks in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The alias it was started by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Where its results go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// When it was started.
    pub created: DateTime<Utc>,
    /// Whether CancelQuery was called.
    #[serde(default)]
    pub is_cancelled: bool,
}

impl Resource for Query {
    const KIND: &'static str = "lake.query";
}

impl Query {
    /// The id of its document.
    pub fn document_id(&self) -> String {
        document_id(self.account, self.id)
    }
}

/// The id of the document of a query.
pub(super) fn document_id(account: AccountId, id: QueryId) -> String {
    format!("{account}/{id}")
}

/// What came of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: QueryStatus,
    /// When.
    pub ended: DateTime<Utc>,
    /// The names of the columns of its rows.
    pub columns: Vec<String>,
    /// How many rows there are.
    pub rows: u64,
    /// Events that were read.
    pub events_scanned: u64,
    /// Bytes that were read.
    pub bytes_scanned: u64,
    /// How long it ran, in milliseconds.
    pub execution_ms: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The ARNs of the event data stores under whose keys its rows are sealed, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<String>,
    /// What became of its delivery, where it has a destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryStatus>,
}

impl Outcome {
    /// That of a query that ended without rows.
    pub fn without_rows(status: QueryStatus, ended: DateTime<Utc>, error: Option<String>) -> Self {
        let error = error.map(|error| error.chars().take(super::MAX_ERROR_MESSAGE).collect());
        Self {
            status,
            ended,
            columns: Vec::new(),
            rows: 0,
            events_scanned: 0,
            bytes_scanned: 0,
            execution_ms: 0,
            error,
            sealed: Vec::new(),
            delivery: None,
        }
    }
}

/// A query that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was asked.
    pub query: Query,
    /// What came of it.
    pub outcome: Outcome,
}
