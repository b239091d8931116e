//! A state over a journal in a temporary directory, and things to put into it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use opentrail_event::Event;
use opentrail_journal::{Journal, JournalOptions, disk::FaultyDisk};
use opentrail_state::{OwnedEvent, Resource, State, StateError, StateOptions};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Thing {
    pub(crate) size: u64,
}

impl Resource for Thing {
    const KIND: &'static str = "test.thing";
}

/// Another reading of the same documents, which does not fit them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Misread {
    pub(crate) colour: String,
}

impl Resource for Misread {
    const KIND: &'static str = "test.thing";
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Other {
    pub(crate) name: String,
}

impl Resource for Other {
    const KIND: &'static str = "test.other";
}

pub(crate) fn thing(size: u64) -> Thing {
    Thing { size }
}

/// A record whose name says what happened.
pub(crate) fn event(name: &str, number: u64) -> OwnedEvent {
    let raw = format!(
        r#"{{"eventVersion":"1.11","eventID":"{number:08}-0000-4000-8000-000000000000","eventTime":"2026-01-02T03:04:05Z","eventName":"{name}","eventSource":"test.amazonaws.com","awsRegion":"us-east-1"}}"#
    );
    OwnedEvent { owner: "123456789012".parse().unwrap(), event: Event::parse(Bytes::from(raw)).unwrap() }
}

pub(crate) struct World {
    dir: TempDir,
    pub(crate) disk: FaultyDisk,
    pub(crate) journal_options: JournalOptions,
    pub(crate) options: StateOptions,
}

pub(crate) struct Opened {
    pub(crate) journal: Journal,
    pub(crate) state: State,
}

impl Opened {
    pub(crate) async fn close(self) {
        self.state.close().await.unwrap();
        self.journal.close().await;
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            disk: FaultyDisk::default(),
            journal_options: JournalOptions::default(),
            options: StateOptions::default(),
        }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn journal_dir(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// The snapshot files, oldest first.
    pub(crate) fn snapshots(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.state_dir()) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "state"));
        files.sort();
        files
    }

    pub(crate) async fn try_open(&self) -> Result<Opened, StateError> {
        let disk = Arc::new(self.disk.clone());
        let (dir, options, on) = (self.journal_dir(), self.journal_options.clone(), Arc::clone(&disk));
        let (journal, _) =
            tokio::task::spawn_blocking(move || Journal::open(&dir, options, on)).await.unwrap()?;
        match State::open(journal.clone(), &self.state_dir(), disk, self.options.clone()).await {
            Ok(state) => Ok(Opened { journal, state }),
            Err(error) => {
                journal.close().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn open(&self) -> Opened {
        self.try_open().await.unwrap()
    }
}

/// All things by id.
pub(crate) fn things(state: &State) -> Vec<(String, u64)> {
    state.list::<Thing>("").into_iter().map(|(id, thing)| (id, thing.size)).collect()
}

/// Puts one thing, with its record.
pub(crate) async fn put(state: &State, id: &str, size: u64) {
    let mut tx = state.begin().await;
    tx.put(id, &thing(size));
    tx.commit(vec![event("PutThing", size)]).await.unwrap();
}

/// Waits until something becomes true.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never became true that {what}");
}
