//! An entry on disk: a header of 20 bytes, then the payload.
//!
//! | bytes | what |
//! |---|---|
//! | 0–3 | length of the payload |
//! | 4–11 | seq |
//! | 12–15 | how many entries of the same group commit stand before this one |
//! | 16–19 | CRC-32C over bytes 0–15 and the payload, seeded with the segment's salt |
//!
//! All numbers are little-endian. The place in the group commit tells a torn write from damage: a group is
//! written only after the one before it was synced, so a bad entry that is followed by a good entry *of a
//! later group* was durable once, whereas within one group the pages may have reached the disk in any order.
//! The salt, random for each segment, keeps bytes inside a payload from passing for an entry.

use crate::{MAX_ENTRY_BYTES, Seq, error::Damage};

/// Bytes in a frame's header.
pub(crate) const FRAME_HEADER_BYTES: usize = 20;

const CHECKED_BYTES: usize = 16;

/// A frame's header, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) len: u32,
    pub(crate) seq: Seq,
    /// Entries of the same group commit before this one.
    pub(crate) back: u32,
    crc: u32,
    checked: [u8; CHECKED_BYTES],
}

impl FrameHeader {
    pub(crate) fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Self {
        let [a, b, c, d, s0, s1, s2, s3, s4, s5, s6, s7, e, f, g, h, i, j, k, l] = *bytes;
        let mut checked = [0; CHECKED_BYTES];
        checked.copy_from_slice(&bytes[..CHECKED_BYTES]);
        Self {
            len: u32::from_le_bytes([a, b, c, d]),
            seq: Seq(u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7])),
            back: u32::from_le_bytes([e, f, g, h]),
            crc: u32::from_le_bytes([i, j, k, l]),
            checked,
        }
    }

    /// The first entry of the group commit that this entry was written in.
    pub(crate) fn group(&self) -> Seq {
        Seq(self.seq.0.saturating_sub(u64::from(self.back)))
    }

    /// Bytes of header and payload.
    pub(crate) fn frame_len(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.len)
    }

    /// Whether the length is one that can be.
    pub(crate) fn check_len(&self) -> Result<(), Damage> {
        if self.len as usize <= MAX_ENTRY_BYTES { Ok(()) } else { Err(Damage::Length { found: self.len }) }
    }

    /// Whether checksum and payload belong together.
    pub(crate) fn check(&self, salt: u32, payload: &[u8]) -> Result<(), Damage> {
        if checksum(salt, &self.checked, payload) == self.crc { Ok(()) } else { Err(Damage::Checksum) }
    }
}

/// The header for a payload, whose length the caller has checked.
pub(crate) fn encode_header(salt: u32, seq: Seq, back: u32, payload: &[u8]) -> [u8; FRAME_HEADER_BYTES] {
    let mut header = [0; FRAME_HEADER_BYTES];
    header[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[4..12].copy_from_slice(&seq.0.to_le_bytes());
    header[12..16].copy_from_slice(&back.to_le_bytes());
    let crc = checksum(salt, &header[..CHECKED_BYTES], payload);
    header[16..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn checksum(salt: u32, header: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(salt, header), payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_come_back_and_every_flipped_bit_is_seen(
            salt: u32, seq: u64, back: u32, payload in proptest::collection::vec(any::<u8>(), 0..64), bit in 0usize..8 * 84,
        ) {
            let header = encode_header(salt, Seq(seq), back, &payload);
            let decoded = FrameHeader::decode(&header);
            prop_assert_eq!((decoded.len as usize, decoded.seq, decoded.back), (payload.len(), Seq(seq), back));
            prop_assert_eq!(decoded.check(salt, &payload), Ok(()));
            prop_assert!(decoded.check(salt ^ 1, &payload).is_err());

            let mut frame = [&header[..], &payload].concat();
            let bit = bit % (frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
            let (header, payload) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().unwrap();
            prop_assert!(FrameHeader::decode(header).check(salt, payload).is_err());
        }
    }
}
