//! A strict JSON scanner over bytes: it finds where values begin and end and checks the grammar of
//! RFC 8259 on the way, without building anything.
//!
//! What it accepts, `serde_json` accepts too, so that a record which came in through the door can be
//! read by everything behind it: strings have no lone surrogates, numbers fit a finite `f64`, nesting is
//! bounded. UTF-8 is the caller's to check; a byte of 0x80 or more is only taken inside a string.

use std::borrow::Cow;

/// How deep arrays and objects may nest in one record. AWS's own records stay below 20; `serde_json`
/// gives up at 128, so what is accepted here stays below that.
pub(crate) const MAX_DEPTH: u32 = 100;

/// Why bytes are not the JSON that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ends inside a value.
    #[error("the JSON text ends at byte {at}, inside a value")]
    Ended {
        /// The offset at which the text ends.
        at: usize,
    },
    /// A byte that cannot stand where it stands.
    #[error("unexpected byte at offset {at} of the JSON text")]
    Unexpected {
        /// The offset of the byte.
        at: usize,
    },
    /// A control character inside a string that is not written as an escape.
    #[error("control character at offset {at} inside a JSON string")]
    ControlCharacter {
        /// The offset of the byte.
        at: usize,
    },
    /// An escape sequence that JSON does not have, or half of a surrogate pair.
    #[error("invalid escape sequence at offset {at} of the JSON text")]
    Escape {
        /// The offset of the backslash.
        at: usize,
    },
    /// A number that is not a JSON number or whose magnitude no double holds.
    #[error("invalid number at offset {at} of the JSON text")]
    Number {
        /// The offset at which the number begins.
        at: usize,
    },
    /// Arrays and objects nest deeper than a record may.
    #[error("JSON values nest deeper than {MAX_DEPTH} levels at offset {at}")]
    TooDeep {
        /// The offset of the bracket that is too deep.
        at: usize,
    },
    /// There is more after the value.
    #[error("unexpected data after the JSON value, at offset {at}")]
    Trailing {
        /// The offset of the first byte that is too much.
        at: usize,
    },
}

impl JsonError {
    /// The offset in the JSON text that the error is about.
    pub const fn offset(&self) -> usize {
        match *self {
            Self::Ended { at }
            | Self::Unexpected { at }
            | Self::ControlCharacter { at }
            | Self::Escape { at }
            | Self::Number { at }
            | Self::TooDeep { at }
            | Self::Trailing { at } => at,
        }
    }
}

/// The inside of a JSON string, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Str {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether it has escape sequences.
    pub(crate) escaped: bool,
}

impl Str {
    /// The characters of the string, `text` being what the scanner ran over.
    pub(crate) fn decode<'a>(&self, text: &'a [u8]) -> Cow<'a, str> {
        let inside = text.get(self.start..self.end).unwrap_or_default();
        if self.escaped { Cow::Owned(unescape(inside)) } else { String::from_utf8_lossy(inside) }
    }

    /// The bytes of the string; for a string without escapes this allocates nothing and checks nothing.
    pub(crate) fn bytes<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let inside = text.get(self.start..self.end).unwrap_or_default();
        if self.escaped { Cow::Owned(unescape(inside).into_bytes()) } else { Cow::Borrowed(inside) }
    }
}

/// The kind of the value that begins at a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A position in JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, depth: 0 }
    }

    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Steps over one byte that the caller has peeked at.
    pub(crate) fn bump(&mut self) {
        self.at += 1;
    }

    pub(crate) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// What to say of a byte that cannot stand here, or of the end of the text.
    pub(crate) fn fault(&self) -> JsonError {
        if self.at >= self.text.len() {
            JsonError::Ended { at: self.text.len() }
        } else {
            JsonError::Unexpected { at: self.at }
        }
    }

    fn unexpected<T>(&self) -> Result<T, JsonError> {
        Err(self.fault())
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.unexpected()
        }
    }

    /// The kind of the value here; white space before it is stepped over.
    pub(crate) fn kind(&mut self) -> Result<Kind, JsonError> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => self.unexpected(),
        }
    }

    /// Only white space follows.
    pub(crate) fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_whitespace();
        if self.at == self.text.len() { Ok(()) } else { Err(JsonError::Trailing { at: self.at }) }
    }

    /// Reads an object; `member` is called at each value with its key and must step over the value.
    pub(crate) fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.enter(b'{')?;
        self.skip_whitespace();
        if self.peek() == Some(b'}') {
            return self.leave();
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => return self.leave(),
                _ => return Ok(self.unexpected()?),
            }
        }
    }

    /// Reads an array; `element` is called at each value and must step over it.
    pub(crate) fn array<E: From<JsonError>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.enter(b'[')?;
        self.skip_whitespace();
        if self.peek() == Some(b']') {
            return self.leave();
        }
        loop {
            self.skip_whitespace();
            element(self)?;
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => return self.leave(),
                _ => return Ok(self.unexpected()?),
            }
        }
    }

    fn enter(&mut self, bracket: u8) -> Result<(), JsonError> {
        self.skip_whitespace();
        if self.depth == MAX_DEPTH {
            return Err(JsonError::TooDeep { at: self.at });
        }
        self.expect(bracket)?;
        self.depth += 1;
        Ok(())
    }

    fn leave<E>(&mut self) -> Result<(), E> {
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// A member's key and its colon; the value is next.
    pub(crate) fn key(&mut self) -> Result<Str, JsonError> {
        self.skip_whitespace();
        let key = self.string()?;
        self.skip_whitespace();
        self.expect(b':')?;
        self.skip_whitespace();
        Ok(key)
    }

    /// Steps over the value here, checking it. Iterative: the open brackets are the bits of one integer.
    pub(crate) fn skip_value(&mut self) -> Result<(), JsonError> {
        const { assert!(MAX_DEPTH <= 128, "one bit of a u128 for each level") };
        let mut open: u128 = 0;
        let mut depth = 0u32;
        loop {
            match self.kind()? {
                kind @ (Kind::Object | Kind::Array) => {
                    if self.depth + depth == MAX_DEPTH {
                        return Err(JsonError::TooDeep { at: self.at });
                    }
                    let is_object = kind == Kind::Object;
                    self.at += 1;
                    self.skip_whitespace();
                    if self.peek() == Some(closing(is_object)) {
                        self.at += 1;
                    } else {
                        open = (open << 1) | u128::from(is_object);
                        depth += 1;
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Kind::String => {
                    self.string()?;
                }
                Kind::Number => self.number()?,
                Kind::Bool | Kind::Null => self.literal()?,
            }
            // A value has ended: close what ends with it, up to the next member or element.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = open & 1 == 1;
                self.skip_whitespace();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(byte) if byte == closing(is_object) => {
                        self.at += 1;
                        open >>= 1;
                        depth -= 1;
                    }
                    _ => return self.unexpected(),
                }
            }
        }
    }

    fn literal(&mut self) -> Result<(), JsonError> {
        let word: &[u8] = match self.peek() {
            Some(b't') => b"true",
            Some(b'f') => b"false",
            _ => b"null",
        };
        for &byte in word {
            self.expect(byte)?;
        }
        Ok(())
    }

    /// A boolean's value.
    pub(crate) fn boolean(&mut self) -> Result<bool, JsonError> {
        let value = self.peek() == Some(b't');
        self.literal()?;
        Ok(value)
    }

    /// Steps over a string.
    pub(crate) fn string(&mut self) -> Result<Str, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = next_special(self.text, self.at);
            match self.peek() {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Str { start, end, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(JsonError::ControlCharacter { at: self.at }),
                None => return self.unexpected(),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let at = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                match self.hex4(at)? {
                    0xD800..=0xDBFF => {
                        self.escape_byte(b'\\', at)?;
                        self.escape_byte(b'u', at)?;
                        match self.hex4(at)? {
                            0xDC00..=0xDFFF => Ok(()),
                            _ => Err(JsonError::Escape { at }),
                        }
                    }
                    0xDC00..=0xDFFF => Err(JsonError::Escape { at }),
                    _ => Ok(()),
                }
            }
            Some(_) => Err(JsonError::Escape { at }),
            None => self.unexpected(),
        }
    }

    fn escape_byte(&mut self, byte: u8, at: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(JsonError::Escape { at }),
            None => self.unexpected(),
        }
    }

    fn hex4(&mut self, at: usize) -> Result<u16, JsonError> {
        let mut value = 0u16;
        for _ in 0..4 {
            let Some(byte) = self.peek() else { return self.unexpected() };
            let digit = char::from(byte).to_digit(16).ok_or(JsonError::Escape { at })?;
            value = (value << 4) | digit as u16;
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits();
        let leading_zero = whole > 1 && self.text.get(self.at - whole) == Some(&b'0');
        let mut valid = whole > 0 && !leading_zero;
        if self.peek() == Some(b'.') {
            self.at += 1;
            valid &= self.digits() > 0;
        }
        let mut exponent = false;
        if let Some(b'e' | b'E') = self.peek() {
            exponent = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            valid &= self.digits() > 0;
        }
        if !valid {
            return Err(if self.at >= self.text.len() {
                JsonError::Ended { at: self.text.len() }
            } else {
                JsonError::Number { at: start }
            });
        }
        // Below 300 digits and without an exponent no number is out of a double's range.
        if (exponent || whole > 300) && !is_finite(self.text.get(start..self.at).unwrap_or_default()) {
            return Err(JsonError::Number { at: start });
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

fn is_finite(number: &[u8]) -> bool {
    std::str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

/// The offset of the next quote, backslash or control character, eight bytes at a time.
fn next_special(text: &[u8], mut at: usize) -> usize {
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
    use serde_json::Value;

    use super::{JsonError, MAX_DEPTH, Scanner};

    fn scan(text: &[u8]) -> Result<(), JsonError> {
        let mut scanner = Scanner::new(text, 0);
        scanner.skip_value()?;
        scanner.finish()
    }

    /// The same walk through the callbacks in place of the iterative one.
    fn walk(scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        match scanner.kind()? {
            super::Kind::Object => scanner.object(|scanner, _| walk(scanner)),
            super::Kind::Array => scanner.array(walk),
            _ => scanner.skip_value(),
        }
    }

    fn agrees_with_serde_json(text: &str) -> Result<(), TestCaseError> {
        let ours = scan(text.as_bytes());
        let theirs = serde_json::from_str::<Value>(text);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}: {:?} but {:?}", text, ours, theirs);
        let mut scanner = Scanner::new(text.as_bytes(), 0);
        let walked = walk(&mut scanner).and_then(|()| scanner.finish());
        prop_assert_eq!(walked, ours, "{:?}", text);
        if let (Ok(()), Ok(Value::String(expected))) = (ours, theirs) {
            let mut scanner = Scanner::new(text.as_bytes(), 0);
            scanner.skip_whitespace();
            let string = scanner.string().unwrap();
            prop_assert_eq!(string.decode(text.as_bytes()), expected);
        }
        Ok(())
    }

    #[test]
    fn what_json_is_and_what_not() {
        for text in [
            "{}",
            "[]",
            " [ ] ",
            "0",
            "-0",
            "1.5e-3",
            "1e400",
            "1e-400",
            "-",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "NaN",
            "true",
            "tru",
            "truee",
            "null",
            "nul",
            "\"\"",
            "\"\\u00e9\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\n\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\t\"",
            "\"\u{7f}\"",
            "\"é\"",
            "\"",
            "\"\\",
            "\"\\u12",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "[}",
            "{]",
            "[1]]",
            "é",
            "\u{feff}{}",
            "",
            " ",
            "1 2",
            "{\"a\":1}x",
        ] {
            agrees_with_serde_json(text).unwrap();
        }
        agrees_with_serde_json(&"9".repeat(308)).unwrap();
        agrees_with_serde_json(&"9".repeat(309)).unwrap();
    }

    #[test]
    fn nesting_is_bounded_and_takes_no_stack() {
        let nested = |depth: u32| "[".repeat(depth as usize) + &"]".repeat(depth as usize);
        assert_eq!(scan(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(
            scan(nested(MAX_DEPTH + 1).as_bytes()),
            Err(JsonError::TooDeep { at: MAX_DEPTH as usize })
        );
        assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH)).is_ok());
        assert!(scan("{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn the_offset_of_an_error_is_the_bytes() {
        assert_eq!(scan(br#"{"a":x}"#), Err(JsonError::Unexpected { at: 5 }));
        assert_eq!(scan(br#"{"a":"#), Err(JsonError::Ended { at: 5 }));
        assert_eq!(scan(b"[\"abcdefgh\x01\"]"), Err(JsonError::ControlCharacter { at: 10 }));
        assert_eq!(scan(br#"["ab\qcd"]"#), Err(JsonError::Escape { at: 4 }));
        assert_eq!(scan(b"[12, 03]"), Err(JsonError::Number { at: 5 }));
        assert_eq!(scan(b"[] []"), Err(JsonError::Trailing { at: 3 }));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_on_text_of_json_characters(text in r#"[\[\]{}",:0-9eE+.\-tfnulars\\/ \n\u{1}é😀]{0,24}"#) {
            agrees_with_serde_json(&text)?;
        }

        #[test]
        fn agrees_on_strings(inside in r#"(\\u[dD][89abCf][0-9a-f]{2}|\\u[0-9a-fA-F]{4}|\\["\\/bfnrtx]|[ -~é😀])*"#) {
            agrees_with_serde_json(&format!("\"{inside}\""))?;
        }

        #[test]
        fn agrees_on_values_and_on_broken_ones(
            value in value(), pretty: bool, at: prop::sample::Index, with: prop::sample::Index, cut: bool,
        ) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            prop_assert_eq!(scan(text.as_bytes()), Ok(()));
            let mut characters: Vec<char> = text.chars().collect();
            let at = at.index(characters.len());
            if cut {
                characters.truncate(at);
            } else {
                characters[at] = *with.get(&['"', '\\', '{', ']', ',', '0', ' ', '\u{2}', 'e']);
            }
            agrees_with_serde_json(&characters.into_iter().collect::<String>())?;
        }
    }
}
