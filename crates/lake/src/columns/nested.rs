//! Maps and lists that grow.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};
use opentrail_event::{JsonError, JsonKind, JsonScanner};

use super::{
    group::Group,
    texts::{Texts, offset},
};
use crate::schema::field::Field;

/// The number of entries up to which keys are compared with each other one by one.
const FEW: usize = 24;

/// A map for each object: its members by name, their values as [`Texts::read`] reads them. Anything but an
/// object is null. Of members with one name the last counts.
pub(super) struct Maps {
    ends: Vec<i32>,
    keys: Texts,
    values: Texts,
    valid: NullBufferBuilder,
}

impl Maps {
    pub(super) fn new() -> Self {
        Self { ends: vec![0], keys: Texts::new(), values: Texts::new(), valid: NullBufferBuilder::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    pub(super) fn has(&self, row: usize) -> bool {
        row < self.valid.len() && self.valid.is_valid(row)
    }

    pub(super) fn reach(&mut self, rows: usize) {
        reach(rows, &mut self.ends, &mut self.valid);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        let entries = truncate(rows, &mut self.ends, &mut self.valid);
        self.keys.truncate(entries);
        self.values.truncate(entries);
    }

    pub(super) fn read(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), JsonError> {
        if scanner.kind()? != JsonKind::Object {
            self.ends.push(offset(self.keys.len()));
            self.valid.append_null();
            return scanner.skip_value();
        }
        let start = self.keys.len();
        let Self { keys, values, .. } = self;
        scanner.object(|scanner, key| {
            if key.escaped {
                keys.push(&key.bytes(scanner.text()));
            } else {
                keys.push(scanner.text().get(key.start..key.end).unwrap_or_default());
            }
            values.read(scanner)
        })?;
        if self.repeats(start) {
            self.keep_last(start);
        }
        self.ends.push(offset(self.keys.len()));
        self.valid.append_non_null();
        Ok(())
    }

    /// Whether a key stands twice from the entry `start` on.
    fn repeats(&self, start: usize) -> bool {
        let entries = start..self.keys.len();
        if entries.len() <= FEW {
            return entries
                .clone()
                .any(|one| (start..one).any(|other| self.keys.get(one) == self.keys.get(other)));
        }
        let mut seen = std::collections::HashSet::with_capacity(entries.len());
        entries.into_iter().any(|entry| !seen.insert(self.keys.get(entry)))
    }

    fn keep_last(&mut self, start: usize) {
        let owned = |text: Option<&[u8]>| text.map(<[u8]>::to_vec);
        let mut places: HashMap<Option<Vec<u8>>, usize> = HashMap::new();
        let mut kept: Vec<[Option<Vec<u8>>; 2]> = Vec::new();
        for entry in start..self.keys.len() {
            let (key, value) = (owned(self.keys.get(entry)), owned(self.values.get(entry)));
            match places.get(&key).and_then(|at| kept.get_mut(*at)) {
                Some([_, there]) => *there = value,
                None => {
                    places.insert(key.clone(), kept.len());
                    kept.push([key, value]);
                }
            }
        }
        self.keys.truncate(start);
        self.values.truncate(start);
        for [key, value] in kept {
            self.keys.push(&key.unwrap_or_default());
            match value {
                Some(value) => self.values.push(&value),
                None => self.values.push_null(),
            }
        }
    }

    pub(super) fn finish(&mut self, rows: usize, kind: &DataType) -> Result<ArrayRef, ArrowError> {
        self.reach(rows);
        let DataType::Map(entries, sorted) = kind else {
            return Err(ArrowError::SchemaError(format!("{kind} is no map")));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(ArrowError::SchemaError(format!("{kind} has no entries")));
        };
        let count = self.keys.len();
        let arrays = vec![self.keys.finish(count)?, self.values.finish(count)?];
        let structs = StructArray::try_new(fields.clone(), arrays, None)?;
        let ends = ends(&mut self.ends);
        Ok(Arc::new(MapArray::try_new(entries.clone(), ends, structs, self.valid.finish(), *sorted)?))
    }
}

/// A list of structs for each array; one object in an array's place is a list of it. Anything else is null.
pub(super) struct Lists {
    ends: Vec<i32>,
    items: Group,
    valid: NullBufferBuilder,
}

impl Lists {
    pub(super) fn new(fields: &'static [Field]) -> Self {
        Self { ends: vec![0], items: Group::new(fields), valid: NullBufferBuilder::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    pub(super) fn has(&self, row: usize) -> bool {
        row < self.valid.len() && self.valid.is_valid(row)
    }

    pub(super) fn reach(&mut self, rows: usize) {
        reach(rows, &mut self.ends, &mut self.valid);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        let items = truncate(rows, &mut self.ends, &mut self.valid);
        self.items.truncate(items);
    }

    pub(super) fn read(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), JsonError> {
        let items = &mut self.items;
        let found = match scanner.kind()? {
            JsonKind::Array => {
                scanner.array(|scanner| items.read(scanner))?;
                true
            }
            JsonKind::Object => {
                items.read(scanner)?;
                true
            }
            _ => {
                scanner.skip_value()?;
                false
            }
        };
        self.ends.push(offset(self.items.len()));
        self.valid.append(found);
        Ok(())
    }

    pub(super) fn finish(&mut self, rows: usize, kind: &DataType) -> Result<ArrayRef, ArrowError> {
        self.reach(rows);
        let DataType::List(item) = kind else {
            return Err(ArrowError::SchemaError(format!("{kind} is no list")));
        };
        let items = self.items.finish(self.items.len(), item.data_type())?;
        let ends = ends(&mut self.ends);
        Ok(Arc::new(ListArray::try_new(item.clone(), ends, Arc::new(items), self.valid.finish())?))
    }
}

fn reach(rows: usize, ends: &mut Vec<i32>, valid: &mut NullBufferBuilder) {
    let missing = rows.saturating_sub(valid.len());
    if missing > 0 {
        let end = ends.last().copied().unwrap_or_default();
        ends.resize(ends.len() + missing, end);
        valid.append_n_nulls(missing);
    }
}

/// How many entries are left.
fn truncate(rows: usize, ends: &mut Vec<i32>, valid: &mut NullBufferBuilder) -> usize {
    if rows < valid.len() {
        ends.truncate(rows + 1);
        valid.truncate(rows);
    }
    ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or_default()
}

fn ends(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])))
}
