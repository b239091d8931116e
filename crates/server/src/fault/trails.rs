//! From the refusals of trails to AWS's codes.

use opentrail_trails::TrailError;

use super::{Common, Dialect, Fault};

impl Fault {
    /// An operation on a trail was refused.
    pub(crate) fn of_trail(error: TrailError, dialect: Dialect) -> Self {
        match error {
            TrailError::State(cause) => Self::of_state(cause, dialect),
            TrailError::BucketCheckFailed { .. } => {
                Self::common(Common::Unavailable, dialect, error.to_string())
            }
            refusal => Self::declared(refusal.code(), refusal.to_string()),
        }
    }
}
