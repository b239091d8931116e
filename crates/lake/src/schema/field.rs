//! How a column is described.

use std::sync::Arc;

use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, StructType, Type};

/// A column or a member of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Iceberg's field id: what a reader finds the column by, in files of any version. Never given twice and
    /// never changed.
    pub(crate) id: i32,
    /// The name, which is also that of the record's member.
    pub(crate) name: &'static str,
    /// Another name of the record's member.
    pub(crate) also: Option<&'static str>,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// The record itself.
    Record,
    /// A text that stands for the record in a file; see [`crate::record`].
    Stored,
    Flag,
    /// Microseconds in UTC; no zone is said.
    Time,
    Integer,
    Double,
    /// Texts by text; the ids of both.
    Map {
        key: i32,
        value: i32,
    },
    Group(&'static [Field]),
    /// A list of structs; the id of an element.
    List {
        element: i32,
        fields: &'static [Field],
    },
}

const fn field(id: i32, name: &'static str, kind: Kind) -> Field {
    Field { id, name, also: None, kind, required: false }
}

pub(super) const fn text(id: i32, name: &'static str) -> Field {
    field(id, name, Kind::Text)
}

pub(super) const fn record(id: i32) -> Field {
    field(id, super::RECORD, Kind::Record)
}

pub(super) const fn form(id: i32) -> Field {
    field(id, super::FORM, Kind::Stored)
}

pub(super) const fn rest(id: i32) -> Field {
    field(id, super::REST, Kind::Stored)
}

pub(super) const fn flag(id: i32, name: &'static str) -> Field {
    field(id, name, Kind::Flag)
}

pub(super) const fn time(id: i32, name: &'static str) -> Field {
    field(id, name, Kind::Time)
}

pub(super) const fn integer(id: i32, name: &'static str) -> Field {
    field(id, name, Kind::Integer)
}

pub(super) const fn double(id: i32, name: &'static str) -> Field {
    field(id, name, Kind::Double)
}

pub(super) const fn map(id: i32, name: &'static str, key: i32, value: i32) -> Field {
    field(id, name, Kind::Map { key, value })
}

pub(super) const fn group(id: i32, name: &'static str, fields: &'static [Field]) -> Field {
    field(id, name, Kind::Group(fields))
}

pub(super) const fn list(id: i32, name: &'static str, element: i32, fields: &'static [Field]) -> Field {
    field(id, name, Kind::List { element, fields })
}

impl Field {
    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn also(self, name: &'static str) -> Self {
        Self { also: Some(name), ..self }
    }

    fn iceberg(&self) -> NestedFieldRef {
        let kind = match self.kind {
            Kind::Text | Kind::Record | Kind::Stored => Type::Primitive(PrimitiveType::String),
            Kind::Flag => Type::Primitive(PrimitiveType::Boolean),
            Kind::Time => Type::Primitive(PrimitiveType::Timestamp),
            Kind::Integer => Type::Primitive(PrimitiveType::Int),
            Kind::Double => Type::Primitive(PrimitiveType::Double),
            Kind::Map { key, value } => {
                let text = Type::Primitive(PrimitiveType::String);
                Type::Map(MapType::optional(key, text.clone(), value, text))
            }
            Kind::Group(fields) => Type::Struct(StructType::new(iceberg(fields))),
            Kind::List { element, fields } => {
                let item = Type::Struct(StructType::new(iceberg(fields)));
                Type::List(ListType::new(Arc::new(NestedField::list_element(element, item, false))))
            }
        };
        Arc::new(NestedField::new(self.id, self.name, kind, self.required))
    }
}

pub(super) fn iceberg(fields: &[Field]) -> Vec<NestedFieldRef> {
    fields.iter().map(Field::iceberg).collect()
}
