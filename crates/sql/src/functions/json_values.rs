//! Between JSON and the other types: `cast(… AS json)` and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, StringArray, StructArray, new_null_array};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use datafusion::common::Result;
use serde_json::Value;

use super::call::{failed, map_types};
use super::column::{Texts, list_array, map_array};
use super::json::{canonical, read};
use super::{cast, types::type_name};

/// JSON texts as values of another type.
pub(crate) fn from_json(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let texts = Texts::of(array, false).ok_or_else(|| failed("JSON is wanted"))?;
    if matches!(to, DataType::Utf8 | DataType::Utf8View) {
        return strings(&texts, array.len());
    }
    let values =
        (0..array.len()).map(|row| texts.get(row).map(read).transpose()).collect::<Result<Vec<_>>>()?;
    let values: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
    build(&values, to)
}

fn strings(texts: &Texts<'_>, rows: usize) -> Result<ArrayRef> {
    let strings = (0..rows)
        .map(|row| {
            let Some(json) = texts.get(row) else { return Ok(None) };
            match json.trim_ascii().as_bytes().first() {
                Some(b'{' | b'[') => Err(refusal(json, &DataType::Utf8)),
                _ => Ok(super::json::scalar(json.trim_ascii()).map(|text| text.into_owned())),
            }
        })
        .collect::<Result<StringArray>>()?;
    Ok(Arc::new(strings))
}

fn refusal(json: &str, to: &DataType) -> datafusion::common::DataFusionError {
    let start: String = json.chars().take(100).collect();
    failed(format!("Cannot cast '{start}' to {}", type_name(to)))
}

fn build(values: &[Option<&Value>], to: &DataType) -> Result<ArrayRef> {
    let values: Vec<Option<&Value>> =
        values.iter().map(|value| value.filter(|value| !value.is_null())).collect();
    match to {
        DataType::LargeUtf8 => {
            let texts: LargeStringArray = values.iter().map(|value| value.map(Value::to_string)).collect();
            Ok(Arc::new(texts))
        }
        DataType::List(field) => {
            let mut children = Vec::new();
            let mut offsets = vec![0i32];
            for value in &values {
                match value {
                    None => {}
                    Some(Value::Array(elements)) => children.extend(elements.iter().map(Some)),
                    Some(other) => return Err(refusal(&other.to_string(), to)),
                }
                offsets.push(children.len() as i32);
            }
            let valid = values.iter().map(Option::is_some).collect();
            list_array(offsets, valid, build(&children, field.data_type())?, to)
        }
        DataType::Map(_, _) => build_map(&values, to),
        DataType::Struct(fields) => {
            let columns = fields
                .iter()
                .enumerate()
                .map(|(index, field)| {
                    let members = values
                        .iter()
                        .map(|value| member(*value, index, field, to))
                        .collect::<Result<Vec<_>>>()?;
                    build(&members, field.data_type())
                })
                .collect::<Result<Vec<_>>>()?;
            let valid: Vec<bool> = values.iter().map(Option::is_some).collect();
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                Some(valid.into()),
                values.len(),
            )?))
        }
        DataType::Boolean => booleans(&values),
        scalar => {
            let texts = values
                .iter()
                .map(|value| {
                    Ok(match value {
                        None => None,
                        Some(Value::String(text)) => Some(text.clone()),
                        Some(Value::Bool(truth)) if scalar.is_numeric() => Some(u8::from(*truth).to_string()),
                        Some(value @ (Value::Array(_) | Value::Object(_))) => {
                            return Err(refusal(&value.to_string(), to));
                        }
                        Some(value) => Some(value.to_string()),
                    })
                })
                .collect::<Result<StringArray>>()?;
            let texts: ArrayRef = Arc::new(texts);
            if scalar.is_integer() && values.iter().flatten().any(|value| value.is_f64()) {
                let doubles = cast::cast(&texts, &DataType::Float64)?;
                return cast::cast(&doubles, scalar);
            }
            cast::cast(&texts, scalar)
        }
    }
}

fn booleans(values: &[Option<&Value>]) -> Result<ArrayRef> {
    let truth = values
        .iter()
        .map(|value| match value {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(Value::Number(number)) => Ok(Some(number.as_f64() != Some(0.0))),
            Some(Value::String(text)) => cast::boolean(text).map(Some),
            Some(other) => Err(refusal(&other.to_string(), &DataType::Boolean)),
        })
        .collect::<Result<arrow::array::BooleanArray>>()?;
    Ok(Arc::new(truth))
}

fn build_map(values: &[Option<&Value>], to: &DataType) -> Result<ArrayRef> {
    let (key, value) = map_types(to);
    let mut keys = Vec::new();
    let mut entries = Vec::new();
    let mut offsets = vec![0i32];
    for row in values {
        match row {
            None => {}
            Some(Value::Object(members)) => {
                for (name, member) in members {
                    keys.push(Some(name.as_str()));
                    entries.push(Some(member));
                }
            }
            Some(other) => return Err(refusal(&other.to_string(), to)),
        }
        offsets.push(keys.len() as i32);
    }
    let keys: ArrayRef = Arc::new(StringArray::from(keys));
    let keys = cast::cast(&keys, &key)?;
    let valid = values.iter().map(Option::is_some).collect();
    map_array(offsets, valid, keys, build(&entries, &value)?, to)
}

/// A row's field: an object's member of that name, or an array's element of that place.
fn member<'a>(
    value: Option<&'a Value>,
    index: usize,
    field: &Field,
    to: &DataType,
) -> Result<Option<&'a Value>> {
    match value {
        None => Ok(None),
        Some(Value::Array(elements)) => Ok(elements.get(index)),
        Some(Value::Object(members)) => {
            let exact = members.get(field.name());
            Ok(exact.or_else(|| {
                members
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(field.name()))
                    .map(|(_, member)| member)
            }))
        }
        Some(other) => Err(refusal(&other.to_string(), to)),
    }
}

/// Values of another type as JSON texts.
pub(crate) fn to_json(array: &ArrayRef) -> Result<ArrayRef> {
    let writer = Writer::of(array)?;
    let mut texts = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut text = String::new();
        writer.write(row, &mut text)?;
        texts.push(Some(text));
    }
    Ok(Arc::new(LargeStringArray::from(texts)))
}

/// Writes the values of one array as JSON.
enum Writer {
    Json(ArrayRef),
    /// Numbers and truth values, as their text.
    Bare(ArrayRef),
    Quoted(ArrayRef),
    List(ArrayRef, Box<Writer>),
    Map(ArrayRef, ArrayRef, Box<Writer>),
    Row(ArrayRef, Vec<(String, Writer)>),
}

impl Writer {
    fn of(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::LargeUtf8 => Self::Json(array.clone()),
            DataType::Utf8 | DataType::Utf8View => Self::Quoted(array.clone()),
            DataType::Float64 | DataType::Float32 => Self::Bare(doubles(array)?),
            kind if kind.is_numeric() || matches!(kind, DataType::Boolean | DataType::Null) => {
                Self::Bare(arrow::compute::cast(array, &DataType::Utf8)?)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::List(array.clone(), Box::new(Self::of(list.values())?))
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let keys = cast::cast(map.keys(), &DataType::Utf8)?;
                Self::Map(array.clone(), keys, Box::new(Self::of(map.values())?))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let writers = fields
                    .iter()
                    .zip(columns)
                    .enumerate()
                    .map(|(index, (field, column))| {
                        let unnamed = *field.name() == format!("field{index}");
                        // Names are in lower case in Trino, as they are in results.
                        let name = if unnamed { String::new() } else { field.name().to_lowercase() };
                        Ok((Value::String(name).to_string(), Self::of(column)?))
                    })
                    .collect::<Result<Vec<_>>>()?;
                Self::Row(array.clone(), writers)
            }
            DataType::Binary | DataType::FixedSizeBinary(_) => {
                return Err(failed(format!("Cannot cast {} to JSON", type_name(array.data_type()))));
            }
            _ => Self::Quoted(cast::cast(array, &DataType::Utf8)?),
        })
    }

    fn write(&self, row: usize, text: &mut String) -> Result<()> {
        let (Self::Json(array)
        | Self::Bare(array)
        | Self::Quoted(array)
        | Self::List(array, _)
        | Self::Map(array, _, _)
        | Self::Row(array, _)) = self;
        if array.is_null(row) {
            text.push_str("null");
            return Ok(());
        }
        let value =
            |array: &ArrayRef| Texts::of(array, false).and_then(|texts| texts.get(row).map(str::to_owned));
        match self {
            Self::Json(array) | Self::Bare(array) => text.push_str(&value(array).unwrap_or_default()),
            Self::Quoted(array) => canonical(&Value::String(value(array).unwrap_or_default()), text),
            Self::List(array, elements) => {
                let offsets = array.as_list::<i32>().value_offsets();
                text.push('[');
                for index in offsets[row]..offsets[row + 1] {
                    if index > offsets[row] {
                        text.push(',');
                    }
                    elements.write(index as usize, text)?;
                }
                text.push(']');
            }
            Self::Map(array, keys, values) => {
                let offsets = array.as_map().value_offsets();
                let keys = keys.as_string::<i32>();
                let mut entries: Vec<usize> = (offsets[row] as usize..offsets[row + 1] as usize).collect();
                entries.sort_by_key(|entry| keys.value(*entry));
                text.push('{');
                for (index, entry) in entries.into_iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    canonical(&Value::String(keys.value(entry).to_owned()), text);
                    text.push(':');
                    values.write(entry, text)?;
                }
                text.push('}');
            }
            Self::Row(_, fields) => {
                text.push('{');
                for (index, (name, values)) in fields.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(name);
                    text.push(':');
                    values.write(row, text)?;
                }
                text.push('}');
            }
        }
        Ok(())
    }
}

/// Doubles as JSON writes them: what is no number is a string.
fn doubles(array: &ArrayRef) -> Result<ArrayRef> {
    let doubles = match array.data_type() {
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().iter().map(|value| value.map(f64::from)).collect()
        }
        _ => array.as_primitive::<Float64Type>().iter().collect::<Vec<_>>(),
    };
    let texts: StringArray = doubles
        .into_iter()
        .map(|value| {
            value.map(|value| match serde_json::Number::from_f64(value) {
                Some(number) => number.to_string(),
                None if value.is_nan() => "\"NaN\"".to_owned(),
                None if value > 0.0 => "\"Infinity\"".to_owned(),
                None => "\"-Infinity\"".to_owned(),
            })
        })
        .collect();
    if texts.is_empty() {
        return Ok(new_null_array(&DataType::Utf8, 0));
    }
    Ok(Arc::new(texts))
}
