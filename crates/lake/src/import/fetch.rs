//! From a bucket's listing to events: list, fetch, unpack and read, many files at once and in the order of their keys.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, future::join_all, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    crew::Crew,
    ledger::Fault,
    location::Choice,
    room::{Held, Room},
    source::{Source, SourceError, SourceObject},
    unpack::{MAX_FILE_BYTES, Unpacked, Unreadable, announced, unpack},
};
use crate::error::LakeError;

/// Small files are handled together, up to so many and so many bytes.
const GROUP: usize = 32;
const GROUP_BYTES: u64 = 256 << 10;
/// Groups that are fetched at the same time.
const FETCHES: usize = 24;
/// Keys that are listed ahead.
const LISTED_AHEAD: usize = 4096;
/// What a file is taken for whose size is not known.
const UNKNOWN_BYTES: u64 = 1 << 20;
/// Tries of a request that fails in a way that may pass, and the first pause between them, which doubles.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Files beside each other in the listing, and what ended it.
struct Listed {
    files: Vec<SourceObject>,
    failed: Option<SourceError>,
}

struct Fetched {
    files: Vec<(String, Result<Bytes, Fault>)>,
    failed: Option<SourceError>,
    room: Option<Held>,
}

/// A file that was read, or not.
pub(crate) struct ReadFile {
    pub(crate) key: String,
    pub(crate) outcome: Result<Unpacked, Unread>,
}

/// Why a file was not read.
pub(crate) enum Unread {
    /// It can't be.
    Fault(Fault),
    /// It is larger than it says. It is to be unpacked alone.
    Larger(Bytes),
}

/// Files that were read, next to each other.
pub(crate) struct ReadGroup {
    pub(crate) files: Vec<ReadFile>,
    /// What ended the listing, if that was not its end.
    pub(crate) failed: Option<SourceError>,
    pub(crate) room: Option<Held>,
}

/// What reads the files of an import.
pub(crate) struct Fetcher {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) crew: Crew,
    pub(crate) room: Arc<Room>,
}

/// Keys as they are found.
pub(crate) type Keys = mpsc::Receiver<Result<SourceObject, SourceError>>;

impl Fetcher {
    /// Lists what an import reads, after the key `after`. `seen` is shown each key.
    pub(crate) fn list(
        &self,
        prefix: String,
        choice: Choice,
        after: Option<String>,
        mut seen: impl FnMut(&str) + Send + 'static,
    ) -> (Keys, AbortOnDropHandle<()>) {
        let (keys, found) = mpsc::channel(LISTED_AHEAD);
        let source = self.source.clone();
        let listing = async move {
            let mut after = after;
            loop {
                let page = again(|| source.list(&prefix, after.as_deref())).await;
                let page = match page {
                    Ok(page) => page,
                    Err(error) => {
                        let _ = keys.send(Err(error)).await;
                        return;
                    }
                };
                let Some(last) = page.objects.last().map(|object| object.key.clone()) else { return };
                // Days that are not asked for are passed over; those of this page cost nothing any more.
                let skip = choice.skip_from(&last).filter(|to| *to > last);
                for object in page.objects {
                    if choice.takes(&object.key) {
                        seen(&object.key);
                        if keys.send(Ok(object)).await.is_err() {
                            return;
                        }
                    }
                }
                if !page.more {
                    return;
                }
                after = Some(skip.unwrap_or(last));
            }
        };
        (found, AbortOnDropHandle::new(tokio::spawn(listing)))
    }

    /// Keys that are known, to be read in their order.
    pub(crate) fn known(keys: Vec<String>) -> Keys {
        let (sender, found) = mpsc::channel(keys.len().max(1));
        for key in keys {
            // There is room for all.
            let _ = sender.try_send(Ok(SourceObject { key, size: UNKNOWN_BYTES }));
        }
        found
    }

    /// Reads files, in order.
    pub(crate) fn read<'a>(
        &'a self,
        keys: Keys,
    ) -> impl Stream<Item = Result<ReadGroup, LakeError>> + Send + 'a {
        let groups = stream::unfold(keys, |mut keys| async move { Some((gather(&mut keys).await?, keys)) });
        let fetched = groups
            .then(async |listed| {
                let bytes = listed.files.iter().map(|file| file.size).sum();
                (listed, self.room.packed(bytes).await)
            })
            .map(|(listed, room)| {
                let source = self.source.clone();
                AbortOnDropHandle::new(tokio::spawn(fetch(source, listed, room)))
            })
            .buffered(FETCHES);
        let roomy = fetched.then(async |fetched| {
            let fetched = fetched.map_err(|_| LakeError::Interrupted)?;
            let bodies = fetched.files.iter().filter_map(|(_, outcome)| outcome.as_ref().ok());
            let bytes = bodies.map(|body| announced(body).min(MAX_FILE_BYTES)).sum();
            let room = self.room.texts(bytes).await;
            Ok::<_, LakeError>((fetched, room))
        });
        roomy
            .map(|ready| async {
                let (Fetched { files, failed, room: packed }, room) = ready?;
                let files: Vec<ReadFile> =
                    self.crew.run(move || files.into_iter().map(read_one).collect()).await?;
                drop(packed);
                let taken = files.iter().filter_map(|file| file.outcome.as_ref().ok()).map(|read| read.bytes);
                let room = room.map(|room| room.keep(taken.sum()));
                Ok(ReadGroup { files, failed, room })
            })
            .buffered(self.crew.size() * 2)
    }
}

/// The next files, as many as are handled together.
async fn gather(keys: &mut Keys) -> Option<Listed> {
    let mut listed = Listed { files: Vec::new(), failed: None };
    let mut bytes = 0;
    let mut next = keys.recv().await;
    loop {
        match next {
            Some(Ok(file)) => {
                bytes += file.size;
                listed.files.push(file);
            }
            Some(Err(error)) => {
                listed.failed = Some(error);
                return Some(listed);
            }
            None => return (!listed.files.is_empty()).then_some(listed),
        }
        if listed.files.len() >= GROUP || bytes >= GROUP_BYTES {
            return Some(listed);
        }
        match keys.try_recv() {
            Ok(found) => next = Some(found),
            Err(_) => return Some(listed),
        }
    }
}

async fn fetch(source: Arc<dyn Source>, listed: Listed, room: Option<Held>) -> Fetched {
    let files = join_all(listed.files.into_iter().map(async |file| {
        let outcome = if file.size > MAX_FILE_BYTES {
            let message = format!("The file has {} bytes, more than {MAX_FILE_BYTES}.", file.size);
            Err(Fault::new("FileTooLarge", message))
        } else {
            let got = again(|| source.get(&file.key)).await;
            got.map_err(|error| Fault::new(error.kind, error.message))
        };
        (file.key, outcome)
    }));
    Fetched { files: files.await, failed: listed.failed, room }
}

fn read_one((key, fetched): (String, Result<Bytes, Fault>)) -> ReadFile {
    let outcome = fetched.map_err(Unread::Fault).and_then(|packed| {
        let limit = announced(&packed).min(MAX_FILE_BYTES);
        unpack(packed.clone(), limit).map_err(|unreadable| match unreadable {
            Unreadable::Larger => Unread::Larger(packed),
            Unreadable::Bad(fault) => Unread::Fault(fault),
        })
    });
    ReadFile { key, outcome }
}

/// Asks again while a failure may pass.
async fn again<T, F>(ask: impl Fn() -> F) -> Result<T, SourceError>
where
    F: Future<Output = Result<T, SourceError>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match ask().await {
            Err(error) if error.is_passing => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
    ask().await
}
