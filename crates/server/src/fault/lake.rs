//! From the refusals of event data stores and channels to AWS's codes.

use opentrail_lake::{channel::ChannelRefusal, store::StoreRefusal};
use opentrail_trails::TrailError;

use super::{Dialect, Fault};

impl Fault {
    /// An operation on an event data store was refused.
    pub(crate) fn of_store(refusal: StoreRefusal, dialect: Dialect) -> Self {
        match refusal {
            StoreRefusal::Organization(TrailError::State(cause)) => Self::of_state(cause, dialect),
            refusal => Self::declared(refusal.code(), refusal.to_string()),
        }
    }

    /// An operation on a channel was refused.
    pub(crate) fn of_channel(refusal: ChannelRefusal, dialect: Dialect) -> Self {
        match refusal {
            ChannelRefusal::Store(refusal) => Self::of_store(refusal, dialect),
            refusal => Self::declared(refusal.code(), refusal.to_string()),
        }
    }
}
