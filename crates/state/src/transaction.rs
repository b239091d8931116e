//! A change of documents, facts and records that happens as one, or not at all.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use opentrail_journal::Seq;
use tokio::sync::OwnedMutexGuard;

use crate::{
    documents::Document,
    entry::{Change, Entry, Fact, MAX_BODY_BYTES, MAX_ID_BYTES, MAX_KIND_BYTES, OwnedEvent},
    error::StateError,
    resource::Resource,
    state::State,
};

/// The staged form of each changed document: its new form, or none where it is deleted.
pub(crate) type Staged = BTreeMap<&'static str, BTreeMap<String, Option<Arc<Document>>>>;

/// The right to change documents, held by one task at a time, and the changes staged so far.
///
/// Reads see the staged changes. Nobody else sees them before [`commit`](Self::commit) has made them durable;
/// dropping the transaction forgets them. As nobody else can change a document meanwhile, what was read holds
/// until the commit: check first, then put.
///
/// Holding one while waiting for something slow makes every other change wait, and beginning a second one in
/// the same task waits for ever.
#[must_use = "a transaction that is not committed changes nothing"]
pub struct Transaction {
    state: State,
    writer: OwnedMutexGuard<()>,
    staged: Staged,
    facts: Vec<Fact>,
    refused: Option<StateError>,
}

impl Transaction {
    pub(crate) fn new(state: State, writer: OwnedMutexGuard<()>) -> Self {
        Self { state, writer, staged: Staged::new(), facts: Vec::new(), refused: None }
    }

    /// The document with this id, or none.
    pub fn get<T: Resource>(&self, id: &str) -> Option<Arc<T>> {
        crate::state::logged(T::KIND, self.try_get(id)).flatten()
    }

    /// As [`get`](Self::get), but a document that `T` cannot be read from is an error instead of none.
    ///
    /// # Errors
    /// [`StateError::Document`].
    pub fn try_get<T: Resource>(&self, id: &str) -> Result<Option<Arc<T>>, StateError> {
        self.document(T::KIND, id).map(|document| document.value(id)).transpose()
    }

    /// Whether there is a document with this id.
    pub fn contains<T: Resource>(&self, id: &str) -> bool {
        self.document(T::KIND, id).is_some()
    }

    /// The revision of the document with this id: 1 for the first since it was created.
    pub fn revision<T: Resource>(&self, id: &str) -> Option<u64> {
        self.document(T::KIND, id).map(|document| document.revision)
    }

    /// All documents whose id starts with `prefix`, in the order of their ids.
    pub fn list<T: Resource>(&self, prefix: &str) -> Vec<(String, Arc<T>)> {
        self.scan(prefix, None, usize::MAX)
    }

    /// At most `limit` documents whose id starts with `prefix` and is greater than `after`, in the order of
    /// their ids.
    pub fn scan<T: Resource>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(String, Arc<T>)> {
        let staged = self.staged.get(T::KIND);
        let of_range = |id: &str| id.starts_with(prefix) && after.is_none_or(|after| id > after);
        let mut found: BTreeMap<String, Arc<Document>> = BTreeMap::new();
        // Staged changes can take away what the view gives, so that many more are read.
        let room = limit.saturating_add(staged.map_or(0, BTreeMap::len));
        found.extend(self.state.documents(T::KIND, prefix, after, room));
        for (id, document) in staged.into_iter().flatten().filter(|(id, _)| of_range(id)) {
            match document {
                Some(document) => found.insert(id.clone(), Arc::clone(document)),
                None => found.remove(id),
            };
        }
        crate::state::decoded(found.into_iter().take(limit))
    }

    /// Stages the document as it shall be.
    ///
    /// What cannot be kept (an id longer than [`MAX_ID_BYTES`], a value without a JSON form) makes the commit
    /// fail with [`StateError::Refused`].
    pub fn put<T: Resource>(&mut self, id: &str, value: &T) {
        let body = match serde_json::to_vec(value) {
            Ok(body) => body,
            Err(cause) => {
                let refused = StateError::Document { kind: T::KIND, id: id.to_owned(), cause };
                self.refused.get_or_insert(refused);
                return;
            }
        };
        let limits =
            [(T::KIND.len(), MAX_KIND_BYTES), (id.len(), MAX_ID_BYTES), (body.len(), MAX_BODY_BYTES)];
        if let Some((len, limit)) = limits.into_iter().find(|(len, limit)| len > limit) {
            let id = id.chars().take(128).collect();
            self.refused.get_or_insert(StateError::Refused { kind: T::KIND, id, len, limit });
            return;
        }
        let revision = self.revision::<T>(id).unwrap_or(0) + 1;
        let document = Arc::new(Document::new(revision, Bytes::from(body)));
        self.staged.entry(T::KIND).or_default().insert(id.to_owned(), Some(document));
    }

    /// Stages that the document is gone; whether there was one.
    pub fn delete<T: Resource>(&mut self, id: &str) -> bool {
        if !self.contains::<T>(id) {
            return false;
        }
        let staged = self.staged.entry(T::KIND).or_default();
        if self.state.contains::<T>(id) {
            staged.insert(id.to_owned(), None);
        } else {
            staged.remove(id);
        }
        true
    }

    /// Stages a fact of another view.
    pub fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Whether nothing is staged.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.staged.values().all(BTreeMap::is_empty)
    }

    /// Makes the staged changes and these records one entry of the journal; when it is durable, makes the
    /// changes visible; then lets the next writer in. With nothing staged and no records it writes nothing
    /// and gives the newest entry applied.
    ///
    /// A commit that has begun is carried out even if the caller's future is dropped.
    ///
    /// # Errors
    /// [`StateError::Refused`] and [`StateError::Document`] if a staged document cannot be kept;
    /// [`StateError::Journal`] if the entry could not be made durable, and then nothing has changed;
    /// [`StateError::Interrupted`] if the runtime is shutting down, and then it is not known.
    pub async fn commit(self, events: Vec<OwnedEvent>) -> Result<Seq, StateError> {
        self.commit_then(events, |result| result).await?
    }

    /// As [`commit`](Self::commit), and calls `then` with the outcome, always, even if the caller's future is
    /// dropped: after the changes are visible and before the next writer is let in. It must not block.
    ///
    /// # Errors
    /// [`StateError::Interrupted`] if the runtime is shutting down or `then` panicked. All other outcomes are
    /// given to `then`, and what it makes of them is returned.
    pub async fn commit_then<R, F>(mut self, events: Vec<OwnedEvent>, then: F) -> Result<R, StateError>
    where
        R: Send + 'static,
        F: FnOnce(Result<Seq, StateError>) -> R + Send + 'static,
    {
        let task = tokio::spawn(async move {
            let result = match self.refused.take() {
                Some(refused) => Err(refused),
                None if self.is_empty() && events.is_empty() => Ok(self.state.applied()),
                None => self.write(events).await,
            };
            then(result)
        });
        task.await.map_err(|_| StateError::Interrupted)
    }

    async fn write(&mut self, events: Vec<OwnedEvent>) -> Result<Seq, StateError> {
        let changes = changes(&self.staged);
        let entry = Entry { at: self.state.now(), changes, facts: std::mem::take(&mut self.facts), events };
        self.state.write_and_apply(entry, std::mem::take(&mut self.staged), &self.writer).await
    }

    fn document(&self, kind: &'static str, id: &str) -> Option<Arc<Document>> {
        match self.staged.get(kind).and_then(|staged| staged.get(id)) {
            Some(staged) => staged.clone(),
            None => self.state.document(kind, id),
        }
    }
}

fn changes(staged: &Staged) -> Vec<Change> {
    staged
        .iter()
        .flat_map(|(kind, documents)| documents.iter().map(move |(id, document)| (*kind, id, document)))
        .map(|(kind, id, document)| match document {
            Some(document) => Change::Put {
                kind: kind.to_owned(),
                id: id.clone(),
                revision: document.revision,
                body: document.body.clone(),
            },
            None => Change::Delete { kind: kind.to_owned(), id: id.clone() },
        })
        .collect()
}
