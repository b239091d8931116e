//! Structs that grow, and the whole row, which is one.

use arrow_array::StructArray;
use arrow_buffer::NullBufferBuilder;
use arrow_schema::{ArrowError, DataType, Fields};
use opentrail_event::{JsonError, JsonKind, JsonScanner};

use super::node::Node;
use crate::schema::field::{Field, Kind};

/// A struct for each object. Members that the schema doesn't have are stepped over; anything but an object
/// is null.
pub(super) struct Group {
    names: Names,
    children: Vec<Node>,
    valid: NullBufferBuilder,
}

impl Group {
    pub(super) fn new(fields: &'static [Field]) -> Self {
        Self {
            names: Names::of(fields),
            children: fields.iter().map(Node::new).collect(),
            valid: NullBufferBuilder::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    pub(super) fn has(&self, row: usize) -> bool {
        row < self.len() && self.valid.is_valid(row)
    }

    pub(super) fn child(&mut self, at: usize) -> Option<&mut Node> {
        self.children.get_mut(at)
    }

    pub(super) fn reach(&mut self, rows: usize) {
        self.valid.append_n_nulls(rows.saturating_sub(self.len()));
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.children.iter_mut().for_each(|child| child.truncate(rows));
        self.valid.truncate(rows);
    }

    pub(super) fn read(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), JsonError> {
        if scanner.kind()? != JsonKind::Object {
            self.valid.append_null();
            return scanner.skip_value();
        }
        let row = self.len();
        let Self { names, children, .. } = self;
        let mut last = names.start();
        scanner.object(|scanner, key| {
            let found = if key.escaped {
                names.find(&mut last, &key.bytes(scanner.text()))
            } else {
                names.find(&mut last, scanner.text().get(key.start..key.end).unwrap_or_default())
            };
            match found.and_then(|at| children.get_mut(at)) {
                Some(child) => child.read(row, scanner),
                None => scanner.skip_value(),
            }
        })?;
        self.valid.append_non_null();
        Ok(())
    }

    pub(super) fn finish(&mut self, rows: usize, kind: &DataType) -> Result<StructArray, ArrowError> {
        let DataType::Struct(fields) = kind else {
            return Err(ArrowError::SchemaError(format!("{kind} is no struct")));
        };
        self.finish_fields(rows, fields)
    }

    pub(super) fn finish_fields(&mut self, rows: usize, fields: &Fields) -> Result<StructArray, ArrowError> {
        self.reach(rows);
        let arrays = self
            .children
            .iter_mut()
            .zip(fields)
            .map(|(child, field)| child.finish(rows, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        StructArray::try_new(fields.clone(), arrays, self.valid.finish())
    }
}

/// Which child a member's name means.
///
/// Records of one kind have their members in one order, so what came after a member the last time is tried
/// first, which nearly always is right and takes one comparison.
struct Names {
    /// Names and the places of their children.
    names: Vec<(&'static str, usize)>,
    /// For each name, and at the end for the beginning of an object, the name that came next.
    next: Vec<usize>,
}

impl Names {
    fn of(fields: &'static [Field]) -> Self {
        let mut names = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            // The record itself is no member of the record, and neither is what stands for it.
            if matches!(field.kind, Kind::Record | Kind::Stored) {
                continue;
            }
            names.push((field.name, at));
            names.extend(field.also.map(|name| (name, at)));
        }
        let next = vec![0; names.len() + 1];
        Self { names, next }
    }

    fn start(&self) -> usize {
        self.names.len()
    }

    /// `last` is the name before, and becomes this one.
    fn find(&mut self, last: &mut usize, key: &[u8]) -> Option<usize> {
        let guess = self.next.get_mut(*last)?;
        if let Some((name, child)) = self.names.get(*guess)
            && name.as_bytes() == key
        {
            *last = *guess;
            return Some(*child);
        }
        let found = self.names.iter().position(|(name, _)| name.as_bytes() == key)?;
        *guess = found;
        *last = found;
        self.names.get(found).map(|(_, child)| *child)
    }
}
