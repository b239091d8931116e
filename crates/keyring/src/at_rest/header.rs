//! The first 4 KiB of an encrypted file.
//!
//! ```text
//! 0   8  magic
//! 8   1  version of the format
//! 9   1  kind of file
//! 10  6  zeros
//! 16 32  the file's id: random, and what its keys are derived from
//! 48 16  HMAC-SHA256 of the bytes before, cut
//! 64     126 places for extents of 32 bytes each: first byte (8), nonce (10), zeros (2), HMAC-SHA256, cut (12)
//! ```
//!
//! An extent's tag covers its number and the nonce of the one before it, so that what a place still holds of an
//! extent that was cut off is no extent of the file any more once one before it is replaced.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac, rand};

/// Bytes before a file's first own byte. A multiple of the page size, so that pages of a file are pages on the disk.
pub const HEADER_BYTES: u64 = 4096;

/// How many extents a header has room for.
pub const EXTENTS: usize = (HEADER_BYTES as usize - EXTENTS_AT) / EXTENT_BYTES;

pub(super) const NONCE_BYTES: usize = 10;

const MAGIC: [u8; 8] = *b"opntrenc";
const VERSION: u8 = 1;
const TAGGED_BYTES: usize = 48;
const TAG_BYTES: usize = 16;
const EXTENTS_AT: usize = TAGGED_BYTES + TAG_BYTES;
const EXTENT_BYTES: usize = 32;
const EXTENT_TAG_AT: usize = 20;

pub(super) type FileId = [u8; 32];
pub(super) type Page = [u8; HEADER_BYTES as usize];

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// At its end only.
    Appended = 1,
    /// In place.
    Rewritten = 2,
}

/// What a page says before any key is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(Kind, FileId),
    /// Not the beginning of an encrypted file.
    Other,
    /// One of a later format.
    Newer(u8),
}

pub(super) fn new_id() -> Option<FileId> {
    let mut id = [0; 32];
    rand::fill(&mut id).ok().map(|()| id)
}

/// A header without extents.
pub(super) fn encode(kind: Kind, id: &FileId, key: &hmac::Key) -> Page {
    let mut page = [0; HEADER_BYTES as usize];
    page[..8].copy_from_slice(&MAGIC);
    page[8] = VERSION;
    page[9] = kind as u8;
    page[16..TAGGED_BYTES].copy_from_slice(id);
    let tag = hmac::sign(key, &page[..TAGGED_BYTES]);
    page[TAGGED_BYTES..EXTENTS_AT].copy_from_slice(&tag.as_ref()[..TAG_BYTES]);
    page
}

pub(super) fn inspect(page: &Page) -> Found {
    let kind = match (page[..8] == MAGIC, page[8], page[9]) {
        (true, VERSION, 1) => Kind::Appended,
        (true, VERSION, 2) => Kind::Rewritten,
        (true, version, _) if version > VERSION => return Found::Newer(version),
        _ => return Found::Other,
    };
    Found::File(kind, std::array::from_fn(|at| page[16 + at]))
}

/// Whether the header was written with this key.
pub(super) fn is_authentic(page: &Page, key: &hmac::Key) -> bool {
    let tag = hmac::sign(key, &page[..TAGGED_BYTES]);
    verify_slices_are_equal(&tag.as_ref()[..TAG_BYTES], &page[TAGGED_BYTES..EXTENTS_AT]).is_ok()
}

/// A range of a file, up to the next one's start or the file's end, and its nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) nonce: [u8; NONCE_BYTES],
}

impl Extent {
    pub(super) fn begin(start: u64) -> Option<Self> {
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce).ok().map(|()| Self { start, nonce })
    }

    /// Where the extent with this number stands in the header.
    pub(super) fn place(number: usize) -> u64 {
        (EXTENTS_AT + number * EXTENT_BYTES) as u64
    }

    /// The extent as it stands in the header, after `before`.
    pub(super) fn encode(&self, number: usize, before: Option<&Self>, key: &hmac::Key) -> [u8; EXTENT_BYTES] {
        let mut bytes = [0; EXTENT_BYTES];
        bytes[..8].copy_from_slice(&self.start.to_le_bytes());
        bytes[8..8 + NONCE_BYTES].copy_from_slice(&self.nonce);
        let mut context = hmac::Context::with_key(key);
        context.update(b"extent");
        context.update(&(number as u64).to_le_bytes());
        context.update(&before.map_or([0; NONCE_BYTES], |before| before.nonce));
        context.update(&bytes[..EXTENT_TAG_AT]);
        bytes[EXTENT_TAG_AT..].copy_from_slice(&context.sign().as_ref()[..EXTENT_BYTES - EXTENT_TAG_AT]);
        bytes
    }
}

/// The extents of a file with `len` bytes of its own. Those that begin at its end or behind it belong to bytes that
/// were cut off or never became durable.
pub(super) fn extents(page: &Page, len: u64, key: &hmac::Key) -> Vec<Extent> {
    let mut extents: Vec<Extent> = Vec::new();
    for (number, bytes) in page[EXTENTS_AT..].chunks_exact(EXTENT_BYTES).enumerate() {
        let start = u64::from_le_bytes(std::array::from_fn(|at| bytes[at]));
        let extent = Extent { start, nonce: std::array::from_fn(|at| bytes[8 + at]) };
        let before = extents.last();
        let follows = before.map_or(start == 0, |before| before.start < start);
        let authentic = verify_slices_are_equal(&extent.encode(number, before, key), bytes).is_ok();
        if !follows || !authentic || start >= len {
            break;
        }
        extents.push(extent);
    }
    extents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    fn with_extents(starts: &[u64]) -> (Page, Vec<Extent>) {
        let mut page = encode(Kind::Appended, &[9; 32], &key(1));
        let mut all: Vec<Extent> = Vec::new();
        for (number, start) in starts.iter().enumerate() {
            let extent = Extent::begin(*start).unwrap();
            let place = Extent::place(number) as usize;
            page[place..place + EXTENT_BYTES].copy_from_slice(&extent.encode(number, all.last(), &key(1)));
            all.push(extent);
        }
        (page, all)
    }

    #[test]
    fn headers_come_back_and_each_flipped_bit_is_seen() {
        let (page, all) = with_extents(&[0, 100]);
        assert_eq!(inspect(&page), Found::File(Kind::Appended, [9; 32]));
        assert!(is_authentic(&page, &key(1)) && !is_authentic(&page, &key(2)));
        assert_eq!(extents(&page, 101, &key(1)), all);
        for bit in 0..(EXTENTS_AT + 2 * EXTENT_BYTES) * 8 {
            let mut page = page;
            page[bit / 8] ^= 1 << (bit % 8);
            let same = inspect(&page) == Found::File(Kind::Appended, [9; 32]) && is_authentic(&page, &key(1));
            assert!(!same || extents(&page, 101, &key(1)) != all, "bit {bit}");
        }
    }

    #[test]
    fn extents_behind_the_end_and_after_a_replaced_one_are_none() {
        let (mut page, all) = with_extents(&[0, 100, 200]);
        assert_eq!(extents(&page, 200, &key(1)), all[..2]);
        let replaced = Extent::begin(50).unwrap();
        let place = Extent::place(1) as usize;
        page[place..place + EXTENT_BYTES].copy_from_slice(&replaced.encode(1, Some(&all[0]), &key(1)));
        assert_eq!(extents(&page, 1000, &key(1)), [all[0], replaced]);
    }

    #[test]
    fn there_is_room_for_many() {
        let starts: Vec<u64> = (0..EXTENTS as u64).collect();
        let (page, all) = with_extents(&starts);
        assert_eq!(extents(&page, u64::MAX, &key(1)), all);
    }
}
