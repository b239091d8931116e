//! `size[;chunk-signature=…]`, the line before each chunk.

use super::ChunkFault;

/// A chunk's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChunkHeader<'a> {
    pub(super) size: u64,
    pub(super) signature: Option<&'a str>,
}

impl<'a> ChunkHeader<'a> {
    /// Reads a line without its line end. Extensions other than the signature are refused: AWS defines none.
    pub(super) fn parse(line: &'a [u8]) -> Result<ChunkHeader<'a>, ChunkFault> {
        let line = std::str::from_utf8(line).map_err(|_| ChunkFault::Size)?;
        let (size, extension) = match line.split_once(';') {
            Some((size, extension)) => (size, Some(extension.trim())),
            None => (line, None),
        };
        let size = size.trim();
        if !(1..=16).contains(&size.len()) || !size.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ChunkFault::Size);
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| ChunkFault::Size)?;
        let signature = extension
            .map(|extension| extension.strip_prefix("chunk-signature=").ok_or(ChunkFault::Signature))
            .transpose()?;
        Ok(ChunkHeader { size, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_signed_and_unsigned_headers() {
        assert_eq!(ChunkHeader::parse(b"10000"), Ok(ChunkHeader { size: 65_536, signature: None }));
        assert_eq!(
            ChunkHeader::parse(b"0;chunk-signature=ab"),
            Ok(ChunkHeader { size: 0, signature: Some("ab") })
        );
        assert_eq!(ChunkHeader::parse(b"ffffffffffffffff").unwrap().size, u64::MAX);
    }

    #[test]
    fn refuses_other_headers() {
        for line in
            [&b""[..], b"x", b"-1", b"+1", b"0x10", b"11111111111111111", b";chunk-signature=ab", b"\xff"]
        {
            assert_eq!(ChunkHeader::parse(line), Err(ChunkFault::Size), "{line:?}");
        }
        assert_eq!(ChunkHeader::parse(b"10;signature=ab"), Err(ChunkFault::Signature));
    }
}
