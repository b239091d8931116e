//! A query that was read: one SELECT, the tables that it names, the parameters that it waits for.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, Spanned, Visit, Visitor};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::SqlError;
use crate::deep::deep;
use crate::dialect::Trino;
use crate::text::{Place, Text, place};
use crate::{refuse, values};

/// How many characters a query may have: `QueryStatement` of
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartQuery.html>.
pub const MAX_LENGTH: usize = 10_000;

/// How deep the parser may go, for what is nested without brackets: `NOT NOT NOT …`, `CASE WHEN CASE WHEN …`.
const MAX_RECURSION: usize = 300;

/// A query, read but not planned: whether its columns exist is found out by [`Engine::run`](crate::Engine::run).
#[derive(Debug, Clone)]
pub struct Statement {
    text: Text,
    tables: Vec<String>,
    parameters: usize,
}

impl Statement {
    /// Reads a query.
    ///
    /// # Errors
    /// [`SqlError::Mistake`] for anything that is not one SELECT in Trino's dialect, with its place.
    pub fn parse(sql: &str) -> Result<Self, SqlError> {
        let text = Text::read(sql)?;
        let tables = deep(|| {
            let query = query(&text, text.to_vec())?;
            refuse::unless_select(&query)?;
            tables(&query)
        })?;
        let parameters = text.tokens().filter(|token| matches!(token.token, Token::Placeholder(_))).count();
        Ok(Statement { text, tables, parameters })
    }

    /// The tables that it names, each once, in the order of their first appearance, as written but in lower case:
    /// an event data store's id, or its ARN where that is written in double quotes. Names of its own (WITH) are not
    /// among them.
    #[must_use]
    pub fn tables(&self) -> &[String] {
        &self.tables
    }

    /// How many `?` it has, which is how many parameters [`Engine::run`](crate::Engine::run) must be given.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    pub(crate) fn text(&self) -> &Text {
        &self.text
    }
}

/// The words of a text that may be names, of tables or of anything: those in double quotes, and those that mean nothing
/// else. Each once, in lower case. Unlike [`Statement::parse`] this takes no time to speak of, whatever the text.
///
/// # Errors
/// [`SqlError::Mistake`] for a text that has no words: a string that does not end, brackets in too many others.
pub fn names(sql: &str) -> Result<Vec<String>, SqlError> {
    let text = Text::read(sql)?;
    let mut seen = HashSet::new();
    let words = text.tokens().filter_map(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_some() || word.keyword == Keyword::NoKeyword => {
            Some(word.value.to_lowercase())
        }
        _ => None,
    });
    Ok(words.filter(|word| seen.insert(word.clone())).collect())
}

/// Parses tokens, which may be others than those of `text` but have their places.
pub(crate) fn query(text: &Text, tokens: Vec<TokenWithSpan>) -> Result<Box<Query>, SqlError> {
    refuse::unless_query_starts(text)?;
    let dialect = Trino::default();
    let read = read(&dialect, text, tokens);
    // What was read since is a guess, or what was left when all guesses had failed.
    if dialect.is_exhausted() {
        return Err(SqlError::mistake("The query is too complex."));
    }
    read
}

fn read(dialect: &Trino, text: &Text, tokens: Vec<TokenWithSpan>) -> Result<Box<Query>, SqlError> {
    let mut parser = Parser::new(dialect)
        .with_recursion_limit(MAX_RECURSION)
        .with_tokens_with_locations(values::in_brackets(tokens));
    let read = parser.parse_query().map_err(|error| syntax(text, error))?;
    let semicolon = parser.consume_token(&Token::SemiColon);
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(read),
        _ if semicolon => Err(SqlError::mistake_at(place(next.span.start), "Only one statement can be run.")),
        other => Err(SqlError::mistake_at(place(next.span.start), format!("Did not expect {other} here."))),
    }
}

/// What the parser says, in plain words, with its place.
fn syntax(text: &Text, error: ParserError) -> SqlError {
    let message = match error {
        ParserError::RecursionLimitExceeded => return SqlError::mistake("The query is nested too deep."),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    let (message, at) = split_place(&message);
    let at = at.filter(|at| *at != (0, 0)).unwrap_or_else(|| text.end());
    let message = message
        .replace("Expected: ", "Expected ")
        .replace(", found: EOF", ", but the query ends here")
        .replace(", found: ", ", found ");
    SqlError::mistake_at(at, format!("{}.", message.trim_end_matches('.')))
}

/// Takes ` at Line: 1, Column: 5` off a message's end.
fn split_place(message: &str) -> (&str, Option<Place>) {
    let Some((text, at)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let Some((line, column)) = at.split_once(", Column: ") else { return (message, None) };
    match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) => (text, Some((line, column))),
        _ => (message, None),
    }
}

/// The tables that a query names, without those that it defines.
fn tables(query: &Query) -> Result<Vec<String>, SqlError> {
    let mut names = TableNames::default();
    match query.visit(&mut names) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => {
            Ok(names.named.into_iter().filter(|name| !names.defined.contains(name)).collect())
        }
    }
}

#[derive(Default)]
struct TableNames {
    named: Vec<String>,
    defined: HashSet<String>,
}

impl Visitor for TableNames {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        if query.with.as_ref().is_some_and(|with| with.recursive) {
            return ControlFlow::Break(SqlError::mistake("WITH RECURSIVE is not supported."));
        }
        let defined = query.with.iter().flat_map(|with| &with.cte_tables);
        self.defined.extend(defined.map(|table| table.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<SqlError> {
        let [part] = relation.0.as_slice() else {
            let message =
                "A table has one name, the event data store's id, without a catalog or schema before it.";
            return ControlFlow::Break(SqlError::mistake_at(place(relation.span().start), message));
        };
        let Some(ident) = part.as_ident().filter(|ident| ident.quote_style != Some('\'')) else {
            let message = "A table is named without quotes or in double quotes.";
            return ControlFlow::Break(SqlError::mistake(message));
        };
        let name = ident.value.to_lowercase();
        if !self.named.contains(&name) {
            self.named.push(name);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::MAX_ATTEMPTS;

    /// How many expressions the parser begins in a query, and whether it is one.
    fn attempts(sql: &str) -> (usize, bool) {
        let read = deep(|| {
            let text = Text::read(sql)?;
            let dialect = Trino::default();
            let is_query = read(&dialect, &text, text.to_vec()).is_ok();
            Ok((dialect.attempts(), is_query))
        });
        read.unwrap_or((0, false))
    }

    #[test]
    fn what_the_parser_reads_twice_at_each_level_is_bounded() {
        let parts = [
            "INTERVAL ",
            "current_timestamp(",
            "current_date(",
            "localtime(",
            "localtimestamp(",
            "position(",
            "interval (",
            "f((a,b) -> f(",
            "f(a -> ",
            "1 IN (SELECT(",
            "1 IN (VALUES(",
            "EXISTS (SELECT 1 FROM (SELECT ",
            "CASE WHEN INTERVAL ",
            "CAST(INTERVAL ",
            "extract(day FROM interval (",
            "a[current_date(",
            "- current_time(",
            "x -> interval ",
        ];
        let mut exhausted = None;
        for part in parts {
            let brackets = part.matches(['(', '[']).count() - part.matches(')').count();
            for depth in [48_usize.checked_div(brackets).unwrap_or(200), 9_000 / part.len()] {
                let nested = format!("SELECT {}", part.repeat(depth));
                let wrong = format!("{nested} !!");
                let long = format!("{nested}{}", "!".repeat(9_900 - nested.len()));
                for sql in [wrong, long] {
                    let (count, is_query) = attempts(&sql);
                    // Beyond the limit, each level may still begin a few that end at once.
                    assert!(count < MAX_ATTEMPTS + 5_000, "{count} for {depth} of {part}");
                    assert!(!is_query, "{depth} of {part}");
                    if count > MAX_ATTEMPTS {
                        exhausted.get_or_insert(sql);
                    }
                }
            }
        }
        let error = Statement::parse(&exhausted.expect("a shape that comes to the limit"));
        assert_eq!(error.err(), Some(SqlError::mistake("The query is too complex.")));
    }

    #[test]
    fn names_are_found_without_reading_the_query() {
        let id = "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809";
        let sql = format!("SELECT INTERVAL '{id}' FROM {id} JOIN \"arn:aws:X\" ON {id}.a = B -- x");
        assert_eq!(
            names(&sql),
            Ok(vec![id.to_owned(), "arn:aws:x".to_owned(), "a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn long_queries_are_far_from_the_limit() {
        for sql in [
            format!("SELECT {}1", "1,".repeat(4_900)),
            format!("SELECT 1 IN ({}1)", "1,".repeat(4_900)),
            format!("SELECT f({}1)", "1,".repeat(4_900)),
            format!("SELECT ({}1)", "1,".repeat(4_900)),
            format!("SELECT * FROM (VALUES {}1)", "1,".repeat(4_900)),
            format!("SELECT {}1", "interval '1' day,".repeat(580)),
            format!("SELECT {}1", "position('a' IN b),".repeat(500)),
        ] {
            let (count, is_query) = attempts(&sql);
            assert!(is_query, "{}", &sql[..30]);
            assert!(count < MAX_ATTEMPTS * 2 / 3, "{count} for {}", &sql[..30]);
        }
    }
}
