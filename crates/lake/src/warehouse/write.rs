//! How objects get their contents and names.

use std::{
    io,
    path::{Path as FilePath, PathBuf},
    sync::atomic::Ordering,
};

use object_store::{PutPayload, PutResult, Result, path::Path};
use opentrail_journal::disk::{Access, DiskFile, folder_of};

use super::disk_store::{Inner, STAGING, failed};

/// How much of an object is copied at once.
const COPIED_AT_ONCE: usize = 1 << 20;

/// How an object is put.
#[derive(Debug, Clone, Copy)]
pub(super) struct Put {
    /// Whether it takes the place of one that has its name.
    pub(super) replaces: bool,
    /// Whether it has to survive a power cut.
    pub(super) synced: bool,
}

impl Inner {
    /// A file that is to become an object.
    pub(super) fn stage(&self) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(STAGING).join(number.to_string());
        let file = self.disk.create_new(&path, Access::Default)?;
        Ok((path, file))
    }

    /// Removes a staged file that becomes nothing. What stays, the next start removes.
    pub(super) fn unstage(&self, staged: &FilePath) {
        if let Err(error) = self.disk.remove_file(staged) {
            tracing::debug!(%error, file = %staged.display(), "a half-written object could not be removed");
        }
    }

    pub(super) fn put(&self, location: &Path, payload: &PutPayload, put: Put) -> Result<PutResult> {
        let target = self.file(location)?;
        if !put.replaces && self.disk.exists(&target).map_err(|error| failed(location, error))? {
            return Err(failed(location, io::ErrorKind::AlreadyExists.into()));
        }
        let (staged, file) = self.stage().map_err(|error| failed(location, error))?;
        let mut offset = 0;
        let written = payload.iter().try_for_each(|part| {
            file.write_all_at(part, offset)?;
            offset += part.len() as u64;
            Ok(())
        });
        self.name(location, &staged, written.map(|()| file), put)
    }

    /// Gives a staged file its name. Where that fails, there is no such object, or the one that was there.
    pub(super) fn name(
        &self,
        location: &Path,
        staged: &FilePath,
        written: io::Result<Box<dyn DiskFile>>,
        put: Put,
    ) -> Result<PutResult> {
        let target = self.file(location)?;
        let named = written.and_then(|file| {
            if put.synced {
                file.sync_all()?;
            }
            let _naming = self.naming.lock();
            if !put.replaces && self.disk.exists(&target)? {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            self.disk.create_dir_all(folder_of(&target))?;
            self.disk.rename(staged, &target)
        });
        if let Err(error) = named {
            self.unstage(staged);
            return Err(failed(location, error));
        }
        if put.synced
            && let Err(error) = self.disk.sync_dir(folder_of(&target))
        {
            // Not known to be durable, so it must not be seen either. One that replaced another stays: the
            // other is gone.
            if !put.replaces {
                self.unstage(&target);
            }
            return Err(failed(location, error));
        }
        Ok(PutResult { e_tag: None, version: None })
    }

    pub(super) fn copy(&self, from: &Path, to: &Path, put: Put) -> Result<()> {
        let source = self.disk.open_read(&self.file(from)?).map_err(|error| failed(from, error))?;
        self.file(to)?;
        let (staged, file) = self.stage().map_err(|error| failed(to, error))?;
        let written = copy_all(source.as_ref(), file.as_ref());
        self.name(to, &staged, written.map(|()| file), put)?;
        Ok(())
    }
}

fn copy_all(source: &dyn DiskFile, target: &dyn DiskFile) -> io::Result<()> {
    let mut buffer = vec![0; COPIED_AT_ONCE];
    let mut offset = 0;
    loop {
        let read = opentrail_journal::disk::read_up_to(source, &mut buffer, offset)?;
        if read == 0 {
            return Ok(());
        }
        target.write_all_at(&buffer[..read], offset)?;
        offset += read as u64;
    }
}
