//! Records on their way into an array.

use std::sync::Arc;

use arrow_array::{
    ArrayRef,
    builder::{StringBuilder, StringViewBuilder},
};
use arrow_schema::ArrowError;

use super::source::Texts;

/// The most bytes of a block of records. Allocations of 8 MiB, which the records of a batch would be together, are given
/// back to the system at once by jemalloc, and to take them again page by page took as long as to make the records.
const MAX_BLOCK: usize = 1 << 20;
/// What a record has, about.
const RECORD_BYTES: usize = 1536;

pub(super) enum Records {
    Plain(StringBuilder),
    Views(StringViewBuilder),
}

impl Records {
    /// An array of the same type as `texts`, for so many records.
    pub(super) fn like(texts: Texts<'_>, rows: usize) -> Self {
        let bytes = rows.saturating_mul(RECORD_BYTES);
        match texts {
            Texts::Plain(_) => Self::Plain(StringBuilder::with_capacity(rows, bytes)),
            Texts::Views(_) => {
                // It is at most what fits.
                let block = bytes.clamp(RECORD_BYTES, MAX_BLOCK) as u32;
                Self::Views(StringViewBuilder::with_capacity(rows).with_fixed_block_size(block))
            }
        }
    }

    /// # Errors
    /// The records are 2 GiB together, or one of them is 4.
    #[inline]
    pub(super) fn push(&mut self, record: &str) -> Result<(), ArrowError> {
        match self {
            Self::Plain(records) => {
                let bytes = records.values_slice().len() + record.len();
                i32::try_from(bytes).map_err(|_| ArrowError::OffsetOverflowError(bytes))?;
                records.append_value(record);
                Ok(())
            }
            Self::Views(records) => records.try_append_value(record),
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Plain(mut records) => Arc::new(records.finish()),
            Self::Views(mut records) => Arc::new(records.finish()),
        }
    }
}
