//! A column of texts that grows.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use opentrail_event::{JsonError, JsonKind, JsonScanner};

/// Texts, as bytes until they become an array, which checks all of them at once.
pub(super) struct Texts {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    valid: NullBufferBuilder,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { offsets: vec![0], bytes: Vec::new(), valid: NullBufferBuilder::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether the text at `row` is there and not null.
    pub(super) fn has(&self, row: usize) -> bool {
        row < self.len() && self.valid.is_valid(row)
    }

    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        if !self.has(row) {
            return None;
        }
        let (start, end) = (*self.offsets.get(row)?, *self.offsets.get(row + 1)?);
        self.bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    /// Fills up with nulls until there are `rows`.
    pub(super) fn reach(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.len());
        if missing > 0 {
            self.offsets.resize(self.offsets.len() + missing, end_of(&self.bytes));
            self.valid.append_n_nulls(missing);
        }
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        if rows < self.len() {
            self.offsets.truncate(rows + 1);
            self.bytes.truncate(self.offsets.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or(0));
            self.valid.truncate(rows);
        }
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.offsets.push(end_of(&self.bytes));
        self.valid.append_non_null();
    }

    pub(super) fn push_null(&mut self) {
        self.offsets.push(end_of(&self.bytes));
        self.valid.append_null();
    }

    /// The value here as text: the characters of a string, null for null, and the JSON text of anything else
    /// as it stands in the record.
    pub(super) fn read(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), JsonError> {
        match scanner.kind()? {
            JsonKind::String => {
                let string = scanner.string()?;
                self.push(&string.bytes(scanner.text()));
            }
            JsonKind::Null => {
                scanner.skip_value()?;
                self.push_null();
            }
            _ => {
                let start = scanner.at();
                scanner.skip_value()?;
                self.push(scanner.text().get(start..scanner.at()).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// `rows` texts; this is empty again.
    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.reach(rows);
        let mut bytes = std::mem::take(&mut self.bytes);
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let valid = self.valid.finish();
        if bytes.len() > i32::MAX as usize {
            return Err(ArrowError::OffsetOverflowError(bytes.len()));
        }
        // As much will come again, most likely; and a batch may be held for long.
        self.bytes.reserve(bytes.len());
        self.offsets.reserve(rows);
        bytes.shrink_to_fit();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), valid)?))
    }
}

/// The end of the bytes as an offset; past what an offset can say, [`Texts::finish`] refuses.
pub(super) fn end_of<T>(items: &[T]) -> i32 {
    offset(items.len())
}

pub(super) fn offset(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
