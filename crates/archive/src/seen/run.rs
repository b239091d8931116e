//! A run of ids on disk: sorted, with a filter in memory that answers for most ids that are not in it.
//!
//! A file of [blocks](crate::blocks): the ids; the filter (a binary fuse filter, 9 bits an id; its
//! descriptor first); the fence, which is the first id of each block.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    path::{Path, PathBuf},
    sync::Arc,
};

use opentrail_journal::disk::Disk;
use serde::{Deserialize, Serialize};
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter, FilterRef};

use super::key::Key;
use crate::{
    blocks::{BlockReader, BlockWriter, Records, Section},
    error::{ArchiveError, Damage, corrupt},
    layout::run_path,
    manifest::FileFacts,
};

const MAGIC: &[u8; 8] = b"OTASEEN\x01";
const DESCRIPTOR: usize = BinaryFuse8::DESCRIPTOR_LEN;

/// A run as the manifest knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunFacts {
    pub(crate) id: u64,
    pub(crate) ids: u64,
    pub(crate) file: FileFacts,
}

/// Writes a run; the keys come in ascending order, without doubles.
pub(crate) fn write_run(
    disk: &dyn Disk,
    dir: &Path,
    id: u64,
    keys: impl Iterator<Item = Result<Key, ArchiveError>>,
) -> Result<RunFacts, ArchiveError> {
    let mut writer = BlockWriter::create(disk, &run_path(dir, id))?;
    let (mut hashes, mut fence) = (Vec::new(), Vec::new());
    writer.begin(Key::BYTES)?;
    for key in keys {
        let key = key?;
        let section = writer.section();
        if section.count.is_multiple_of(section.per_block()) {
            fence.push(key);
        }
        hashes.push(key.hash());
        writer.record(&key.to_bytes())?;
    }
    let ids = writer.section();
    writer.begin(1)?;
    if let Some(filter) = filter(hashes) {
        let mut descriptor = [0; DESCRIPTOR];
        filter.dma_copy_descriptor_to(&mut descriptor);
        writer.bytes(&descriptor)?;
        writer.bytes(filter.dma_fingerprints())?;
    }
    let filter = writer.section();
    writer.begin(Key::BYTES)?;
    fence.iter().try_for_each(|key| writer.record(&key.to_bytes()))?;
    let mut footer = MAGIC.to_vec();
    for section in [ids, filter, writer.section()] {
        footer.extend(section.to_bytes());
    }
    Ok(RunFacts { id, ids: ids.count, file: writer.finish(&footer)?.into() })
}

/// A filter of these hashes, if one can be made; without it the ids themselves are asked.
fn filter(mut hashes: Vec<u64>) -> Option<BinaryFuse8> {
    hashes.sort_unstable();
    hashes.dedup();
    BinaryFuse8::try_from(&hashes).ok()
}

/// A run, open.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) facts: RunFacts,
    reader: BlockReader,
    ids: Section,
    fence: Vec<Key>,
    /// Descriptor and fingerprints; empty if there is none.
    filter: Vec<u8>,
}

impl Run {
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, facts: RunFacts) -> Result<Self, ArchiveError> {
        let path: PathBuf = run_path(dir, facts.id);
        let reader = BlockReader::open(disk, &path)?;
        let footer = reader.footer()?;
        let section = |at: usize| {
            let start = MAGIC.len() + at * Section::BYTES;
            footer.get(start..start + Section::BYTES).and_then(Section::from_bytes)
        };
        let (Some(ids), Some(filter), Some(fence), true) =
            (section(0), section(1), section(2), footer.starts_with(MAGIC))
        else {
            return Err(corrupt(path, Damage::Format));
        };
        let fits = ids.record == Key::BYTES && fence.record == Key::BYTES && ids.count == facts.ids;
        if !fits || fence.count != ids.count.div_ceil(ids.per_block()) {
            return Err(corrupt(path, Damage::Format));
        }
        let filter = reader.bytes(filter)?;
        let mut records = Records::in_order(&reader, fence);
        let fence = (0..fence.count)
            .map(|at| records.array(at).map(Key::from_bytes))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { facts, ids, fence, filter, reader })
    }

    /// Whether the filter lets a key with this hash through.
    fn passes(&self, hash: u64) -> bool {
        match self.filter.split_at_checked(DESCRIPTOR) {
            Some((descriptor, fingerprints)) => {
                BinaryFuse8Ref::from_dma(descriptor, fingerprints).contains(&hash)
            }
            None => true,
        }
    }

    /// Whether the key is in the run; `hash` is the key's.
    pub(crate) fn contains(&self, key: Key, hash: u64) -> Result<bool, ArchiveError> {
        if !self.passes(hash) {
            return Ok(false);
        }
        let Some(block) = self.fence.partition_point(|first| *first <= key).checked_sub(1) else {
            return Ok(false);
        };
        let per_block = self.ids.per_block();
        let first = block as u64 * per_block;
        let count = per_block.min(self.ids.count - first) as usize;
        let bytes = self.reader.block(self.ids.first_block + block as u64)?;
        let wanted = key.to_bytes();
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            match bytes[middle * Key::BYTES..(middle + 1) * Key::BYTES].cmp(&wanted) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }

    /// All keys, ascending.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Result<Key, ArchiveError>> + '_ {
        let mut records = Records::in_order(&self.reader, self.ids);
        (0..self.ids.count).map(move |at| records.array(at).map(Key::from_bytes))
    }

    /// What it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.filter.capacity() + self.fence.capacity() * size_of::<Key>()
    }
}

/// Whether the ids of a run on disk are ascending, as many as they should be, and found through the filter.
pub(crate) fn check_run(disk: &dyn Disk, dir: &Path, facts: RunFacts) -> Result<bool, ArchiveError> {
    let run = Run::open(disk, dir, facts)?;
    let mut before = None;
    for key in run.keys() {
        let key = key?;
        if before >= Some(key) || !run.passes(key.hash()) {
            return Ok(false);
        }
        before = Some(key);
    }
    Ok(true)
}

/// The keys of several runs, ascending, each once.
pub(crate) fn merged(runs: &[Arc<Run>]) -> impl Iterator<Item = Result<Key, ArchiveError>> + '_ {
    let mut inputs: Vec<_> = runs.iter().map(|run| run.keys()).collect();
    let mut heap = BinaryHeap::new();
    let mut failure = None;
    let mut started = false;
    let mut last = None;
    std::iter::from_fn(move || {
        if !started {
            started = true;
            for (number, keys) in inputs.iter_mut().enumerate() {
                match keys.next() {
                    Some(Ok(key)) => heap.push(Reverse((key, number))),
                    Some(Err(error)) => failure = Some(error),
                    None => {}
                }
            }
        }
        loop {
            if let Some(error) = failure.take() {
                heap.clear();
                return Some(Err(error));
            }
            let Reverse((key, number)) = heap.pop()?;
            match inputs[number].next() {
                Some(Ok(next)) => heap.push(Reverse((next, number))),
                Some(Err(error)) => failure = Some(error),
                None => {}
            }
            if last != Some(key) {
                last = Some(key);
                return Some(Ok(key));
            }
        }
    })
}
