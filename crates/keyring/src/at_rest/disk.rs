//! The disk that encrypts.

use std::{fmt, io, path::Path, sync::Arc};

use opentrail_journal::disk::{
    Access, DirEntry, Disk, DiskFile, DiskLock, FileInfo, folder_of, read_up_to, temporary_path,
};

use super::{
    FolderKey,
    appended::{Appended, Known, OpenFiles},
    header::{EXTENTS, Found, HEADER_BYTES, Kind, Page, inspect},
    keys::Root,
    rewritten::Rewritten,
};

/// From so many extents on a file is copied when it is opened for writing.
const CROWDED: usize = EXTENTS - EXTENTS / 8;

const COPY_BYTES: usize = 1 << 20;

/// A disk whose files are encrypted on the disk below it. What it does and does not do is said in
/// the [module](self)'s documentation. Clones share it; two of them made apart over the same files must not be
/// used at once.
#[derive(Clone)]
pub struct EncryptedDisk {
    below: Arc<dyn Disk>,
    root: Root,
    files: OpenFiles,
}

impl fmt::Debug for EncryptedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedDisk").field("below", &self.below).finish_non_exhaustive()
    }
}

/// A file below, looked at.
enum Opened {
    Appended(Box<dyn DiskFile>, Arc<Known>),
    Rewritten(Box<Rewritten>),
    /// Without bytes of its own, and perhaps without a whole header: a crash came before its first sync.
    Unborn(Box<dyn DiskFile>),
    /// Its header is not one of this disk's.
    Strange(Box<dyn DiskFile>),
}

impl EncryptedDisk {
    /// Encrypts what is on `below` with a folder's key.
    pub fn new(below: Arc<dyn Disk>, key: &FolderKey) -> Self {
        Self { below, root: Root::new(key.bytes()), files: OpenFiles::default() }
    }

    fn open(&self, path: &Path, file: Box<dyn DiskFile>, to_write: bool) -> io::Result<Opened> {
        let mut page: Page = [0; HEADER_BYTES as usize];
        let whole = read_up_to(&*file, &mut page, 0)? == page.len();
        let len = file.len()?.saturating_sub(HEADER_BYTES);
        let found = if whole { inspect(&page) } else { Found::Other };
        match found {
            Found::File(Kind::Appended, id) => {
                if let Some(known) = Known::open(&self.root, &self.files, (&page, id), len, to_write)? {
                    return Ok(Opened::Appended(file, known));
                }
            }
            Found::File(Kind::Rewritten, id) => match Rewritten::open(&self.root, (&page, id), file)? {
                Ok(rewritten) => return Ok(Opened::Rewritten(Box::new(rewritten))),
                Err(file) => return Ok(self.without_header(path, file, len)),
            },
            Found::Newer(version) => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("it is encrypted in format {version}, which a newer opentrail writes"),
                ));
            }
            Found::Other => {}
        }
        Ok(self.without_header(path, file, len))
    }

    fn without_header(&self, path: &Path, file: Box<dyn DiskFile>, len: u64) -> Opened {
        if len == 0 {
            return Opened::Unborn(file);
        }
        tracing::warn!(path = %path.display(), "its header is damaged or from another folder: it reads as zeros");
        Opened::Strange(file)
    }

    /// Makes a file without bytes one that grows.
    fn begin(&self, file: Box<dyn DiskFile>) -> io::Result<Box<dyn DiskFile>> {
        let (page, known) = Known::create(&self.root, &self.files)?;
        file.write_all_at(&page, 0)?;
        Ok(Box::new(Appended { file, known, unsure: false.into() }))
    }

    /// Puts a copy with one extent in the place of a file with many.
    fn copy_anew(&self, path: &Path) -> io::Result<()> {
        let from = self.open_read(path)?;
        let temporary = temporary_path(path);
        match self.below.remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let copied = self.create_new(&temporary, Access::Private).and_then(|to| {
            let mut buffer = vec![0; COPY_BYTES];
            let mut at = 0;
            loop {
                let read = read_up_to(&*from, &mut buffer, at)?;
                if read == 0 {
                    break;
                }
                to.write_all_at(&buffer[..read], at)?;
                at += read as u64;
            }
            to.sync_all()?;
            self.below.rename(&temporary, path)?;
            self.below.sync_dir(folder_of(path))
        });
        if copied.is_err() {
            // What is half made is in nobody's way, but may be what fills the disk.
            let _ = self.below.remove_file(&temporary);
        }
        copied
    }

    fn damaged(&self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, "its header is damaged or from another folder")
    }
}

fn own_len(len: u64, is_dir: bool) -> u64 {
    if is_dir { len } else { len.saturating_sub(HEADER_BYTES) }
}

impl Disk for EncryptedDisk {
    fn create_new(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = self.below.create_new(path, access)?;
        self.begin(file).inspect_err(|_| {
            // Whoever tries again finds the name free.
            let _ = self.below.remove_file(path);
        })
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(match self.open(path, self.below.open_read(path)?, false)? {
            Opened::Appended(file, known) => Box::new(Appended { file, known, unsure: false.into() }),
            Opened::Rewritten(file) => file,
            Opened::Unborn(file) | Opened::Strange(file) => Box::new(Zeros(file)),
        })
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let opened = self.open(path, self.below.open_write(path)?, true)?;
        let opened = match opened {
            Opened::Appended(_, known) if known.count() >= CROWDED => {
                if let Err(error) = self.copy_anew(path) {
                    tracing::warn!(path = %path.display(), %error, "it could not be copied; there is room for a while");
                }
                self.open(path, self.below.open_write(path)?, true)?
            }
            opened => opened,
        };
        match opened {
            Opened::Appended(file, known) => Ok(Box::new(Appended { file, known, unsure: true.into() })),
            Opened::Rewritten(file) => Ok(file),
            Opened::Unborn(file) => self.begin(file),
            Opened::Strange(_) => Err(self.damaged()),
        }
    }

    fn open_rewritten(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let opened = match self.below.open_write(path) {
            Ok(file) => self.open(path, file, true)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Opened::Unborn(self.below.create_new(path, access)?)
            }
            Err(error) => return Err(error),
        };
        match opened {
            Opened::Rewritten(file) => Ok(file),
            Opened::Unborn(file) => Ok(Box::new(Rewritten::create(&self.root, file)?)),
            Opened::Appended(file, _) if file.len()? <= HEADER_BYTES => {
                Ok(Box::new(Rewritten::create(&self.root, file)?))
            }
            Opened::Appended(..) | Opened::Strange(_) => Err(self.damaged()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.below.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.below.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.below.remove_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.below.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.below.sync_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = self.below.read_dir(path)?;
        entries.iter_mut().for_each(|entry| entry.len = own_len(entry.len, entry.is_dir));
        Ok(entries)
    }

    fn info(&self, path: &Path) -> io::Result<Option<FileInfo>> {
        let info = self.below.info(path)?;
        Ok(info.map(|info| FileInfo { len: own_len(info.len, info.is_dir), ..info }))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.below.lock(path)
    }
}

/// A file whose header cannot be used: as long as it is, and nothing in it.
#[derive(Debug)]
struct Zeros(Box<dyn DiskFile>);

fn read_only() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

impl DiskFile for Zeros {
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(read_only())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        buffer[..count].fill(0);
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_all(&self) -> io::Result<()> {
        Err(read_only())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len()?.saturating_sub(HEADER_BYTES))
    }
}
