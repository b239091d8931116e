//! Which bytes of an object a reader asks for.

use std::ops::Range;

use crate::VaultError;

/// A byte range as in RFC 9110, section 14.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// `first-`, or `first-last` (inclusive).
    From {
        /// The first byte.
        first: u64,
        /// The last byte, included; the end of the object where `None`.
        last: Option<u64>,
    },
    /// `-length`: the last bytes.
    Suffix {
        /// How many.
        length: u64,
    },
}

impl ByteRange {
    /// The bytes it names in an object of this size; what goes beyond the end is cut off.
    ///
    /// # Errors
    /// [`VaultError::InvalidRange`] where it names none.
    pub fn within(self, size: u64) -> Result<Range<u64>, VaultError> {
        let range = match self {
            Self::From { first, last } => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                first..end
            }
            Self::Suffix { length } => size.saturating_sub(length)..size,
        };
        if range.is_empty() { Err(VaultError::InvalidRange { size }) } else { Ok(range) }
    }

    /// Reads a `Range` header with one range in bytes. Others (another unit, several ranges, not of the form)
    /// give `None` and are to be ignored, as S3 and RFC 9110 do.
    pub fn parse(header: &str) -> Option<Self> {
        let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = (first.trim(), last.trim());
        let number = |text: &str| -> Option<u64> {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if digits { Some(text.parse().unwrap_or(u64::MAX)) } else { None }
        };
        if first.is_empty() {
            return Some(Self::Suffix { length: number(last)? });
        }
        let first = number(first)?;
        let last = if last.is_empty() { None } else { Some(number(last)?) };
        if last.is_some_and(|last| last < first) { None } else { Some(Self::From { first, last }) }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteRange;

    fn bytes(header: &str, size: u64) -> Option<Option<(u64, u64)>> {
        ByteRange::parse(header).map(|range| range.within(size).ok().map(|r| (r.start, r.end)))
    }

    #[test]
    fn ranges_as_rfc_9110_has_them() {
        assert_eq!(bytes("bytes=0-499", 1000), Some(Some((0, 500))));
        assert_eq!(bytes("bytes=500-", 1000), Some(Some((500, 1000))));
        assert_eq!(bytes("bytes=-300", 1000), Some(Some((700, 1000))));
        assert_eq!(bytes("bytes=-3000", 1000), Some(Some((0, 1000))));
        assert_eq!(bytes("bytes=900-99999999999999999999999", 1000), Some(Some((900, 1000))));
        assert_eq!(bytes("bytes=1000-", 1000), Some(None));
        assert_eq!(bytes("bytes=-0", 1000), Some(None));
        assert_eq!(bytes("bytes=0-", 0), Some(None));
        for ignored in ["bytes=5-4", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=-"] {
            assert_eq!(bytes(ignored, 10), None, "{ignored}");
        }
    }
}
