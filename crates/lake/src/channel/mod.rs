//! Channels: how events from outside come into event data stores.
//!
//! [`Channel`] is the document, [`Channels`] are the operations on it with AWS's rules, [`AuditEvent`] makes a record
//! of what PutAuditEvents brings, and [`ChannelEvents`] is how it stands in the journal.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-event-data-store-integration.html>

mod audit_event;
mod document;
mod events;
mod name;
mod refusal;
mod rules;

pub use self::{
    audit_event::{AuditEvent, Passage, Rejection},
    document::{Channel, IngestionStatus},
    events::ChannelEvents,
    name::{ChannelArn, ChannelId},
    refusal::ChannelRefusal,
    rules::{
        Channels, CreateChannel, MAX_CHANNEL_NAME, MAX_DESTINATIONS, MIN_CHANNEL_NAME, UpdateChannel,
        delivering_to,
    },
};
