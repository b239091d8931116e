//! Where a row's values are: its columns, by the schema's table of fields.

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, ListArray, MapArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray,
    cast::AsArray,
    types::{Float64Type, Int32Type, TimestampMicrosecondType},
};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use super::Misfit;
use crate::schema::{
    Shape,
    field::{Field, Kind},
};

/// A column, or a member of one.
pub(super) enum Source<'a> {
    Texts(Texts<'a>),
    Flags(&'a BooleanArray),
    Times(&'a TimestampMicrosecondArray),
    Integers(&'a Int32Array),
    Doubles(&'a Float64Array),
    Maps {
        maps: &'a MapArray,
        keys: Texts<'a>,
        values: Texts<'a>,
    },
    Group(Members<'a>),
    Lists {
        lists: &'a ListArray,
        items: Members<'a>,
    },
    /// A column that is no member of the record, or one that these rows lack.
    None,
}

/// The members of an object: those of a struct's column, or of the row.
pub(super) struct Members<'a> {
    nulls: Option<&'a NullBuffer>,
    members: Vec<Member<'a>>,
}

pub(super) struct Member<'a> {
    name: &'static str,
    also: Option<&'static str>,
    pub(super) source: Source<'a>,
}

/// A column of texts, as files have it or as queries do.
#[derive(Clone, Copy)]
pub(super) enum Texts<'a> {
    Plain(&'a StringArray),
    Views(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    pub(super) fn of(array: &'a ArrayRef) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => array.as_string_opt().map(Self::Plain),
            DataType::Utf8View => array.as_string_view_opt().map(Self::Views),
            _ => None,
        }
    }

    /// The text at `row`, which is below the number of rows; `None` for null.
    #[inline]
    pub(super) fn at(self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(texts) => (row < texts.len() && texts.is_valid(row)).then(|| texts.value(row)),
            Self::Views(texts) => (row < texts.len() && texts.is_valid(row)).then(|| texts.value(row)),
        }
    }

    #[inline]
    pub(super) fn get(self, row: usize) -> Result<&'a str, Misfit> {
        self.at(row).ok_or(Misfit)
    }
}

impl<'a> Members<'a> {
    /// The rows of a batch; columns are found by their names.
    pub(super) fn of_rows(shape: Shape, batch: &'a RecordBatch) -> Self {
        let column = |field: &Field| batch.column_by_name(field.name);
        Self {
            nulls: None,
            members: shape.fields().iter().map(|field| member(field, column(field))).collect(),
        }
    }

    fn of_structs(fields: &'static [Field], array: &'a ArrayRef) -> Option<Self> {
        let structs = array.as_struct_opt()?;
        let members = fields.iter().map(|field| member(field, structs.column_by_name(field.name))).collect();
        Some(Self { nulls: structs.nulls(), members })
    }

    /// Which of the objects there are; none if all.
    pub(super) fn nulls(&self) -> Option<&'a NullBuffer> {
        self.nulls
    }

    pub(super) fn get(&self, at: usize) -> Option<&Member<'a>> {
        self.members.get(at)
    }

    /// The member that a key names, and whether by its other name. That after `guess` is tried first.
    pub(super) fn find(&self, guess: usize, key: &[u8]) -> Option<(usize, bool)> {
        let is_named =
            |member: &Member<'_>| member.name.as_bytes() == key && !matches!(member.source, Source::None);
        if self.members.get(guess).is_some_and(is_named) {
            return Some((guess, false));
        }
        if let Some(at) = self.members.iter().position(is_named) {
            return Some((at, false));
        }
        let also = |member: &Member<'_>| member.also.is_some_and(|name| name.as_bytes() == key);
        self.members.iter().position(also).map(|at| (at, true))
    }
}

impl Member<'_> {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The other name.
    pub(super) fn also(&self) -> Option<&'static str> {
        self.also
    }
}

fn member<'a>(field: &Field, array: Option<&'a ArrayRef>) -> Member<'a> {
    let source = array.and_then(|array| source(field, array)).unwrap_or(Source::None);
    Member { name: field.name, also: field.also, source }
}

fn source<'a>(field: &Field, array: &'a ArrayRef) -> Option<Source<'a>> {
    Some(match field.kind {
        Kind::Record | Kind::Stored => Source::None,
        Kind::Text => Source::Texts(Texts::of(array)?),
        Kind::Flag => Source::Flags(array.as_boolean_opt()?),
        Kind::Time => Source::Times(array.as_primitive_opt::<TimestampMicrosecondType>()?),
        Kind::Integer => Source::Integers(array.as_primitive_opt::<Int32Type>()?),
        Kind::Double => Source::Doubles(array.as_primitive_opt::<Float64Type>()?),
        Kind::Map { .. } => {
            let maps = array.as_map_opt()?;
            Source::Maps { maps, keys: Texts::of(maps.keys())?, values: Texts::of(maps.values())? }
        }
        Kind::Group(fields) => Source::Group(Members::of_structs(fields, array)?),
        Kind::List { fields, .. } => {
            let lists = array.as_list_opt::<i32>()?;
            Source::Lists { lists, items: Members::of_structs(fields, lists.values())? }
        }
    })
}

/// The entries of a map, or elements of a list, at `row`: where they are in what all rows have.
pub(super) fn span(offsets: &[i32], row: usize) -> Result<std::ops::Range<usize>, Misfit> {
    let offset = |at: usize| offsets.get(at).and_then(|offset| usize::try_from(*offset).ok()).ok_or(Misfit);
    Ok(offset(row)?..offset(row + 1)?)
}
