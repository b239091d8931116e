//! How events of a channel stand in the journal: as a fact of a view of their own, so that neither trails nor the
//! event history, which read the records of entries, ever see them.

use std::borrow::Cow;

use opentrail_journal::Item;
use opentrail_state::{Entry, Fact, StateError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::StoreId;

/// The view's name.
const VIEW: &str = "lake.channel";

/// The events that one call brought through a channel, and the stores that get them: those that the channel named
/// at that moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChannelEvents {
    /// The channel's ARN.
    pub channel: String,
    /// The stores.
    pub stores: Vec<StoreId>,
    /// The records, each a JSON object with `eventID`, `eventTime`, `metadata` and `eventData`.
    pub records: Vec<Box<RawValue>>,
}

impl ChannelEvents {
    /// The fact for the entry that makes them durable.
    ///
    /// # Errors
    /// If they have no JSON form, which does not happen.
    pub fn fact(&self) -> Result<Fact, serde_json::Error> {
        Ok(Fact { view: Cow::Borrowed(VIEW), body: serde_json::to_vec(self)?.into() })
    }

    /// The events of an item of the journal, in their order.
    ///
    /// # Errors
    /// [`StateError::Entry`] if the item is no entry; a fact that can't be read is left out and named in the log.
    pub fn of_item(item: &Item) -> Result<Vec<Self>, StateError> {
        Ok(Entry::facts_of(item, VIEW)?.iter().filter_map(Self::read).collect())
    }

    /// The events of an entry, in their order.
    pub fn of_entry(entry: &Entry) -> Vec<Self> {
        entry.facts.iter().filter(|fact| fact.view == VIEW).filter_map(Self::read).collect()
    }

    fn read(fact: &Fact) -> Option<Self> {
        let read = serde_json::from_slice(&fact.body);
        read.inspect_err(|error| tracing::error!(%error, "events of a channel can't be read")).ok()
    }
}
