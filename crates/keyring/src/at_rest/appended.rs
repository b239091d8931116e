//! Files that grow at their end.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_lc_rs::hmac;
use opentrail_journal::disk::{DiskFile, read_up_to};
use parking_lot::{Mutex, RwLock};

use super::{
    header::{self, EXTENTS, Extent, FileId, HEADER_BYTES, Page},
    keys::{Root, Stream, broken},
};

/// Bytes that are encrypted at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// The files that are open, so that everybody who reads one sees the extents that its writer begins.
pub(super) type OpenFiles = Arc<Mutex<HashMap<FileId, Weak<Known>>>>;

/// What all handles of one file share.
#[derive(Debug)]
pub(super) struct Known {
    id: FileId,
    stream: Stream,
    tag: hmac::Key,
    extents: RwLock<Arc<[Extent]>>,
    writing: Mutex<Writing>,
    files: OpenFiles,
}

#[derive(Debug)]
struct Writing {
    /// From here on nothing was ever written under the last extent's nonce.
    untouched: u64,
    /// A cut may not be durable yet.
    cut: bool,
}

impl Drop for Known {
    fn drop(&mut self) {
        let mut files = self.files.lock();
        if files.get(&self.id).is_some_and(|known| known.strong_count() == 0) {
            files.remove(&self.id);
        }
    }
}

impl Known {
    /// A file that is being made: the first page to write, and what its handles share.
    pub(super) fn create(root: &Root, files: &OpenFiles) -> io::Result<(Page, Arc<Self>)> {
        let id = header::new_id().ok_or_else(|| broken(aws_lc_rs::error::Unspecified))?;
        let (tag, stream) = root.appended(&id)?;
        let mut page = header::encode(header::Kind::Appended, &id, &tag);
        let first = Extent::begin(0).ok_or_else(|| broken(aws_lc_rs::error::Unspecified))?;
        let encoded = first.encode(0, None, &tag);
        let place = Extent::place(0) as usize;
        page[place..place + encoded.len()].copy_from_slice(&encoded);
        let known = Self {
            id,
            stream,
            tag,
            extents: RwLock::new(Arc::new([first])),
            writing: Mutex::new(Writing { untouched: 0, cut: false }),
            files: Arc::clone(files),
        };
        let known = Arc::new(known);
        files.lock().insert(id, Arc::downgrade(&known));
        Ok((page, known))
    }

    /// A file that is there, of which `len` bytes are its own; `None` if the page is no header of this disk's.
    /// Who opens it for writing takes the extents as they are on the disk.
    pub(super) fn open(
        root: &Root,
        files: &OpenFiles,
        (page, id): (&Page, FileId),
        len: u64,
        to_write: bool,
    ) -> io::Result<Option<Arc<Self>>> {
        let mut open = files.lock();
        let known = match open.get(&id).and_then(Weak::upgrade) {
            Some(known) if !to_write => return Ok(Some(known)),
            Some(known) => known,
            None => {
                let (tag, stream) = root.appended(&id)?;
                let known = Arc::new(Self {
                    id,
                    stream,
                    tag,
                    extents: RwLock::new(Arc::new([])),
                    writing: Mutex::new(Writing { untouched: u64::MAX, cut: false }),
                    files: Arc::clone(files),
                });
                open.insert(id, Arc::downgrade(&known));
                known
            }
        };
        // Dropping what others share takes this lock.
        drop(open);
        if !header::is_authentic(page, &known.tag) {
            return Ok(None);
        }
        let extents = header::extents(page, len, &known.tag);
        if extents.is_empty() && len > 0 {
            return Ok(None);
        }
        *known.writing.lock() = Writing { untouched: u64::MAX, cut: false };
        *known.extents.write() = extents.into();
        Ok(Some(known))
    }

    /// How many extents the file has.
    pub(super) fn count(&self) -> usize {
        self.extents.read().len()
    }

    fn apply(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let extents = Arc::clone(&*self.extents.read());
        let end = offset + bytes.len() as u64;
        let from = extents.partition_point(|extent| extent.start <= offset).saturating_sub(1);
        let mut at = offset;
        for (number, extent) in extents.iter().enumerate().skip(from) {
            let until = extents.get(number + 1).map_or(end, |next| next.start.min(end));
            if until <= at {
                break;
            }
            let part = &mut bytes[(at - offset) as usize..(until - offset) as usize];
            self.stream.apply(&extent.nonce, at, part)?;
            at = until;
        }
        if at < end {
            return Err(io::Error::other("bytes that belong to no extent of their file"));
        }
        Ok(())
    }

    /// Begins a new extent at the file's end. Its nonce is on the disk before its first byte.
    fn begin(&self, file: &dyn DiskFile, at: u64, writing: &mut Writing) -> io::Result<()> {
        let mut extents: Vec<Extent> = self.extents.read().to_vec();
        extents.retain(|extent| extent.start < at);
        let number = extents.len();
        if number >= EXTENTS {
            return Err(io::Error::other(
                "an encrypted file was cut and continued too often; the next start makes room",
            ));
        }
        if writing.cut {
            // The place in the header may be that of an extent whose bytes a crash would bring back.
            file.sync_data()?;
            writing.cut = false;
        }
        let extent = Extent::begin(at).ok_or_else(|| broken(aws_lc_rs::error::Unspecified))?;
        file.write_all_at(&extent.encode(number, extents.last(), &self.tag), Extent::place(number))?;
        extents.push(extent);
        *self.extents.write() = extents.into();
        writing.untouched = at;
        Ok(())
    }
}

/// A handle of such a file.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) known: Arc<Known>,
    /// The header was written by an earlier handle, whose sync may have failed, or a sync of this one failed.
    pub(super) unsure: AtomicBool,
}

impl Appended {
    /// Writes the same bytes again over those that are there.
    fn write_again(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut encrypted = bytes.to_vec();
        self.known.apply(offset, &mut encrypted)?;
        let mut there = vec![0; bytes.len()];
        self.file.read_exact_at(&mut there, HEADER_BYTES + offset)?;
        if there != encrypted {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "an encrypted file that grows at its end is not changed in place",
            ));
        }
        self.file.write_at(&encrypted, HEADER_BYTES + offset)
    }

    fn append(&self, bytes: &[u8], end: u64, writing: &mut Writing) -> io::Result<usize> {
        if end < writing.untouched {
            self.known.begin(&*self.file, end, writing)?;
        }
        let mut encrypted = bytes.to_vec();
        self.known.apply(end, &mut encrypted)?;
        match self.file.write_at(&encrypted, HEADER_BYTES + end) {
            Ok(written) => {
                writing.untouched = writing.untouched.max(end + written as u64);
                Ok(written)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    // How much of it reached the disk is not known.
                    writing.untouched = writing.untouched.max(end + bytes.len() as u64);
                }
                Err(error)
            }
        }
    }

    fn append_zeros(&self, from: u64, to: u64, writing: &mut Writing) -> io::Result<()> {
        let zeros = vec![0; CHUNK_BYTES.min(usize::try_from(to - from).unwrap_or(CHUNK_BYTES))];
        let mut at = from;
        while at < to {
            let count = zeros.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
            match self.append(&zeros[..count], at, writing) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => at += written as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes the header again as it is before the first sync: the system may hold its page for clean although
    /// an earlier sync of it failed.
    fn assure(&self) -> io::Result<()> {
        if !self.unsure.load(Ordering::Acquire) {
            return Ok(());
        }
        // An extent that begins meanwhile must not be written over.
        let _writing = self.known.writing.lock();
        let mut page = vec![0; HEADER_BYTES as usize];
        let read = read_up_to(&*self.file, &mut page, 0)?;
        self.file.write_all_at(&page[..read], 0)
    }

    fn sync(&self, sync: impl FnOnce(&dyn DiskFile) -> io::Result<()>) -> io::Result<()> {
        let synced = self.assure().and_then(|()| sync(&*self.file));
        self.unsure.store(synced.is_err(), Ordering::Release);
        synced
    }
}

impl DiskFile for Appended {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut bytes = &bytes[..bytes.len().min(CHUNK_BYTES)];
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut writing = self.known.writing.lock();
        let len = self.len()?;
        if offset < len {
            bytes = &bytes[..bytes.len().min(usize::try_from(len - offset).unwrap_or(usize::MAX))];
            return self.write_again(bytes, offset);
        }
        if offset > len {
            self.append_zeros(len, offset, &mut writing)?;
        }
        self.append(bytes, offset, &mut writing)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, HEADER_BYTES + offset)?;
        self.known.apply(offset, &mut buffer[..read])?;
        Ok(read)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(|file| file.sync_data())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(|file| file.sync_all())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut writing = self.known.writing.lock();
        let now = self.len()?;
        if len > now {
            return self.append_zeros(now, len, &mut writing);
        }
        self.file.set_len(HEADER_BYTES + len)?;
        if len < now {
            writing.cut = true;
            writing.untouched = writing.untouched.max(now);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.saturating_sub(HEADER_BYTES))
    }
}
