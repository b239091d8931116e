//! Ids of events that are not among an entry's records: a fact of the journal tells of them.

use std::borrow::Cow;

use opentrail_event::{AccountId, EventId};
use opentrail_state::{Entry, Fact};

use super::key::Key;

/// The view's name.
const VIEW: &str = "archive.ids";

/// The fact that the account has events of these ids.
pub(super) fn fact(owner: AccountId, ids: &[EventId]) -> Fact {
    let keys = ids.iter().flat_map(|id| Key::new(&owner, *id).to_bytes());
    Fact { view: Cow::Borrowed(VIEW), body: keys.collect::<Vec<u8>>().into() }
}

/// The ids that the facts of an entry tell of.
pub(super) fn keys(entry: &Entry) -> impl Iterator<Item = Key> + '_ {
    let told = entry.facts.iter().filter(|fact| fact.view == VIEW);
    told.flat_map(|fact| fact.body.as_chunks::<{ Key::BYTES }>().0).map(|bytes| Key::from_bytes(*bytes))
}
