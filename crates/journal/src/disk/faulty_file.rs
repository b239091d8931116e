//! Open files and locks of the faulty disk.

use std::{io, path::PathBuf, sync::Arc};

use super::{
    DiskFile, DiskLock,
    faulty::{Operation, Shared},
    image::FileId,
};

/// A file of the faulty disk; `id` is absent on handles that only read.
#[derive(Debug)]
pub(super) struct FaultyFile {
    pub(super) shared: Arc<Shared>,
    pub(super) inner: Box<dyn DiskFile>,
    pub(super) path: PathBuf,
    pub(super) id: Option<FileId>,
    pub(super) generation: u64,
}

impl FaultyFile {
    fn id(&self) -> io::Result<FileId> {
        self.id.ok_or_else(|| io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> io::Result<()> {
        let id = self.id()?;
        let asked = self.shared.ask(Operation::Sync, &self.path, Some(self.generation));
        if let Err(error) = asked {
            let mut script = self.shared.script();
            if script.is_on(self.generation) {
                script.images.sync_failed(id);
            }
            return Err(error);
        }
        self.shared.wait_for_syncs(self.generation)?;
        let mut script = self.shared.script();
        script.images.synced(id, &*self.inner)?;
        script.counts.file_syncs += 1;
        Ok(())
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let id = self.id()?;
        let verdict = self.shared.ask(Operation::Write, &self.path, Some(self.generation))?;
        let mut script = self.shared.script();
        let len = self.inner.len()?;
        let wanted = verdict.short.map_or(bytes.len(), |short| short.min(bytes.len())) as u64;
        let growth = (offset + wanted).saturating_sub(len);
        let granted = wanted - (growth - script.room_for(growth)).min(wanted);
        if granted == 0 && wanted > 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.inner.write_at(&bytes[..granted as usize], offset)?;
        let end = offset + written as u64;
        script.grew(end.saturating_sub(len));
        script.images.wrote(id, offset.min(len)..end);
        if script.writes_back {
            script.images.synced(id, &*self.inner)?;
        }
        script.counts.writes += 1;
        script.counts.bytes_written += written as u64;
        Ok(written)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let verdict = self.shared.ask(Operation::Read, &self.path, Some(self.generation))?;
        let read = self.inner.read_at(buffer, offset)?;
        for (at, bit) in verdict.flips {
            if let Some(byte) = at.checked_sub(offset).and_then(|at| buffer[..read].get_mut(at as usize)) {
                *byte ^= 1 << bit;
            }
        }
        self.shared.script().counts.reads += 1;
        Ok(read)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let id = self.id()?;
        self.shared.ask(Operation::SetLen, &self.path, Some(self.generation))?;
        let mut script = self.shared.script();
        let old = self.inner.len()?;
        if script.room_for(len.saturating_sub(old)) < len.saturating_sub(old) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.set_len(len)?;
        script.grew(len.saturating_sub(old));
        script.shrank(old.saturating_sub(len));
        // Bytes that are cut and grown again are zeros, so both ways they changed.
        script.images.wrote(id, old.min(len)..old.max(len));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
}

/// The true lock lives in the disk's table, so that a crash can free it while this handle is still around.
#[derive(Debug)]
pub(super) struct FaultyLock {
    pub(super) shared: Arc<Shared>,
    pub(super) id: u64,
}

impl DiskLock for FaultyLock {}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        self.shared.script().locks.retain(|(id, _)| *id != self.id);
    }
}
