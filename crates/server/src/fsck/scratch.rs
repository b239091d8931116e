//! A disk whose changes stay in memory: what a start would repair is repaired there, and the disk below is
//! only read.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use opentrail_journal::disk::{Access, DirEntry, Disk, DiskFile, DiskLock, FileInfo};
use parking_lot::Mutex;

/// Changed bytes are kept in pieces of this size.
const PAGE_BYTES: u64 = 4096;

/// A disk over another one, which it never changes.
#[derive(Debug)]
pub(super) struct ScratchDisk {
    below: Arc<dyn Disk>,
    changed: Mutex<BTreeMap<PathBuf, Changed>>,
}

/// What is no longer as the disk below has it.
#[derive(Debug, Clone)]
enum Changed {
    Gone,
    Folder,
    File(Arc<ScratchFile>),
}

impl ScratchDisk {
    pub(super) fn new(below: Arc<dyn Disk>) -> Self {
        Self { below, changed: Mutex::default() }
    }

    fn changed(&self, path: &Path) -> Option<Changed> {
        self.changed.lock().get(path).cloned()
    }

    /// The file at a path in memory: taken over from the disk below if it is still there only.
    fn take_over(&self, path: &Path) -> io::Result<Arc<ScratchFile>> {
        let mut changed = self.changed.lock();
        let file = match changed.get(path) {
            Some(Changed::File(file)) => return Ok(Arc::clone(file)),
            Some(Changed::Gone) => return Err(io::ErrorKind::NotFound.into()),
            Some(Changed::Folder) => return Err(io::ErrorKind::IsADirectory.into()),
            None => Arc::new(ScratchFile::over(self.below.open_read(path)?)?),
        };
        changed.insert(path.to_owned(), Changed::File(Arc::clone(&file)));
        Ok(file)
    }

    fn expect_folder(&self, path: &Path) -> io::Result<()> {
        match self.info(path)? {
            Some(info) if info.is_dir => Ok(()),
            Some(_) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Disk for ScratchDisk {
    fn create_new(&self, path: &Path, _: Access) -> io::Result<Box<dyn DiskFile>> {
        if self.exists(path)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = Arc::new(ScratchFile::default());
        self.changed.lock().insert(path.to_owned(), Changed::File(Arc::clone(&file)));
        Ok(Box::new(Handle(file)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        match self.changed(path) {
            Some(Changed::File(file)) => Ok(Box::new(Handle(file))),
            Some(Changed::Gone) => Err(io::ErrorKind::NotFound.into()),
            Some(Changed::Folder) | None => self.below.open_read(path),
        }
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Handle(self.take_over(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.take_over(from)?;
        let mut changed = self.changed.lock();
        changed.insert(from.to_owned(), Changed::Gone);
        changed.insert(to.to_owned(), Changed::File(file));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match self.info(path)? {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(info) if info.is_dir => Err(io::ErrorKind::IsADirectory.into()),
            Some(_) => {
                self.changed.lock().insert(path.to_owned(), Changed::Gone);
                Ok(())
            }
        }
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        if !self.read_dir(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.changed.lock().insert(path.to_owned(), Changed::Gone);
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            match self.info(folder)? {
                Some(info) if info.is_dir => break,
                Some(_) => return Err(io::ErrorKind::AlreadyExists.into()),
                None => missing.push(folder.to_owned()),
            }
        }
        self.changed.lock().extend(missing.into_iter().map(|folder| (folder, Changed::Folder)));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.expect_folder(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.expect_folder(path)?;
        let made_here = matches!(self.changed(path), Some(Changed::Folder));
        let below = if made_here { Vec::new() } else { self.below.read_dir(path)? };
        let mut members: BTreeMap<String, DirEntry> =
            below.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        for (changed, how) in &*self.changed.lock() {
            let (Some(name), true) = (changed.file_name(), changed.parent() == Some(path)) else { continue };
            let name = name.to_string_lossy().into_owned();
            let (len, is_dir) = match how {
                Changed::Gone => {
                    members.remove(&name);
                    continue;
                }
                Changed::Folder => (0, true),
                Changed::File(file) => (file.pages.lock().len, false),
            };
            members.insert(name.clone(), DirEntry { name, len, is_dir });
        }
        Ok(members.into_values().collect())
    }

    fn info(&self, path: &Path) -> io::Result<Option<FileInfo>> {
        match self.changed(path) {
            Some(Changed::Gone) => Ok(None),
            Some(Changed::Folder) => Ok(Some(FileInfo { len: 0, is_dir: true, modified: None })),
            Some(Changed::File(file)) => {
                Ok(Some(FileInfo { len: file.pages.lock().len, is_dir: false, modified: None }))
            }
            None => self.below.info(path),
        }
    }

    /// The lock below, if its file is there: a server that runs has made it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        if self.below.exists(path)? { self.below.lock(path) } else { Ok(Box::new(NobodysLock)) }
    }
}

#[derive(Debug)]
struct NobodysLock;

impl DiskLock for NobodysLock {}

/// A file's bytes: those of the file below, except for the pages that were written.
#[derive(Default)]
struct ScratchFile {
    below: Option<Box<dyn DiskFile>>,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    len: u64,
    /// How far the file below still counts: what was cut off does not come back as it was.
    below_len: u64,
    written: BTreeMap<u64, Vec<u8>>,
}

impl fmt::Debug for ScratchFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScratchFile").field("below", &self.below).finish_non_exhaustive()
    }
}

impl ScratchFile {
    fn over(below: Box<dyn DiskFile>) -> io::Result<Self> {
        let len = below.len()?;
        let pages = Pages { len, below_len: len, written: BTreeMap::new() };
        Ok(Self { below: Some(below), pages: Mutex::new(pages) })
    }

    /// A page as the file below has it; zeros behind its end.
    fn page_below(&self, page: u64, below_len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; PAGE_BYTES as usize];
        let start = page * PAGE_BYTES;
        let there = below_len.saturating_sub(start).min(PAGE_BYTES);
        if let (Some(below), true) = (&self.below, there > 0) {
            below.read_exact_at(&mut bytes[..there as usize], start)?;
        }
        Ok(bytes)
    }
}

/// Where an offset is: its page, the place in it, and how much of `wanted` the page holds.
fn place(offset: u64, wanted: usize) -> (u64, usize, usize) {
    let inside = (offset % PAGE_BYTES) as usize;
    (offset / PAGE_BYTES, inside, wanted.min(PAGE_BYTES as usize - inside))
}

#[derive(Debug)]
struct Handle(Arc<ScratchFile>);

impl DiskFile for Handle {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut pages = self.0.pages.lock();
        let (page, inside, count) = place(offset, bytes.len());
        let below_len = pages.below_len;
        let kept = match pages.written.entry(page) {
            Entry::Occupied(kept) => kept.into_mut(),
            Entry::Vacant(free) => free.insert(self.0.page_below(page, below_len)?),
        };
        kept[inside..inside + count].copy_from_slice(&bytes[..count]);
        pages.len = pages.len.max(offset + count as u64);
        Ok(count)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let pages = self.0.pages.lock();
        let left = usize::try_from(pages.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (page, inside, count) = place(offset, buffer.len().min(left));
        match pages.written.get(&page) {
            Some(kept) => buffer[..count].copy_from_slice(&kept[inside..inside + count]),
            None => {
                let below = self.0.page_below(page, pages.below_len)?;
                buffer[..count].copy_from_slice(&below[inside..inside + count]);
            }
        }
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut pages = self.0.pages.lock();
        if len < pages.len {
            pages.below_len = pages.below_len.min(len);
            let (last, inside, _) = place(len, 0);
            pages.written.split_off(&(last + 1));
            if let Some(cut) = pages.written.get_mut(&last) {
                cut[inside..].fill(0);
            }
        }
        pages.len = len;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.pages.lock().len)
    }
}

#[cfg(test)]
mod tests {
    use opentrail_journal::disk::RealDisk;
    use proptest::prelude::*;

    use super::*;

    fn scratch() -> (tempfile::TempDir, ScratchDisk) {
        (tempfile::tempdir().unwrap(), ScratchDisk::new(Arc::new(RealDisk)))
    }

    fn names(disk: &ScratchDisk, folder: &Path) -> Vec<String> {
        disk.read_dir(folder).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn the_disk_below_stays_as_it_is() {
        let (folder, disk) = scratch();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("kept"), b"kept").unwrap();
        std::fs::write(path("removed"), b"removed").unwrap();

        disk.open_write(&path("kept")).unwrap().write_all_at(b"X", 1).unwrap();
        disk.remove_file(&path("removed")).unwrap();
        disk.write_atomically(&path("new"), b"new", Access::Default).unwrap();
        disk.create_dir_all(&path("a/b")).unwrap();
        disk.rename(&path("new"), &path("a/b/moved")).unwrap();

        assert_eq!(names(&disk, folder.path()), ["a", "kept"]);
        assert_eq!(names(&disk, &path("a")), ["b"]);
        assert_eq!(disk.read(&path("kept")).unwrap(), b"kXpt");
        assert_eq!(disk.read(&path("a/b/moved")).unwrap(), b"new");
        assert_eq!(disk.read(&path("removed")).unwrap_err().kind(), io::ErrorKind::NotFound);

        assert_eq!(std::fs::read(path("kept")).unwrap(), b"kept");
        let below = RealDisk.read_dir(folder.path()).unwrap();
        assert_eq!(below.into_iter().map(|entry| entry.name).collect::<Vec<_>>(), ["kept", "removed"]);
    }

    #[test]
    fn a_lock_that_another_has_is_seen() {
        let (folder, disk) = scratch();
        let path = folder.path().join("lock");
        assert!(disk.lock(&path).is_ok(), "nobody made the file");
        let held = RealDisk.lock(&path).unwrap();
        assert_eq!(disk.lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(disk.lock(&path).is_ok());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Write(u64, Vec<u8>),
        SetLen(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = prop::collection::vec(any::<u8>(), 1..6000);
        prop_oneof![
            (0..20_000_u64, bytes).prop_map(|(offset, bytes)| Step::Write(offset, bytes)),
            (0..20_000_u64).prop_map(Step::SetLen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_file_reads_as_one_that_was_really_written(
            before in prop::collection::vec(any::<u8>(), 0..12_000),
            steps in prop::collection::vec(step(), 1..12),
        ) {
            let (folder, disk) = scratch();
            let path = folder.path().join("file");
            std::fs::write(&path, &before).unwrap();
            let file = disk.open_write(&path).unwrap();
            let mut model = before.clone();
            for step in steps {
                match step {
                    Step::Write(offset, bytes) => {
                        file.write_all_at(&bytes, offset).unwrap();
                        let (start, end) = (offset as usize, offset as usize + bytes.len());
                        model.resize(model.len().max(end), 0);
                        model[start..end].copy_from_slice(&bytes);
                    }
                    Step::SetLen(len) => {
                        file.set_len(len).unwrap();
                        model.resize(len as usize, 0);
                    }
                }
                prop_assert_eq!(&disk.read(&path).unwrap(), &model);
            }
            prop_assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }
}
