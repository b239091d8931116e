//! What the server does by itself from time to time.

pub(crate) mod access_logs;
pub(crate) mod again;
pub(crate) mod clock;
pub(crate) mod event_data_stores;
pub(crate) mod keys;
pub(crate) mod lifecycle;
pub(crate) mod replication;
