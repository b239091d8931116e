//! A disk that fails on command, for tests.

use std::{io, path::Path, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    Access, DirEntry, Disk, DiskFile, DiskLock, FileInfo, RealDisk,
    faulty_file::{FaultyFile, FaultyLock},
    image::{FileId, Images, Kept},
};

/// What a [`Fault`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new file.
    Create,
    /// Opening a file that is there.
    Open,
    /// Bytes read from a file.
    Read,
    /// Bytes written to a file.
    Write,
    /// A file's `sync_data` or `sync_all`.
    Sync,
    /// A folder's sync.
    SyncDir,
    /// Cutting or extending a file.
    SetLen,
    /// A rename.
    Rename,
    /// Removing a file.
    Remove,
    /// Listing a folder.
    List,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    Error(io::ErrorKind),
    Short(usize),
    FlipBit { offset: u64, bit: u8 },
    Delay(Duration),
}

/// One scripted fault. It strikes operations of its kind, on every path unless [`Fault::on`] narrows it.
#[derive(Debug, Clone)]
pub struct Fault {
    operation: Operation,
    effect: Effect,
    path: Option<String>,
    skip: u64,
    left: Option<u64>,
}

impl Fault {
    fn new(operation: Operation, effect: Effect, left: Option<u64>) -> Self {
        Self { operation, effect, path: None, skip: 0, left }
    }

    /// The operation fails and does nothing; once, unless [`Fault::times`] or [`Fault::always`] says otherwise.
    pub fn error(operation: Operation, kind: io::ErrorKind) -> Self {
        Self::new(operation, Effect::Error(kind), Some(1))
    }

    /// Each write takes at most `bytes` (1 at least).
    pub fn short_writes(bytes: usize) -> Self {
        Self::new(Operation::Write, Effect::Short(bytes.max(1)), None)
    }

    /// Every read that covers the byte at `offset` finds its bit (0 to 7) flipped.
    pub fn flipped_bit(offset: u64, bit: u8) -> Self {
        Self::new(Operation::Read, Effect::FlipBit { offset, bit: bit & 7 }, None)
    }

    /// The operation takes longer.
    pub fn delay(operation: Operation, time: Duration) -> Self {
        Self::new(operation, Effect::Delay(time), None)
    }

    /// Only where the path contains this text.
    pub fn on(mut self, part_of_path: impl Into<String>) -> Self {
        self.path = Some(part_of_path.into());
        self
    }

    /// Lets the first `count` matching operations pass.
    pub fn after(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// Strikes `count` times, then never again.
    pub fn times(mut self, count: u64) -> Self {
        self.left = Some(count);
        self
    }

    /// Strikes until [`FaultyDisk::heal`].
    pub fn always(mut self) -> Self {
        self.left = None;
        self
    }

    fn strikes(&mut self, operation: Operation, path: &Path) -> Option<Effect> {
        let matches = self.operation == operation
            && self.left != Some(0)
            && self.path.as_ref().is_none_or(|part| path.to_string_lossy().contains(part.as_str()));
        if !matches {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        Some(self.effect)
    }
}

/// What a crash leaves of the bytes and names that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashKeeps {
    /// Nothing: the worst that POSIX allows.
    Nothing,
    /// The names, and of the written bytes the first so many, in the order of the writes.
    FirstBytes(u64),
    /// The names, all lengths, and some sectors of 512 bytes, chosen by the seed; the others are zeros. As a
    /// file system that writes pages back in any order may leave it.
    SomeSectors(u64),
    /// Everything, as when the process is killed and the machine goes on.
    Everything,
}

/// How often the disk was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Successful reads.
    pub reads: u64,
    /// Successful writes.
    pub writes: u64,
    /// Bytes that they wrote.
    pub bytes_written: u64,
    /// Successful syncs of files.
    pub file_syncs: u64,
    /// Successful syncs of folders.
    pub dir_syncs: u64,
}

#[derive(Debug, Default)]
pub(super) struct Script {
    faults: Vec<Fault>,
    space: Option<u64>,
    changes_until_power_cut: Option<u64>,
    powered_off: bool,
    syncs_held: bool,
    pub(super) writes_back: bool,
    pub(super) generation: u64,
    pub(super) images: Images,
    pub(super) counts: DiskCounts,
    pub(super) locks: Vec<(u64, Box<dyn DiskLock>)>,
    next_lock: u64,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inner: Arc<dyn Disk>,
    script: Mutex<Script>,
    syncs_may_go: Condvar,
}

/// A disk that fails on command. It wraps another disk and keeps beside it what would survive a power cut.
/// Clones are the same disk: a test keeps one to script faults and gives the other to the code under test.
///
/// Files that were there before are taken as durable. Folders are durable at once. A rename of a file is made
/// durable by a sync of the folder it moved to. It never syncs the disk below: durability is modelled.
#[derive(Debug, Clone)]
pub struct FaultyDisk {
    shared: Arc<Shared>,
}

impl Default for FaultyDisk {
    fn default() -> Self {
        Self::new(Arc::new(RealDisk))
    }
}

impl FaultyDisk {
    /// A disk without faults as yet, over `inner`.
    pub fn new(inner: Arc<dyn Disk>) -> Self {
        Self { shared: Arc::new(Shared { inner, script: Mutex::default(), syncs_may_go: Condvar::new() }) }
    }

    /// Adds a fault to the script.
    pub fn inject(&self, fault: Fault) {
        self.shared.script().faults.push(fault);
    }

    /// Drops all faults, gives unlimited space, lets held syncs go.
    pub fn heal(&self) {
        let mut script = self.shared.script();
        script.faults.clear();
        script.space = None;
        script.changes_until_power_cut = None;
        script.syncs_held = false;
        self.shared.syncs_may_go.notify_all();
    }

    /// Whether written bytes are durable at once, as when the system writes its pages back early. Cuts of files
    /// and changes of names still wait for a sync.
    pub fn write_back_at_once(&self, at_once: bool) {
        self.shared.script().writes_back = at_once;
    }

    /// From now on files may grow by so many bytes together, then `StorageFull`; `None`: without limit.
    /// Cutting a file gives its bytes back.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.shared.script().space = bytes;
    }

    /// Syncs of files wait until [`FaultyDisk::release_syncs`].
    pub fn hold_syncs(&self) {
        self.shared.script().syncs_held = true;
    }

    /// Lets the syncs that wait, and all later ones, go on.
    pub fn release_syncs(&self) {
        self.shared.script().syncs_held = false;
        self.shared.syncs_may_go.notify_all();
    }

    /// After so many more changes (creations, writes, syncs, cuts, renames, removals) every operation
    /// fails, until [`FaultyDisk::crash`] starts the machine again.
    pub fn cut_power_after(&self, changes: u64) {
        self.shared.script().changes_until_power_cut = Some(changes);
    }

    /// The machine loses its power and starts again: unsynced data is lost but for what `keeps` says, locks
    /// are free, every handle opened before is dead, scripted faults are forgotten.
    pub fn crash(&self, keeps: CrashKeeps) -> io::Result<()> {
        let mut script = self.shared.script();
        script.generation += 1;
        script.locks.clear();
        script.faults.clear();
        script.space = None;
        script.changes_until_power_cut = None;
        script.powered_off = false;
        script.syncs_held = false;
        self.shared.syncs_may_go.notify_all();
        let kept = match keeps {
            CrashKeeps::Nothing => None,
            CrashKeeps::FirstBytes(bytes) => Some(Kept::First(bytes)),
            CrashKeeps::SomeSectors(seed) => Some(Kept::Sectors(seed)),
            CrashKeeps::Everything => Some(Kept::First(u64::MAX)),
        };
        let script = &mut *script;
        script.images.crash(kept, &*self.shared.inner)
    }

    /// How often the disk was used since it was made or since [`FaultyDisk::reset_counts`].
    pub fn counts(&self) -> DiskCounts {
        self.shared.script().counts
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        self.shared.script().counts = DiskCounts::default();
    }

    fn file(&self, inner: Box<dyn DiskFile>, path: &Path, id: Option<FileId>) -> Box<dyn DiskFile> {
        let generation = self.shared.script().generation;
        Box::new(FaultyFile { shared: self.shared.clone(), inner, path: path.to_owned(), id, generation })
    }
}

/// What the script has in store for one operation.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) short: Option<usize>,
    pub(super) flips: Vec<(u64, u8)>,
}

impl Shared {
    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock()
    }

    /// Asks the script before an operation; handles give the generation they belong to.
    pub(super) fn ask(
        &self,
        operation: Operation,
        path: &Path,
        generation: Option<u64>,
    ) -> io::Result<Verdict> {
        let (verdict, error, delay) = {
            let mut script = self.script();
            script.check_power(operation, generation)?;
            let (mut verdict, mut failure, mut delay) = (Verdict::default(), None, Duration::ZERO);
            for fault in &mut script.faults {
                match fault.strikes(operation, path) {
                    Some(Effect::Error(kind)) => failure = Some(io::Error::from(kind)),
                    Some(Effect::Short(bytes)) => verdict.short = Some(bytes),
                    Some(Effect::FlipBit { offset, bit }) => verdict.flips.push((offset, bit)),
                    Some(Effect::Delay(time)) => delay += time,
                    None => {}
                }
            }
            (verdict, failure, delay)
        };
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        error.map_or(Ok(verdict), Err)
    }

    /// Waits while syncs are held.
    pub(super) fn wait_for_syncs(&self, generation: u64) -> io::Result<()> {
        let mut script = self.script();
        while script.syncs_held {
            self.syncs_may_go.wait(&mut script);
        }
        if script.generation == generation { Ok(()) } else { Err(power_is_off()) }
    }
}

impl Script {
    fn check_power(&mut self, operation: Operation, generation: Option<u64>) -> io::Result<()> {
        let changes = !matches!(operation, Operation::Open | Operation::Read | Operation::List);
        match &mut self.changes_until_power_cut {
            Some(0) if changes => self.powered_off = true,
            Some(left) if changes => *left -= 1,
            _ => {}
        }
        if !self.is_on(generation.unwrap_or(self.generation)) {
            return Err(power_is_off());
        }
        Ok(())
    }

    /// Whether the machine runs, since the handle of this generation was opened.
    pub(super) fn is_on(&self, generation: u64) -> bool {
        !self.powered_off && self.generation == generation
    }

    /// How many of `wanted` more bytes there is room for.
    pub(super) fn room_for(&self, wanted: u64) -> u64 {
        self.space.map_or(wanted, |space| space.min(wanted))
    }

    pub(super) fn grew(&mut self, bytes: u64) {
        self.space = self.space.map(|space| space.saturating_sub(bytes));
    }

    pub(super) fn shrank(&mut self, bytes: u64) {
        self.space = self.space.map(|space| space.saturating_add(bytes));
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power was cut")
}

impl Disk for FaultyDisk {
    fn create_new(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        self.shared.ask(Operation::Create, path, None)?;
        if self.shared.script().space == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inner = self.shared.inner.create_new(path, access)?;
        let id = self.shared.script().images.created(path);
        Ok(self.file(inner, path, Some(id)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.ask(Operation::Open, path, None)?;
        Ok(self.file(self.shared.inner.open_read(path)?, path, None))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.ask(Operation::Open, path, None)?;
        let inner = self.shared.inner.open_write(path)?;
        let id = self.shared.script().images.adopt(path, &*self.shared.inner)?;
        Ok(self.file(inner, path, Some(id)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.ask(Operation::Rename, from, None)?;
        let mut script = self.shared.script();
        let disk = &*self.shared.inner;
        if disk.info(from)?.is_some_and(|info| info.is_dir) {
            disk.rename(from, to)?;
            script.images.folder_renamed(from, to);
            return Ok(());
        }
        let id = script.images.adopt(from, disk)?;
        let replaced = if disk.exists(to)? { Some(script.images.adopt(to, disk)?) } else { None };
        disk.rename(from, to)?;
        script.images.renamed(from, to, id, replaced);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared.ask(Operation::Remove, path, None)?;
        let mut script = self.shared.script();
        let disk = &*self.shared.inner;
        let len = disk.info(path)?.map_or(0, |info| info.len);
        let id = script.images.adopt(path, disk)?;
        disk.remove_file(path)?;
        script.images.removed(path, id);
        script.shrank(len);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.ask(Operation::Remove, path, None)?;
        self.shared.inner.remove_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.shared.ask(Operation::Create, path, None)?;
        self.shared.inner.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.ask(Operation::SyncDir, path, None)?;
        let mut script = self.shared.script();
        script.images.folder_synced(path);
        script.counts.dir_syncs += 1;
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.shared.ask(Operation::List, path, None)?;
        self.shared.inner.read_dir(path)
    }

    fn info(&self, path: &Path) -> io::Result<Option<FileInfo>> {
        self.shared.ask(Operation::Open, path, None)?;
        self.shared.inner.info(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.shared.ask(Operation::Open, path, None)?;
        let mut script = self.shared.script();
        let held = self.shared.inner.lock(path)?;
        script.next_lock += 1;
        let id = script.next_lock;
        script.locks.push((id, held));
        Ok(Box::new(FaultyLock { shared: self.shared.clone(), id }))
    }
}
