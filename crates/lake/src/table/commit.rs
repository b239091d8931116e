//! Changes of a table, each in one step.
//!
//! The step is the creation of `metadata/v{N+1}.metadata.json`, which fails where that name is taken. Everything
//! that it names was put before. Whether it happened is then looked at, not guessed: an object store may have done
//! what it answered an error to.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, future::join_all};
use iceberg::spec::{DataFile as IcebergFile, ManifestFile, Operation, Schema, TableMetadata};
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions, path::Path};
use uuid::Uuid;

use super::{
    Inner,
    description::{self, NewSnapshot, Update},
    manifests::{self, NewObject, Writer},
    snapshot::{DataFile, Marks, Snapshot},
};
use crate::{LakeError, warehouse::Unsynced};

/// How many objects a commit puts at once.
const PUT_AT_ONCE: usize = 8;

/// The table as of its newest commit.
#[derive(Debug)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) metadata: Arc<TableMetadata>,
    pub(super) json: Bytes,
    /// Where the manifest list is; none while there has never been a file.
    pub(super) list: Option<Path>,
    pub(super) manifests: Vec<ManifestFile>,
    pub(super) snapshot: Arc<Snapshot>,
}

/// What a commit is to do.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// New files, in the object store already or in `objects`.
    pub(super) added: Vec<(IcebergFile, Arc<DataFile>)>,
    /// Files that are to go. Where one is not there any more, the commit is refused.
    pub(super) removed: Vec<Arc<DataFile>>,
    pub(super) marks: Marks,
    pub(super) schema: Option<Schema>,
    /// Listed snapshots that are to be listed no more.
    pub(super) forgotten: Vec<i64>,
    /// New data files that are put together with the manifests.
    pub(super) objects: Vec<NewObject>,
    /// The marks were looked at when so many commits had been taken over. With more they may be others.
    pub(super) known: Option<u64>,
}

/// What only one commit at a time uses.
#[derive(Debug, Default)]
pub(super) struct Committing {
    /// Objects of commits that failed at their last step. The next commit that succeeds takes the name of theirs,
    /// and from then on nothing can name them.
    doubtful: Vec<Path>,
    /// Whether another commit may be there.
    unsettled: bool,
}

/// A commit that is written and has yet to be made.
struct Prepared {
    next: State,
    objects: Vec<NewObject>,
    /// Objects that nothing in the next state names.
    replaced: Vec<Path>,
}

/// Why a commit was not made.
struct Failure {
    error: LakeError,
    /// Whether it may be there all the same, now or later.
    doubtful: bool,
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Self {
        Self { error, doubtful: false }
    }
}

impl Inner {
    /// Makes a change. Where it fails, what `uploaded` names is removed.
    ///
    /// # Errors
    /// [`LakeError::Outdated`] where a file to be removed is not there; [`LakeError::Moved`] where another commit
    /// turned out to be there; others where the object store failed. In each case nothing has changed, except
    /// after [`LakeError::Unsettled`].
    pub(super) async fn commit(
        &self,
        change: Change,
        uploaded: Vec<Path>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, LakeError> {
        let mut committing = self.committing.lock().await;
        let mut written = uploaded;
        match self.attempt(&mut committing, change, &mut written, now.timestamp_millis()).await {
            Ok(snapshot) => {
                self.keeping.lock().landed(&written);
                let doubtful = std::mem::take(&mut committing.doubtful);
                self.discard(&doubtful).await;
                self.hint(snapshot.version).await;
                Ok(snapshot)
            }
            Err(Failure { error, doubtful: true }) => {
                // They stay in flight, so that no sweep takes them.
                committing.doubtful.extend(written);
                Err(error)
            }
            Err(Failure { error, doubtful: false }) => {
                self.discard(&written).await;
                Err(error)
            }
        }
    }

    async fn attempt(
        &self,
        committing: &mut Committing,
        change: Change,
        written: &mut Vec<Path>,
        now_ms: i64,
    ) -> Result<Arc<Snapshot>, Failure> {
        let found = self.settle(committing, now_ms).await?;
        if found || change.known.is_some_and(|known| known != self.taken_over.load(Ordering::Acquire)) {
            // What the caller knows of the marks may not be true any more.
            return Err(LakeError::Moved { table: self.names.table().to_string() }.into());
        }
        let state = self.state();
        if let Some(gone) = change.removed.iter().find(|file| !state.snapshot.has(file)) {
            return Err(LakeError::Outdated { file: gone.path.to_string() }.into());
        }
        let prepared = self.prepare(&state, change, now_ms).await?;
        let new: Vec<Path> = prepared.objects.iter().map(|object| object.path.clone()).collect();
        self.keeping.lock().fly(&new);
        written.extend(new);
        self.put_all(&prepared.objects).await?;
        self.make(committing, &prepared.next, now_ms).await?;
        let snapshot = prepared.next.snapshot.clone();
        let mut replaced = prepared.replaced;
        if state.list != prepared.next.list {
            replaced.extend(state.list.clone());
        }
        // Together, so that a sweep sees each file in one of the two.
        let mut keeping = self.keeping.lock();
        keeping.replaced(replaced, now_ms);
        *self.state.write() = Arc::new(prepared.next);
        Ok(snapshot)
    }

    async fn prepare(&self, state: &State, change: Change, now_ms: i64) -> Result<Prepared, LakeError> {
        let version = state.version + 1;
        let mut objects = change.objects;
        let marks = Arc::new(marks_after(&state.snapshot.marks, &change.marks));
        let mut update = Update { schema: change.schema, marks: change.marks, ..Update::default() };
        update.forgotten = change.forgotten;
        let mut replaced = Vec::new();
        let (mut manifests, mut list) = (state.manifests.clone(), state.list.clone());
        let snapshot;
        if change.added.is_empty() && change.removed.is_empty() {
            snapshot = Snapshot { version, marks, ..state.snapshot.as_ref().clone() };
        } else {
            let id = new_id(&state.metadata);
            let writer = Writer { warehouse: &self.warehouse, metadata: &state.metadata, snapshot_id: id };
            let (iceberg, added): (Vec<_>, Vec<_>) = change.added.into_iter().unzip();
            let operation = match (added.is_empty(), change.removed.is_empty()) {
                (false, true) => Operation::Append,
                (true, false) => Operation::Delete,
                _ => Operation::Replace,
            };
            let rewritten = self.rewrite(&writer, &state.manifests, iceberg, &change.removed).await?;
            objects.extend(rewritten.objects);
            replaced.extend(rewritten.replaced);
            replaced.extend(change.removed.iter().map(|file| file.path.clone()));
            let path = self.names.list(version, now_ms);
            let (numbered, object) = writer.list(path.clone(), &rewritten.manifests).await?;
            objects.push(object);
            manifests = numbered;
            snapshot = state.snapshot.after((id, version), marks, &added, &change.removed);
            let summary = description::summary(&snapshot, &added, &change.removed);
            update.snapshot = Some(NewSnapshot { id, list: self.warehouse.uri(&path), operation, summary });
            list = Some(path);
        }
        if !replaced.is_empty() {
            let note = self.note_replaced(&replaced, now_ms)?;
            replaced.push(note.path.clone());
            objects.push(note);
        }
        let before = self.warehouse.uri(&self.names.metadata(state.version));
        let (metadata, json) = description::after(&state.metadata, before, update, now_ms)?;
        let next = State {
            version,
            metadata: Arc::new(metadata),
            json,
            list,
            manifests,
            snapshot: Arc::new(snapshot),
        };
        Ok(Prepared { next, objects, replaced })
    }

    /// The manifests after a change: those with removed files written again, many small ones merged, one more
    /// for what is new.
    async fn rewrite(
        &self,
        writer: &Writer<'_>,
        before: &[ManifestFile],
        added: Vec<IcebergFile>,
        removed: &[Arc<DataFile>],
    ) -> Result<Rewritten, LakeError> {
        let gone: HashSet<String> = removed.iter().map(|file| self.warehouse.uri(&file.path)).collect();
        let mut result = Rewritten::default();
        for manifest in before {
            if manifests::alive(manifest) == 0 {
                result.replaced.push(manifests::path_of(&self.warehouse, &manifest.manifest_path)?);
                continue;
            }
            if !may_have(manifest, removed) {
                result.manifests.push(manifest.clone());
                continue;
            }
            let entries = manifests::load(&self.warehouse, manifest).await?;
            if entries.iter().any(|entry| gone.contains(entry.file_path())) {
                result.replaced.push(manifests::path_of(&self.warehouse, &manifest.manifest_path)?);
                result.add(writer.existing(self.names.manifest(), entries, &gone).await?);
            } else {
                result.manifests.push(manifest.clone());
            }
        }
        let older =
            result.manifests.iter().filter(|manifest| manifest.added_snapshot_id != writer.snapshot_id);
        let many = manifests::worth_merging(older);
        if !many.is_empty() {
            let paths: HashSet<_> = many.iter().map(|manifest| manifest.manifest_path.clone()).collect();
            result.manifests.retain(|manifest| !paths.contains(&manifest.manifest_path));
            for path in &paths {
                result.replaced.push(manifests::path_of(&self.warehouse, path)?);
            }
            let entries = manifests::load_all(&self.warehouse, many).await?;
            result.add(writer.existing(self.names.manifest(), entries, &HashSet::new()).await?);
        }
        if !added.is_empty() {
            result.add(writer.added(self.names.manifest(), added).await?);
        }
        Ok(result)
    }

    fn note_replaced(&self, replaced: &[Path], now_ms: i64) -> Result<NewObject, LakeError> {
        let names: Vec<&str> = replaced.iter().map(Path::as_ref).collect();
        let bytes = serde_json::to_vec(&names).map_err(|error| LakeError::Iceberg(error.to_string()))?;
        Ok(NewObject { path: self.names.replaced(now_ms), bytes: bytes.into() })
    }

    pub(super) async fn put_all(&self, objects: &[NewObject]) -> Result<(), LakeError> {
        let create = || PutOptions::from(PutMode::Create);
        for some in objects.chunks(PUT_AT_ONCE) {
            // All are waited for: a put that is dropped half-way may still happen.
            let puts = some.iter().map(|object| async {
                self.warehouse.store().put_opts(&object.path, object.bytes.clone().into(), create()).await
            });
            let results = join_all(puts).await;
            for result in results {
                result?;
            }
        }
        Ok(())
    }

    /// The one step.
    async fn make(&self, committing: &mut Committing, next: &State, now_ms: i64) -> Result<(), Failure> {
        let store = self.warehouse.store();
        let path = self.names.metadata(next.version);
        let create = PutOptions::from(PutMode::Create);
        let Err(source) = store.put_opts(&path, next.json.clone().into(), create).await else {
            return Ok(());
        };
        let table = self.names.table().to_string();
        let source = match self.found(&path).await {
            // It happened all the same. Once more, so that it is durable.
            Ok(Some(there)) if there == next.json => match store.put(&path, there.into()).await {
                Ok(_) => return Ok(()),
                Err(source) => source,
            },
            Ok(Some(_)) => {
                committing.unsettled = true;
                self.settle(committing, now_ms).await?;
                return Err(LakeError::Moved { table }.into());
            }
            // On a network it may still happen; then the next commit finds it.
            Ok(None) => return Err(Failure { error: source.into(), doubtful: true }),
            Err(_) => source,
        };
        committing.unsettled = true;
        Err(Failure { error: LakeError::Unsettled { table, source }, doubtful: true })
    }

    async fn found(&self, path: &Path) -> Result<Option<Bytes>, LakeError> {
        match self.warehouse.store().get(path).await {
            Ok(object) => Ok(Some(object.bytes().await?)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// After a commit whose outcome is not known: takes it over if it is there. Answers whether it was.
    async fn settle(&self, committing: &mut Committing, now_ms: i64) -> Result<bool, LakeError> {
        if !committing.unsettled {
            return Ok(false);
        }
        let before = self.state();
        let mut version = before.version;
        while let Some(json) = self.found(&self.names.metadata(version + 1)).await? {
            version += 1;
            let state = self.read_state(version, json).await?;
            let replaced = self.without(&before, &state)?;
            let mut keeping = self.keeping.lock();
            keeping.replaced(replaced, now_ms);
            *self.state.write() = Arc::new(state);
            // After the state: who reads the number before the marks never has an old mark with a new number.
            self.taken_over.fetch_add(1, Ordering::AcqRel);
            // What the doubtful commit wrote is in use now.
            keeping.landed(&committing.doubtful);
            committing.doubtful.clear();
        }
        committing.unsettled = false;
        Ok(version > before.version)
    }

    /// What the table named before and does not after.
    fn without(&self, before: &State, after: &State) -> Result<Vec<Path>, LakeError> {
        let path = |manifest: &ManifestFile| manifests::path_of(&self.warehouse, &manifest.manifest_path);
        let after_manifests = after.manifests.iter().map(path).collect::<Result<HashSet<_>, _>>()?;
        let mut gone = Vec::new();
        for manifest in &before.manifests {
            gone.extend(Some(path(manifest)?).filter(|path| !after_manifests.contains(path)));
        }
        gone.extend(before.list.clone().filter(|list| Some(list) != after.list.as_ref()));
        let files = before.snapshot.files().filter(|file| !after.snapshot.has(file));
        gone.extend(files.map(|file| file.path.clone()));
        Ok(gone)
    }

    /// Removes objects that nothing names and nothing will.
    pub(super) async fn discard(&self, paths: &[Path]) {
        self.remove(paths).await;
        self.keeping.lock().landed(paths);
    }

    /// Removes objects; answers how many are gone. What can't be removed now, a sweep finds.
    pub(super) async fn remove(&self, paths: &[Path]) -> usize {
        let paths = paths.to_vec();
        let stream = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut results = self.warehouse.store().delete_stream(stream);
        let mut gone = 0;
        while let Some(result) = results.next().await {
            match result {
                Ok(_) | Err(StoreError::NotFound { .. }) => gone += 1,
                Err(error) => {
                    tracing::debug!(%error, table = %self.names.table(), "a file could not be removed");
                }
            }
        }
        gone
    }

    pub(super) async fn hint(&self, version: u64) {
        let mut options = PutOptions::default();
        options.extensions.insert(Unsynced);
        let put =
            self.warehouse.store().put_opts(&self.names.hint(), version.to_string().into(), options).await;
        if let Err(error) = put {
            tracing::debug!(%error, table = %self.names.table(), "the version hint was not written");
        }
    }
}

/// Manifests while a commit is prepared.
#[derive(Debug, Default)]
struct Rewritten {
    manifests: Vec<ManifestFile>,
    objects: Vec<NewObject>,
    replaced: Vec<Path>,
}

impl Rewritten {
    fn add(&mut self, (manifest, object): (ManifestFile, NewObject)) {
        self.manifests.push(manifest);
        self.objects.push(object);
    }
}

/// Whether a manifest can have one of these files.
fn may_have(manifest: &ManifestFile, files: &[Arc<DataFile>]) -> bool {
    match manifests::days(manifest) {
        Some((first, last)) => files.iter().any(|file| (first..=last).contains(&file.day)),
        None => !files.is_empty(),
    }
}

fn marks_after(before: &Arc<Marks>, set: &Marks) -> Marks {
    let mut marks: BTreeMap<_, _> = before.as_ref().clone();
    for (name, value) in set {
        if value.is_empty() {
            marks.remove(name);
        } else {
            marks.insert(name.clone(), value.clone());
        }
    }
    marks
}

pub(super) fn serialized(metadata: &TableMetadata) -> Result<Bytes, LakeError> {
    serde_json::to_vec(metadata).map(Bytes::from).map_err(|error| LakeError::Iceberg(error.to_string()))
}

/// A positive number that no listed snapshot has.
fn new_id(metadata: &TableMetadata) -> i64 {
    loop {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        let id = i64::try_from((high ^ low) >> 1).unwrap_or(i64::MAX);
        if id > 0 && metadata.snapshot_by_id(id).is_none() {
            return id;
        }
    }
}
