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
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Variable(Variable),
    One,
    Many,
}

/// A piece of a pattern after substitution.
#[derive(Debug, Clone, Copy)]
enum Token<'a> {
    Text(&'a str),
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
        Ok(Self { pieces })
    }

    /// Whether the pattern means the same in every request.
    pub(crate) fn is_constant(&self) -> bool {
        !self.pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)))
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The keys that its variables stand for, in the form in which contexts keep names.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable.key()),
            _ => None,
        })
    }

    /// Whether the whole of `text` is what the pattern describes. At worst proportional to the product of
    /// the two lengths, and to their sum where the pattern has no `?`.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> Result<bool, Unresolved> {
        match self.pieces.as_slice() {
            [] => return Ok(text.is_empty()),
            [Piece::Many] => return Ok(true),
            [Piece::Text(literal)] => return Ok(text == literal),
            _ => {}
        }
        let tokens = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(literal) => Ok(Token::Text(literal)),
                Piece::Variable(variable) => variable.resolve(context).map(Token::Text).ok_or(Unresolved),
                Piece::One => Ok(Token::One),
                Piece::Many => Ok(Token::Many),
            })
            .collect::<Result<Vec<_>, Unresolved>>()?;
        Ok(matches_tokens(&tokens, text))
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

/// Splits at the asterisks. The first segment is held to the start, the last to the end, and each of the
/// others takes the leftmost place after the one before it: if any assignment works, this one does, so
/// there is never a reason to go back.
fn matches_tokens(tokens: &[Token<'_>], text: &str) -> bool {
    let mut segments = tokens.split(|token| matches!(token, Token::Many));
    let Some(first) = segments.next() else { return text.is_empty() };
    let Some(mut rest) = strip_start(first, text) else { return false };
    let Some(last) = segments.next_back() else { return rest.is_empty() };
    match strip_end(last, rest) {
        Some(middle) => rest = middle,
        None => return false,
    }
    for segment in segments {
        match after_leftmost(segment, rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// What follows `segment` at the start of `text`.
fn strip_start<'t>(segment: &[Token<'_>], text: &'t str) -> Option<&'t str> {
    segment.iter().try_fold(text, |rest, token| match token {
        Token::Text(literal) => rest.strip_prefix(literal),
        Token::One | Token::Many => rest.chars().next().map(|character| &rest[character.len_utf8()..]),
    })
}

/// What precedes `segment` at the end of `text`.
fn strip_end<'t>(segment: &[Token<'_>], text: &'t str) -> Option<&'t str> {
    segment.iter().rev().try_fold(text, |rest, token| match token {
        Token::Text(literal) => rest.strip_suffix(literal),
        Token::One | Token::Many => {
            rest.chars().next_back().map(|character| &rest[..rest.len() - character.len_utf8()])
        }
    })
}

/// What follows the leftmost occurrence of `segment` in `text`.
fn after_leftmost<'t>(segment: &[Token<'_>], text: &'t str) -> Option<&'t str> {
    // Leading single-character wildcards only move the place from which the rest may begin.
    let skipped = segment.iter().take_while(|token| matches!(token, Token::One)).count();
    let mut rest = strip_start(&segment[..skipped], text)?;
    let [Token::Text(literal), following @ ..] = &segment[skipped..] else { return Some(rest) };
    loop {
        let found = rest.find(literal)?;
        if let Some(after) = strip_start(following, &rest[found + literal.len()..]) {
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
