//! One run of an import.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use opentrail_event::Event;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    document::{Import, ImportStatus},
    fetch::{Fetcher, Keys, ReadFile, ReadGroup, Unread},
    ledger::{FailureStatus, Fault, Ledger, Ledgers, MAX_FAILURES, Progress},
    location::{Choice, Location, folder_of},
    room::{Held, portions_with},
    source::SourceError,
    unpack::{MAX_FILE_BYTES, Unpacked, Unreadable, unpack},
    writer::{Done, NotWritten, Piece, Step, Taken, Writer},
};
use crate::error::LakeError;

/// How far in the future an event's time may be: what clocks and zones can be wrong by. CloudTrail writes no event before
/// it happened; each day has files of its own in a table, and there are many days to come.
pub const MAX_AHEAD: TimeDelta = TimeDelta::days(1);

/// Under what a failure of the listing is noted; no file has this key.
pub(crate) const LISTING: &str = "";
/// Under what is told that events were left out: it is after every key of a file.
pub(crate) const LEFT_OUT: &str = "\u{10ffff}";

/// What is shown of an import while it runs.
#[derive(Default)]
pub(crate) struct Shown {
    /// Folders found.
    pub(crate) found: AtomicU64,
    /// Failures that have not been made good.
    pub(crate) failed: AtomicU64,
    /// What is durable.
    pub(crate) progress: Mutex<Progress>,
}

/// Why a run did not come to its end. Another one goes on from where it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
}

/// What a run needs.
pub(crate) struct Run {
    pub(crate) import: Arc<Import>,
    pub(crate) location: Location,
    pub(crate) fetcher: Fetcher,
    pub(crate) writer: Writer,
    pub(crate) ledgers: Ledgers,
    pub(crate) shown: Arc<Shown>,
    /// Events before it are out of the store's retention.
    pub(crate) oldest: Option<DateTime<Utc>>,
    /// Events after it are none that happened.
    pub(crate) newest: DateTime<Utc>,
}

/// The next answer of the writer; never, where nothing waits for one.
async fn next_answer(waiting: &mut Waiting) -> Result<Taken, NotWritten> {
    match waiting.front_mut() {
        Some((answer, _)) => answer.await.unwrap_or_else(|_| Err(NotWritten::interrupted())),
        None => std::future::pending().await,
    }
}

/// What is said of a file with events of times that are yet to come.
fn ahead_of_time(ahead: usize, all: usize) -> Fault {
    let hours = MAX_AHEAD.num_hours();
    let message = format!(
        "{ahead} of {all} records have an eventTime more than {hours} hours from now: no such event happened."
    );
    Fault::new("InvalidRecord", message)
}

/// What was handed to the writer and is not known to be durable.
type Waiting = VecDeque<(oneshot::Receiver<Result<Taken, NotWritten>>, Done)>;

/// A run under way.
struct Hand<'a> {
    run: &'a Run,
    ledger: Ledger,
    session: u64,
    /// Up to what was handed to the writer; the writer adds to it.
    progress: Arc<Mutex<Progress>>,
    /// The folder of the last file, while there may be more in it.
    folder: Option<String>,
    waiting: Waiting,
}

/// Files of a group, ready for the writer.
#[derive(Default)]
struct Ready {
    events: Vec<Event>,
    done: Done,
    taken: Vec<String>,
    has_news: bool,
}

impl Run {
    /// Imports until there is nothing left.
    ///
    /// # Errors
    /// If the store's table or the ledger can't be written.
    pub(crate) async fn run(&self) -> Result<ImportStatus, RunError> {
        let session = self.writer.begin().await?;
        let mark = self.writer.live().mark(&self.import.mark());
        let progress: Progress = mark.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let mut ledger = self.read_ledger().await?;
        ledger.begin(self.import.runs, Utc::now());
        self.shown.found.store(progress.prefixes + u64::from(progress.open), Ordering::Relaxed);
        self.shown.failed.store(ledger.failed() as u64, Ordering::Relaxed);
        *self.shown.progress.lock() = progress.clone();
        let folder = progress.after.as_deref().filter(|_| progress.open).map(|key| folder_of(key).to_owned());
        let after = progress.after.clone();
        let mut hand = Hand {
            run: self,
            ledger,
            session,
            progress: Arc::new(Mutex::new(progress)),
            folder: folder.clone(),
            waiting: VecDeque::new(),
        };
        hand.keep().await?;
        hand.try_again().await?;
        let whole = hand.take_in_order(after, folder).await?;
        hand.finish(whole).await
    }

    async fn read_ledger(&self) -> Result<Ledger, LakeError> {
        let (ledgers, id) = (self.ledgers.clone(), self.import.id);
        tokio::task::spawn_blocking(move || ledgers.read(id)).await.map_err(|_| LakeError::Interrupted)?
    }

    /// The events that are asked for; how many of those are older than the store keeps events, and how many have a time
    /// that is yet to come, which are left out.
    fn wanted(&self, events: Vec<Event>) -> (Vec<Event>, u64, usize) {
        let asked = events.into_iter().filter(|event| self.import.range.contains(event.time()));
        let (events, expired) = kept(asked, self.oldest);
        let before = events.len();
        let events: Vec<Event> = events.into_iter().filter(|event| event.time() <= self.newest).collect();
        let ahead = before - events.len();
        (events, expired, ahead)
    }
}

/// The events that a store keeps which keeps none before `oldest`, and how many it does not.
pub(crate) fn kept(
    events: impl IntoIterator<Item = Event>,
    oldest: Option<DateTime<Utc>>,
) -> (Vec<Event>, u64) {
    let mut expired = 0;
    let is_kept = |event: &Event| {
        let is_kept = oldest.is_none_or(|oldest| oldest <= event.time());
        expired += u64::from(!is_kept);
        is_kept
    };
    let events = events.into_iter().filter(is_kept).collect();
    (events, expired)
}

impl Hand<'_> {
    /// Makes the ledger durable.
    async fn keep(&mut self) -> Result<(), LakeError> {
        self.ledger.found = self.run.shown.found.load(Ordering::Relaxed);
        self.ledger.progress = self.run.shown.progress.lock().clone();
        self.run.shown.failed.store(self.ledger.failed() as u64, Ordering::Relaxed);
        let (ledgers, id, ledger) = (self.run.ledgers.clone(), self.run.import.id, self.ledger.clone());
        let written = tokio::task::spawn_blocking(move || ledgers.write(id, &ledger)).await;
        written.map_err(|_| LakeError::Interrupted)?
    }

    /// Reads the files that could not be taken before.
    async fn try_again(&mut self) -> Result<(), RunError> {
        let failures = self.ledger.failures.iter();
        let keys: Vec<String> = failures
            .filter(|(key, failure)| failure.status == FailureStatus::Retry && key.as_str() != LISTING)
            .map(|(key, _)| key.clone())
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        let mut taken = Vec::new();
        let mut groups = std::pin::pin!(self.run.fetcher.read(Fetcher::known(keys)));
        while let Some(group) = groups.next().await {
            let group = group?;
            let ready = self.ready(group.files, false).await?;
            taken.extend(ready.taken);
            self.hand_over(ready.events, ready.done, group.room).await?;
        }
        // A file that was taken is not tried again once that is written down: its rows must be durable before.
        self.settle(Done::default()).await?;
        let now = Utc::now();
        for key in taken {
            self.ledger.succeed(&key, now);
        }
        self.keep().await?;
        Ok(())
    }

    /// Reads what comes after a key, whose folder is `folder`; whether the listing came to its end.
    async fn take_in_order(
        &mut self,
        after: Option<String>,
        folder: Option<String>,
    ) -> Result<bool, RunError> {
        let run = self.run;
        let choice = Choice::new(&run.location, run.import.range);
        let (shown, mut last) = (run.shown.clone(), folder);
        let count = move |key: &str| {
            if last.as_deref() != Some(folder_of(key)) {
                last = Some(folder_of(key).to_owned());
                shown.found.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (keys, _listing): (Keys, _) = run.fetcher.list(run.location.prefix.clone(), choice, after, count);
        let mut groups = std::pin::pin!(run.fetcher.read(keys));
        loop {
            // What became durable is shown also while the bucket is slow.
            let group = tokio::select! {
                outcome = next_answer(&mut self.waiting) => {
                    self.note(outcome)?;
                    continue;
                }
                group = groups.next() => group,
            };
            let Some(group) = group else { break };
            let ReadGroup { files, failed, room } = group?;
            let ready = self.ready(files, true).await?;
            if ready.has_news {
                // Durable before the mark passes the files.
                self.keep().await?;
            }
            self.hand_over(ready.events, ready.done, room).await?;
            if let Some(error) = failed {
                self.fail_listing(error);
                return Ok(false);
            }
            if self.ledger.failed() > MAX_FAILURES {
                let message = format!("More than {MAX_FAILURES} files could not be imported.");
                self.fail_listing(SourceError::refused("TooManyFailures", message));
                return Ok(false);
            }
        }
        self.ledger.succeed(LISTING, Utc::now());
        Ok(true)
    }

    fn fail_listing(&mut self, error: SourceError) {
        self.ledger.fail(LISTING, Fault::new(error.kind, error.message), Utc::now());
    }

    /// Sorts out what was read.
    async fn ready(&mut self, files: Vec<ReadFile>, in_order: bool) -> Result<Ready, RunError> {
        let mut ready = Ready::default();
        for ReadFile { key, outcome } in files {
            if in_order && self.folder.as_deref() != Some(folder_of(&key)) {
                ready.done.prefixes += u64::from(self.folder.is_some());
                self.folder = Some(folder_of(&key).to_owned());
            }
            let outcome = match outcome {
                Err(Unread::Larger(packed)) => self.unpack_alone(packed).await?,
                Err(Unread::Fault(fault)) => Err(fault),
                Ok(unpacked) => Ok(unpacked),
            };
            let mut older = 0;
            let fault = match outcome {
                Ok(unpacked) => {
                    let (fault, all) = (unpacked.fault(), unpacked.events.len());
                    let (wanted, expired, ahead) = self.run.wanted(unpacked.events);
                    ready.events.extend(wanted);
                    older = expired;
                    fault.or_else(|| (ahead > 0).then(|| ahead_of_time(ahead, all)))
                }
                Err(fault) => Some(fault),
            };
            if in_order {
                ready.done.key = Some(key.clone());
            }
            match fault {
                Some(fault) => {
                    self.ledger.fail(&key, fault, Utc::now());
                    ready.has_news = true;
                }
                None => {
                    ready.done.files += 1;
                    ready.done.expired += older;
                    // A crash before the rows are durable reads a file in order again.
                    ready.has_news |= in_order && self.ledger.succeed(&key, Utc::now());
                    ready.taken.push(key);
                }
            }
        }
        Ok(ready)
    }

    /// Unpacks a file that is larger than was made room for: one at a time.
    async fn unpack_alone(&self, packed: bytes::Bytes) -> Result<Result<Unpacked, Fault>, RunError> {
        let unpacked = self.run.fetcher.crew.run(move || unpack(packed, MAX_FILE_BYTES)).await?;
        Ok(unpacked.map_err(|unreadable| match unreadable {
            Unreadable::Bad(fault) => fault,
            Unreadable::Larger => Fault::new("FileTooLarge", "The file is too large."),
        }))
    }

    /// Hands events over, which take this room. The files that they are of are done with the last of them: a crash in between
    /// reads the files again and finds the others in the store.
    async fn hand_over(
        &mut self,
        events: Vec<Event>,
        done: Done,
        room: Option<Held>,
    ) -> Result<(), RunError> {
        for (events, (done, room)) in portions_with(events, (done, room)) {
            self.hand_over_portion(events, done, room).await?;
        }
        Ok(())
    }

    async fn hand_over_portion(
        &mut self,
        events: Vec<Event>,
        done: Done,
        room: Option<Held>,
    ) -> Result<(), RunError> {
        let step = Step {
            session: self.session,
            mark: self.run.import.mark(),
            progress: self.progress.clone(),
            done: done.clone(),
        };
        let answer = self.run.writer.write(Piece { events, step: Some(step), room }).await?;
        self.waiting.push_back((answer, done));
        while let Some((answer, _)) = self.waiting.front_mut() {
            let Ok(outcome) = answer.try_recv() else { break };
            self.note(outcome)?;
        }
        Ok(())
    }

    /// Shows what became durable.
    fn note(&mut self, outcome: Result<Taken, NotWritten>) -> Result<(), RunError> {
        let Some((_, done)) = self.waiting.pop_front() else { return Ok(()) };
        self.run.shown.progress.lock().add(&done, outcome?);
        Ok(())
    }

    /// Waits until everything that was handed over is durable, and this.
    async fn settle(&mut self, done: Done) -> Result<(), RunError> {
        self.hand_over(Vec::new(), Done { is_last: true, ..done }, None).await?;
        while !self.waiting.is_empty() {
            let outcome = next_answer(&mut self.waiting).await;
            self.note(outcome)?;
        }
        Ok(())
    }

    /// Ends the run, with its last folder where the listing came to its end.
    async fn finish(mut self, whole: bool) -> Result<ImportStatus, RunError> {
        let prefixes = u64::from(whole && self.folder.is_some());
        self.settle(Done { prefixes, is_end: whole, ..Done::default() }).await?;
        self.keep().await?;
        let failed = self.ledger.failed() > 0;
        Ok(if failed { ImportStatus::Failed } else { ImportStatus::Completed })
    }
}
