//! The document of a channel.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::Resource;
use serde::{Deserialize, Serialize};

use super::name::{ChannelArn, ChannelId};
use crate::store::StoreId;

/// A channel as CreateChannel and UpdateChannel made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Its name, unique in its account and region.
    pub name: String,
    /// The account that owns it.
    pub account: AccountId,
    /// The region in which it was made.
    pub region: Region,
    /// Where its events come from: a partner's name or `Custom`.
    pub source: String,
    /// The event data stores of its account and region that get its events.
    pub destinations: Vec<StoreId>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

impl Resource for Channel {
    const KIND: &'static str = "lake.channel";
}

impl Channel {
    /// Its ARN in its parts; `to_string()` gives its text.
    pub fn arn(&self) -> ChannelArn {
        ChannelArn { region: self.region.clone(), account: self.account, id: self.id }
    }
}

/// What GetChannel says of the events that came last. It is known since the last start of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestionStatus {
    /// When an event was taken last, and the id it was given.
    pub success: Option<(DateTime<Utc>, String)>,
    /// When an event was offered last, and the id it was given.
    pub attempt: Option<(DateTime<Utc>, String)>,
    /// The code of the last event that was not taken.
    pub error_code: Option<String>,
}
