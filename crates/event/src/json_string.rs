//! The inside of JSON strings: finding their end, decoding their escapes.

use std::borrow::Cow;

/// The inside of a JSON string, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Str {
    /// The offset of the first byte.
    pub start: usize,
    /// The offset after the last byte.
    pub end: usize,
    /// Whether it has escape sequences.
    pub escaped: bool,
}

impl Str {
    /// The characters of the string, `text` being what the scanner ran over.
    pub fn decode<'a>(&self, text: &'a [u8]) -> Cow<'a, str> {
        let inside = text.get(self.start..self.end).unwrap_or_default();
        if self.escaped { Cow::Owned(unescape(inside)) } else { String::from_utf8_lossy(inside) }
    }

    /// The bytes of the string; for a string without escapes this allocates nothing and checks nothing.
    pub fn bytes<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let inside = text.get(self.start..self.end).unwrap_or_default();
        if self.escaped { Cow::Owned(unescape(inside).into_bytes()) } else { Cow::Borrowed(inside) }
    }
}

/// The offset of the next quote, backslash or control character, eight bytes at a time.
pub(crate) fn next_special(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ QUOTES;
        let backslash = word ^ BACKSLASHES;
        // The classic tests for a zero byte and for a byte below a bound. A borrow only runs upwards, so
        // the lowest marked byte, the only one looked at, is marked rightly.
        let found = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// The characters of a JSON string that the scanner has accepted.
fn unescape(inside: &[u8]) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(backslash) = rest.iter().position(|&byte| byte == b'\\') {
        let (before, escape) = rest.split_at(backslash);
        out.extend_from_slice(before);
        let (character, len) = unescape_one(escape);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = escape.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The character of one escape sequence and the sequence's length.
fn unescape_one(escape: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4).and_then(|digits| std::str::from_utf8(digits).ok())?;
        u32::from_str_radix(digits, 16).ok()
    };
    match escape.get(1) {
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => match (unit(2), unit(8)) {
            (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
                let scalar = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            }
            (Some(scalar), _) => (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            (None, _) => (char::REPLACEMENT_CHARACTER, 2),
        },
        Some(&byte) => (char::from(byte), 2),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Str, next_special};

    proptest! {
        #[test]
        fn the_next_special_byte_is_the_first(text in proptest::collection::vec(any::<u8>(), 0..60), from in 0..60usize) {
            let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
            let from = from.min(text.len());
            let expected = text[from..].iter().position(special).map_or(text.len(), |at| from + at);
            prop_assert_eq!(next_special(&text, from), expected);
        }

        #[test]
        fn no_bytes_panic_when_decoded(text in r#"[\\ud8Dcn"/0-9a-fé]{0,20}"#) {
            let whole = Str { start: 0, end: text.len(), escaped: true };
            whole.decode(text.as_bytes());
        }
    }
}
