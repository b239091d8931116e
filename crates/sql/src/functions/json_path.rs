//! The paths of `json_extract`: `$.store.book[0]["a b"]`, as Trino reads them.

use datafusion::common::{DataFusionError, Result};

/// Steps that a path may have.
const MAX_STEPS: usize = 200;

/// A path into a JSON value: at each step the name of a member, which is also the index of an element where an array stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    name: String,
    index: Option<usize>,
}

impl Step {
    fn new(name: String) -> Self {
        let index = name.parse().ok();
        Self { name, index }
    }
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// `Invalid JSON path`, Trino's words, for what is none.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let invalid = || DataFusionError::Execution(format!("Invalid JSON path: '{text}'"));
        let mut rest = text.trim().strip_prefix('$').ok_or_else(invalid)?;
        let mut steps = Vec::new();
        while let Some(first) = rest.chars().next() {
            if steps.len() == MAX_STEPS {
                return Err(invalid());
            }
            let name = match first {
                '.' => {
                    let end = rest[1..].find(['.', '[']).map_or(rest.len(), |end| end + 1);
                    let name = rest[1..end].to_owned();
                    rest = &rest[end..];
                    if name.is_empty() || name == "*" || name.chars().any(|c| c.is_whitespace() || c == ']') {
                        return Err(invalid());
                    }
                    name
                }
                '[' => {
                    let (name, after) = subscript(&rest[1..]).ok_or_else(invalid)?;
                    rest = after;
                    name
                }
                _ => return Err(invalid()),
            };
            steps.push(Step::new(name));
        }
        Ok(Self { steps })
    }

    /// The JSON text at the end of the path; nothing if there is none, or the text is no JSON.
    pub(crate) fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
        let mut found = json.trim_ascii();
        if self.steps.is_empty() {
            return Some(found);
        }
        for step in &self.steps {
            let value = match found.as_bytes().first()? {
                b'{' => sonic_rs::get_from_str(found, [step.name.as_str()]).ok()?,
                b'[' => sonic_rs::get_from_str(found, [step.index?]).ok()?,
                _ => return None,
            };
            let std::borrow::Cow::Borrowed(raw) = value.as_raw_cow() else { return None };
            found = raw;
        }
        Some(found)
    }
}

/// What is between `[` and `]`, and what follows.
fn subscript(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    if quote != '"' && quote != '\'' {
        let (name, rest) = text.split_once(']')?;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        return plain.then(|| (name.to_owned(), rest));
    }
    let mut name = String::new();
    let mut chars = text[1..].char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            c if c == quote => {
                let rest = text[1 + index + 1..].strip_prefix(']')?;
                return Some((name, rest));
            }
            c => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_value() {
        let json =
            r#"{"store": {"book": [{"title": "a"}, {"title": "b c", "1": 7}], "x y": true}, "k": null}"#;
        for (path, found) in [
            ("$", Some(json)),
            ("$.store.book[1].title", Some("\"b c\"")),
            ("$.store.book.0", Some(r#"{"title": "a"}"#)),
            ("$['store'][\"x y\"]", Some("true")),
            ("$.store.book[1][1]", Some("7")),
            ("$.k", Some("null")),
            ("$.store.book[7]", None),
            ("$.nothing.at.all", None),
        ] {
            assert_eq!(Path::parse(path).expect(path).find(json), found, "{path}");
        }
        assert_eq!(Path::parse("$.a").expect("path").find("no json"), None);
        assert_eq!(Path::parse("$.a").expect("path").find("{\"b\":"), None);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "a", ".a", "$a", "$.", "$..a", "$[", "$[]", "$['a", "$['a'", "$.a[*]", "$.*", "$[0"]
        {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }
}
