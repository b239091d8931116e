//! Control-plane resources as documents: a view of the journal.
