//! The runs on disk: opening, adding, merging.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use opentrail_journal::{Journal, Seq, disk::Disk};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{
    SeenIds,
    run::{Run, RunFacts, merged, write_run},
};
use crate::{
    error::{ArchiveError, disk_error},
    layout::{read_manifest, remove_if_there, remove_orphans, run_path, write_manifest},
    options::ArchiveOptions,
};

/// A merge of so many runs of like size pays.
const FAN_IN: usize = 8;
/// Fewer than this do not.
const LEAST_FAN_IN: usize = 3;

/// Which runs count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenManifest {
    /// Every id up to this entry of the journal is in the runs.
    pub(crate) position: u64,
    /// The id for the next run.
    pub(crate) next_id: u64,
    /// The runs, in the order in which they were written.
    pub(crate) runs: Vec<RunFacts>,
}

/// The files behind [`SeenIds`]. All calls block.
#[derive(Debug)]
pub(crate) struct SeenStore {
    seen: SeenIds,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    memory_ids: u64,
    run_ids: u64,
    manifest: Mutex<SeenManifest>,
    /// Held while a run is written from memory.
    flushing: Mutex<()>,
}

impl SeenStore {
    pub(crate) fn open(
        journal: Journal,
        dir: PathBuf,
        disk: Arc<dyn Disk>,
        options: &ArchiveOptions,
    ) -> Result<Self, ArchiveError> {
        disk.create_dir_all(&dir).map_err(|error| disk_error("make", &dir, error))?;
        let manifest = read_seen_manifest(&*disk, &dir)?;
        let known: HashSet<u64> = manifest.runs.iter().map(|run| run.id).collect();
        remove_orphans(&*disk, &dir, |id| known.contains(&id))?;
        let runs = manifest.runs.iter().map(|facts| Run::open(&*disk, &dir, *facts).map(Arc::new));
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            seen: SeenIds::new(journal, options.seen_memory_ids, runs, Seq(manifest.position)),
            disk,
            dir,
            memory_ids: options.seen_memory_ids.max(1) as u64,
            run_ids: options.seen_run_ids.max(1) as u64,
            manifest: Mutex::new(manifest),
            flushing: Mutex::new(()),
        })
    }

    pub(crate) fn seen(&self) -> &SeenIds {
        &self.seen
    }

    /// Every id up to this entry of the journal is on disk.
    pub(crate) fn position(&self) -> Seq {
        Seq(self.manifest.lock().position)
    }

    /// How many runs there are, how many ids they have, and what they take in memory.
    pub(crate) fn size(&self) -> (usize, u64, usize) {
        let runs = self.seen.runs();
        (runs.len(), runs.iter().map(|run| run.facts.ids).sum(), runs.iter().map(|run| run.memory()).sum())
    }

    /// Makes a run of the ids in memory.
    pub(crate) fn flush(&self) -> Result<(), ArchiveError> {
        let _one_at_a_time = self.flushing.lock();
        let (frozen, reaches) = self.seen.freeze();
        let mut keys: Vec<_> = frozen.iter().copied().collect();
        keys.sort_unstable();
        let written = if keys.is_empty() { None } else { Some(self.write(keys.into_iter().map(Ok))?) };
        let mut manifest = self.manifest.lock();
        if written.is_some() || manifest.position != reaches.0 {
            let mut next = manifest.clone();
            next.position = reaches.0;
            next.runs.extend(written.as_ref().map(|run| run.facts));
            self.commit(&mut manifest, next)?;
        }
        let mut runs = self.seen.runs().to_vec();
        runs.extend(written);
        self.seen.replace_runs(runs, true);
        Ok(())
    }

    /// Merges some runs of like size; whether there were any.
    pub(crate) fn merge(&self) -> Result<bool, ArchiveError> {
        let Some(chosen) = self.choose() else { return Ok(false) };
        let run = self.write(merged(&chosen))?;
        let gone = |id: u64| chosen.iter().any(|run| run.facts.id == id);
        let mut manifest = self.manifest.lock();
        let mut next = manifest.clone();
        next.runs.retain(|run| !gone(run.id));
        next.runs.insert(0, run.facts);
        self.commit(&mut manifest, next)?;
        let mut runs = self.seen.runs().to_vec();
        runs.retain(|run| !gone(run.facts.id));
        runs.insert(0, run);
        self.seen.replace_runs(runs, false);
        drop(manifest);
        for run in chosen {
            let path = run_path(&self.dir, run.facts.id);
            if let Err(error) = remove_if_there(&*self.disk, &path) {
                // The next start removes it.
                tracing::warn!(path = %path.display(), %error, "a merged run of ids cannot be removed");
            }
        }
        Ok(true)
    }

    fn choose(&self) -> Option<Vec<Arc<Run>>> {
        let mut tiers: BTreeMap<u32, Vec<Arc<Run>>> = BTreeMap::new();
        for run in self.seen.runs().iter().filter(|run| run.facts.ids < self.run_ids / 2) {
            let tier = (run.facts.ids / self.memory_ids).max(1).ilog(FAN_IN as u64);
            tiers.entry(tier).or_default().push(Arc::clone(run));
        }
        tiers.into_values().filter(|alike| alike.len() >= FAN_IN).find_map(|mut alike| {
            let mut ids = 0;
            let fitting = alike.iter().take_while(|run| {
                ids += run.facts.ids;
                ids <= self.run_ids
            });
            let fitting = fitting.count();
            alike.truncate(fitting);
            (fitting >= LEAST_FAN_IN).then_some(alike)
        })
    }

    fn write(
        &self,
        keys: impl Iterator<Item = Result<super::key::Key, ArchiveError>>,
    ) -> Result<Arc<Run>, ArchiveError> {
        let id = {
            let mut manifest = self.manifest.lock();
            manifest.next_id += 1;
            manifest.next_id
        };
        let written = write_run(&*self.disk, &self.dir, id, keys).and_then(|facts| {
            self.disk.sync_dir(&self.dir).map_err(|error| disk_error("sync", &self.dir, error))?;
            Run::open(&*self.disk, &self.dir, facts)
        });
        if written.is_err() {
            // The first error is the one to report; half a run is of no use, and may be what fills the disk.
            let _ = self.disk.remove_file(&run_path(&self.dir, id));
        }
        written.map(Arc::new)
    }

    /// Makes a manifest the one that counts. If that fails, either may: what both name is left alone.
    fn commit(&self, manifest: &mut SeenManifest, next: SeenManifest) -> Result<(), ArchiveError> {
        write_manifest(&*self.disk, &self.dir, &next)?;
        *manifest = next;
        Ok(())
    }
}

/// Which runs count in the folder of the ids.
pub(crate) fn read_seen_manifest(disk: &dyn Disk, dir: &Path) -> Result<SeenManifest, ArchiveError> {
    read_manifest(disk, dir).map(Option::unwrap_or_default)
}

/// The folder of the ids in the archive's.
pub(crate) fn seen_dir(dir: &Path) -> PathBuf {
    dir.join("seen")
}
