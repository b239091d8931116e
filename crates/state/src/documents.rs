//! The documents in memory: what the changes up to one entry of the journal add up to.

use std::{
    any::Any,
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use opentrail_journal::Seq;

use crate::{entry::Change, error::StateError, resource::Resource};

/// One document: its JSON body and, once somebody asked for it, its decoded value.
pub(crate) struct Document {
    pub(crate) revision: u64,
    pub(crate) body: Bytes,
    decoded: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Document {
    pub(crate) fn new(revision: u64, body: Bytes) -> Self {
        Self { revision, body, decoded: OnceLock::new() }
    }

    /// The value, decoded once for all readers.
    pub(crate) fn value<T: Resource>(&self, id: &str) -> Result<Arc<T>, StateError> {
        if let Some(value) = self.decoded.get()
            && let Ok(value) = Arc::clone(value).downcast::<T>()
        {
            return Ok(value);
        }
        let value: T = serde_json::from_slice(&self.body).map_err(|cause| StateError::Document {
            kind: T::KIND,
            id: id.to_owned(),
            cause,
        })?;
        let value = Arc::new(value);
        // Lost only if another reader was faster or reads the kind as another type: both are harmless.
        let _ = self.decoded.set(Arc::clone(&value) as Arc<dyn Any + Send + Sync>);
        Ok(value)
    }
}

/// The documents of one kind.
#[derive(Clone, Default)]
pub(crate) struct Kind {
    pub(crate) documents: BTreeMap<Arc<str>, Arc<Document>>,
    /// The entry that changed this kind last.
    pub(crate) changed: Seq,
}

/// All documents, as of entry `applied`.
#[derive(Clone, Default)]
pub(crate) struct Documents {
    pub(crate) kinds: BTreeMap<Arc<str>, Kind>,
    /// The newest entry whose changes are in here.
    pub(crate) applied: Seq,
}

impl Documents {
    pub(crate) fn get(&self, kind: &str, id: &str) -> Option<&Arc<Document>> {
        self.kinds.get(kind)?.documents.get(id)
    }

    pub(crate) fn changed(&self, kind: &str) -> Seq {
        self.kinds.get(kind).map_or(Seq(0), |kind| kind.changed)
    }

    /// Those whose id starts with `prefix` and is greater than `after`, in the order of their ids.
    pub(crate) fn range<'a>(
        &'a self,
        kind: &str,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<Document>)> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.kinds
            .get(kind)
            .into_iter()
            .flat_map(move |kind| kind.documents.range::<str, _>((from, Bound::Unbounded)))
            .take_while(move |(id, _)| id.starts_with(prefix))
    }

    /// Applies the changes of entry `seq`, read from the journal. Bodies are copied: a slice would keep the
    /// whole entry, records and all, in memory for as long as the document lives.
    pub(crate) fn apply(&mut self, seq: Seq, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put { kind, id, revision, body } => {
                    let document = Document::new(*revision, Bytes::copy_from_slice(body));
                    self.put(seq, kind, id, Arc::new(document));
                }
                Change::Delete { kind, id } => self.remove(seq, kind, id),
            }
        }
        self.applied = self.applied.max(seq);
    }

    pub(crate) fn put(&mut self, seq: Seq, kind: &str, id: &str, document: Arc<Document>) {
        if !self.kinds.contains_key(kind) {
            self.kinds.insert(Arc::from(kind), Kind::default());
        }
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.documents.insert(Arc::from(id), document);
            kind.changed = seq;
        }
    }

    pub(crate) fn remove(&mut self, seq: Seq, kind: &str, id: &str) {
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.documents.remove(id);
            kind.changed = seq;
        }
    }

    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.kinds.values().map(|kind| kind.documents.len()).sum()
    }

    /// The first document, by kind and id, in which two sets differ.
    pub(crate) fn difference(&self, other: &Self) -> Option<(String, String)> {
        let mut ours = self.flat();
        let mut theirs = other.flat();
        loop {
            let (ours, theirs) = match (ours.next(), theirs.next()) {
                (None, None) => return None,
                (Some((kind, id, _)), None) | (None, Some((kind, id, _))) => {
                    return Some((kind.to_owned(), id.to_owned()));
                }
                (Some(ours), Some(theirs)) => (ours, theirs),
            };
            if (ours.0, ours.1) != (theirs.0, theirs.1) {
                let (kind, id, _) = if (ours.0, ours.1) < (theirs.0, theirs.1) { ours } else { theirs };
                return Some((kind.to_owned(), id.to_owned()));
            }
            if ours.2.revision != theirs.2.revision || ours.2.body != theirs.2.body {
                return Some((ours.0.to_owned(), ours.1.to_owned()));
            }
        }
    }

    /// Every document in the order of kind and id.
    pub(crate) fn flat(&self) -> impl Iterator<Item = (&str, &str, &Document)> {
        self.kinds.iter().flat_map(|(kind, documents)| {
            documents.documents.iter().map(move |(id, document)| (&**kind, &**id, &**document))
        })
    }
}
