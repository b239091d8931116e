//! What can go wrong.

use std::path::PathBuf;

use opentrail_event::EventError;
use opentrail_journal::{JournalError, Seq};

/// Why the state could not be opened, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The journal did not take the entry, or could not be read. Ask [`StateError::is_retryable`] whether the
    /// same call can succeed later.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A staged document is longer than its limit; nothing was changed.
    #[error("the {kind} document {id:?} has {len} bytes where at most {limit} are kept")]
    Refused {
        /// The document's kind.
        kind: &'static str,
        /// Its id, shortened.
        id: String,
        /// How long the part in question is.
        len: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A document's JSON does not fit its type.
    #[error("the {kind} document {id:?} does not fit its type: {cause}")]
    Document {
        /// The document's kind.
        kind: &'static str,
        /// Its id.
        id: String,
        /// What does not fit.
        #[source]
        cause: serde_json::Error,
    },
    /// The entry cannot be encoded: a part of it is longer than its limit. Nothing was changed.
    #[error("the entry cannot be kept: {0}")]
    TooLong(#[source] CodecError),
    /// An entry of the journal is whole by its checksum and still not an entry: written by a newer version, or
    /// not by us.
    #[error("entry {seq} of the journal cannot be read: {cause}")]
    Entry {
        /// Where it is.
        seq: Seq,
        /// What is wrong with it.
        #[source]
        cause: CodecError,
    },
    /// No snapshot can be read and the journal does not reach back to the first entry.
    #[error("no usable snapshot: the entries after {needed} are needed and the journal starts at {first}")]
    Gap {
        /// The position of the newest usable snapshot, 0 without one.
        needed: Seq,
        /// The oldest entry that the journal has.
        first: Seq,
    },
    /// The journal ends before the snapshot: entries that were durable are missing.
    #[error(
        "the journal ends at entry {durable} but a snapshot holds entry {snapshot}: acknowledged entries are missing"
    )]
    Lost {
        /// The position of the snapshot.
        snapshot: Seq,
        /// The newest entry that the journal has.
        durable: Seq,
    },
    /// A file could not be read or written.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Two ways to the same documents give different ones: a snapshot and the entries up to it.
    #[error("the documents at entry {seq} differ between snapshot and journal, first in {kind} {id:?}")]
    Differs {
        /// Where they were compared.
        seq: Seq,
        /// The kind of the first document that differs.
        kind: String,
        /// Its id.
        id: String,
    },
    /// The process is shutting down, and whether the entry became durable is not known.
    #[error("the process is shutting down and the outcome is not known")]
    Interrupted,
}

impl StateError {
    /// Whether nothing was changed and the same call can succeed later: the disk is full. The caller hears
    /// 503 and comes back.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Journal(cause) if cause.is_retryable())
    }
}

/// Why bytes are not an entry, or an entry cannot become bytes.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Written by a version that this one does not know.
    #[error("its format has version {version}, which is not known")]
    Version {
        /// The version.
        version: u8,
    },
    /// The bytes end before the entry does.
    #[error("it ends early")]
    Truncated,
    /// The entry ends before the bytes do.
    #[error("{bytes} bytes follow after its end")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// Its time is outside of the calendar.
    #[error("its time is out of range")]
    Time,
    /// A change is neither a put nor a delete.
    #[error("a change has the unknown tag {tag}")]
    Tag {
        /// The tag.
        tag: u8,
    },
    /// A name is not UTF-8.
    #[error("a name is not UTF-8")]
    NotText,
    /// A record's owner is not an account.
    #[error("the owner of record {index} is not an account")]
    Owner {
        /// The record's place in the entry, from 0.
        index: usize,
    },
    /// A record is not a record.
    #[error("record {index}: {cause}")]
    Record {
        /// Its place in the entry, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        cause: Box<EventError>,
    },
    /// A part is longer than its limit.
    #[error("its {part} is {len} long where {limit} is the limit")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// How long it is.
        len: usize,
        /// How long it may be.
        limit: usize,
    },
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file does not start as a snapshot does, or has a version that is not known.
    #[error("it is not a snapshot of a known version")]
    Format,
    /// Its checksum does not match its content.
    #[error("its checksum does not match")]
    Checksum,
    /// Its checksum matches and its content is still not well-formed.
    #[error("its content cannot be read: {0}")]
    Content(#[from] CodecError),
    /// It says that it is of another entry than its name does.
    #[error("its name says entry {name} and its content says {content}")]
    Position {
        /// By its name.
        name: Seq,
        /// By its content.
        content: Seq,
    },
    /// It could not be read or written.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
}
