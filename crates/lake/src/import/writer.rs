//! The one who writes what imports bring into a store's table.
//!
//! Imports and uploads of one store come together here: what is there already is left out, and the rest becomes large
//! files, in the order in which it came, each batch in one commit with the marks of the imports that it is of. Should a
//! commit fail, nothing that came after it is written: a mark must not pass what is not there.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow_array::RecordBatch;
use chrono::NaiveDate;
use opentrail_event::Event;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    crew::Crew,
    ledger::Progress,
    room::{BATCH_BYTES, Held, Room, bytes_of},
    seen::{Seen, shares},
    under_way::UnderWay,
};
use crate::{
    Columns, EncodedFile, Extra, Keep, LakeError, Shape, encode_keeping,
    ingest::{Lake, Live, View},
    table::Marks,
};

/// Longest time that records of an import wait for more.
const LINGER: Duration = Duration::from_secs(5);
/// They wait no longer for the next when somebody waits for the room that they take.
const SHORT_LINGER: Duration = Duration::from_millis(250);
/// Longest time that a batch waits for what this server recorded before it. While a table can't be written and memory is
/// full, nothing is taken from the journal.
const CATCH_UP: Duration = Duration::from_secs(30);
/// Pieces that wait for their turn.
const WAITING: usize = 256;
/// Bytes of columns after which another batch of Arrow's is begun. Builders have up to twice of what is in them, so they are
/// small beside a batch; and so that jemalloc gives what one let go to the next: allocations above 8 MiB it maps anew.
const COLUMN_BYTES: usize = 8 << 20;

/// What became of some events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events that are in the table now and were not before.
    pub accepted: u64,
    /// Events that were there.
    pub duplicates: u64,
}

/// Events are not known to be written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct NotWritten(Arc<str>);

impl NotWritten {
    fn of(error: &LakeError) -> Self {
        Self(error.to_string().into())
    }

    pub(crate) fn interrupted() -> Self {
        Self(LakeError::Interrupted.to_string().into())
    }

    fn after_another() -> Self {
        Self("what came before was not written".into())
    }
}

/// How an import goes on with some events.
pub(crate) struct Step {
    /// Which run of an import it is of.
    pub(crate) session: u64,
    /// The import's mark.
    pub(crate) mark: String,
    /// The import's progress, up to the batch that is gathered.
    pub(crate) progress: Arc<Mutex<Progress>>,
    /// What these files add to it.
    pub(crate) done: Done,
}

/// What is done with some files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// The last of their keys, where they are the next in order.
    pub(crate) key: Option<String>,
    /// Folders that are left behind.
    pub(crate) prefixes: u64,
    /// How many were taken.
    pub(crate) files: u64,
    /// Events of theirs that are older than the store keeps events.
    pub(crate) expired: u64,
    /// Whether nothing follows soon: they are written now.
    pub(crate) is_last: bool,
    /// Whether the listing has come to its end.
    pub(crate) is_end: bool,
}

/// Events that are written together.
pub(crate) struct Piece {
    pub(crate) events: Vec<Event>,
    /// Of an import; uploads have none.
    pub(crate) step: Option<Step>,
    /// The memory that the events take, given back when they are in a file.
    pub(crate) room: Option<Held>,
}

struct Waiting {
    piece: Piece,
    done: oneshot::Sender<Result<Taken, NotWritten>>,
}

/// A handle of the writer of one store. It ends with the last.
#[derive(Clone)]
pub(crate) struct Writer {
    pieces: mpsc::Sender<Waiting>,
    sessions: Arc<AtomicU64>,
    live: Live,
}

impl Writer {
    /// Starts the writer of a store.
    pub(crate) fn start(lake: Lake, live: Live, crew: Crew, room: Arc<Room>) -> Self {
        let (pieces, waiting) = mpsc::channel(WAITING);
        let (commits, to_commit) = mpsc::channel(1);
        let (committed, known_committed) = watch::channel(0);
        let sessions = Arc::<AtomicU64>::default();
        let failures = Arc::<AtomicU64>::default();
        let gatherer = Gatherer {
            lake: lake.clone(),
            live: live.clone(),
            crew,
            room,
            seen: Seen::default(),
            sessions: sessions.clone(),
            failures: failures.clone(),
            known_failures: 0,
            known: live.taken_over(),
            under_way: UnderWay::new(known_committed),
        };
        tokio::spawn(gatherer.run(waiting, commits));
        let counts = Counts { sessions: sessions.clone(), failures, committed };
        tokio::spawn(commit_all(lake, live.clone(), to_commit, counts));
        Self { pieces, sessions, live }
    }

    /// Whether anybody but its keeper has it.
    pub(crate) fn is_used(&self) -> bool {
        self.pieces.strong_count() > 1 || self.pieces.capacity() < WAITING
    }

    /// The table.
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// Begins a run of an import: what an earlier one has not written is not written any more, and what it has is in the
    /// table when this returns.
    pub(crate) async fn begin(&self) -> Result<u64, NotWritten> {
        let session = self.sessions.fetch_add(1, Ordering::AcqRel) + 1;
        if !self.live.is_whole() {
            // Its marks, which say where the import was, may not be known.
            return Err(NotWritten::of(&LakeError::Behind));
        }
        let nothing = Piece { events: Vec::new(), step: None, room: None };
        self.write(nothing).await?.await.unwrap_or_else(|_| Err(NotWritten::after_another()))?;
        Ok(session)
    }

    /// Hands events over; what became of them is known when they are durable.
    pub(crate) async fn write(
        &self,
        piece: Piece,
    ) -> Result<oneshot::Receiver<Result<Taken, NotWritten>>, NotWritten> {
        let (done, answer) = oneshot::channel();
        let sent = self.pieces.send(Waiting { piece, done }).await;
        sent.map_err(|_| NotWritten("the writer has ended".into()))?;
        Ok(answer)
    }
}

/// Gathers pieces into batches.
struct Gatherer {
    lake: Lake,
    live: Live,
    crew: Crew,
    room: Arc<Room>,
    seen: Seen,
    sessions: Arc<AtomicU64>,
    failures: Arc<AtomicU64>,
    known_failures: u64,
    /// How many commits of the table had been taken over when it began to learn what there is.
    known: u64,
    under_way: UnderWay,
}

/// A batch on its way into the table.
struct Commit {
    encoding: AbortOnDropHandle<Result<Vec<EncodedFile>, LakeError>>,
    marks: Marks,
    waiting: Vec<(oneshot::Sender<Result<Taken, NotWritten>>, Taken)>,
    /// How many commits had failed when it was gathered.
    failures: u64,
    /// What was seen, and the marks, are those of a table that had taken over so many commits.
    known: u64,
    /// Which of the writer's batches it is.
    number: u64,
}

impl Gatherer {
    async fn run(mut self, mut pieces: mpsc::Receiver<Waiting>, commits: mpsc::Sender<Commit>) {
        while let Some(first) = pieces.recv().await {
            let mut batch = vec![first];
            self.gather(&mut batch, &mut pieces).await;
            let failures = self.failures.load(Ordering::Acquire);
            if failures != self.known_failures {
                self.known = self.live.taken_over();
                self.seen.clear();
                self.known_failures = failures;
            }
            let batch = self.of_this_session(batch);
            match self.settle(batch, failures).await {
                Ok(Some(commit)) => {
                    if commits.send(commit).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err((waiting, error)) => {
                    tracing::warn!(store = %self.live.id(), %error, "imported events can't be written");
                    self.failures.fetch_add(1, Ordering::AcqRel);
                    self.sessions.fetch_add(1, Ordering::AcqRel);
                    let failed = NotWritten::of(&error);
                    waiting.into_iter().for_each(|waiting| drop(waiting.done.send(Err(failed.clone()))));
                }
            }
        }
    }

    /// Adds what comes until the batch is full, or somebody waits for it and there is nothing more.
    async fn gather(&self, batch: &mut Vec<Waiting>, pieces: &mut mpsc::Receiver<Waiting>) {
        let mut bytes: usize = batch.iter().map(|waiting| bytes_of(&waiting.piece.events)).sum();
        let until = Instant::now() + LINGER;
        let is_last = |waiting: &Waiting| waiting.piece.step.as_ref().is_some_and(|step| step.done.is_last);
        while bytes < BATCH_BYTES && !batch.last().is_some_and(is_last) {
            // An upload has somebody who waits for its answer.
            let next = if batch.iter().any(|waiting| waiting.piece.step.is_none()) {
                pieces.try_recv().ok()
            } else {
                self.next(pieces, until).await
            };
            let Some(next) = next else { return };
            bytes += bytes_of(&next.piece.events);
            batch.push(next);
        }
    }

    /// What comes next until then, or for a short time only if there is no room for more.
    async fn next(&self, pieces: &mut mpsc::Receiver<Waiting>, until: Instant) -> Option<Waiting> {
        loop {
            let look = until.min(Instant::now() + SHORT_LINGER);
            match tokio::time::timeout_at(look, pieces.recv()).await {
                Ok(next) => return next,
                Err(_) if look == until || self.room.is_short() => return None,
                Err(_) => {}
            }
        }
    }

    /// The pieces that may be written: those of a run that failed or was stopped may not.
    fn of_this_session(&self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let session = self.sessions.load(Ordering::Acquire);
        let is_of =
            |waiting: &Waiting| waiting.piece.step.as_ref().is_none_or(|step| step.session == session);
        let (kept, left): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_of);
        left.into_iter().for_each(|waiting| drop(waiting.done.send(Err(NotWritten::after_another()))));
        kept
    }

    /// Leaves out what is there, and has the rest encoded.
    async fn settle(
        &mut self,
        mut batch: Vec<Waiting>,
        failures: u64,
    ) -> Result<Option<Commit>, (Vec<Waiting>, LakeError)> {
        if batch.is_empty() {
            return Ok(None);
        }
        let days = days_of(&batch);
        let view = match self.view(&days).await {
            Ok(view) => view,
            Err(error) => return Err((batch, error)),
        };
        let shares = shares(&days, &view);
        let mut new = New { taken: vec![Taken::default(); batch.len()], events: Vec::new() };
        for share in &shares {
            (batch, new) = self.admit(batch, new, share, &view).await?;
        }
        let mut marks = BTreeMap::new();
        let mut rooms = Vec::new();
        let waiting = batch.into_iter().zip(new.taken).map(|(Waiting { piece, done }, taken)| {
            rooms.extend(piece.room);
            if let Some(step) = piece.step {
                let mut progress = step.progress.lock();
                progress.add(&step.done, taken);
                if let Ok(text) = serde_json::to_string(&*progress) {
                    marks.insert(step.mark, text);
                }
            }
            (done, taken)
        });
        let waiting = waiting.collect();
        let (crew, shape, keep) = (self.crew.clone(), self.live.shape(), self.live.keep());
        let encoding = tokio::spawn(encode(crew, move || files_of(shape, keep, new.events), rooms));
        let (encoding, known) = (AbortOnDropHandle::new(encoding), self.known);
        let number = self.under_way.sent(days, shares.len());
        Ok(Some(Commit { encoding, marks, waiting, failures, known, number }))
    }

    /// What the store has, for events of these days: what this server recorded before them is in it, since the files that
    /// are read may have it too.
    async fn view(&mut self, days: &BTreeSet<NaiveDate>) -> Result<View, LakeError> {
        self.under_way.settled().await;
        if days.is_empty() {
            return Ok(self.live.view());
        }
        let now = self.lake.inner.journal.durable();
        let caught_up = tokio::time::timeout(CATCH_UP, self.lake.caught_up(now)).await;
        caught_up.map_err(|_| LakeError::Behind)?;
        // What a table that waited for its key has not yet may be in the files too.
        let whole = tokio::time::timeout(CATCH_UP, self.live.whole()).await;
        whole.map_err(|_| LakeError::Behind)?;
        Ok(self.live.view())
    }

    /// Finds out which events of some days are new.
    async fn admit(
        &mut self,
        mut batch: Vec<Waiting>,
        mut new: New,
        share: &HashSet<NaiveDate>,
        view: &View,
    ) -> Result<(Vec<Waiting>, New), (Vec<Waiting>, LakeError)> {
        let pinned = self.under_way.days();
        let learned = self.seen.learn(share, &pinned, view, self.live.warehouse().store()).await;
        if let Err(error) = learned {
            return Err((batch, error));
        }
        let (mut seen, share) = (std::mem::take(&mut self.seen), share.clone());
        let admitted = self.crew.run(move || {
            for (waiting, taken) in batch.iter_mut().zip(&mut new.taken) {
                let events = std::mem::take(&mut waiting.piece.events);
                let is_now = |event: &Event| share.contains(&event.time().date_naive());
                let (now, later): (Vec<Event>, Vec<Event>) = events.into_iter().partition(is_now);
                waiting.piece.events = later;
                admit(&mut seen, now, &mut new.events, taken);
            }
            (seen, batch, new)
        });
        let (seen, batch, new) = admitted.await.map_err(|error| (Vec::new(), error))?;
        self.seen = seen;
        Ok((batch, new))
    }
}

/// What of a batch the store does not have.
struct New {
    /// What became of each piece.
    taken: Vec<Taken>,
    events: Vec<Event>,
}

fn days_of(batch: &[Waiting]) -> BTreeSet<NaiveDate> {
    let events = batch.iter().flat_map(|waiting| &waiting.piece.events);
    events.map(|event| event.time().date_naive()).collect()
}

fn admit(seen: &mut Seen, piece: Vec<Event>, events: &mut Vec<Event>, taken: &mut Taken) {
    for event in piece {
        if seen.admit(&event) {
            taken.accepted += 1;
            events.push(event);
        } else {
            taken.duplicates += 1;
        }
    }
}

/// Has events encoded. The room that they take is free when they are in files: until then they take more of it and not less.
async fn encode(
    crew: Crew,
    files: impl FnOnce() -> Result<Vec<EncodedFile>, LakeError> + Send + 'static,
    rooms: Vec<Held>,
) -> Result<Vec<EncodedFile>, LakeError> {
    let encode = move || {
        let files = files();
        drop(rooms);
        files
    };
    crew.run(encode).await?
}

/// Events are let go as they become rows: what they were read from need not be in memory beside the columns.
fn files_of(shape: Shape, keep: Keep, events: Vec<Event>) -> Result<Vec<EncodedFile>, LakeError> {
    let mut batches: Vec<RecordBatch> = Vec::new();
    let mut columns = Columns::new(shape);
    for event in events {
        columns.push(&event, Extra::default());
        if columns.bytes() >= COLUMN_BYTES {
            batches.push(columns.finish()?);
        }
    }
    if !columns.is_empty() {
        batches.push(columns.finish()?);
    }
    if batches.is_empty() { Ok(Vec::new()) } else { encode_keeping(shape, &batches, keep) }
}

/// What the one who commits tells.
struct Counts {
    sessions: Arc<AtomicU64>,
    failures: Arc<AtomicU64>,
    committed: watch::Sender<u64>,
}

/// Commits batches in their order.
async fn commit_all(lake: Lake, live: Live, mut commits: mpsc::Receiver<Commit>, counts: Counts) {
    let Counts { sessions, failures, committed } = counts;
    while let Some(Commit { encoding, marks, waiting, failures: before, known, number }) =
        commits.recv().await
    {
        let outcome = if failures.load(Ordering::Acquire) == before {
            let written = write(&lake, &live, encoding, marks, known).await;
            written.map_err(|error| {
                tracing::warn!(store = %live.id(), %error, "imported events can't be written");
                failures.fetch_add(1, Ordering::AcqRel);
                sessions.fetch_add(1, Ordering::AcqRel);
                NotWritten::of(&error)
            })
        } else {
            Err(NotWritten::after_another())
        };
        committed.send_replace(number);
        for (done, taken) in waiting {
            drop(done.send(outcome.clone().map(|()| taken)));
        }
    }
}

async fn write(
    lake: &Lake,
    live: &Live,
    encoding: AbortOnDropHandle<Result<Vec<EncodedFile>, LakeError>>,
    marks: Marks,
    known: u64,
) -> Result<(), LakeError> {
    let files = encoding.await.map_err(|_| LakeError::Interrupted)??;
    if files.is_empty() && marks.is_empty() {
        return Ok(());
    }
    live.append_knowing(known, files, marks, lake.now()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_room_of_a_batch_is_free_when_it_is_encoded_and_not_before() {
        let (room, crew) = (Room::new(), Crew::new().expect("threads"));
        let all = room.texts(u64::MAX).await.expect("there is room");
        let (begin, begins) = mpsc::channel();
        let files = move || {
            begins.recv().expect("it begins");
            Ok(Vec::new())
        };
        // Nobody waits for it: a writer that ends has batches under way.
        let encoding = tokio::spawn(encode(crew, files, vec![all]));
        tokio::task::yield_now().await;
        encoding.abort();
        let mut next = Box::pin(room.texts(1));
        assert!(next.as_mut().now_or_never().is_none());
        begin.send(()).expect("it waits");
        assert!(next.await.is_some());
    }
}
