//! `LIKE`: in Trino nothing escapes unless ESCAPE says what, in DataFusion a backslash always does.
//!
//! Except where DataFusion looks for what a pattern begins with, to leave out what begins otherwise: there it takes the
//! backslash for a part of it. So what is compared with a pattern that has or may have one is no plain column.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    Query, Spanned, Value, VisitMut, VisitorMut,
};

use crate::SqlError;
use crate::text::place;

/// Writes each pattern as DataFusion reads it.
pub(crate) fn rewrite(query: &mut Query) -> Result<(), SqlError> {
    match query.visit(&mut Patterns) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Patterns;

impl VisitorMut for Patterns {
    type Break = SqlError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        let at = place(expr.span().start);
        let Expr::Like { expr: compared, pattern, escape_char, .. } = expr else {
            return ControlFlow::Continue(());
        };
        let escape = match escape_char.take() {
            None => None,
            Some(Value::SingleQuotedString(text)) if text.chars().count() == 1 => text.chars().next(),
            Some(_) => {
                let message = "ESCAPE must be followed by one character in quotes.";
                return ControlFlow::Break(SqlError::mistake_at(at, message));
            }
        };
        match (literal(pattern), escape) {
            (Some(text), escape) => match backslashed(text, escape) {
                Ok(pattern) => {
                    if pattern.contains('\\') {
                        unprune(compared);
                    }
                    *text = pattern;
                }
                Err(message) => return ControlFlow::Break(SqlError::mistake_at(at, message)),
            },
            (None, Some('\\')) => unprune(compared),
            (None, None) => {
                unprune(compared);
                double_backslashes(pattern);
            }
            (None, Some(_)) => {
                let message = "ESCAPE is supported for patterns that are written out only.";
                return ControlFlow::Break(SqlError::mistake_at(at, message));
            }
        }
        ControlFlow::Continue(())
    }
}

/// The text of a pattern that is written out.
fn literal(expr: &mut Expr) -> Option<&mut String> {
    match expr {
        Expr::Value(value) => match &mut value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => literal(inner),
        _ => None,
    }
}

/// A pattern with `escape`, as one with a backslash.
fn backslashed(pattern: &str, escape: Option<char>) -> Result<String, &'static str> {
    let mut written = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(ch) = chars.next() {
        if Some(ch) == escape {
            match chars.next() {
                Some(next) if matches!(next, '%' | '_') || Some(next) == escape => {
                    if matches!(next, '%' | '_' | '\\') {
                        written.push('\\');
                    }
                    written.push(next);
                }
                _ => return Err("The escape character must be followed by '%', '_' or itself."),
            }
        } else if ch == '\\' {
            written.push_str("\\\\");
        } else {
            written.push(ch);
        }
    }
    Ok(written)
}

/// `replace(pattern, '\', '\\')`, for a pattern that is computed.
fn double_backslashes(pattern: &mut Box<Expr>) {
    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
    call("replace", pattern, [text("\\"), text("\\\\")]);
}

/// `substr(text, 1)`, which is the text.
fn unprune(compared: &mut Box<Expr>) {
    call("substr", compared, [Expr::value(Value::Number("1".to_owned(), false))]);
}

/// Makes an expression the first argument of a function.
fn call<const N: usize>(name: &str, first: &mut Box<Expr>, others: [Expr; N]) {
    let own = std::mem::replace(first.as_mut(), Expr::value(Value::Null));
    let args = std::iter::once(own).chain(others);
    **first = Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    });
}

#[cfg(test)]
mod tests {
    use super::backslashed;

    #[test]
    fn a_backslash_is_itself_unless_escape_says_otherwise() {
        assert_eq!(backslashed(r"a\b%", None).as_deref(), Ok(r"a\\b%"));
        assert_eq!(backslashed(r"a\%b%", Some('\\')).as_deref(), Ok(r"a\%b%"));
        assert_eq!(backslashed(r"a\\b", Some('\\')).as_deref(), Ok(r"a\\b"));
    }

    #[test]
    fn any_character_escapes() {
        assert_eq!(backslashed("10$%_$_$$%", Some('$')).as_deref(), Ok(r"10\%_\_$%"));
        assert!(backslashed("a$b", Some('$')).is_err());
        assert!(backslashed("a$", Some('$')).is_err());
    }
}
