//! The JSON under a policy: a tree that keeps what serde_json's own would lose, duplicate keys.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::{PolicyError, PolicyKind, limits};

/// A JSON value. A number is kept as its text: conditions compare it as whatever their operator says.
#[derive(Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads a policy's text as one object, within [`limits`], refusing duplicate keys anywhere.
pub(crate) fn read_object(text: &str, kind: PolicyKind) -> Result<Vec<(String, Json)>, PolicyError> {
    if text.len() > limits::MAX_DOCUMENT_BYTES {
        return Err(PolicyError::TooLarge { bytes: text.len() });
    }
    let root: Json = serde_json::from_str(text).map_err(|error| PolicyError::NotJson {
        kind,
        line: error.line(),
        column: error.column(),
    })?;
    check(&root, 1)?;
    match root {
        Json::Object(members) => Ok(members),
        _ => Err(PolicyError::NotAnObject { kind }),
    }
}

fn check(value: &Json, depth: usize) -> Result<(), PolicyError> {
    if depth > limits::MAX_DEPTH && matches!(value, Json::List(_) | Json::Object(_)) {
        return Err(PolicyError::TooDeep);
    }
    match value {
        Json::List(items) => items.iter().try_for_each(|item| check(item, depth + 1)),
        Json::Object(members) => {
            let mut seen = HashSet::with_capacity(members.len());
            for (key, member) in members {
                if !seen.insert(key.as_str()) {
                    return Err(PolicyError::DuplicateKey { key: key.clone() });
                }
                check(member, depth + 1)?;
            }
            Ok(())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => Ok(()),
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::read_object;
    use crate::{PolicyError, PolicyKind, limits};

    fn read(text: &str) -> Result<(), PolicyError> {
        read_object(text, PolicyKind::Identity).map(|_| ())
    }

    #[test]
    fn a_key_may_stand_once_in_an_object_at_any_depth() {
        assert!(read(r#"{"a": {"b": 1}, "b": [{"b": 2}]}"#).is_ok());
        let twice = Err(PolicyError::DuplicateKey { key: "b".to_owned() });
        assert_eq!(read(r#"{"a": [{"b": 1, "c": 2, "b": 1}]}"#), twice);
        assert_eq!(read(r#"{"b": 1, "\u0062": 2}"#), twice);
    }

    #[test]
    fn nesting_and_size_are_bounded() {
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(read(&nested(limits::MAX_DEPTH)).is_ok());
        assert_eq!(read(&nested(limits::MAX_DEPTH + 1)), Err(PolicyError::TooDeep));
        assert!(matches!(read(&nested(60_000)), Err(PolicyError::NotJson { .. })));
        let bytes = limits::MAX_DOCUMENT_BYTES + 1;
        assert_eq!(read(&" ".repeat(bytes)), Err(PolicyError::TooLarge { bytes }));
    }

    #[test]
    fn only_one_object_is_a_document() {
        for text in ["", "[]", "null", "1", "\"{}\"", "{} {}", "{", "{\"a\":}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
