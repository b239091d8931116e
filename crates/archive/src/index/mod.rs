//! The index of a table: for each value, the rows that have it.
//!
//! Two files of [blocks](crate::blocks), all integers little-endian:
//! ```text
//! .rows    places     time i64, seq u64, index u32, owner 40 bits, for each row; newest first
//!          postings   row u32; the lists of rows, each ascending
//!          pages      first row u32, offset u64, bytes u32, checksum u64, of each page of records
//! .keys    keys       key u64, start u32, count u32; ascending; a list of one row has the row as its start
//!          scopes     owner, category, region; ascending
//!          fence      the first key of each block of keys, u64
//! ```
//! Only the fence (8 bytes for 255 keys) and the pages (24 bytes for some 64 KiB) are in memory. To find a value's list costs one read of one block.

mod reader;
mod writer;

pub(crate) use reader::{Entries, Index, Places, RowList};
pub(crate) use writer::IndexWriter;

use crate::blocks::Section;

/// Bytes of a key's record.
const KEY_BYTES: usize = 8 + 4 + 4;
const ROW_BYTES: usize = 4;
const FENCE_BYTES: usize = 8;

const ROWS_MAGIC: &[u8; 8] = b"OTAROWS\x01";
const KEYS_MAGIC: &[u8; 8] = b"OTAKEYS\x01";

/// A footer: a magic number and the sections.
fn footer(magic: &[u8; 8], sections: &[Section]) -> Vec<u8> {
    let mut footer = magic.to_vec();
    sections.iter().for_each(|section| footer.extend(section.to_bytes()));
    footer
}

/// The sections of a footer, whose record sizes must be these.
fn sections<const N: usize>(bytes: &[u8], magic: &[u8; 8], records: [usize; N]) -> Option<[Section; N]> {
    let bytes = bytes.strip_prefix(magic)?;
    let mut sections = [Section { first_block: 0, record: 1, count: 0 }; N];
    for (at, (section, record)) in sections.iter_mut().zip(records).enumerate() {
        *section = Section::from_bytes(bytes.get(at * Section::BYTES..(at + 1) * Section::BYTES)?)?;
        if section.record != record {
            return None;
        }
    }
    Some(sections)
}
