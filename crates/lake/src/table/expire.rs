//! Files that go: those whose grace period has passed, and those that nobody names.

use std::{collections::HashSet, sync::atomic::Ordering};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::{ObjectMeta, path::Path};

use super::{Inner, commit::Change, description::VERSIONS_KEPT, manifests, names::Kind};
use crate::LakeError;

/// How often expiry looks for files that belong to nobody: each time costs a listing of the whole table.
const SWEPT_EVERY_MS: i64 = 24 * 3600 * 1000;

impl Inner {
    /// Removes what was replaced longer ago than the grace period, and old metadata files.
    pub(super) async fn expire(&self, now: DateTime<Utc>) -> Result<usize, LakeError> {
        let grace = i64::try_from(self.options.grace.as_millis()).unwrap_or(i64::MAX);
        let due = self.keeping.lock().due(now.timestamp_millis().saturating_sub(grace));
        let mut gone = 0;
        if !due.is_empty() {
            self.forget_snapshots(&due, now).await?;
            // A file may have been noted by a commit that failed, and be in the table.
            let named = self.named()?;
            let (kept, mut due): (Vec<_>, Vec<_>) = due.into_iter().partition(|path| named.contains(path));
            self.keeping.lock().forget(&kept);
            // The notes last: they are what a restart knows the others by.
            due.sort_by_key(|path| matches!(self.names.kind(path), Some(Kind::Replaced { .. })));
            let notes =
                due.iter().position(|path| matches!(self.names.kind(path), Some(Kind::Replaced { .. })));
            let (files, notes) = due.split_at(notes.unwrap_or(due.len()));
            let removed = self.remove(files).await;
            gone += removed;
            if removed == files.len() {
                self.keeping.lock().forget(files);
                gone += self.remove(notes).await;
                self.keeping.lock().forget(notes);
            }
        }
        gone += self.remove_old_metadata().await?;
        if now.timestamp_millis().saturating_sub(self.swept_ms.load(Ordering::Relaxed)) >= SWEPT_EVERY_MS {
            gone += self.sweep(now).await?;
        }
        Ok(gone)
    }

    /// Takes snapshots out of the list whose manifest lists are to go.
    async fn forget_snapshots(&self, due: &[Path], now: DateTime<Utc>) -> Result<(), LakeError> {
        let due: HashSet<&Path> = due.iter().collect();
        let state = self.state();
        let current = state.metadata.current_snapshot_id();
        let mut forgotten = Vec::new();
        for snapshot in state.metadata.snapshots() {
            let list = manifests::path_of(&self.warehouse, snapshot.manifest_list())?;
            if due.contains(&list) && Some(snapshot.snapshot_id()) != current {
                forgotten.push(snapshot.snapshot_id());
            }
        }
        if !forgotten.is_empty() {
            self.commit(Change { forgotten, ..Change::default() }, Vec::new(), now).await?;
        }
        Ok(())
    }

    async fn remove_old_metadata(&self) -> Result<usize, LakeError> {
        let first = self.state().version.saturating_sub(VERSIONS_KEPT);
        let mut from = self.metadata_from.lock().await;
        let old: Vec<Path> = (*from..first).map(|version| self.names.metadata(version)).collect();
        if old.is_empty() {
            return Ok(0);
        }
        let gone = self.remove(&old).await;
        if gone == old.len() {
            *from = first;
        }
        Ok(gone)
    }

    /// The files that the newest metadata names.
    fn named(&self) -> Result<HashSet<Path>, LakeError> {
        let state = self.state();
        let mut named: HashSet<Path> = state.snapshot.files().map(|file| file.path.clone()).collect();
        named.extend(state.list.clone());
        for manifest in &state.manifests {
            named.insert(manifests::path_of(&self.warehouse, &manifest.manifest_path)?);
        }
        Ok(named)
    }

    /// Removes every file in the table's folder that belongs to nobody; files with names that this program
    /// doesn't give stay. Answers how many.
    pub(super) async fn sweep(&self, now: DateTime<Utc>) -> Result<usize, LakeError> {
        self.swept_ms.store(now.timestamp_millis(), Ordering::Relaxed);
        let store = self.warehouse.store();
        let listed: Vec<ObjectMeta> = store.list(Some(self.names.table())).try_collect().await?;
        let orphans = {
            // The order matters: what was in flight at the listing is in one of the two now.
            let keeping = self.keeping.lock();
            let named = self.named()?;
            let newest = self.state().version;
            let is_orphan = |path: &Path| match self.names.kind(path) {
                None | Some(Kind::Hint) => false,
                Some(Kind::Metadata { version }) => version + VERSIONS_KEPT < newest,
                Some(_) => !keeping.has(path) && !named.contains(path),
            };
            let paths = listed.into_iter().map(|object| object.location);
            paths.filter(is_orphan).collect::<Vec<_>>()
        };
        if orphans.is_empty() {
            return Ok(0);
        }
        // A commit of a process that was killed may still be on its way to a store on the network. After this one
        // it comes too late.
        self.commit(Change::default(), Vec::new(), now).await?;
        let gone = self.remove(&orphans).await;
        tracing::info!(table = %self.names.table(), files = gone, "removed files that belong to no commit");
        Ok(gone)
    }
}
