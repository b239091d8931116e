//! The seam between opentrail and the file system.
//!
//! Everything that writes files does it through [`Disk`], so that a test can put [`FaultyDisk`] in
//! its place and see what short writes, failed syncs, a full disk, flipped bits and a power cut do.
//! All calls block; async callers use `spawn_blocking`.
//!
//! Durability follows POSIX to the letter: bytes are safe after [`DiskFile::sync_data`], a name is safe
//! after [`Disk::sync_dir`] of its folder, and not before.

mod faulty;
mod faulty_file;
mod image;
mod real;
mod stream;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

pub use faulty::{CrashKeeps, DiskCounts, Fault, FaultyDisk, Operation};
pub use real::RealDisk;
pub use stream::{SYNC_STRIDE, SequentialReader, SequentialWriter};

/// What the length of a file from [`Disk::open_rewritten`] is a multiple of, in bytes.
pub const REWRITTEN_UNIT: u64 = 16;

/// Who may open a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// As the process's umask says.
    #[default]
    Default,
    /// Only the owner: mode 0600. For keys and credentials.
    Private,
}

/// What a folder says about one of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name inside its folder. A name that is not UTF-8, which nothing here writes, comes with
    /// replacement characters.
    pub name: String,
    /// Bytes in the file; 0 for a folder.
    pub len: u64,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// What is known about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Bytes in the file.
    pub len: u64,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Last change of the contents, where the file system keeps it.
    pub modified: Option<SystemTime>,
}

/// An open file. Reads and writes name their offset, so one handle serves many threads.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// One attempt to write; like `pwrite` it may take fewer bytes than offered.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// One attempt to read; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes contents and length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;

    /// Makes contents and all metadata durable (`fsync`).
    fn sync_all(&self) -> io::Result<()>;

    /// Cuts or extends (with zeros) to `len` bytes.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Bytes in the file.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes everything; short writes are continued.
    ///
    /// On an error some of the bytes may have been written.
    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fills the buffer; `UnexpectedEof` where the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if read_up_to(self, buffer, offset)? == buffer.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// Reads until the buffer is full or the file ends; answers how much there was.
///
/// # Errors
/// What [`DiskFile::read_at`] says; a read that was interrupted is tried again.
pub fn read_up_to<F: DiskFile + ?Sized>(file: &F, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Held while a folder is in use; dropping it gives the folder free.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// A file system.
pub trait Disk: Send + Sync + fmt::Debug {
    /// A new file, for reading and writing; `AlreadyExists` if the name is taken. The name is durable
    /// only after [`Disk::sync_dir`].
    fn create_new(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// An existing file, for reading.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// An existing file, for reading and writing.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// A file for reading and writing, made if it is absent, whose bytes are written again in place, such as
    /// a database's. Whoever else has a file open for writing only ever adds to its end or cuts it: a disk
    /// that encrypts treats the two differently, and lets a file of this kind have lengths that are multiples
    /// of [`REWRITTEN_UNIT`] only. A new name is durable only after [`Disk::sync_dir`].
    fn open_rewritten(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        match self.open_write(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create_new(path, access),
            opened => opened,
        }
    }

    /// Gives `from` the name `to`, atomically, in place of a file that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Handles that are open keep working.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder and the folders above it; no error if it is there.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable (creations, renames, removals).
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The members of a folder, ordered by name.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// What is at the path; `None` if nothing is.
    fn info(&self, path: &Path) -> io::Result<Option<FileInfo>>;

    /// Takes the lock that the file at `path` stands for (made if absent); `WouldBlock` if another has it,
    /// in this process or in another. It ends with the process, so a crash leaves no stale lock.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;

    /// Whether anything is at the path.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.info(path)?.is_some())
    }

    /// A whole file in memory. For files whose size the caller bounds.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let len = file.len()?;
        let len = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Puts `bytes` at `path` so that after a crash at any moment the file has its old contents (or is
    /// absent) or the new ones, and durably has the new ones once this returns.
    ///
    /// It writes through [`temporary_path`]; two calls at once for one path are the caller's mistake.
    fn write_atomically(&self, path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
        let temporary = temporary_path(path);
        match self.remove_file(&temporary) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let written = self
            .create_new(&temporary, access)
            .and_then(|file| file.write_all_at(bytes, 0).and_then(|()| file.sync_all()))
            .and_then(|()| self.rename(&temporary, path));
        if let Err(error) = written {
            // The half-made file is in nobody's way, but it may be what fills the disk.
            let _ = self.remove_file(&temporary);
            return Err(error);
        }
        self.sync_dir(folder_of(path))
    }
}

/// Where [`Disk::write_atomically`] builds the file that will be `path`: `.NAME.tmp` beside it. One that is
/// found at start was left by a crash and may be removed.
pub fn temporary_path(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}.tmp"))
}

/// The folder that holds `path`'s name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether an error says that there is no room (no space on the device, or the quota is used up), so that
/// the same write may work later.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
