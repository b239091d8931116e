//! The state's behaviour, over a journal and a disk that can fail.

#![expect(clippy::unwrap_used, reason = "a failure of the fixture is a failure of the test")]

mod cancellation;
mod codec;
mod crashes;
mod documents;
mod faults;
mod fixture;
mod snapshots;
