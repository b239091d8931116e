//! Rows as JSON values, and what they should be by the plainest reading of a record.

use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray, types};
use arrow_schema::{DataType, Field, Fields};
use chrono::{DateTime, NaiveDateTime};
use opentrail_event::Event;
use opentrail_lake::Shape;
use serde_json::{Value, json, value::RawValue};

/// One row; maps are arrays of pairs, times are microseconds.
pub(crate) fn row_of(batch: &RecordBatch, row: usize) -> Value {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns
        .map(|(field, column)| (field.name().clone(), cell(column, row)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn cell(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int32 => json!(array.as_primitive::<types::Int32Type>().value(row)),
        DataType::Float64 => json!(array.as_primitive::<types::Float64Type>().value(row)),
        DataType::Timestamp(..) => json!(array.as_primitive::<types::TimestampMicrosecondType>().value(row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let members =
                fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), cell(column, row)));
            members.collect::<serde_json::Map<_, _>>().into()
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| cell(&items, item)).collect()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            (0..entries.len()).map(|entry| json!([cell(keys, entry), cell(values, entry)])).collect()
        }
        other => panic!("no column has the type {other}"),
    }
}

/// An object's members in order; of several with one name the last value at the first one's place.
fn members(json: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    struct Members<'a>(Vec<(String, &'a RawValue)>);
    impl<'de> serde::Deserialize<'de> for Members<'de> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members<'de>;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Members<'de>, A::Error> {
                    let mut found: Vec<(String, &'de RawValue)> = Vec::new();
                    while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                        match found.iter_mut().find(|(known, _)| *known == key) {
                            Some(place) => place.1 = value,
                            None => found.push((key, value)),
                        }
                    }
                    Ok(Members(found))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Members<'_>>(json.get()).ok().map(|members| members.0)
}

fn text(json: &RawValue) -> Value {
    match serde_json::from_str(json.get()) {
        Ok(Value::String(text)) => Value::String(text),
        Ok(Value::Null) | Err(_) => Value::Null,
        Ok(_) => json!(json.get()),
    }
}

fn scalar(json: &RawValue) -> Option<String> {
    match serde_json::from_str(json.get()).ok()? {
        Value::String(text) => Some(text),
        Value::Number(_) => Some(json.get().to_owned()),
        _ => None,
    }
}

fn time(text: &str) -> Option<i64> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_micros());
    let plain = || {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
            .map(|time| time.and_utc().timestamp_micros())
    };
    zoned.ok().or_else(|| plain().ok())
}

fn read(kind: &DataType, json: &RawValue) -> Value {
    match kind {
        DataType::Utf8 => text(json),
        DataType::Boolean => match json.get() {
            "true" | "\"true\"" => json!(true),
            "false" | "\"false\"" => json!(false),
            _ => Value::Null,
        },
        DataType::Int32 => json!(scalar(json).and_then(|text| text.parse::<i32>().ok())),
        DataType::Float64 => json!(scalar(json).and_then(|text| text.parse::<f64>().ok())),
        DataType::Timestamp(..) => json!(scalar(json).and_then(|text| time(&text))),
        DataType::Struct(fields) => members(json).map_or(Value::Null, |members| object(fields, &members)),
        DataType::List(item) => match serde_json::from_str::<Vec<&RawValue>>(json.get()) {
            Ok(items) => items.into_iter().map(|one| read(item.data_type(), one)).collect(),
            Err(_) if members(json).is_some() => json!([read(item.data_type(), json)]),
            Err(_) => Value::Null,
        },
        DataType::Map(..) => members(json).map_or(Value::Null, |members| {
            members.into_iter().map(|(name, value)| json!([name, text(value)])).collect()
        }),
        other => panic!("no column has the type {other}"),
    }
}

fn object(fields: &Fields, members: &[(String, &RawValue)]) -> Value {
    let value = |field: &Field| {
        let member = members.iter().find(|(name, _)| name == field.name());
        member.map_or(Value::Null, |(_, json)| read(field.data_type(), json))
    };
    fields.iter().map(|field| (field.name().clone(), value(field))).collect::<serde_json::Map<_, _>>().into()
}

/// The row that an event should make.
pub(crate) fn expected(event: &Event) -> Value {
    let json: &RawValue = serde_json::from_str(event.raw_str()).unwrap();
    let mut row = object(Shape::Event.arrow().fields(), &members(json).unwrap());
    row["eventJson"] = json!(event.raw_str());
    if row["eventCategory"].is_null() {
        row["eventCategory"] = json!(event.category().as_str());
    }
    row
}
