//! Functions of strings.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray};
use datafusion::common::Result;

use super::call::{Call, Function, Types, failed, function, returns};
use super::column::{MAX_VALUE_BYTES, Picks, TextBuilder};
use super::types::map_of;
use arrow::datatypes::DataType;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("lower", (Text) -> returns::text => |call| each(call, |text| Some(text.to_lowercase()))),
    function!("upper", (Text) -> returns::text => |call| each(call, |text| Some(text.to_uppercase()))),
    function!("length", alias "char_length", alias "character_length",
        (Text) -> returns::bigint => length,
        (Binary) -> returns::bigint => binary_length),
    function!("strpos", (Text, Text) -> returns::bigint => strpos, (Text, Text, Bigint) -> returns::bigint => strpos),
    function!("substr", alias "substring",
        (Text, Bigint) -> returns::text => substr,
        (Text, Bigint, Bigint) -> returns::text => substr),
    function!("replace", (Text, Text) -> returns::text => replace, (Text, Text, Text) -> returns::text => replace),
    function!("lpad", (Text, Bigint, Text) -> returns::text => lpad),
    function!("rpad", (Text, Bigint, Text) -> returns::text => rpad),
    function!("split", (Text, Text) -> returns::texts => split, (Text, Text, Bigint) -> returns::texts => split),
    function!("split_part", (Text, Text, Bigint) -> returns::text => split_part),
    function!("split_to_map", (Text, Text, Text) -> text_map => split_to_map),
    function!("concat_ws",
        (Text, Array) -> returns::text => super::array::concat_ws,
        (Text, Text; repeats) -> returns::text => concat_ws),
    function!("starts_with", (Text, Text) -> returns::boolean => |call| both(call, |a, b| a.starts_with(b))),
    function!("ends_with", (Text, Text) -> returns::boolean => |call| both(call, |a, b| a.ends_with(b))),
    function!("chr", (Bigint) -> returns::text => chr),
    function!("codepoint", (Text) -> returns::bigint => codepoint),
    function!("levenshtein_distance", (Text, Text) -> returns::bigint => levenshtein),
    function!("hamming_distance", (Text, Text) -> returns::bigint => hamming),
    function!("translate", (Text, Text, Text) -> returns::text => translate),
    function!("format", (Text, Any; repeats) -> returns::text => format),
];

fn text_map(_: &Types<'_>) -> Result<DataType> {
    Ok(map_of(DataType::Utf8, DataType::Utf8))
}

/// One string of each.
pub(crate) fn each(call: &Call, convert: impl Fn(&str) -> Option<String>) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        result.push(texts.get(row).and_then(&convert).as_deref())?;
    }
    Ok(result.finish())
}

fn both(call: &Call, answer: impl Fn(&str, &str) -> bool) -> Result<ArrayRef> {
    let (a, b) = (call.texts(0)?, call.texts(1)?);
    let answers: BooleanArray = (0..call.rows).map(|row| Some(answer(a.get(row)?, b.get(row)?))).collect();
    Ok(Arc::new(answers))
}

/// The number of characters.
fn count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

fn length(call: &Call) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let lengths: Int64Array =
        (0..call.rows).map(|row| texts.get(row).map(|text| count(text) as i64)).collect();
    Ok(Arc::new(lengths))
}

fn binary_length(call: &Call) -> Result<ArrayRef> {
    let bytes = call.binaries(0)?;
    let lengths: Int64Array =
        (0..call.rows).map(|row| bytes.get(row).map(|bytes| bytes.len() as i64)).collect();
    Ok(Arc::new(lengths))
}

fn strpos(call: &Call) -> Result<ArrayRef> {
    let (texts, parts) = (call.texts(0)?, call.texts(1)?);
    let places = (0..call.rows)
        .map(|row| {
            let (Some(text), Some(part)) = (texts.get(row), parts.get(row)) else { return Ok(None) };
            let instance = if call.has(2) { call.longs(2)?.get(row) } else { Some(1) };
            let Some(instance) = instance else { return Ok(None) };
            if instance == 0 {
                return Err(failed("'instance' must be a positive or negative number"));
            }
            let nth = usize::try_from(instance.unsigned_abs() - 1).unwrap_or(usize::MAX);
            let found = if instance > 0 {
                text.match_indices(part).nth(nth)
            } else {
                text.rmatch_indices(part).nth(nth)
            };
            Ok(Some(found.map_or(0, |(place, _)| count(&text[..place]) as i64 + 1)))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(places))
}

/// The characters of a text from `start` on, counted from 1, or from the end if negative.
fn part(text: &str, start: i64, length: i64) -> &str {
    let characters = count(text) as i64;
    let begin = match start {
        1.. => start - 1,
        0 => return "",
        _ => characters.saturating_add(start),
    };
    if begin < 0 || begin >= characters || length <= 0 {
        return "";
    }
    let at = |character: i64| {
        if text.is_ascii() {
            return character as usize;
        }
        text.char_indices().nth(character as usize).map_or(text.len(), |(at, _)| at)
    };
    let end = begin.saturating_add(length).min(characters);
    &text[at(begin)..at(end)]
}

fn substr(call: &Call) -> Result<ArrayRef> {
    let (texts, starts) = (call.texts(0)?, call.longs(1)?);
    let lengths = if call.has(2) { Some(call.longs(2)?) } else { None };
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let length = lengths.as_ref().map_or(Some(i64::MAX), |lengths| lengths.get(row));
        let (Some(text), Some(start), Some(length)) = (texts.get(row), starts.get(row), length) else {
            result.push(None)?;
            continue;
        };
        result.push(Some(part(text, start, length)))?;
    }
    Ok(result.finish())
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (texts, from) = (call.texts(0)?, call.texts(1)?);
    let to = if call.has(2) { Some(call.texts(2)?) } else { None };
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let to = to.as_ref().map_or(Some(""), |to| to.get(row));
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to) else {
            result.push(None)?;
            continue;
        };
        if to.len().saturating_mul(text.len()) > MAX_VALUE_BYTES {
            return Err(failed("the result of replace is too large"));
        }
        result.push(Some(&text.replace(from, to)))?;
    }
    Ok(result.finish())
}

fn pad(call: &Call, left: bool) -> Result<ArrayRef> {
    let (texts, sizes, fills) = (call.texts(0)?, call.longs(1)?, call.texts(2)?);
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(size), Some(fill)) = (texts.get(row), sizes.get(row), fills.get(row)) else {
            result.push(None)?;
            continue;
        };
        if fill.is_empty() {
            return Err(failed("Padding string must not be empty"));
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_VALUE_BYTES / 4);
        let Some(size) = size else {
            return Err(failed(format!("Target length must be in the range [0..{}]", MAX_VALUE_BYTES / 4)));
        };
        let characters = count(text);
        if characters >= size {
            result.push(Some(part(text, 1, size as i64)))?;
            continue;
        }
        let padding: String = fill.chars().cycle().take(size - characters).collect();
        let padded = if left { format!("{padding}{text}") } else { format!("{text}{padding}") };
        result.push(Some(&padded))?;
    }
    Ok(result.finish())
}

fn lpad(call: &Call) -> Result<ArrayRef> {
    pad(call, true)
}

fn rpad(call: &Call) -> Result<ArrayRef> {
    pad(call, false)
}

fn split(call: &Call) -> Result<ArrayRef> {
    let (texts, by) = (call.texts(0)?, call.texts(1)?);
    let (mut picks, mut values) = (Picks::new(call.rows), TextBuilder::new(call.rows));
    let mut made = 0;
    for row in 0..call.rows {
        let limit = if call.has(2) { call.longs(2)?.get(row) } else { Some(i64::MAX) };
        let (Some(text), Some(by), Some(limit)) = (texts.get(row), by.get(row), limit) else {
            picks.end(false)?;
            continue;
        };
        if by.is_empty() {
            return Err(failed("The delimiter may not be the empty string"));
        }
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
        let Some(limit) = limit else { return Err(failed("Limit must be positive")) };
        for part in text.splitn(limit, by) {
            values.push(Some(part))?;
            picks.pick(Some(made));
            made += 1;
        }
        picks.end(true)?;
    }
    picks.with_values(values.finish(), &call.result)
}

fn split_part(call: &Call) -> Result<ArrayRef> {
    let (texts, by, indices) = (call.texts(0)?, call.texts(1)?, call.longs(2)?);
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(by), Some(index)) = (texts.get(row), by.get(row), indices.get(row)) else {
            result.push(None)?;
            continue;
        };
        if index <= 0 {
            return Err(failed("Index must be greater than zero"));
        }
        let nth = usize::try_from(index - 1).unwrap_or(usize::MAX);
        let found = if by.is_empty() { Some(text).filter(|_| nth == 0) } else { text.split(by).nth(nth) };
        result.push(found)?;
    }
    Ok(result.finish())
}

fn split_to_map(call: &Call) -> Result<ArrayRef> {
    let (texts, by, between) = (call.texts(0)?, call.texts(1)?, call.texts(2)?);
    let (mut keys, mut values, mut offsets, mut valid) = (Vec::new(), Vec::new(), vec![0i32], Vec::new());
    for row in 0..call.rows {
        let (Some(text), Some(by), Some(between)) = (texts.get(row), by.get(row), between.get(row)) else {
            offsets.push(keys.len() as i32);
            valid.push(false);
            continue;
        };
        if by.is_empty() || between.is_empty() || by == between {
            return Err(failed("The delimiters may not be empty or the same"));
        }
        let start = keys.len();
        for entry in text.split(by).filter(|entry| !entry.is_empty()) {
            let Some((key, value)) = entry.split_once(between) else {
                return Err(failed(format!(
                    "Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'"
                )));
            };
            if keys[start..].contains(&key) {
                return Err(failed(format!("Duplicate keys ({key}) are not allowed")));
            }
            keys.push(key);
            values.push(value);
        }
        offsets.push(keys.len() as i32);
        valid.push(true);
    }
    let keys: ArrayRef = Arc::new(StringArray::from(keys));
    super::column::map_array(offsets, valid, keys, Arc::new(StringArray::from(values)), &call.result)
}

fn concat_ws(call: &Call) -> Result<ArrayRef> {
    let parts = (0..call.arguments.len()).map(|index| call.texts(index)).collect::<Result<Vec<_>>>()?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let mut all = parts.iter().map(|part| part.get(row));
        let Some(Some(separator)) = all.next() else {
            result.push(None)?;
            continue;
        };
        let given: Vec<&str> = all.flatten().collect();
        result.push(Some(&given.join(separator)))?;
    }
    Ok(result.finish())
}

fn chr(call: &Call) -> Result<ArrayRef> {
    let codes = call.longs(0)?;
    let texts = (0..call.rows)
        .map(|row| {
            let Some(code) = codes.get(row) else { return Ok(None) };
            let c = u32::try_from(code).ok().and_then(char::from_u32);
            c.map(|c| Some(c.to_string()))
                .ok_or_else(|| failed(format!("Not a valid Unicode code point: {code}")))
        })
        .collect::<Result<StringArray>>()?;
    Ok(Arc::new(texts))
}

fn codepoint(call: &Call) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let codes = (0..call.rows)
        .map(|row| {
            let Some(text) = texts.get(row) else { return Ok(None) };
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Ok(Some(i64::from(u32::from(c)))),
                _ => Err(failed("codepoint takes one character")),
            }
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(codes))
}

/// Pairs of characters that a distance may compare.
const MAX_COMPARED: usize = 1_000_000;

fn levenshtein(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (call.texts(0)?, call.texts(1)?);
    let distances = (0..call.rows)
        .map(|row| {
            let (Some(a), Some(b)) = (a.get(row), b.get(row)) else { return Ok(None) };
            let b: Vec<char> = b.chars().collect();
            if count(a).saturating_mul(b.len()) > MAX_COMPARED {
                return Err(failed("The combined inputs for Levenshtein distance are too large"));
            }
            let mut costs: Vec<usize> = (0..=b.len()).collect();
            for (i, x) in a.chars().enumerate() {
                let mut diagonal = costs[0];
                costs[0] = i + 1;
                for (j, y) in b.iter().enumerate() {
                    let replaced = diagonal + usize::from(x != *y);
                    diagonal = costs[j + 1];
                    costs[j + 1] = replaced.min(costs[j] + 1).min(diagonal + 1);
                }
            }
            Ok(costs.last().map(|cost| *cost as i64))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(distances))
}

fn hamming(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (call.texts(0)?, call.texts(1)?);
    let distances = (0..call.rows)
        .map(|row| {
            let (Some(a), Some(b)) = (a.get(row), b.get(row)) else { return Ok(None) };
            if count(a) != count(b) {
                return Err(failed(
                    "The input strings to hamming_distance function must have the same length",
                ));
            }
            Ok(Some(a.chars().zip(b.chars()).filter(|(x, y)| x != y).count() as i64))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(distances))
}

fn translate(call: &Call) -> Result<ArrayRef> {
    let (texts, from, to) = (call.texts(0)?, call.texts(1)?, call.texts(2)?);
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to.get(row)) else {
            result.push(None)?;
            continue;
        };
        let translated: String = text
            .chars()
            .filter_map(|c| match from.chars().position(|known| known == c) {
                Some(place) => to.chars().nth(place),
                None => Some(c),
            })
            .collect();
        result.push(Some(&translated))?;
    }
    Ok(result.finish())
}

/// `format('%s has %d', …)`: the conversions `%s`, `%d`, `%f`, `%x`, `%%`, with width, precision, `-`, `0` and `,`.
fn format(call: &Call) -> Result<ArrayRef> {
    let formats = call.texts(0)?;
    let values = call.arguments[1..]
        .iter()
        .map(|argument| {
            let numeric = argument.array.data_type().is_numeric();
            let texts = if argument.array.data_type().is_floating() {
                arrow::compute::cast(&argument.array, &DataType::Utf8)?
            } else {
                super::cast::cast(&argument.array, &DataType::Utf8)?
            };
            Ok((super::column::Argument { array: texts, constant: argument.constant }, numeric))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let Some(format) = formats.get(row) else {
            result.push(None)?;
            continue;
        };
        let given: Vec<Option<String>> = values
            .iter()
            .map(|(argument, _)| {
                super::column::Texts::of(&argument.array, argument.constant)
                    .and_then(|texts| texts.get(row).map(str::to_owned))
            })
            .collect();
        result.push(Some(&printf(format, &given)?))?;
    }
    Ok(result.finish())
}

fn printf(format: &str, values: &[Option<String>]) -> Result<String> {
    let wrong = || failed(format!("Invalid format string: {format}"));
    let mut text = String::new();
    let mut next = values.iter();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic() || c == '%').ok_or_else(wrong)?;
        let (flags, conversion) = (&after[..end], &after[end..=end]);
        rest = &after[end + 1..];
        if conversion == "%" {
            text.push('%');
            continue;
        }
        let value = next.next().ok_or_else(wrong)?;
        let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
        let digits = width.trim_start_matches(['-', '0', ',', '+', ' ']);
        let size: usize = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| wrong())? };
        if size > MAX_VALUE_BYTES / 4 {
            return Err(wrong());
        }
        let mark = &width[..width.len() - digits.len()];
        let mut shown = convert(conversion, precision, value.as_deref()).ok_or_else(wrong)?;
        if mark.contains(',') {
            shown = grouped(&shown);
        }
        let missing = size.saturating_sub(count(&shown));
        match (mark.contains('-'), mark.contains('0')) {
            (true, _) => text.push_str(&format!("{shown}{}", " ".repeat(missing))),
            (_, true) => {
                let (sign, digits) = shown.split_at(usize::from(shown.starts_with('-')));
                text.push_str(&format!("{sign}{}{digits}", "0".repeat(missing)));
            }
            _ => text.push_str(&format!("{}{shown}", " ".repeat(missing))),
        }
        if text.len() > MAX_VALUE_BYTES {
            return Err(failed("the result of a function is too large"));
        }
    }
    text.push_str(rest);
    Ok(text)
}

fn convert(conversion: &str, precision: &str, value: Option<&str>) -> Option<String> {
    let Some(value) = value else { return Some("null".to_owned()) };
    match conversion {
        "s" | "S" => {
            let upper = if conversion == "S" { value.to_uppercase() } else { value.to_owned() };
            let limit: usize = if precision.is_empty() { usize::MAX } else { precision.parse().ok()? };
            Some(upper.chars().take(limit).collect())
        }
        "d" => value.parse::<i64>().ok().map(|value| value.to_string()),
        "x" => value.parse::<i64>().ok().map(|value| format!("{value:x}")),
        "X" => value.parse::<i64>().ok().map(|value| format!("{value:X}")),
        "f" => {
            let digits: usize = if precision.is_empty() { 6 } else { precision.parse().ok()? };
            let value: f64 = value.parse().ok()?;
            (digits <= 100).then(|| format!("{value:.digits$}"))
        }
        "e" => value.parse::<f64>().ok().map(|value| format!("{value:e}")),
        "b" => Some(value.to_owned()),
        _ => None,
    }
}

fn grouped(number: &str) -> String {
    let (sign, digits) = number.split_at(usize::from(number.starts_with('-')));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}{fraction}")
}
