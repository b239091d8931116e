//! Regular expressions. Those of the regex crate take time in proportion to the text, whatever the pattern; what Java's have
//! beyond them (look-around, back references) is refused.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use datafusion::common::Result;
use regex::{Regex, RegexBuilder};

use super::call::{Call, Function, failed, function, returns};
use super::column::{Picks, TextBuilder, Texts};

/// Bytes that a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 4 << 20;

/// Bytes of a pattern's text.
const MAX_PATTERN_TEXT: usize = 16 << 10;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("regexp_like", (Text, Text) -> returns::boolean => regexp_like),
    function!("regexp_extract",
        (Text, Text) -> returns::text => regexp_extract,
        (Text, Text, Bigint) -> returns::text => regexp_extract),
    function!("regexp_extract_all",
        (Text, Text) -> returns::texts => regexp_extract_all,
        (Text, Text, Bigint) -> returns::texts => regexp_extract_all),
    function!("regexp_replace",
        (Text, Text) -> returns::text => regexp_replace,
        (Text, Text, Text) -> returns::text => regexp_replace),
    function!("regexp_split", (Text, Text) -> returns::texts => regexp_split),
    function!("regexp_count", (Text, Text) -> returns::bigint => regexp_count),
    function!("regexp_position",
        (Text, Text) -> returns::bigint => regexp_position,
        (Text, Text, Bigint) -> returns::bigint => regexp_position,
        (Text, Text, Bigint, Bigint) -> returns::bigint => regexp_position),
];

/// A compiled pattern.
pub(crate) struct Pattern {
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is no pattern, or too large a one.
    pub(crate) fn new(text: &str) -> Result<Self> {
        if text.len() > MAX_PATTERN_TEXT {
            return Err(failed("a regular expression is too long"));
        }
        let regex =
            RegexBuilder::new(text).size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES).build();
        let regex = regex.map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            failed(format!("Invalid regular expression '{text}': {reason}"))
        })?;
        Ok(Self { regex })
    }

    /// The compiled form.
    pub(crate) fn regex(&self) -> &Regex {
        &self.regex
    }
}

/// Patterns as rows want them: one that is constant is compiled once, another when it changes.
struct Patterns<'a> {
    texts: Texts<'a>,
    last: Option<(&'a str, Pattern)>,
}

impl<'a> Patterns<'a> {
    fn of(call: &'a Call) -> Result<Self> {
        Ok(Self { texts: call.texts(1)?, last: None })
    }

    fn get(&mut self, row: usize) -> Result<Option<&Regex>> {
        let Some(text) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(known, _)| *known != text) {
            self.last = Some((text, Pattern::new(text)?));
        }
        Ok(self.last.as_ref().map(|(_, pattern)| &pattern.regex))
    }
}

fn regexp_like(call: &Call) -> Result<ArrayRef> {
    let (sources, mut patterns) = (call.texts(0)?, Patterns::of(call)?);
    let found = (0..call.rows)
        .map(|row| {
            let Some(regex) = patterns.get(row)? else { return Ok(None) };
            Ok(sources.get(row).map(|source| regex.is_match(source)))
        })
        .collect::<Result<BooleanArray>>()?;
    Ok(Arc::new(found))
}

/// The group that a call asks for, of those that the pattern has.
fn group(call: &Call, row: usize, regex: &Regex) -> Result<Option<usize>> {
    if !call.has(2) {
        return Ok(Some(0));
    }
    let Some(group) = call.longs(2)?.get(row) else { return Ok(None) };
    match usize::try_from(group) {
        Ok(index) if index < regex.captures_len() => Ok(Some(index)),
        _ => Err(failed(format!(
            "Pattern has {} groups. Cannot access group {group}",
            regex.captures_len().saturating_sub(1)
        ))),
    }
}

fn regexp_extract(call: &Call) -> Result<ArrayRef> {
    let (sources, mut patterns) = (call.texts(0)?, Patterns::of(call)?);
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let (Some(regex), Some(source)) = (patterns.get(row)?, sources.get(row)) else {
            result.push(None)?;
            continue;
        };
        let found = match group(call, row, regex)? {
            None => None,
            Some(0) => regex.find(source).map(|found| found.as_str()),
            Some(group) => {
                regex.captures(source).and_then(|found| found.get(group)).map(|found| found.as_str())
            }
        };
        result.push(found)?;
    }
    Ok(result.finish())
}

fn regexp_extract_all(call: &Call) -> Result<ArrayRef> {
    let (sources, mut patterns) = (call.texts(0)?, Patterns::of(call)?);
    let (mut picks, mut values) = (Picks::new(call.rows), TextBuilder::new(call.rows));
    let mut count = 0;
    for row in 0..call.rows {
        let mut valid = false;
        if let (Some(regex), Some(source)) = (patterns.get(row)?, sources.get(row))
            && let Some(group) = group(call, row, regex)?
        {
            valid = true;
            for found in regex.captures_iter(source) {
                values.push(found.get(group).map(|found| found.as_str()))?;
                picks.pick(Some(count));
                count += 1;
            }
        }
        picks.end(valid)?;
    }
    picks.with_values(values.finish(), &call.result)
}

/// Java's replacement (`$1`, `${name}`, `\$`) as the regex crate's.
fn replacement(java: &str) -> Result<String> {
    let mut text = String::with_capacity(java.len());
    let mut chars = java.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => text.push_str("$$"),
                Some(c) => text.push(c),
                None => return Err(failed("Incorrect escape in a replacement")),
            },
            '$' => {
                let mut name = String::new();
                if chars.peek() == Some(&'{') {
                    chars.next();
                    for c in chars.by_ref().take_while(|c| *c != '}') {
                        name.push(c);
                    }
                } else {
                    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                        name.push(digit);
                    }
                }
                if name.is_empty() {
                    return Err(failed("Illegal replacement sequence: a group is missing after $"));
                }
                text.push_str("${");
                text.push_str(&name);
                text.push('}');
            }
            c => text.push(c),
        }
    }
    Ok(text)
}

fn regexp_replace(call: &Call) -> Result<ArrayRef> {
    let (sources, mut patterns) = (call.texts(0)?, Patterns::of(call)?);
    let replacements = if call.has(2) { Some(call.texts(2)?) } else { None };
    let mut known: Option<(&str, String)> = None;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let wanted = match &replacements {
            Some(texts) => texts.get(row),
            None => Some(""),
        };
        let (Some(regex), Some(source), Some(wanted)) = (patterns.get(row)?, sources.get(row), wanted) else {
            result.push(None)?;
            continue;
        };
        if known.as_ref().is_none_or(|(text, _)| *text != wanted) {
            known = Some((wanted, replacement(wanted)?));
        }
        let by = known.as_ref().map_or("", |(_, by)| by.as_str());
        result.push(Some(&regex.replace_all(source, by)))?;
    }
    Ok(result.finish())
}

fn regexp_split(call: &Call) -> Result<ArrayRef> {
    let (sources, mut patterns) = (call.texts(0)?, Patterns::of(call)?);
    let (mut picks, mut values) = (Picks::new(call.rows), TextBuilder::new(call.rows));
    let mut count = 0;
    for row in 0..call.rows {
        let mut valid = false;
        if let (Some(regex), Some(source)) = (patterns.get(row)?, sources.get(row)) {
            valid = true;
            for part in regex.split(source) {
                values.push(Some(part))?;
                picks.pick(Some(count));
                count += 1;
            }
        }
        picks.end(valid)?;
    }
    picks.with_values(values.finish(), &call.result)
}

fn regexp_count(call: &Call) -> Result<ArrayRef> {
    let (sources, mut patterns) = (call.texts(0)?, Patterns::of(call)?);
    let counts = (0..call.rows)
        .map(|row| {
            let (Some(regex), Some(source)) = (patterns.get(row)?, sources.get(row)) else { return Ok(None) };
            Ok(Some(regex.find_iter(source).count() as i64))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(counts))
}

fn regexp_position(call: &Call) -> Result<ArrayRef> {
    let (sources, mut patterns) = (call.texts(0)?, Patterns::of(call)?);
    let number = |index: usize, row: usize| -> Result<Option<i64>> {
        if call.has(index) { Ok(call.longs(index)?.get(row)) } else { Ok(Some(1)) }
    };
    let places = (0..call.rows)
        .map(|row| {
            let (Some(start), Some(occurrence)) = (number(2, row)?, number(3, row)?) else { return Ok(None) };
            let (Some(regex), Some(source)) = (patterns.get(row)?, sources.get(row)) else { return Ok(None) };
            if start < 1 || occurrence < 1 {
                return Err(failed("regexp_position counts from 1"));
            }
            let Some(begin) =
                source.char_indices().map(|(at, _)| at).chain([source.len()]).nth(start as usize - 1)
            else {
                return Ok(Some(-1));
            };
            let mut found = regex.find_iter(&source[begin..]);
            let place = found
                .nth(occurrence as usize - 1)
                .map(|found| source[..begin + found.start()].chars().count() as i64 + 1);
            Ok(Some(place.unwrap_or(-1)))
        })
        .collect::<Result<Int64Array>>()?;
    Ok(Arc::new(places))
}
