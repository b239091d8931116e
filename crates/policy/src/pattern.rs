//! Text with wildcards and policy variables, and its matching.
//!
//! A variable's value matches only itself: an asterisk in a user's name is not a wildcard.

use std::borrow::Cow;

use crate::{
    Context,
    variable::{self, NotAVariable, Substitution, Variable},
};

/// Which characters of a pattern's source have a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// `*` is any run of characters, `?` any one character.
    pub(crate) wildcards: bool,
    /// `${…}` is a policy variable. Only documents of version 2012-10-17 have them.
    pub(crate) variables: bool,
}

/// Compiled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    /// What every text begins with that it can match; of no meaning where it has variables.
    head: Head,
    has_variables: bool,
}

/// Up to eight bytes that a text begins with, to be compared at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    bytes: u64,
    /// The bits of `bytes` that count.
    mask: u64,
}

/// A text that patterns are held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    text: &'a str,
    first_bytes: u64,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, first_bytes: first_bytes(text.as_bytes()).0 }
    }
}

/// The first eight bytes, zeros where there are fewer; also how many bits they have.
fn first_bytes(text: &[u8]) -> (u64, u32) {
    let mut bytes = [0; 8];
    let count = text.len().min(8);
    bytes[..count].copy_from_slice(&text[..count]);
    (u64::from_le_bytes(bytes), 8 * count as u32)
}

impl Head {
    fn of(pieces: &[Piece]) -> Self {
        let Some(Piece::Text(text)) = pieces.first() else { return Self { bytes: 0, mask: 0 } };
        let (bytes, bits) = first_bytes(text.as_bytes());
        Self { bytes, mask: u64::MAX.checked_shr(64 - bits).unwrap_or(0) }
    }
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Variable(Variable),
    One,
    Many,
}

/// A policy variable that this request has no value for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unresolved;

impl Pattern {
    /// Compiles `source`.
    pub(crate) fn compile(source: &str, syntax: Syntax) -> Result<Self, NotAVariable> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(character) = rest.chars().next() {
            let mut consumed = character.len_utf8();
            let piece = match character {
                '*' if syntax.wildcards => Some(Piece::Many),
                '?' if syntax.wildcards => Some(Piece::One),
                '$' if syntax.variables && rest[1..].starts_with('{') => {
                    let (found, length) = variable::read(&rest[2..])?;
                    consumed = 2 + length;
                    match found {
                        Substitution::Variable(variable) => Some(Piece::Variable(variable)),
                        Substitution::Character(literal) => {
                            text.push(literal);
                            None
                        }
                    }
                }
                other => {
                    text.push(other);
                    None
                }
            };
            if let Some(piece) = piece {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                if !(piece == Piece::Many && pieces.last() == Some(&Piece::Many)) {
                    pieces.push(piece);
                }
            }
            rest = &rest[consumed..];
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let has_variables = pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)));
        Ok(Self { head: Head::of(&pieces), pieces, has_variables })
    }

    /// Whether the pattern means the same in every request.
    pub(crate) fn is_constant(&self) -> bool {
        !self.has_variables
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The keys, in lower case, that its variables stand for.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable.key()),
            _ => None,
        })
    }

    /// The keys that its variables stand for, as the document has them.
    pub(crate) fn written_variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable.written()),
            _ => None,
        })
    }

    /// Whether the whole of `text` is what the pattern describes. At worst proportional to the product of
    /// the two lengths, and to their sum where the pattern has no `?`.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> Result<bool, Unresolved> {
        self.matches_subject(&Subject::new(text), context)
    }

    /// As [`matches`](Self::matches), for a text that many patterns are held against.
    pub(crate) fn matches_subject(
        &self,
        subject: &Subject<'_>,
        context: &Context,
    ) -> Result<bool, Unresolved> {
        let text = subject.text;
        if self.has_variables {
            return self.matches_with_variables(text, context);
        }
        if (subject.first_bytes ^ self.head.bytes) & self.head.mask != 0 {
            return Ok(false);
        }
        Ok(match self.pieces.as_slice() {
            [] => text.is_empty(),
            [Piece::Many] => true,
            [Piece::Text(literal)] => text == literal,
            [Piece::Text(literal), Piece::Many] => text.starts_with(literal.as_str()),
            pieces => matches_pieces(pieces, text, context),
        })
    }

    fn matches_with_variables(&self, text: &str, context: &Context) -> Result<bool, Unresolved> {
        let is_resolved = |piece: &Piece| match piece {
            Piece::Variable(variable) => variable.resolve(context).is_some(),
            Piece::Text(_) | Piece::One | Piece::Many => true,
        };
        if !self.pieces.iter().all(is_resolved) {
            return Err(Unresolved);
        }
        Ok(matches_pieces(&self.pieces, text, context))
    }

    /// The text of a pattern compiled without wildcards.
    pub(crate) fn text<'a>(&'a self, context: &'a Context) -> Result<Cow<'a, str>, Unresolved> {
        if let [Piece::Text(literal)] = self.pieces.as_slice() {
            return Ok(Cow::Borrowed(literal));
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Variable(variable) => text.push_str(variable.resolve(context).ok_or(Unresolved)?),
                Piece::One => text.push('?'),
                Piece::Many => text.push('*'),
            }
        }
        Ok(Cow::Owned(text))
    }
}

impl Piece {
    /// The text that stands for itself. A variable must have a value.
    fn literal<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match self {
            Self::Text(literal) => Some(literal),
            Self::Variable(variable) => variable.resolve(context),
            Self::One | Self::Many => None,
        }
    }
}

/// Splits at the asterisks. The first segment is held to the start, the last to the end, and each of the
/// others takes the leftmost place after the one before it: if any assignment works, this one does, so
/// there is never a reason to go back.
fn matches_pieces(pieces: &[Piece], text: &str, context: &Context) -> bool {
    let mut segments = pieces.split(|piece| matches!(piece, Piece::Many));
    let Some(first) = segments.next() else { return text.is_empty() };
    let Some(mut rest) = strip_start(first, text, context) else { return false };
    let Some(last) = segments.next_back() else { return rest.is_empty() };
    match strip_end(last, rest, context) {
        Some(middle) => rest = middle,
        None => return false,
    }
    for segment in segments {
        match after_leftmost(segment, rest, context) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// What follows `segment` at the start of `text`.
fn strip_start<'t>(segment: &[Piece], text: &'t str, context: &Context) -> Option<&'t str> {
    segment.iter().try_fold(text, |rest, piece| match piece.literal(context) {
        Some(literal) => rest.strip_prefix(literal),
        None => rest.chars().next().map(|character| &rest[character.len_utf8()..]),
    })
}

/// What precedes `segment` at the end of `text`.
fn strip_end<'t>(segment: &[Piece], text: &'t str, context: &Context) -> Option<&'t str> {
    segment.iter().rev().try_fold(text, |rest, piece| match piece.literal(context) {
        Some(literal) => rest.strip_suffix(literal),
        None => rest.chars().next_back().map(|character| &rest[..rest.len() - character.len_utf8()]),
    })
}

/// What follows the leftmost occurrence of `segment` in `text`.
fn after_leftmost<'t>(segment: &[Piece], text: &'t str, context: &Context) -> Option<&'t str> {
    // Leading single-character wildcards only move the place from which the rest may begin.
    let skipped = segment.iter().take_while(|piece| matches!(piece, Piece::One)).count();
    let mut rest = strip_start(&segment[..skipped], text, context)?;
    let [first, following @ ..] = &segment[skipped..] else { return Some(rest) };
    let literal = first.literal(context)?;
    loop {
        let found = rest.find(literal)?;
        if let Some(after) = strip_start(following, &rest[found + literal.len()..], context) {
            return Some(after);
        }
        let step = rest[found..].chars().next()?.len_utf8();
        rest = &rest[found + step..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Pattern, Syntax, Unresolved};
    use crate::Context;

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    fn matches(pattern: &str, text: &str, context: &Context) -> Result<bool, Unresolved> {
        Pattern::compile(pattern, ALL).expect("a pattern").matches(text, context)
    }

    /// The definition: the first piece matches some beginning, the others match the rest.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            ['?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
            [literal, rest @ ..] => text.first() == Some(literal) && naive(rest, &text[1..]),
        }
    }

    #[test]
    fn wildcards_match_characters_not_bytes() {
        let context = Context::new();
        assert_eq!(matches("?", "é", &context), Ok(true));
        assert_eq!(matches("??", "é", &context), Ok(false));
        assert_eq!(matches("a*?é", "aéé", &context), Ok(true));
    }

    #[test]
    fn an_occurrence_may_overlap_one_that_failed() {
        let context = Context::new();
        assert_eq!(matches("*aa?b*", "aaaab", &context), Ok(true));
        assert_eq!(matches("*éé?b*", "ééééb", &context), Ok(true));
        assert_eq!(matches("*ab*b", "ab", &context), Ok(false));
    }

    #[test]
    fn a_variables_value_matches_only_itself() {
        let context = Context::new().with("aws:username", "a*");
        assert_eq!(matches("home/${aws:username}/*", "home/a*/x", &context), Ok(true));
        assert_eq!(matches("home/${aws:username}/*", "home/ab/x", &context), Ok(false));
        assert_eq!(matches("home/${aws:userid}/*", "home//x", &context), Err(Unresolved));
        assert_eq!(matches("${*}${?}${$}", "*?$", &context), Ok(true));
        assert_eq!(matches("${*}", "x", &context), Ok(false));
        assert_eq!(matches("$", "$", &context), Ok(true));
    }

    #[test]
    fn an_old_document_has_no_variables() {
        let old = Syntax { wildcards: false, variables: false };
        let pattern = Pattern::compile("${aws:username", old).expect("plain text");
        assert_eq!(pattern.text(&Context::new()).as_deref(), Ok("${aws:username"));
        assert!(Pattern::compile("${aws:username", ALL).is_err());
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let pattern = "*a?".repeat(2_000) + "b";
        let text = "a".repeat(60_000);
        assert_eq!(matches(&pattern, &text, &Context::new()), Ok(false));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn matching_agrees_with_its_definition(pattern in "[ab*?é]{0,9}|\\*[ab?]{1,5}\\*[ab*?]{0,4}", text in "[abé]{0,9}|[ab]{0,12}") {
            let expected = naive(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            prop_assert_eq!(matches(&pattern, &text, &Context::new()), Ok(expected));
        }

        #[test]
        fn compiling_never_panics(pattern in "[$\\{\\}a,' *?é]{0,20}", text in ".{0,9}") {
            if let Ok(pattern) = Pattern::compile(&pattern, ALL) {
                let _ = pattern.matches(&text, &Context::new());
            }
        }
    }
}
