//! The durable ordered log: group commit, checksums, cursors, retention.

pub mod disk;
