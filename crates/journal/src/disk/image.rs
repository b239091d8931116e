//! What would be on the disk after a power cut: the last synced bytes of every file under its last synced name.

use std::{
    collections::HashMap,
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{Access, Disk, DiskFile, folder_of, read_up_to};

/// A power cut keeps or loses whole sectors.
const SECTOR_BYTES: u64 = 512;

/// A file, whatever it is called at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileId(u64);

/// Bytes that were written and not yet synced; `order` tells which write came first, over all files.
#[derive(Debug, Clone)]
struct Dirty {
    order: u64,
    range: Range<u64>,
}

#[derive(Debug, Default)]
struct Image {
    durable: Vec<u8>,
    dirty: Vec<Dirty>,
}

#[derive(Debug)]
enum NameChange {
    Created { path: PathBuf },
    Removed { path: PathBuf, id: FileId },
    Renamed { from: PathBuf, to: PathBuf, id: FileId, replaced: Option<FileId> },
}

impl NameChange {
    fn folder(&self) -> &Path {
        match self {
            Self::Created { path } | Self::Removed { path, .. } => folder_of(path),
            Self::Renamed { to, .. } => folder_of(to),
        }
    }
}

/// Which unsynced bytes a crash keeps.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    First(u64),
    Sectors(u64),
}

/// The durable image of everything that was written through the faulty disk.
#[derive(Debug, Default)]
pub(super) struct Images {
    files: HashMap<FileId, Image>,
    names: HashMap<PathBuf, FileId>,
    changes: Vec<NameChange>,
    counter: u64,
}

impl Images {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn created(&mut self, path: &Path) -> FileId {
        let id = FileId(self.next());
        self.files.insert(id, Image::default());
        self.names.insert(path.to_owned(), id);
        self.changes.push(NameChange::Created { path: path.to_owned() });
        id
    }

    /// The file at `path`; one that was there before the faulty disk counts as durable as it is.
    pub(super) fn adopt(&mut self, path: &Path, disk: &dyn Disk) -> io::Result<FileId> {
        if let Some(id) = self.names.get(path) {
            return Ok(*id);
        }
        let durable = disk.read(path)?;
        let id = FileId(self.next());
        self.files.insert(id, Image { durable, dirty: Vec::new() });
        self.names.insert(path.to_owned(), id);
        Ok(id)
    }

    pub(super) fn removed(&mut self, path: &Path, id: FileId) {
        self.names.remove(path);
        self.changes.push(NameChange::Removed { path: path.to_owned(), id });
    }

    pub(super) fn renamed(&mut self, from: &Path, to: &Path, id: FileId, replaced: Option<FileId>) {
        self.names.remove(from);
        self.names.insert(to.to_owned(), id);
        self.changes.push(NameChange::Renamed { from: from.to_owned(), to: to.to_owned(), id, replaced });
    }

    /// A folder got another name: what is in it moves along, at once durable.
    pub(super) fn folder_renamed(&mut self, from: &Path, to: &Path) {
        let moved = |path: &Path| path.strip_prefix(from).ok().map(|rest| to.join(rest));
        self.names = std::mem::take(&mut self.names)
            .into_iter()
            .map(|(path, id)| (moved(&path).unwrap_or(path), id))
            .collect();
        for change in &mut self.changes {
            let paths = match change {
                NameChange::Created { path } | NameChange::Removed { path, .. } => [Some(path), None],
                NameChange::Renamed { from, to, .. } => [Some(from), Some(to)],
            };
            for path in paths.into_iter().flatten() {
                if let Some(new) = moved(path) {
                    *path = new;
                }
            }
        }
    }

    pub(super) fn wrote(&mut self, id: FileId, range: Range<u64>) {
        let order = self.next();
        if let Some(image) = self.files.get_mut(&id) {
            image.dirty.push(Dirty { order, range });
        }
    }

    /// The file's unsynced bytes are durable from here on.
    pub(super) fn synced(&mut self, id: FileId, file: &dyn DiskFile) -> io::Result<()> {
        let Some(image) = self.files.get_mut(&id) else { return Ok(()) };
        let dirty = std::mem::take(&mut image.dirty);
        let len = file.len()?;
        image.durable.resize(len as usize, 0);
        dirty.iter().try_for_each(|dirty| copy(&mut image.durable, file, dirty.range.clone()))
    }

    /// A sync failed. As on Linux, its bytes then count as clean: no later sync writes them.
    pub(super) fn sync_failed(&mut self, id: FileId) {
        if let Some(image) = self.files.get_mut(&id) {
            image.dirty.clear();
        }
    }

    pub(super) fn folder_synced(&mut self, folder: &Path) {
        self.changes.retain(|change| change.folder() != folder);
    }

    /// Makes the disk look as after a power cut that kept the given part of what was not synced.
    pub(super) fn crash(&mut self, kept: Option<Kept>, disk: &dyn Disk) -> io::Result<()> {
        if let Some(kept) = kept {
            self.keep(kept, disk)?;
            self.changes.clear();
        }
        let mut gone: Vec<PathBuf> = self.names.keys().cloned().collect();
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            match change {
                NameChange::Created { path } => {
                    self.names.remove(&path);
                }
                NameChange::Removed { path, id } => {
                    self.names.insert(path, id);
                }
                NameChange::Renamed { from, to, id, replaced } => {
                    match replaced {
                        Some(replaced) => self.names.insert(to, replaced),
                        None => self.names.remove(&to),
                    };
                    self.names.insert(from, id);
                }
            }
        }
        gone.retain(|path| !self.names.contains_key(path));
        for path in gone {
            disk.remove_file(&path)?;
        }
        for (path, id) in &self.names {
            let Some(image) = self.files.get_mut(id) else { continue };
            image.dirty.clear();
            let file = match disk.open_write(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    disk.create_new(path, Access::Default)?
                }
                Err(error) => return Err(error),
            };
            file.set_len(0)?;
            file.write_all_at(&image.durable, 0)?;
        }
        Ok(())
    }

    fn keep(&mut self, kept: Kept, disk: &dyn Disk) -> io::Result<()> {
        let paths: HashMap<FileId, &PathBuf> = self.names.iter().map(|(path, id)| (*id, path)).collect();
        let mut dirty: Vec<(FileId, Dirty)> = self
            .files
            .iter()
            .flat_map(|(id, image)| image.dirty.iter().map(|dirty| (*id, dirty.clone())))
            .collect();
        dirty.sort_unstable_by_key(|(_, dirty)| dirty.order);
        let mut budget = match kept {
            Kept::First(bytes) => bytes,
            Kept::Sectors(_) => u64::MAX,
        };
        for (id, Dirty { range, .. }) in dirty {
            let (Some(path), Some(image)) = (paths.get(&id), self.files.get_mut(&id)) else { continue };
            let file = disk.open_read(path)?;
            let end = range.end.min(file.len()?).min(range.start.saturating_add(budget));
            budget = budget.saturating_sub(end.saturating_sub(range.start));
            if end <= range.start {
                continue;
            }
            if image.durable.len() < end as usize {
                image.durable.resize(end as usize, 0);
            }
            match kept {
                Kept::First(_) => copy(&mut image.durable, &*file, range.start..end)?,
                Kept::Sectors(seed) => {
                    for sector in sectors(range.start..end).filter(|sector| survives(seed, id, sector.start))
                    {
                        copy(&mut image.durable, &*file, sector)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn copy(durable: &mut [u8], file: &dyn DiskFile, range: Range<u64>) -> io::Result<()> {
    let end = (range.end as usize).min(durable.len());
    let start = (range.start as usize).min(end);
    read_up_to(file, &mut durable[start..end], range.start).map(drop)
}

fn sectors(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let first = range.start / SECTOR_BYTES;
    let last = range.end.div_ceil(SECTOR_BYTES);
    (first..last).map(move |sector| {
        (sector * SECTOR_BYTES).max(range.start)..((sector + 1) * SECTOR_BYTES).min(range.end)
    })
}

/// A coin for each sector that falls the same way for the same seed.
fn survives(seed: u64, id: FileId, start: u64) -> bool {
    let mixed = (seed ^ id.0.rotate_left(32) ^ (start / SECTOR_BYTES)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 63 == 1
}
