//! The memory that imports and uploads may take, all of them together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use opentrail_event::Event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of files that are fetched and not unpacked.
const PACKED_BYTES: u64 = 16 << 20;
/// Bytes of records that are unpacked and that no Parquet file has: three batches, so that one is gathered while two are
/// encoded.
///
/// A record takes its text and about 320 bytes more until it is a row, and then about twice its text, since a row has it
/// whole and in columns. Real records are some 1,300 bytes. So this is at most 96 MiB x 2.2 = 210 MiB of memory, should
/// everything be rows at once; with two processors, two batches are: 64 MiB x 2.2 + 32 MiB x 1.25 = 180 MiB.
const TEXT_BYTES: u64 = 3 * BATCH_BYTES as u64;
/// Bytes of records after which a batch is written. It makes a file for each of its days; a batch twice as large would make
/// half as many, of which merging would have less to do, and take twice the memory.
pub(super) const BATCH_BYTES: usize = 32 << 20;
/// Bytes of records that come into a batch together, one record apart that may be larger. A batch is larger than
/// [`BATCH_BYTES`] by no more than that.
const PORTION_BYTES: usize = 16 << 20;
/// Memory is counted in pieces of this size.
const PIECE_BYTES: u64 = 1 << 10;

/// The memory that imports and uploads have together.
#[derive(Debug)]
pub(crate) struct Room {
    packed: Arc<Semaphore>,
    texts: Arc<Semaphore>,
    /// How many wait for room for records.
    waiting: AtomicUsize,
}

/// Room that is taken, until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    permit: OwnedSemaphorePermit,
}

impl Room {
    pub(crate) fn new() -> Self {
        let pieces = |bytes: u64| Arc::new(Semaphore::new(usize::try_from(bytes / PIECE_BYTES).unwrap_or(1)));
        Self { packed: pieces(PACKED_BYTES), texts: pieces(TEXT_BYTES), waiting: AtomicUsize::new(0) }
    }

    /// Waits for room for a packed file of so many bytes, or for all that there may be.
    pub(crate) async fn packed(&self, bytes: u64) -> Option<Held> {
        take(&self.packed, bytes, PACKED_BYTES).await
    }

    /// Waits for room for records of so many bytes, or for all that there may be.
    pub(crate) async fn texts(&self, bytes: u64) -> Option<Held> {
        let _waits = Waits::begin(&self.waiting);
        take(&self.texts, bytes, TEXT_BYTES).await
    }

    /// Whether somebody waits for room for records: what has some should not wait for more to come.
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Counts one who waits, also where the waiting is given up.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn take(room: &Arc<Semaphore>, bytes: u64, most: u64) -> Option<Held> {
    let pieces = bytes.min(most).div_ceil(PIECE_BYTES).max(1).min(most / PIECE_BYTES);
    let permit = room.clone().acquire_many_owned(u32::try_from(pieces).ok()?).await.ok()?;
    Some(Held { permit })
}

impl Held {
    /// Gives back what was taken beyond so many bytes: a file may be smaller than it says, or one that has no events, and
    /// those after it are not to wait for a batch with it.
    pub(crate) fn keep(mut self, bytes: u64) -> Self {
        let needed = usize::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(usize::MAX);
        drop(self.permit.split(self.permit.num_permits().saturating_sub(needed)));
        self
    }
}

/// The bytes of some records.
pub(crate) fn bytes_of(events: &[Event]) -> usize {
    events.iter().map(|event| event.raw().len()).sum()
}

/// Events in portions of bounded size and in their order, none of them empty but where there are no events.
fn portions(events: Vec<Event>) -> Vec<Vec<Event>> {
    if bytes_of(&events) <= PORTION_BYTES {
        return vec![events];
    }
    let (mut portions, mut portion, mut bytes) = (Vec::new(), Vec::new(), 0);
    for event in events {
        if bytes + event.raw().len() > PORTION_BYTES && !portion.is_empty() {
            portions.push(std::mem::take(&mut portion));
            bytes = 0;
        }
        bytes += event.raw().len();
        portion.push(event);
    }
    portions.push(portion);
    portions
}

/// Events in [`portions`], the last of which comes with what is `due` when all are done.
pub(crate) fn portions_with<T: Default>(events: Vec<Event>, due: T) -> impl Iterator<Item = (Vec<Event>, T)> {
    let portions = portions(events);
    let others = portions.len().saturating_sub(1);
    let dues = std::iter::repeat_with(T::default).take(others).chain(std::iter::once(due));
    portions.into_iter().zip(dues)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn all_together_hold_no_more_than_there_is() {
        let room = Room::new();
        let first = room.texts(TEXT_BYTES - PIECE_BYTES).now_or_never().flatten().expect("there is room");
        let second = room.texts(1).now_or_never().flatten().expect("there is room");
        assert!(!room.is_short());
        let mut third = Box::pin(room.texts(1));
        assert!(third.as_mut().now_or_never().is_none(), "there is none left");
        assert!(room.is_short());
        // What of the first is not needed is the third's.
        let first = first.keep(PIECE_BYTES);
        assert!(third.await.is_some());
        assert!(!room.is_short());
        drop((first, second));
        assert_eq!(room.texts.available_permits() as u64, TEXT_BYTES / PIECE_BYTES);
    }

    #[tokio::test]
    async fn what_is_larger_than_all_room_comes_alone() {
        let room = Room::new();
        let small = room.texts(1).await.expect("there is room");
        let mut large = Box::pin(room.texts(u64::MAX));
        assert!(large.as_mut().now_or_never().is_none());
        let mut after = Box::pin(room.texts(1));
        drop(small);
        let large = large.await.expect("it is alone");
        assert!(after.as_mut().now_or_never().is_none());
        drop(large);
        assert!(after.await.is_some());
    }

    #[tokio::test]
    async fn who_gives_up_waits_no_more() {
        let room = Room::new();
        let all = room.texts(TEXT_BYTES).await;
        drop(room.texts(1).now_or_never());
        assert!(!room.is_short());
        drop(all);
    }

    #[test]
    fn events_come_in_portions_of_bounded_size_in_their_order() {
        let event = |number: usize, bytes: usize| {
            let text = format!(
                r#"{{"eventID": "{number}", "eventTime": "2026-01-01T00:00:00Z", "eventName": "A", "eventSource": "b",
                "awsRegion": "us-east-1", "c": "{}"}}"#,
                "d".repeat(bytes)
            );
            Event::parse(text.into()).expect("an event")
        };
        let sizes = [10, 1_000_000, 700_000, 10, 900_000, 1_000_000, 10];
        let events: Vec<Event> = (0..70).map(|number| event(number, sizes[number % sizes.len()])).collect();
        let ids = |events: &[Event]| events.iter().map(|event| event.id().to_owned()).collect::<Vec<_>>();
        let all = ids(&events);
        let parts = portions(events);
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| !part.is_empty() && bytes_of(part) <= PORTION_BYTES));
        assert_eq!(ids(&parts.concat()), all);
        assert_eq!(portions(Vec::new()), [Vec::new()]);
    }
}
