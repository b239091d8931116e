//! A gzip file (RFC 1952) that grows in memory.
//!
//! As `flate2` writes it, with the checksum of `crc-fast`, which is several times as fast.

use std::io::{self, Write};

use crc_fast::{CrcAlgorithm, Digest};
use flate2::{Compression, write::DeflateEncoder};

/// Deflate; no flags, no time and no name, so that the same events give the same bytes; made for speed; on no known
/// system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

pub(super) struct Gzip {
    deflate: DeflateEncoder<Vec<u8>>,
    crc: Digest,
    /// Bytes before compression, modulo 2^32, as the format has it.
    bytes: u32,
}

impl Gzip {
    pub(super) fn new(level: Compression) -> Self {
        let deflate = DeflateEncoder::new(HEADER.to_vec(), level);
        Self { deflate, crc: Digest::new(CrcAlgorithm::Crc32IsoHdlc), bytes: 0 }
    }

    /// Compressed bytes so far.
    pub(super) fn held(&self) -> usize {
        self.deflate.get_ref().len()
    }

    /// The whole file.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        let mut file = self.deflate.finish()?;
        file.extend((self.crc.finalize() as u32).to_le_bytes());
        file.extend(self.bytes.to_le_bytes());
        Ok(file)
    }
}

impl Write for Gzip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.deflate.write(bytes)?;
        self.crc.update(&bytes[..written]);
        self.bytes = self.bytes.wrapping_add(written as u32);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.deflate.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::{GzBuilder, read::GzDecoder};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_flate2_writes_and_comes_back(parts: Vec<Vec<u8>>) {
            let mut ours = Gzip::new(Compression::fast());
            let mut theirs = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
            for part in &parts {
                ours.write_all(part).expect("memory takes everything");
                theirs.write_all(part).expect("memory takes everything");
            }
            let file = ours.finish().expect("memory takes everything");
            prop_assert_eq!(&file, &theirs.finish().expect("memory takes everything"));
            let mut text = Vec::new();
            GzDecoder::new(&file[..]).read_to_end(&mut text).expect("it is gzip");
            prop_assert_eq!(text, parts.concat());
        }
    }
}
