//! Types that do not go together, in Trino's words and with what to do.
//!
//! DataFusion says which types an operator met and not where. The place is that of the operator beside what may have these
//! types; where several may be meant, none is told.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::spoken::in_trinos_types;
use crate::text::{Place, Text, place};
use crate::{Mistake, SqlError};

/// The types of the tables' columns, by their names in lower case.
pub(crate) type Columns = HashMap<String, DataType>;

/// What DataFusion says of types that do not go together; none if it says something else.
pub(crate) fn told(message: &str, text: &Text, columns: &Columns) -> Option<SqlError> {
    let of = Query { tokens: words(text), columns };
    let (place, message) = comparison(message, &of)
        .or_else(|| logic(message, &of))
        .or_else(|| arithmetic(message, &of))
        .or_else(|| pattern(message, &of))
        .or_else(|| between(message, &of))
        .or_else(|| condition(message, &of))
        .or_else(|| access(message, &of))
        .or_else(|| branches(message, &of))?;
    Some(SqlError::Mistake(Mistake { place, message, suggestion: None }))
}

type Told = Option<(Option<Place>, String)>;

struct Query<'a> {
    tokens: Vec<&'a TokenWithSpan>,
    columns: &'a Columns,
}

fn words(text: &Text) -> Vec<&TokenWithSpan> {
    text.tokens().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect()
}

impl Query<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.token.to_string().eq_ignore_ascii_case(word))
    }

    /// The type of what stands at a place, as far as one word tells.
    fn kind(&self, at: usize) -> Option<String> {
        match &self.tokens.get(at)?.token {
            Token::Word(word) => match word.value.to_lowercase().as_str() {
                "true" | "false" if word.quote_style.is_none() => Some("boolean".to_owned()),
                name => self.columns.get(name).map(|kind| in_trinos_types(&kind.to_string())),
            },
            Token::SingleQuotedString(_) => Some("varchar".to_owned()),
            Token::Number(number, _) if !number.contains('.') => Some("bigint".to_owned()),
            _ => None,
        }
    }

    /// Where an operator stands between these types.
    fn between(&self, left: &str, operator: &str, right: &str) -> Option<usize> {
        let same = |operator: &str| if operator == "<>" { "!=".to_owned() } else { operator.to_uppercase() };
        let is_it = |at: &usize| {
            self.tokens.get(*at).is_some_and(|token| same(&token.token.to_string()) == same(operator))
        };
        let scored = (0..self.tokens.len()).filter(is_it).map(|at| {
            let score = |at: Option<usize>, kind: &str| match at.and_then(|at| self.kind(at)) {
                Some(found) if found == kind => 2,
                Some(_) => 0,
                None => 1,
            };
            (score(at.checked_sub(1), left) + score(Some(at + 1), right), at)
        });
        let mut scored: Vec<(i32, usize)> = scored.collect();
        scored.sort_unstable();
        let (best, at) = scored.pop()?;
        scored.last().is_none_or(|(next, _)| *next < best).then_some(at)
    }

    fn place(&self, at: Option<usize>) -> Option<Place> {
        at.and_then(|at| self.tokens.get(at)).map(|token| place(token.span.start))
    }

    /// Where a word stands, if it stands there once.
    fn only(&self, word: &str) -> Option<usize> {
        let mut found = (0..self.tokens.len()).filter(|at| self.is(*at, word));
        found.next().filter(|_| found.next().is_none())
    }

    fn name(&self, at: Option<usize>) -> Option<&str> {
        match &self.tokens.get(at?)?.token {
            Token::Word(word) => Some(&word.value),
            _ => None,
        }
    }
}

/// The parts of `A OP B`.
fn operation(text: &str) -> Option<(&str, &str, &str)> {
    const OPERATORS: [&str; 15] = [
        " IS NOT DISTINCT FROM ",
        " IS DISTINCT FROM ",
        " AND ",
        " OR ",
        " >= ",
        " <= ",
        " != ",
        " = ",
        " > ",
        " < ",
        " + ",
        " - ",
        " * ",
        " / ",
        " % ",
    ];
    OPERATORS.iter().find_map(|operator| {
        let (left, right) = text.split_once(operator)?;
        Some((left.trim(), operator.trim(), right.trim()))
    })
}

fn comparison(message: &str, query: &Query) -> Told {
    let (_, rest) = message.split_once("Cannot infer common argument type for comparison operation ")?;
    let rest = in_trinos_types(rest.lines().next()?.trim_end_matches('.'));
    let (left, operator, right) = operation(&rest)?;
    if operator == "IS DISTINCT FROM" && query.only("DISTINCT").is_none() {
        let message = format!("Value of logical NOT expression must evaluate to a boolean (actual: {left}).");
        return Some((query.place(query.only("NOT")), message));
    }
    let at = query.between(left, operator, right);
    let beside = query.name(at.and_then(|at| at.checked_sub(1)));
    let kinds = [left, right];
    let has = |kind: &str| kinds.contains(&kind);
    let hint = if has("row") {
        let row = beside.unwrap_or("row");
        format!(" Compare one of its fields, as {row}.field.")
    } else if has("boolean") && has("varchar") {
        " Write true or false without quotes.".to_owned()
    } else if kinds.iter().any(|kind| kind.starts_with("timestamp") || *kind == "date") {
        " Write a time in quotes: '2024-01-31 00:00:00'.".to_owned()
    } else if kinds.iter().any(|kind| kind.starts_with("map(")) {
        let map = beside.unwrap_or("map");
        format!(" Compare one of its values: element_at({map}, 'key').")
    } else if kinds.iter().any(|kind| kind.starts_with("array(")) {
        let array = beside.unwrap_or("array");
        format!(" Compare one of its elements: contains({array}, …) or any_match({array}, x -> …).")
    } else {
        String::new()
    };
    Some((query.place(at), format!("Cannot apply operator: {left} {operator} {right}.{hint}")))
}

fn logic(message: &str, query: &Query) -> Told {
    let (_, rest) = message.split_once("Cannot infer common argument type for logical boolean operation ")?;
    let rest = in_trinos_types(rest.lines().next()?.trim_end_matches('.'));
    let (left, operator, right) = operation(&rest)?;
    let wrong = if left == "boolean" { right } else { left };
    let at = query.between(left, operator, right);
    Some((query.place(at), format!("Logical expression term must evaluate to a boolean (actual: {wrong}).")))
}

fn arithmetic(message: &str, query: &Query) -> Told {
    let (_, rest) = message.split_once("Cannot coerce arithmetic expression ")?;
    let rest = in_trinos_types(rest.split(" to valid types").next()?);
    let (left, operator, right) = operation(&rest)?;
    let hint = if operator == "+" && (left == "varchar" || right == "varchar") {
        " Texts are joined with ||."
    } else {
        ""
    };
    let place = query.place(query.between(left, operator, right));
    Some((place, format!("Cannot apply operator: {left} {operator} {right}.{hint}")))
}

fn pattern(message: &str, query: &Query) -> Told {
    let (_, rest) = message.split_once("There isn't a common type to coerce ")?;
    let (kinds, _) = rest.split_once(" in LIKE expression")?;
    let kinds = in_trinos_types(kinds);
    let (left, right) = kinds.split_once(" and ")?;
    let (side, kind) = if left == "varchar" { ("Pattern", right) } else { ("Left side", left) };
    let message = format!("{side} of LIKE expression must evaluate to a varchar (actual: {kind}).");
    Some((query.place(query.between(left, "LIKE", right)), message))
}

fn between(message: &str, query: &Query) -> Told {
    let (_, rest) = message.split_once("Failed to coerce types ")?;
    let (kinds, _) = rest.split_once(" in BETWEEN expression")?;
    let kinds = in_trinos_types(kinds);
    let (value, bound) = kinds.split_once(" and ")?;
    let hint = if value.starts_with("timestamp") || value == "date" {
        " Write times in quotes: '2024-01-31 00:00:00'."
    } else {
        ""
    };
    let message = format!("Cannot check if {value} is BETWEEN {bound} and {bound}.{hint}");
    Some((query.place(query.between(value, "BETWEEN", bound)), message))
}

fn condition(message: &str, query: &Query) -> Told {
    let (_, rest) = message.split_once("Cannot create filter with non-boolean predicate ")?;
    let (_, kind) = rest.rsplit_once(" returning ")?;
    let kind = in_trinos_types(kind.lines().next()?.trim_end_matches('.'));
    let at = query.only("WHERE").filter(|_| query.only("HAVING").is_none()).map(|at| at + 1);
    Some((query.place(at), format!("WHERE clause must evaluate to a boolean: actual type {kind}.")))
}

/// What has no fields, or no elements.
fn access(message: &str, query: &Query) -> Told {
    let (_, rest) = message.split_once("Unexpected parameters (")?;
    let (kinds, rest) = rest.split_once(") for function ")?;
    let function = rest.split('.').next()?;
    let whole = kinds.split('(').next()?.split(',').next()?;
    let is_kind = |at: usize| query.kind(at).is_some_and(|kind| kind.split('(').next() == Some(whole));
    let follows = |sign: &str| {
        let mut all = (0..query.tokens.len()).filter(|at| query.is(*at + 1, sign) && is_kind(*at));
        all.next().filter(|_| all.next().is_none())
    };
    match function {
        "field" => {
            let at = follows(".");
            let (name, field) = (query.name(at), query.name(at.map(|at| at + 2)));
            let (name, field) = (name.unwrap_or("…"), field.unwrap_or("…"));
            let message = match whole {
                "map" => format!("A map has no fields. Write element_at({name}, '{field}')."),
                "array" => {
                    format!("An array has no fields. Write {name}[1].{field}, or CROSS JOIN UNNEST({name}).")
                }
                kind => format!("A value of type {kind} has no fields."),
            };
            Some((query.place(at.map(|at| at + 2)), message))
        }
        "subscript" => {
            let at = follows("[");
            let name = query.name(at).unwrap_or("…");
            let message = match whole {
                "map" => format!("The keys of this map are of another type: {name}['key']."),
                "array" => format!("An element of an array is had by its number: {name}[1]."),
                kind => format!("A value of type {kind} has no elements."),
            };
            Some((query.place(at.map(|at| at + 1)), message))
        }
        _ => None,
    }
}

fn branches(message: &str, query: &Query) -> Told {
    if message.contains("to common types in CASE WHEN expression") {
        return Some((query.place(query.only("CASE")), "All CASE results must be of one type.".to_owned()));
    }
    let (_, rest) = message.split_once("Function '")?;
    let (name, rest) = rest.split_once('\'')?;
    if !rest.contains("user-defined coercion failed") || !rest.contains("Fail to find the coerced type") {
        return None;
    }
    let message = format!("All arguments of {} must be of one type.", name.to_uppercase());
    Some((query.place(query.only(name)), message))
}
