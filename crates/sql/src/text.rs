//! A query as words and signs, each with its place.

use std::collections::HashMap;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

use crate::SqlError;
use crate::dialect::Trino;
use crate::statement::MAX_LENGTH;

/// How deep brackets of all kinds may be nested. Trino has no number for it, its parser's stack decides; no query that a
/// person wrote comes near it.
const MAX_DEPTH: usize = 50;

/// How often a part of a query may be read. In FROM, the parser reads what stands in brackets as a query first and as joins
/// in brackets if that fails: what stands in n brackets at once is read up to n times, and that multiplies where such
/// brackets stand in others.
const MAX_READINGS: usize = 1000;

/// The characters of a UUID: 8-4-4-4-12 hexadecimal digits.
const UUID_LENGTH: usize = 36;

/// A line and a column, both counted from 1, in characters.
pub(crate) type Place = (u64, u64);

/// The tokens of a query, as written.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    tokens: Vec<TokenWithSpan>,
    end: Place,
}

impl Text {
    /// Reads tokens. A UUID that stands alone is one word, the name of a table.
    pub(crate) fn read(sql: &str) -> Result<Self, SqlError> {
        if sql.chars().count() > MAX_LENGTH {
            return Err(SqlError::mistake(format!("A query has at most {MAX_LENGTH} characters.")));
        }
        let (masked, uuids) = mask_uuids(sql);
        let mut tokens = Tokenizer::new(&Trino::default(), &masked)
            .tokenize_with_location()
            .map_err(|error| SqlError::mistake_at(place(error.location), format!("{}.", error.message)))?;
        for token in &mut tokens {
            if let (Token::Word(word), Some(uuid)) = (&mut token.token, uuids.get(&place(token.span.start))) {
                *word = Word { value: uuid.clone(), quote_style: None, keyword: Keyword::NoKeyword };
            }
        }
        let end = masked.lines().enumerate().last();
        let end = end.map_or((1, 1), |(line, text)| (line as u64 + 1, text.chars().count() as u64 + 1));
        let text = Text { tokens, end };
        text.check_depth()?;
        Ok(text)
    }

    fn check_depth(&self) -> Result<(), SqlError> {
        // For each open bracket, how often the parser may come by.
        let mut readings: Vec<usize> = Vec::new();
        // How many round brackets stand directly before a token.
        let mut run = 0_usize;
        for token in self.tokens() {
            if begins_query(&token.token) {
                let start = readings.len().saturating_sub(run);
                for bracket in readings.iter_mut().skip(start) {
                    *bracket = bracket.saturating_mul(run);
                }
            }
            run = if token.token == Token::LParen { run + 1 } else { 0 };
            match token.token {
                Token::LParen | Token::LBracket | Token::LBrace => {
                    readings.push(readings.last().copied().unwrap_or(1));
                }
                Token::RParen | Token::RBracket | Token::RBrace => {
                    readings.pop();
                }
                _ => {}
            }
            if readings.len() > MAX_DEPTH {
                let message = format!("Brackets are nested more than {MAX_DEPTH} deep.");
                return Err(SqlError::mistake_at(place(token.span.start), message));
            }
            if readings.last().is_some_and(|readings| *readings > MAX_READINGS) {
                let message = "Queries in more brackets than they need are nested too deep.";
                return Err(SqlError::mistake_at(place(token.span.start), message));
            }
        }
        Ok(())
    }

    /// Everything but spaces and comments.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &TokenWithSpan> {
        self.tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)))
    }

    /// All tokens, spaces and comments too.
    pub(crate) fn to_vec(&self) -> Vec<TokenWithSpan> {
        self.tokens.clone()
    }

    /// The place behind the last character.
    pub(crate) fn end(&self) -> Place {
        self.end
    }

    /// The word at a place, as written.
    pub(crate) fn word_at(&self, at: Location) -> Option<&str> {
        let found = self.tokens.binary_search_by_key(&at, |token| token.span.start).ok()?;
        match &self.tokens.get(found)?.token {
            Token::Word(word) => Some(&word.value),
            _ => None,
        }
    }

    /// Where a name first stands, whatever its case; with `call`, where it is called as a function.
    pub(crate) fn find(&self, name: &str, call: bool) -> Option<Place> {
        let tokens: Vec<_> = self.tokens().collect();
        tokens.iter().enumerate().find_map(|(index, token)| {
            let Token::Word(word) = &token.token else { return None };
            let opens = tokens.get(index + 1).is_some_and(|next| next.token == Token::LParen);
            (word.value.eq_ignore_ascii_case(name) && (!call || opens)).then(|| place(token.span.start))
        })
    }
}

/// Whether a query may begin with a token, for the parser, which knows more than SELECT.
fn begins_query(token: &Token) -> bool {
    let Token::Word(word) = token else { return false };
    matches!(
        word.keyword,
        Keyword::SELECT
            | Keyword::WITH
            | Keyword::VALUES
            | Keyword::VALUE
            | Keyword::TABLE
            | Keyword::FROM
            | Keyword::INSERT
            | Keyword::UPDATE
            | Keyword::DELETE
            | Keyword::MERGE
    )
}

/// A place of the parser's as ours.
pub(crate) fn place(location: Location) -> Place {
    (location.line, location.column)
}

/// Puts a word of the same length where a UUID stands outside of quotes and comments, since a UUID is a sum to the parser.
fn mask_uuids(sql: &str) -> (String, HashMap<Place, String>) {
    let chars: Vec<char> = sql.chars().collect();
    let mut masked = String::with_capacity(sql.len());
    let mut uuids = HashMap::new();
    let (mut line, mut column, mut at) = (1_u64, 1_u64, 0_usize);
    let mut quoted: Option<Quoted> = None;
    while let Some(&ch) = chars.get(at) {
        let taken = match &quoted {
            Some(quote) => {
                let taken = quote.closes(&chars, at);
                if taken > 0 {
                    quoted = None;
                }
                taken.max(1)
            }
            None => {
                if let Some(uuid) = uuid_at(&chars, at) {
                    masked.push('u');
                    masked.extend(std::iter::repeat_n('_', UUID_LENGTH - 1));
                    uuids.insert((line, column), uuid);
                    at += UUID_LENGTH;
                    column += UUID_LENGTH as u64;
                    continue;
                }
                quoted = Quoted::opens(&chars, at);
                if matches!(quoted, Some(Quoted::Line | Quoted::Block)) { 2 } else { 1 }
            }
        };
        for &ch in chars.iter().skip(at).take(taken) {
            masked.push(ch);
            column += 1;
            if ch == '\n' {
                line += 1;
                column = 1;
            }
        }
        debug_assert!(taken > 0, "{ch} is passed");
        at += taken;
    }
    (masked, uuids)
}

/// What a UUID does not count in.
#[derive(Debug, Clone, Copy)]
enum Quoted {
    By(char),
    Line,
    Block,
}

impl Quoted {
    fn opens(chars: &[char], at: usize) -> Option<Self> {
        match (chars.get(at)?, chars.get(at + 1)) {
            (quote @ ('\'' | '"'), _) => Some(Quoted::By(*quote)),
            ('-', Some('-')) => Some(Quoted::Line),
            ('/', Some('*')) => Some(Quoted::Block),
            _ => None,
        }
    }

    /// How many characters end it here; 0 if it goes on. A doubled quote ends it and opens the next.
    fn closes(self, chars: &[char], at: usize) -> usize {
        match (self, chars.get(at), chars.get(at + 1)) {
            (Quoted::By(quote), Some(ch), _) if *ch == quote => 1,
            (Quoted::Line, Some('\n'), _) => 1,
            (Quoted::Block, Some('*'), Some('/')) => 2,
            _ => 0,
        }
    }
}

/// The UUID, in lower case, that starts here and stands alone.
fn uuid_at(chars: &[char], at: usize) -> Option<String> {
    let joins = |ch: &char| ch.is_alphanumeric() || matches!(ch, '_' | '-' | '$' | '@' | '.');
    if at.checked_sub(1).and_then(|before| chars.get(before)).is_some_and(|ch| *ch != '.' && joins(ch)) {
        return None;
    }
    let uuid = chars.get(at..at + UUID_LENGTH)?;
    let dashes = [8, 13, 18, 23];
    let fits = uuid
        .iter()
        .enumerate()
        .all(|(index, ch)| if dashes.contains(&index) { *ch == '-' } else { ch.is_ascii_hexdigit() });
    let alone = chars.get(at + UUID_LENGTH).is_none_or(|ch| *ch == '.' || !joins(ch));
    (fits && alone).then(|| uuid.iter().collect::<String>().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809";

    fn words(sql: &str) -> Vec<String> {
        let text = Text::read(sql).expect("tokens");
        text.tokens()
            .filter_map(|token| match &token.token {
                Token::Word(word) => Some(word.value.clone()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_uuid_is_one_word() {
        assert_eq!(words(&format!("SELECT a FROM {UUID} b")), ["SELECT", "a", "FROM", UUID, "b"]);
        assert_eq!(words(&format!("FROM {} WHERE", UUID.to_uppercase())), ["FROM", UUID, "WHERE"]);
        assert_eq!(words(&format!("{UUID}.eventname")), [UUID, "eventname"]);
    }

    #[test]
    fn a_uuid_in_quotes_or_comments_is_left_alone() {
        let text = format!("'{UUID}' -- it's {UUID}\n/* \" {UUID} */ \"{UUID}\" 'it''s {UUID}'");
        assert_eq!(words(&text), [UUID]);
        let read = Text::read(&text).expect("tokens");
        let strings: Vec<_> = read
            .tokens()
            .filter_map(|token| match &token.token {
                Token::SingleQuotedString(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(strings, [UUID.to_owned(), format!("it's {UUID}")]);
    }

    #[test]
    fn brackets_that_multiply_the_work_are_refused() {
        let nested = |part: &str, count: usize| Text::read(&format!("SELECT * FROM {}t", part.repeat(count)));
        for part in ["((SELECT * FROM ", "( (WITH a AS (SELECT 1) SELECT * FROM ", "(((SELECT * FROM "] {
            let error = nested(part, 15).expect_err(part).to_string();
            assert!(error.contains("in more brackets than they need"), "{error}");
            assert!(nested(part, 6).is_ok(), "{part}");
        }
        assert!(nested("(SELECT * FROM ", 45).is_ok());
        assert!(nested(&"(".repeat(45), 1).is_ok());
        assert!(nested("((SELECT 1) UNION (SELECT 2)), ", 50).is_ok());
    }

    #[test]
    fn places_are_those_of_the_text_as_written() {
        let text = Text::read(&format!("SELECT\n  x FROM {UUID}\nWHERE yy = 1")).expect("tokens");
        assert_eq!(text.find("x", false), Some((2, 3)));
        assert_eq!(text.find(UUID, false), Some((2, 10)));
        assert_eq!(text.find("YY", false), Some((3, 7)));
    }
}
