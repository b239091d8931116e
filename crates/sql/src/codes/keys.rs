//! The groups of rows by the numbers of their keys.
//!
//! Rows that stand beside each other mostly have the same keys, as files are sorted, so that a row is first compared with
//! the one before.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{HashMap, Result};

use super::column::Codes;

/// What a pair takes in a table of pairs, in bytes.
const PAIR: usize = 32;

/// The groups that there are, numbered from 0 on.
#[derive(Debug)]
pub(super) struct Keys {
    columns: Vec<Column>,
    groups: usize,
}

#[derive(Debug)]
struct Column {
    codes: Codes,
    /// The numbers of what the columns before make and of this one's values, and which number both make.
    pairs: HashMap<u64, u32>,
    /// The numbers of the values of each group.
    of_groups: Vec<u32>,
    /// The numbers of the values of the batch.
    of_rows: Vec<u32>,
}

impl Keys {
    pub(super) fn new(kinds: &[DataType]) -> Self {
        let column = |kind: &DataType| Column {
            codes: Codes::of(kind),
            pairs: HashMap::new(),
            of_groups: Vec::new(),
            of_rows: Vec::new(),
        };
        Keys { columns: kinds.iter().map(column).collect(), groups: 0 }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.groups
    }

    /// The groups of a batch's rows, which replace what is in `out`.
    pub(super) fn group(&mut self, keys: &[ArrayRef], rows: usize, out: &mut Vec<usize>) -> Result<()> {
        out.clear();
        out.resize(rows, 0);
        for (column, values) in self.columns.iter_mut().zip(keys) {
            column.codes.number(values, &mut column.of_rows)?;
            let mut last = None;
            for (group, code) in out.iter_mut().zip(&column.of_rows) {
                let pair = (*group as u64) << 32 | u64::from(*code);
                let made = match last {
                    Some((known, made)) if known == pair => made,
                    _ => {
                        let next = column.pairs.len() as u32;
                        *column.pairs.entry(pair).or_insert(next)
                    }
                };
                last = Some((pair, made));
                *group = made as usize;
            }
        }
        // Groups are numbered as they come, so that a new one has the number that is next.
        for (row, group) in out.iter().enumerate() {
            if *group >= self.groups {
                self.groups = *group + 1;
                for column in &mut self.columns {
                    column.of_groups.extend(column.of_rows.get(row));
                }
            }
        }
        Ok(())
    }

    /// The keys of all groups, of the types of the first fields of `schema`.
    pub(super) fn values(&self, schema: &SchemaRef) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.iter().zip(schema.fields());
        columns
            .map(|(column, field)| column.codes.values(column.of_groups.iter().copied(), field.data_type()))
            .collect()
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        let of = |column: &Column| {
            let numbers = column.of_groups.capacity() + column.of_rows.capacity();
            column.codes.size() + column.pairs.capacity() * PAIR + numbers * size_of::<u32>()
        };
        self.columns.iter().map(of).sum()
    }
}
