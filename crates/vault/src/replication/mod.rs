//! Replication: versions of one bucket that S3 copies to others
//! (S3 user guide, "Replicating objects within and across Regions").
//!
//! [`configuration`] says what rules are and which S3 takes, [`decide`] which versions they are about. A version that
//! is to be copied says so from the journal entry that makes it ([`progress`]), so nothing that comes while the
//! process dies is forgotten; the index lists what waits ([`waiting`]). [`copy`] makes a copy in a bucket of this
//! vault, under the version's own id, so that doing it again changes nothing; [`settle`] notes what came of it. Copies
//! elsewhere are made by whoever knows how to get there, and settled here.

mod configuration;
mod copy;
mod decide;
mod invalid;
mod progress;
mod settle;
mod waiting;

pub use configuration::{Replication, ReplicationDestination, ReplicationRule};
pub use copy::{NewReplica, Replicated};
pub use invalid::InvalidReplication;
pub use progress::{CopyProgress, CopyState, ReplicationProgress, ReplicationStatus};
pub use settle::CopyOutcome;
pub use waiting::{Pair, Place, Waiting};

pub(crate) use decide::{of_new_marker, of_new_object, touch};
pub(crate) use waiting::{OpenCopy, backlog};
