//! A segment: a file that begins with a header and continues with frames.
//!
//! The header names the segment before it and that one's length, so that a segment that is missing or cut is
//! found when the journal is opened, without reading it.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    Seq,
    disk::{Access, Disk, DiskFile, read_up_to},
    error::{Damage, JournalError, io_error},
    frame::{FRAME_HEADER_BYTES, FrameHeader},
};

/// Bytes in a segment's header.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 48;

const MAGIC: [u8; 8] = *b"opntrlog";
const VERSION: u32 = 1;
const SUFFIX: &str = ".seg";

/// Bytes that are read from a segment at a time. Payloads are slices of such a chunk and keep it in memory.
const CHUNK_BYTES: u64 = 512 << 10;

/// The file name of the segment whose first entry is `first`.
pub(crate) fn segment_name(first: Seq) -> String {
    format!("{:020}{SUFFIX}", first.0)
}

/// The first entry of the segment with this file name; `None` if it is another file.
pub(crate) fn parse_segment_name(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(SUFFIX)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|first| *first > 0).map(Seq)
}

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) first: Seq,
    /// Seeds the checksums of the segment's frames.
    pub(crate) salt: u32,
    /// First entry and bytes of the segment before; zeros if there was none.
    pub(crate) previous: (Seq, u64),
}

impl SegmentHeader {
    pub(crate) fn new(first: Seq, previous: (Seq, u64)) -> Self {
        let salt = RandomState::new().build_hasher().finish() as u32;
        Self { first, salt, previous }
    }

    fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.salt.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.previous.0.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.previous.1.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..40]);
        bytes[40..44].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES as usize]) -> Result<Self, Damage> {
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        if bytes[..8] != MAGIC || crc32c::crc32c(&bytes[..40]) != word(40) {
            return Err(Damage::Header);
        }
        if word(8) != VERSION {
            return Err(Damage::Version { found: word(8) });
        }
        Ok(Self { first: Seq(long(16)), salt: word(12), previous: (Seq(long(24)), long(32)) })
    }

    /// Reads the header of the segment named after `first`.
    pub(crate) fn read(file: &dyn DiskFile, path: &Path, first: Seq) -> Result<Self, JournalError> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        let damage = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => match Self::decode(&bytes) {
                Ok(header) if header.first == first => return Ok(header),
                Ok(_) => Damage::Chain,
                Err(damage) => damage,
            },
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Damage::Header,
            Err(error) => return Err(io_error("read", path, error)),
        };
        Err(JournalError::Corrupt { segment: segment_name(first), offset: 0, seq: first, damage })
    }
}

/// Makes a segment's file with a header, both durable, name included.
pub(crate) fn create_segment(
    disk: &dyn Disk,
    dir: &Path,
    header: &SegmentHeader,
) -> io::Result<Box<dyn DiskFile>> {
    let file = disk.create_new(&dir.join(segment_name(header.first)), Access::Default)?;
    file.write_all_at(&header.encode(), 0)?;
    file.sync_data()?;
    disk.sync_dir(dir)?;
    Ok(file)
}

/// One entry as it was read from a segment.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) seq: Seq,
    pub(crate) offset: u64,
    pub(crate) payload: Bytes,
}

/// Reads a segment's frames in order and checks each.
#[derive(Debug)]
pub(crate) struct Frames {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    header: SegmentHeader,
    expected: Seq,
    offset: u64,
    /// Bytes of the file from `offset` on that were read already.
    chunk: Bytes,
}

impl Frames {
    /// Begins with the entry `expected`, which starts at `offset`.
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        path: PathBuf,
        header: SegmentHeader,
        expected: Seq,
        offset: u64,
    ) -> Self {
        Self { file, path, header, expected, offset, chunk: Bytes::new() }
    }

    /// Opens the segment named after `first` in `dir`, at its first entry.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, first: Seq) -> Result<Self, JournalError> {
        let path = dir.join(segment_name(first));
        let file: Arc<dyn DiskFile> = match disk.open_read(&path) {
            Ok(file) => Arc::from(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let segment = segment_name(first);
                return Err(JournalError::Corrupt {
                    segment,
                    offset: 0,
                    seq: first,
                    damage: Damage::Missing,
                });
            }
            Err(error) => return Err(io_error("open", path, error)),
        };
        let header = SegmentHeader::read(&*file, &path, first)?;
        Ok(Self::new(file, path, header, first, SEGMENT_HEADER_BYTES))
    }

    /// Goes on at the entry `seq`, which starts at `offset`.
    pub(crate) fn seek(&mut self, seq: Seq, offset: u64) {
        self.expected = seq;
        self.offset = offset;
        self.chunk = Bytes::new();
    }

    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The entry that comes next.
    pub(crate) fn expected(&self) -> Seq {
        self.expected
    }

    /// Where it starts.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next entry of a segment whose durable part ends at `end`; `None` at that end.
    pub(crate) fn next(&mut self, end: u64) -> Result<Option<Frame>, JournalError> {
        if self.offset >= end {
            return Ok(None);
        }
        self.fill(FRAME_HEADER_BYTES as u64, end)?;
        let Some(header) = self.chunk.first_chunk::<FRAME_HEADER_BYTES>().map(FrameHeader::decode) else {
            return Err(self.corrupt(Damage::Truncated));
        };
        header.check_len().map_err(|damage| self.corrupt(damage))?;
        self.fill(header.frame_len(), end)?;
        let Some(payload_end) =
            usize::try_from(header.frame_len()).ok().filter(|len| *len <= self.chunk.len())
        else {
            return Err(self.corrupt(Damage::Truncated));
        };
        let payload = self.chunk.slice(FRAME_HEADER_BYTES..payload_end);
        header.check(self.header.salt, &payload).map_err(|damage| self.corrupt(damage))?;
        if header.seq != self.expected {
            return Err(self.corrupt(Damage::Sequence { found: header.seq }));
        }
        let frame = Frame { seq: header.seq, offset: self.offset, payload };
        self.chunk = self.chunk.slice(payload_end..);
        self.offset += header.frame_len();
        self.expected = self.expected.next();
        Ok(Some(frame))
    }

    /// Names the place where the next entry should be.
    pub(crate) fn corrupt(&self, damage: Damage) -> JournalError {
        JournalError::Corrupt {
            segment: segment_name(self.header.first),
            offset: self.offset,
            seq: self.expected,
            damage,
        }
    }

    /// Reads on until the chunk has `wanted` bytes or reaches `end`.
    fn fill(&mut self, wanted: u64, end: u64) -> Result<(), JournalError> {
        let left = end - self.offset;
        if self.chunk.len() as u64 >= wanted.min(left) {
            return Ok(());
        }
        let mut buffer = vec![0; wanted.max(CHUNK_BYTES).min(left) as usize];
        let kept = self.chunk.len().min(buffer.len());
        buffer[..kept].copy_from_slice(&self.chunk[..kept]);
        let read = read_up_to(&*self.file, &mut buffer[kept..], self.offset + kept as u64)
            .map_err(|error| io_error("read", &self.path, error))?;
        buffer.truncate(kept + read);
        self.chunk = buffer.into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_others_are_refused() {
        assert_eq!(segment_name(Seq(7)), "00000000000000000007.seg");
        assert_eq!(parse_segment_name(&segment_name(Seq(u64::MAX))), Some(Seq(u64::MAX)));
        for other in ["7.seg", "00000000000000000000.seg", "+0000000000000000007.seg", "lock"] {
            assert_eq!(parse_segment_name(other), None, "{other}");
        }
    }

    #[test]
    fn headers_come_back_and_flipped_bits_are_seen() {
        let header = SegmentHeader::new(Seq(9), (Seq(3), 1234));
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..44 * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes).is_err(), "bit {bit}");
        }
    }
}
