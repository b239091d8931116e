//! From any `Serialize` to a [`Value`].

use bytes::Bytes;
use chrono::DateTime;
use serde::{
    Serialize, Serializer,
    ser::{self, Impossible},
};

use super::{BLOB, TIMESTAMP, Value};

/// A Rust value that no AWS model can say: a map whose keys are no strings, a number beyond 64 bits.
#[derive(Debug, thiserror::Error)]
#[error("can't be said in an answer: {0}")]
pub struct UnspeakableError(String);

impl ser::Error for UnspeakableError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The tree of `value`. Members that are `None` are left out of their structure.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, UnspeakableError> {
    value.serialize(ToValue)
}

struct ToValue;

type Outcome = Result<Value, UnspeakableError>;

fn text(value: impl Into<String>) -> Outcome {
    Ok(Value::Text(value.into()))
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = UnspeakableError;
    type SerializeSeq = ListBuilder;
    type SerializeTuple = ListBuilder;
    type SerializeTupleStruct = ListBuilder;
    type SerializeTupleVariant = Impossible<Value, UnspeakableError>;
    type SerializeMap = MapBuilder;
    type SerializeStruct = MapBuilder;
    type SerializeStructVariant = Impossible<Value, UnspeakableError>;

    fn serialize_bool(self, v: bool) -> Outcome {
        Ok(Value::Bool(v))
    }
    fn serialize_i8(self, v: i8) -> Outcome {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i16(self, v: i16) -> Outcome {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i32(self, v: i32) -> Outcome {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i64(self, v: i64) -> Outcome {
        Ok(Value::Int(v))
    }
    fn serialize_u8(self, v: u8) -> Outcome {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u16(self, v: u16) -> Outcome {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u32(self, v: u32) -> Outcome {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u64(self, v: u64) -> Outcome {
        i64::try_from(v).map(Value::Int).map_err(ser::Error::custom)
    }
    fn serialize_f32(self, v: f32) -> Outcome {
        Ok(Value::Float(v.into()))
    }
    fn serialize_f64(self, v: f64) -> Outcome {
        Ok(Value::Float(v))
    }
    fn serialize_char(self, v: char) -> Outcome {
        text(v)
    }
    fn serialize_str(self, v: &str) -> Outcome {
        text(v)
    }
    fn serialize_bytes(self, v: &[u8]) -> Outcome {
        Ok(Value::Blob(Bytes::copy_from_slice(v)))
    }
    fn serialize_none(self) -> Outcome {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Outcome {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Outcome {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Outcome {
        Ok(Value::Map(Vec::new()))
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Outcome {
        text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Outcome {
        let inner = value.serialize(Self)?;
        match (name, inner) {
            (TIMESTAMP, Value::Int(millis)) => DateTime::from_timestamp_millis(millis)
                .map(Value::Time)
                .ok_or_else(|| ser::Error::custom("a time out of range")),
            (BLOB, inner @ Value::Blob(_)) => Ok(inner),
            (_, inner) => Ok(inner),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Outcome {
        Ok(Value::Map(vec![(variant.to_owned(), value.serialize(Self)?)]))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<ListBuilder, UnspeakableError> {
        Ok(ListBuilder(Vec::with_capacity(len.unwrap_or(0))))
    }
    fn serialize_tuple(self, len: usize) -> Result<ListBuilder, UnspeakableError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<ListBuilder, UnspeakableError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, UnspeakableError> {
        Err(ser::Error::custom(format_args!("the variant {variant}")))
    }
    fn serialize_map(self, len: Option<usize>) -> Result<MapBuilder, UnspeakableError> {
        Ok(MapBuilder { members: Vec::with_capacity(len.unwrap_or(0)), key: None })
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<MapBuilder, UnspeakableError> {
        self.serialize_map(Some(len))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, UnspeakableError> {
        Err(ser::Error::custom(format_args!("the variant {variant}")))
    }
}

struct ListBuilder(Vec<Value>);

impl ListBuilder {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), UnspeakableError> {
        self.0.push(value.serialize(ToValue)?);
        Ok(())
    }
}

impl ser::SerializeSeq for ListBuilder {
    type Ok = Value;
    type Error = UnspeakableError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), UnspeakableError> {
        self.push(value)
    }
    fn end(self) -> Outcome {
        Ok(Value::List(self.0))
    }
}

impl ser::SerializeTuple for ListBuilder {
    type Ok = Value;
    type Error = UnspeakableError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), UnspeakableError> {
        self.push(value)
    }
    fn end(self) -> Outcome {
        Ok(Value::List(self.0))
    }
}

impl ser::SerializeTupleStruct for ListBuilder {
    type Ok = Value;
    type Error = UnspeakableError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), UnspeakableError> {
        self.push(value)
    }
    fn end(self) -> Outcome {
        Ok(Value::List(self.0))
    }
}

struct MapBuilder {
    members: Vec<(String, Value)>,
    key: Option<String>,
}

impl MapBuilder {
    fn put<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), UnspeakableError> {
        match value.serialize(ToValue)? {
            Value::Null => {}
            value => self.members.push((key, value)),
        }
        Ok(())
    }
}

impl ser::SerializeMap for MapBuilder {
    type Ok = Value;
    type Error = UnspeakableError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), UnspeakableError> {
        match key.serialize(ToValue)? {
            Value::Text(key) => self.key = Some(key),
            other => return Err(ser::Error::custom(format_args!("the map key {other:?}"))),
        }
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), UnspeakableError> {
        let key = self.key.take().ok_or_else(|| ser::Error::custom("a value without its key"))?;
        self.put(key, value)
    }
    fn end(self) -> Outcome {
        Ok(Value::Map(self.members))
    }
}

impl ser::SerializeStruct for MapBuilder {
    type Ok = Value;
    type Error = UnspeakableError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), UnspeakableError> {
        self.put(key.to_owned(), value)
    }
    fn end(self) -> Outcome {
        Ok(Value::Map(self.members))
    }
}
