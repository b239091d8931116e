//! Compressed bytes: the object is cut into frames, each compressed by itself with zstd, so that a range is read
//! without unpacking what comes before it. A frame that would not get smaller is stored as it is.

use std::{collections::VecDeque, ops::Range};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{VaultError, error::IndexEntryError, limits::CHUNK_BYTES, object::Body};

/// Bytes of the object in each frame but the last: as many as are uploaded, checksummed and read as one.
const FRAME_BYTES: usize = CHUNK_BYTES;

/// zstd's own default: a good ratio at several hundred megabytes a second.
const LEVEL: i32 = 3;

/// Where the frames of compressed bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frames {
    /// Bytes before compression.
    size: u64,
    /// Bytes of the object in each frame but the last.
    frame: u32,
    /// The stored length of each frame.
    lengths: Lengths,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lengths(Vec<u32>);

impl Serialize for Lengths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|length| length.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Lengths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        if bytes.len() % 4 != 0 {
            return Err(D::Error::custom("lengths have four bytes each"));
        }
        Ok(Self(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()))
    }
}

/// One frame: where it begins in the object, how much of the object it is, and where it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) start: u64,
    len: usize,
    pub(crate) stored: Range<u64>,
}

impl Frames {
    /// Bytes that are stored.
    pub(crate) fn stored_len(&self) -> u64 {
        self.lengths.0.iter().map(|length| u64::from(*length)).sum()
    }

    /// The frame that holds this offset of the object.
    pub(crate) fn holding(&self, offset: u64) -> Option<Frame> {
        let size = u64::from(self.frame.max(1));
        let number = usize::try_from(offset / size).ok()?;
        let length = u64::from(*self.lengths.0.get(number)?);
        let before: u64 = self.lengths.0[..number].iter().map(|length| u64::from(*length)).sum();
        let start = offset / size * size;
        let len = usize::try_from(size.min(self.size.checked_sub(start)?)).ok()?;
        Some(Frame { start, len, stored: before..before + length })
    }
}

impl Frame {
    /// The bytes of the object in this frame. Takes time in proportion to them.
    pub(crate) fn unpack(&self, stored: Bytes) -> Result<Bytes, VaultError> {
        if stored.len() == self.len {
            return Ok(stored);
        }
        let bytes = zstd::bulk::decompress(&stored, self.len).map_err(|_| IndexEntryError::Frame)?;
        if bytes.len() == self.len { Ok(bytes.into()) } else { Err(IndexEntryError::Frame.into()) }
    }
}

/// Compresses bytes as they come.
#[derive(Default)]
pub(crate) struct Packer {
    size: u64,
    lengths: Vec<u32>,
    out: BytesMut,
    ready: VecDeque<Bytes>,
}

impl Packer {
    /// Takes the next frame: [`FRAME_BYTES`], or less for the last.
    pub(crate) fn push(&mut self, frame: &[u8]) -> Result<(), VaultError> {
        let packed = zstd::bulk::compress(frame, LEVEL).map_err(|_| IndexEntryError::Frame)?;
        let stored = if packed.len() < frame.len() { &packed } else { frame };
        self.size += frame.len() as u64;
        self.lengths.push(u32::try_from(stored.len()).map_err(|_| IndexEntryError::Frame)?);
        self.out.extend_from_slice(stored);
        while self.out.len() >= CHUNK_BYTES {
            self.ready.push_back(self.out.split_to(CHUNK_BYTES).freeze());
        }
        Ok(())
    }

    /// A chunk that is full, to be written.
    pub(crate) fn next_chunk(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// What is left to be written once all frames were taken.
    pub(crate) fn last_chunk(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    /// Where the frames are; `None` if no frame got smaller, so that what was stored is the object itself.
    pub(crate) fn frames(self) -> Option<Frames> {
        let frames = Frames { size: self.size, frame: FRAME_BYTES as u32, lengths: Lengths(self.lengths) };
        (frames.stored_len() < frames.size).then_some(frames)
    }

    /// Few bytes at once, and what is to be stored of them.
    pub(crate) fn whole(mut self, bytes: Bytes) -> Result<(Option<Frames>, Bytes), VaultError> {
        if bytes.is_empty() {
            return Ok((None, bytes));
        }
        for frame in bytes.chunks(FRAME_BYTES) {
            self.push(frame)?;
        }
        let mut stored = BytesMut::new();
        while let Some(chunk) = self.next_chunk() {
            stored.extend_from_slice(&chunk);
        }
        stored.extend_from_slice(&self.last_chunk());
        match self.frames() {
            Some(frames) => Ok((Some(frames), stored.freeze())),
            None => Ok((None, bytes)),
        }
    }
}

impl Body {
    /// The body that holds these bytes compressed.
    pub(crate) fn in_frames(self, frames: Option<Frames>) -> Self {
        match frames {
            Some(frames) => Self::Packed { stored: Box::new(self), frames },
            None => self,
        }
    }

    /// Whether it is compressed. The parts of an upload say so one by one.
    pub(crate) fn is_packed(&self) -> bool {
        matches!(self, Self::Packed { .. })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{FRAME_BYTES, Packer};

    #[test]
    fn frames_give_back_what_was_packed() {
        let text: Vec<u8> = (0..2 * FRAME_BYTES + 1000).map(|n| (n / 1000 % 251) as u8).collect();
        let (frames, stored) = Packer::default().whole(Bytes::from(text.clone())).expect("packed");
        let frames = frames.expect("smaller");
        assert_eq!(frames.stored_len(), stored.len() as u64);
        assert!(stored.len() < text.len() / 10);
        for offset in [0, FRAME_BYTES - 1, FRAME_BYTES, text.len() - 1] {
            let frame = frames.holding(offset as u64).expect("a frame");
            let place = frame.stored.start as usize..frame.stored.end as usize;
            let bytes = frame.unpack(stored.slice(place)).expect("unpacked");
            assert_eq!(bytes[offset - frame.start as usize], text[offset], "{offset}");
        }
        assert_eq!(frames.holding(text.len() as u64 + FRAME_BYTES as u64), None);
    }

    #[test]
    fn what_does_not_get_smaller_stays_as_it_is() {
        let noise: Vec<u8> = (0..5000).map(|_| rand::random()).collect();
        let (frames, stored) = Packer::default().whole(Bytes::from(noise.clone())).expect("packed");
        assert_eq!((frames, stored), (None, Bytes::from(noise)));
    }
}
