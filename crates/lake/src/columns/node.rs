//! One column, or one member of a column, that grows.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, PrimitiveArray,
    types::{ArrowPrimitiveType, Float64Type, Int32Type, TimestampMicrosecondType},
};
use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};
use opentrail_event::{JsonError, JsonKind, JsonScanner};

use super::{
    group::Group,
    nested::{Lists, Maps},
    texts::Texts,
    time::micros,
};
use crate::schema::field::{Field, Kind};

/// Builders by the column's kind. A column may be behind the rows of what it is in: what it lacks is null,
/// and is filled up when it gets its next value. So columns that nearly no record has cost nothing.
pub(super) enum Node {
    Texts(Texts),
    Flags(Flags),
    Times(Numbers<TimestampMicrosecondType>),
    Integers(Numbers<Int32Type>),
    Doubles(Numbers<Float64Type>),
    Maps(Maps),
    Group(Group),
    Lists(Lists),
}

/// The same call for whatever is in the node.
macro_rules! each {
    ($node:expr, $inner:ident => $call:expr) => {
        match $node {
            Node::Texts($inner) => $call,
            Node::Flags($inner) => $call,
            Node::Times($inner) => $call,
            Node::Integers($inner) => $call,
            Node::Doubles($inner) => $call,
            Node::Maps($inner) => $call,
            Node::Group($inner) => $call,
            Node::Lists($inner) => $call,
        }
    };
}

impl Node {
    pub(super) fn new(field: &Field) -> Self {
        match field.kind {
            Kind::Text | Kind::Record | Kind::Stored => Self::Texts(Texts::new()),
            Kind::Flag => Self::Flags(Flags::new()),
            Kind::Time => Self::Times(Numbers::new(micros)),
            Kind::Integer => Self::Integers(Numbers::new(parse)),
            Kind::Double => {
                Self::Doubles(Numbers::new(|text| parse(text).filter(|number: &f64| number.is_finite())))
            }
            Kind::Map { .. } => Self::Maps(Maps::new()),
            Kind::Group(fields) => Self::Group(Group::new(fields)),
            Kind::List { fields, .. } => Self::Lists(Lists::new(fields)),
        }
    }

    /// Reads the value here as that of `row`; an earlier value of this row is forgotten.
    pub(super) fn read(&mut self, row: usize, scanner: &mut JsonScanner<'_>) -> Result<(), JsonError> {
        each!(self, inner => {
            if inner.len() > row {
                inner.truncate(row);
            }
            inner.reach(row);
            inner.read(scanner)
        })
    }

    /// Forgets all rows from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        each!(self, inner => inner.truncate(rows));
    }

    /// Whether there is a value at `row` that is not null.
    pub(super) fn has(&self, row: usize) -> bool {
        each!(self, inner => inner.has(row))
    }

    /// The column with `rows` rows; this is empty again.
    pub(super) fn finish(&mut self, rows: usize, kind: &DataType) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Texts(texts) => texts.finish(rows),
            Self::Flags(flags) => flags.finish(rows),
            Self::Times(times) => times.finish(rows),
            Self::Integers(integers) => integers.finish(rows),
            Self::Doubles(doubles) => doubles.finish(rows),
            Self::Maps(maps) => maps.finish(rows, kind),
            Self::Group(group) => Ok(Arc::new(group.finish(rows, kind)?)),
            Self::Lists(lists) => lists.finish(rows, kind),
        }
    }
}

/// Booleans; also the texts `true` and `false`, which some services write in their place. Anything else is
/// null.
pub(super) struct Flags {
    values: BooleanBufferBuilder,
    valid: NullBufferBuilder,
}

impl Flags {
    fn new() -> Self {
        Self { values: BooleanBufferBuilder::new(0), valid: NullBufferBuilder::new(0) }
    }

    fn len(&self) -> usize {
        self.valid.len()
    }

    fn has(&self, row: usize) -> bool {
        row < self.valid.len() && self.valid.is_valid(row)
    }

    fn reach(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.valid.len());
        self.values.append_n(missing, false);
        self.valid.append_n_nulls(missing);
    }

    fn truncate(&mut self, rows: usize) {
        if rows < self.valid.len() {
            self.values.truncate(rows);
            self.valid.truncate(rows);
        }
    }

    fn read(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), JsonError> {
        let value = match scanner.kind()? {
            JsonKind::Bool => Some(scanner.boolean()?),
            JsonKind::String => match scanner.string()?.bytes(scanner.text()).as_ref() {
                b"true" => Some(true),
                b"false" => Some(false),
                _ => None,
            },
            _ => {
                scanner.skip_value()?;
                None
            }
        };
        self.values.append(value.unwrap_or_default());
        self.valid.append(value.is_some());
        Ok(())
    }

    fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.reach(rows);
        Ok(Arc::new(BooleanArray::new(self.values.finish(), self.valid.finish())))
    }
}

/// Numbers and times, of a JSON number or the text of one; null if it is no such number.
pub(super) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: NullBufferBuilder,
    parse: fn(&[u8]) -> Option<T::Native>,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn new(parse: fn(&[u8]) -> Option<T::Native>) -> Self {
        Self { values: Vec::new(), valid: NullBufferBuilder::new(0), parse }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn has(&self, row: usize) -> bool {
        row < self.values.len() && self.valid.is_valid(row)
    }

    /// The value at `row`, if it is not null.
    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        self.values.get(row).copied().filter(|_| self.has(row))
    }

    pub(super) fn reach(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.values.len());
        self.values.resize(self.values.len() + missing, T::Native::default());
        self.valid.append_n_nulls(missing);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        if rows < self.values.len() {
            self.values.truncate(rows);
            self.valid.truncate(rows);
        }
    }

    pub(super) fn push(&mut self, value: Option<T::Native>) {
        self.values.push(value.unwrap_or_default());
        self.valid.append(value.is_some());
    }

    fn read(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), JsonError> {
        let value = match scanner.kind()? {
            JsonKind::String => {
                let string = scanner.string()?;
                (self.parse)(&string.bytes(scanner.text()))
            }
            JsonKind::Number => {
                let start = scanner.at();
                scanner.skip_value()?;
                (self.parse)(scanner.text().get(start..scanner.at()).unwrap_or_default())
            }
            _ => {
                scanner.skip_value()?;
                None
            }
        };
        self.push(value);
        Ok(())
    }

    fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.reach(rows);
        let values = ScalarBuffer::from(std::mem::take(&mut self.values));
        Ok(Arc::new(PrimitiveArray::<T>::try_new(values, self.valid.finish())?))
    }
}

fn parse<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
