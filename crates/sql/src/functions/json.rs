//! JSON functions. A JSON value is its text in a LargeUtf8 array, which no other type of the dialect uses.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, LargeStringArray};
use datafusion::common::Result;
use serde_json::Value;

use super::call::{Call, Function, failed, function, returns};
use super::column::{Longs, TextBuilder, Texts};
use super::json_path::Path;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("json_extract", (Text, Text) -> returns::json => json_extract),
    function!("json_extract_scalar", (Text, Text) -> returns::text => json_extract_scalar),
    function!("json_parse", (Text) -> returns::json => json_parse),
    function!("json_format", (Text) -> returns::text => json_format),
    function!("json_array_length", (Text) -> returns::bigint => json_array_length),
    function!("json_array_contains",
        (Text, Text) -> returns::boolean => json_array_contains,
        (Text, Boolean) -> returns::boolean => json_array_contains,
        (Text, Number) -> returns::boolean => json_array_contains),
    function!("json_array_get", (Text, Bigint) -> returns::json => json_array_get),
    function!("json_size", (Text, Text) -> returns::bigint => json_size),
    function!("is_json_scalar", (Text) -> returns::boolean => is_json_scalar),
];

/// Paths as rows want them: one that is constant is read once, another when it changes.
struct Paths<'a> {
    texts: Texts<'a>,
    last: Option<(&'a str, Path)>,
}

impl<'a> Paths<'a> {
    fn of(texts: Texts<'a>) -> Self {
        Self { texts, last: None }
    }

    fn get(&mut self, row: usize) -> Result<Option<&Path>> {
        let Some(text) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(known, _)| *known != text) {
            self.last = Some((text, Path::parse(text)?));
        }
        Ok(self.last.as_ref().map(|(_, path)| path))
    }
}

fn json_extract(call: &Call) -> Result<ArrayRef> {
    let (json, mut paths) = (call.texts(0)?, Paths::of(call.texts(1)?));
    let found = (0..call.rows)
        .map(|row| {
            let Some(path) = paths.get(row)? else { return Ok(None) };
            Ok(json.get(row).and_then(|json| path.find(json)).and_then(compact))
        })
        .collect::<Result<LargeStringArray>>()?;
    Ok(Arc::new(found))
}

fn json_extract_scalar(call: &Call) -> Result<ArrayRef> {
    let (json, mut paths) = (call.texts(0)?, Paths::of(call.texts(1)?));
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let Some(path) = paths.get(row)? else {
            result.push(None)?;
            continue;
        };
        match json.get(row).and_then(|json| path.find(json)).and_then(scalar) {
            Some(text) => result.push(Some(&text))?,
            None => result.push(None)?,
        }
    }
    Ok(result.finish())
}

/// JSON text without the white space between its parts; nothing if it is no JSON.
fn compact(json: &str) -> Option<String> {
    let scalar = !json.starts_with(['{', '[']);
    if !scalar && !json.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return Some(json.to_owned());
    }
    if scalar {
        serde_json::from_str::<Value>(json).ok()?;
        return Some(json.trim_ascii().to_owned());
    }
    let value: Box<serde_json::value::RawValue> = serde_json::from_str(json).ok()?;
    let mut text = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in value.get().chars() {
        if quoted || !c.is_ascii_whitespace() {
            text.push(c);
        }
        if escaped {
            escaped = false;
        } else if quoted && c == '\\' {
            escaped = true;
        } else if c == '"' {
            quoted = !quoted;
        }
    }
    Some(text)
}

/// The text of a JSON string, number or truth value; nothing for null, objects and arrays.
pub(crate) fn scalar(json: &str) -> Option<std::borrow::Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'{' | b'[' | b'n' => None,
        b'"' => {
            let inner = json.get(1..json.len().checked_sub(1)?)?;
            if !inner.contains(['\\', '"']) {
                return Some(inner.into());
            }
            serde_json::from_str::<String>(json).ok().map(Into::into)
        }
        _ => {
            serde_json::from_str::<Value>(json).ok()?;
            Some(json.trim_ascii().into())
        }
    }
}

/// Reads JSON.
///
/// # Errors
/// Trino's words, with the start of what is no JSON.
pub(crate) fn read(json: &str) -> Result<Value> {
    serde_json::from_str(json).map_err(|_| {
        let start: String = json.chars().take(100).collect();
        failed(format!("Cannot convert value to JSON: '{start}'"))
    })
}

/// JSON text whose objects have their members in the order of their names, as `json_parse` gives it.
pub(crate) fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                canonical(element, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                canonical(member, text);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn json_parse(call: &Call) -> Result<ArrayRef> {
    let json = call.texts(0)?;
    let parsed = (0..call.rows)
        .map(|row| {
            let Some(json) = json.get(row) else { return Ok(None) };
            let mut text = String::with_capacity(json.len());
            canonical(&read(json)?, &mut text);
            Ok(Some(text))
        })
        .collect::<Result<LargeStringArray>>()?;
    Ok(Arc::new(parsed))
}

fn json_format(call: &Call) -> Result<ArrayRef> {
    let json = call.texts(0)?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        result.push(json.get(row))?;
    }
    Ok(result.finish())
}

/// What a function says of the elements of each row's JSON array; NULL for what is no array.
fn of_array<T>(call: &Call, row: usize, json: &Texts<'_>, say: impl Fn(&[Value]) -> Option<T>) -> Option<T> {
    debug_assert!(row < call.rows);
    match serde_json::from_str(json.get(row)?) {
        Ok(Value::Array(elements)) => say(&elements),
        _ => None,
    }
}

fn json_array_length(call: &Call) -> Result<ArrayRef> {
    let json = call.texts(0)?;
    let lengths: Int64Array = (0..call.rows)
        .map(|row| of_array(call, row, &json, |elements| Some(elements.len() as i64)))
        .collect();
    Ok(Arc::new(lengths))
}

fn json_array_contains(call: &Call) -> Result<ArrayRef> {
    let json = call.texts(0)?;
    let wanted: Box<dyn Fn(usize) -> Option<Value>> = if let Ok(texts) = call.texts(1) {
        let texts: Vec<Option<String>> =
            (0..call.rows).map(|row| texts.get(row).map(str::to_owned)).collect();
        Box::new(move |row| texts[row].clone().map(Value::String))
    } else if let Ok(longs) = call.longs(1) {
        Box::new(move |row| longs.get(row).map(Value::from))
    } else if let Ok(doubles) = call.doubles(1) {
        Box::new(move |row| doubles.get(row).map(Value::from))
    } else {
        let booleans = call.booleans(1)?;
        Box::new(move |row| booleans.get(row).map(Value::Bool))
    };
    let found: BooleanArray = (0..call.rows)
        .map(|row| {
            let wanted = wanted(row)?;
            let same = |element: &Value| match (element.as_f64(), wanted.as_f64()) {
                (Some(a), Some(b)) => a == b,
                _ => *element == wanted,
            };
            of_array(call, row, &json, |elements| Some(elements.iter().any(same)))
        })
        .collect();
    Ok(Arc::new(found))
}

/// The index of an element counted from 0, or from the end if negative.
fn place(index: &Longs<'_>, row: usize, count: usize) -> Option<usize> {
    let index = index.get(row)?;
    let index = if index < 0 { index.checked_add(i64::try_from(count).ok()?)? } else { index };
    usize::try_from(index).ok()
}

fn json_array_get(call: &Call) -> Result<ArrayRef> {
    let (json, index) = (call.texts(0)?, call.longs(1)?);
    let found: LargeStringArray = (0..call.rows)
        .map(|row| {
            of_array(call, row, &json, |elements| {
                elements.get(place(&index, row, elements.len())?).map(Value::to_string)
            })
        })
        .collect();
    Ok(Arc::new(found))
}

fn json_size(call: &Call) -> Result<ArrayRef> {
    let (json, mut paths) = (call.texts(0)?, Paths::of(call.texts(1)?));
    let sizes = (0..call.rows)
        .map(|row| {
            let Some(path) = paths.get(row)? else { return Ok(None) };
            let Some(found) = json.get(row).and_then(|json| path.find(json)) else { return Ok(None) };
            Ok(match serde_json::from_str(found) {
                Ok(Value::Array(elements)) => Some(elements.len() as i64),
                Ok(Value::Object(members)) => Some(members.len() as i64),
                Ok(_) => Some(0),
                Err(_) => None,
            })
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(sizes))
}

fn is_json_scalar(call: &Call) -> Result<ArrayRef> {
    let json = call.texts(0)?;
    let answers = (0..call.rows)
        .map(|row| {
            let Some(json) = json.get(row) else { return Ok(None) };
            Ok(Some(!matches!(read(json)?, Value::Array(_) | Value::Object(_))))
        })
        .collect::<Result<BooleanArray>>()?;
    Ok(Arc::new(answers))
}
