//! The queue between those who append and the one thread that writes; bounded in bytes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::{
    Attachment, JournalError, Seq,
    frame::FRAME_HEADER_BYTES,
    options::{ENTRY_OVERHEAD_BYTES, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES},
};

/// An entry that waits to be written.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) payload: Bytes,
    pub(crate) attachment: AttachmentCell,
    done: oneshot::Sender<Result<Seq, JournalError>>,
    _room: OwnedSemaphorePermit,
}

/// An attachment, which cannot say what it is.
#[derive(Default)]
pub(crate) struct AttachmentCell(pub(crate) Option<Attachment>);

impl std::fmt::Debug for AttachmentCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "attached" } else { "none" })
    }
}

impl Waiting {
    /// Bytes that the entry takes on the disk.
    pub(crate) fn frame_len(&self) -> usize {
        FRAME_HEADER_BYTES + self.payload.len()
    }

    pub(crate) fn answer(self, result: Result<Seq, JournalError>) {
        // A caller that stopped waiting needs no answer.
        let _ = self.done.send(result);
    }
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    enqueued: u64,
    closed: bool,
}

/// What came of waiting for entries.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Entries, at least one.
    Group(Vec<Waiting>),
    /// None came in time.
    Nothing,
    /// None will come: the queue is closed and empty.
    Closed,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    line: Mutex<Line>,
    filled: Condvar,
    room: Arc<Semaphore>,
    capacity: usize,
    finished: watch::Sender<u64>,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, u32::MAX as usize);
        Self {
            line: Mutex::default(),
            filled: Condvar::new(),
            room: Arc::new(Semaphore::new(capacity)),
            capacity,
            finished: watch::Sender::new(0),
        }
    }

    /// Bytes in the queue and being written.
    pub(crate) fn bytes(&self) -> usize {
        self.capacity - self.room.available_permits().min(self.capacity)
    }

    /// Waits for room, then stands in line. The order of the entries is the order in which this returns.
    pub(crate) async fn enqueue(
        &self,
        payload: Bytes,
        attachment: Option<Attachment>,
    ) -> Result<oneshot::Receiver<Result<Seq, JournalError>>, JournalError> {
        let size = (payload.len() + ENTRY_OVERHEAD_BYTES).min(self.capacity);
        let room =
            self.room.clone().acquire_many_owned(size as u32).await.map_err(|_| JournalError::Closed)?;
        let (done, receiver) = oneshot::channel();
        let mut line = self.line.lock();
        if line.closed {
            return Err(JournalError::Closed);
        }
        line.waiting.push_back(Waiting {
            payload,
            attachment: AttachmentCell(attachment),
            done,
            _room: room,
        });
        line.enqueued += 1;
        self.filled.notify_one();
        Ok(receiver)
    }

    /// The next group to commit, in order; waits for one, at most for `patience`.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Taken {
        let mut line = self.line.lock();
        while line.waiting.is_empty() {
            if line.closed {
                return Taken::Closed;
            }
            match patience {
                None => self.filled.wait(&mut line),
                Some(patience) => {
                    if self.filled.wait_for(&mut line, patience).timed_out() && line.waiting.is_empty() {
                        return Taken::Nothing;
                    }
                }
            }
        }
        let (mut bytes, mut count) = (0, 0);
        for waiting in &line.waiting {
            bytes += waiting.frame_len();
            if count == MAX_BATCH_ENTRIES || (bytes > MAX_BATCH_BYTES && count > 0) {
                break;
            }
            count += 1;
        }
        Taken::Group(line.waiting.drain(..count).collect())
    }

    /// Says that so many entries have had their answer.
    pub(crate) fn finished(&self, count: usize) {
        self.finished.send_modify(|finished| *finished += count as u64);
    }

    /// Says that what was taken out of the line and has had no answer will get none: the writer lost it.
    pub(crate) fn abandon_taken(&self) {
        let line = self.line.lock();
        let taken = line.enqueued.saturating_sub(line.waiting.len() as u64);
        self.finished.send_modify(|finished| *finished = taken.max(*finished));
    }

    /// Waits until everything that stands in line now has had its answer.
    pub(crate) async fn settled(&self) {
        let enqueued = self.line.lock().enqueued;
        let mut finished = self.finished.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = finished.wait_for(|finished| *finished >= enqueued).await;
    }

    /// Takes no more entries; those in line are still written.
    pub(crate) fn close(&self) {
        self.line.lock().closed = true;
        self.room.close();
        self.filled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::time::timeout;

    use super::{Queue, Taken};

    #[tokio::test]
    async fn what_a_panic_took_with_it_is_not_waited_for() {
        let queue = Queue::new(1 << 20);
        for _ in 0..2 {
            drop(queue.enqueue(Bytes::from_static(b"lost"), None).await.expect("there is room"));
        }
        let Taken::Group(group) = queue.take(None) else { panic!("two wait") };
        drop(group);
        drop(queue.enqueue(Bytes::from_static(b"waits"), None).await.expect("there is room"));
        queue.abandon_taken();
        let soon = Duration::from_millis(20);
        assert!(timeout(soon, queue.settled()).await.is_err(), "one still stands in line");
        let Taken::Group(group) = queue.take(None) else { panic!("one waits") };
        queue.finished(group.len());
        assert!(timeout(soon, queue.settled()).await.is_ok());
    }
}
