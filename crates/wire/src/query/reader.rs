//! Reads an operation's input from a tree of strings.

use serde::{
    Deserializer,
    de::{self, DeserializeOwned, IntoDeserializer, value::StrDeserializer},
    forward_to_deserialize_any,
};
use serde_json::Value;

/// An input that is not what the operation takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(String);

impl de::Error for ReadError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    /// In the words of AWS's query services, which spell members with a small first letter here.
    fn missing_field(field: &'static str) -> Self {
        let mut letters = field.chars();
        let member: String = letters.next().iter().flat_map(|c| c.to_lowercase()).chain(letters).collect();
        Self(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    }
}

/// Reads `T` from the tree of a [`Form`](super::Form): text becomes a number or a boolean where `T` wants
/// one, and an empty text an empty list.
pub fn from_query<T: DeserializeOwned>(tree: &Value) -> Result<T, ReadError> {
    T::deserialize(Reader(tree))
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Value);

impl Reader<'_> {
    fn text(&self) -> Result<&str, ReadError> {
        self.0
            .as_str()
            .ok_or_else(|| ReadError("a structure or list stands where a value belongs".to_owned()))
    }

    fn parse<T: std::str::FromStr>(&self, kind: &str) -> Result<T, ReadError> {
        let text = self.text()?;
        text.trim().parse().map_err(|_| ReadError(format!("{text:?} is not {kind}")))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            visitor.$visit(self.parse("a number in range")?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                visitor.visit_seq(de::value::SeqDeserializer::new(items.iter().map(Reader)))
            }
            Value::Object(members) => visitor.visit_map(de::value::MapDeserializer::new(
                members.iter().map(|(name, value)| (name.as_str(), Reader(value))),
            )),
            _ => visitor.visit_unit(),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
        deserialize_f32 visit_f32 deserialize_f64 visit_f64
    }

    fn deserialize_bool<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let text = self.text()?;
        match text.to_ascii_lowercase().as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(ReadError(format!("{text:?} is neither true nor false"))),
        }
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::String(text) if text.is_empty() => {
                visitor.visit_seq(de::value::SeqDeserializer::new(std::iter::empty::<Reader<'_>>()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let text: StrDeserializer<'_, ReadError> = self.text()?.into_deserializer();
        text.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

impl<'de> IntoDeserializer<'de, ReadError> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::from_query;
    use crate::value::Timestamp;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        name: String,
        max_items: Option<u32>,
        #[serde(default)]
        only_attached: bool,
        #[serde(default)]
        tags: Vec<Tag>,
        since: Option<Timestamp>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Tag {
        key: String,
    }

    #[test]
    fn numbers_booleans_lists_and_times_are_understood() {
        let input: Input = from_query(&json!({
            "Name": "42", "MaxItems": "10", "OnlyAttached": "true", "Tags": [{"Key": "a"}],
            "Since": "2024-01-02T03:04:05Z", "Unknown": {"x": "y"},
        }))
        .unwrap();
        assert_eq!((input.name.as_str(), input.max_items, input.only_attached), ("42", Some(10), true));
        assert_eq!(input.tags, [Tag { key: "a".into() }]);
        assert_eq!(input.since.unwrap().0.timestamp(), 1_704_164_645);
        assert_eq!(from_query::<Input>(&json!({"Name": "x", "Tags": ""})).unwrap().tags, []);
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let error = |tree| from_query::<Input>(&tree).unwrap_err().to_string();
        assert_eq!(
            error(json!({})),
            "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"
        );
        assert_eq!(error(json!({"Name": "x", "MaxItems": "many"})), "\"many\" is not a number in range");
        assert!(error(json!({"Name": {"a": "b"}})).contains("invalid type: map"));
    }
}
