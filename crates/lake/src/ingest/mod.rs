//! From the journal into event data stores.
//!
//! The lake is one reader of the journal for all stores. The way of an event: journal → the stores that take it, as they
//! are at that entry ([`configuration`]) → the tail of each ([`tail`], columns in memory, visible at once) → files of its
//! table ([`live`]), in one commit with the mark of the entry up to which the table has everything.
//!
//! Exactly once: a tail is only in memory. After a crash the journal is read again from the [`checkpoint`], with the
//! configuration as it was there, and each table leaves out what its mark says that it has. A store that took nothing
//! has no mark to move: the checkpoint passes it.
//!
//! A view is the files of a table and the rows of its tail after the files' mark; so a row is never missing nor twice
//! while a tail becomes files.
//!
//! A table whose key can't be opened ([`sealing`]) is parked ([`park`]): its tail is given up, the journal keeps its events,
//! and a follower of its own brings them when the key can be opened again. So such a store holds up nobody else.
//!
//! Limits: tails are files when they are old or large; when all together reach
//! [`memory_bytes`](LakeOptions::memory_bytes), reading stops and events wait in the journal. Before that a table that
//! can't be written holds up only itself.

mod checkpoint;
mod configuration;
mod follow;
mod follower;
mod fsck;
mod lake;
mod live;
pub mod measure;
mod options;
mod park;
mod sealing;
mod status;
mod tail;

pub use self::{
    fsck::{FsckReport, fsck},
    lake::{Lake, shape_of},
    live::{JOURNAL_MARK, Live, View},
    options::{Clock, LakeOptions},
    sealing::{NoKeys, TableKeys},
    status::{LakeStatus, StoreTrouble},
};
