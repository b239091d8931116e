//! Reading: from memory where possible, else from the segments, checking every entry.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    Item, JournalError, Seq,
    catalog::Lookup,
    error::Damage,
    journal::{Progress, Shared},
    segment::Frames,
};

/// Reads durable entries in order. Each reader has its own position and no effect on appends or other readers.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    next: Seq,
    cursor: Option<Cursor>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, after: Seq) -> Self {
        let progress = shared.progress.subscribe();
        Self { shared, progress, next: after.next(), cursor: None }
    }

    /// The entry read last: where a new reader would go on after.
    pub fn position(&self) -> Seq {
        self.next.previous()
    }

    /// The next entries: at least one, at most `max_items`, and at most `max_bytes` of payload unless the
    /// first alone is larger. Waits for one. A future that is dropped has read nothing.
    ///
    /// # Errors
    /// [`JournalError::Gone`] if retention dropped the position; [`JournalError::Corrupt`] naming the damaged
    /// entry; [`JournalError::Ahead`] if the position was never reached; [`JournalError::Closed`] when all is
    /// read and the journal is closed. The position stays, so the next call answers the same.
    pub async fn next_batch(
        &mut self,
        max_items: usize,
        max_bytes: usize,
    ) -> Result<Vec<Item>, JournalError> {
        loop {
            let progress = *self.progress.borrow_and_update();
            if self.next <= progress.durable {
                if let Some(items) = self.take_from_tail(progress.durable, max_items, max_bytes) {
                    return Ok(self.advance(items));
                }
                return self.take_from_disk(progress.durable, max_items, max_bytes).await;
            }
            self.check_ahead(progress.durable)?;
            if progress.ended || self.progress.changed().await.is_err() {
                return Err(JournalError::Closed);
            }
        }
    }

    /// As [`Reader::next_batch`], but blocks on the disk, and answers nothing when all is read.
    ///
    /// # Errors
    /// As [`Reader::next_batch`], without [`JournalError::Closed`].
    pub fn try_next_batch(&mut self, max_items: usize, max_bytes: usize) -> Result<Vec<Item>, JournalError> {
        let durable = self.progress.borrow_and_update().durable;
        if self.next > durable {
            self.check_ahead(durable)?;
            return Ok(Vec::new());
        }
        if let Some(items) = self.take_from_tail(durable, max_items, max_bytes) {
            return Ok(self.advance(items));
        }
        let cursor = self.cursor.take();
        let (cursor, read) = read_disk(&self.shared, cursor, self.next, durable, max_items, max_bytes);
        self.cursor = cursor;
        Ok(self.advance(read?))
    }

    fn check_ahead(&self, durable: Seq) -> Result<(), JournalError> {
        let position = self.position();
        if position <= durable { Ok(()) } else { Err(JournalError::Ahead { position, durable }) }
    }

    fn take_from_tail(&mut self, durable: Seq, max_items: usize, max_bytes: usize) -> Option<Vec<Item>> {
        let items = self.shared.tail.read().batch(self.next, durable, max_items, max_bytes)?;
        self.cursor = None;
        Some(items)
    }

    async fn take_from_disk(
        &mut self,
        durable: Seq,
        max_items: usize,
        max_bytes: usize,
    ) -> Result<Vec<Item>, JournalError> {
        let (shared, cursor, next) = (self.shared.clone(), self.cursor.take(), self.next);
        let task = tokio::task::spawn_blocking(move || {
            read_disk(&shared, cursor, next, durable, max_items, max_bytes)
        });
        // The task fails only when the runtime is shutting down.
        let (cursor, read) = task.await.map_err(|_| JournalError::Closed)?;
        self.cursor = cursor;
        Ok(self.advance(read?))
    }

    fn advance(&mut self, items: Vec<Item>) -> Vec<Item> {
        if let Some(last) = items.last() {
            self.next = last.seq.next();
        }
        items
    }
}

/// Where a reader stands in the segments.
#[derive(Debug)]
struct Cursor {
    frames: Frames,
    /// An entry that was read and was too much for the batch.
    ahead: Option<Item>,
}

impl Cursor {
    fn next(&self) -> Seq {
        self.ahead.as_ref().map_or(self.frames.expected(), |item| item.seq)
    }
}

/// Reads entries from `next` to `durable` from the segments, going on with the cursor if it stands there.
fn read_disk(
    shared: &Shared,
    cursor: Option<Cursor>,
    next: Seq,
    durable: Seq,
    max_items: usize,
    max_bytes: usize,
) -> (Option<Cursor>, Result<Vec<Item>, JournalError>) {
    let mut cursor = cursor.filter(|cursor| cursor.next() == next);
    let mut items = Vec::new();
    let mut bytes = 0;
    let mut seq = next;
    while items.len() < max_items.max(1) && seq <= durable {
        match read_entry(shared, cursor.take(), seq) {
            Ok((item, read)) => {
                let cursor = cursor.insert(read);
                bytes += item.payload.len();
                if bytes > max_bytes && !items.is_empty() {
                    cursor.ahead = Some(item);
                    break;
                }
                items.push(item);
                seq = seq.next();
            }
            // What was read before the error is good; the next call meets the error again.
            Err(_) if !items.is_empty() => break,
            Err(error) => return (None, Err(error)),
        }
    }
    (cursor, Ok(items))
}

/// Reads one durable entry.
fn read_entry(shared: &Shared, cursor: Option<Cursor>, seq: Seq) -> Result<(Item, Cursor), JournalError> {
    let found = shared.catalog.read().find(seq);
    let found = found.ok_or_else(|| JournalError::Gone { first: shared.first() })?;
    let mut cursor = match cursor.filter(|cursor| cursor.frames.header().first == found.segment) {
        Some(cursor) => cursor,
        None => Cursor { frames: open(shared, &found)?, ahead: None },
    };
    if let Some(item) = cursor.ahead.take() {
        return Ok((item, cursor));
    }
    while let Some(frame) = cursor.frames.next(found.len)? {
        if frame.seq == seq {
            return Ok((Item { seq, payload: frame.payload, attachment: None }, cursor));
        }
    }
    // The segment ended before an entry that the next segment's name says is in it.
    Err(cursor.frames.corrupt(Damage::Truncated))
}

fn open(shared: &Shared, found: &Lookup) -> Result<Frames, JournalError> {
    match Frames::open(&*shared.disk, &shared.dir, found.segment) {
        Ok(mut frames) => {
            frames.seek(found.place.0, found.place.1);
            Ok(frames)
        }
        // Dropped by retention after it was looked up.
        Err(JournalError::Corrupt { damage: Damage::Missing, .. }) if shared.first() > found.segment => {
            Err(JournalError::Gone { first: shared.first() })
        }
        Err(error) => Err(error),
    }
}
