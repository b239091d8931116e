//! Trino's dialect for the parser.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

/// How many expressions are begun to read one query. A query of 10,000 characters has at most 5,000; the parser begins
/// many of them twice, once as each thing that they may be, and twice at each level is a number that doubles with the depth.
pub(crate) const MAX_ATTEMPTS: usize = 25_000;

/// What Trino's grammar has, as far as it differs from the parser's defaults. Each reading of a query has its own, which
/// counts.
#[derive(Debug, Default)]
pub(crate) struct Trino {
    attempts: Cell<usize>,
}

impl Trino {
    /// Whether the parser was stopped because it began too many expressions.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.attempts.get() > MAX_ATTEMPTS
    }

    /// How many expressions were begun, those that failed too.
    #[cfg(test)]
    pub(crate) fn attempts(&self) -> usize {
        self.attempts.get()
    }
}

impl Dialect for Trino {
    /// The parser asks by this type for UNNEST, map types and the like.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '@' || ch == '$'
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn require_interval_qualifier(&self) -> bool {
        true
    }

    fn supports_boolean_literals(&self) -> bool {
        true
    }

    /// A word that starts an expression of its own is not tried as a name as well: trying both at each level takes time
    /// that doubles with the depth.
    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        matches!(
            kw,
            Keyword::CASE
                | Keyword::CAST
                | Keyword::TRY_CAST
                | Keyword::SAFE_CAST
                | Keyword::CONVERT
                | Keyword::EXISTS
                | Keyword::EXTRACT
                | Keyword::CEIL
                | Keyword::FLOOR
                | Keyword::POSITION
                | Keyword::SUBSTR
                | Keyword::SUBSTRING
                | Keyword::OVERLAY
                | Keyword::TRIM
                | Keyword::INTERVAL
                | Keyword::ARRAY
                | Keyword::NOT
                | Keyword::NULL
                | Keyword::TRUE
                | Keyword::FALSE
        )
    }

    /// Casts and literals with a type are read by what rewrites them. The one error that the parser does not take for a
    /// wrong guess ends the reading when too many expressions were begun.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.attempts.set(self.attempts.get() + 1);
        if self.is_exhausted() {
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        crate::rewrite::parse_prefix(parser)
    }
}
