//! Where a document's statements stand in its text.

use crate::Policy;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column within the line in characters, from 1.
    pub column: usize,
}

impl Policy {
    /// Where its `index`-th statement begins and ends, as IAM's policy simulator counts: in a list from the brace
    /// that opens it, alone from what follows that brace; to what follows the brace that closes it.
    ///
    /// `None` if there is no such statement.
    pub fn position(&self, index: usize) -> Option<(Position, Position)> {
        let text = self.source();
        let scanner = Scanner { bytes: text.as_bytes() };
        let statements = scanner.statements()?;
        let alone = text.as_bytes().get(statements) == Some(&b'{');
        let (start, end) = if alone {
            (index == 0).then(|| (statements + 1, scanner.after(statements)))?
        } else {
            let start = scanner.element(statements, index)?;
            (start, scanner.after(start))
        };
        Some((at(text, start), at(text, end)))
    }
}

fn at(text: &str, offset: usize) -> Position {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

/// Walks through JSON that was found valid before.
struct Scanner<'a> {
    bytes: &'a [u8],
}

impl Scanner<'_> {
    /// Where the value of the document's `Statement` begins.
    fn statements(&self) -> Option<usize> {
        let mut at = self.past_space(0) + 1;
        loop {
            let name = self.past_space(at);
            let colon = self.past_space(self.after(name));
            let value = self.past_space(colon + 1);
            let written = std::str::from_utf8(self.bytes.get(name..self.after(name))?).ok()?;
            if serde_json::from_str::<String>(written).ok()? == "Statement" {
                return Some(value);
            }
            at = self.past_comma(self.after(value))?;
        }
    }

    /// Where the `index`-th element of the list that begins at `list` begins.
    fn element(&self, list: usize, index: usize) -> Option<usize> {
        let mut element = self.past_space(list + 1);
        for _ in 0..index {
            element = self.past_space(self.past_comma(self.after(element))?);
        }
        (self.bytes.get(element) == Some(&b'{')).then_some(element)
    }

    fn past_space(&self, from: usize) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    }

    fn past_comma(&self, from: usize) -> Option<usize> {
        let comma = self.past_space(from);
        (self.bytes.get(comma) == Some(&b',')).then_some(comma + 1)
    }

    /// Behind the value that begins at `from`.
    fn after(&self, from: usize) -> usize {
        let (mut at, mut depth, mut in_text) = (from, 0_usize, false);
        while let Some(byte) = self.bytes.get(at) {
            at += 1;
            match byte {
                b'\\' if in_text => at += 1,
                b'"' => in_text = !in_text,
                _ if in_text => continue,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => continue,
            }
            if depth == 0 && !in_text {
                break;
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::Position;
    use crate::{Policy, PolicyKind};

    fn positions(text: &str, index: usize) -> Option<((usize, usize), (usize, usize))> {
        let policy = Policy::parse(text, PolicyKind::Identity).expect("a policy");
        let pair = |position: Position| (position.line, position.column);
        policy.position(index).map(|(start, end)| (pair(start), pair(end)))
    }

    #[test]
    fn a_statement_alone_is_where_the_cli_reference_shows_it() {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}"#;
        assert_eq!(positions(text, 0), Some(((1, 38), (1, 167))));
        assert_eq!(positions(text, 1), None);
    }

    #[test]
    fn statements_in_a_list_are_told_apart() {
        let text = "{\n  \"Id\": \"a\\\"}]\",\n  \"\\u0053tatement\": [\n    {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"},\n    {\n      \"Sid\": \"e\",\n      \"Effect\": \"Deny\", \"Action\": [\"a:b\", \"c:d\"], \"Resource\": \"*\"\n    } ]\n}";
        assert_eq!(positions(text, 0), Some(((4, 5), (4, 56))));
        assert_eq!(positions(text, 1), Some(((5, 5), (8, 6))));
        assert_eq!(positions(text, 2), None);
    }
}
