//! The one thread that writes: group commit, rotation, and what it does when the disk fails.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use crate::{
    Item, JournalError, PoisonCause, Seq,
    catalog::{Place, SegmentInfo},
    disk::{DiskFile, is_full},
    frame::encode_header,
    journal::Shared,
    mark::Mark,
    measure,
    probe::{PROBE_INTERVAL, probe},
    queue::{Taken, Waiting},
    segment::{SEGMENT_HEADER_BYTES, SegmentHeader, create_segment, segment_name},
    status::Health,
};

/// Payloads below this are gathered into one write; larger ones are written from where they are.
const GATHER_BYTES: usize = 64 << 10;

/// Gathered bytes are written when there are so many.
const BUFFER_BYTES: usize = 1 << 20;

/// Why a group commit failed.
enum Failure {
    /// No room, and the file is as it was before.
    Full(io::Error),
    /// Nothing is certain any more.
    Poison(PoisonCause),
}

fn poison(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Failure {
    Failure::Poison(PoisonCause::Io { operation, path: path.into(), source })
}

/// The writing thread's own.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    file: Box<dyn DiskFile>,
    header: SegmentHeader,
    /// Durable bytes of the active segment; all writes begin here.
    len: u64,
    /// The entry that the next append becomes.
    next: Seq,
    mark: Mark,
    buffer: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        file: Box<dyn DiskFile>,
        header: SegmentHeader,
        len: u64,
        next: Seq,
    ) -> Self {
        let mut mark = Mark::open(&*shared.disk, &shared.dir);
        mark.set(next.previous());
        Self { shared, file, header, len, next, mark, buffer: Vec::with_capacity(BUFFER_BYTES) }
    }

    /// Writes until the queue is closed and empty, then gives the folder free.
    pub(crate) fn run(mut self) {
        let shared = self.shared.clone();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let full = self.shared.is_full();
                match self.shared.queue.take(full.then_some(PROBE_INTERVAL)) {
                    Taken::Group(group) => self.commit(group),
                    Taken::Nothing => self.probe(),
                    Taken::Closed => break,
                }
            }
            self.mark.sync();
        }));
        if ran.is_err() {
            let error = shared.poison(PoisonCause::WriterEnded);
            shared.queue.abandon_taken();
            while let Taken::Group(group) = shared.queue.take(None) {
                refuse(&shared, group, &error);
            }
        }
        drop(self);
        shared.end();
    }

    /// Looks whether a full disk has room again.
    fn probe(&self) {
        match probe(&*self.shared.disk, &self.shared.dir) {
            Ok(()) => self.healthy(),
            Err(error) => tracing::debug!(%error, "still no space for the journal"),
        }
    }

    fn healthy(&self) {
        if self.shared.set_health(Health::Healthy) {
            tracing::info!("the journal has space again");
        }
    }

    fn commit(&mut self, group: Vec<Waiting>) {
        if let Some(error) = self.shared.poisoned() {
            return refuse(&self.shared, group, &error);
        }
        match self.write(&group) {
            Ok(written) => self.publish(group, &written),
            Err(Failure::Full(error)) => {
                measure::disk_full();
                if self.shared.set_health(Health::Full) {
                    tracing::warn!(%error, "no space left for the journal; appends are refused");
                }
                refuse(&self.shared, group, &JournalError::DiskFull(Arc::new(error)));
            }
            Err(Failure::Poison(cause)) => {
                let error = self.shared.poison(cause);
                refuse(&self.shared, group, &error);
            }
        }
    }

    /// Makes a group durable. Answers where its first entry starts and where the segment then ends.
    fn write(&mut self, group: &[Waiting]) -> Result<Written, Failure> {
        if self.len >= self.shared.options.segment_bytes && self.next > self.header.first {
            self.rotate()?;
        }
        let path = self.path();
        let end = match self.write_frames(group) {
            Ok(end) => end,
            Err(error) if is_full(&error) => return Err(self.roll_back(error)),
            Err(error) => return Err(poison("write", path, error)),
        };
        let began = Instant::now();
        self.file.sync_data().map_err(|error| poison("sync", path, error))?;
        Ok(Written { first: (self.next, self.len), end, sync: began.elapsed() })
    }

    fn write_frames(&mut self, group: &[Waiting]) -> io::Result<u64> {
        let mut at = self.len;
        self.buffer.clear();
        for (back, waiting) in group.iter().enumerate() {
            let seq = Seq(self.next.0 + back as u64);
            let header = encode_header(self.header.salt, seq, back as u32, &waiting.payload);
            self.buffer.extend_from_slice(&header);
            let direct = waiting.payload.len() >= GATHER_BYTES;
            if !direct {
                self.buffer.extend_from_slice(&waiting.payload);
            }
            if direct || self.buffer.len() >= BUFFER_BYTES {
                self.flush(&mut at)?;
            }
            if direct {
                self.file.write_all_at(&waiting.payload, at)?;
                at += waiting.payload.len() as u64;
            }
        }
        self.flush(&mut at)?;
        Ok(at)
    }

    fn flush(&mut self, at: &mut u64) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, *at)?;
        *at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Cuts off what a failed group wrote. Durably: its callers hear that it will never be there.
    fn roll_back(&self, full: io::Error) -> Failure {
        match self.file.set_len(self.len).and_then(|()| self.file.sync_data()) {
            Ok(()) => Failure::Full(full),
            Err(error) => poison("cut", self.path(), error),
        }
    }

    /// Begins the next segment. When that fails, the active one stays.
    fn rotate(&mut self) -> Result<(), Failure> {
        let header = SegmentHeader::new(self.next, (self.header.first, self.len));
        let path = self.shared.dir.join(segment_name(header.first));
        let file = match create_segment(&*self.shared.disk, &self.shared.dir, &header) {
            Ok(file) => file,
            Err(error) if is_full(&error) => return Err(self.remove_unborn(path, error)),
            Err(error) => return Err(poison("create", path, error)),
        };
        self.file = file;
        self.header = header;
        self.len = SEGMENT_HEADER_BYTES;
        let mut catalog = self.shared.catalog.write();
        catalog.rotate(SegmentInfo::new(header.first, SEGMENT_HEADER_BYTES));
        measure::segments(catalog.count(), catalog.bytes());
        Ok(())
    }

    /// Removes what a failed rotation left, so that the next try finds the name free.
    fn remove_unborn(&self, path: PathBuf, full: io::Error) -> Failure {
        match self.shared.disk.remove_file(&path) {
            Ok(()) => Failure::Full(full),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Failure::Full(full),
            Err(error) => poison("remove", path, error),
        }
    }

    /// The group is durable: readers see it, then its callers hear it.
    fn publish(&mut self, group: Vec<Waiting>, written: &Written) {
        let count = group.len();
        let bytes = written.end - self.len;
        let first = self.next;
        self.next = Seq(first.0 + count as u64);
        self.len = written.end;
        {
            let mut catalog = self.shared.catalog.write();
            let active = catalog.active_mut();
            active.pass(written.first);
            active.len = written.end;
        }
        let (evicted, tail_bytes) = {
            let mut tail = self.shared.tail.write();
            for (at, waiting) in group.iter().enumerate() {
                let seq = Seq(first.0 + at as u64);
                let attachment = waiting.attachment.0.clone();
                tail.push(Item { seq, payload: waiting.payload.clone(), attachment });
            }
            (tail.evict(), tail.bytes())
        };
        drop(evicted);
        self.mark.set(self.next.previous());
        self.healthy();
        self.shared.set_durable(self.next.previous());
        for (at, waiting) in group.into_iter().enumerate() {
            waiting.answer(Ok(Seq(first.0 + at as u64)));
        }
        self.shared.queue.finished(count);
        measure::committed(&measure::Committed {
            entries: count,
            bytes,
            sync: written.sync,
            queue_bytes: self.shared.queue.bytes(),
            tail_bytes,
        });
    }

    fn path(&self) -> PathBuf {
        self.shared.dir.join(segment_name(self.header.first))
    }
}

/// A group that is durable.
struct Written {
    first: Place,
    end: u64,
    sync: std::time::Duration,
}

fn refuse(shared: &Shared, group: Vec<Waiting>, error: &JournalError) {
    let count = group.len();
    for waiting in group {
        waiting.answer(Err(error.clone()));
    }
    shared.queue.finished(count);
}
