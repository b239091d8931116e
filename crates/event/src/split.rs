//! Cutting an upload into single records.

use bytes::Bytes;

use crate::{
    JsonError,
    scan::{Kind, Scanner},
};

/// Cuts an upload into the JSON texts of its records, without copying them.
///
/// The upload is a sequence of JSON values, one after the other with or without white space between them:
/// records, arrays of records, and objects with an array `Records`, as CloudTrail's log files have it
/// (other members of such an object are passed over). So a log file, a single record, NDJSON and several
/// log files one after the other are all understood. A UTF-8 byte order mark may be in front.
///
/// What is wrong is an item of its own, with the index that a record would have had in its place, and
/// everything that can be told apart from it is still given: in an array what is no object is one bad
/// record; outside of arrays the cut goes on with the next line. An array or a `Records` object that is
/// broken or truncated gives the records before that place, then one error, then nothing.
///
/// The texts are well-formed JSON objects, except that UTF-8 and the depth are left to
/// [`crate::Event::parse`].
pub fn split_records(body: Bytes) -> Records {
    let at = if body.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    Records { body, at, index: 0, rescanned: 0, state: State::Between }
}

/// Something in an upload that is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {index}: {reason}")]
pub struct SplitError {
    /// Which record of the upload this is, counted from 0, good and bad ones alike.
    pub index: usize,
    /// What is wrong.
    pub reason: SplitReason,
}

/// Why a part of an upload is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitReason {
    /// A JSON value, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// Not well-formed JSON; offsets are those of the upload.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// The records of an upload, each with what is wrong with it. See [`split_records`].
#[derive(Debug, Clone)]
pub struct Records {
    body: Bytes,
    at: usize,
    index: usize,
    /// How many bytes were looked at in vain: behind the place where the cut went on after an error.
    rescanned: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of everything.
    Between,
    /// In an array; `first` when nothing of it was read.
    Elements {
        first: bool,
        wrapped: bool,
    },
    /// In an object behind its `Records`.
    Members,
    Done,
}

/// A record's place, or nothing yet.
type Step = Result<Option<(usize, usize)>, SplitReason>;

impl Records {
    /// Lines that look like the beginning of a long value are read once for themselves and once for each
    /// line above that ran into them. An upload in which that adds up to more than this many times its
    /// size is made to do so.
    const MAX_RESCANS: usize = 4;

    fn between(&mut self, scanner: &mut Scanner<'_>) -> Step {
        scanner.skip_whitespace();
        let start = scanner.at();
        if scanner.peek().is_none() {
            self.state = State::Done;
            return Ok(None);
        }
        let step = match scanner.kind() {
            Ok(Kind::Object) => self.object(scanner),
            Ok(Kind::Array) => {
                scanner.bump();
                self.state = State::Elements { first: true, wrapped: false };
                Ok(None)
            }
            Ok(_) => scanner.skip_value().map_err(SplitReason::from).and(Err(SplitReason::NotAnObject)),
            Err(error) => Err(error.into()),
        };
        if let Err(reason) = step {
            let failed = match reason {
                SplitReason::Json(error) => error.offset(),
                SplitReason::NotAnObject => start,
            };
            self.next_line(scanner, start, failed);
        }
        step
    }

    /// An object outside of arrays: a record, or the beginning of one that wraps records.
    fn object(&mut self, scanner: &mut Scanner<'_>) -> Step {
        let start = scanner.at();
        scanner.bump();
        scanner.skip_whitespace();
        if scanner.peek() != Some(b'}') {
            loop {
                if self.enters_records(scanner)? {
                    return Ok(None);
                }
                scanner.skip_whitespace();
                match scanner.peek() {
                    Some(b',') => scanner.bump(),
                    Some(b'}') => break,
                    _ => return Err(scanner.fault().into()),
                }
            }
        }
        scanner.bump();
        Ok(Some((start, scanner.at())))
    }

    /// Steps over a member, unless it is `Records` with an array: then into that.
    fn enters_records(&mut self, scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
        let key = scanner.key()?;
        let is_records = key.bytes(scanner.text()).as_ref() == b"Records" && scanner.peek() == Some(b'[');
        if is_records {
            scanner.bump();
            self.state = State::Elements { first: true, wrapped: true };
        } else {
            scanner.skip_value()?;
        }
        Ok(is_records)
    }

    fn members(&mut self, scanner: &mut Scanner<'_>) -> Step {
        loop {
            scanner.skip_whitespace();
            match scanner.peek() {
                Some(b',') => {
                    scanner.bump();
                    if self.enters_records(scanner)? {
                        return Ok(None);
                    }
                }
                Some(b'}') => {
                    scanner.bump();
                    self.state = State::Between;
                    return Ok(None);
                }
                _ => return Err(scanner.fault().into()),
            }
        }
    }

    fn element(&mut self, scanner: &mut Scanner<'_>, first: bool, wrapped: bool) -> Step {
        scanner.skip_whitespace();
        match scanner.peek() {
            Some(b']') => {
                scanner.bump();
                self.state = if wrapped { State::Members } else { State::Between };
                return Ok(None);
            }
            Some(b',') if !first => scanner.bump(),
            Some(_) if first => {}
            _ => return Err(scanner.fault().into()),
        }
        self.state = State::Elements { first: false, wrapped };
        let is_object = scanner.kind()? == Kind::Object;
        let start = scanner.at();
        scanner.skip_value()?;
        if is_object { Ok(Some((start, scanner.at()))) } else { Err(SplitReason::NotAnObject) }
    }

    /// Goes on with the line after the one in which a bad value begins. An object whose first line is only
    /// its brace is pretty-printed over many lines; behind it comes the next line that begins with a
    /// bracket.
    fn next_line(&mut self, scanner: &mut Scanner<'_>, start: usize, failed: usize) {
        let text = scanner.text();
        let line_after = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            rest.iter().position(|&byte| byte == b'\n').map_or(text.len(), |newline| at + newline + 1)
        };
        let mut at = line_after(start);
        if text.get(start..at).unwrap_or_default().trim_ascii() == b"{" {
            while !matches!(text.get(at), Some(b'{' | b'[') | None) {
                at = line_after(at);
            }
        }
        *scanner = Scanner::new(text, at);
        self.rescanned += failed.saturating_sub(at);
        if self.rescanned > text.len().saturating_mul(Self::MAX_RESCANS) {
            self.state = State::Done;
        }
    }
}

impl Iterator for Records {
    type Item = Result<Bytes, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.body.clone();
        let mut scanner = Scanner::new(&body, self.at);
        loop {
            let step = match self.state {
                State::Done => return None,
                State::Between => self.between(&mut scanner),
                State::Elements { first, wrapped } => self.element(&mut scanner, first, wrapped),
                State::Members => self.members(&mut scanner),
            };
            self.at = scanner.at();
            let item = match step {
                Ok(None) => continue,
                Ok(Some((start, end))) => Ok(body.slice(start..end)),
                Err(reason) => {
                    if self.state != State::Between && reason != SplitReason::NotAnObject {
                        self.state = State::Done;
                    }
                    Err(SplitError { index: self.index, reason })
                }
            };
            self.index += 1;
            return Some(item);
        }
    }
}

impl std::iter::FusedIterator for Records {}
