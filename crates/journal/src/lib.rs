//! The durable ordered log: group commit, checksums, cursors, retention.
//!
//! # What is promised
//! - An append that returned is on the disk: bytes, length and file name were synced before.
//! - Entries are read in the order they were appended, without gaps, each checked against its checksum.
//! - An append that ended in [`JournalError::DiskFull`], [`JournalError::TooLarge`] or
//!   [`JournalError::Closed`] is not there and never will be. One that ended in
//!   [`JournalError::Poisoned`], or whose process ended before the answer, may or may not be there.
//! - After a failed sync nothing is written until the journal is opened again.
//! - A crash leaves at most a half-written group at the end, which opening cuts off and reports. Any other
//!   difference between what was written and what is there is reported with segment, byte and entry.
//! - Memory is bounded by the queue and the tail of [`JournalOptions`], however slow disk or readers are.
//!
//! # How it is built
//! One thread writes ([`Journal::append`] queues and waits). It takes everything that waits, writes it behind
//! the active segment's end, syncs once, and answers all. Readers take the newest entries from memory and
//! older ones from the segments. What retention may drop is said by [`Hold`]s.

pub mod disk;
pub mod measure;

mod catalog;
mod error;
mod frame;
mod fsck;
mod hold;
mod journal;
mod mark;
mod options;
mod probe;
mod queue;
mod reader;
mod recovery;
mod segment;
mod seq;
mod status;
mod tail;
mod writer;

pub use error::{Damage, JournalError, PoisonCause};
pub use fsck::{FsckReport, Problem, fsck};
pub use hold::Hold;
pub use journal::{Appending, Journal, Reclaimed};
pub use options::{JournalOptions, MAX_ENTRY_BYTES};
pub use reader::Reader;
pub use recovery::{Recovery, TornTail};
pub use seq::Seq;
pub use status::{Health, JournalStatus};
pub use tail::{Attachment, Item};
