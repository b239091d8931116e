//! The bytes of an entry.
//!
//! All integers are little-endian.
//! ```text
//! version u8 = 1
//! at      seconds i64, nanoseconds u32
//! changes u32, bytes of them u32
//! facts   u32, bytes of them u32
//! events  u32, bytes of them u32
//! change  tag u8 (1 put, 2 delete), kind u8 + bytes, id u16 + bytes; put: revision u64, body u32 + bytes
//! fact    view u8 + bytes, body u32 + bytes
//! event   owner 12 digits, record u32 + bytes
//! ```
//! The sections carry their lengths, so that a reader of changes or facts never walks over the records.
//! The journal's checksum guards the bytes; what is checked here is that no bytes whatever lead out of bounds.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Event};

use crate::{
    entry::{Change, Entry, Fact, MAX_BODY_BYTES, MAX_ID_BYTES, MAX_KIND_BYTES, OwnedEvent},
    error::CodecError,
};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + 8 + 4 + 3 * 8;
const PUT: u8 = 1;
const DELETE: u8 = 2;
const OWNER_BYTES: usize = 12;
/// The fewest bytes that a change, a fact and an event take: what bounds the memory set aside for a count
/// that the bytes claim.
const SMALLEST: [usize; 3] = [1 + 1 + 2, 1 + 4, OWNER_BYTES + 4];

impl Entry {
    /// The entry's bytes.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] if a part is longer than its limit or the whole does not fit the format.
    pub fn encode(&self) -> Result<Bytes, CodecError> {
        let sections = self.section_bytes()?;
        let mut out =
            BytesMut::with_capacity(HEADER_BYTES + sections.iter().map(|s| *s as usize).sum::<usize>());
        out.put_u8(VERSION);
        out.put_i64_le(self.at.timestamp());
        out.put_u32_le(self.at.timestamp_subsec_nanos());
        let counts = [self.changes.len(), self.facts.len(), self.events.len()];
        for (count, bytes) in counts.into_iter().zip(sections) {
            out.put_u32_le(length(count, "number of parts", u32::MAX as usize)?);
            out.put_u32_le(bytes);
        }
        for change in &self.changes {
            put_change(&mut out, change);
        }
        for fact in &self.facts {
            out.put_u8(fact.view.len() as u8);
            out.put_slice(fact.view.as_bytes());
            put_body(&mut out, &fact.body);
        }
        for owned in &self.events {
            out.put_slice(owned.owner.as_str().as_bytes());
            put_body(&mut out, owned.event.raw());
        }
        Ok(out.freeze())
    }

    /// How many bytes [`Entry::encode`] gives.
    ///
    /// # Errors
    /// As [`Entry::encode`].
    pub fn encoded_bytes(&self) -> Result<usize, CodecError> {
        Ok(HEADER_BYTES + self.section_bytes()?.iter().map(|s| *s as usize).sum::<usize>())
    }

    /// The entry in these bytes; its bodies and records are slices of them, not copies.
    ///
    /// # Errors
    /// [`CodecError`] if the bytes are not an entry.
    pub fn decode(bytes: &Bytes) -> Result<Entry, CodecError> {
        EncodedEntry::new(bytes.clone())?.decode()
    }

    /// Checks every limit, so that the casts in `encode` cannot cut anything off.
    fn section_bytes(&self) -> Result<[u32; 3], CodecError> {
        let mut sections = [0usize; 3];
        for change in &self.changes {
            let (kind, id, rest) = match change {
                Change::Put { kind, id, body, .. } => {
                    length(body.len(), "body of a document", MAX_BODY_BYTES)?;
                    (kind, id, 8 + 4 + body.len())
                }
                Change::Delete { kind, id } => (kind, id, 0),
            };
            length(kind.len(), "kind of a document", MAX_KIND_BYTES)?;
            length(id.len(), "id of a document", MAX_ID_BYTES)?;
            sections[0] += 1 + 1 + kind.len() + 2 + id.len() + rest;
        }
        for fact in &self.facts {
            length(fact.view.len(), "name of a view", MAX_KIND_BYTES)?;
            length(fact.body.len(), "body of a fact", MAX_BODY_BYTES)?;
            sections[1] += 1 + fact.view.len() + 4 + fact.body.len();
        }
        for owned in &self.events {
            sections[2] += OWNER_BYTES + 4 + owned.event.raw().len();
        }
        // Each record is at most 1 MiB (`Event::MAX_BYTES`), so only a section's sum can pass 32 bits.
        let mut checked = [0u32; 3];
        for (checked, bytes) in checked.iter_mut().zip(sections) {
            *checked = length(bytes, "entry", u32::MAX as usize)?;
        }
        Ok(checked)
    }
}

fn length(len: usize, part: &'static str, limit: usize) -> Result<u32, CodecError> {
    match u32::try_from(len) {
        Ok(fits) if len <= limit => Ok(fits),
        _ => Err(CodecError::TooLong { part, len, limit }),
    }
}

fn put_body(out: &mut BytesMut, body: &[u8]) {
    out.put_u32_le(body.len() as u32);
    out.put_slice(body);
}

fn put_change(out: &mut BytesMut, change: &Change) {
    let (tag, kind, id) = match change {
        Change::Put { kind, id, .. } => (PUT, kind, id),
        Change::Delete { kind, id } => (DELETE, kind, id),
    };
    out.put_u8(tag);
    out.put_u8(kind.len() as u8);
    out.put_slice(kind.as_bytes());
    out.put_u16_le(id.len() as u16);
    out.put_slice(id.as_bytes());
    if let Change::Put { revision, body, .. } = change {
        out.put_u64_le(*revision);
        put_body(out, body);
    }
}

/// An entry whose header was read and whose sections lie within the bytes; its parts are decoded when asked for.
#[derive(Debug, Clone)]
pub struct EncodedEntry {
    at: DateTime<Utc>,
    counts: [u32; 3],
    sections: [Bytes; 3],
}

impl EncodedEntry {
    /// Reads the header.
    ///
    /// # Errors
    /// [`CodecError`] if the bytes do not start with a header whose sections fill exactly the rest.
    pub fn new(bytes: Bytes) -> Result<Self, CodecError> {
        let mut input = Input(bytes);
        let version = input.u8()?;
        if version != VERSION {
            return Err(CodecError::Version { version });
        }
        let (seconds, nanos) = (input.u64()? as i64, input.u32()?);
        let at = DateTime::from_timestamp(seconds, nanos).ok_or(CodecError::Time)?;
        let mut counts = [0u32; 3];
        let mut lengths = [0u32; 3];
        for (count, length) in counts.iter_mut().zip(&mut lengths) {
            *count = input.u32()?;
            *length = input.u32()?;
        }
        let mut sections = [const { Bytes::new() }; 3];
        for ((section, length), (count, smallest)) in
            sections.iter_mut().zip(lengths).zip(counts.into_iter().zip(SMALLEST))
        {
            *section = input.bytes(length as usize)?;
            if count as usize > section.len() / smallest {
                return Err(CodecError::Truncated);
            }
        }
        input.finish()?;
        Ok(Self { at, counts, sections })
    }

    /// When the entry was handed to the journal.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// How many records it holds.
    pub fn event_count(&self) -> usize {
        self.counts[2] as usize
    }

    /// The changes of documents.
    ///
    /// # Errors
    /// [`CodecError`] if their section is not well-formed.
    pub fn changes(&self) -> Result<Vec<Change>, CodecError> {
        self.parts(0, Input::change)
    }

    /// The facts of other views.
    ///
    /// # Errors
    /// [`CodecError`] if their section is not well-formed.
    pub fn facts(&self) -> Result<Vec<Fact>, CodecError> {
        self.parts(1, |input| {
            let view = input.u8()? as usize;
            Ok(Fact { view: Cow::Owned(input.text(view)?), body: input.body(MAX_BODY_BYTES)? })
        })
    }

    /// The records, parsed.
    ///
    /// # Errors
    /// [`CodecError`] if their section is not well-formed or one of them is not a record.
    pub fn events(&self) -> Result<Vec<OwnedEvent>, CodecError> {
        let mut index = 0;
        self.parts(2, |input| {
            let owner =
                input.text(OWNER_BYTES)?.parse::<AccountId>().map_err(|_| CodecError::Owner { index })?;
            let event = Event::parse(input.body(Event::MAX_BYTES)?)
                .map_err(|cause| CodecError::Record { index, cause: Box::new(cause) })?;
            index += 1;
            Ok(OwnedEvent { owner, event })
        })
    }

    /// All of it.
    ///
    /// # Errors
    /// [`CodecError`] if a section is not well-formed.
    pub fn decode(&self) -> Result<Entry, CodecError> {
        Ok(Entry { at: self.at, changes: self.changes()?, facts: self.facts()?, events: self.events()? })
    }

    fn parts<T>(
        &self,
        section: usize,
        mut part: impl FnMut(&mut Input) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let mut input = Input(self.sections[section].clone());
        let count = self.counts[section] as usize;
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            parts.push(part(&mut input)?);
        }
        input.finish()?;
        Ok(parts)
    }
}

/// Reads from the front of some bytes; every read checks that they are there.
pub(crate) struct Input(pub(crate) Bytes);

impl Input {
    pub(crate) fn bytes(&mut self, len: usize) -> Result<Bytes, CodecError> {
        if len > self.0.len() { Err(CodecError::Truncated) } else { Ok(self.0.split_to(len)) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let array = self.0.first_chunk::<N>().copied().ok_or(CodecError::Truncated)?;
        self.0 = self.0.slice(N..);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn text(&mut self, len: usize) -> Result<String, CodecError> {
        let bytes = self.bytes(len)?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| CodecError::NotText)
    }

    pub(crate) fn body(&mut self, limit: usize) -> Result<Bytes, CodecError> {
        let len = self.u32()? as usize;
        if len > limit {
            return Err(CodecError::TooLong { part: "body", len, limit });
        }
        self.bytes(len)
    }

    fn change(&mut self) -> Result<Change, CodecError> {
        let tag = self.u8()?;
        let kind = self.u8()? as usize;
        let kind = self.text(kind)?;
        let id = self.u16()? as usize;
        let id = self.text(id)?;
        match tag {
            PUT => Ok(Change::Put { kind, id, revision: self.u64()?, body: self.body(MAX_BODY_BYTES)? }),
            DELETE => Ok(Change::Delete { kind, id }),
            tag => Err(CodecError::Tag { tag }),
        }
    }

    pub(crate) fn finish(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Trailing { bytes: self.0.len() }) }
    }
}
