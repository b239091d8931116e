//! How events from elsewhere enter the record: split, checked, told apart from what is there, made
//! durable. One bad record never costs a good one.

use std::collections::HashSet;

use bytes::Bytes;
use opentrail_archive::{ArchiveError, Standing};
use opentrail_event::{AccountId, Event, split_records};
use opentrail_state::{OwnedEvent, StateError};
use serde::Serialize;

use crate::rooms::Rooms;

/// A journal entry is cut when its records reach this many bytes.
const ENTRY_BYTES: usize = 8 << 20;

/// A record that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Rejected {
    /// Its place in the upload, counted from 0.
    pub(crate) index: usize,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// What became of an upload.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Admitted {
    /// Records that are durable now and were not there before.
    pub(crate) accepted: usize,
    /// Records whose `eventID` was there already; they are durable too.
    pub(crate) duplicates: usize,
    /// Records that were not taken.
    pub(crate) rejected: Vec<Rejected>,
}

/// Why events are not in the record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// The journal did not take them.
    #[error(transparent)]
    State(#[from] StateError),
    /// Whether they are there already can't be found out.
    #[error(transparent)]
    Seen(#[from] ArchiveError),
}

/// The good records of an upload, and why the others are not among them.
pub(crate) fn sort(body: Bytes) -> (Vec<Event>, Vec<Rejected>) {
    let mut good = Vec::new();
    let mut rejected = Vec::new();
    for (index, record) in split_records(body).enumerate() {
        match record {
            Err(error) => rejected.push(Rejected { index: error.index, reason: error.reason.to_string() }),
            Ok(raw) => match Event::parse(raw) {
                Ok(event) => good.push(event),
                Err(error) => rejected.push(Rejected { index, reason: error.to_string() }),
            },
        }
    }
    (good, rejected)
}

/// Makes the events durable, each once: an `eventID` the account already has is not written again.
///
/// # Errors
/// Those of the journal. What was accepted before stays; sending the same upload again is safe.
pub(crate) async fn admit(
    rooms: &Rooms,
    owner: AccountId,
    events: Vec<Event>,
) -> Result<Admitted, NotAdmitted> {
    let mut admitted = Admitted::default();
    let mut in_upload = HashSet::with_capacity(events.len());
    let mut waiting: Vec<Event> = Vec::with_capacity(events.len());
    for event in events {
        if in_upload.insert(event.key()) {
            waiting.push(event);
        } else {
            admitted.duplicates += 1;
        }
    }
    while !waiting.is_empty() {
        let keys: Vec<_> = waiting.iter().map(Event::key).collect();
        let reservation = rooms.seen.reserve(owner, &keys)?;
        let mut fresh = Vec::with_capacity(waiting.len());
        let mut pending = Vec::new();
        for (event, standing) in waiting.into_iter().zip(reservation.standings().iter().copied()) {
            match standing {
                Standing::Fresh => fresh.push(event),
                Standing::Recorded => admitted.duplicates += 1,
                Standing::Pending => pending.push(event),
            }
        }
        admitted.accepted += fresh.len();
        append(rooms, owner, fresh).await?;
        reservation.commit();
        if !pending.is_empty() {
            rooms.seen.settled().await;
        }
        waiting = pending;
    }
    Ok(admitted)
}

async fn append(rooms: &Rooms, owner: AccountId, events: Vec<Event>) -> Result<(), StateError> {
    let mut entry = Vec::with_capacity(events.len());
    let mut bytes = 0;
    for event in events {
        bytes += event.raw().len();
        entry.push(OwnedEvent { owner, event });
        if bytes >= ENTRY_BYTES {
            rooms.state.append(Vec::new(), std::mem::take(&mut entry)).await?;
            bytes = 0;
        }
    }
    if !entry.is_empty() {
        rooms.state.append(Vec::new(), entry).await?;
    }
    Ok(())
}
