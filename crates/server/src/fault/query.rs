//! From what is wrong with queries, and with the lake they are over, to AWS's codes.

use opentrail_journal::disk::is_full;
use opentrail_lake::LakeError;
use opentrail_sql::SqlError;
use opentrail_state::StateError;

use super::{Common, Dialect, Fault};

impl Fault {
    /// A query is wrong, or can't be run.
    pub(crate) fn of_sql(error: SqlError, dialect: Dialect) -> Self {
        match error {
            SqlError::Mistake(mistake) => {
                Self::declared("InvalidQueryStatementException", mistake.to_string())
            }
            SqlError::Value(_) => Self::declared("InvalidQueryStatementException", error.to_string()),
            SqlError::Busy(_) => Self::declared("MaxConcurrentQueriesException", error.to_string()),
            SqlError::TimedOut(_)
            | SqlError::Cancelled
            | SqlError::OutOfMemory(_)
            | SqlError::ExceededMemory(_)
            | SqlError::OutOfDisk(_) => Self::common(Common::Unavailable, dialect, error.to_string()),
            SqlError::Table(_) | SqlError::Internal(_) => {
                tracing::error!(%error, "a query can't be planned");
                Self::common(Common::Internal, dialect, "An internal error occurred.")
            }
        }
    }

    /// The lake could not do something.
    pub(crate) fn of_lake(error: LakeError, dialect: Dialect) -> Self {
        match error {
            LakeError::State(cause) => Self::of_state(cause, dialect),
            LakeError::Journal(cause) => Self::of_state(StateError::Journal(cause), dialect),
            LakeError::Disk { ref source, .. } if is_full(source) => {
                Self::common(Common::Unavailable, dialect, "There is no space on the disk; try again later.")
            }
            LakeError::Interrupted => {
                Self::common(Common::Unavailable, dialect, "The server is about to end; try again later.")
            }
            error => {
                tracing::error!(%error, "the lake can't be used");
                Self::common(Common::Internal, dialect, "An internal error occurred.")
            }
        }
    }
}
