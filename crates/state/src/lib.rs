//! Control-plane resources as documents: a view of the journal.
//!
//! A document is a JSON value of a [kind](Resource::KIND) with an id and a revision. All documents are in
//! memory; what they are is decided by the journal alone: a [`Transaction`] puts its changes, the facts of
//! other views and the records of what happened into one [`Entry`], and only when that is durable do readers
//! see the changes. So a change without its record, or a record without its change, cannot be.
//!
//! At a start the newest snapshot is read and the entries after it are replayed.

mod background;
mod codec;
mod documents;
mod entry;
mod error;
mod fsck;
pub mod measure;
mod options;
mod recovery;
mod resource;
mod shelf;
mod snapshot;
mod state;
mod transaction;

pub use codec::EncodedEntry;
pub use entry::{Change, Entry, Fact, MAX_BODY_BYTES, MAX_ID_BYTES, MAX_KIND_BYTES, OwnedEvent};
pub use error::{CodecError, SnapshotError, StateError};
pub use fsck::{StateReport, fsck};
pub use options::{Clock, StateOptions};
pub use recovery::StateRecovery;
pub use resource::Resource;
pub use shelf::RejectedSnapshot;
pub use state::State;
pub use transaction::Transaction;
