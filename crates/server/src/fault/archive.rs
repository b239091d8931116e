//! From the failures of event history to AWS's codes.

use opentrail_archive::ArchiveError;
use opentrail_state::StateError;

use super::{Common, Dialect, Fault};

impl Fault {
    /// Event history could not answer, or could not tell which events are there already.
    pub(crate) fn of_archive(error: ArchiveError, dialect: Dialect) -> Self {
        match error {
            ArchiveError::InvalidToken(cause) => {
                Self::declared("InvalidNextTokenException", cause.to_string())
            }
            ArchiveError::InvalidRange => Self::declared("InvalidTimeRangeException", error.to_string()),
            ArchiveError::State(cause) => Self::of_state(cause, dialect),
            ArchiveError::Journal(cause) => Self::of_state(StateError::Journal(cause), dialect),
            ArchiveError::Overloaded | ArchiveError::DiskFull(_) | ArchiveError::Closed => {
                Self::common(Common::Unavailable, dialect, format!("Try again later: {error}."))
            }
            ArchiveError::Disk { .. } | ArchiveError::Corrupt { .. } | ArchiveError::Table { .. } => {
                tracing::error!(%error, "event history can't be used");
                Self::common(Common::Internal, dialect, "An internal error occurred.")
            }
        }
    }
}
