//! The CloudTrail record and the names it is made of.
//!
//! This crate does no I/O and takes no clock.

mod name;

pub use name::{AccountId, InvalidNameError, Region};
