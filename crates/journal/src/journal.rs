//! The journal itself: what the rest of opentrail holds.

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::JoinHandle,
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use crate::{
    Attachment, Hold, JournalError, JournalOptions, JournalStatus, PoisonCause, Reader, Recovery, Seq,
    catalog::Catalog,
    disk::{Disk, DiskLock},
    error::io_error,
    hold::Holds,
    measure,
    options::MAX_ENTRY_BYTES,
    probe::remove_probe,
    queue::Queue,
    recovery::recover,
    status::Health,
    tail::Tail,
    writer::Writer,
};

/// The lock's file name inside the journal's folder.
pub(crate) const LOCK_NAME: &str = "lock";

/// How far the journal is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) durable: Seq,
    pub(crate) ended: bool,
}

/// What the writer, the readers and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: JournalOptions,
    pub(crate) queue: Queue,
    pub(crate) tail: RwLock<Tail>,
    pub(crate) catalog: RwLock<Catalog>,
    pub(crate) holds: Arc<Holds>,
    pub(crate) progress: watch::Sender<Progress>,
    health: Mutex<Health>,
    /// Present while this journal owns the folder; whoever removes files keeps it locked meanwhile.
    pub(crate) lock: Mutex<Option<Box<dyn DiskLock>>>,
}

impl Shared {
    /// The error to answer with, if the journal has stopped.
    pub(crate) fn poisoned(&self) -> Option<JournalError> {
        match &*self.health.lock() {
            Health::Poisoned(cause) => Some(JournalError::Poisoned(cause.clone())),
            Health::Healthy | Health::Full => None,
        }
    }

    /// Stops the journal; the first cause stays.
    pub(crate) fn poison(&self, cause: PoisonCause) -> JournalError {
        let mut health = self.health.lock();
        if let Health::Poisoned(first) = &*health {
            return JournalError::Poisoned(first.clone());
        }
        tracing::error!(%cause, "the journal stops; it takes nothing more until it is opened again");
        measure::poisoned(true);
        let cause = Arc::new(cause);
        *health = Health::Poisoned(cause.clone());
        JournalError::Poisoned(cause)
    }

    pub(crate) fn is_full(&self) -> bool {
        matches!(&*self.health.lock(), Health::Full)
    }

    /// Changes between healthy and full; answers whether that is news. A journal that stopped stays so.
    pub(crate) fn set_health(&self, new: Health) -> bool {
        let mut health = self.health.lock();
        if matches!(&*health, Health::Poisoned(_)) {
            return false;
        }
        let news = health.is_healthy() != new.is_healthy();
        *health = new;
        news
    }

    pub(crate) fn durable(&self) -> Seq {
        self.progress.borrow().durable
    }

    pub(crate) fn first(&self) -> Seq {
        self.catalog.read().first()
    }

    pub(crate) fn set_durable(&self, durable: Seq) {
        self.progress.send_modify(|progress| progress.durable = durable);
    }

    /// The writer's last act.
    pub(crate) fn end(&self) {
        drop(self.lock.lock().take());
        self.progress.send_modify(|progress| progress.ended = true);
    }
}

/// The handles' own part: when the last handle goes, the writer is stopped and waited for.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.lock().take() {
            // The thread catches its own panics and reports them as poison.
            let _ = writer.join();
        }
    }
}

/// The durable ordered log. Clones are the same journal.
///
/// Dropping the last clone writes what is in the queue and waits for it, which blocks for about one sync;
/// [`Journal::close`] does the same without blocking the thread.
#[derive(Debug, Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

impl Journal {
    /// Opens the journal in `dir`, making it if absent. Blocks: it reads the last segment.
    ///
    /// # Errors
    /// [`JournalError::InUse`] if another has it; [`JournalError::Corrupt`] if something that was durable is
    /// not as it was written; [`JournalError::DiskFull`] and [`JournalError::Io`] from the file system.
    pub fn open(
        dir: &Path,
        options: JournalOptions,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Recovery), JournalError> {
        disk.create_dir_all(dir).map_err(|error| io_error("create", dir, error))?;
        let lock = lock(&*disk, dir)?;
        remove_probe(&*disk, dir).map_err(|error| io_error("clean up", dir, error))?;
        let recovered = recover(&*disk, dir)?;
        if let Some(torn) = &recovered.report.cut {
            tracing::warn!(
                segment = torn.segment, offset = torn.offset, bytes = torn.bytes, damage = %torn.damage,
                "cut off what a crash had left half-written at the journal's end"
            );
        }
        let durable = recovered.report.last;
        let len = recovered.catalog.active().len;
        measure::poisoned(false);
        measure::segments(recovered.catalog.count(), recovered.catalog.bytes());
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            disk,
            queue: Queue::new(options.queue_bytes),
            tail: RwLock::new(Tail::new(options.tail_bytes)),
            catalog: RwLock::new(recovered.catalog),
            holds: Arc::default(),
            progress: watch::Sender::new(Progress { durable, ended: false }),
            health: Mutex::new(Health::Healthy),
            lock: Mutex::new(Some(lock)),
            options,
        });
        let writer = Writer::new(shared.clone(), recovered.file, recovered.header, len, durable.next());
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| io_error("start the writer of", dir, error))?;
        let handle = Handle { shared, writer: Mutex::new(Some(thread)) };
        Ok((Self { handle: Arc::new(handle) }, recovered.report))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Appends an entry and returns when it is durable. Many callers share one sync.
    ///
    /// If the queue is full this waits. A future that is dropped while it waits for room appends nothing;
    /// one that is dropped later has appended.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`], [`JournalError::Closed`]: nothing was written.
    /// [`JournalError::DiskFull`]: not written, try again later. [`JournalError::Poisoned`]: unknown.
    pub async fn append(&self, payload: Bytes, attachment: Option<Attachment>) -> Result<Seq, JournalError> {
        self.enqueue(payload, attachment).await?.await
    }

    /// The first half of [`Journal::append`]: returns when the entry has its place in the order; the answer
    /// then says when it is durable. For a caller that must fix the order of its entries without waiting for
    /// the disk.
    ///
    /// # Errors
    /// As [`Journal::append`], but for what only writing shows.
    pub async fn enqueue(
        &self,
        payload: Bytes,
        attachment: Option<Attachment>,
    ) -> Result<Appending, JournalError> {
        if payload.len() > MAX_ENTRY_BYTES {
            return Err(JournalError::TooLarge { bytes: payload.len(), limit: MAX_ENTRY_BYTES });
        }
        if let Some(error) = self.shared().poisoned() {
            return Err(error);
        }
        let answer = self.shared().queue.enqueue(payload, attachment).await?;
        Ok(Appending { answer })
    }

    /// The newest durable entry; [`Seq::ZERO`] if there was none ever.
    pub fn durable(&self) -> Seq {
        self.shared().durable()
    }

    /// The oldest entry that is kept; one after [`Journal::durable`] if there is none.
    pub fn first(&self) -> Seq {
        self.shared().first()
    }

    /// Waits until every append that had its place in the queue before this call is durable or has failed.
    pub async fn settled(&self) {
        self.shared().queue.settled().await;
    }

    /// A reader of the entries after `after`.
    pub fn reader(&self, after: Seq) -> Reader {
        Reader::new(self.shared().clone(), after)
    }

    /// Keeps every entry after `after` from being dropped. See [`Hold`].
    pub fn hold(&self, name: &'static str, after: Seq) -> Hold {
        self.shared().holds.register(name, after)
    }

    /// Drops the segments that every hold has passed, oldest first, each durably before the next. The active
    /// segment always stays. Without any hold nothing is dropped. Call it only when all readers have
    /// registered their holds.
    ///
    /// # Errors
    /// [`JournalError::Closed`], [`JournalError::Poisoned`], [`JournalError::Io`]. What was dropped before
    /// the error stays dropped.
    pub async fn reclaim(&self) -> Result<Reclaimed, JournalError> {
        let shared = self.shared().clone();
        let task = tokio::task::spawn_blocking(move || reclaim(&shared));
        task.await.unwrap_or(Err(JournalError::Closed))
    }

    /// How the journal is.
    pub fn status(&self) -> JournalStatus {
        let shared = self.shared();
        let (first, segments, bytes) = {
            let catalog = shared.catalog.read();
            (catalog.first(), catalog.count(), catalog.bytes())
        };
        JournalStatus {
            health: shared.health.lock().clone(),
            first,
            durable: shared.durable(),
            segments,
            bytes,
            queue_bytes: shared.queue.bytes(),
            tail_bytes: shared.tail.read().bytes(),
            holds: shared.holds.list(),
        }
    }

    /// Takes no more entries, writes those in the queue, and gives the folder free. Readers still read what is
    /// there and then get [`JournalError::Closed`].
    pub async fn close(&self) {
        self.shared().queue.close();
        let mut progress = self.shared().progress.subscribe();
        // The sender lives in `shared`, so the wait cannot fail.
        let _ = progress.wait_for(|progress| progress.ended).await;
    }
}

/// An entry on its way to the disk. Resolves to its position when it is durable. Dropping it does not take
/// the entry back.
#[derive(Debug)]
#[must_use = "the entry is durable only when this resolves"]
pub struct Appending {
    answer: oneshot::Receiver<Result<Seq, JournalError>>,
}

impl Future for Appending {
    type Output = Result<Seq, JournalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|answer| {
            // The writer answers every entry, except those that a panic took with it.
            answer.unwrap_or_else(|_| Err(JournalError::Poisoned(Arc::new(PoisonCause::WriterEnded))))
        })
    }
}

/// What [`Journal::reclaim`] dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reclaimed {
    /// Segments dropped.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The oldest entry that is kept now.
    pub first: Seq,
}

fn reclaim(shared: &Shared) -> Result<Reclaimed, JournalError> {
    let owned = shared.lock.lock();
    if owned.is_none() {
        return Err(JournalError::Closed);
    }
    if let Some(error) = shared.poisoned() {
        return Err(error);
    }
    let mut reclaimed = Reclaimed { segments: 0, bytes: 0, first: shared.first() };
    let Some(floor) = shared.holds.floor() else { return Ok(reclaimed) };
    loop {
        let Some(segment) = shared.catalog.read().oldest_within(floor) else { break };
        let path = shared.dir.join(crate::segment::segment_name(segment.first));
        match shared.disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", path, error));
            }
            _ => {}
        }
        let mut catalog = shared.catalog.write();
        catalog.drop_oldest();
        reclaimed.first = catalog.first();
        measure::segments(catalog.count(), catalog.bytes());
        drop(catalog);
        reclaimed.segments += 1;
        reclaimed.bytes += segment.len;
        shared.disk.sync_dir(&shared.dir).map_err(|error| io_error("sync", &shared.dir, error))?;
    }
    Ok(reclaimed)
}

/// Takes the journal's folder.
pub(crate) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DiskLock>, JournalError> {
    let path = dir.join(LOCK_NAME);
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => JournalError::InUse { dir: dir.to_owned() },
        _ => io_error("lock", path, error),
    })
}
