//! How events from elsewhere enter the record: split, checked, told apart from what is there, made
//! durable. One bad record never costs a good one.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_archive::{ArchiveError, Reservation, Standing};
use opentrail_event::{AccountId, Event, EventError, EventId, split_records};
use opentrail_state::{OwnedEvent, StateError};
use serde::Serialize;

use super::regions::{MAX_REGIONS, Regions};
use crate::rooms::Rooms;

/// A journal entry is cut when its records reach this many bytes.
const ENTRY_BYTES: usize = 8 << 20;
/// Bad records that are listed; an upload with more is refused as a whole, or two bytes of it each would take
/// a hundred of memory.
const MAX_REJECTED: usize = 100_000;
/// Longest wait for another upload of the same events.
const SETTLING: Duration = Duration::from_secs(20);
/// More ids than this are looked for away from the threads that serve: one that is known costs a read.
const INLINE_IDS: usize = 64;

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
    /// Another upload of the same events has not come to its end.
    #[error("another upload of the same events has not come to its end")]
    Unsettled,
    /// The call's own record can't be written.
    #[error(transparent)]
    Record(#[from] EventError),
}

/// An upload that is something else than records.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {MAX_REJECTED} records of the upload can't be taken, so none was; the one at index {}: {}",
    first.index, first.reason
)]
pub(crate) struct NoRecords {
    first: Rejected,
}

/// The good records of an upload, and why the others are not among them: events after the `newest` time are none that
/// happened.
///
/// # Errors
/// [`NoRecords`] with more than [`MAX_REJECTED`] bad ones.
pub(crate) fn sort(
    body: Bytes,
    owner: AccountId,
    regions: &Regions,
    newest: DateTime<Utc>,
) -> Result<(Vec<Event>, Vec<Rejected>), NoRecords> {
    let mut good = Vec::new();
    let mut rejected: Vec<Rejected> = Vec::new();
    for (index, record) in split_records(body).enumerate() {
        match record {
            Err(error) => rejected.push(Rejected { index: error.index, reason: error.reason.to_string() }),
            Ok(raw) => match Event::parse(raw) {
                Ok(event) if event.time() > newest => {
                    rejected.push(Rejected { index, reason: "eventTime is in the future".to_owned() });
                }
                Ok(event) if regions.take(owner, event.region()) => good.push(event),
                Ok(_) => rejected.push(Rejected { index, reason: too_many_regions() }),
                Err(error) => rejected.push(Rejected { index, reason: error.to_string() }),
            },
        }
        if rejected.len() > MAX_REJECTED {
            return Err(NoRecords { first: rejected.swap_remove(0) });
        }
    }
    Ok((good, rejected))
}

fn too_many_regions() -> String {
    format!("awsRegion is new, and the account has events of {MAX_REGIONS} regions, the most that are taken")
}

/// What one journal entry has of an upload; the call's record in that entry tells of this much.
pub(crate) struct Part<'a> {
    /// Its place among the upload's entries, counted from 1; none where there is only one.
    pub(crate) number: Option<usize>,
    /// Events in this entry.
    pub(crate) accepted: usize,
    /// What became of the whole upload, known with its last entry.
    pub(crate) whole: Option<&'a Admitted>,
}

/// Makes the events durable, each once: an `eventID` the account already has is not written again. Every entry has,
/// beside its events, the call's own `record` of just them, if it is to be kept: whatever ends an upload early, its
/// records tell of exactly the events that are there.
///
/// # Errors
/// Those of the journal. What was accepted before stays; sending the same upload again is safe.
pub(crate) async fn admit(
    rooms: &Rooms,
    owner: AccountId,
    events: Vec<Event>,
    rejected: Vec<Rejected>,
    record: impl Fn(&Part<'_>) -> Result<Vec<OwnedEvent>, EventError>,
) -> Result<Admitted, NotAdmitted> {
    let mut admitted = Admitted { rejected, ..Admitted::default() };
    let mut in_upload = HashSet::with_capacity(events.len());
    let mut waiting: Vec<Event> = Vec::with_capacity(events.len());
    for event in events {
        if in_upload.insert(event.key()) {
            waiting.push(event);
        } else {
            admitted.duplicates += 1;
        }
    }
    drop(in_upload);
    let mut entries = 0;
    loop {
        let reservation = reserve(rooms, owner, waiting.iter().map(Event::key).collect()).await?;
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
        let mut cuts = cut(fresh);
        let last = if pending.is_empty() { Some(cuts.pop().unwrap_or_default()) } else { None };
        for events in cuts {
            entries += 1;
            let part = Part { number: Some(entries), accepted: events.len(), whole: None };
            append(rooms, owner, events, record(&part)?).await?;
        }
        if let Some(events) = last {
            let number = (entries > 0).then_some(entries + 1);
            let part = Part { number, accepted: events.len(), whole: Some(&admitted) };
            append(rooms, owner, events, record(&part)?).await?;
            reservation.commit();
            return Ok(admitted);
        }
        reservation.commit();
        tokio::time::timeout(SETTLING, rooms.seen.settled()).await.map_err(|_| NotAdmitted::Unsettled)?;
        waiting = pending;
    }
}

/// The events of each entry; a larger upload takes several.
fn cut(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut cuts = Vec::new();
    let (mut current, mut bytes) = (Vec::new(), 0);
    for event in events {
        if bytes >= ENTRY_BYTES {
            cuts.push(std::mem::take(&mut current));
            bytes = 0;
        }
        bytes += event.raw().len();
        current.push(event);
    }
    if !current.is_empty() {
        cuts.push(current);
    }
    cuts
}

async fn reserve(rooms: &Rooms, owner: AccountId, ids: Vec<EventId>) -> Result<Reservation, ArchiveError> {
    if ids.len() <= INLINE_IDS {
        return rooms.seen.reserve(owner, &ids);
    }
    let seen = rooms.seen.clone();
    let task = tokio::task::spawn_blocking(move || seen.reserve(owner, &ids));
    task.await.map_err(|_| ArchiveError::Closed)?
}

async fn append(
    rooms: &Rooms,
    owner: AccountId,
    events: Vec<Event>,
    record: Vec<OwnedEvent>,
) -> Result<(), StateError> {
    let mut entry = Vec::with_capacity(events.len() + record.len());
    entry.extend(events.into_iter().map(|event| OwnedEvent { owner, event }));
    entry.extend(record);
    rooms.state.append(Vec::new(), entry).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_REJECTED, Regions};

    fn sort(body: String) -> Result<(Vec<super::Event>, Vec<super::Rejected>), super::NoRecords> {
        let owner = "123456789012".parse().expect("an account");
        super::sort(body.into(), owner, &Regions::default(), chrono::DateTime::<chrono::Utc>::MAX_UTC)
    }

    #[test]
    fn bad_records_are_listed_up_to_a_limit_of_memory() {
        let (good, rejected) = sort("x\n".repeat(MAX_REJECTED)).expect("so many are listed");
        assert!(good.is_empty());
        assert_eq!(rejected.len(), MAX_REJECTED);
        let refused = sort("x\n".repeat(MAX_REJECTED + 1)).expect_err("one more is not");
        assert_eq!(refused.first, rejected[0]);
    }
}
