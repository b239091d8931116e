//! `count(DISTINCT …)` of texts that come as dictionaries: the numbers of each group's texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use datafusion::common::{HashSet, Result};

use super::column::{Codes, NULL};
use datafusion::common::exec_datafusion_err;

/// What a pair takes in a table of pairs, in bytes.
const PAIR: usize = 16;

#[derive(Debug)]
pub(super) struct Distinct {
    codes: Codes,
    /// A group's number above, a text's below.
    seen: HashSet<u64>,
    /// For each text the group that it was last seen in, and one more: mostly that of the next row that has it.
    last: Vec<u32>,
    of_rows: Vec<u32>,
}

impl Distinct {
    pub(super) fn new(kind: &DataType) -> Self {
        Distinct { codes: Codes::of(kind), seen: HashSet::new(), last: Vec::new(), of_rows: Vec::new() }
    }

    /// Notes the texts of a batch, of rows for which the filter holds.
    pub(super) fn update(
        &mut self,
        texts: &ArrayRef,
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.codes.number(texts, &mut self.of_rows)?;
        for (row, (code, group)) in self.of_rows.iter().zip(groups).enumerate() {
            let holds = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if *code == NULL || !holds {
                continue;
            }
            let (place, mark) = (*code as usize, *group as u32 + 1);
            if place >= self.last.len() {
                self.last.resize(place + 1, 0);
            }
            if let Some(last) = self.last.get_mut(place)
                && *last != mark
            {
                *last = mark;
                self.seen.insert((*group as u64) << 32 | u64::from(*code));
            }
        }
        Ok(())
    }

    /// The texts of each of so many groups, as lists of the type that the final count takes.
    pub(super) fn state(&self, groups: usize, kind: &DataType) -> Result<ArrayRef> {
        let DataType::List(item) = kind else {
            return Err(exec_datafusion_err!("a count of distinct texts keeps lists"));
        };
        let mut seen: Vec<u64> = self.seen.iter().copied().collect();
        seen.sort_unstable();
        let mut lengths = vec![0_usize; groups];
        for pair in &seen {
            if let Some(length) = lengths.get_mut((pair >> 32) as usize) {
                *length += 1;
            }
        }
        let texts = self.codes.values(seen.iter().map(|pair| *pair as u32), item.data_type())?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, texts, None)?))
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        let numbers = self.last.capacity() + self.of_rows.capacity();
        self.codes.size() + self.seen.capacity() * PAIR + numbers * size_of::<u32>()
    }
}
