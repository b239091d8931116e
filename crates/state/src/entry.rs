//! What one entry of the journal says: the changes of documents, the facts of other views and the
//! records of what happened, all of which become durable together or not at all.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Event};
use opentrail_journal::Item;

use crate::{codec::EncodedEntry, error::StateError};

/// The longest kind of a document and the longest name of a view, in bytes. Ours.
pub const MAX_KIND_BYTES: usize = 64;

/// The longest id of a document, in bytes. Ours: an ARN is at most 2,048 characters (IAM API reference).
pub const MAX_ID_BYTES: usize = 2_304;

/// The largest body of a document or of a fact, in bytes. Ours: far above the largest document of AWS's
/// control plane, far below what would make one change hold up the others.
pub const MAX_BODY_BYTES: usize = 4 << 20;

/// One entry of the journal, decoded.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it was handed to the journal, by the clock of this process. It may run backwards from one entry
    /// to the next, as clocks do; the order is that of the sequence numbers.
    pub at: DateTime<Utc>,
    /// What changed in the documents; at most one change for each document.
    pub changes: Vec<Change>,
    /// What changed in views that other crates keep.
    pub facts: Vec<Fact>,
    /// The records, in the order in which they were given.
    pub events: Vec<OwnedEvent>,
}

/// A change of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The document has this body from now on.
    Put {
        /// The document's kind.
        kind: String,
        /// Its id, unique in its kind.
        id: String,
        /// How often the document was written since it was created; the first is 1.
        revision: u64,
        /// The document, as JSON.
        body: Bytes,
    },
    /// The document exists no longer.
    Delete {
        /// The document's kind.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// A change of a view that another crate keeps; its body is opaque here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The view's name, at most [`MAX_KIND_BYTES`] long.
    pub view: Cow<'static, str>,
    /// What the view wrote, at most [`MAX_BODY_BYTES`] long.
    pub body: Bytes,
}

/// A record and the account to whose trail, history and stores it belongs.
#[derive(Debug, Clone)]
pub struct OwnedEvent {
    /// The account.
    pub owner: AccountId,
    /// The record.
    pub event: Event,
}

impl Entry {
    /// The entry in an item of the journal: the decoded form if it still travels with the item, else parsed
    /// from the item's bytes, records included.
    ///
    /// # Errors
    /// [`StateError::Entry`] if the bytes are not an entry.
    pub fn of(item: &Item) -> Result<Arc<Entry>, StateError> {
        if let Some(entry) = attached(item) {
            return Ok(entry);
        }
        let decoded = EncodedEntry::new(item.payload.clone()).and_then(|encoded| encoded.decode());
        decoded.map(Arc::new).map_err(|cause| StateError::Entry { seq: item.seq, cause })
    }

    /// The facts of one view in an item of the journal, without parsing its records.
    ///
    /// # Errors
    /// [`StateError::Entry`] if the bytes are not an entry.
    pub fn facts_of(item: &Item, view: &str) -> Result<Vec<Fact>, StateError> {
        let mut facts = match attached(item) {
            Some(entry) => entry.facts.clone(),
            None => EncodedEntry::new(item.payload.clone())
                .and_then(|encoded| encoded.facts())
                .map_err(|cause| StateError::Entry { seq: item.seq, cause })?,
        };
        facts.retain(|fact| fact.view == view);
        Ok(facts)
    }

    /// The document changes in an item of the journal, without parsing its records.
    ///
    /// # Errors
    /// [`StateError::Entry`] if the bytes are not an entry.
    pub fn changes_of(item: &Item) -> Result<Vec<Change>, StateError> {
        match attached(item) {
            Some(entry) => Ok(entry.changes.clone()),
            None => EncodedEntry::new(item.payload.clone())
                .and_then(|encoded| encoded.changes())
                .map_err(|cause| StateError::Entry { seq: item.seq, cause }),
        }
    }
}

fn attached(item: &Item) -> Option<Arc<Entry>> {
    item.attachment.clone()?.downcast::<Entry>().ok()
}
