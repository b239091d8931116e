//! A file of the seam as a stream, for encoders and decoders that want `Write`, `Read` and `Seek`.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use super::DiskFile;

/// Bytes after which a large file is synced while it is being written: all of it at its end would keep the disk
/// from the journal for as long as that takes.
pub const SYNC_STRIDE: u64 = 4 << 20;

/// Writes a file from its beginning on. Call [`SequentialWriter::sync`] before the file is relied upon; what comes
/// before, every [`SYNC_STRIDE`], only spreads the disk's work.
#[derive(Debug)]
pub struct SequentialWriter {
    file: Box<dyn DiskFile>,
    position: u64,
    unsynced: u64,
}

impl SequentialWriter {
    /// A writer that begins at `position`.
    pub fn new(file: Box<dyn DiskFile>, position: u64) -> Self {
        Self { file, position, unsynced: 0 }
    }

    /// Where the next byte goes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Makes all that was written durable.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The file itself.
    pub fn into_inner(self) -> Box<dyn DiskFile> {
        self.file
    }
}

impl Write for SequentialWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.position)?;
        self.position += written as u64;
        self.unsynced += written as u64;
        if self.unsynced >= SYNC_STRIDE {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a file from a position of its own; several can share one handle.
#[derive(Debug, Clone)]
pub struct SequentialReader {
    file: Arc<dyn DiskFile>,
    position: u64,
}

impl SequentialReader {
    /// A reader that begins at `position`.
    pub fn new(file: Arc<dyn DiskFile>, position: u64) -> Self {
        Self { file, position }
    }
}

impl Read for SequentialReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for SequentialReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(distance) => self.file.len()?.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Access, Disk, RealDisk};

    #[test]
    fn streams_write_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stream");
        let mut writer = SequentialWriter::new(RealDisk.create_new(&path, Access::Default).unwrap(), 0);
        writer.write_all(b"0123456789").unwrap();
        writer.sync().unwrap();
        assert_eq!(writer.position(), 10);

        let mut reader = SequentialReader::new(Arc::from(RealDisk.open_read(&path).unwrap()), 0);
        reader.seek(SeekFrom::End(-4)).unwrap();
        let mut end = String::new();
        reader.read_to_string(&mut end).unwrap();
        assert_eq!(end, "6789");
        assert!(reader.seek(SeekFrom::Current(-11)).is_err());
    }
}
