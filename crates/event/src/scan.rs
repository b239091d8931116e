//! A strict JSON scanner over bytes: it finds where values begin and end and checks the grammar of
//! RFC 8259 on the way, without building anything.
//!
//! What it accepts, `serde_json` accepts too, so that a record which came in through the door can be
//! read by everything behind it: strings have no lone surrogates, numbers fit a finite `f64`, nesting is
//! bounded. UTF-8 is the caller's to check; a byte of 0x80 or more is only taken inside a string.

use crate::{
    json_error::JsonError,
    json_string::{Str, next_special},
};

/// How deep arrays and objects may nest in one record. AWS's own records stay below 20; `serde_json`
/// gives up at 128, so what is accepted here stays below that.
pub(crate) const MAX_DEPTH: u32 = 100;

/// The kind of the value that begins at a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`.
    Object,
    /// `[…]`.
    Array,
    /// `"…"`.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
}

/// A position in JSON text, from where values are read in one pass. After an error it is of no more use.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Scanner<'a> {
    /// At `at`, where a value begins or white space before one.
    pub fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, depth: 0 }
    }

    /// The whole text.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Where it is: an offset in the text.
    pub fn at(&self) -> usize {
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
    pub fn kind(&mut self) -> Result<Kind, JsonError> {
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
    pub fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_whitespace();
        if self.at == self.text.len() { Ok(()) } else { Err(JsonError::Trailing { at: self.at }) }
    }

    /// Reads an object; `member` is called at each value with its key and must step over the value.
    pub fn object<E: From<JsonError>>(
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
    pub fn array<E: From<JsonError>>(
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
    pub fn skip_value(&mut self) -> Result<(), JsonError> {
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
    pub fn boolean(&mut self) -> Result<bool, JsonError> {
        let value = self.peek() == Some(b't');
        self.literal()?;
        Ok(value)
    }

    /// Steps over a string.
    pub fn string(&mut self) -> Result<Str, JsonError> {
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

#[cfg(test)]
mod tests;
