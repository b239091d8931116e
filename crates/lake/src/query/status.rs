//! The states of a query and of the delivery of its results, in AWS's words.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The state of a query (AWS: QueryStatus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum QueryStatus {
    /// It waits until others have ended.
    Queued,
    /// It runs.
    Running,
    /// All its rows are there.
    Finished,
    /// It could not be carried out.
    Failed,
    /// CancelQuery ended it.
    Cancelled,
    /// It took longer than queries may; what it had found is there.
    TimedOut,
}

impl QueryStatus {
    /// Every one, in AWS's spelling.
    pub const ALL: [(Self, &str); 6] = [
        (Self::Queued, "QUEUED"),
        (Self::Running, "RUNNING"),
        (Self::Finished, "FINISHED"),
        (Self::Failed, "FAILED"),
        (Self::Cancelled, "CANCELLED"),
        (Self::TimedOut, "TIMED_OUT"),
    ];

    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::TimedOut => "TIMED_OUT",
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl fmt::Display for QueryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for QueryStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(_, word)| *word == text).map(|(status, _)| *status).ok_or(())
    }
}

/// What became of the results on their way into a bucket (AWS: DeliveryStatus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryStatus {
    /// They and the sign file are there.
    Success,
    /// They could not be written.
    Failed,
    /// They are there, the sign file could not be made or written.
    FailedSigningFile,
    /// They are yet to be written.
    Pending,
    /// The bucket is gone.
    ResourceNotFound,
    /// The bucket lets CloudTrail write no results.
    AccessDenied,
    /// The bucket took the results and refused the sign file.
    AccessDeniedSigningFile,
    /// The query ended without results that are delivered.
    Cancelled,
    /// The server ended while it wrote them.
    Unknown,
}

impl DeliveryStatus {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::FailedSigningFile => "FAILED_SIGNING_FILE",
            Self::Pending => "PENDING",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::AccessDeniedSigningFile => "ACCESS_DENIED_SIGNING_FILE",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DeliveryStatus, QueryStatus};

    #[test]
    fn words_are_read_back() {
        for (status, word) in QueryStatus::ALL {
            assert_eq!((status.as_str(), word.parse()), (word, Ok(status)));
            assert_eq!(serde_json::to_value(status).unwrap(), word);
        }
        assert_eq!("finished".parse::<QueryStatus>(), Err(()));
        let word = serde_json::to_value(DeliveryStatus::AccessDeniedSigningFile).unwrap();
        assert_eq!(word, DeliveryStatus::AccessDeniedSigningFile.as_str());
    }
}
